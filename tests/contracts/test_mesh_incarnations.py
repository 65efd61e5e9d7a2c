"""A ledger that is lost repeatedly on one day: every incarnation is counted on every node, and few streams remain."""

import pytest

from mesh.messages import decode
from mesh.page_format import Page
from mesh.replicator import OWN_STREAMS_MAX
from node.accounting.ledger import UsageKey, incarnation_name, incarnation_number
from node.units import AccountId, Bytes, Usage
from tests.contracts.test_mesh_service import NodeFixture, until
from tests.fakes.neighbours import TODAY, FakePageCache, FakeUsageLedger, id_of


def ledger_of(number: int, chance: str) -> FakeUsageLedger:
    return FakeUsageLedger(id_of("hill"), incarnation_name(number, chance))


def streams_of(node: NodeFixture, author: str = "hill") -> list[str]:
    found = node.mesh._replica.exchange._collection.streams(node.roster)
    return [name for who, name, _ in found if who == id_of(author)]


def agree(*nodes: NodeFixture) -> bool:
    return 1 == len({node.mesh._replica.exchange.root() for node in nodes})


@pytest.mark.thorough
async def test_ten_incarnations_of_one_day_are_all_counted_and_become_few_streams() -> None:
    """Each begins without knowing the ones before, as after a lost database: with the same number."""
    async with NodeFixture("valley", "hill", "coast").running() as valley:
        for number in range(10):
            usage_ledger = ledger_of(1, f"{number:04x}")
            async with NodeFixture(
                "hill", "valley", "coast", peers=(valley.address,), usage_ledger=usage_ledger
            ).running() as hill:
                hill.book("ana", 100)
                hill.book("ben", number + 1)
                expected = 100 * (number + 1)
                await until(lambda expected=expected: valley.usage_ledger.used("ana") == expected, 20)  # type: ignore[misc]
                await until(
                    lambda hill=hill, expected=expected: hill.usage_ledger.used("ana") == expected, 20
                )  # type: ignore[misc]
                await until(lambda hill=hill: len(streams_of(valley)) <= OWN_STREAMS_MAX, 20)  # type: ignore[misc]
                await until(lambda hill=hill: agree(hill, valley), 20)  # type: ignore[misc]
        async with NodeFixture("coast", "hill", "valley", peers=(valley.address,)).running() as coast:
            await until(lambda: coast.usage_ledger.used("ana") == 1_000)
            assert 55 == coast.usage_ledger.used("ben")
            assert streams_of(coast) == streams_of(valley)


async def test_a_neighbour_that_was_away_brings_what_only_it_had_received() -> None:
    """The coast received the last page of an incarnation, and no other node did; the hill has lost it and goes on."""
    page_cache = FakePageCache()
    async with NodeFixture("coast", "hill", "valley", page_cache=page_cache).running() as coast:
        usage_ledger = ledger_of(1, "aaaa")
        async with NodeFixture(
            "hill", "valley", "coast", peers=(coast.address,), usage_ledger=usage_ledger
        ).running() as hill:
            hill.book("ana", 100)
            await until(lambda: coast.usage_ledger.used("ana") == 100)
    async with NodeFixture("valley", "hill", "coast").running() as valley:
        usage_ledger = ledger_of(1, "bbbb")
        async with NodeFixture(
            "hill", "valley", "coast", peers=(valley.address,), usage_ledger=usage_ledger
        ).running() as hill:
            hill.book("ana", 7)
            await until(lambda: valley.usage_ledger.used("ana") == 7)
            peers = (valley.address,)
            async with NodeFixture(
                "coast", "hill", "valley", page_cache=page_cache, peers=peers
            ).running() as coast:
                for node in (hill, valley, coast):
                    await until(lambda node=node: node.usage_ledger.used("ana") == 107)  # type: ignore[misc]
                await until(
                    lambda: len(streams_of(valley)) <= OWN_STREAMS_MAX and agree(hill, valley, coast), 20
                )


async def test_a_restored_ledger_begins_another_incarnation_when_a_neighbour_knows_more() -> None:
    async with NodeFixture("valley", "hill").running() as valley:
        page_cache, usage_ledger = FakePageCache(), ledger_of(4, "aaaa")
        async with NodeFixture(
            "hill", "valley", peers=(valley.address,), usage_ledger=usage_ledger, page_cache=page_cache
        ).running() as hill:
            hill.book("ana", 40)
            await until(lambda: valley.usage_ledger.used("ana") == 40)
        before = dict(page_cache.records)
        async with NodeFixture(
            "hill", "valley", peers=(valley.address,), usage_ledger=usage_ledger, page_cache=page_cache
        ).running() as hill:
            for amount in (20, 40):
                hill.book("ana", amount)
                await until(lambda: valley.usage_ledger.used("ana") == hill.usage_ledger.used("ana"))
        old = ledger_of(4, "aaaa")
        key = UsageKey(old.node, old.incarnation, AccountId("ana"), TODAY)
        old.ledger.add(key, Usage(Bytes(40), Bytes(0)), busy=False)
        put_back = FakePageCache()
        put_back.records = {
            name: record for name, record in before.items() if not isinstance(decode(record), Page)
        }
        put_back.records["reserved"] = put_back.records["reserved"].replace(b'"seq": 1001', b'"seq": 1')
        async with NodeFixture(
            "hill", "valley", peers=(valley.address,), usage_ledger=old, page_cache=put_back
        ).running() as hill:
            await until(lambda: incarnation_number(old.incarnation) == 5)
            hill.book("ana", 5)
            await until(lambda: valley.usage_ledger.used("ana") == 105)
            await until(lambda: hill.usage_ledger.used("ana") == 105)
            await until(lambda: old.incarnation in streams_of(valley) and agree(hill, valley), 20)

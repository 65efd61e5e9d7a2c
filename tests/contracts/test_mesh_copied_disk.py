"""A disk is copied and runs in another machine with the same key: both are told, both talk, and both count."""

import asyncio

import pytest

from mesh.messages import decode
from mesh.page_format import Page
from mesh.tls_transport import Link
from node.accounting.ledger import incarnation_machine
from tests.contracts.test_mesh_service import NodeFixture, until
from tests.fakes.neighbours import FakeUsageLedger, id_of

HERE, THERE = "a" * 16, "b" * 16


def ledger(machine: str, number: int = 5) -> FakeUsageLedger:
    return FakeUsageLedger(id_of("hill"), f"{number}-m{machine[:6]}-01234567")


def says_copy(node: NodeFixture) -> bool:
    return any("machine" in warning and "copy" in warning for warning in node.mesh.warnings())


async def test_a_node_met_under_its_own_key_is_reported_on_both_and_both_go_on() -> None:
    async with (
        NodeFixture("hill", "valley", machine=HERE, usage_ledger=ledger(HERE)).running() as hill,
        NodeFixture("valley", "hill", peers=(hill.address,)).running() as valley,
    ):
        await until(lambda: {"valley": "trusted"} == hill.states())
        peers = (hill.address, valley.address)
        async with NodeFixture(
            "hill", "valley", machine=THERE, usage_ledger=ledger(THERE, 6), peers=peers
        ).running() as copy:
            await until(lambda: says_copy(hill) and says_copy(copy))
            await until(lambda: "trusted" == copy.states().get("valley"))
            await until(lambda: says_copy(valley))
            hill.book("ana", 5)
            copy.book("ana", 7)
            await until(lambda: valley.usage_ledger.used("ana") == 12)
            valley.book("ana", 1)
            for node in (hill, copy):
                await until(lambda node=node: node.usage_ledger.used("ana") == 13)  # type: ignore[misc]
            assert "trusted" == hill.states()["valley"] == copy.states()["valley"]
            assert 2 == len(valley.mesh._links)
        await until(lambda: not says_copy(valley))
        assert {"hill": "trusted"} == valley.states()


@pytest.mark.thorough
async def test_two_copies_do_not_answer_each_others_incarnations_with_new_ones() -> None:
    """The later of the two would begin another one, and then the other, without end."""
    here, there = ledger(HERE, 5), ledger(THERE, 6)
    async with (
        NodeFixture("valley", "hill").running() as valley,
        NodeFixture(
            "hill", "valley", machine=HERE, usage_ledger=here, peers=(valley.address,)
        ).running() as hill,
        NodeFixture(
            "hill", "valley", machine=THERE, usage_ledger=there, peers=(valley.address,)
        ).running() as copy,
    ):
        for number in range(4):
            hill.book("ana", 1)
            copy.book("ana", 1)
            await until(lambda number=number: valley.usage_ledger.used("ana") == 2 * number + 2)  # type: ignore[misc]
            await asyncio.sleep(0.2)
        pages = [decode(raw) for raw in await valley.mesh._replica.held_of(id_of("hill"))]
        lives = {page.incarnation for page in pages if isinstance(page, Page)}
        assert {"5-maaaaaa-01234567", "6-mbbbbbb-01234567"} == lives
        assert {HERE[:6], THERE[:6]} == set(map(incarnation_machine, lives))


async def test_a_node_that_calls_itself_is_no_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    async with NodeFixture("hill", machine=HERE).running() as hill:
        met, meet = list[Link](), hill.mesh._meet_own_key

        async def meets(link: Link) -> None:
            await meet(link)
            met.append(link)

        monkeypatch.setattr(hill.mesh, "_meet_own_key", meets)
        await hill.mesh._ask_copy(hill.address)
        await until(lambda: len(met) == 2)  # both ends of the connection
        assert not says_copy(hill)

"""An honest node that nearly fills what is kept of one author loses nothing when incarnations are merged, or at a start."""

import asyncio
from collections.abc import Iterable

import pytest

from mesh import page_versions
from mesh.replicator import OWN_STREAMS_MAX, Replicator
from node.accounting.ledger import UsageKey
from node.errors import StorageTrouble
from node.units import AccountId
from tests.contracts.test_mesh_hostile_authors import VILLAGE, buckets_of, page, read
from tests.fakes.neighbours import FakePageCache, FakeUsageLedger, bucket, id_of, key_of

HILL = id_of("hill")
DAYS = [f"2026-12-{number:02d}" for number in range(1, 32)]
ACCOUNTS = 80
INCARNATIONS = [f"{number}-a" for number in range(1, OWN_STREAMS_MAX + 2)]
ROUNDS = 2 * len(DAYS) + 2
"""A writing for the rows of each day, and one for its covers."""


@pytest.fixture(autouse=True)
def just_enough_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_versions, "AUTHOR_ROWS_MAX", (len(DAYS) + 4) * ACCOUNTS)


def replicator(name: str, usage_ledger: FakeUsageLedger, cache: FakePageCache) -> Replicator:
    return Replicator(
        key=key_of(name),
        community=VILLAGE,
        roster=lambda: frozenset({HILL, id_of("valley")}),
        usage_ledger=usage_ledger,
        page_cache=cache,
        woken=lambda: None,
        on_usage_changed=lambda: None,
    )


def book(usage_ledger: FakeUsageLedger, incarnation: str, days: list[str]) -> None:
    usage_ledger.incarnation = incarnation
    for day in days:
        for number in range(ACCOUNTS):
            key = UsageKey(HILL, incarnation, AccountId(f"household-{number:04d}"), day)
            usage_ledger.ledger.merge(key, bucket(10**9 + number))


async def a_month_of_lives(usage_ledger: FakeUsageLedger, cache: FakePageCache) -> Replicator:
    """Each incarnation counts some days; the last one takes all others in."""
    for number, incarnation in enumerate(INCARNATIONS):
        book(usage_ledger, incarnation, DAYS[number :: len(INCARNATIONS)])
        hill = replicator("hill", usage_ledger, cache)
        await hill.restore()
        for _ in range(ROUNDS):
            await hill._write_pages()
        await hill.persist_pages()
    return hill


async def test_incarnations_are_taken_in_where_there_is_no_room_for_all_of_them_twice() -> None:
    usage_ledger = FakeUsageLedger(HILL)
    hill = await a_month_of_lives(usage_ledger, FakePageCache())
    assert [INCARNATIONS[-1]] == hill.exchange.incarnations_of(HILL)
    assert dict(usage_ledger.ledger.buckets()) == buckets_of(*map(read, hill.exchange.held_of(HILL)))
    assert () == hill.warnings()


async def test_a_start_finds_what_is_held_among_pages_that_left_before() -> None:
    """A version before kept pages on the disk that had left: they take no room, and nothing is taken back."""
    usage_ledger, cache = FakeUsageLedger(HILL), FakePageCache()

    class Hoard(FakePageCache):
        async def save(self, pages: Iterable[tuple[str, bytes]], gone: Iterable[str] = ()) -> None:
            records = list(pages)
            await cache.save((name, record) for name, record in records if "/" in name)
            await super().save(records, gone)

    hill = await a_month_of_lives(usage_ledger, Hoard())
    cache.records = dict(sorted(cache.records.items()))
    assert len(cache.records) > len(hill.exchange.held_of(HILL)) + len(DAYS) // 2
    known = FakeUsageLedger(id_of("valley"))
    valley = replicator("valley", known, cache)
    await valley.restore()
    assert [] == valley.exchange.changed()
    assert hill.exchange.root() == valley.exchange.root()
    await valley.recount()
    assert dict(usage_ledger.ledger.buckets()) == dict(known.ledger.buckets())
    await valley.persist_pages()
    assert len(hill.exchange.held_of(HILL)) == len([name for name in cache.records if "/" in name])


async def test_a_page_that_could_not_be_kept_does_not_replace_the_one_after_it() -> None:
    class FullOnce(FakePageCache):
        is_full, is_asked = asyncio.Event(), asyncio.Event()

        async def save(self, pages: Iterable[tuple[str, bytes]], gone: Iterable[str] = ()) -> None:
            if not self.is_full.is_set():
                self.is_asked.set()
                await self.is_full.wait()
                raise StorageTrouble("the disk is full", "make room")
            await super().save(pages, gone)

    cache = FullOnce()
    valley = replicator("valley", FakeUsageLedger(id_of("valley")), cache)
    valley.exchange.greet(HILL)
    valley.receive(HILL, page({"ana": 1}, 1).raw)
    newer = page({"ana": 2}, 2)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(valley.persist_pages())
        await cache.is_asked.wait()
        valley.receive(HILL, newer.raw)
        tasks.create_task(valley.persist_pages())
        await asyncio.sleep(0)
        cache.is_full.set()
    await valley.persist_pages()
    assert newer.raw == cache.records[newer.name]

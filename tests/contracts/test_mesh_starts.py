"""What a start merges again: usage that may not be stored, and no other; no usage is lost or counted twice."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

import pytest

from mesh import replicator, unbooked_pages
from mesh.replicator import Replicator
from mesh.unbooked_pages import BOOKED, UnbookedPages
from node.accounting.ledger import UsageBucket
from node.errors import StorageTrouble
from node.storage.database import Store
from node.storage.repository import StoredPageCache
from node.units import AccountId, NodeId
from tests.contracts.test_mesh_hostile_authors import VILLAGE, page
from tests.fakes.mesh_exchange import an_other_page
from tests.fakes.neighbours import TODAY, FakePageCache, FakeUsageLedger, id_of, key_of

HILL, VALLEY = id_of("hill"), id_of("valley")


class SlowLedger(FakeUsageLedger):
    """Stores what was merged when a test says so."""

    def __init__(self) -> None:
        super().__init__(VALLEY)
        self.merged: list[str] = []
        self.stores = asyncio.Event()

    def merge_page(
        self, author: NodeId, day: str, buckets: Iterable[tuple[str, AccountId, UsageBucket]]
    ) -> None:
        self.merged.append(day)
        super().merge_page(author, day, buckets)

    async def kept(self) -> None:
        await self.stores.wait()


def started(cache: FakePageCache | StoredPageCache, ledger: FakeUsageLedger, *members: NodeId) -> Replicator:
    roster = frozenset(members or (HILL, VALLEY))
    found = Replicator(
        key=key_of("valley"),
        community=VILLAGE,
        roster=lambda: roster,
        usage_ledger=ledger,
        page_cache=cache,
        woken=lambda: None,
        on_usage_changed=lambda: None,
    )
    found.exchange.greet(HILL)
    return found


async def booked(replica: Replicator, ledger: SlowLedger) -> None:
    """All usage merged so far is on the disk, and the page cache knows it."""
    merges = replica._unbooked.merges
    ledger.stores.set()
    await ledger.kept()
    replica._unbooked.booked(merges)
    await replica.persist_pages()
    ledger.stores.clear()


async def test_a_start_merges_only_pages_whose_usage_may_not_be_stored() -> None:
    cache, ledger = FakePageCache(), SlowLedger()
    valley = started(cache, ledger)
    await valley.restore()
    valley.receive(HILL, page({"ana": 1}, 1, day="2026-11-01").raw)
    await valley.persist_pages()
    await booked(valley, ledger)
    valley.receive(HILL, page({"ana": 2}, 2, day="2026-11-02").raw)
    await valley.persist_pages()
    for _ in range(2):  # killed, and killed again before the usage is stored
        ledger = SlowLedger()
        again = started(cache, ledger)
        await again.restore()
        assert ["2026-11-02"] == ledger.merged
        assert again.exchange.root() == valley.exchange.root()
        await again.persist_pages()
    await booked(again, ledger)
    last = SlowLedger()
    await started(cache, last).restore()
    assert [] == last.merged


async def test_soon_after_many_pages_came_at_once_a_start_merges_none_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not only hours later: a node that was taught a whole village may be restarted by its installer."""
    monkeypatch.setattr(replicator, "UNBOOKED_LOOK_S", 0.02)
    monkeypatch.setattr(unbooked_pages, "MANY", 3)
    cache, ledger = FakePageCache(), SlowLedger()
    ledger.stores.set()
    valley = started(cache, ledger)
    await valley.restore()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(valley.run())
        for number in range(1, 4):
            valley.receive(HILL, page({"ana": number}, number, day=f"2026-11-0{number}").raw)
        async with asyncio.timeout(10):
            while any(map(UnbookedPages(cache.records.get(BOOKED)).includes, cache.records or "-")):
                await asyncio.sleep(0.01)
        running.cancel()
    assert 3 == sum(b"\n" in record for record in cache.records.values())
    last = SlowLedger()
    await started(cache, last).restore()
    assert [] == last.merged


async def test_a_page_of_a_node_that_is_no_member_for_a_while_is_merged_later() -> None:
    cache, ledger = FakePageCache(), SlowLedger()
    valley = started(cache, ledger)
    await valley.restore()
    valley.receive(HILL, page({"ana": 1}, 1).raw)
    await valley.persist_pages()
    alone = started(cache, ledger, VALLEY)
    await alone.restore()
    await booked(alone, ledger)
    last = SlowLedger()
    await started(cache, last).restore()
    assert [TODAY] == last.merged


class CacheThatFails(FakePageCache):
    """Its names cannot be read, and its records neither if `records_too`."""

    records_too = False

    async def names(self, after: str = "") -> list[str]:
        raise StorageTrouble("the disk does not answer", "look at it")

    async def read(self, names: Iterable[str]) -> dict[str, bytes]:
        if self.records_too:
            raise StorageTrouble("the disk does not answer", "look at it")
        return await super().read(names)


@pytest.mark.parametrize("records_too", [False, True])
async def test_while_pages_cannot_be_loaded_none_of_them_counts_as_booked(*, records_too: bool) -> None:
    cache, broken, ledger = FakePageCache(), CacheThatFails(), SlowLedger()
    valley = started(cache, ledger)
    await valley.restore()
    valley.receive(HILL, page({"ana": 1}, 1, day="2026-11-01").raw)
    await valley.persist_pages()
    broken.records, broken.records_too = cache.records, records_too
    other = started(broken, ledger)
    await other.restore()
    other.receive(HILL, page({"ana": 2}, 2, day="2026-11-02").raw)
    await booked(other, ledger)
    last = SlowLedger()
    await started(cache, last).restore()
    known = set() if records_too else {"2026-11-02"}
    assert {"2026-11-01", "2026-11-02"} - known == set(last.merged)


async def test_a_database_put_in_its_place_while_the_node_runs_is_not_taken_for_the_one_that_was_loaded(
    tmp_path: Path,
) -> None:
    """It has pages whose usage it lacks."""
    paths = [tmp_path / name / "procomu.db" for name in ("one", "other")]
    ledger = SlowLedger()
    for number, path in enumerate(paths, start=1):
        path.parent.mkdir()
        store = Store(path)
        valley = started(StoredPageCache(store, lambda: TODAY), ledger)
        await valley.restore()
        valley.receive(HILL, page({"ana": number}, number, day=f"2026-11-0{number}").raw)
        await valley.persist_pages()
        if number == 1:
            await booked(valley, ledger)
        store.close()
    cache = StoredPageCache(store := Store(paths[0]), lambda: TODAY)
    valley = started(cache, ledger)
    await valley.restore()
    assert {BOOKED} == (await cache.read([BOOKED])).keys()
    store.generation += 1  # as another file is opened
    valley.receive(HILL, page({"ana": 3}, 3, day="2026-11-03").raw)
    await booked(valley, ledger)
    store.close()
    last = SlowLedger()
    await started(StoredPageCache(store := Store(paths[0]), lambda: TODAY), last).restore()
    store.close()
    assert {"2026-11-01", "2026-11-03"} == set(last.merged)


async def test_usage_pages_wait_and_neighbours_send_again_what_a_crash_took() -> None:
    cache, usage, weather = FakePageCache(), page({"ana": 5}, 1), an_other_page("hill")
    before = started(cache, FakeUsageLedger(VALLEY))
    await before.restore()
    before.handle(HILL, usage)
    before.handle(HILL, weather)
    await before.persist_pages(with_usage=False)
    assert {weather.name: weather.raw} == cache.records
    ledger = FakeUsageLedger(VALLEY)
    after = started(cache, ledger)
    await after.restore()
    assert not after.exchange.holds(usage)
    assert after.exchange.holds(weather)
    after.handle(HILL, usage)
    assert 1 == ledger.pages_merged
    await after.persist_pages()
    assert {weather.name: weather.raw, usage.name: usage.raw}.items() <= cache.records.items()

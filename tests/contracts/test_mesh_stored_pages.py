"""Pages whose bytes are only in the page cache: a node is the same to its neighbours, and forgets those that are lost."""

import asyncio
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh import page_versions, raw_pages, replicator
from mesh.messages import decode
from mesh.page_format import Page, page_digest
from mesh.replicator import Replicator
from node.errors import StorageTrouble
from node.storage import database
from node.storage.database import Store
from node.storage.repository import StoredPageCache
from tests.contracts.test_mesh_hostile_authors import DAYS, HILL, INCARNATIONS, VALLEY, page, read
from tests.contracts.test_mesh_starts import started
from tests.examples import examples
from tests.fakes.neighbours import TODAY, FakePageCache, FakeUsageLedger, id_of

COAST = id_of("coast")
ROWS = st.dictionaries(st.sampled_from(["ana", "ben", "eva"]), st.integers(1, 5), min_size=1, max_size=3)


@st.composite
def any_page(draw: st.DrawFn) -> Page:
    """Usage, of an earlier incarnation in some, which may cover other pages."""
    life = draw(st.sampled_from(INCARNATIONS))
    day = draw(st.sampled_from(DAYS))
    before = draw(st.sampled_from(["", *(each for each in INCARNATIONS if each < life)]))
    covers = (
        {(before, f"usage/{day}/0000"): draw(st.integers(1, 9))} if before and draw(st.booleans()) else {}
    )
    return page(
        draw(ROWS), draw(st.integers(1, 9)), day=day, part=draw(st.integers(0, 1)), incarnation=life,
        of_incarnation=before, covers=covers,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def nothing_stays_by_chance() -> Iterator[None]:
    patch = pytest.MonkeyPatch()
    patch.setattr(raw_pages, "RECENT_BYTES_MAX", 0)
    patch.setattr(page_versions, "ACTIVE_AUTHORS_MAX", 1)
    patch.setattr(page_versions, "DAYS_MAX", 3)
    patch.setattr(page_versions, "INCARNATIONS_MAX", 3)
    patch.setattr(page_versions, "AUTHOR_ROWS_MAX", 8 * page_versions.ROWS_OF_A_PAGE_MIN)
    yield
    patch.undo()


async def node(cache: FakePageCache | StoredPageCache) -> tuple[Replicator, FakeUsageLedger]:
    ledger = FakeUsageLedger(VALLEY)
    found = started(cache, ledger, HILL, VALLEY, COAST)
    await found.restore()
    found.exchange.greet(COAST)
    return found, ledger


async def sent(replica: Replicator) -> set[bytes]:
    """All that the coast gets, which has nothing."""
    replica.exchange.begin_round(COAST)
    nothing, _ = await node(FakePageCache())
    nothing.exchange.greet(VALLEY)
    frames = set[bytes]()
    for _ in range(6):
        while (frame := await replica.next_frame(COAST)) is not None:
            frames.add(frame)
            await nothing.take(VALLEY, decode(frame))
        while (frame := await nothing.next_frame(VALLEY)) is not None:
            await replica.take(COAST, decode(frame))
    return {frame for frame in frames if isinstance(decode(frame), Page)}


async def compared(pages: list[Page], stored: list[bool]) -> None:
    plain, of_plain = await node(FakePageCache())
    cache = FakePageCache()
    packed, of_packed = await node(cache)
    for each, is_stored in zip(pages, stored, strict=True):
        for replica in (plain, packed):
            await replica.take(HILL, each)
        if is_stored:
            await packed.persist_pages()
            packed.exchange.root()
            packed.exchange.recount_later(COAST, TODAY)  # another author comes and goes: the hill is at rest
            packed.exchange.settle(COAST, TODAY, 0)
        assert plain.exchange.root() == packed.exchange.root()
        assert plain.exchange.changed() == packed.exchange.changed()
    await packed.persist_pages()
    assert len(packed.exchange.in_memory()) <= 1
    for replica in (plain, packed):
        await replica.recount()
    assert dict(of_plain.ledger.buckets()) == dict(of_packed.ledger.buckets())
    assert sorted(await plain.held_of(HILL)) == sorted(await packed.held_of(HILL))
    assert await sent(plain) == await sent(packed)
    again, _ = await node(cache)
    assert plain.exchange.root() == again.exchange.root()
    assert await sent(plain) == await sent(again)


@settings(deadline=None, max_examples=examples(60))
@given(st.lists(st.tuples(any_page(), st.booleans()), max_size=25))
def test_a_node_is_the_same_whether_its_pages_are_in_memory_or_only_stored(
    steps: list[tuple[Page, bool]],
) -> None:
    asyncio.run(compared([each for each, _ in steps], [is_stored for _, is_stored in steps]))


class Losses(FakePageCache):
    """A page cache that can be made to fail."""

    def __init__(self) -> None:
        super().__init__()
        self.is_broken = False

    async def read(self, names: Iterable[str]) -> dict[str, bytes]:
        if self.is_broken:
            raise StorageTrouble("the disk does not answer", "look at it")
        return await super().read(names)


PAGES = [page({"ana": number}, number, day=f"2026-11-0{number}") for number in (1, 2, 3)]


async def with_pages() -> tuple[Replicator, FakeUsageLedger, Losses]:
    """After a start: none of the pages is in memory."""
    cache = Losses()
    before, _ = await node(cache)
    for each in PAGES:
        await before.take(HILL, each)
    await before.persist_pages()
    return *await node(cache), cache


@pytest.mark.parametrize("other", [None, PAGES[1].raw, b"", b"{}", page({"ana": 9}, 1, day="2026-11-01").raw])
async def test_a_page_that_is_lost_is_announced_no_longer_and_comes_again_from_a_neighbour(
    other: bytes | None,
) -> None:
    replica, ledger, cache = await with_pages()
    before, usage = replica.exchange.root(), dict(ledger.ledger.buckets())
    cache.records.pop(PAGES[0].name)
    if other is not None:
        cache.records[PAGES[0].name] = other
    assert {each.raw for each in PAGES[1:]} == await sent(replica)
    assert {each.name for each in PAGES[1:]} == {each.name for each in replica.exchange.pages_of(HILL)}
    await replica.recount()
    assert usage == dict(ledger.ledger.buckets()), "its usage is not taken back"
    await replica.take(HILL, PAGES[0])
    assert before == replica.exchange.root()
    await replica.persist_pages()
    assert {each.raw for each in PAGES} == await sent(replica)


async def test_while_the_disk_does_not_answer_pages_are_not_taken_for_lost() -> None:
    replica, ledger, cache = await with_pages()
    before, usage = replica.exchange.root(), dict(ledger.ledger.buckets())
    cache.is_broken = True
    assert set() == await sent(replica)
    replica.exchange.recount_later(HILL, "2026-11-01")
    await replica.recount()
    assert [(HILL, "2026-11-01", 0)] == replica.exchange.changed()
    assert any("cannot be read" in warning for warning in replica.warnings())
    cache.is_broken = False
    await replica.recount()
    assert [] == replica.exchange.changed()
    assert before == replica.exchange.root()
    assert usage == dict(ledger.ledger.buckets())
    assert {each.raw for each in PAGES} == await sent(replica)
    assert () == replica.warnings()


async def test_a_version_that_cannot_be_compared_with_the_one_before_is_counted_again() -> None:
    """It may have taken usage back."""
    replica, ledger, cache = await with_pages()
    cache.is_broken = True
    await replica.take(HILL, page({"ben": 5}, 11, day="2026-11-01"))
    assert 1 == len(replica.exchange.changed())
    cache.is_broken = False
    await replica.recount()
    assert 5 == ledger.used("ben", "2026-11-01")
    assert 0 == ledger.used("ana", "2026-11-01")


async def test_after_another_database_took_its_place_only_what_it_has_is_held_and_the_rest_comes_again() -> (
    None
):
    replica, _, cache = await with_pages()
    new = page({"ana": 7}, 7, day="2026-11-03", part=1)
    await replica.take(HILL, new)
    other = page({"ana": 8}, 8, day="2026-11-02")
    cache.records = {PAGES[0].name: PAGES[0].raw, other.name: other.raw}
    cache.generation += 1
    await replica._look_after_cache()
    assert {PAGES[0].name, new.name} == {each.name for each in replica.exchange.pages_of(HILL)}
    await replica.persist_pages()
    assert {PAGES[0].raw, new.raw} == await sent(replica)
    for each in PAGES:
        await replica.take(HILL, each)
    await replica.persist_pages()
    again, _ = await node(cache)
    assert again.exchange.root() == replica.exchange.root()
    assert {each.raw for each in (*PAGES, new)} == await sent(replica)


async def test_a_database_that_cannot_be_read_after_it_came_is_looked_at_again() -> None:
    replica, _, cache = await with_pages()
    cache.records, cache.is_broken, cache.generation = {}, True, 1
    await replica._look_after_cache()
    assert 3 == len(replica.exchange.pages_of(HILL))
    cache.is_broken = False
    await replica._look_after_cache()
    assert [] == replica.exchange.pages_of(HILL)


async def test_a_new_version_that_comes_while_the_one_before_is_stored_stays_in_memory() -> None:
    class CacheThatIsOvertaken(FakePageCache):
        newer = page({"ana": 4}, 4, day="2026-11-01")

        async def save(self, pages: Iterable[tuple[str, bytes]], gone: Iterable[str] = ()) -> None:
            replica.receive(HILL, self.newer.raw)
            await super().save(pages, gone)

    cache = CacheThatIsOvertaken()
    replica, _ = await node(cache)
    replica.receive(HILL, PAGES[0].raw)
    await replica.persist_pages()
    assert [CacheThatIsOvertaken.newer.raw] == replica.exchange.in_memory()
    assert {CacheThatIsOvertaken.newer.raw} == await sent(replica)
    held = replica.exchange.pages_of(HILL)
    assert [page_digest(CacheThatIsOvertaken.newer)] == [each.digest for each in held]
    assert read(replica.exchange.bytes_of(held[0]) or b"").seq == 4


async def test_pages_wait_while_too_much_usage_is_not_stored_but_not_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(replicator, "ROOM_LOOK_S", 0.001)
    replica, ledger = await node(FakePageCache())
    ledger.has_room = False
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(replica.take(HILL, PAGES[0]))
        await asyncio.sleep(0.01)
        assert [] == replica.exchange.pages_of(HILL)
        ledger.has_room = True
    assert 1 == len(replica.exchange.pages_of(HILL))
    ledger.has_room = False
    await replica.take(HILL, PAGES[1])
    assert 2 == len(replica.exchange.pages_of(HILL)), (
        "a disk that cannot be written does not end the connection"
    )


async def test_a_database_that_is_lost_while_the_node_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is deleted, and what is open of it cannot be read: the store begins a new one."""
    store = Store(tmp_path / "data" / "procomu.db", keys=tmp_path)
    try:
        cache = StoredPageCache(store, lambda: TODAY)
        first, _ = await node(cache)
        for each in PAGES:
            await first.take(HILL, each)
        await first.persist_pages()
        replica, ledger = await node(cache)
        before, usage = replica.exchange.root(), dict(ledger.ledger.buckets())
        monkeypatch.setattr(database, "rescue", lambda *_: False)
        for each in (tmp_path / "data").iterdir():
            each.unlink()
        assert set() == await sent(replica)
        await replica._look_after_cache()
        assert [] == replica.exchange.pages_of(HILL)
        for each in PAGES:
            await replica.take(HILL, each)
        await replica.persist_pages()
        assert before == replica.exchange.root()
        assert usage == dict(ledger.ledger.buckets())
        again, of_again = await node(cache)
        assert {each.raw for each in PAGES} == await sent(again)
        assert usage == dict(of_again.ledger.buckets()), "it may lack usage, so all of it is merged again"
    finally:
        store.close()

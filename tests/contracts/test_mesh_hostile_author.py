"""What a hostile member's node can cost another node: real exchange, reconciler and SQLite; only the kernel is
fake.

Pages of 1,000 unknown accounts each; the limits are those in mesh/PROTOCOL.md and DECISIONS.md.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from mesh import page_versions
from mesh.exchange import CHANGES_TOO_MUCH, TOO_MUCH
from mesh.page_format import Page
from mesh.page_versions import AUTHOR_ROWS_MAX, CHANGED_ROWS_MAX, ROWS_OF_A_PAGE_MIN
from node.accounting.ledger import UsageKey
from node.storage import usage_tables
from tests.contracts.test_mesh_histories import HistoryNode
from tests.contracts.test_mesh_hostile_authors import page, read
from tests.fakes.neighbours import TODAY, id_of

HILL, COAST = id_of("hill"), id_of("coast")
NAMES_OF_A_PAGE = 1_000
PAGES = "name LIKE '%/%'"


@asynccontextmanager
async def valley(folder: Path, name: str = "valley") -> AsyncIterator[HistoryNode]:
    place = HistoryNode(name, folder / name)
    await place.start()
    place.replica.exchange.greet(COAST)
    try:
        yield place
    finally:
        await place.kill()


def names(number: int, count: int = NAMES_OF_A_PAGE) -> dict[str, int]:
    return {f"g{number:06d}-{each:04d}": 1 for each in range(count)}


def of_hill(place: HistoryNode) -> set[UsageKey]:
    return {key for key, _ in place.loop.ledger.buckets() if key.node == HILL}


def stored(place: HistoryNode, table: str = "cells", where: str = f"node = '{HILL}'") -> int:
    query = f"SELECT count(*) FROM {table} WHERE {where}"
    found: int = place.store.run_blocking(lambda db: db.execute(query).fetchone()[0])
    return found


async def hear(place: HistoryNode, pages: Iterable[Page]) -> int:
    """Receive pages from the coast without a pause; return the largest number of the hill's buckets in memory."""
    most = 0
    for number, each in enumerate(pages, start=1):
        await place.replica.take(COAST, read(each.raw))
        await asyncio.sleep(0)
        if number % 10 == 0:
            await place.settle()
            most = max(most, len(of_hill(place)))
    return most


async def a_minute(place: HistoryNode) -> None:
    await place.replica.persist_pages()
    await place.recount()
    await place.write()
    await place.replica.persist_pages()


async def test_accounts_missing_from_a_newer_page_of_a_day_are_withdrawn(tmp_path: Path) -> None:
    """Without a limit each account cost 1.7 kB of memory and 0.2 kB on the disk."""
    async with valley(tmp_path) as place:
        most = await hear(place, (page(names(number), number + 1) for number in range(40)))
        assert most <= CHANGED_ROWS_MAX + 2 * NAMES_OF_A_PAGE
        assert any(CHANGES_TOO_MUCH in warning for warning in place.replica.warnings())
        await a_minute(place)
        await hear(place, [page(names(99), 99)])
        await a_minute(place)
        assert {str(key.account) for key in of_hill(place)} == set(names(99))
        assert (NAMES_OF_A_PAGE, 1) == (stored(place), stored(place, "pages", PAGES))


@pytest.mark.parametrize(
    "kind",
    [
        lambda n: page(names(n), 1, day=f"2027-{1 + n // 28:02d}-{1 + n % 28:02d}"),
        pytest.param(lambda n: page(names(n), 1, incarnation=f"{n + 2}-a"), marks=pytest.mark.thorough),
        pytest.param(
            lambda n: page(names(n), 1, part=n % 10, day=f"2027-01-{1 + n // 10:02d}"),
            marks=pytest.mark.thorough,
        ),
        pytest.param(
            lambda n: page(names(n), n + 1, incarnation="2-b", of_incarnation=f"1-{n:04d}", part=n),
            marks=pytest.mark.thorough,
        ),
    ],
    ids=["days", "incarnations", "parts", "earlier incarnations"],
)
async def test_an_author_costs_no_more_than_the_limit_for_one_author(
    tmp_path: Path, kind: Callable[[int], Page]
) -> None:
    async with valley(tmp_path) as place:
        for start in range(0, 60, 10):
            await hear(place, map(kind, range(start, start + 10)))
            await a_minute(place)
            assert len(of_hill(place)) <= AUTHOR_ROWS_MAX
        assert len(of_hill(place)) == stored(place)
        held = {each.name for each in map(read, await place.replica.held_of(HILL))}
        assert stored(place, "pages", PAGES) == len(held)
        assert any(TOO_MUCH in warning for warning in place.replica.warnings())


@pytest.mark.thorough
async def test_the_number_of_pages_of_one_author_is_limited(tmp_path: Path) -> None:
    """Before, 64 incarnations of 62 days of 1,000 parts of two kinds, 0.4 kB each, were possible."""
    async with valley(tmp_path) as place:
        days = (f"2026-{8 + n // 1_000:02d}-{1 + n // 40 % 25:02d}" for n in range(3_000))
        await hear(place, (page({"x": 1}, 1, day=day, part=n % 1_000) for n, day in enumerate(days)))
        await a_minute(place)
        held = await place.replica.held_of(HILL)
        assert (
            AUTHOR_ROWS_MAX // ROWS_OF_A_PAGE_MIN * 0.9 < len(held) <= AUTHOR_ROWS_MAX // ROWS_OF_A_PAGE_MIN
        )
        assert len(held) == stored(place, "pages", PAGES)


async def test_two_nodes_count_the_same_in_any_order_of_arrival(tmp_path: Path) -> None:
    pages = [page(names(n, 40), n + 1, part=n % 2, incarnation=f"{1 + n % 3}-a") for n in range(12)]
    async with valley(tmp_path) as one, valley(tmp_path, "ridge") as other:
        await hear(one, pages)
        await hear(other, pages[::-1])
        for place in (one, other):
            await a_minute(place)
        buckets = [dict(await place.loop.persistence.buckets("", node=HILL)) for place in (one, other)]
        assert buckets[0] == buckets[1]
        assert len(buckets[0]) == 240


async def test_a_withdrawal_interrupted_by_a_crash_is_completed_after_it(tmp_path: Path) -> None:
    async with valley(tmp_path) as place:
        await hear(place, [page(names(1), 1)])
        await a_minute(place)
        await hear(place, [page(names(2), 2)])
        await place.settle()
        await place.write()
        await place.replica.persist_pages()
        assert 2 * NAMES_OF_A_PAGE == stored(place)
        await place.kill()
        await place.start()
        assert 2 * NAMES_OF_A_PAGE == len(of_hill(place))
        await a_minute(place)
        assert {str(key.account) for key in of_hill(place)} == set(names(2))
        assert NAMES_OF_A_PAGE == stored(place)


async def test_a_closed_day_stays_stored_when_one_of_its_pages_goes(tmp_path: Path) -> None:
    """The node began another incarnation on that day, and 62 days later that incarnation's page of it left."""
    days = [f"2026-{month:02d}-{day:02d}" for month in (7, 8, 9) for day in range(1, 29)][
        : page_versions.DAYS_MAX
    ]
    async with valley(tmp_path) as place:
        await hear(place, [page(names(1, 10), 1, day=days[0])])
        pages = [page(names(1, 10), n, day=day, incarnation="2-b") for n, day in enumerate(days, start=1)]
        await hear(place, pages)
        await a_minute(place)
        await hear(place, [page(names(1, 10), 99, day=TODAY, incarnation="2-b")])
        await a_minute(place)
        assert page_versions.DAYS_MAX + 1 == len(await place.replica.held_of(HILL))
        assert 10 * (page_versions.DAYS_MAX + 2) == stored(place)


async def test_closed_days_stay_stored_after_their_pages_are_evicted_up_to_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = [f"2026-{month:02d}-{day:02d}" for month in (7, 8, 9) for day in range(1, 29)]
    async with valley(tmp_path) as place:
        pages = [page(names(1, 10), n, day=day) for n, day in enumerate(days, start=1)]
        for some in (pages[:42], pages[42:]):
            await hear(place, some)
            await a_minute(place)
        assert page_versions.DAYS_MAX == len(await place.replica.held_of(HILL))
        await hear(place, [page(names(1, 10), 99, day=TODAY)])
        await a_minute(place)
        assert 10 * 85 == stored(place)
        monkeypatch.setattr(usage_tables, "BUCKETS_OF_A_NODE_MAX", 700)
        await hear(place, [page(names(1, 10), 100, day="2026-11-25")])
        await a_minute(place)
        assert 700 == stored(place)
        assert 20 == len(of_hill(place))

"""Usage in intervals of five minutes, from the kernel's counters to the table and to the person's own data."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from pathlib import Path
from sqlite3 import connect

import pytest

from node.accounting.intervals import INTERVAL_S, KEEP_INTERVALS_DAYS
from node.app.views import TermsAccepted
from node.control.active_ruleset import load_active_ruleset
from node.control.persistence import FORGET_EVERY_MS
from node.control.reconciler import Reconciler
from node.governance.rules import ActiveRuleset
from node.storage.database import Store
from node.storage.interval_tables import interval_rows
from node.storage.repository import IntervalArchive, StoredRepository
from node.units import AccountId
from tests.fakes.reconciler_fixture import ANA, MEMBER_DIRECTORY, RULES, ReconcilerFixture, until, used
from tests.fakes.use_cases import AppFixture, UseCases

MB = 1_000_000
PREVIEW = '[preview]\nby = "D-9"\n'
NOON = 1_795_521_600
"""Of the fake clock: 24 November 2026, 12:00 UTC."""
DAY_S = 86_400


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "data" / "procomu.db")
    yield opened
    opened.close()


@pytest.fixture
def village(store: Store) -> ReconcilerFixture:
    made = ReconcilerFixture(lambda: StoredRepository(store))
    decide(made, PREVIEW)
    return made


def decide(village: ReconcilerFixture, preview: str) -> None:
    assert MEMBER_DIRECTORY is not None
    book = load_active_ruleset(RULES + preview, MEMBER_DIRECTORY)
    assert isinstance(book, ActiveRuleset)
    village.book = book


def rows(store: Store) -> list[tuple[int, str, int, int, int]]:
    with closing(connect(store.path)) as db:
        return list(interval_rows(db))


async def uses(village: ReconcilerFixture, loop: Reconciler, down: int) -> None:
    before = used(loop)
    await until(lambda: loop._rated_ms is not None)
    assert village.kernel.send(ANA, down=down)
    await until(lambda: used(loop) == before + down)
    await next_reading(loop)


async def next_reading(loop: Reconciler) -> None:
    """The ledger has usage a moment before the loop takes it over."""
    reading = loop.persistence.baseline
    await until(lambda: loop.persistence.baseline is not reading)


async def is_stored(village: ReconcilerFixture, loop: Reconciler) -> None:
    assert await loop.persistence.flush(village.clock.now)


def pass_time(village: ReconcilerFixture, milliseconds: int) -> None:
    village.clock.pass_time(milliseconds)
    village.kernel.pass_time(milliseconds)


async def test_a_booking_stores_what_was_used_in_the_interval(
    village: ReconcilerFixture, store: Store
) -> None:
    async with village.life() as loop:
        await loop.admit(ANA, "1")
        await uses(village, loop, 2 * MB)
        await is_stored(village, loop)
        await uses(village, loop, 3 * MB)
        await is_stored(village, loop)
        assert [(NOON, "ana", 5 * MB, 0, 0)] == rows(store)


async def test_without_a_decision_nothing_is_kept(village: ReconcilerFixture, store: Store) -> None:
    decide(village, "")
    async with village.life() as loop:
        await loop.admit(ANA, "1")
        await uses(village, loop, 2 * MB)
        await is_stored(village, loop)
    assert [] == rows(store)


@pytest.mark.parametrize("trust", ["holdover", "unknown"])
async def test_without_a_certain_clock_nothing_is_kept(
    village: ReconcilerFixture, store: Store, trust: str
) -> None:
    village.clock.trust = trust  # type: ignore[assignment]
    async with village.life() as loop:
        await loop.admit(ANA, "1")
        await until(lambda: loop._rated_ms is not None)
        assert village.kernel.send(ANA, down=2 * MB)
        await until(lambda: loop.persistence.baseline is not None and bool(loop.persistence.baseline.booked))
        await is_stored(village, loop)
    assert [] == rows(store)


async def test_a_kill_loses_no_usage_and_counts_none_twice(village: ReconcilerFixture, store: Store) -> None:
    async with village.life(killed=True) as loop:
        await loop.admit(ANA, "1")
        await store_now(loop, village)
        await uses(village, loop, 2 * MB)
    assert [] == rows(store)
    assert village.kernel.send(ANA, down=MB)
    pass_time(village, 20_000)
    async with village.life() as loop:
        await until(lambda: used(loop) == 3 * MB)
    async with village.life() as loop:
        await until(lambda: loop._rated_ms is not None)
    assert [(NOON, "ana", 3 * MB, 0, 0)] == rows(store)


async def store_now(loop: Reconciler, village: ReconcilerFixture) -> None:
    await type(loop.persistence).flush(loop.persistence, village.clock.now)


async def test_what_was_used_while_the_node_was_stopped_for_long_belongs_to_no_interval(
    village: ReconcilerFixture, store: Store
) -> None:
    async with village.life() as loop:
        await loop.admit(ANA, "1")
        await uses(village, loop, 2 * MB)
    assert village.kernel.send(ANA, down=MB)
    pass_time(village, INTERVAL_S * 1000 + 1)
    async with village.life() as loop:
        await until(lambda: used(loop) == 3 * MB)
    assert [(NOON, "ana", 2 * MB, 0, 0)] == rows(store)


async def test_intervals_are_deleted_after_14_days_and_without_the_decision_all_of_them(
    village: ReconcilerFixture, store: Store
) -> None:
    async with village.life() as loop:
        await loop.admit(ANA, "1")
        await uses(village, loop, 2 * MB)
        await is_stored(village, loop)
        assert 1 == len(rows(store))
        await loop.persistence._forget_before(village.clock.civil() + timedelta(days=KEEP_INTERVALS_DAYS))
        assert 1 == len(rows(store))
        await loop.persistence._forget_before(
            village.clock.civil() + timedelta(days=KEEP_INTERVALS_DAYS, seconds=1)
        )
        assert [] == rows(store)
    decide(village, "")
    async with village.life() as loop:
        await store.run(lambda db: db.execute("INSERT INTO intervals VALUES (?, ?)", [NOON, b""]) and None)
        for _ in range(3):
            pass_time(village, FORGET_EVERY_MS // 2 + 1)
            await loop.persistence.forget(village.clock.now)
        found = await store.run(lambda db: db.execute("SELECT count(*) FROM intervals").fetchone()[0])
        assert 0 == found


@asynccontextmanager
async def street(store: Store, folder: Path) -> AsyncIterator[tuple[AppFixture, UseCases]]:
    fixture = AppFixture(lambda: StoredRepository(store), folder, rules=PREVIEW)
    fixture.intervals_of = IntervalArchive(store.path).of_account  # type: ignore[method-assign, assignment]
    async with fixture.life() as app:
        await app.portal.admit(ANA, TermsAccepted(), "1")
        await until(lambda: app.loop._rated_ms is not None)
        assert fixture.kernel.send(ANA, down=2 * MB, up=7)
        await until(lambda: app.portal.guest(ANA).used.total == 2 * MB + 7)
        await next_reading(app.loop)
        await app.loop.persistence.flush(fixture.clock.now)
        yield fixture, app


async def test_a_person_gets_their_own_intervals_and_erases_them(store: Store, tmp_path: Path) -> None:
    async with street(store, tmp_path) as (fixture, app):
        account = app.portal.guest(ANA).account
        assert [(NOON, account, 2 * MB, 7, 0)] == rows(store)
        assert [{"begun": "2026-11-24 12:00+00:00", "down": 2 * MB, "up": 7, "is_busy": False}] == json.loads(
            json.dumps(await app.portal.own_data(ANA))
        )["bytes_by_interval"]
        assert () == await IntervalArchive(store.path).of_account(AccountId("somebody else"), 0, 2**40)
        fixture.clock.trust = "unknown"
        assert [] == (await app.portal.own_data(ANA))["bytes_by_interval"]
        fixture.clock.trust = "synced"
        await app.portal.erase(ANA)
        assert [] == rows(store)
        assert [] == (await app.portal.own_data(ANA))["bytes_by_interval"]


async def test_a_database_that_cannot_be_read_has_no_intervals(store: Store, tmp_path: Path) -> None:
    async with street(store, tmp_path) as (_, app):
        store.close()
        store.path.write_bytes(b"damaged" * 999)
        assert [] == (await app.portal.own_data(ANA))["bytes_by_interval"]

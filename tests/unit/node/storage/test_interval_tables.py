"""Usage in intervals is added up, deleted on time, erased, and never a reason not to start."""

import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing
from sqlite3 import Connection

import pytest

from node.accounting.intervals import INTERVAL_S, Intervals, IntervalUsage
from node.accounting.ledger import Booking
from node.storage.integrity import check
from node.storage.interval_tables import (
    ROWS_BYTES_MAX,
    forget_intervals,
    interval_rows,
    load_intervals,
    load_last_interval,
    save_intervals,
)
from node.storage.migrations import migrate
from node.storage.usage_tables import erase, save_booking
from node.units import AccountId, Bytes, Usage

ANA, BEN = AccountId("ana"), AccountId("família-puig")
NOON = 1_795_521_600
MB = 1_000_000


@pytest.fixture
def db() -> Iterator[Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as opened:
        migrate(opened)
        yield opened


def usage(down: int, up: int = 0, *, is_busy: bool = False) -> IntervalUsage:
    return IntervalUsage(Usage(Bytes(down), Bytes(up)), is_busy)


def loaded(db: Connection) -> Intervals:
    return dict(load_intervals(db, 0, 2**40))


def test_an_interval_that_is_stored_again_has_grown(db: Connection) -> None:
    assert {} == load_last_interval(db)
    for _ in range(2):
        save_booking(db, Booking((), None, {}, intervals={NOON: {ANA: usage(MB, 3), BEN: usage(2 * MB)}}))
    save_booking(db, Booking((), None, {}, intervals={NOON: {ANA: usage(2 * MB, 2, is_busy=True)}}))
    assert loaded(db) == load_last_interval(db)
    assert {NOON: {ANA: usage(2 * MB, 3, is_busy=True), BEN: usage(2 * MB)}} == loaded(db)
    assert [(NOON, ANA, 2 * MB, 3, 1), (NOON, BEN, 2 * MB, 0, 0)] == list(interval_rows(db))
    assert {} == dict(load_intervals(db, NOON + 1, NOON + 9))


def test_an_account_that_was_not_active_is_dropped_when_the_interval_is_over(db: Connection) -> None:
    save_intervals(db, {NOON: {ANA: usage(MB), BEN: usage(60_000)}})
    assert {ANA} == loaded(db)[NOON].keys()
    save_intervals(db, {NOON: {BEN: usage(99_999)}})
    assert {ANA, BEN} == {row[1] for row in interval_rows(db)}, "it may become active still"
    save_intervals(db, {NOON + INTERVAL_S: {BEN: usage(1)}})
    assert [ANA, BEN] == [row[1] for row in interval_rows(db)]
    save_intervals(db, {NOON + 2 * INTERVAL_S: {ANA: usage(MB)}})
    assert [NOON, NOON + 2 * INTERVAL_S] == [row[0] for row in interval_rows(db)], "no empty interval"


def test_an_erased_account_is_in_no_interval(db: Connection) -> None:
    save_intervals(db, {NOON: {ANA: usage(MB), BEN: usage(MB)}, NOON + INTERVAL_S: {ANA: usage(MB)}})
    erase(db, ANA, "2026-11-24")
    assert {NOON: {BEN: usage(MB)}} == loaded(db)
    assert 1 == db.execute("SELECT count(*) FROM intervals").fetchone()[0]


def test_old_intervals_and_those_of_a_wrong_clock_are_deleted(db: Connection) -> None:
    for begun in (NOON - INTERVAL_S, NOON, NOON + INTERVAL_S, NOON + 10 * INTERVAL_S):
        save_intervals(db, {begun: {ANA: usage(MB)}})
    forget_intervals(db, (NOON, NOON + 2 * INTERVAL_S))
    assert [NOON, NOON + INTERVAL_S] == list(loaded(db))
    forget_intervals(db, None)
    assert {} == loaded(db)


@pytest.mark.parametrize("rows", [b"", b"no zlib", b"x\x9c", b"[][][]", b"x\x9c\x8b\x06\x00\x00\xb6\x00\x8e"])
def test_a_damaged_interval_counts_as_none(db: Connection, rows: bytes) -> None:
    db.execute("INSERT INTO intervals VALUES (?, ?)", [NOON, rows])
    check(db)
    assert {NOON: {}} == loaded(db)
    save_intervals(db, {NOON: {ANA: usage(MB)}})
    assert {NOON: {ANA: usage(MB)}} == loaded(db)


def test_an_interval_with_values_that_no_node_writes_counts_as_none(db: Connection) -> None:
    for text in ('[["ana",-1,0,0]]', '[["ana",1.5,0,0]]', "[[1,1,0,0]]", '[["ana"]]', "{}7", "[" * 9_000):
        db.execute("INSERT OR REPLACE INTO intervals VALUES (?, ?)", [NOON, zlib.compress(text.encode())])
        assert {NOON: {}} == loaded(db), text
    bomb = zlib.compress(b" " * (ROWS_BYTES_MAX + 1))
    db.execute("INSERT OR REPLACE INTO intervals VALUES (?, ?)", [NOON, bomb])
    assert {NOON: {}} == loaded(db)

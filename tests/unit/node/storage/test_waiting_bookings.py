"""Bookings that are not in the table of usage yet are read, erased and merged as if they were."""

import sqlite3
import zlib
from base64 import b85encode
from collections.abc import Iterator
from contextlib import closing
from sqlite3 import Connection

import pytest

from node.accounting.ledger import Booking, UsageBucket, UsageKey
from node.accounting.meter import Baseline
from node.accounting.periods import DAY_UNKNOWN
from node.storage.bucket_rows import BYTES_MAX
from node.storage.copies import salvage
from node.storage.integrity import check
from node.storage.migrations import migrate
from node.storage.usage_tables import (
    WAITING,
    WAITING_BYTES_MAX,
    WAITING_MAX,
    date_unknown_days,
    erase,
    forget_before,
    forget_erased,
    load_baseline,
    load_buckets,
    load_facts,
    load_incarnations,
    merge_waiting,
    rows_of_usage,
    save_booking,
    save_facts,
)
from node.units import AccountId, Bytes, NodeId, Usage

NODE = NodeId("a" * 52)
FACTS = {"incarnation": "1-a", "bookings": "7"}


@pytest.fixture
def db() -> Iterator[Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as opened:
        migrate(opened)
        yield opened


def bucket(
    account: str, down: int, day: str = "2026-11-28", life: str = "1-a"
) -> tuple[UsageKey, UsageBucket]:
    used = Usage(Bytes(down), Bytes(1))
    return UsageKey(NODE, life, AccountId(account), day), UsageBucket(used, used)


def book(db: Connection, *buckets: tuple[UsageKey, UsageBucket], is_merging: bool = False, **more) -> None:
    baseline = Baseline("counters", {1: Usage(Bytes(sum(each.uplink.down for _, each in buckets)), Bytes(0))})
    save_booking(db, Booking(buckets, baseline, FACTS, **more), is_merging=is_merging)


def merged(db: Connection) -> dict[str, int]:
    return dict(db.execute("SELECT account, down FROM cells"))


def known(db: Connection, **more) -> dict[str, int]:
    return {key.account: each.uplink.down for key, each in load_buckets(db, "2026-01-01", **more)}


def test_a_booking_waits_in_one_row_and_is_read(db):
    book(db, bucket("ana", 5), bucket("família-puig", 7))
    assert {} == merged(db)
    assert {"ana": 5, "família-puig": 7} == known(db)
    assert {"ana": 5} == known(db, account=AccountId("ana"))
    assert {} == known(db, node=NodeId("b" * 52))
    assert [(NODE, "1-a")] == load_incarnations(db)
    assert Baseline("counters", {1: Usage(Bytes(12), Bytes(0))}) == load_baseline(db)
    assert {**FACTS, "counters_id": "counters"} == load_facts(db)


def test_later_bookings_are_joined_by_the_highest_value(db):
    book(db, bucket("ana", 5), is_merging=True)
    book(db, bucket("ana", 9))
    book(db, bucket("ana", 8), bucket("ben", 1))
    assert {"ana": 5} == merged(db)
    assert {"ana": 9, "ben": 1} == known(db)
    assert {("ana", 9), ("ben", 1)} == {(row[2], row[4]) for row in rows_of_usage(db)}
    merge_waiting(db)
    assert {"ana": 9, "ben": 1} == merged(db) == known(db)
    assert Baseline("counters", {1: Usage(Bytes(9), Bytes(0))}) == load_baseline(db)
    assert [] == db.execute("SELECT 1 FROM facts WHERE name = ?", [WAITING]).fetchall()


def test_a_booking_that_is_merged_takes_those_before_it_along(db):
    book(db, bucket("ana", 5))
    book(db, bucket("ben", 1), is_merging=True)
    assert {"ana": 5, "ben": 1} == merged(db)


def test_more_than_a_row_should_have_is_merged_at_once(db):
    book(db, *(bucket(f"a{number}", number) for number in range(WAITING_MAX + 1)))
    assert WAITING_MAX + 1 == len(merged(db))


def test_a_day_that_is_counted_again_replaces_what_waits(db):
    book(db, bucket("ana", 5), bucket("ben", 6), bucket("cai", 7, "2026-11-27"))
    book(db, bucket("ana", 2), recounted=frozenset({(NODE, "2026-11-28")}))
    assert {"ana": 2, "cai": 7} == merged(db) == known(db)


def test_an_erased_account_does_not_wait(db):
    book(db, bucket("ana", 5, "2026-10-28"), bucket("ben", 6))
    erase(db, AccountId("ana"), "2026-11-28")
    assert {"ben": 6} == known(db)
    book(db, bucket("ana", 5, "2026-10-28"), bucket("ana", 3, DAY_UNKNOWN))
    assert {"ana": 3, "ben": 6} == known(db)


def test_retention_does_not_merge_what_is_kept(db):
    book(db, bucket("ana", 5), bucket("ben", 6, DAY_UNKNOWN))
    forget_before(db, "2025-11-01")
    date_unknown_days(db, "2026-11-28")
    forget_erased(db, used_before="2025-11-01", today="2026-11-28")
    assert {} == merged(db)
    assert {"ana": 5, "ben": 6} == known(db)


def test_usage_of_the_month_of_an_erasure_is_deleted_once_it_is_over(db):
    erase(db, AccountId("ana"), "2026-11-28")
    book(
        db, bucket("ana", 5), bucket("ana", 4, DAY_UNKNOWN), bucket("ben", 6), bucket("ana", 7, "2026-12-01")
    )
    assert [("ana", "2026-11-28", True)] == [
        (each.account, each.until_day, each.is_over)
        for each in forget_erased(db, used_before="2025-11-01", today="2026-12-01")
    ]
    assert [("ana", "2026-12-01"), ("ben", "2026-11-28")] == sorted(
        (key.account, key.day) for key, _ in load_buckets(db, "")
    )


def test_old_days_are_forgotten(db):
    book(db, bucket("ana", 5, "2025-10-01"), bucket("ben", 6))
    forget_before(db, "2025-11-01")
    assert {"ben": 6} == merged(db)


@pytest.mark.parametrize("text", ["x", "\ud7ff", "c-nQ}", "0" * 1_000])
def test_a_damaged_row_is_noticed_as_damage(db, text):
    book(db, bucket("ana", 5))
    db.execute("UPDATE facts SET value = ? WHERE name = ?", [text, WAITING])
    with pytest.raises(sqlite3.DatabaseError, match="damaged"):
        check(db)


def row_of(text: bytes) -> str:
    return b85encode(zlib.compress(text)).decode()


@pytest.mark.parametrize(
    "plain",
    [
        b"[" * 9_000,
        b" " * (WAITING_BYTES_MAX + 1) + b"[]",
        b'[["n", "1-a", "2026-11-28", [["ana", 1, 2, 3]]]]',
        b'[["n", "1-a", "2026-11-28", [["ana", 1, 2, 3, "4"]]]]',
        b'[["n", "1-a", "2026-11-28", [["ana", 1, 2, 3, true]]]]',
        b'[["n", "1-a", "2026-11-28", [["ana", 1, 2, 3, -4]]]]',
        b'[["n", "1-a", "2026-11-28", [["ana", 1, 2, 3, 1125899906842625]]]]',
        b'[["n", "1-a", 7, [["ana", 1, 2, 3, 4]]]]',
    ],
    ids=lambda plain: plain[:60].decode(),
)
def test_values_that_no_node_writes_are_damage(db, plain):
    save_facts(db, [(WAITING, row_of(b'[["n", "1-a", "2026-11-28", [["ana", 1, 2, 3, 4]]]]'))])
    check(db)
    save_facts(db, [(WAITING, row_of(plain))])
    with pytest.raises(sqlite3.DatabaseError, match="damaged"):
        check(db)


def test_a_full_row_with_the_longest_names_is_read(db):
    accounts = [f"{number:04}" + "\U0001f3d8" * 60 for number in range(WAITING_MAX)]
    days = [
        f"{2026 - number // 300:04}-{1 + number // 28 % 12:02}-{1 + number % 28:02}"
        for number in range(WAITING_MAX)
    ]
    book(
        db, *(bucket(account, BYTES_MAX, day, "9" * 32) for account, day in zip(accounts, days, strict=True))
    )
    assert {} == merged(db)
    assert WAITING_MAX == len(load_buckets(db, ""))


@pytest.mark.parametrize("has_copy", [False, True])
def test_the_row_of_a_damaged_database_is_salvaged_unless_there_is_a_copy(db, tmp_path, has_copy):
    damaged = tmp_path / "damaged.db"
    with closing(sqlite3.connect(damaged, isolation_level=None)) as opened:
        migrate(opened)
        book(opened, bucket("ana", 5), is_merging=True)
        book(opened, bucket("ana", 9), bucket("ben", 1))
    salvage(damaged, db, has_copy=has_copy, newer_than=0)
    assert ({} if has_copy else {"ana": 9, "ben": 1}) == merged(db)
    assert {} == load_facts(db)


def test_a_damaged_row_does_not_prevent_a_salvage(db, tmp_path):
    damaged = tmp_path / "damaged.db"
    with closing(sqlite3.connect(damaged, isolation_level=None)) as opened:
        migrate(opened)
        book(opened, bucket("ana", 5), is_merging=True)
        save_facts(opened, [(WAITING, "x")])
    assert 1 == salvage(damaged, db, has_copy=False, newer_than=0)
    assert {"ana": 5} == merged(db)


def test_a_row_of_a_hundred_accounts_is_small(db):
    accounts = [f"guest-{number:08x}abcd" for number in range(100)]
    book(db, *(bucket(account, 7_919_317 * at * at) for at, account in enumerate(accounts)))
    (size,) = db.execute("SELECT length(value) FROM facts WHERE name = ?", [WAITING]).fetchone()
    assert size < 4_000

"""The table of events: search, pages, retention and erasure."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.accounts.events import EVENTS_MAX, Event, EventGone, EventQuery, EventsErased
from node.storage import event_tables
from node.storage.event_tables import find_events, forget_events, statement, texts_of
from node.storage.migrations import migrate
from node.units import AccountId

ANA, BEN = AccountId("ana"), AccountId("ben")


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    with closing(empty()) as opened:
        yield opened


def empty() -> sqlite3.Connection:
    db = sqlite3.connect(":memory:", isolation_level=None)
    migrate(db)
    return db


def event(key: str, **more: object) -> Event:
    made = Event(key, 1_795_000_000, "2026-11-24", "admin Pere", "blocked", ANA)
    return replace(made, **more)  # type: ignore[arg-type]


def save(db: sqlite3.Connection, *changes: Event | EventGone | EventsErased) -> None:
    for change in changes:
        db.execute(*statement(change))


def found(db: sqlite3.Connection, **wanted: object) -> list[str]:
    return [each.event.key for each in find_events(db, EventQuery(**wanted))]  # type: ignore[arg-type]


def test_a_stored_event_comes_back_and_never_changes_but_for_its_count(db: sqlite3.Connection) -> None:
    first = event("a", text="Noise", about="x", count=2)
    save(db, first, event("a", text="Other", count=5), event("a", count=1))
    assert [replace(first, count=5)] == [each.event for each in find_events(db, EventQuery())]


@pytest.mark.parametrize(
    ("wanted", "keys"),
    [
        ({}, "cba"),
        ({"text": "NOISE  at"}, "a"),
        ({"text": "pere"}, "ba"),
        ({"text": "%"}, ""),
        ({"text": "batch_7"}, "c"),
        ({"text": "nobody", "accounts": (BEN,)}, "b"),
        ({"text": "nobody", "kinds": ("vouchers-issued",)}, "c"),
        ({"kind": "paused"}, "b"),
        ({"by": "admin Pere"}, "ba"),
        ({"since": "2026-11-25"}, "c"),
        ({"until": "2026-11-24"}, "ba"),
        ({"account": ANA}, "a"),
        ({"only": ("blocked", "paused")}, "ba"),
        ({"account": AccountId("' OR 1=1 --")}, ""),
        ({"text": "' OR 1=1 --"}, ""),
    ],
)
def test_events_are_found_by_what_a_reader_knows(
    db: sqlite3.Connection, wanted: dict[str, object], keys: str
) -> None:
    save(
        db,
        event("a", text="Noise at night"),
        event("b", account=BEN, kind="paused"),
        event("c", account="", by="issuer Ona", about="batch_7", kind="vouchers-issued", day="2026-11-25"),
    )
    assert list(keys) == found(db, **wanted)


@given(st.integers(0, 30), st.integers(1, 7))
def test_pages_have_every_event_once_the_newest_first(count: int, size: int) -> None:
    with closing(empty()) as db:
        save(db, *(event(f"{number}") for number in range(count)))
        seen, before = list[str](), 0
        while rows := find_events(db, EventQuery(before=before, limit=size)):
            seen += [row.event.key for row in rows]
            before = rows[-1].place
        assert [f"{number}" for number in reversed(range(count))] == seen


def test_events_are_kept_for_so_many_days(db: sqlite3.Connection) -> None:
    save(db, event("old", day="2026-08-25"), event("kept", day="2026-08-26"), event("new"))
    forget_events(db, "2026-11-24", 90)
    assert ["new", "kept"] == found(db)


@pytest.mark.parametrize("day", ["", "2099-01-01"])
def test_events_of_an_unknown_or_impossible_day_count_from_the_day_on_which_that_is_known(
    db: sqlite3.Connection, day: str
) -> None:
    save(db, event("a", day=day))
    forget_events(db, "2026-11-24", 90)
    assert ["a"] == found(db, since="2026-11-24", until="2026-11-24")
    forget_events(db, "2027-02-23", 90)
    assert [] == found(db)


def test_a_clock_in_1970_deletes_nothing(db: sqlite3.Connection) -> None:
    save(db, event("a"))
    forget_events(db, "1970-01-01", 90)
    forget_events(db, "1970-03-01", 90)
    assert ["a"] == found(db)


def test_beyond_the_most_that_are_kept_the_oldest_go_first(
    db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert EVENTS_MAX >= 10_000
    monkeypatch.setattr(event_tables, "EVENTS_MAX", 3)
    save(db, *(event(key) for key in "abcde"))
    forget_events(db, "2026-11-24", 90)
    assert list("edc") == found(db)


def test_erasure_takes_the_account_and_all_words_out_until_that_day(db: sqlite3.Connection) -> None:
    save(
        db,
        event("a", text="Noise", about="phone"),
        event("b", account=BEN, text="Stays"),
        event("c", day="2026-11-26", text="After"),
        event("d", day="", text="Undated"),
    )
    erased = EventsErased(ANA, "2026-11-25")
    assert {"Noise", "phone", "Undated"} <= {text for (text,) in texts_of(db, erased)}
    save(db, erased)
    rows = {each.event.key: each.event for each in find_events(db, EventQuery())}
    assert ("", "", "") == (rows["a"].account, rows["a"].text, rows["a"].about)
    assert ("admin Pere", "blocked") == (rows["a"].by, rows["a"].kind)
    assert ("", "Stays", "After") == (rows["d"].account, rows["b"].text, rows["c"].text)
    save(db, EventsErased(ANA))
    assert [] == found(db, account=ANA)


def test_what_did_not_happen_is_deleted(db: sqlite3.Connection) -> None:
    save(db, event("a"), event("b"), EventGone("a"), EventGone("a"))
    assert ["b"] == found(db)


def test_the_events_about_an_account_are_found_without_reading_the_others(
    db: sqlite3.Connection,
) -> None:
    """Each view of a person's page asks for them."""
    read = list[str]()
    db.set_trace_callback(read.append)
    find_events(db, EventQuery(account="ana", limit=50))
    db.set_trace_callback(None)
    (asked,) = read
    plan = db.execute(f"EXPLAIN QUERY PLAN {asked}").fetchall()
    assert ["SEARCH events USING INDEX events_of_account (account=?)"] == [each[-1] for each in plan]

"""The write buffer: each pending bucket is stored once, and usage withdrawn by another node is not."""

import pytest

from node.accounting.ledger import UsageBucket, UsageKey
from node.accounting.meter import Tally
from node.control import write_buffer
from node.control.write_buffer import WriteBuffer, joined
from node.units import NO_USAGE, AccountId, Bytes, NodeId, Usage

HILL, DAY = NodeId("h" * 52), "2026-11-24"


def key(account: str, day: str = DAY) -> UsageKey:
    return UsageKey(HILL, "1-a", AccountId(account), day)


def bucket(down: int) -> UsageBucket:
    return UsageBucket(Usage(Bytes(down), Bytes(0)), NO_USAGE)


def test_a_bucket_that_grew_during_the_write_stays_pending() -> None:
    waits = WriteBuffer()
    waits.keep(key("ana"), bucket(5))
    waits.keep(key("ben"), bucket(5))
    taken = waits.take()
    waits.keep(key("ana"), bucket(7))
    waits.stored(taken)
    assert {key("ana"): bucket(7)} == waits.buckets


def test_withdrawn_usage_is_removed_from_the_buffer_and_from_stored_rows() -> None:
    waits = WriteBuffer()
    for each in (key("ana"), key("ana", "2026-11-23")):
        waits.keep(each, bucket(5))
    waits.recount({(HILL, DAY): {key("ben"): bucket(1)}}, lambda _day: True, is_dated=True)
    assert {key("ana", "2026-11-23"): bucket(5)} == waits.buckets
    stored = [(key("ana"), bucket(5)), (key("ana", "2026-11-22"), bucket(5))]
    for step in (waits.take, waits.take):
        assert {key("ana", "2026-11-22"): bucket(5)} == waits.without_recounted(stored)
        taken = step()
        assert {key("ana", "2026-11-22"): bucket(5)} == waits.without_recounted(stored), (
            "while it is being stored"
        )
        assert {(HILL, DAY)} == taken.recounted
        waits.give_back(taken)
    waits.stored(waits.take())
    assert dict(stored) == waits.without_recounted(stored)


def test_a_bucket_counted_again_during_the_write_is_stored_again() -> None:
    waits = WriteBuffer()
    waits.keep(key("ana"), bucket(5))
    taken = waits.take()
    waits.recount({(HILL, DAY): {key("ana"): bucket(5)}}, lambda _day: True, is_dated=True)
    waits.keep(key("ana"), bucket(5))
    waits.stored(taken)
    assert {key("ana"): bucket(5)} == waits.buckets


def test_of_a_closed_day_nothing_is_taken_back() -> None:
    """Its pages leave one after the other: those that are still held do not say all of it."""
    waits = WriteBuffer()
    waits.keep(key("ana"), bucket(5))
    for said in ({}, {key("ben"): bucket(1)}):
        waits.recount({(HILL, DAY): said}, lambda _day: False, is_dated=True)
        taken = waits.take()
        assert (frozenset(), {HILL}) == (taken.recounted, taken.outlived)
    assert {key("ana"): bucket(5)} == waits.buckets


def test_without_a_clock_a_day_that_seems_closed_is_what_its_pages_say_if_it_has_any() -> None:
    waits = WriteBuffer()
    waits.recount({(HILL, DAY): {}}, lambda _day: False, is_dated=False)
    assert frozenset() == waits.take().recounted
    waits.recount({(HILL, DAY): {key("ben"): bucket(1)}}, lambda _day: False, is_dated=False)
    assert {(HILL, DAY)} == waits.take().recounted


def test_buckets_are_joined_with_stored_rows_that_match_the_query() -> None:
    found = {key("ana"): bucket(5)}
    more = [(key("ana"), bucket(3)), (key("ben"), bucket(1)), (key("ana", "2026-11-01"), bucket(1))]
    assert {key("ana"): bucket(5), key("ben"): bucket(1)} == joined(
        dict(found), more, "2026-11-02", HILL, None
    )
    assert found == joined(dict(found), more, "2026-11-02", NodeId("v" * 52), None)
    assert found == joined(dict(found), more, "2026-11-02", None, AccountId("ana"))


def test_a_buffer_that_is_full_takes_more_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_buffer, "FULL_BUCKETS", 2)
    waits, was_full = WriteBuffer(), list[bool]()
    for name in ("ana", "ana", "ben", "eva"):
        waits.keep(key(name), bucket(5))
        was_full.append(waits.is_full)
    assert [False, False, True, True] == was_full
    taken = waits.take()
    assert waits.is_full
    waits.stored(taken)
    assert not waits.is_full


def test_the_buckets_of_one_node_are_stored_alone_and_the_rest_stays() -> None:
    waits, own, told = WriteBuffer(), NodeId("o" * 52), list[str]()
    ours = UsageKey(own, "1-a", AccountId("ana"), DAY)
    waits.keep(ours, bucket(5))
    waits.keep(key("ben"), bucket(5))
    assert not waits.is_wanted
    waits.waiting.append(lambda: told.append("stored"))
    assert waits.is_wanted
    with waits.storing(own) as taken:
        assert {ours: bucket(5)} == taken.buckets
    assert ({key("ben"): bucket(5)}, []) == (waits.buckets, told)
    with waits.storing() as taken:
        assert {key("ben"): bucket(5)} == taken.buckets
    assert ({}, ["stored"], False) == (waits.buckets, told, waits.is_wanted)


def test_days_that_are_to_be_replaced_are_wanted() -> None:
    waits = WriteBuffer()
    waits.recount({(HILL, DAY): {}}, lambda _day: True, is_dated=True)
    assert waits.is_wanted


def test_notes_are_stored_with_the_buckets_and_stay_until_then() -> None:
    waits = WriteBuffer()
    waits.keep(key("ana"), bucket(5))
    waits.stored_with((), {"counters a": "5"})
    with pytest.raises(OSError, match="full"), waits.storing(HILL):
        raise OSError("full")
    with waits.storing(HILL) as taken:
        booking = taken.booking(None, {"boot": "b"}, Tally("life", 1))
        waits.stored_with((), {"counters a": "6", "counters b": "1"})
    assert ({"boot": "b", "counters a": "5"}, ((key("ana"), bucket(5)),)) == (booking.facts, booking.buckets)
    assert {"counters a": "6", "counters b": "1"} == waits.take().notes
    waits.stored(waits.take())
    assert {} == waits.take().notes

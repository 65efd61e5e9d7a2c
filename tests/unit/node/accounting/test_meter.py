"""The meter: no byte is lost, invented or booked twice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.accounting.meter import Baseline, Reading, Tally, baseline, deltas, goes_on_from, is_behind
from node.units import NO_USAGE, Bytes, Usage

PIECES = st.lists(
    st.tuples(
        st.integers(1, 3),
        st.integers(0, 10_000),
        st.integers(0, 10_000),
        st.sampled_from(["", "read", "reset"]),
    ),
    max_size=60,
)


def used(down: int, up: int) -> Usage:
    return Usage(Bytes(down), Bytes(up))


@given(PIECES)
def test_usage_is_exact_when_every_reset_comes_after_a_reading(
    pieces: list[tuple[int, int, int, str]],
) -> None:
    """For any order of traffic, readings and announced resets, the sum of the deltas is the traffic."""
    counters: dict[int, Usage] = {}
    passed: dict[int, Usage] = {}
    booked: dict[int, Usage] = {}
    before: Baseline | None = None
    life = 1

    def read() -> None:
        nonlocal before
        reading = Reading(f"life-{life}", dict(counters))
        for mark, delta in deltas(before, reading).items():
            booked[mark] = booked.get(mark, NO_USAGE) + delta
        before = baseline(reading)

    for mark, down, up, then in pieces:
        counters[mark] = counters.get(mark, NO_USAGE) + used(down, up)
        passed[mark] = passed.get(mark, NO_USAGE) + used(down, up)
        if then:
            read()
        if then == "reset":
            counters, life = {}, life + 1
    read()
    assert {m: u for m, u in passed.items() if u != NO_USAGE} == booked


def test_reading_twice_books_nothing_twice() -> None:
    reading = Reading("a", {1: used(500, 40)})
    assert {} == deltas(baseline(reading), reading)


def test_a_counter_that_fell_without_notice_counts_from_zero() -> None:
    before = Baseline("a", {1: used(900, 90)})
    assert {1: used(100, 10)} == deltas(before, Reading("a", {1: used(100, 10)}))


def test_a_restarted_daemon_continues_from_the_baseline() -> None:
    before = Baseline("a", {1: used(900, 90)})
    assert {1: used(100, 10)} == deltas(before, Reading("a", {1: used(1000, 100)}))


def test_after_a_reboot_the_counters_restarted_so_all_of_them_is_new() -> None:
    before = Baseline("before the reboot", {1: used(900, 90)})
    assert {1: used(1000, 100)} == deltas(before, Reading("after it", {1: used(1000, 100)}))


STANDING = Reading("now", {1: used(900, 0)})
STORED = Baseline("now", {1: used(500, 0)})
OTHER = Baseline("before", {1: used(70, 0)})


@pytest.mark.parametrize(
    ("before", "bookings", "tally", "expected"),
    [
        (STORED, 4, Tally("now", 4), STORED),
        (STORED, 5, Tally("now", 4), STORED),  # killed between the writes of the database and the note
        (STORED, 1, Tally("now", 0), STORED),
        (STORED, 4, None, STORED),
        (STORED, 4, Tally("before", 9), STORED),
        (STORED, 3, Tally("now", 4), baseline(STANDING)),  # an older copy
        (None, 0, Tally("now", 4), baseline(STANDING)),  # lost
        (None, 0, None, baseline(STANDING)),
        (OTHER, 9, None, baseline(STANDING)),
        (OTHER, 9, Tally("before", 9), baseline(STANDING)),
        (OTHER, 9, Tally("now", 2), baseline(STANDING)),
        (OTHER, 9, Tally("now", 0), Baseline("now", {})),  # nothing of them was ever stored
        (None, 0, Tally("now", 0), Baseline("now", {})),
    ],
)
def test_counters_without_a_history_become_the_baseline(
    before: Baseline | None, bookings: int, tally: Tally | None, expected: Baseline
) -> None:
    assert expected == goes_on_from(before, STANDING, bookings, tally)


def test_counters_of_our_own_begin_at_zero() -> None:
    assert goes_on_from(None, None, 0, Tally("now", 4)) is None
    assert OTHER == goes_on_from(OTHER, None, 9, None)
    assert {1: used(900, 0)} == deltas(OTHER, STANDING)


def test_a_database_is_behind_only_for_the_counters_that_stand() -> None:
    assert is_behind(3, Tally("now", 4), STANDING)
    assert not is_behind(4, Tally("now", 4), STANDING)
    assert not is_behind(3, Tally("before", 4), STANDING)
    assert not is_behind(3, Tally("now", 4), None)
    assert not is_behind(3, None, STANDING)

"""The meter: no byte lost, none invented, none booked twice."""

from hypothesis import given
from hypothesis import strategies as st

from node.accounting.meter import Baseline, Reading, baseline, deltas
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
def test_what_is_booked_is_what_passed_when_every_reset_comes_after_a_reading(
    pieces: list[tuple[int, int, int, str]],
) -> None:
    """Whatever the order of traffic, readings and announced resets, the sum of the deltas is the traffic."""
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


def test_a_counter_that_fell_without_a_word_counts_from_zero() -> None:
    before = Baseline("a", {1: used(900, 90)})
    assert {1: used(100, 10)} == deltas(before, Reading("a", {1: used(100, 10)}))


def test_a_restarted_daemon_goes_on_where_the_baseline_ended() -> None:
    before = Baseline("a", {1: used(900, 90)})
    assert {1: used(100, 10)} == deltas(before, Reading("a", {1: used(1000, 100)}))


def test_after_a_reboot_the_counters_began_again_so_all_of_them_is_new() -> None:
    before = Baseline("before the reboot", {1: used(900, 90)})
    assert {1: used(1000, 100)} == deltas(before, Reading("after it", {1: used(1000, 100)}))

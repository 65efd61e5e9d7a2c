"""The budget of a connection: what it gives in any time, and when."""

from hypothesis import given
from hypothesis import strategies as st

from mesh.link_budget import (
    BURST_BYTES,
    FRAME_WIRE_BYTES_MAX,
    MAIN_BYTES_MAX,
    RATE_MIN,
    LinkBudget,
    wire_bytes,
)
from mesh.messages import FRAME_BYTES_MAX
from node.units import BitsPerSecond, Monotonic

START = Monotonic(5_000_000)
STEPS = st.lists(
    st.tuples(st.integers(0, 20_000), st.integers(0, FRAME_BYTES_MAX), st.booleans()), max_size=60
)


@given(STEPS, st.integers(0, 10**9))
def test_in_no_time_is_more_spent_than_a_burst_and_what_the_rate_gives(
    steps: list[tuple[int, int, bool]], measured: int
) -> None:
    budget, now, spent = LinkBudget(START), START, [(START, 0)]
    budget.measured(BitsPerSecond(measured), now)
    for wait_ms, frame, of_share in steps:
        now = Monotonic(now + wait_ms)
        size = wire_bytes(frame)
        is_taken = budget.take_of_share(size, now) if of_share else budget.take(size, 0, now)
        spent.append((now, size if is_taken else 0))
    for first in range(len(spent)):
        total = 0
        for at, size in spent[first:]:
            total += size
            assert total * 8_000 <= BURST_BYTES * 8_000 + budget.rate * (at - spent[first][0])


@given(st.integers(0, 2**40))
def test_it_is_two_percent_of_what_was_measured_and_at_least_16_kilobits(measured: int) -> None:
    budget = LinkBudget(START)
    assert budget.rate == RATE_MIN == 16_000
    budget.measured(BitsPerSecond(measured), START)
    assert max(16_000, measured * 2 // 100) == budget.rate


@given(STEPS)
def test_what_was_waited_for_as_long_as_it_says_is_given_soon(steps: list[tuple[int, int, bool]]) -> None:
    budget, now = LinkBudget(START), START
    for wait_ms, frame, _ in steps:
        now = Monotonic(now + wait_ms)
        size = wire_bytes(frame)
        for _ in range(40):
            if budget.take(size, 0, now):
                break
            wait = budget.wait(size, 0, FRAME_WIRE_BYTES_MAX, now)
            assert not budget.take(size, 0, Monotonic(now + wait - 1)), "never later than it is possible"
            now = Monotonic(now + wait)
        else:
            raise AssertionError("it never comes")


def test_after_any_time_without_a_frame_there_is_no_more_than_a_burst() -> None:
    budget, later = LinkBudget(START), Monotonic(START + 400 * 86_400_000)
    assert not budget.take(MAIN_BYTES_MAX + 1, 0, later)
    assert not budget.take_of_share(FRAME_WIRE_BYTES_MAX + 1, later)
    assert budget.take(MAIN_BYTES_MAX, 0, later)
    assert budget.take_of_share(FRAME_WIRE_BYTES_MAX, later)
    assert not budget.take(1, 0, later)
    assert not budget.take_of_share(1, later)


def test_a_clock_that_stands_still_or_goes_back_gives_nothing() -> None:
    budget = LinkBudget(START)
    assert budget.take(MAIN_BYTES_MAX, 0, START)
    assert not budget.take(1, 0, START)
    assert not budget.take(1, 0, Monotonic(0))
    assert not budget.take(1, 0, START)
    assert budget.take(1, 0, Monotonic(START + 1))


def test_the_largest_frame_fits_also_with_the_room_that_bulk_leaves() -> None:
    assert wire_bytes(FRAME_BYTES_MAX) == FRAME_WIRE_BYTES_MAX == 68_878
    assert wire_bytes(57) == 57 + 30 + 72

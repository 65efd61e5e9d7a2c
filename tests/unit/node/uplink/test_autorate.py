"""The rate follows the line: little delay, much of it used, and no oscillation; on simulated lines and with any input."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.units import BOOT, BitsPerSecond, Microseconds
from node.uplink.autorate import (
    Autorate,
    Delay,
    Direction,
    Measurement,
    RateRange,
    begin,
    delay_limit_us,
    step,
)
from tests.unit.node.uplink.simulated_line import LINE, changing, dead, run, steady

WAYS: tuple[Direction, Direction] = ("down", "up")
MBIT = 1_000_000
rates = st.integers(0, 10**9).map(BitsPerSecond)
delays = st.integers(0, 10_000_000)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("carries", [2 * MBIT, 7 * MBIT, 15 * MBIT, 20 * MBIT])
def test_a_steady_line_is_used_without_a_queue(way: Direction, carries: int) -> None:
    found = run(steady(carries), way)
    assert found.delay_p50_ms < 2
    assert 1_000 * found.delay_p95_ms < 1.5 * delay_limit_us(BitsPerSecond(carries), 0)
    assert found.use_percent > 90


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("seed", range(5))
def test_a_line_that_changes_slowly(way: Direction, seed: int) -> None:
    found = run(changing(seed, 9_800_000, 18_200_000, every_s=5), way)
    assert found.delay_p50_ms < 5
    assert found.delay_p95_ms < 60
    assert found.use_percent > 88


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("seed", range(5))
def test_a_line_that_changes_each_second(way: Direction, seed: int) -> None:
    found = run(changing(seed, 5 * MBIT, 20 * MBIT, every_s=1), way)
    assert found.delay_p50_ms < 60
    assert found.use_percent > 73


@pytest.mark.parametrize("way", WAYS)
def test_it_does_not_oscillate_on_a_steady_line(way: Direction) -> None:
    """After the line is known, the rate stays within a tenth of it but for single corrections."""
    found = run(steady(12 * MBIT), way).rates[100:]
    assert sum(abs(rate - 12 * MBIT) > 1.5 * MBIT for rate in found) < len(found) // 20


@pytest.mark.parametrize("way", WAYS)
def test_an_outage_of_three_seconds_is_over_soon(way: Direction) -> None:
    found = run(dead(15 * MBIT, 30, 3), way).rates
    assert max(found[320:330]) < 2 * MBIT, "while nothing passes, little is sent"
    assert min(found[400:]) > 6 * MBIT


@pytest.mark.parametrize("way", WAYS)
def test_a_line_that_is_not_used_up_keeps_its_rate(way: Direction) -> None:
    """Nothing shows whether it could carry more."""
    found = run(steady(20 * MBIT), way, demand=steady(3 * MBIT))
    assert {LINE.stated} == set(found.rates)


@pytest.mark.parametrize("way", WAYS)
def test_a_fixed_rate_delays_where_this_does_not(way: Direction) -> None:
    """The comparison of `deploy/bench variable`, in small."""
    trace = changing(1, 9_800_000, 18_200_000, every_s=5)
    assert run(trace, way, fixed=17 * MBIT).delay_p50_ms > 20 * max(1.0, run(trace, way).delay_p50_ms)


def test_a_line_that_carries_more_than_stated_is_found_up_to_the_most() -> None:
    line = RateRange(BitsPerSecond(5 * MBIT), BitsPerSecond(MBIT), BitsPerSecond(12 * MBIT))
    assert run(steady(20 * MBIT), "up", line=line).rates[-1] == 12 * MBIT


@given(
    st.lists(
        st.tuples(rates, st.lists(delays, max_size=3), st.none() | delays, st.integers(0, 10**6)), max_size=60
    ),
    st.sampled_from(WAYS),
    st.tuples(st.integers(1, 10**9), st.integers(0, 10**9), st.integers(0, 10**9)),
)
def test_whatever_is_measured_the_rate_stays_between_least_and_most(
    seen: list[tuple[BitsPerSecond, list[int], int | None, int]], way: Direction, bounds: tuple[int, int, int]
) -> None:
    least, more, most = bounds
    line = RateRange(BitsPerSecond(least + more), BitsPerSecond(least), BitsPerSecond(least + more + most))
    state, now = begin(way, line), 0
    for carried, answers, late, later in seen:
        now += later
        measured = Measurement(
            carried,
            [Delay(Microseconds(now - each), each) for each in answers],
            None if late is None else Delay(Microseconds(now - late), late),
        )
        state = step(state, measured, line, Microseconds(now))
        assert line.least <= state.rate <= line.most


@given(rates, delays, delays)
def test_a_longer_delay_never_means_a_higher_rate(carried: BitsPerSecond, one: int, other: int) -> None:
    def after(delay: int) -> Autorate:
        seen = Measurement(carried, [Delay(BOOT, delay)])
        return step(begin("down", LINE), seen, LINE, Microseconds(100_000))

    shorter, longer = sorted((one, other))
    assert after(longer).rate <= after(shorter).rate


def test_noise_of_the_line_is_no_queue() -> None:
    """A link by radio whose empty round trips differ by 20 ms."""
    seen = Measurement(BitsPerSecond(19 * MBIT), [Delay(BOOT, 30_000)], noise_us=15_000)
    assert not step(begin("up", LINE), seen, LINE, Microseconds(100_000)).is_draining
    assert step(
        begin("up", LINE), Measurement(BitsPerSecond(19 * MBIT), seen.answered), LINE, Microseconds(100_000)
    ).is_draining


def test_a_slow_line_may_delay_by_some_of_its_frames() -> None:
    assert delay_limit_us(BitsPerSecond(1_000_000), 0) > 40_000 > delay_limit_us(BitsPerSecond(20_000_000), 0)


def seen_by(*measured: Measurement, way: Direction = "down") -> Autorate:
    state = begin(way, LINE)
    for number, each in enumerate(measured, 1):
        state = step(state, each, LINE, Microseconds(100_000 * number))
    return state


@pytest.mark.parametrize("way", WAYS)
def test_one_delayed_answer_while_little_of_the_rate_is_used_is_no_queue(way: Direction) -> None:
    """A link by radio delays a packet now and then; a second one in a row is a queue."""
    used = BitsPerSecond(5 * MBIT)
    late, soon = (Measurement(used, [Delay(BOOT, delay)]) for delay in (60_000, 1_000))
    assert LINE.stated == seen_by(late, soon, late, soon, way=way).rate
    assert seen_by(soon, late, late, way=way).rate < LINE.stated


@pytest.mark.parametrize("way", WAYS)
def test_a_delay_while_hardly_anything_passes_is_no_queue(way: Direction) -> None:
    idle = Measurement(BitsPerSecond(20_000), [Delay(BOOT, 200_000)])
    assert LINE.stated == seen_by(idle, idle, idle, way=way).rate


def test_a_rate_of_nothing_is_no_error() -> None:
    line = RateRange(BitsPerSecond(MBIT), BitsPerSecond(0), BitsPerSecond(2 * MBIT))
    state = begin("down", line)
    for number in range(1, 9):
        now = Microseconds(100_000 * number)
        state = step(state, Measurement(BitsPerSecond(0), [Delay(now, 10**12)]), line, now)
    assert 0 <= state.rate

"""Only what is longer than the shortest is a delay, whatever the far clock shows."""

from hypothesis import given
from hypothesis import strategies as st

from node.units import Microseconds
from node.uplink.queueing_delay import (
    DAY_US,
    NOTHING_SEEN,
    STAMP_US,
    TOLERANCE_US,
    WINDOW_US,
    WINDOWS,
    DelaySensor,
    QueueingDelay,
    RoundTrip,
    take,
)

times = st.integers(0, 2_000_000)


def stamped(sent: int, up: int, down: int, *, clock: int = 0, hold: int = 0) -> RoundTrip:
    """An answer whose packets took so long, from a host whose clock differs by `clock`."""
    received = sent + up
    left = received + hold
    stamps = [(at + clock) // 1_000 * 1_000 % DAY_US for at in (received, left)]
    return RoundTrip(Microseconds(sent), Microseconds(left + down), *stamps)


def after(trips: list[RoundTrip]) -> tuple[DelaySensor, list[QueueingDelay]]:
    sensor, found = NOTHING_SEEN, []
    for trip in trips:
        sensor, delay = take(sensor, trip, is_idle=False)
        found.append(delay)
    return sensor, found


@given(st.integers(-DAY_US, DAY_US), times, times)
def test_each_direction_is_told_apart_whatever_the_far_clock_shows(clock: int, up: int, down: int) -> None:
    trips = [stamped(0, 2_000, 2_000, clock=clock), stamped(200_000, 2_000 + up, 2_000 + down, clock=clock)]
    delay = after(trips)[1][-1]
    assert delay.is_by_direction
    assert abs(delay.up_us - up) <= TOLERANCE_US
    assert abs(delay.down_us - down) <= TOLERANCE_US


@given(st.integers(TOLERANCE_US + 2_000, DAY_US // 2 - 10_000_000), st.booleans(), times)
def test_a_clock_that_is_set_is_no_delay(jump: int, forwards: bool, queue: int) -> None:
    moved = jump if forwards else -jump
    trips = [stamped(n * 200_000, 2_000, 2_000) for n in range(5)]
    trips += [stamped(n * 200_000, 2_000, 2_000, clock=moved) for n in range(5, 8)]
    trips += [stamped(1_600_000, 2_000, 2_000 + queue, clock=moved)]
    *found, last = after(trips)[1]
    assert all(max(each.up_us, each.down_us) <= TOLERANCE_US for each in found)
    assert abs(last.down_us - queue) <= TOLERANCE_US
    assert last.up_us <= TOLERANCE_US


@given(
    st.lists(st.tuples(times, times, st.none() | st.tuples(st.integers(0, DAY_US), st.integers(0, DAY_US))))
)
def test_stamps_of_a_liar_never_make_a_delay_longer_than_its_round_trip(
    seen: list[tuple[int, int, tuple[int, int] | None]],
) -> None:
    sensor, at = NOTHING_SEEN, 0
    for later, took, stamps in seen:
        at += later
        trip = RoundTrip(Microseconds(at), Microseconds(at + took), *(stamps or (None, None)))
        sensor, delay = take(sensor, trip, is_idle=False)
        longest = took - sensor.round_trip.value_us
        assert 0 <= delay.up_us <= longest + TOLERANCE_US
        assert 0 <= delay.down_us <= longest + TOLERANCE_US


def test_an_answer_without_stamps_is_of_both_directions() -> None:
    trips = [
        RoundTrip(Microseconds(0), Microseconds(4_000)),
        RoundTrip(Microseconds(9), Microseconds(44_009)),
    ]
    assert after(trips)[1][-1] == QueueingDelay(Microseconds(9), 40_000, 40_000, is_by_direction=False)


def test_the_shortest_is_forgotten_after_a_minute() -> None:
    """The route has become longer: that is no queue."""
    step = 200_000
    trips = [stamped(n * step, 2_000, 2_000) for n in range(10)]
    trips += [stamped(n * step, 12_000, 12_000) for n in range(10, 10 + (WINDOWS + 1) * WINDOW_US // step)]
    found = after(trips)[1]
    assert found[10].up_us >= 9_000
    assert found[-1].up_us == found[-1].down_us == 0


def test_noise_is_what_delays_differ_by_while_the_line_is_idle() -> None:
    sensor = NOTHING_SEEN
    for n in range(200):
        sensor, _ = take(sensor, stamped(n * 200_000, 2_000 + n % 2 * 8_000, 2_000), is_idle=True)
    assert 2_000 < sensor.noise_us < 8_000
    for n in range(200, 400):
        sensor, _ = take(sensor, stamped(n * 200_000, 900_000, 2_000), is_idle=False)
    assert sensor.noise_us < 8_000


def test_while_a_queue_stands_the_shortest_stays_and_the_far_clock_may_drift() -> None:
    """Two hours of 50 millionths are 360 ms in each direction."""
    step = 200_000
    sensor = after([stamped(n * step, 2_000, 2_000) for n in range(10)])[0]
    for n in range(10, 36_000, 5):
        late = stamped(n * step, 2_000, 102_000, clock=n * step * 50 // 1_000_000)
        sensor, delay = take(sensor, late, is_idle=False, standing=("down",))
        assert abs(delay.down_us - 100_000) <= TOLERANCE_US + STAMP_US
        assert delay.up_us <= TOLERANCE_US + STAMP_US

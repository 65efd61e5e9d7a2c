"""What the line is known to carry in each second, beside what it really carried."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.units import BitsPerSecond, Microseconds
from node.uplink.autorate import Autorate, Direction, RateRange
from node.uplink.capacity_log import ENOUGH_S, NOTHING_LOGGED, CapacityLog, bucket_of, counted, edge_of
from node.uplink.known_capacity import SECOND_STEPS, UNKNOWN_CAPACITY, KnownCapacity, follow
from node.uplink.line import KNOWN_US
from tests.unit.node.uplink.simulated_line import LINE, Trace, changing, run, steady

TODAY = date(2026, 11, 24)
WAYS: tuple[Direction, ...] = ("down", "up")
GREEDY = steady(10**9)


def outages(at: float) -> int:
    """For a second and a half of each 150 nothing passes."""
    return 1_000 if at % 150 < 1.5 and at > 10 else 12_000_000


def downloads(at: float) -> int:
    """One minute of five; otherwise a third of the line is used."""
    return 10**9 if at % 300 < 60 else 4_000_000


def seconds_of(
    trace: Trace, direction: Direction, demand: Trace, line: RateRange = LINE, seconds: float = 400
) -> list[BitsPerSecond]:
    """What was known, in each second in which it was."""
    known, found, steps = UNKNOWN_CAPACITY, list[BitsPerSecond](), 0

    def look(state: Autorate, now: Microseconds) -> None:
        nonlocal known, steps
        steps += 1
        if steps % SECOND_STEPS == 0:
            known = follow(known, state, now)
            found.extend(() if known.now is None else (known.now,))

    run(trace, direction, demand=demand, line=line, seconds=seconds, look=look)
    return found


def slowest_tenth(rates: list[int]) -> int:
    return sorted(rates)[len(rates) // 10]


@pytest.mark.parametrize("direction", WAYS)
@pytest.mark.parametrize(
    ("trace", "demand"),
    [
        (steady(12_000_000), GREEDY),
        (changing(1, 3_000_000, 20_000_000, every_s=30), GREEDY),
        (lambda at: 3_000_000 if at % 200 < 30 else 12_000_000, GREEDY),
        (lambda at: 3_000_000 if at % 200 < 10 else 12_000_000, GREEDY),
        (outages, GREEDY),
        (outages, downloads),
    ],
    ids=["steady", "changing", "slow at times", "seldom slow", "outages", "outages with little traffic"],
)
def test_the_slowest_tenth_is_that_of_the_line(trace: Trace, demand: Trace, direction: Direction) -> None:
    known = seconds_of(trace, direction, demand)
    truth = slowest_tenth([trace(at) for at in range(400)])
    assert len(known) > 350
    assert 0.93 * truth < slowest_tenth([*known]) <= 1.01 * truth


@pytest.mark.parametrize("direction", WAYS)
def test_a_line_that_carries_less_than_the_rules_say_is_known_to(direction: Direction) -> None:
    least = BitsPerSecond(8_000_000)
    line = RateRange(BitsPerSecond(20_000_000), least, BitsPerSecond(20_000_000))
    short = steady(5_000_000)
    known = seconds_of(short, direction, lambda at: 10**9 if at % 20 < 4 else 300_000, line)
    assert max(known) < least
    assert 4_500_000 < sorted(known)[len(known) // 2] <= 5_300_000


def state(
    capacity: int, found: int, *carried: int, draining: bool = False, longest_us: int = 20_000
) -> Autorate:
    rate = BitsPerSecond(capacity)
    steps = tuple((Microseconds(0), BitsPerSecond(each)) for each in carried or (0,))
    return Autorate(
        "down",
        rate,
        capacity=rate,
        unclipped=rate,
        found=Microseconds(found),
        is_draining=draining,
        longest_us=longest_us,
        recent=steps,
    )


def after(*seen: tuple[Autorate, int]) -> KnownCapacity:
    known = UNKNOWN_CAPACITY
    for each, now in seen:
        known = follow(known, each, Microseconds(now))
    return known


SECOND = 1_000_000


def test_before_a_queue_nothing_is_known() -> None:
    assert None is after((Autorate("down", BitsPerSecond(5)), SECOND)).now


def test_what_passed_without_a_queue_since_then_is_carried_too() -> None:
    calm = state(5_000_000, SECOND, *[7_000_000] * SECOND_STEPS)
    queue = (state(5_000_000, SECOND, draining=True), 2 * SECOND)
    assert 5_000_000 == after(queue, (calm, 3 * SECOND)).now, "there was a queue in this second"
    assert 7_000_000 == after(queue, (calm, 3 * SECOND), (calm, 4 * SECOND)).now
    idle = state(5_000_000, SECOND)
    assert 7_000_000 == after(queue, (calm, 3 * SECOND), (calm, 4 * SECOND), (idle, 5 * SECOND)).now
    slower = state(4_000_000, 5 * SECOND)
    assert 4_000_000 == after(queue, (calm, 3 * SECOND), (calm, 4 * SECOND), (slower, 6 * SECOND)).now


def test_ten_minutes_after_a_queue_nothing_is_known() -> None:
    idle = state(5_000_000, SECOND)
    known = after((idle, 2 * SECOND), (idle, SECOND + KNOWN_US - 1))
    assert 5_000_000 == known.now
    assert None is follow(known, idle, Microseconds(SECOND + KNOWN_US)).now


def test_an_outage_counts_while_it_lasts() -> None:
    before, outage = (
        state(5_000_000, SECOND),
        state(1_000, 9 * SECOND, draining=True, longest_us=1_500_000),
    )
    drained = state(1_000, 9 * SECOND, longest_us=1_500_000)
    known = after((before, 2 * SECOND), (outage, 10 * SECOND))
    assert 1_000 == known.now
    assert 5_000_000 == follow(known, drained, Microseconds(11 * SECOND)).now
    assert None is after((outage, 10 * SECOND), (drained, 11 * SECOND)).now, "nothing was known before it"


@given(st.lists(st.tuples(st.integers(1, 10**9), st.integers(1, 100), st.booleans()), min_size=1))
def test_a_second_is_known_only_from_a_queue_that_was_seen(seen: list[tuple[int, int, bool]]) -> None:
    known, log = UNKNOWN_CAPACITY, CapacityLog(NOTHING_LOGGED.days)
    for number, (rate, found, draining) in enumerate(seen):
        now = Microseconds((number + 101) * SECOND)
        known = follow(known, state(rate, found * SECOND, rate // 2, draining=draining), now)
        assert known.now is not None
        assert known.now >= min(each for each, *_ in seen)
        assert known.now <= max(each for each, *_ in seen)
        log = counted(log, TODAY, {"down": known.now})
        assert log.days[TODAY].down[bucket_of(known.now)]
        assert edge_of(bucket_of(known.now)) <= known.now
    assert len(seen) == sum(log.days[TODAY].down.values()) <= ENOUGH_S

"""What is known of the line, and that it goes back to the stated rate where nothing can be known."""

from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.units import NO_RATES, BitsPerSecond, Microseconds, Rates
from node.uplink.autorate import UplinkRange
from node.uplink.line import (
    BLIND_US,
    BUSY_PACE_US,
    FIRST_PACE_US,
    IDLE_PACE_US,
    SILENT_US,
    URGENT_PACE_US,
    LineState,
    Sample,
    begin,
    step,
)
from node.uplink.queueing_delay import RoundTrip
from tests.unit.node.uplink.simulated_line import Direction, steady, watched


def both(rate: int) -> Rates:
    return Rates(BitsPerSecond(rate), BitsPerSecond(rate))


RANGE = UplinkRange(stated=both(17_000_000), least=both(1_000_000), most=both(20_000_000))
STEP_US, BASE_US = 100_000, 4_000
BUSY = both(17_000_000)


def trip(now: int, *, down_us: int = 0, up_us: int = 0, clock: int = 0, is_stamped: bool = True) -> RoundTrip:
    """Received at `now`."""
    sent = now - BASE_US - down_us - up_us
    far = sent + BASE_US // 2 + up_us + clock
    stamps = (far, far) if is_stamped else (None, None)
    return RoundTrip(Microseconds(sent), Microseconds(now), *stamps)


def after(
    seconds: float, seen: Callable[[int], Sample], state: LineState | None = None, begins: int = 0
) -> Iterable[LineState]:
    state = state or begin(RANGE, Microseconds(begins))
    for now in range(begins + STEP_US, begins + int(seconds * 1e6) + 1, STEP_US):
        state = step(state, seen(now), RANGE, Microseconds(now))
        yield state


def answered(
    carried: Rates, *, down_us: int = 0, up_us: int = 0, is_stamped: bool = True
) -> Callable[[int], Sample]:
    return lambda now: Sample(carried, [trip(now, down_us=down_us, up_us=up_us, is_stamped=is_stamped)])


def last(states: Iterable[LineState]) -> LineState:
    *_, state = states
    return state


def test_at_first_the_stated_rate_is_a_guess() -> None:
    state = begin(RANGE, Microseconds(0))
    assert RANGE.stated == state.rates
    assert "guess" == last(after(5, answered(NO_RATES))).knowledge


def test_a_queue_of_one_direction_lowers_that_rate_and_makes_it_known() -> None:
    calm = last(after(2, answered(BUSY)))
    state = last(after(0.2, answered(both(8_000_000), down_us=80_000), calm, 2_000_000))
    assert state.rates.down < 10_000_000
    assert state.rates.up >= RANGE.stated.up
    assert "known" == state.knowledge


@pytest.mark.parametrize(("carried", "falls"), [(Rates(BUSY.down, BitsPerSecond(0)), "down"), (BUSY, "both")])
def test_a_delay_without_a_direction_is_put_down_to_those_that_are_used(carried: Rates, falls: str) -> None:
    calm = last(after(2, answered(carried, is_stamped=False)))
    state = last(after(0.1, answered(carried, up_us=200_000, is_stamped=False), calm, 2_000_000))
    assert state.rates.down < calm.rates.down
    assert (state.rates.up < calm.rates.up) == (falls == "both")


def test_without_answers_while_traffic_arrives_it_is_blind_and_back_at_the_stated_rate_within_ten_seconds() -> (
    None
):
    slow = last(
        after(3, answered(both(3_000_000), down_us=90_000), last(after(2, answered(BUSY))), 2_000_000)
    )
    assert slow.rates.down < RANGE.stated.down
    states = list(after(10, lambda _now: Sample(both(3_000_000)), slow, 5_000_000))
    assert "blind" == states[-1].knowledge
    assert RANGE.stated == states[-1].rates


def test_without_answers_and_without_traffic_nothing_is_known_to_be_wrong() -> None:
    """Nothing shows whether probes are filtered or the line is dead."""
    states = list(after(60, lambda _now: Sample(NO_RATES)))
    assert {"guess"} == {state.knowledge for state in states}
    assert {RANGE.stated} == {state.rates for state in states}


def test_a_delay_that_does_not_fall_at_the_least_rate_is_a_blind_signal() -> None:
    """Somebody else fills the line, or the far end answers late on purpose."""
    calm = last(after(2, answered(BUSY)))
    states = list(after(12, answered(both(2_000_000), down_us=400_000, up_us=400_000), calm, 2_000_000))
    assert any(state.rates.down < RANGE.stated.down // 8 for state in states)
    assert "blind" == states[-1].knowledge
    assert RANGE.stated == states[-1].rates


def test_a_blind_sensor_is_trusted_again_when_its_delays_are_short() -> None:
    blind = last(after(10, lambda _now: Sample(BUSY)))
    assert "blind" == blind.knowledge
    states = list(after(7, answered(BUSY), blind, 10_000_000))
    assert "guess" == states[-1].knowledge
    assert all(state.knowledge == "blind" for state in states[: (BLIND_US // 2) // STEP_US])


def test_a_blind_sensor_is_tried_again_after_a_minute() -> None:
    calm = last(after(2, answered(BUSY)))
    late = answered(both(2_000_000), down_us=400_000, up_us=400_000)
    blind = last(after(12, late, calm, 2_000_000))
    found = [state.knowledge for state in after(80, late, blind, 14_000_000)]
    assert {"blind", "guess"} == set(found)


def test_a_clock_that_is_set_changes_no_rate() -> None:
    calm = last(after(2, answered(BUSY)))

    def jumped(now: int) -> Sample:
        return Sample(BUSY, [trip(now, clock=7_000_000)])

    assert all(state.rates.down >= calm.rates.down for state in after(3, jumped, calm, 2_000_000))


def test_the_next_target_is_tried_when_one_is_silent() -> None:
    """One probe may be on its way before the silence begins."""
    silent_s = (FIRST_PACE_US + SILENT_US) / 1e6 + 0.2
    silent = last(after(silent_s, lambda _now: Sample(NO_RATES, targets=3)))
    assert 1 == silent.target
    again = last(after(2 * silent_s, lambda _now: Sample(NO_RATES, targets=3), silent, round(silent_s * 1e6)))
    assert 0 == again.target
    assert 0 == last(after(60, lambda _now: Sample(NO_RATES))).target


def test_while_the_line_is_idle_few_probes_are_sent() -> None:
    """Some hosts pay for what they send; a queue builds up only in a line that is used."""
    idle = last(after(5, answered(NO_RATES)))
    assert IDLE_PACE_US == idle.pace_us
    states = list(
        after(
            120, lambda now: Sample(NO_RATES, [trip(now)] if now % IDLE_PACE_US == 0 else []), idle, 5_000_000
        )
    )
    assert {("guess", 0)} == {(state.knowledge, state.target) for state in states}
    used = last(after(0.2, answered(BUSY), states[-1], 125_000_000))
    assert BUSY_PACE_US == used.pace_us


def test_a_late_probe_counts_before_it_is_answered() -> None:
    calm = last(after(2, answered(BUSY)))
    sent = Microseconds(2_000_000)
    state = last(after(0.4, lambda _now: Sample(BUSY, unanswered=sent), calm, 2_000_000))
    assert state.rates.down < calm.rates.down


def test_after_an_outage_the_target_that_was_answered_before_is_probed_again() -> None:
    """Else a short outage would end the times by direction, which only the first kind of probe tells."""

    def seen(now: int) -> Sample:
        return Sample(NO_RATES, [trip(now)], targets=3)

    silent = last(
        after(
            (IDLE_PACE_US + SILENT_US) / 1e6 + 0.2,
            lambda _now: Sample(NO_RATES, targets=3),
            last(after(2, seen)),
            2_000_000,
        )
    )
    assert 1 == silent.target
    assert 0 == last(after(1, seen, silent, 15_200_000)).target


def test_a_target_that_is_not_answered_any_more_is_not_preferred() -> None:
    state = last(after(2, lambda now: Sample(NO_RATES, [trip(now)], targets=2)))
    for now in range(2_100_000, 40_000_000, STEP_US):
        answers = [trip(now)] if state.target == 1 else []
        state = step(state, Sample(NO_RATES, answers, targets=2), RANGE, Microseconds(now))
    assert (1, 1) == (state.target, state.preferred)


def test_after_a_sleep_of_this_computer_it_is_not_blind() -> None:
    calm = last(after(2, answered(BUSY)))
    slept = 3_600_000_000
    states = list(after(2, lambda _now: Sample(BUSY, targets=2), calm, slept))
    assert {"guess"} == {state.knowledge for state in states}
    assert {0} == {state.target for state in states}


def test_another_next_hop_that_is_farther_away_is_no_queue() -> None:
    def seen(probed: str, delay: int) -> Callable[[int], Sample]:
        return lambda now: Sample(BUSY, [trip(now, down_us=delay)], probed=probed)

    calm = last(after(2, seen("near", 0)))
    assert all(
        state.rates.down >= calm.rates.down for state in after(3, seen("far", 90_000), calm, 2_000_000)
    )


def test_an_answer_that_is_delayed_while_the_line_is_idle_is_looked_into_soon() -> None:
    calm = last(after(2, answered(NO_RATES)))
    assert IDLE_PACE_US == calm.pace_us
    states = list(after(0.2, answered(NO_RATES, down_us=5_000_000), calm, 2_000_000))
    assert URGENT_PACE_US == states[-1].pace_us


samples = st.builds(
    lambda down, up, waits: (Rates(BitsPerSecond(down), BitsPerSecond(up)), waits),
    st.integers(0, 10**9),
    st.integers(0, 10**9),
    st.none() | st.tuples(st.integers(0, 3_000_000), st.integers(0, 3_000_000), st.integers(-(10**9), 10**9)),
)


@given(st.lists(samples, max_size=150))
def test_whatever_is_seen_the_rates_stay_between_least_and_most(
    seen: list[tuple[Rates, tuple[int, int, int] | None]],
) -> None:
    state, now = begin(RANGE, Microseconds(0)), 0
    for carried, delay in seen:
        now += STEP_US
        answers = [] if delay is None else [trip(now, down_us=delay[0], up_us=delay[1], clock=delay[2])]
        state = step(state, Sample(carried, answers), RANGE, Microseconds(now))
        assert RANGE.least.down <= state.rates.down <= RANGE.most.down
        assert RANGE.least.up <= state.rates.up <= RANGE.most.up
        assert state.knowledge != "blind" or state.rates == RANGE.stated


def test_a_probe_that_is_late_is_followed_by_the_next_at_once() -> None:
    calm = last(after(2, answered(BUSY)))
    assert URGENT_PACE_US < calm.pace_us
    sent = Microseconds(2_000_000)
    state = last(after(0.2, lambda _now: Sample(BUSY, oldest=sent), calm, 2_000_000))
    assert URGENT_PACE_US == state.pace_us
    assert calm.rates.down <= state.rates.down, "one may be lost"


MBIT = 1_000_000
SLOW_US = 50_000
"""So long packets wait, and longer, when the line carries less than the rules state; as in `uplink_rate_control`."""


def waits(found: list[tuple[float, LineState]], begins: float, ends: float) -> list[bool]:
    return [
        state.waits_since is not None and state.waits_us >= SLOW_US
        for at, state in found
        if begins <= at < ends
    ]


@pytest.mark.parametrize("direction", ["down", "up"])
@pytest.mark.parametrize(
    "carries", [*(pytest.param(each * MBIT, marks=pytest.mark.thorough) for each in (18, 12)), 4 * MBIT]
)
@pytest.mark.parametrize("is_stamped", [True, False])
def test_a_queue_that_stands_for_minutes_stays_known(
    direction: Direction, carries: int, is_stamped: bool
) -> None:
    """The line carries less than is stated, down to a fifth of it, and is full all the time."""
    found = watched(
        steady(carries),
        direction,
        stated=20 * MBIT,
        seconds=300,
        demand=lambda at: 10**9 if at > 5 else 100_000,
        queue_s=0.25,
        is_stamped=is_stamped,
    )
    assert all(waits(found, 15, 300))
    ways = (found[-1][1].down, found[-1][1].up)
    late = [way.last.delay_us for way in ways if way.direction == direction]
    assert 240_000 <= late[0] <= 256_000
    if is_stamped:
        assert all(way.last.delay_us < SLOW_US for way in ways if way.direction != direction)


def test_a_queue_that_is_empty_now_and_then_is_known_again_each_time() -> None:
    def by_turns(at: float) -> int:
        return 10**9 if 5 < at % 100 < 80 else 100_000

    found = watched(steady(12 * MBIT), "down", stated=20 * MBIT, seconds=300, demand=by_turns, queue_s=0.25)
    for begins in (0, 100, 200):
        assert all(waits(found, begins + 15, begins + 80))
        assert not any(waits(found, begins + 85, begins + 100))


@pytest.mark.parametrize(
    "demand",
    [
        steady(0),
        steady(3 * MBIT),
        lambda at: (14 if at % 20 < 15 else 1) * MBIT,
        lambda at: round((1 + at % 7) * MBIT),
    ],
    ids=["idle", "a little", "much with a lull", "varies"],
)
@pytest.mark.parametrize("is_stamped", [True, False])
def test_a_path_that_becomes_longer_is_learnt_within_two_minutes(
    demand: Callable[[float], int], is_stamped: bool
) -> None:
    """Nothing waits in the line, whatever passes it."""
    found = watched(
        steady(20 * MBIT),
        "down",
        stated=17 * MBIT,
        seconds=240,
        demand=demand,
        longer_s=lambda at: 0.2 if at > 60 else 0.0,
        is_stamped=is_stamped,
    )
    assert not any(waits(found, 0, 60))
    assert not any(waits(found, 180, 240))
    assert max(found[-1][1].down.last.delay_us, found[-1][1].up.last.delay_us) < SLOW_US


def test_a_path_that_becomes_longer_on_a_line_that_is_used_up_is_learnt_at_the_next_lull() -> None:
    """Until then nothing distinguishes it from a queue."""
    found = watched(
        steady(20 * MBIT),
        "down",
        stated=17 * MBIT,
        seconds=400,
        demand=lambda at: 10**9 if at < 200 else 100_000,
        longer_s=lambda at: 0.2 if at > 60 else 0.0,
    )
    assert all(waits(found, 70, 200))
    assert not any(waits(found, 205, 400)), "what is as late after a lull does not wait"
    assert found[-1][1].queue is None


@pytest.mark.parametrize("begins", [20 + turn / 50 for turn in range(12)])
@pytest.mark.parametrize("is_stamped", [True, False])
def test_a_full_line_that_suddenly_carries_next_to_nothing_is_followed_at_once(
    begins: float, is_stamped: bool
) -> None:
    """Three in a hundred of what it carried, whenever the last probe was answered: that is full, not idle."""
    found = watched(
        lambda at: 25 * MBIT if at < begins else 700_000,
        "down",
        stated=21 * MBIT,
        least=512_000,
        most=25 * MBIT,
        seconds=30,
        queue_s=0.5,
        is_stamped=is_stamped,
    )
    assert all(state.rates.down > 20 * MBIT for at, state in found if 5 < at < begins)
    assert all(state.rates.down < MBIT for at, state in found if at > begins + 1.5)
    assert {"known"} == {state.knowledge for at, state in found if at > begins + 1.5}
    assert {0} == {state.target for _, state in found}


def test_an_idle_line_that_became_slow_is_noticed_when_it_is_used() -> None:
    """What arrives then is little of its rate. The first probe is late, and its target is kept."""
    found = watched(
        lambda at: 25 * MBIT if at < 25 else 700_000,
        "down",
        stated=21 * MBIT,
        least=512_000,
        most=25 * MBIT,
        seconds=90,
        demand=lambda at: 10**9 if at > 33 else 0,
        queue_s=0.5,
    )
    assert all(state.rates.down < MBIT for at, state in found if at > 33 + IDLE_PACE_US / 1e6 + 2)
    assert {0} == {state.target for _, state in found}

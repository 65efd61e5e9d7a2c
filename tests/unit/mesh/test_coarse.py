"""Coarse values: near the measured ones, and calm."""

from hypothesis import given
from hypothesis import strategies as st

from mesh.coarse import (
    LOAD_STEP_PERCENT,
    LOSS_STEPS_PERCENT,
    ROUND_TRIP_STEPS_MS,
    WINDOW_SEGMENTS,
    LossMeter,
    coarse_load_percent,
    coarse_loss_percent,
    coarse_round_trip_ms,
)


@given(st.floats(0.5, 50_000), st.none() | st.sampled_from(ROUND_TRIP_STEPS_MS))
def test_a_round_trip_is_a_step_within_a_factor_of_two_and_then_stays(
    measured_ms: float, before: int | None
) -> None:
    said = coarse_round_trip_ms(measured_ms, before)
    assert said in ROUND_TRIP_STEPS_MS
    assert measured_ms / 2 <= said <= measured_ms * 2
    assert said == coarse_round_trip_ms(measured_ms, said)


@given(st.integers(20, 50), st.lists(st.floats(0.75, 1.3), max_size=20))
def test_a_round_trip_that_wavers_by_a_third_moves_once_at_most(middle_ms: int, factors: list[float]) -> None:
    said = [coarse_round_trip_ms(middle_ms, None)]
    for factor in factors:
        said.append(coarse_round_trip_ms(middle_ms * factor, said[-1]))
    assert len(set(said)) <= 2


@given(st.floats(0, 100), st.none() | st.sampled_from(LOSS_STEPS_PERCENT))
def test_loss_is_a_step_and_none_is_said_only_below_one_percent(measured: float, before: int | None) -> None:
    said = coarse_loss_percent(measured, before)
    assert said in LOSS_STEPS_PERCENT
    assert said or measured < 1
    assert abs(said - measured) <= max(1, measured)


@given(st.floats(0, 5_000), st.none() | st.integers(0, 40).map(lambda each: each * LOAD_STEP_PERCENT))
def test_load_is_a_quarter_near_the_measured_one_and_never_above_the_most(
    measured: float, before: int | None
) -> None:
    said = coarse_load_percent(measured, before, 1_000)
    assert 0 <= said <= 1_000
    assert 0 == said % LOAD_STEP_PERCENT
    assert measured > 1_000 or abs(said - measured) <= LOAD_STEP_PERCENT


def test_loss_is_that_of_the_last_whole_window() -> None:
    meter = LossMeter()
    assert meter.note(WINDOW_SEGMENTS - 1, 3) is None
    assert 4 == meter.note(WINDOW_SEGMENTS, 4)
    assert 4 == meter.note(WINDOW_SEGMENTS + 5, 9)
    assert 50 == meter.note(2 * WINDOW_SEGMENTS, 54)
    assert 0 == meter.note(3 * WINDOW_SEGMENTS, 54)

"""Moments along a window, also when clocks change."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from node.plots.time_scale import TimeScale, civil, local, midnight

MADRID = ZoneInfo("Europe/Madrid")
OCTOBER = midnight(datetime(2026, 10, 24).date(), MADRID)


def test_steps_of_a_day_are_civil_days() -> None:
    scale = TimeScale(int(OCTOBER.timestamp()), 86_400, 3, MADRID)
    assert [24, 25, 26, 27] == [scale.begin_of(step).day for step in range(4)]
    assert {0} == {scale.begin_of(step).hour for step in range(4)}
    assert timedelta(hours=73) == scale.end.astimezone(UTC) - scale.begin.astimezone(UTC)
    assert scale.share(scale.begin_of(2)) == 2 / 3


def test_other_steps_are_as_long_as_they_say() -> None:
    scale = TimeScale(int(OCTOBER.timestamp()), 3600, 49, MADRID)
    assert [2, 2, 3] == [scale.begin_of(step).hour for step in (26, 27, 28)]
    assert scale.length_s == 49 * 3600


@given(st.integers(0, 4_102_444_800), st.sampled_from([10, 300, 3600, 86_400]), st.integers(1, 1095))
def test_shares_go_from_zero_to_one(begin_s, step_s, steps) -> None:
    scale = TimeScale(begin_s, step_s, steps, MADRID)
    shares = [scale.share(scale.begin_of(step)) for step in (0, steps // 2, steps)]
    assert sorted(shares) == shares
    assert all(-1e-9 <= each <= 1 + 1e-9 for each in shares)


def test_without_a_zone_it_is_that_of_the_machine() -> None:
    at = local(0, None)
    assert at == datetime(1970, 1, 1, tzinfo=UTC)
    assert civil(at.date(), 60, None) - midnight(at.date(), None) == timedelta(hours=1)
    assert civil(at.date(), 0, None).tzinfo is not None

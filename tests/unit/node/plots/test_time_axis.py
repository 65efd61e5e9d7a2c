"""Marks of the time axis: round times, few enough for their texts."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.plots.time_axis import NARROW_MAX, WIDE_MAX, TimeMark, day_text, month_text, time_marks
from node.plots.time_scale import TimeScale, time_scale
from node.translator import ENGLISH
from tests.fakes.history_windows import village_window


@pytest.mark.parametrize(
    ("period", "texts"),
    [
        ("hour", ["20:00", "20:15", "20:30", "20:45"]),
        ("day", ["28 Nov", "06:00", "12:00", "18:00"]),
        ("month", ["2 Nov", "9 Nov", "16 Nov", "23 Nov"]),
        ("years", ["2024", "2025", "2026"]),
    ],
)
def test_marks_are_at_round_times(period, texts) -> None:
    marks = time_marks(time_scale(village_window(period), UTC), ENGLISH)
    assert texts == [each.text for each in marks if not each.is_wide]


@given(
    st.integers(0, 4_102_444_800),
    st.sampled_from([10, 300, 3600, 86_400]),
    st.integers(1, 4032),
    st.sampled_from([UTC, ZoneInfo("America/Sao_Paulo"), ZoneInfo("Asia/Kathmandu")]),
)
def test_there_are_never_more_than_there_is_room_for(begin_s, step_s, steps, zone) -> None:
    marks = time_marks(TimeScale(begin_s, step_s, steps, zone), ENGLISH)
    assert len(marks) <= WIDE_MAX + 1
    assert sum(not each.is_wide for each in marks) <= NARROW_MAX + 1
    shares = [each.share for each in marks]
    assert shares == sorted(shares)
    assert all(0 <= each <= 1 for each in shares)


def test_a_text_at_an_end_is_not_cut_off() -> None:
    assert ["start", "middle", "end"] == [TimeMark(each, "", is_wide=False).anchor for each in (0, 0.5, 0.99)]


def test_days_and_months_in_short() -> None:
    day = datetime(2026, 11, 3, tzinfo=UTC).date()
    assert ("3 Nov", "Nov 2026") == (day_text(day, ENGLISH), month_text(day, ENGLISH))

"""Weekly times: parsing, meaning, and the text that they produce."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.governance.times import (
    MINUTES_PER_WEEK,
    Times,
    days_text,
    minute_of_week,
    parse_times,
    to_text,
)

DAY = st.sampled_from(["daily", "mon", "sun", "mon-fri", "sat,sun", "fri-mon", "tue,thu"])
CLOCK = st.integers(0, 1439)


@st.composite
def part(draw) -> str:
    start = draw(CLOCK)
    end = draw(st.integers(1, 1440).filter(lambda end: end != start))
    return f"{draw(DAY)} {start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}"


@given(st.lists(part(), min_size=1, max_size=4))
def test_the_text_of_times_parses_to_the_same_times(parts):
    times = parse_times("; ".join(parts))
    assert times == parse_times(to_text(times))


@given(st.lists(part(), min_size=1, max_size=4), st.integers(0, MINUTES_PER_WEEK - 1))
def test_times_change_exactly_when_they_announce(parts, minute):
    times = parse_times("; ".join(parts))
    left = times.minutes_left(minute)
    if left is None:
        assert to_text(times) == "daily 00:00-24:00"
        return
    states = {times.holds((minute + step) % MINUTES_PER_WEEK) for step in range(left)}
    assert states == {times.holds(minute)}
    assert times.holds((minute + left) % MINUTES_PER_WEEK) != times.holds(minute)


@given(part(), part())
def test_a_list_of_times_holds_when_any_of_them_holds(one, other):
    both, first, second = parse_times(f"{one};{other}"), parse_times(one), parse_times(other)
    for minute in range(0, MINUTES_PER_WEEK, 97):
        assert both.holds(minute) == (first.holds(minute) or second.holds(minute))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("daily 18:00-23:00", "daily 18:00-23:00"),
        ("mon-fri 08:00-16:00", "mon-fri 08:00-16:00"),
        ("sat,sun 10:00-14:00;  Mon 08:00 - 09:00", "mon 08:00-09:00; sat,sun 10:00-14:00"),
        ("daily 22:00-06:00", "daily 22:00-06:00"),
        ("daily 00:00-06:00; daily 22:00-24:00", "daily 22:00-06:00"),
        ("mon-wed 00:00-12:00; daily 12:00-24:00", "mon-wed 00:00-24:00; thu-sun 12:00-24:00"),
        ("daily 00:00-24:00", "daily 00:00-24:00"),
        ("sun 22:00-02:00", "sun 22:00-02:00"),
    ],
)
def test_times_are_written_in_the_shortest_usual_form(text, expected):
    assert expected == to_text(parse_times(text))


def test_a_night_that_crosses_midnight_belongs_to_the_day_it_begins():
    night = parse_times("fri 22:00-02:00")
    assert night.holds(4 * 1440 + 22 * 60)
    assert night.holds(5 * 1440 + 119)
    assert not night.holds(5 * 1440 + 120)
    assert not night.holds(4 * 1440)


def test_sunday_night_runs_into_monday_morning():
    assert Times(((0, 120), (6 * 1440 + 1320, 7 * 1440))) == parse_times("sun 22:00-02:00")
    assert frozenset({120, 6 * 1440 + 1320}) == parse_times("sun 22:00-02:00").boundaries()


@pytest.mark.parametrize(
    "text",
    ["", "18:00-23:00", "daily", "daily 18-23", "weekdays 08:00-16:00", "mon-fri-sat 08:00-09:00",
     "daily 25:00-26:00", "daily 08:00-08:00", "daily 24:00-08:00", "daily 08:60-09:00", "mon- 08:00-09:00",
     "daily 08:00-16:00;", "x" * 500, "daily ٠٨:00-16:00"],
)  # fmt: skip
def test_an_invalid_weekly_time_is_refused_with_what_to_write(text):
    with pytest.raises(ValueError, match="write "):
        parse_times(text)


def test_the_minute_of_the_week_begins_on_monday():
    assert 4 * 1440 + 21 * 60 + 5 == minute_of_week(datetime(2026, 6, 5, 21, 5, 59, tzinfo=UTC))


def test_days_have_their_usual_names():
    assert "daily" == days_text(set(range(7)))
    assert "mon-wed,fri,sat" == days_text({0, 1, 2, 4, 5})

"""Weekly times: parsing, meaning, and the text that they produce."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.governance.times import (
    EPOCH,
    MINUTES_PER_WEEK,
    DecisionTerm,
    NamedDays,
    Times,
    civil_minute,
    day_of,
    days_text,
    midnight_of,
    months_after,
    parse_day,
    parse_day_range,
    parse_end,
    parse_times,
    to_text,
)
from tests.examples import examples

DAY = st.sampled_from(["daily", "mon", "sun", "mon-fri", "sat,sun", "fri-mon", "tue,thu"])
CLOCK = st.integers(0, 1439)
HOLIDAYS = NamedDays(
    "holidays", ((date(2026, 12, 25), date(2026, 12, 25)), (date(2026, 12, 31), date(2027, 1, 6)))
)
BRIDGE = NamedDays("bridge-days", ((date(2027, 1, 8), date(2027, 1, 8)),))
CALENDAR = {days.name: days for days in (HOLIDAYS, BRIDGE)}
EXCEPT = st.sampled_from(["", " except holidays", " except holidays,bridge-days", " except bridge-days"])


def hour(text: str) -> int:
    """The civil minute of an ISO date and time."""
    return civil_minute(datetime.fromisoformat(text))


WINTER = hour("2026-12-20 00:00")


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


def test_civil_minutes_count_from_a_monday():
    assert 4 * 1440 + 21 * 60 + 5 == civil_minute(datetime(2026, 6, 5, 21, 5, 59, tzinfo=UTC))
    assert 0 == EPOCH.weekday() == midnight_of(EPOCH)
    before = hour("2026-03-06 21:00")
    assert 4 * 1440 + 21 * 60 == before % MINUTES_PER_WEEK
    assert date(2026, 3, 6) == day_of(before)


@st.composite
def dated_times(draw) -> Times:
    parts = draw(st.lists(st.tuples(part(), EXCEPT).map("".join), min_size=1, max_size=3))
    times = parse_times(";".join(parts), CALENDAR)
    day = st.none() | st.dates(date(2026, 12, 22), date(2027, 1, 12))
    return Times(times.spans, times.windows, draw(day), draw(day))


@given(dated_times())
def test_the_text_of_times_with_named_days_parses_to_the_same_times(times):
    parsed, weekly = parse_times(to_text(times), CALENDAR), Times(times.spans, times.windows)
    for minute in range(WINTER, WINTER + 4 * MINUTES_PER_WEEK, 91):
        assert parsed.holds(minute) == weekly.holds(minute)


@given(dated_times(), st.integers(WINTER, WINTER + 3 * MINUTES_PER_WEEK))
@settings(max_examples=examples(30))
def test_times_with_dates_change_exactly_when_they_announce(times, minute):
    left = times.minutes_left(minute)
    ahead = range(1, 3 * MINUTES_PER_WEEK if left is None else left)
    assert {times.holds(minute + step) for step in ahead} <= {times.holds(minute)}
    assert left is None or times.holds(minute + left) != times.holds(minute)


def test_school_hours_except_holidays():
    times = parse_times("mon-fri 08:00-15:00 except holidays", CALENDAR)
    found = [times.holds(hour(f"2026-12-{day} 09:00")) for day in (24, 25, 26, 28, 30, 31)]
    assert [True, False, False, True, True, False] == found
    assert times.minutes_left(hour("2026-12-30 15:00")) == hour("2027-01-07 08:00") - hour("2026-12-30 15:00")


def test_a_night_except_holidays_belongs_to_the_day_it_begins():
    times = parse_times("daily 22:00-02:00 except holidays", CALENDAR)
    assert times.holds(hour("2026-12-25 01:00"))
    assert not times.holds(hour("2026-12-25 23:00"))
    assert not times.holds(hour("2026-12-26 01:00"))
    assert times.holds(hour("2026-12-26 22:00"))


def test_a_night_ends_at_midnight_after_the_last_day():
    times = Times(parse_times("daily 22:00-02:00").spans, (), date(2026, 12, 1), date(2026, 12, 24))
    assert not times.holds(hour("2026-11-30 23:00"))
    assert times.holds(hour("2026-12-01 00:00"))
    assert times.holds(hour("2026-12-24 23:59"))
    assert not times.holds(hour("2026-12-25 00:00"))
    assert 60 == times.minutes_left(hour("2026-12-24 23:00"))
    assert times.minutes_left(hour("2026-12-25 00:00")) is None
    assert times.minutes_left(hour("2026-01-01 00:00")) == hour("2026-12-01 00:00") - hour("2026-01-01 00:00")


def test_a_year_of_named_days_does_not_hide_the_next_change():
    long = NamedDays("closed", ((date(2026, 7, 1), date(2027, 6, 1)),))
    times = parse_times("daily 00:00-24:00 except closed", {"closed": long})
    assert times.minutes_left(hour("2026-07-01 00:00")) == hour("2027-06-02 00:00") - hour("2026-07-01 00:00")


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("daily 08:00-09:00 except holyday", "write one of bridge-days, holidays"),
        ("daily 08:00-09:00 except", "write times"),
        ("daily 08:00-09:00 except holidays bridge-days", "write one of"),
        ("holidays 08:00-09:00", "daily, or mon"),
    ],
)
def test_named_days_that_the_calendar_does_not_have_are_refused(text, instead):
    with pytest.raises(ValueError, match=instead):
        parse_times(text, CALENDAR)
    with pytest.raises(ValueError, match=r"\[calendar\]|write "):
        parse_times(text)


@pytest.mark.parametrize(
    "text",
    ["2026-02-30", "26-12-01", "2026-12-1", "1999-12-31", "2200-01-01", "soon", "٢٠٢٦-١٢-٠١", "", "20261201"],
)
def test_a_day_that_is_none_is_refused(text):
    for parse in (parse_day, parse_day_range, lambda text: parse_end(text, {})):
        with pytest.raises(ValueError, match="write "):
            parse(text)


@pytest.mark.parametrize(
    "text", ["2026-12-26..2026-12-25", "2026-01-01..2027-01-02", "2026-01-01..", "2026-01-01-2026-01-02"]
)
def test_a_range_of_days_that_is_none_is_refused(text):
    with pytest.raises(ValueError, match="write "):
        parse_day_range(text)


def test_a_range_of_days_includes_both_ends():
    assert (date(2026, 12, 26), date(2027, 1, 6)) == parse_day_range("2026-12-26 .. 2027-01-06")
    assert (date(2026, 12, 25),) * 2 == parse_day_range("2026-12-25")


def test_an_end_is_a_day_or_months_after_a_decision():
    decided = {"D-2026-014": date(2026, 3, 8)}
    assert date(2027, 1, 31) == parse_end("2027-01-31", {})
    assert date(2027, 3, 8) == parse_end("D-2026-014 + 12 months", decided)
    assert date(2026, 4, 8) == parse_end("D-2026-014 +1 month", decided)
    assert DecisionTerm("D-2026-014", 12) == parse_end("D-2026-014 + 12 months", {})


@pytest.mark.parametrize(
    "text", ["D-1 + 0 months", "D-1 + 121 months", "D-1 + 12 weeks", "D-1", "+ 12 months", "D-1 + ١ months"]
)
def test_an_end_that_is_none_is_refused(text):
    with pytest.raises(ValueError, match="write "):
        parse_end(text, {})


@given(st.dates(date(2000, 1, 1), date(2199, 12, 31)), st.integers(1, 120))
def test_months_later_is_the_same_day_or_the_last_of_the_month(day, months):
    later = months_after(day, months)
    assert (later.year * 12 + later.month) - (day.year * 12 + day.month) == months
    assert later.day == day.day or (later.day < day.day and (later + timedelta(days=1)).day == 1)


def test_days_have_their_usual_names():
    assert "daily" == days_text(set(range(7)))
    assert "mon-wed,fri,sat" == days_text({0, 1, 2, 4, 5})


def test_when_times_end_that_named_days_never_change_is_known_without_a_search():
    """Two hundred such rules took seconds at each hour at which one of them could have ended."""
    days = NamedDays("h", tuple((date(2027 + n, 1, 1), date(2027 + n, 12, 31)) for n in range(100)))
    parts = ["daily 00:00-24:00", *(f"daily 00:{n:02}-01:{n:02} except h" for n in range(12))]
    times = replace(parse_times("; ".join(parts), {"h": days}), last=date(2099, 12, 31))
    monday = midnight_of(date(2027, 1, 4))
    assert midnight_of(date(2100, 1, 1)) - monday == times.minutes_left(monday)
    begun = process_time()
    for minute in range(monday, monday + 500):
        times.minutes_left(minute)
    assert process_time() - begun < 1

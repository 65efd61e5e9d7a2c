"""Accounting periods in local civil time."""

from datetime import date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.accounting.periods import (
    DAY_UNKNOWN,
    SlidingDays,
    day_name,
    days_of,
    first_open_day,
    last_days,
    period_end,
    period_name,
    periods_of,
)

OAXACA = timezone(timedelta(hours=-6))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=OAXACA)


def test_usage_of_a_day_counts_in_its_day_its_week_and_its_month() -> None:
    assert ("2027-01-01", "2026-W53", "2027-01") == periods_of("2027-01-01")


def test_an_unknown_day_counts_in_no_period() -> None:
    assert () == periods_of(DAY_UNKNOWN)
    assert DAY_UNKNOWN == day_name(None)
    assert None is period_name("month", DAY_UNKNOWN)


def test_the_day_is_the_local_calendar_day() -> None:
    assert "2026-11-30" == day_name(at("2026-11-30T23:59"))


def test_periods_end_at_local_midnight() -> None:
    now = at("2026-12-31T18:30")
    assert at("2027-01-01T00:00") == period_end("day", now)
    assert at("2027-01-04T00:00") == period_end("week", now)
    assert at("2027-01-01T00:00") == period_end("month", now)


def test_a_month_ends_after_its_last_day_whatever_its_length() -> None:
    ends = {month: period_end("month", at(f"2027-{month:02}-28T12:00")) for month in range(1, 13)}
    wanted = {month: at(f"2027-{month + 1:02}-01T00:00") for month in range(1, 12)}
    assert ends == wanted | {12: at("2028-01-01T00:00")}
    assert at("2028-03-01T00:00") == period_end("month", at("2028-02-29T23:59"))


def test_a_period_has_the_name_of_its_kind() -> None:
    assert ["2026-11-30", "2026-W49", "2026-11"] == [
        period_name(kind, "2026-11-30") for kind in ("day", "week", "month")
    ]


@pytest.mark.parametrize(
    ("day", "first"),
    [
        ("2026-11-24", "2026-11-01"),
        ("2026-12-01", "2026-11-30"),  # its week began in November
        ("2026-12-07", "2026-12-01"),
        ("2027-01-01", "2026-12-28"),
        ("2026-06-01", "2026-06-01"),
    ],
)
def test_the_open_days_are_those_of_this_month_and_this_week(day: str, first: str) -> None:
    assert first == first_open_day(day)


def test_the_last_days_are_open_as_far_back_as_rules_count_them() -> None:
    assert "2026-11-01" == first_open_day("2026-11-24", 7)
    assert "2026-10-25" == first_open_day("2026-11-24", 31)
    assert "2027-02-27" == first_open_day("2027-03-01", 3)


@given(st.dates(date(2020, 1, 1), date(2040, 1, 1)), st.integers(2, 31))
def test_the_last_days_end_with_the_present_one_and_are_all_open(today: date, days: int) -> None:
    found = last_days(days, today.isoformat())
    assert [today - timedelta(days=back) for back in reversed(range(days))] == [
        *map(date.fromisoformat, found)
    ]
    assert found[0] >= first_open_day(today.isoformat(), days)
    assert () == last_days(days, DAY_UNKNOWN)


def test_each_period_has_its_days() -> None:
    assert [1, 7, 30, 9] == [days_of(period) for period in ("day", "week", "month", SlidingDays(9))]


def test_the_last_days_change_at_each_midnight() -> None:
    assert at("2027-01-01T00:00") == period_end(SlidingDays(7), at("2026-12-31T13:00"))


@given(st.dates(date(2020, 1, 1), date(2040, 1, 1)), st.integers(0, 60))
def test_no_day_before_the_open_ones_is_in_a_period_of_today(today: date, back: int) -> None:
    first = first_open_day(today.isoformat())
    earlier = (date.fromisoformat(first) - timedelta(days=1 + back)).isoformat()
    assert not set(periods_of(earlier)) & set(periods_of(today.isoformat()))


def test_a_day_ends_at_the_next_midnight_in_the_middle_of_a_month_too() -> None:
    assert at("2026-11-12T00:00") == period_end("day", at("2026-11-11T00:00"))
    assert at("2026-11-16T00:00") == period_end("week", at("2026-11-11T12:00"))

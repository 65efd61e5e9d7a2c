"""Periods in local civil time."""

from datetime import datetime, timedelta, timezone

from node.accounting.periods import DAY_UNKNOWN, day_name, period_end, period_name, periods_of

OAXACA = timezone(timedelta(hours=-6))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=OAXACA)


def test_a_day_counts_in_its_day_its_week_and_its_month() -> None:
    assert ("2027-01-01", "2026-W53", "2027-01") == periods_of("2027-01-01")


def test_an_unknown_day_counts_nowhere() -> None:
    assert () == periods_of(DAY_UNKNOWN)
    assert DAY_UNKNOWN == day_name(None)
    assert None is period_name("month", DAY_UNKNOWN)


def test_the_day_is_the_one_on_the_wall() -> None:
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

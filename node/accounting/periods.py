"""Accounting periods in local civil time: days, ISO weeks, months."""

from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Literal

PeriodKind = Literal["day", "week", "month"]
PERIOD_KINDS: tuple[PeriodKind, ...] = ("day", "week", "month")

DAY_UNKNOWN = "unknown"
"""Day of bytes counted before the date was known: stored, but counted towards no quota."""


def day_name(moment: datetime | None) -> str:
    """ISO date of `moment` (aware, local time); DAY_UNKNOWN if None, while the clock is not known."""
    return DAY_UNKNOWN if moment is None else moment.date().isoformat()


def period_name(kind: PeriodKind, day: str) -> str | None:
    """``2026-11-24``, ``2026-W48`` or ``2026-11``; None for an unknown day."""
    if day == DAY_UNKNOWN:
        return None
    if kind == "day":
        return day
    if kind == "month":
        return day[:7]
    year, week, _ = date.fromisoformat(day).isocalendar()
    return f"{year}-W{week:02}"


@lru_cache(maxsize=128)
def periods_of(day: str) -> tuple[str, ...]:
    """Every period that includes the day; none for an unknown day."""
    return tuple(name for kind in PERIOD_KINDS if (name := period_name(kind, day)))


def is_since(day: str, since: str) -> bool:
    """Whether `day` is `since` or later; True for an unknown day."""
    return day >= since or day == DAY_UNKNOWN


def first_open_day(day: str) -> str:
    """The first day of the week and month that include `day`; earlier days count towards no current quota."""
    at = date.fromisoformat(day)
    return min(at.replace(day=1), at - timedelta(days=at.weekday())).isoformat()


def period_end(kind: PeriodKind, moment: datetime) -> datetime:
    """Local midnight at the end of the period that includes `moment`."""
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    if kind == "day":
        return midnight + timedelta(days=1)
    if kind == "week":
        return midnight + timedelta(days=7 - moment.weekday())
    return (midnight.replace(day=1) + timedelta(days=32)).replace(day=1)

"""Accounting periods in local civil time: days, ISO weeks, months."""

from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Literal

PeriodKind = Literal["day", "week", "month"]
PERIOD_KINDS: tuple[PeriodKind, ...] = ("day", "week", "month")

DAY_UNKNOWN = "unknown"
"""The day of bytes counted before the node knew the date: kept, and counted against nobody."""


def day_name(moment: datetime | None) -> str:
    """The day that `moment` (aware, local) falls on; None means that the clock is not known."""
    return DAY_UNKNOWN if moment is None else moment.date().isoformat()


def period_name(kind: PeriodKind, day: str) -> str | None:
    """``2026-11-24``, ``2026-W48`` or ``2026-11``; None on an unknown day."""
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
    """Every period that a day counts in; none for an unknown day."""
    return tuple(name for kind in PERIOD_KINDS if (name := period_name(kind, day)))


def is_since(day: str, since: str) -> bool:
    """Whether `day` is `since` or later; a day that is not known may be."""
    return day >= since or day == DAY_UNKNOWN


def first_open_day(day: str) -> str:
    """The first day of the periods that `day` falls in: earlier days count against nobody any more."""
    at = date.fromisoformat(day)
    return min(at.replace(day=1), at - timedelta(days=at.weekday())).isoformat()


def period_end(kind: PeriodKind, moment: datetime) -> datetime:
    """Local midnight at which the period that `moment` falls in resets."""
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    if kind == "day":
        return midnight + timedelta(days=1)
    if kind == "week":
        return midnight + timedelta(days=7 - moment.weekday())
    return (midnight.replace(day=1) + timedelta(days=32)).replace(day=1)

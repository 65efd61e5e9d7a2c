"""Accounting periods in local civil time: days, ISO weeks, months, and the last days."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Literal

PeriodKind = Literal["day", "week", "month"]
PERIOD_KINDS: tuple[PeriodKind, ...] = ("day", "week", "month")

SLIDING_DAYS_MIN, SLIDING_DAYS_MAX = 2, 31


@dataclass(frozen=True, slots=True)
class SlidingDays:
    """A period of so many civil days that ends with the present one: at each midnight the oldest day leaves it."""

    days: int


type Period = PeriodKind | SlidingDays


def days_of(period: Period) -> int:
    """How many days it has; a month counts as 30."""
    if isinstance(period, SlidingDays):
        return period.days
    return {"day": 1, "week": 7, "month": 30}[period]


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


@lru_cache(maxsize=128)
def last_days(days: int, day: str) -> tuple[str, ...]:
    """So many days, oldest first, of which `day` is the last; none for an unknown day."""
    if day == DAY_UNKNOWN:
        return ()
    last = date.fromisoformat(day)
    return tuple((last - timedelta(days=back)).isoformat() for back in range(days - 1, -1, -1))


def is_since(day: str, since: str) -> bool:
    """Whether `day` is `since` or later; True for an unknown day."""
    return day >= since or day == DAY_UNKNOWN


def first_open_day(day: str, sliding_days: int = 1) -> str:
    """The first day of the week and month that include `day`, or of so many last days; earlier days count towards no
    current quota."""
    at = date.fromisoformat(day)
    return min(
        at.replace(day=1), at - timedelta(days=at.weekday()), at - timedelta(days=sliding_days - 1)
    ).isoformat()


def period_end(kind: Period, moment: datetime) -> datetime:
    """Local midnight at which the usage of the period that includes `moment` is next counted from another day."""
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    if kind == "day" or isinstance(kind, SlidingDays):
        return midnight + timedelta(days=1)
    if kind == "week":
        return midnight + timedelta(days=7 - moment.weekday())
    return (midnight.replace(day=1) + timedelta(days=32)).replace(day=1)

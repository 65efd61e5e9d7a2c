"""Marks along the time axis of a plot: times of the day, days, months or years, whichever fit."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from node.plots.time_scale import TimeScale, civil
from node.translator import N_, Translator

NARROW_MAX, WIDE_MAX = 5, 14
"""Marks with a text on a phone, and on a wide screen."""
EDGE = 0.08
"""Closer to an end than this part of the axis, a text begins or ends at its mark, so that it is not cut off."""
MONTHS = (
    N_("Jan"),
    N_("Feb"),
    N_("Mar"),
    N_("Apr"),
    N_("May"),
    N_("Jun"),
    N_("Jul"),
    N_("Aug"),
    N_("Sep"),
    N_("Oct"),
    N_("Nov"),
    N_("Dec"),
)
_ONE_DAY = timedelta(days=1)
type Family = Literal["minute", "day", "month"]


@dataclass(frozen=True, slots=True)
class TimeMark:
    """One mark."""

    share: float
    """Of the axis: 0 is its begin, 1 its end."""
    text: str
    is_wide: bool
    """Whether there is room for its text on a wide screen only."""

    @property
    def anchor(self) -> str:
        """Which part of the text is at the mark, as in SVG."""
        return "start" if self.share < EDGE else "end" if self.share > 1 - EDGE else "middle"


@dataclass(frozen=True, slots=True)
class _Interval:
    """Every so many minutes, days or months."""

    family: Family
    length: int
    minutes: int
    """How long it is, about."""

    def contains(self, coarser: "_Interval") -> bool:
        """Whether each mark of the coarser one is one of this, too."""
        return self.family == coarser.family or self.length == 1 or self.family == "minute"


_INTERVALS = (
    *(_Interval("minute", each, each) for each in (5, 15, 60, 180, 360, 720)),
    *(_Interval("day", each, each * 1440) for each in (1, 7)),
    *(_Interval("month", each, each * 43_830) for each in (1, 3, 12, 60, 240)),
)


def time_marks(scale: TimeScale, words: Translator) -> tuple[TimeMark, ...]:
    """In the order of time."""
    narrow = _interval(scale, NARROW_MAX)
    wide = _interval(scale, WIDE_MAX)
    if not wide.contains(narrow):
        wide = narrow
    always = set(_moments(scale, narrow))
    return tuple(
        TimeMark(scale.share(at), _text(at, wide.family, words), at not in always)
        for at in _moments(scale, wide)
    )


def day_text(day: date, words: Translator) -> str:
    """``3 Nov``."""
    return words.gettext("{day} {month}").format(day=day.day, month=words.gettext(MONTHS[day.month - 1]))


def month_text(day: date, words: Translator) -> str:
    """``Nov 2026``."""
    month = words.gettext(MONTHS[day.month - 1])
    return words.gettext("{month} {year}").format(month=month, year=day.year)


def _interval(scale: TimeScale, most: int) -> _Interval:
    minutes = scale.length_s // 60
    fitting = (each for each in _INTERVALS if minutes // each.minutes < most)
    return next(fitting, _INTERVALS[-1])


def _moments(scale: TimeScale, interval: _Interval) -> Iterator[datetime]:
    begin, end = scale.begin, scale.end
    for at in _all_moments(scale, interval):
        if begin <= at < end:
            yield at


def _all_moments(scale: TimeScale, interval: _Interval) -> Iterator[datetime]:
    """Those of all days that the axis touches."""
    last = scale.end.date()
    day = scale.begin.date()
    while day <= last:
        if interval.family == "minute":
            yield from (civil(day, minute, scale.zone) for minute in range(0, 1440, interval.length))
        elif _is_marked(day, interval):
            yield civil(day, 0, scale.zone)
        day += _ONE_DAY


def _is_marked(day: date, interval: _Interval) -> bool:
    if interval.family == "day":
        return interval.length == 1 or day.weekday() == 0
    months = day.year * 12 + day.month - 1
    return day.day == 1 and months % interval.length == 0


def _text(at: datetime, family: Family, words: Translator) -> str:
    if family == "minute" and (at.hour or at.minute):
        return f"{at:%H:%M}"
    if family != "month":
        return day_text(at.date(), words)
    return str(at.year) if at.month == 1 else words.gettext(MONTHS[at.month - 1])

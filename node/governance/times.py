"""When a rule holds, in local civil time: weekly times such as ``mon-fri 08:00-16:00 except holidays; daily
22:00-06:00``, between two days.

A moment is a civil minute: minutes since `EPOCH`, a Monday, so that the remainder by `MINUTES_PER_WEEK` is the minute of
the week. Clock changes and time zones are in the civil time from which it is made.
"""

import re
from bisect import bisect_right
from calendar import monthrange
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from heapq import merge

from node.errors import InvalidValue
from node.translator import gettext_lazy

MINUTES_PER_DAY = 1440
MINUTES_PER_WEEK = 7 * MINUTES_PER_DAY
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

EPOCH = date(2026, 6, 1)
"""A Monday, in a week without a clock change and in the middle of a monthly quota period."""
YEAR_MIN, YEAR_MAX = 2000, 2199
"""Years of the days in a rule file."""
RANGE_DAYS_MAX = 366
"""Days from the first to the last of one range of a calendar."""
MONTHS_MAX = 120
"""Months after a decision at which a rule can end."""
NEVER_ENDS = "never"

TEXT_MAX = 400
"""Characters in one text of times."""
WANTED = gettext_lazy(
    "times such as {one} or {other}",
    one='"daily 18:00-23:00"',
    other='"mon-fri 08:00-16:00 except holidays; sat,sun 10:00-14:00"',
)
DAY_WANTED = gettext_lazy("a day as year-month-day, such as {example}", example='"2026-12-31"')
RANGE_WANTED = gettext_lazy("days such as {example}", example='["2026-12-25", "2026-12-26..2027-01-06"]')
END_WANTED = gettext_lazy(
    "the last day, such as {day}, months after a decision, such as {term}, or {never}",
    day='"2027-01-31"',
    term='"D-2026-014 + 12 months"',
    never=f'"{NEVER_ENDS}"',
)

LOOKAHEAD_WEEKS = 54
"""How far ahead the next change is looked for where named days hold it up."""

_PART = re.compile(r"([a-z,\- ]+?) +(\d\d):(\d\d) ?- ?(\d\d):(\d\d)", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_AFTER = re.compile(r"(\S{1,64}) ?\+ ?(\d{1,3}) months?", re.ASCII)


@dataclass(frozen=True, slots=True)
class NamedDays:
    """One entry of the calendar in a rule file, such as ``holidays``: ranges of days, each with its first and last."""

    name: str
    ranges: tuple[tuple[date, date], ...]

    def includes(self, day: date) -> bool:
        return any(first <= day <= last for first, last in self.ranges)


Calendar = Mapping[str, NamedDays]
"""All named days of a rule file, by name."""


@dataclass(frozen=True, slots=True)
class DecisionTerm:
    """An end some months after a decision."""

    decision: str
    months: int


@dataclass(frozen=True, slots=True)
class Windows:
    """Weekly windows with the days on which they are left out. A window that crosses midnight belongs to the day on
    which it begins."""

    starts: tuple[tuple[int, int], ...]
    """Minute of the week, and length in minutes: a day at most."""
    left_out: tuple[NamedDays, ...]

    def hold(self, minute: int) -> bool:
        for start, length in self.starts:
            since = (minute - start) % MINUTES_PER_WEEK
            if since < length and not is_among(self.left_out, day_of(minute - since)):
                return True
        return False


@dataclass(frozen=True, slots=True)
class Times:
    """When a rule holds. Outside `first` and `last`, whole days, it never does."""

    spans: tuple[tuple[int, int], ...]
    """Half-open ranges of minutes of the week, Monday 00:00 being 0; sorted, neither overlapping nor adjacent."""
    windows: tuple[Windows, ...] = ()
    """Further times, except on named days."""
    first: date | None = None
    """None: no first day."""
    last: date | None = None
    """None: no last day."""
    open_end: DecisionTerm | None = None
    """An end that cannot be computed, because the rule file does not say when that was decided: these times do not end
    until it can."""

    @property
    def is_dated(self) -> bool:
        """Whether these times differ from one week to another."""
        return bool(self.windows) or self.first is not None or self.last is not None

    @property
    def is_whole_week(self) -> bool:
        return self.spans == ((0, MINUTES_PER_WEEK),)

    def is_within(self, day: date) -> bool:
        """Whether the day is between the first and the last."""
        return (self.first is None or day >= self.first) and (self.last is None or day <= self.last)

    def holds(self, minute: int) -> bool:
        """`minute`: a civil minute."""
        if self.is_dated and not self.is_within(day_of(minute)):
            return False
        return self._spans_hold(minute) or any(windows.hold(minute) for windows in self.windows)

    def boundaries(self) -> frozenset[int]:
        """Minutes of the week at which these times can start or end; midnights of `first` and `last` apart. Empty when
        they cover the whole week or nothing."""
        steady = {minute % MINUTES_PER_WEEK for span in self.spans for minute in span}
        if self.spans and self.spans[0][0] == 0 and self.spans[-1][1] == MINUTES_PER_WEEK:
            steady.remove(0)
        return frozenset(steady.union(*(_window_edges(windows) for windows in self.windows)))

    def days(self) -> Iterator[date]:
        """Days at whose midnight a week of these times can differ from the one before."""
        if self.first is not None:
            yield self.first
        if self.last is not None:
            yield self.last + timedelta(days=1)
        for named in {named for windows in self.windows for named in windows.left_out}:
            for first, last in named.ranges:
                # The night that began on the day before ends on the day itself.
                yield from (first, first + timedelta(days=1))
                yield from (last + timedelta(days=1), last + timedelta(days=2))

    def minutes_left(self, minute: int) -> int | None:
        """Minutes until these times next start or end, 1 and up; None when they never do, or not for more than a year
        because of named days."""
        if not self.is_dated:
            ahead = ((edge - minute - 1) % MINUTES_PER_WEEK + 1 for edge in self.boundaries())
            return min(ahead, default=None)
        now = self.holds(minute)
        return next((edge - minute for edge in self._edges_after(minute) if self.holds(edge) != now), None)

    def _spans_hold(self, minute: int) -> bool:
        of_week = minute % MINUTES_PER_WEEK
        following = bisect_right(self.spans, (of_week, MINUTES_PER_WEEK))
        return following > 0 and of_week < self.spans[following - 1][1]

    def _edges_after(self, minute: int) -> Iterator[int]:
        """Civil minutes at which these times can change, in order."""
        begin = minute if self.first is None else max(minute, midnight_of(self.first) - 1)
        monday = begin - begin % MINUTES_PER_WEEK
        weeks = range(LOOKAHEAD_WEEKS if self.windows else 2)
        # Where the weekly times are the whole week, named days change nothing.
        weekly = [] if self.is_whole_week else sorted(self.boundaries())
        days = sorted(midnight_of(day) for day in (self.first, _day_after(self.last)) if day is not None)
        edges = merge(days, (monday + week * MINUTES_PER_WEEK + edge for week in weeks for edge in weekly))
        return (edge for edge in edges if edge > minute)


ALWAYS = Times(((0, MINUTES_PER_WEEK),))


def civil_minute(at: datetime) -> int:
    """Minutes from `EPOCH` to local civil time `at`."""
    return (at.toordinal() - EPOCH.toordinal()) * MINUTES_PER_DAY + at.hour * 60 + at.minute


def day_of(minute: int) -> date:
    return date.fromordinal(EPOCH.toordinal() + minute // MINUTES_PER_DAY)


def midnight_of(day: date) -> int:
    """The civil minute at which the day begins."""
    return (day.toordinal() - EPOCH.toordinal()) * MINUTES_PER_DAY


def is_among(named: Iterable[NamedDays], day: date) -> bool:
    return any(days.includes(day) for days in named)


def parse_times(text: str, calendar: Calendar | None = None) -> Times:
    """Parse times; parts are separated by ``;`` and may cross midnight. Raises InvalidValue."""
    if len(text) > TEXT_MAX:
        wrong = gettext_lazy("these times are longer than {most} characters", most=TEXT_MAX)
        raise InvalidValue(wrong, wanted=WANTED)
    by_days: dict[tuple[NamedDays, ...], list[tuple[int, int]]] = {}
    for part in text.split(";"):
        weekly, separator, names = part.strip().lower().partition(" except ")
        left_out = _named(names, calendar or {}) if separator else ()
        by_days.setdefault(left_out, []).extend(_part(weekly.strip()))
    spans = by_days.pop((), [])
    windows = [Windows(tuple(sorted(set(starts))), named) for named, starts in by_days.items()]
    return Times(
        _merged(spans), tuple(sorted(windows, key=lambda each: [days.name for days in each.left_out]))
    )


def parse_day(text: str) -> date:
    """Raises InvalidValue."""
    if not _DAY.fullmatch(text):
        raise InvalidValue(gettext_lazy("{text} is not a day", text=f"{text!r:.60}"), wanted=DAY_WANTED)
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise InvalidValue(
            gettext_lazy("{text} is in no calendar", text=repr(text)), wanted=DAY_WANTED
        ) from error
    if not YEAR_MIN <= day.year <= YEAR_MAX:
        wrong = gettext_lazy(
            "{text} is not between the years {first} and {last}",
            text=repr(text),
            first=YEAR_MIN,
            last=YEAR_MAX,
        )
        raise InvalidValue(wrong, wanted=DAY_WANTED)
    return day


def parse_day_range(text: str) -> tuple[date, date]:
    """``2026-12-25`` or ``2026-12-26..2027-01-06``. Raises InvalidValue."""
    begin, separator, end = (part.strip() for part in text.partition(".."))
    first = parse_day(begin)
    last = parse_day(end) if separator else first
    if last < first:
        raise InvalidValue(gettext_lazy("{text} ends before it begins", text=repr(text)), wanted=RANGE_WANTED)
    if (last - first).days >= RANGE_DAYS_MAX:
        wrong = gettext_lazy("{text} is longer than {most} days", text=repr(text), most=RANGE_DAYS_MAX)
        raise InvalidValue(wrong, wanted=RANGE_WANTED)
    return first, last


def parse_end(text: str, decisions: Mapping[str, date]) -> date | DecisionTerm | None:
    """The last day of a rule, the term of a decision that is not among `decisions`, or None for no end. Raises
    InvalidValue."""
    if text == NEVER_ENDS:
        return None
    if _DAY.fullmatch(text):
        return parse_day(text)
    match = _AFTER.fullmatch(text.strip())
    if match is None:
        raise InvalidValue(gettext_lazy("{text} is not a day", text=f"{text!r:.60}"), wanted=END_WANTED)
    decision, months = match[1], int(match[2])
    if not 1 <= months <= MONTHS_MAX:
        wrong = gettext_lazy(
            "{text} is not between 1 and {most} months", text=f"{text!r:.60}", most=MONTHS_MAX
        )
        raise InvalidValue(wrong, wanted=END_WANTED)
    return end_of(DecisionTerm(decision, months), decisions)


def end_of(term: DecisionTerm, decisions: Mapping[str, date]) -> date | DecisionTerm:
    """The last day, or the term itself if its decision is not among `decisions`."""
    decided = decisions.get(term.decision)
    return term if decided is None else months_after(decided, term.months)


def months_after(day: date, months: int) -> date:
    """The same day of a later month, or the last day of that month if it is shorter."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def to_text(times: Times) -> str:
    """Text from which `parse_times` makes the same weekly times; empty when they cover nothing."""
    excepting = [
        f"{part} except {','.join(days.name for days in left_out)}" for part, left_out in window_parts(times)
    ]
    return "; ".join([*span_parts(times), *excepting])


def span_parts(times: Times) -> list[str]:
    """Texts such as ``mon-fri 08:00-15:00`` of the times that named days do not change."""
    return _week_parts(_runs(times.spans))


def window_parts(times: Times) -> list[tuple[str, tuple[NamedDays, ...]]]:
    """The same for each part that is left out on named days."""
    return [(part, windows.left_out) for windows in times.windows for part in _week_parts(windows.starts)]


def _week_parts(runs: Iterable[tuple[int, int]]) -> list[str]:
    """Texts such as ``mon-fri 08:00-15:00``, of minutes of the week with their lengths."""
    days_of: dict[str, set[int]] = {}
    for start, length in runs:
        for piece_start, piece_length in _pieces(start, length):
            begin, end = piece_start % MINUTES_PER_DAY, (piece_start + piece_length) % MINUTES_PER_DAY
            text = f"{clock_text(begin)}-{clock_text(end or MINUTES_PER_DAY)}"
            days_of.setdefault(text, set()).add(piece_start // MINUTES_PER_DAY % 7)
    parts = sorted((min(days), text) for text, days in days_of.items())
    return [f"{days_text(days_of[text])} {text}" for _, text in parts]


def clock_text(minute_of_day: int) -> str:
    """``08:05``; the end of the day is ``24:00``."""
    return f"{minute_of_day // 60:02}:{minute_of_day % 60:02}"


def days_text(days: set[int]) -> str:
    """Days of the week, Monday being 0, as ``daily``, ``mon-fri`` or ``sat,sun``."""
    if len(days) == len(DAYS):
        return "daily"
    runs: list[list[int]] = []
    for day in sorted(days):
        if runs and runs[-1][-1] == day - 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    return ",".join(_run_text(run) for run in runs)


def _run_text(run: list[int]) -> str:
    names = [DAYS[day] for day in run]
    return f"{names[0]}-{names[-1]}" if len(names) > 2 else ",".join(names)


def _day_after(day: date | None) -> date | None:
    return None if day is None else day + timedelta(days=1)


def _window_edges(windows: Windows) -> set[int]:
    return {edge % MINUTES_PER_WEEK for start, length in windows.starts for edge in (start, start + length)}


def _named(text: str, calendar: Calendar) -> tuple[NamedDays, ...]:
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in calendar:
            known = gettext_lazy("one of {names}", names=", ".join(sorted(calendar)))
            if not calendar:
                known = gettext_lazy(
                    "{table} with {example}", table="[calendar]", example=f'"{name:.40}" = […]'
                )
            wrong = gettext_lazy(
                "there are no days named {name} in {table}", name=f"{name!r:.60}", table="[calendar]"
            )
            raise InvalidValue(wrong, wanted=known)
    return tuple(calendar[name] for name in sorted(set(names)))


def _part(text: str) -> list[tuple[int, int]]:
    match = _PART.fullmatch(text)
    if match is None:
        raise InvalidValue(gettext_lazy("{text} is not a time of the week", text=repr(text)), wanted=WANTED)
    start, end = _minute(match[2], match[3], text), _minute(match[4], match[5], text)
    if start in (end, MINUTES_PER_DAY):
        raise InvalidValue(
            gettext_lazy("{text} begins when it ends", text=repr(text)),
            gettext_lazy("write {example} for the whole day", example="00:00-24:00"),
        )
    length = (end - start) % MINUTES_PER_DAY or MINUTES_PER_DAY
    return [(day * MINUTES_PER_DAY + start, length) for day in _days(match[1], text)]


def _minute(hour: str, minute: str, text: str) -> int:
    value = int(hour) * 60 + int(minute)
    if int(minute) > 59 or value > MINUTES_PER_DAY:
        raise InvalidValue(
            gettext_lazy("{text} has a time that no clock shows", text=repr(text)), wanted=WANTED
        )
    return value


def _days(text: str, whole: str) -> list[int]:
    if text == "daily":
        return list(range(7))
    days: list[int] = []
    for part in text.replace(" ", "").split(","):
        ends = part.split("-")
        if len(ends) > 2 or any(end not in DAYS for end in ends):
            raise InvalidValue(
                gettext_lazy("{text}: {part} is not a day", text=repr(whole), part=repr(part)),
                gettext_lazy("write {daily}, or {days}", daily="daily", days=" ".join(DAYS)),
            )
        first, last = DAYS.index(ends[0]), DAYS.index(ends[-1])
        days.extend((first + step) % 7 for step in range((last - first) % 7 + 1))
    return days


def _merged(spans: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """(start, length) pairs that may cross the end of the week, as normalized ranges."""
    cut: list[tuple[int, int]] = []
    for start, length in spans:
        end = start + length
        cut.append((start, min(end, MINUTES_PER_WEEK)))
        if end > MINUTES_PER_WEEK:
            cut.append((0, end - MINUTES_PER_WEEK))
    merged: list[tuple[int, int]] = []
    for start, end in sorted(cut):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)


def merged(spans: Iterable[tuple[int, int]]) -> Times:
    """Times from half-open ranges within one week, in any order."""
    return Times(_merged([(start, end - start) for start, end in spans]))


def _runs(spans: tuple[tuple[int, int], ...]) -> list[tuple[int, int]]:
    """Ranges as (start, length); a range across the end of the week stays in one piece."""
    runs = [(start, end - start) for start, end in spans]
    if len(spans) > 1 and spans[0][0] == 0 and spans[-1][1] == MINUTES_PER_WEEK:
        start, length = runs.pop()
        runs[0] = (start, length + runs[0][1])
    return runs


def _pieces(start: int, length: int) -> list[tuple[int, int]]:
    """Split into parts that ``day HH:MM-HH:MM`` can express: shorter than a day, or one whole day."""
    if length < MINUTES_PER_DAY:
        return [(start, length)]
    pieces: list[tuple[int, int]] = []
    end = start + length
    while start < end:
        stop = min(end, (start // MINUTES_PER_DAY + 1) * MINUTES_PER_DAY)
        pieces.append((start, stop - start))
        start = stop
    return pieces

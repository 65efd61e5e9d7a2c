"""The times at which each set of rules holds, over all days to come.

Between two days on which a rule begins, ends or is left out, all weeks are alike: they are one epoch.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import pairwise

from node.governance.times import (
    ALWAYS,
    DAYS,
    MINUTES_PER_DAY,
    MINUTES_PER_WEEK,
    Times,
    day_of,
    merged,
    midnight_of,
)

EPOCHS_MAX = 400
"""Epochs beyond this number are left out, and the timeline is not complete."""
STEPS_MAX = 100_000
"""Rules with named days that are looked at, at every time at which one of them begins or ends; epochs beyond this number are
left out."""
RUNS_SHOWN_MAX = 3
"""Runs of days with different times that are listed one by one."""
NEVER = Times(())
_FRIDAY_EVENING = DAYS.index("fri") * MINUTES_PER_DAY + 21 * 60

Span = tuple[int, int, int]
"""Number of an epoch, and a half-open range of minutes of one day of its weeks."""


@dataclass(frozen=True, slots=True)
class _Epoch:
    """Days between which all weeks are alike."""

    first: date | None
    """None: no first day."""
    last: date | None
    """None: no last day."""
    begin: int
    """Number of a day, since the epoch of civil minutes, with which its first week can begin."""
    days: int
    """How many days stand for it: 7, or all if it is shorter."""


class Timeline:
    """The days on which rules begin, end or are left out, and the times at which each set of rules holds."""

    def __init__(self, times: Sequence[Times | None]) -> None:
        """`times`: of each rule, None for always; a rule's bit in a mask is its index."""
        self._rules = [(when, 1 << index) for index, when in enumerate(times)]
        dated = [when for when, _ in self._rules if when is not None and when.is_dated]
        every = _epochs(sorted({day for when in dated for day in when.days()}))
        self._epochs = every[:EPOCHS_MAX]
        self.spans = self._spans()
        """By the bit mask of the rules that hold; each with its spans, and its first civil minute."""
        self.is_complete = len(self._epochs) == len(every)
        self._known: dict[frozenset[Span], Times] = {}
        for when, bit in self._rules:
            if when is not None:
                self._name(self._held(bit), when)

    def _spans(self) -> dict[int, tuple[int, list[Span]]]:
        found: dict[int, tuple[int, list[Span]]] = {}
        weekly = self._weekly()
        dated = [(when, bit) for when, bit in self._rules if when is not None and when.is_dated]
        undated = sum(bit for _, bit in self._rules) - sum(bit for _, bit in dated)
        steps = 0
        for number, epoch in enumerate(self._epochs):
            for day in range(epoch.begin, epoch.begin + epoch.days):
                within = [(when, bit) for when, bit in dated if when.is_within(day_of(day * MINUTES_PER_DAY))]
                dates = undated + sum(bit for _, bit in within)
                windows = [(when, bit) for when, bit in within if when.windows]
                steps += len(weekly[day % 7]) * (1 + len(windows))
                for start, end, mask in weekly[day % 7]:
                    minute = day * MINUTES_PER_DAY + start % MINUTES_PER_DAY
                    holding = mask & dates
                    for when, bit in windows:
                        if when.holds(minute):
                            holding |= bit
                    found.setdefault(holding, (minute, []))[1].append((number, start, end))
            if steps > STEPS_MAX:
                self._epochs = self._epochs[: number + 1]
                break
        return found

    def _weekly(self) -> list[list[tuple[int, int, int]]]:
        """For each day of the week its ranges of minutes, with the rules that hold in weeks without dates, but for windows
        that are left out on some days."""
        times = [(ALWAYS if when is None else when, bit) for when, bit in self._rules]
        edges = set(range(0, MINUTES_PER_WEEK, MINUTES_PER_DAY)).union(*(w.boundaries() for w, _ in times))
        turns: dict[int, int] = {}
        for when, bit in times:
            for minute in (minute for span in when.spans for minute in span):
                turns[minute] = turns.get(minute, 0) ^ bit
        days: list[list[tuple[int, int, int]]] = [[] for _ in range(7)]
        mask = 0
        for start, end in pairwise([*sorted(edges), MINUTES_PER_WEEK]):
            mask ^= turns.get(start, 0)
            days[start // MINUTES_PER_DAY].append((start, end, mask))
        return days

    def _held(self, bit: int) -> frozenset[Span]:
        return frozenset(span for mask, (_, spans) in self.spans.items() if mask & bit for span in spans)

    def _name(self, spans: frozenset[Span], when: Times) -> None:
        """These times name the spans, or those of another rule that has the same, whatever the order of the rules."""
        # An end that cannot be computed ends nothing: other changes at all times are not until then.
        when = replace(when, open_end=None)
        known = self._known.get(spans, when)
        self._known[spans] = when if when == known else min(when, known, key=repr)

    def minutes(self, spans: frozenset[Span]) -> list[int]:
        """The first minute of each span, as civil minutes in order."""
        begins = [(self._epochs[number].begin, start) for number, start, _ in spans]
        return sorted(
            begin * MINUTES_PER_DAY + (start - begin * MINUTES_PER_DAY) % MINUTES_PER_WEEK
            for begin, start in begins
        )

    def times(self, spans: frozenset[Span]) -> list[tuple[Times, bool]]:
        """Times that cover these spans, and whether they do so on some of their days only: those of a rule, or one for
        each run of weeks that are alike; empty without spans."""
        if spans in self._known:
            return [(self._known[spans], False)]
        runs = [run for run in self._runs(spans) if run.spans]
        if len(runs) > RUNS_SHOWN_MAX:
            every = merged(span for run in runs for span in run.spans)
            return [(replace(every, first=runs[0].first, last=runs[-1].last), True)]
        return [(run, False) for run in runs]

    def _runs(self, spans: frozenset[Span]) -> Iterable[Times]:
        by_day: dict[tuple[int, int], list[tuple[int, int]]] = {}
        for number, start, end in spans:
            by_day.setdefault((number, start // MINUTES_PER_DAY), []).append((start, end))
        first, last = self._epochs[0].first, self._epochs[0].last
        week: dict[int, list[tuple[int, int]]] = {}
        for number, epoch in enumerate(self._epochs):
            days = {
                day % 7: sorted(by_day.get((number, day % 7), ()))
                for day in range(epoch.begin, epoch.begin + epoch.days)
            }
            if any(week.get(day, found) != found for day, found in days.items()):
                yield replace(
                    merged(span for found in week.values() for span in found), first=first, last=last
                )
                first, week = epoch.first, {}
            week |= days
            last = epoch.last
        yield replace(merged(span for found in week.values() for span in found), first=first, last=last)


def _epochs(days: Sequence[date]) -> tuple[_Epoch, ...]:
    """`days`: those with which one begins, in order."""
    if not days:
        return (_Epoch(None, None, 0, 7),)
    begins = [midnight_of(day) // MINUTES_PER_DAY for day in days]
    epochs = [_Epoch(None, days[0] - timedelta(days=1), begins[0] - 7, 7)]
    for (first, begin), after in zip(zip(days, begins, strict=True), [*begins[1:], None], strict=True):
        length = 7 if after is None else after - begin
        last = None if after is None else first + timedelta(days=length - 1)
        epochs.append(_Epoch(first, last, begin, min(7, length)))
    return tuple(epochs)


def example_minute(times: Times, minutes: Sequence[int]) -> int | None:
    """Friday evening, or a full hour in the middle of the first span; the first of `minutes` where dates matter."""
    if times.is_dated:
        return next((minute for minute in minutes if times.holds(minute)), None)
    if not times.spans:
        return None
    if times.holds(_FRIDAY_EVENING):
        return _FRIDAY_EVENING
    start, end = times.spans[0]
    return max(start, (start + end) // 2 // 60 * 60)

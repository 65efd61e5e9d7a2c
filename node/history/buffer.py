"""What was recorded lately and is not stored yet: ten-second steps of an hour, and hours of five-minute steps."""

from array import array
from collections.abc import Collection, Iterable, Mapping

from node.history.packing import Sheet
from node.history.roll_ups import FIVE_MINUTES_S, HOUR_S, HOUR_STEPS, RECENT_S
from node.history.steps import Step, Steps, step_of

RECENT_STEPS = HOUR_S // RECENT_S
HOURS_MAX = 24
"""Hours that wait for the disk; beyond that the oldest are lost."""


class RecentSteps:
    """The last hour of one series in steps of ten seconds. Which time a place is of stands beside it, so that what was
    recorded before the clock was set is not taken for something else."""

    __slots__ = ("_steps", "_times")

    def __init__(self) -> None:
        self._steps, self._times = Steps(RECENT_STEPS), array("q", [-1]) * RECENT_STEPS

    def add(self, moment_s: int, step: Step) -> None:
        time = moment_s // RECENT_S
        place = time % RECENT_STEPS
        if self._times[place] != time:
            self._times[place] = time
            self._steps.put(place, None)
        self._steps.join(place, step)

    def get(self, moment_s: int) -> Step | None:
        time = moment_s // RECENT_S
        place = time % RECENT_STEPS
        return self._steps.get(place) if self._times[place] == time else None


class HistoryBuffer:
    """Raw values go in, hours come out. An hour that is `whole` has also what was stored of it before, so that storing it
    again replaces that and counts nothing twice."""

    def __init__(self) -> None:
        self._recent: dict[str, RecentSteps] = {}
        self._hours: dict[int, dict[str, Steps]] = {}
        self._whole: set[int] = set()
        self._changed: set[int] = set()

    def add(self, series: str, value: int, moment_s: int) -> None:
        """One raw value, at a Unix time."""
        step, hour_s = step_of(value), moment_s // HOUR_S * HOUR_S
        self._recent.setdefault(series, RecentSteps()).add(moment_s, step)
        if hour_s not in self._hours:
            self._begin(hour_s)
        sheet = self._hours[hour_s]
        if series not in sheet:
            sheet[series] = Steps(HOUR_STEPS)
        sheet[series].join((moment_s - hour_s) // FIVE_MINUTES_S, step)
        self._changed.add(hour_s)

    def recent(self, series: str, moment_s: int) -> Step | None:
        """The step of ten seconds in which this time is; None for a gap."""
        kept = self._recent.get(series)
        return None if kept is None else kept.get(moment_s)

    @property
    def hours(self) -> Mapping[int, Sheet]:
        """By the Unix time of their begin. Not to be changed."""
        return self._hours

    @property
    def parts(self) -> tuple[int, ...]:
        """Hours of which more may be stored: `make_whole` must be called for each before it is stored."""
        return tuple(each for each in self._hours if each not in self._whole)

    def make_whole(self, hour_s: int, stored: Sheet) -> None:
        """`stored`: what was stored of this hour by an earlier run, or before the clock was set; empty for nothing."""
        if hour_s not in self._hours or hour_s in self._whole:
            return
        sheet = self._hours[hour_s]
        for series, steps in stored.items():
            sheet.setdefault(series, Steps(HOUR_STEPS)).join_all(0, steps)
        self._whole.add(hour_s)

    def to_store(self) -> Mapping[int, Sheet]:
        """Whole hours with something that is not stored. Call `stored` or `not_stored` with them afterwards."""
        taken = {each: self._hours[each] for each in sorted(self._changed & self._whole)}
        self._changed -= taken.keys()
        return taken

    def keep_recent(self, series: Collection[str]) -> None:
        """The last hour of all other series is forgotten: nothing is added to them any longer."""
        self._recent = {name: each for name, each in self._recent.items() if name in series}

    def stored(self, present_s: int | None) -> None:
        """What `to_store` gave is on the disk. Hours are forgotten but for the present one and what changed meanwhile."""
        present = None if present_s is None else present_s // HOUR_S * HOUR_S
        for hour_s in self._hours.keys() - self._changed - {present}:
            self._forget(hour_s)

    def not_stored(self, hours: Iterable[int]) -> None:
        """They are given by `to_store` again."""
        self._changed.update(each for each in hours if each in self._hours)

    def _begin(self, hour_s: int) -> None:
        if len(self._hours) >= HOURS_MAX:
            self._forget(min(self._hours))
        self._hours[hour_s] = {}

    def _forget(self, hour_s: int) -> None:
        self._hours.pop(hour_s, None)
        self._whole.discard(hour_s)
        self._changed.discard(hour_s)

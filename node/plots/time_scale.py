"""Where moments are along the time axis of a window, in the civil time of the node."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from node.history.window import HistoryWindow

DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class TimeScale:
    """The steps of a window, which follow each other at equal distances. `zone` None is the zone of the machine."""

    begin_s: int
    step_s: int
    steps: int
    zone: tzinfo | None

    @property
    def first_day(self) -> date:
        return local(self.begin_s, self.zone).date()

    @property
    def begin(self) -> datetime:
        return self.begin_of(0)

    @property
    def end(self) -> datetime:
        return self.begin_of(self.steps)

    @property
    def length_s(self) -> int:
        return self.step_s * self.steps

    def begin_of(self, step: int) -> datetime:
        """When a step begins, and the one before ends."""
        if self.step_s != DAY_S:
            return local(self.begin_s + step * self.step_s, self.zone)
        return midnight(self.first_day + timedelta(days=step), self.zone)

    def share(self, at: datetime) -> float:
        """0 at the begin of the first step, 1 at the end of the last."""
        if self.step_s != DAY_S:
            return (at.timestamp() - self.begin_s) / self.length_s
        days = (at.date() - self.first_day).days
        return (days + (at.hour * 3600 + at.minute * 60 + at.second) / DAY_S) / self.steps


def time_scale(window: HistoryWindow, zone: tzinfo | None) -> TimeScale:
    return TimeScale(window.begin_s, window.step_s, max(1, len(window.points)), zone)


def local(at_s: int, zone: tzinfo | None) -> datetime:
    """The civil time at a Unix time."""
    return datetime.fromtimestamp(at_s, UTC).astimezone(zone)


def midnight(day: date, zone: tzinfo | None) -> datetime:
    """When the day begins."""
    return civil(day, 0, zone)


def civil(day: date, minute: int, zone: tzinfo | None) -> datetime:
    """A time of the day, with its offset from UTC; one that a clock change leaves out is as much later."""
    naive = datetime.combine(day, time(minute // 60, minute % 60))
    return naive.astimezone() if zone is None else naive.replace(tzinfo=zone)

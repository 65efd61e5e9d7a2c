"""Roll-ups: steps of five minutes, of an hour and of a civil day, each in chunks that are stored as one value.

An hour of five-minute steps is added to the chunks once, and a step is never computed from means. Whatever the clock
says, a raw value is in exactly one step of each length: the one of its time.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import NamedTuple

from node.history.packing import Sheet
from node.history.steps import Steps

RECENT_S, FIVE_MINUTES_S, HOUR_S, DAY_S = 10, 300, 3_600, 86_400
HOUR_STEPS = HOUR_S // FIVE_MINUTES_S
_EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class RollUp:
    """Steps of one length, as they are stored."""

    step_s: int
    length: int
    """Steps in a chunk: of a day by UTC, or of a month for steps of a civil day."""
    chunks_max: int
    """How many chunks are kept: those nearest to the present, so that a wrong clock costs a chunk and not the others."""


ROLL_UPS = {
    each.step_s: each
    for each in (
        RollUp(FIVE_MINUTES_S, 288, 15),  # 14 days, and the present one
        RollUp(HOUR_S, 24, 91),
        RollUp(
            DAY_S, 31, 38
        ),  # 3 years of at most 366 days, wherever in a month they begin, and the present month
    )
}


class ChunkKey(NamedTuple):
    """What a chunk is of."""

    step_s: int
    begun_day: int
    """Number of its first day since 1970."""
    series: str


class StepKey(NamedTuple):
    """A step of one length in time."""

    begun_day: int
    """Of its chunk."""
    at: int
    """Its place in the chunk."""


def step_key(step_s: int, moment_s: int, zone: tzinfo) -> StepKey:
    """The step in which a Unix time is."""
    if step_s == DAY_S:
        day = civil_day(moment_s, zone)
        return StepKey(day.replace(day=1).toordinal() - _EPOCH, day.day - 1)
    day_number, second = divmod(moment_s, DAY_S)
    return StepKey(day_number, second // step_s)


def civil_day(moment_s: int, zone: tzinfo) -> date:
    return datetime.fromtimestamp(moment_s, zone).date()


def day_begins(day: date, zone: tzinfo) -> int:
    """Unix time at which the civil day begins; a day has 23 or 25 hours when the clocks change."""
    local = datetime(day.year, day.month, day.day, tzinfo=zone)
    # A midnight that the clocks skip is the moment at which they do.
    return int(local.astimezone(UTC).timestamp())


def step_begins(step_s: int, begin_s: int, end_s: int, zone: tzinfo) -> Iterator[int]:
    """Begins of the steps that a stretch of time touches, oldest first."""
    if begin_s >= end_s:
        return
    if step_s != DAY_S:
        yield from range(begin_s // step_s * step_s, end_s, step_s)
        return
    day, last = civil_day(begin_s, zone), civil_day(end_s - 1, zone)
    while day <= last:
        yield day_begins(day, zone)
        day += timedelta(days=1)


def step_keys(step_s: int, begin_s: int, end_s: int, zone: tzinfo) -> tuple[StepKey, ...]:
    """The steps that a stretch of time touches, oldest first."""
    if begin_s >= end_s:
        return ()
    if step_s != DAY_S:
        return tuple(step_key(step_s, each, zone) for each in step_begins(step_s, begin_s, end_s, zone))
    first, last = civil_day(begin_s, zone).toordinal(), civil_day(end_s - 1, zone).toordinal()
    days = map(date.fromordinal, range(first, last + 1))
    return tuple(StepKey(day.toordinal() - day.day + 1 - _EPOCH, day.day - 1) for day in days)


def chunk_keys(hour_s: int, names: Iterable[str], zone: tzinfo) -> Iterator[ChunkKey]:
    """The chunks to which the hour that begins then is added."""
    ends_s = hour_s + HOUR_S - 1
    for step_s in ROLL_UPS:
        days = {step_key(step_s, each, zone).begun_day for each in (hour_s, ends_s)}
        yield from (ChunkKey(step_s, day, name) for name in names for day in days)


def add_hour(chunks: dict[ChunkKey, Steps], hour_s: int, sheet: Sheet, zone: tzinfo) -> None:
    """Adds an hour of five-minute steps to the chunks of each length; chunks that are missing are begun."""
    begins = range(hour_s, hour_s + HOUR_S, FIVE_MINUTES_S)
    days = [step_key(DAY_S, each, zone) for each in begins]
    fine, hour = step_key(FIVE_MINUTES_S, hour_s, zone), step_key(HOUR_S, hour_s, zone)
    for name, steps in sheet.items():
        _chunk(chunks, FIVE_MINUTES_S, fine, name).join_all(fine.at, steps)
        _chunk(chunks, HOUR_S, hour, name).join(hour.at, steps.together())
        for day in dict.fromkeys(days):
            # Where midnight is not at a full hour by UTC, an hour is in two days.
            first, after = days.index(day), len(days) - days[::-1].index(day)
            _chunk(chunks, DAY_S, day, name).join(day.at, steps.together(first, after))


def _chunk(chunks: dict[ChunkKey, Steps], step_s: int, key: StepKey, name: str) -> Steps:
    wanted = ChunkKey(step_s, key.begun_day, name)
    if wanted not in chunks:
        chunks[wanted] = Steps(ROLL_UPS[step_s].length)
    return chunks[wanted]


def to_forget(begun_days: Iterable[int], chunks_max: int, today: int) -> tuple[int, ...]:
    """Of the days at which chunks begin, those that are farthest from the present one and more than are kept."""
    by_distance = sorted(set(begun_days), key=lambda day: (abs(day - today), day))
    return tuple(by_distance[chunks_max:])

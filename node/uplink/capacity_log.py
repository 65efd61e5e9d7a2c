"""Log of what the line carried: for each day, how many seconds it carried how much, by direction. Pure.

Kept are the days nearest to the present one, so that a wrong clock costs one day of the log.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from node.units import NO_RATES, BitsPerSecond
from node.uplink.autorate import Direction

DAYS_KEPT = 14
ENOUGH_S = 3_600
"""With less in a direction nothing is said of it."""
LOW_PERMILLE = 100
"""The part of the time in which the line may carry less than `low`."""
OCTAVE_BUCKETS, FIRST_OCTAVE, OCTAVES = 16, 10, 30
"""A bucket is 1/16 to 1/31 of its rate wide; the first has all rates under a kbit/s (1,024 bit/s), and the last what is over
a Tbit/s."""
BUCKETS = 1 + OCTAVE_BUCKETS * OCTAVES
SECONDS_MAX = 100_000
"""In a bucket and in a day: a little more than the longest day has, because a clock can be set back."""
TEXT_CHARS_MAX = 200_000
"""A text from elsewhere that is longer is not read; a full log is shorter."""

_FRACTION_BITS = OCTAVE_BUCKETS.bit_length() - 1
_LAST_RATE = (1 << FIRST_OCTAVE + OCTAVES) - 1

Seconds = Mapping[int, int]
"""Number of seconds, by bucket."""


@dataclass(frozen=True, slots=True)
class CapacityDay:
    down: Seconds = field(default_factory=dict)
    up: Seconds = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CapacityLog:
    days: Mapping[date, CapacityDay] = field(default_factory=dict)


NOTHING_LOGGED = CapacityLog()


def counted(log: CapacityLog, today: date | None, rates: Mapping[Direction, BitsPerSecond]) -> CapacityLog:
    """The log after one more second, in which the line carried this; a direction that is missing was not known. A second
    of an unknown day is not counted."""
    if today is None or not rates:
        return log
    second = CapacityDay(**{direction: {bucket_of(rate): 1} for direction, rate in rates.items()})
    return CapacityLog(_nearest({**log.days, today: _sum(log.days.get(today), second)}, today))


def merged(log: CapacityLog, other: CapacityLog) -> CapacityLog:
    """What is in either; for what was counted before the stored log could be read."""
    days = {**log.days}
    for day, counts in other.days.items():
        days[day] = _sum(days.get(day), counts)
    return CapacityLog(_nearest(days, max(days))) if days else log


def low(log: CapacityLog, today: date | None) -> Mapping[Direction, BitsPerSecond]:
    """What the line carried at least in nine tenths of the time that was counted in the last 14 days, by direction; a
    direction with less than an hour of it is missing, and both are while the day is unknown."""
    if today is None:
        return {}
    days = [counts for day, counts in log.days.items() if 0 <= (today - day).days < DAYS_KEPT]
    sums: dict[Direction, Counter[int]] = {"down": Counter(), "up": Counter()}
    for counts in days:
        sums["down"].update(counts.down)
        sums["up"].update(counts.up)
    return {way: _lowest(seconds) for way, seconds in sums.items() if seconds.total() >= ENOUGH_S}


def bucket_of(rate: BitsPerSecond) -> int:
    rate = BitsPerSecond(min(rate, _LAST_RATE))
    octave = rate.bit_length() - 1
    if octave < FIRST_OCTAVE:
        return 0
    fraction = (rate >> (octave - _FRACTION_BITS)) % OCTAVE_BUCKETS
    return 1 + (octave - FIRST_OCTAVE) * OCTAVE_BUCKETS + fraction


def edge_of(bucket: int) -> BitsPerSecond:
    """The lowest rate of a bucket."""
    if bucket == 0:
        return BitsPerSecond(0)
    octave, fraction = divmod(bucket - 1, OCTAVE_BUCKETS)
    return BitsPerSecond((OCTAVE_BUCKETS + fraction) << (octave + FIRST_OCTAVE - _FRACTION_BITS))


def to_text(log: CapacityLog) -> str:
    """JSON: by day, for each direction the first bucket and the seconds of that one and of those after it."""
    days = {f"{day}": [_run_of(counts.down), _run_of(counts.up)] for day, counts in sorted(log.days.items())}
    return json.dumps(days, separators=(",", ":"))


def from_text(text: str) -> CapacityLog:
    """What `to_text` wrote; an empty log if the text is anything else."""
    if len(text) > TEXT_CHARS_MAX:
        return NOTHING_LOGGED
    try:
        days = {date.fromisoformat(day): CapacityDay(*map(_read_run, runs)) for day, runs in _items(text)}
    except (ValueError, TypeError, RecursionError):
        return NOTHING_LOGGED
    return CapacityLog(days) if len(days) <= DAYS_KEPT else NOTHING_LOGGED


def _items(text: str) -> Iterator[tuple[str, Any]]:
    """Raises ValueError."""
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("no object")
    yield from found.items()


def _run_of(seconds: Seconds) -> list[int]:
    if not seconds:
        return []
    first, last = min(seconds), max(seconds)
    return [first, *(seconds.get(bucket, 0) for bucket in range(first, last + 1))]


def _read_run(run: Any) -> Seconds:
    """Raises ValueError or TypeError."""
    if run == []:
        return {}
    first, *counts = run
    if not all(type(each) is int and 0 <= each <= SECONDS_MAX for each in run):
        raise ValueError("no number of seconds")
    if first + len(counts) > BUCKETS:
        raise ValueError("no bucket")
    return {bucket: count for bucket, count in enumerate(counts, first) if count}


def _sum(day: CapacityDay | None, other: CapacityDay) -> CapacityDay:
    return other if day is None else CapacityDay(_added(day.down, other.down), _added(day.up, other.up))


def _added(seconds: Seconds, others: Seconds) -> Seconds:
    more = {bucket: min(SECONDS_MAX, seconds.get(bucket, 0) + count) for bucket, count in others.items()}
    return {**seconds, **more}


def _nearest(days: Mapping[date, CapacityDay], today: date) -> Mapping[date, CapacityDay]:
    if len(days) <= DAYS_KEPT:
        return days
    kept = sorted(days, key=lambda day: (abs((day - today).days), day))[:DAYS_KEPT]
    return {day: days[day] for day in kept}


def _lowest(seconds: Seconds) -> BitsPerSecond:
    """The rate below which the line was in at most `LOW_PERMILLE` of these seconds."""
    total, passed = sum(seconds.values()), 0
    for bucket in sorted(seconds):
        passed += seconds[bucket]
        if passed * 1000 > total * LOW_PERMILLE:
            return edge_of(bucket)
    return NO_RATES.down

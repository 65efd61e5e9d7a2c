"""Cumulative kernel counters to deltas: resets never lose or invent a byte, and nothing is booked twice."""

from collections.abc import Mapping
from dataclasses import dataclass

from node.units import NO_USAGE, Bytes, Usage


@dataclass(frozen=True, slots=True)
class Reading:
    """All device counters at one instant, as the kernel gave them."""

    counters_id: str
    """Random name of one life of the counters: another name means that all of them began again at zero."""
    counted: Mapping[int, Usage]
    """Cumulative bytes by device mark."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """How far the counters have been booked; stored in the same transaction as what was booked."""

    counters_id: str
    booked: Mapping[int, Usage]


@dataclass(frozen=True, slots=True)
class Tally:
    """How many bookings of one life of the counters have been stored, as is noted beside the database."""

    counters_id: str
    bookings: int


def is_behind(bookings: int, tally: Tally | None, standing: Reading | None) -> bool:
    """Whether a database with so many bookings is not the one that the last booking of the standing counters went to:
    a new one, or a copy of before. What is missing in it was booked."""
    is_theirs = tally is not None and standing is not None and tally.counters_id == standing.counters_id
    return is_theirs and tally is not None and bookings < tally.bookings


def goes_on_from(
    before: Baseline | None, standing: Reading | None, bookings: int, tally: Tally | None
) -> Baseline | None:
    """Where counting goes on at a start, from the stored baseline and the counters that stand (None when none do: ours
    begin at zero). Counters without a history in the database are the baseline, and none of their bytes is booked a
    second time; unless the tally says that nothing of them was ever stored: then all of it is still to be booked."""
    if standing is None:
        return before
    if before is not None and before.counters_id == standing.counters_id:
        return baseline(standing) if is_behind(bookings, tally, standing) else before
    was_never_stored = tally == Tally(standing.counters_id, 0)
    return Baseline(standing.counters_id, {}) if was_never_stored else baseline(standing)


def deltas(before: Baseline | None, reading: Reading) -> dict[int, Usage]:
    """What each device used since `before`; devices that used nothing are left out.

    A counter below its baseline was reset, so all of it is new. A baseline of another life counts as zero.
    """
    booked: Mapping[int, Usage] = {}
    if before is not None and before.counters_id == reading.counters_id:
        booked = before.booked
    used = {mark: _since(booked.get(mark, NO_USAGE), now) for mark, now in reading.counted.items()}
    return {mark: usage for mark, usage in used.items() if usage.down or usage.up}


def baseline(reading: Reading) -> Baseline:
    """The baseline after everything in `reading` has been booked."""
    return Baseline(reading.counters_id, reading.counted)


def _since(booked: Usage, now: Usage) -> Usage:
    return Usage(
        Bytes(now.down - booked.down if now.down >= booked.down else now.down),
        Bytes(now.up - booked.up if now.up >= booked.up else now.up),
    )

"""From cumulative kernel counters to deltas. A counter reset loses or adds no bytes, and nothing is booked
twice."""

from collections.abc import Mapping
from dataclasses import dataclass

from node.units import NO_USAGE, Bytes, Usage


@dataclass(frozen=True, slots=True)
class Reading:
    """All device counters at one instant, as read from the kernel."""

    counters_id: str
    """Random id of one incarnation of the counters; a new id means that all counters restarted at zero."""
    counted: Mapping[int, Usage]
    """Cumulative bytes by device mark."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """The last counter values that were booked; stored in the same transaction as the usage."""

    counters_id: str
    booked: Mapping[int, Usage]


@dataclass(frozen=True, slots=True)
class Tally:
    """Number of stored bookings of one incarnation of the counters, as written to the tally file."""

    counters_id: str
    bookings: int


def is_behind(bookings: int, tally: Tally | None, standing: Reading | None) -> bool:
    """Whether a database with this number of bookings lacks the last booking of the current counters: it is
    new, or an old copy. The bytes it lacks were booked before."""
    is_theirs = tally is not None and standing is not None and tally.counters_id == standing.counters_id
    return is_theirs and tally is not None and bookings < tally.bookings


def goes_on_from(
    before: Baseline | None, standing: Reading | None, bookings: int, tally: Tally | None
) -> Baseline | None:
    """Baseline at start, from the stored baseline and the current counters (None if there are none; new ones
    start at zero).

    Counters that the database does not know, or of which it lacks bookings, become the baseline as they are, so
    that no byte is booked twice. If the tally says that none of their bookings was ever stored, the baseline is
    zero instead and all their bytes are booked.
    """
    if standing is None:
        return before
    if before is not None and before.counters_id == standing.counters_id:
        return baseline(standing) if is_behind(bookings, tally, standing) else before
    was_never_stored = tally == Tally(standing.counters_id, 0)
    return Baseline(standing.counters_id, {}) if was_never_stored else baseline(standing)


def deltas(before: Baseline | None, reading: Reading) -> dict[int, Usage]:
    """Usage of each device since `before`; devices without usage are left out.

    A counter below its baseline was reset, so its whole value is new. A baseline of another incarnation
    counts as zero.
    """
    booked: Mapping[int, Usage] = {}
    if before is not None and before.counters_id == reading.counters_id:
        booked = before.booked
    used = {mark: _since(booked.get(mark, NO_USAGE), now) for mark, now in reading.counted.items()}
    return {mark: usage for mark, usage in used.items() if usage.down or usage.up}


def baseline(reading: Reading) -> Baseline:
    """The baseline after everything in `reading` was booked."""
    return Baseline(reading.counters_id, reading.counted)


def _since(booked: Usage, now: Usage) -> Usage:
    return Usage(
        Bytes(now.down - booked.down if now.down >= booked.down else now.down),
        Bytes(now.up - booked.up if now.up >= booked.up else now.up),
    )


def joined(counters_id: str, up: Mapping[int, int], down: Mapping[int, int]) -> Reading:
    """Bytes of each mark in both directions; a missing counter means 0."""
    marks = up.keys() | down.keys()
    return Reading(counters_id, {m: Usage(Bytes(down.get(m, 0)), Bytes(up.get(m, 0))) for m in marks})

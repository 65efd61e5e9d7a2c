"""Usage of each account in intervals of five minutes, from which a preview of other rules is computed.

Only if the community decided so, only intervals in which an account was active, and only of times that are certain: while
the clock is synchronized and has not just been set.
"""

from collections.abc import Mapping
from typing import NamedTuple

from node.units import NO_USAGE, AccountId, Monotonic, Usage

INTERVAL_S = 300
KEEP_INTERVALS_DAYS = 14
ACTIVE_BYTES = 100_000
"""In both directions together: with less in an interval an account is not active. Phones that nobody uses send some."""
UNSAVED_MAX = 288
"""Intervals that are kept in memory while nothing can be stored."""
CLOCK_SET_MS = 60_000
"""A clock that moved so far against the monotonic one between two readings has been set."""


class IntervalUsage(NamedTuple):
    """Of one account in one interval. A tuple for speed: hundreds of thousands are read for a preview."""

    used: Usage
    is_busy: bool
    """Whether the uplink was busy while the account used some of it."""


def kept_times(now_s: int) -> tuple[int, int]:
    """Intervals that begin between these times are kept; later ones are of a clock that was wrong."""
    return now_s - KEEP_INTERVALS_DAYS * 86_400, now_s + INTERVAL_S


type AccountUsage = Mapping[AccountId, IntervalUsage]
type Intervals = Mapping[int, AccountUsage]
"""By the beginning of the interval in Unix time."""


class IntervalMeter:
    """Counts what readings found. What it gives to be stored are whole intervals, so that storing them twice changes
    nothing. Owned by the control loop."""

    def __init__(self) -> None:
        self._usage: dict[int, dict[AccountId, IntervalUsage]] = {}
        """The latest interval, and those before it that are not stored."""
        self._saved: dict[int, AccountUsage] = {}
        """What is stored of these intervals."""
        self._read_ms: Monotonic | None = None
        self._offset_ms: int | None = None
        """Of the civil clock against the monotonic one, at the last reading."""

    def go_on_from(self, read_ms: Monotonic | None, saved: Intervals) -> None:
        """After a start: the time of the last reading that is stored, if it was in this boot, and the last intervals as they
        are stored. May come after the first readings."""
        if self._read_ms is None:
            self._read_ms = read_ms
        for begun, usage in saved.items():
            self._saved[begun] = dict(usage)
            for account, each in usage.items():
                self._add(begun, account, each)

    def count(
        self, by_account: Mapping[AccountId, Usage], now: Monotonic, wall_ms: int | None, *, is_busy: bool
    ) -> None:
        """What was used since the last reading. `wall_ms` is Unix time, None while it is not certain or nothing is to be
        kept. What was used over more than an interval, or while the clock was set, is left out."""
        elapsed = None if self._read_ms is None else now - self._read_ms
        before, offset = self._offset_ms, None if wall_ms is None else wall_ms - now
        self._read_ms, self._offset_ms = now, offset
        if before is not None and offset is not None and abs(offset - before) > CLOCK_SET_MS:
            # Nobody knows since when the clock had been wrong.
            self._usage = {begun: dict(usage) for begun, usage in self._saved.items()}
            return
        if wall_ms is None or elapsed is None or elapsed > INTERVAL_S * 1000:
            return
        begun = wall_ms // 1000 // INTERVAL_S * INTERVAL_S
        for account, used in by_account.items():
            if used != NO_USAGE:
                self._add(begun, account, IntervalUsage(used, is_busy))
        while len(self._usage) > UNSAVED_MAX:
            del self._usage[min(self._usage)]

    def erase(self, account: AccountId) -> None:
        """Drops what was counted of the account."""
        self._usage = {begun: _without(usage, account) for begun, usage in self._usage.items()}
        self._saved = {begun: _without(usage, account) for begun, usage in self._saved.items()}

    def unsaved(self) -> Intervals:
        """Copies of the intervals that are not stored as they are."""
        return {
            begun: dict(usage)
            for begun, usage in self._usage.items()
            if usage and usage != self._saved.get(begun)
        }

    def stored(self, intervals: Intervals) -> None:
        """These were stored."""
        self._saved.update(intervals)
        latest = max(self._usage, default=0)
        self._usage = {
            begun: usage
            for begun, usage in self._usage.items()
            if begun == latest or usage != self._saved.get(begun)
        }
        self._saved = {begun: usage for begun, usage in self._saved.items() if begun in self._usage}

    def _add(self, begun: int, account: AccountId, more: IntervalUsage) -> None:
        usage = self._usage.setdefault(begun, {})
        known = usage.get(account)
        if known is not None:
            more = IntervalUsage(known.used + more.used, known.is_busy or more.is_busy)
        usage[account] = more


def _without(usage: AccountUsage, account: AccountId) -> dict[AccountId, IntervalUsage]:
    return {each: used for each, used in usage.items() if each != account}


def highest(one: IntervalUsage, other: IntervalUsage) -> IntervalUsage:
    """Of the same account in the same interval, counted up to different times."""
    used = Usage(max(one.used.down, other.used.down), max(one.used.up, other.used.up))
    return IntervalUsage(used, one.is_busy or other.is_busy)


def active(usage: AccountUsage) -> dict[AccountId, IntervalUsage]:
    """Without accounts that were not active in the interval, which is over."""
    return {account: each for account, each in usage.items() if each.used.down + each.used.up >= ACTIVE_BYTES}

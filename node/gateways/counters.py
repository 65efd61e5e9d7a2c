"""From the cumulative counters that a gateway reports for a client to the bytes to be booked.

Nothing here books a byte twice, and whatever is missing or unlikely is not booked: a wrong report costs the node, not the
person.
"""

from dataclasses import dataclass
from typing import Literal

from node.units import NO_USAGE, BitsPerSecond, Bytes, Milliseconds, Monotonic, Usage

COUNTER_MAX = 2**53 - 1
"""What every JSON parser represents exactly, so that nodes can tell each other: 9 petabytes. No router counts to it."""
LINE_MAX = BitsPerSecond(1_000_000_000)
"""No more fits through a community router."""
LATE_MS = Milliseconds(60_000)
"""Reports may come so much closer together than what they report."""
UNTIMED_MS = Milliseconds(3_600_000)
"""What a report may hold when this node does not know the time of the one before: it was not running."""

CounterFinding = Literal["", "lower", "restarted", "jump"]
"""``lower``: replayed or late, so ignored. ``restarted``: the gateway began to count from zero. ``jump``: more than a
line can carry; the part above that is not booked."""


@dataclass(frozen=True, slots=True)
class ReportedCounters:
    """Cumulative bytes of a client; None for a direction that the report lacks."""

    down: int | None
    up: int | None


@dataclass(frozen=True, slots=True)
class ClientCounters:
    """What of a client's counters at a gateway is booked."""

    booked: Usage = NO_USAGE
    at: Monotonic | None = None
    """Of the last report in this run of the node."""
    run: int = 0
    """Run of the gateway's program in which that report was made."""
    has_logged_in: bool = False
    """Since that report, so that its counters may have begun at zero."""


@dataclass(frozen=True, slots=True)
class CountedReport:
    """What one report changes."""

    after: ClientCounters
    added: Usage
    finding: CounterFinding


def count_report(
    before: ClientCounters,
    reported: ReportedCounters,
    *,
    run: int,
    now: Monotonic,
    line: BitsPerSecond = LINE_MAX,
) -> CountedReport:
    """The bytes since the last report. `run` counts the starts of the gateway's program, as far as this node saw them."""
    booked = before.booked
    said = Usage(_or(reported.down, booked.down), _or(reported.up, booked.up))
    is_lower = said.down < booked.down or said.up < booked.up
    is_next_run = run != before.run
    has_restarted = (before.has_logged_in and (is_next_run or is_lower)) or (is_next_run and is_lower)
    if is_lower and not has_restarted:
        return CountedReport(before, NO_USAGE, "lower")
    if has_restarted:
        booked, said = NO_USAGE, Usage(_or(reported.down, Bytes(0)), _or(reported.up, Bytes(0)))
    most = carried_since(before.at, now, line)
    added = Usage(_capped(said.down - booked.down, most), _capped(said.up - booked.up, most))
    is_capped = added != Usage(Bytes(said.down - booked.down), Bytes(said.up - booked.up))
    finding: CounterFinding = "jump" if is_capped else "restarted" if has_restarted else ""
    return CountedReport(ClientCounters(said, now, run), added, finding)


def carried_since(at: Monotonic | None, now: Monotonic, line: BitsPerSecond = LINE_MAX) -> int:
    """The most bytes that a line can have carried in one direction since a report at that time; None: before this run."""
    elapsed = UNTIMED_MS if at is None else max(0, now - at) + LATE_MS
    return int(line) * elapsed // 8_000


def logged_in(counters: ClientCounters, now: Monotonic) -> ClientCounters:
    """After a login: the gateway's counters of the client may begin at zero."""
    at = now if counters.at is None else counters.at
    return ClientCounters(counters.booked, at, counters.run, has_logged_in=True)


def _or(reported: int | None, otherwise: Bytes) -> Bytes:
    is_count = reported is not None and 0 <= reported <= COUNTER_MAX
    return Bytes(reported) if reported is not None and is_count else otherwise


def _capped(number: int, most: int) -> Bytes:
    return Bytes(min(number, most))

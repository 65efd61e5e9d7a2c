"""Whether a clock was set, from how far civil and monotonic time are apart."""

from dataclasses import dataclass

from node.alerts.alert_list import CLOCK_JUMP_S
from node.units import Monotonic


@dataclass(frozen=True, slots=True)
class ClockReading:
    """Both clocks at one moment."""

    unix_s: int
    monotonic: Monotonic
    is_synced: bool
    """Whether the clock was synchronized: what a time server then sets at a start is no jump."""


def jump_s(before: ClockReading | None, now: ClockReading) -> int:
    """By how many seconds a synchronized clock was set meanwhile; 0 for less than CLOCK_JUMP_S, or if it was not
    synchronized before."""
    if before is None or not before.is_synced:
        return 0
    moved = now.unix_s - before.unix_s - (now.monotonic - before.monotonic) // 1_000
    return moved if abs(moved) >= CLOCK_JUMP_S else 0

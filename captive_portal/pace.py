"""How often one device may change something: each change is written to the disk, which is not made for thousands."""

from dataclasses import dataclass

from node.units import MacAddress

AT_ONCE_MAX = 120
"""Changes without a pause: more than any person makes."""
PER_S = 1
"""Then so many in each second."""
DEVICES_MAX = 4_096
"""Whoever changed nothing for longest is forgotten first, and begins anew."""


@dataclass(frozen=True, slots=True)
class _Left:
    """What a device may still change, as it was at `since` (seconds of the portal's clock)."""

    changes: float
    since: float


class Pace:
    """Counts for each device alone, so that nobody waits for another."""

    def __init__(self) -> None:
        self._left: dict[MacAddress, _Left] = {}

    def __len__(self) -> int:
        return len(self._left)

    def may_change(self, mac: MacAddress, now: float) -> bool:
        """Whether this device may change one more thing at `now`; it counts when it may."""
        before = self._left.pop(mac, _Left(AT_ONCE_MAX, now))
        changes = min(float(AT_ONCE_MAX), before.changes + (now - before.since) * PER_S)
        if len(self._left) >= DEVICES_MAX:
            del self._left[next(iter(self._left))]
        may = changes >= 1
        self._left[mac] = _Left(changes - 1 if may else changes, now)
        return may

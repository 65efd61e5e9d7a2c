"""How often one device may do what costs the node much: a burst that no person ever makes, then a steady few."""

from dataclasses import dataclass

DEVICES_MAX = 4_096
"""Whoever did nothing for longest is forgotten first, and begins anew."""


@dataclass(frozen=True, slots=True)
class _Left:
    """What a device may still do, as it was at `since` (seconds of the portal's clock)."""

    times: float
    since: float


class TokenBucket:
    """Counts for each device alone, so that nobody waits for another: `at_once` without a pause, `per_s` on end."""

    def __init__(self, at_once: int, per_s: float) -> None:
        self._at_once, self._per_s = float(at_once), per_s
        self._left: dict[str, _Left] = {}

    def __len__(self) -> int:
        return len(self._left)

    def take(self, device: str, now: float) -> bool:
        """Whether this device may do it once more at `now`; it counts when it may."""
        before = self._left.pop(device, _Left(self._at_once, now))
        times = min(self._at_once, before.times + (now - before.since) * self._per_s)
        if len(self._left) >= DEVICES_MAX:
            del self._left[next(iter(self._left))]
        may = times >= 1
        self._left[device] = _Left(times - 1 if may else times, now)
        return may

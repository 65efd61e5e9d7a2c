"""Token bucket per device, for requests that cost the node much."""

from dataclasses import dataclass

DEVICES_MAX = 4_096
"""The device that has been idle longest is evicted first, and starts with a full bucket."""


@dataclass(frozen=True, slots=True)
class _Left:
    """Tokens left at `since` (seconds of the portal's clock)."""

    times: float
    since: float


class TokenBucket:
    """One bucket for each device: burst `at_once`, refill `per_s` tokens a second."""

    def __init__(self, at_once: int, per_s: float) -> None:
        self._at_once, self._per_s = float(at_once), per_s
        self._left: dict[str, _Left] = {}

    def __len__(self) -> int:
        return len(self._left)

    def take(self, device: str, now: float) -> bool:
        """Takes one token at `now`; False when the bucket is empty."""
        before = self._left.pop(device, _Left(self._at_once, now))
        times = min(self._at_once, before.times + (now - before.since) * self._per_s)
        if len(self._left) >= DEVICES_MAX:
            del self._left[next(iter(self._left))]
        may = times >= 1
        self._left[device] = _Left(times - 1 if may else times, now)
        return may

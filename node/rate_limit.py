"""Rate limits by token buckets: a burst, and a steady rate after it (RFC 2697)."""

import math
from dataclasses import dataclass

DEVICES_MAX = 4_096
"""Of one `DeviceRateLimit`: the device that has been idle longest is evicted first, and starts with a full bucket."""


@dataclass(slots=True)
class TokenBucket:
    """At most `at_once` tokens, as many at first; `per_s` more come each second. `since` is when `left` was right, in
    seconds of the caller's clock."""

    at_once: float
    per_s: float
    since: float
    left: float = math.inf
    """`take` limits it to `at_once`."""

    def take(self, now: float, tokens: float = 1) -> bool:
        """Takes `tokens` at `now`; False, and nothing is taken, when fewer are left."""
        self.left = min(self.at_once, self.left + (now - self.since) * self.per_s)
        self.since = now
        may = self.left >= tokens
        if may:
            self.left -= tokens
        return may


class DeviceRateLimit:
    """A token bucket for each device, for requests that cost the node much: burst `at_once`, refill `per_s` tokens a
    second."""

    def __init__(self, at_once: int, per_s: float) -> None:
        self._at_once, self._per_s = at_once, per_s
        self._buckets: dict[str, TokenBucket] = {}

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, device: str, now: float) -> bool:
        """Takes one token at `now`; False when the device's bucket is empty."""
        bucket = self._buckets.pop(device, None)
        if bucket is None:
            bucket = TokenBucket(self._at_once, self._per_s, now)
        if len(self._buckets) >= DEVICES_MAX:
            del self._buckets[next(iter(self._buckets))]
        self._buckets[device] = bucket
        return bucket.take(now)

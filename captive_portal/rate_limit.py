"""Rate limit per device, for requests that cost the node much."""

from node.token_bucket import TokenBucket

DEVICES_MAX = 4_096
"""The device that has been idle longest is evicted first, and starts with a full bucket."""


class DeviceRateLimit:
    """A token bucket for each device: burst `at_once`, refill `per_s` tokens a second."""

    def __init__(self, at_once: int, per_s: float) -> None:
        self._at_once, self._per_s = at_once, per_s
        self._buckets: dict[str, TokenBucket] = {}

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, device: str, now: float) -> bool:
        """Takes one token at `now`; False when the device's bucket is empty."""
        bucket = self._buckets.pop(device, None) or TokenBucket.full(self._at_once, self._per_s, now)
        if len(self._buckets) >= DEVICES_MAX:
            del self._buckets[next(iter(self._buckets))]
        self._buckets[device] = bucket
        return bucket.take(now)

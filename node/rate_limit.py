"""Limits of what one client may do: rates by token buckets (RFC 2697), and requests at once."""

import math
from collections import Counter
from collections.abc import Hashable, Iterator
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

    def take(self, device: str, now: float, tokens: float = 1) -> bool:
        """Takes so many tokens at `now`; False, and nothing is taken, when the device's bucket has fewer."""
        bucket = self._buckets.pop(device, None)
        if bucket is None:
            bucket = TokenBucket(self._at_once, self._per_s, now)
        if len(self._buckets) >= DEVICES_MAX:
            del self._buckets[next(iter(self._buckets))]
        self._buckets[device] = bucket
        return bucket.take(now, tokens)


class ConcurrencyLimit[Party: Hashable]:
    """At most `at_work_max` parties of each device run at once; the others wait in FIFO order, and other devices are not
    affected."""

    def __init__(self, at_work_max: int) -> None:
        self._at_work_max = at_work_max
        self._at_work: Counter[str] = Counter()
        self._waiting: dict[str, dict[Party, None]] = {}
        self._called: Party | None = None

    def __len__(self) -> int:
        """Number of devices with a running or waiting party."""
        return len(self._at_work.keys() | self._waiting.keys())

    def begin(self, party: Party, device: str) -> bool:
        """Whether the party starts now; otherwise it is queued. It never overtakes queued parties."""
        has_room = self._at_work.get(device, 0) < self._at_work_max
        if party is self._called or (has_room and device not in self._waiting):
            self._at_work[device] += 1
            return True
        self._waiting.setdefault(device, {})[party] = None
        return False

    def end(self, device: str) -> bool:
        """A party of the device has finished; True if others are queued, to be started with `called`."""
        self._at_work[device] -= 1
        if not self._at_work[device]:
            del self._at_work[device]
        return device in self._waiting

    def called(self, device: str) -> Iterator[Party]:
        """Parties that may start now; each starts, or turns out to be closed, before the next is taken."""
        waiting = self._waiting.get(device, {})
        try:
            while waiting and self._at_work[device] < self._at_work_max:
                self._called = next(iter(waiting))
                self._take_out(self._called, device)
                yield self._called
        finally:
            self._called = None

    def waits(self, party: Party, device: str) -> bool:
        return party in self._waiting.get(device, ())

    def leave(self, party: Party, device: str) -> None:
        """Removes the party from the queue."""
        if party in self._waiting.get(device, ()):
            self._take_out(party, device)

    def _take_out(self, party: Party, device: str) -> None:
        waiting = self._waiting[device]
        del waiting[party]
        if not waiting:
            del self._waiting[device]

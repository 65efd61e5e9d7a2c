"""Per-device concurrency limit. Requests over the limit wait in FIFO order; other devices are not
affected."""

from collections import Counter
from collections.abc import Hashable, Iterator


class ConcurrencyLimit[Party: Hashable]:
    """At most `at_work_max` parties of each device run at once; the others wait in FIFO order."""

    def __init__(self, at_work_max: int) -> None:
        self._at_work_max = at_work_max
        self._at_work: Counter[str] = Counter()
        self._waiting: dict[str, dict[Party, None]] = {}
        self._called: Party | None = None

    def __len__(self) -> int:
        """Number of devices with a running or waiting party."""
        return len(self._at_work.keys() | self._waiting.keys())

    def may_begin(self, party: Party, device: str) -> bool:
        """Whether the party may start now; otherwise it is queued. It never overtakes queued parties."""
        has_room = self._at_work[device] < self._at_work_max
        if party is self._called or (has_room and device not in self._waiting):
            return True
        self._waiting.setdefault(device, {})[party] = None
        return False

    def begin(self, device: str) -> None:
        self._at_work[device] += 1

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
        if self.waits(party, device):
            self._take_out(party, device)

    def _take_out(self, party: Party, device: str) -> None:
        waiting = self._waiting[device]
        del waiting[party]
        if not waiting:
            del self._waiting[device]

"""Whose turn it is: one device that asks much at once waits for itself, and those of others go between."""

from collections import Counter
from collections.abc import Hashable, Iterator


class ConcurrencyLimit[Party: Hashable]:
    """A few of each device are at work at once; its others wait, and are called in the order in which they came."""

    def __init__(self, at_work_max: int) -> None:
        self._at_work_max = at_work_max
        self._at_work: Counter[str] = Counter()
        self._waiting: dict[str, dict[Party, None]] = {}
        self._called: Party | None = None

    def __len__(self) -> int:
        """Devices of which somebody is at work or waits."""
        return len(self._at_work.keys() | self._waiting.keys())

    def may_begin(self, party: Party, device: str) -> bool:
        """Whether it is its turn; otherwise it waits to be called. Nobody overtakes those that wait."""
        has_room = self._at_work[device] < self._at_work_max
        if party is self._called or (has_room and device not in self._waiting):
            return True
        self._waiting.setdefault(device, {})[party] = None
        return False

    def begin(self, device: str) -> None:
        self._at_work[device] += 1

    def end(self, device: str) -> bool:
        """One of the device has done its work; whether somebody waits to be `called`."""
        self._at_work[device] -= 1
        if not self._at_work[device]:
            del self._at_work[device]
        return device in self._waiting

    def called(self, device: str) -> Iterator[Party]:
        """Those whose turn it is now; each begins before the next is called, or has nothing to do any more."""
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
        """It waits no more."""
        if self.waits(party, device):
            self._take_out(party, device)

    def _take_out(self, party: Party, device: str) -> None:
        waiting = self._waiting[device]
        del waiting[party]
        if not waiting:
            del self._waiting[device]

"""When something that was called in vain is called again: ever more seldom (truncated exponential backoff)."""

from collections.abc import Hashable
from dataclasses import dataclass

from node.units import Milliseconds, Monotonic

CALLED_MAX = 1_024
"""Remembered; the one called longest ago is forgotten first."""
_DOUBLINGS_MAX = 16


@dataclass(frozen=True, slots=True)
class _Called:
    count: int
    again_at: Monotonic


class CallBackoff[Called: Hashable]:
    """What was called in vain. `again_min` doubles with each call, up to `again_max`."""

    def __init__(self, again_min: Milliseconds, again_max: Milliseconds) -> None:
        self._again_min, self._again_max = again_min, again_max
        self._called: dict[Called, _Called] = {}
        """The one called longest ago first."""

    def __contains__(self, called: Called) -> bool:
        return called in self._called

    def __len__(self) -> int:
        return len(self._called)

    def count(self, called: Called) -> int:
        """How many calls were in vain."""
        found = self._called.get(called)
        return found.count if found is not None else 0

    def is_due(self, called: Called, now: Monotonic) -> bool:
        """Whether it may be called now."""
        found = self._called.get(called)
        return found is None or now >= found.again_at

    def call(self, called: Called, now: Monotonic) -> None:
        """It is called now, and counts as called in vain until `answered`."""
        count = self.count(called)
        self._called.pop(called, None)
        if len(self._called) >= CALLED_MAX:
            del self._called[next(iter(self._called))]
        wait = min(self._again_max, self._again_min * 2 ** min(count, _DOUBLINGS_MAX))
        self._called[called] = _Called(count + 1, Monotonic(now + wait))

    def answered(self, called: Called) -> None:
        self._called.pop(called, None)

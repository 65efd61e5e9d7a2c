"""What is sent next on one connection, within its budget: of each priority the next frame waits here.

for priority in Priority:
    if queue.lacks(priority) and there is a frame of it: queue.put(priority, frame, now)
frame = queue.next_frame(now)       # None: wait queue.wait(now), or until there is something more urgent
"""

from collections.abc import Mapping
from types import MappingProxyType

from mesh.link_budget import ROOM_BYTES_MAX, LinkBudget, wire_bytes
from mesh.page_kind import Priority
from node.units import Milliseconds, Monotonic

ROOM_BYTES: Mapping[Priority, int] = MappingProxyType(
    {
        priority: 0
        if priority < Priority.REGISTRY
        else 4 * 1024
        if priority == Priority.REGISTRY
        else ROOM_BYTES_MAX
        for priority in Priority
    }
)
"""What each leaves in the bucket, so that what is more urgent goes at once."""


class LinkQueue:
    """At most one frame of each priority. The most urgent one goes first, and nothing less urgent before it; a part of the
    budget is for the one that waits longest, so that each frame goes in the end."""

    def __init__(self, budget: LinkBudget) -> None:
        self.budget = budget
        self._waiting: dict[Priority, tuple[Monotonic, bytes]] = {}

    def lacks(self, priority: Priority) -> bool:
        """Whether no frame of this priority waits here."""
        return priority not in self._waiting

    def put(self, priority: Priority, frame: bytes, now: Monotonic) -> None:
        """The next frame of a priority that it lacks."""
        self._waiting[priority] = now, frame

    def next_frame(self, now: Monotonic) -> bytes | None:
        """The frame to send now; None if none may be sent yet."""
        if not self._waiting:
            return None
        first, longest = min(self._waiting), self._longest()
        if self.budget.take(self._size(first), ROOM_BYTES[first], now):
            return self._leave(first)
        if self.budget.take_of_share(self._size(longest), now):
            return self._leave(longest)
        return None

    def wait(self, now: Monotonic) -> Milliseconds | None:
        """At least how long until `next_frame` may return one; None if none waits."""
        if not self._waiting:
            return None
        first, longest = min(self._waiting), self._longest()
        return self.budget.wait(self._size(first), ROOM_BYTES[first], self._size(longest), now)

    def _longest(self) -> Priority:
        return min(self._waiting, key=lambda priority: (self._waiting[priority][0], priority))

    def _size(self, priority: Priority) -> int:
        return wire_bytes(len(self._waiting[priority][1]))

    def _leave(self, priority: Priority) -> bytes:
        return self._waiting.pop(priority)[1]

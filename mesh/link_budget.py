"""How much this node may send on one connection: a token bucket in whole bits, with a share for what waits longest."""

from mesh.messages import FRAME_BYTES_MAX
from node.units import BitsPerSecond, Milliseconds, Monotonic

RATE_MIN = BitsPerSecond(16_000)
"""Also of a connection that is slower than 0.8 Mbit/s, or not measured yet."""
PART_PERCENT = 2
"""Of the rate that the connection was measured at."""
SHARE_PERCENT = 10
"""Of what may be sent, for the frame that waits longest, whatever its priority is."""
ROOM_BYTES_MAX = 24 * 1024
"""What bulk leaves in the bucket for more urgent frames."""
FRAME_MORE_BYTES, SEGMENT_MORE_BYTES, SEGMENT_BYTES = 30, 72, 1_428
"""What WebSocket and TLS add to a frame; TCP and IPv6 to each segment; and what fits into one."""


def wire_bytes(frame_bytes: int) -> int:
    """Bytes of IP packets for a frame of this length."""
    inside = frame_bytes + FRAME_MORE_BYTES
    return inside + -(-inside // SEGMENT_BYTES) * SEGMENT_MORE_BYTES


FRAME_WIRE_BYTES_MAX = wire_bytes(FRAME_BYTES_MAX)
MAIN_BYTES_MAX = FRAME_WIRE_BYTES_MAX + ROOM_BYTES_MAX
BURST_BYTES = MAIN_BYTES_MAX + FRAME_WIRE_BYTES_MAX
"""The most that is sent at once, after a pause: in no time is more sent than this and what the rate gives."""

_MILLIBITS_OF_A_BYTE = 8_000


class LinkBudget:
    """The first one begins full. `now` never goes back."""

    def __init__(self, now: Monotonic) -> None:
        self.rate = RATE_MIN
        """Bits per second that it gives."""
        self._filled = now
        # Thousandths of a bit: bits per second times milliseconds are whole ones.
        self._main, self._share = _millibits(MAIN_BYTES_MAX), 0

    def successor(self, now: Monotonic) -> "LinkBudget":
        """For another connection to the same neighbour, not measured yet: it has what is left here."""
        self._fill(now)
        made = LinkBudget(self._filled)
        made._main, made._share = self._main, self._share
        return made

    def measured(self, rate: BitsPerSecond, now: Monotonic) -> None:
        """The connection was measured at this rate."""
        self._fill(now)
        self.rate = BitsPerSecond(max(RATE_MIN, rate * PART_PERCENT // 100))

    def take(self, size: int, room: int, now: Monotonic) -> bool:
        """Spend so many bytes if as many as `room` are left then."""
        self._fill(now)
        wanted = _millibits(size)
        if self._main < wanted + _millibits(room):
            return False
        self._main -= wanted
        return True

    def take_of_share(self, size: int, now: Monotonic) -> bool:
        """Spend so many bytes of the share for what waits longest."""
        self._fill(now)
        wanted = _millibits(size)
        if self._share < wanted:
            return False
        self._share -= wanted
        return True

    def wait(self, size: int, room: int, longest: int, now: Monotonic) -> Milliseconds:
        """At least how long it takes until `take`, or `take_of_share` of `longest` bytes, may succeed; at least 1."""
        self._fill(now)
        of_main = _millibits(size + room) - self._main
        of_share = (_millibits(longest) - self._share) * 100 // SHARE_PERCENT
        return Milliseconds(max(1, min(of_main, of_share) // self.rate))

    def _fill(self, now: Monotonic) -> None:
        new = self.rate * max(0, now - self._filled)
        self._filled = max(now, self._filled)
        share_max = _millibits(FRAME_WIRE_BYTES_MAX)
        self._share += new * SHARE_PERCENT // 100
        rest = new - new * SHARE_PERCENT // 100 + max(0, self._share - share_max)
        self._share = min(share_max, self._share)
        self._main = min(_millibits(MAIN_BYTES_MAX), self._main + rest)


def _millibits(size: int) -> int:
    return size * _MILLIBITS_OF_A_BYTE

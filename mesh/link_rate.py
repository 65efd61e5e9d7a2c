"""The rate of one connection, as TCP reached it while it had something to send."""

from mesh.own_node_page import LinkCounters
from node.units import BitsPerSecond

BULK_BYTES = 16 * 1024
"""From so many on, what was sent between two looks says how fast the connection is; of less, most of the time is a round
trip, and only a higher rate counts."""
BUSY_US_MIN = 10_000
"""The kernel counts in steps of up to this."""


class LinkRate:
    """Call `look` about once a second while something is sent."""

    def __init__(self) -> None:
        self._acknowledged = self._busy_us = 0
        self._rate = BitsPerSecond(0)

    def look(self, counters: LinkCounters) -> BitsPerSecond:
        """What is known now; 0 for nothing."""
        sent = counters.acknowledged_bytes - self._acknowledged
        busy_us = counters.busy_us - self._busy_us
        self._acknowledged, self._busy_us = counters.acknowledged_bytes, counters.busy_us
        found = BitsPerSecond(max(0, sent) * 8_000_000 // max(BUSY_US_MIN, busy_us))
        if sent >= BULK_BYTES or found > self._rate:
            self._rate = found
        return self._rate

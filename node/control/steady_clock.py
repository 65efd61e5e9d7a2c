"""For how long a synchronized clock has not been set: what a wrong clock made old is not deleted."""

from datetime import datetime, timedelta

from node.control.ports import Clock
from node.units import Monotonic

CLOCK_STEP = timedelta(hours=1)
"""A clock that moved so far against the monotonic one has been set."""


class SteadyClock:
    """Watches one clock; look at it more often than the time for which it is to be steady."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since: tuple[Monotonic, datetime] | None = None

    def steady_ms(self, now: Monotonic) -> int:
        """Milliseconds since it was first seen synchronized, was last set, or `count_again` was called; 0 while it is not
        synchronized."""
        if self._clock.state() != "synced":
            self._since = None
            return 0
        civil, since = self._clock.civil(), self._since
        if since is None or abs((civil - since[1]) - timedelta(milliseconds=now - since[0])) > CLOCK_STEP:
            self._since = now, civil
            return 0
        return now - since[0]

    def count_again(self, now: Monotonic) -> None:
        """From now on, if it is synchronized."""
        self._since = None
        self.steady_ms(now)

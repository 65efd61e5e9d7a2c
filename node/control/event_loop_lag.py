"""How long the event loop keeps others waiting: the longest of the last minute."""

import asyncio
from collections import deque
from contextlib import suppress

WAITS_KEPT = 60


class EventLoopLag:
    """Measured where the control loop waits anyway, so that it does not wake the node: how much later than asked for it is
    woken."""

    def __init__(self) -> None:
        self._lags_us: deque[int] = deque(maxlen=WAITS_KEPT)

    @property
    def longest_us(self) -> int:
        """Of the last WAITS_KEPT waits that no event ended."""
        return max(self._lags_us, default=0)

    async def wait(self, event: asyncio.Event, until: float) -> None:
        """Until the event is set, or the loop's clock is there."""
        loop = asyncio.get_running_loop()
        until = max(until, loop.time())
        with suppress(TimeoutError):
            await asyncio.wait_for(event.wait(), until - loop.time())
            return
        self._lags_us.append(max(0, round((loop.time() - until) * 1_000_000)))

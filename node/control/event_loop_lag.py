"""How long the event loop keeps others waiting: the longest of the last minute."""

import asyncio
from collections import deque

STEP_S = 1.0
STEPS_KEPT = 60


class EventLoopLag:
    """Measures while `run` runs: how much later than asked for it is woken."""

    def __init__(self, step_s: float = STEP_S) -> None:
        self._step_s = step_s
        self._lags_us: deque[int] = deque(maxlen=STEPS_KEPT)

    @property
    def longest_us(self) -> int:
        """Of the last STEPS_KEPT steps."""
        return max(self._lags_us, default=0)

    async def run(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + self._step_s
            await asyncio.sleep(self._step_s)
            self._lags_us.append(max(0, round((loop.time() - due) * 1_000_000)))

"""Worker threads for calls to the kernel: one of each kind at a time, so that the event loop never waits for
them; and regular readings of the conntrack table."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager

from node.enforcement.plan import Kernel, TableUse

END_S = 8.0
"""How long closing waits for a running call, in seconds; the next `open` waits for it without a limit."""


class KernelThread:
    """One worker thread, shared by all runs of the control loop: while a call of one run hangs, the
    next run makes no second call."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._last: Future[None] | None = None

    @property
    def is_busy(self) -> bool:
        """True while a call of an earlier run is still running."""
        return self._last is not None and not self._last.done()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[ThreadPoolExecutor]:
        """Yields the executor after all calls of an earlier run have ended. Closing never joins
        a thread on the event loop."""
        await self._ended(None)
        executor = ThreadPoolExecutor(1, self._name)
        try:
            yield executor
        finally:
            self._last = executor.submit(_nothing)  # done when all calls before it are
            executor.shutdown(wait=False)
            await self._ended(END_S)

    async def _ended(self, seconds: float | None) -> None:
        if self._last is not None and not self._last.done():
            await asyncio.wait({asyncio.wrap_future(self._last)}, timeout=seconds)


def _nothing() -> None:
    """A task that does nothing: when it is done, so are all tasks queued before it."""


# Reads how full the conntrack table is, every LOOK_S seconds, off the event loop.

LOOK_S = 10.0


class FlowWatch:
    """The last reading is in `seen`, so that readers never wait."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self.seen = TableUse()

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            self.seen = await asyncio.to_thread(self._kernel.table_use)
            await asyncio.sleep(LOOK_S)

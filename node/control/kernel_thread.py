"""The threads that talk to the kernel: one of each kind at a time, and the event loop never waits for them."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager

END_S = 8.0
"""How long leaving waits for a call that is under way; the next one waits for it in any case."""


class KernelThread:
    """One worker thread, over all runs of the control loop: a call that hangs in one run keeps the next from making
    another at the same time."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._last: Future[None] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a call of an earlier run is still under way."""
        return self._last is not None and not self._last.done()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[ThreadPoolExecutor]:
        """The executor, once the calls of an earlier run have ended. On the way out nothing is joined on the loop."""
        await self._ended(None)
        executor = ThreadPoolExecutor(1, self._name)
        try:
            yield executor
        finally:
            self._last = executor.submit(_nothing)  # done when everything before it is
            executor.shutdown(wait=False)
            await self._ended(END_S)

    async def _ended(self, seconds: float | None) -> None:
        if self._last is not None and not self._last.done():
            await asyncio.wait({asyncio.wrap_future(self._last)}, timeout=seconds)


def _nothing() -> None:
    """A call that only shows that its turn has come."""

"""Looks now and then how full the kernel's connection tracking is, off the event loop."""

import asyncio

from node.enforcement.plan import TableUse
from node.enforcement.ports import Kernel

LOOK_S = 10.0


class FlowWatch:
    """What was seen last stands in `seen`; nobody who asks for it waits."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self.seen = TableUse()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self.seen = await asyncio.to_thread(self._kernel.table_use)
            await asyncio.sleep(LOOK_S)

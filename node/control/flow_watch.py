"""Reads how full the conntrack table is, every LOOK_S seconds, off the event loop."""

import asyncio

from node.enforcement.plan import TableUse
from node.enforcement.ports import Kernel

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

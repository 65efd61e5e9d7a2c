"""A portal in its own process, so that its memory can be measured: prints its port, and serves until killed."""

import asyncio
import sys

from node.control.reconciler import TICK_S
from tests.fakes.portal_server import open_portal_server, portal_node


async def serve() -> None:
    node = portal_node()
    node.tick_s = TICK_S  # as in a real node, so that nothing else is measured
    async with open_portal_server(node) as server:
        sys.stdout.write(f"{server.port}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve())

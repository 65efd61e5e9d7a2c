"""A portal in its own process, so that its memory can be measured: prints its port, and serves until killed."""

import asyncio
import sys

from tests.fakes.portal_server import open_portal_server


async def serve() -> None:
    async with open_portal_server() as server:
        sys.stdout.write(f"{server.port}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve())

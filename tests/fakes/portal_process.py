"""A portal as a program of its own, so that its memory can be weighed: prints its port, and serves until killed."""

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

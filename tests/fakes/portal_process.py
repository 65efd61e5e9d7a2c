"""A portal as a program of its own, so that its memory can be weighed: prints its port, and serves until killed."""

import asyncio
import sys

from tests.fakes.front_door import open_door


async def serve() -> None:
    async with open_door() as door:
        sys.stdout.write(f"{door.port}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve())

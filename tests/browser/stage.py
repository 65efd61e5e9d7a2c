"""The real portal and the real admins' door on this machine, before houses in memory."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass

from captive_portal.ports import GuestView
from node.units import NO_USAGE, MacAddress
from tests.fakes.front_door import open_door
from tests.fakes.house import COMMUNITY, FakeHouse

HOST = COMMUNITY.portal_host
NEWCOMER = GuestView("waiting", None, NO_USAGE, None, None, None)

Opening = Callable[[], AbstractAsyncContextManager[int]]
"""Opens a door, and gives its port while it stands open."""


@dataclass
class StagedHouse(FakeHouse):
    """Everyone who looks is `person`, whatever happens."""

    person: GuestView = NEWCOMER

    def guest(self, mac: MacAddress) -> GuestView:
        return self.person


def portal(**more: object) -> Opening:
    """The portal before a `StagedHouse` with these values."""

    @asynccontextmanager
    async def opening() -> AsyncIterator[int]:
        async with open_door(StagedHouse(**more)) as door:
            yield door.port

    return opening


@contextmanager
def served(opening: Opening, host: str = HOST) -> Iterator[str]:
    """The address of the first page, while the door stands open; the browser finds `HOST` on the loopback."""
    port: Future[int] = Future()
    stop: Future[Callable[[], object]] = Future()

    async def serve() -> None:
        over = asyncio.Event()
        loop = asyncio.get_running_loop()
        stop.set_result(lambda: loop.call_soon_threadsafe(over.set))
        # The loop's own thread is there from the start, for tests that count threads.
        await asyncio.to_thread(int)
        async with opening() as bound:
            port.set_result(bound)
            await over.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="door")
    thread.start()
    try:
        yield f"http://{host}:{port.result(10)}"
    finally:
        stop.result(10)()
        thread.join()

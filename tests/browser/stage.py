"""The real portal on this machine, before a house where one person stands still in one state."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass

from captive_portal.ports import GuestView
from node.units import NO_USAGE, MacAddress
from tests.fakes.front_door import open_door
from tests.fakes.house import COMMUNITY, FakeHouse

HOST = COMMUNITY.portal_host
NEWCOMER = GuestView("waiting", None, NO_USAGE, None, None, None)


@dataclass
class StagedHouse(FakeHouse):
    """Everyone who looks is `person`, whatever happens."""

    person: GuestView = NEWCOMER

    def guest(self, mac: MacAddress) -> GuestView:
        return self.person


@contextmanager
def served(house: FakeHouse) -> Iterator[str]:
    """The address of the portal's first page, while it serves; the browser finds `HOST` on the loopback."""
    port: Future[int] = Future()
    stop: Future[Callable[[], object]] = Future()

    async def serve() -> None:
        over = asyncio.Event()
        loop = asyncio.get_running_loop()
        stop.set_result(lambda: loop.call_soon_threadsafe(over.set))
        async with open_door(house) as door:
            port.set_result(door.port)
            await over.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="portal")
    thread.start()
    try:
        yield f"http://{HOST}:{port.result(10)}/"
    finally:
        stop.result(10)()
        thread.join()

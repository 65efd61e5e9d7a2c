"""A real portal on a real loopback socket, before a house in memory."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import cache

from captive_portal.framing import Limits
from captive_portal.render import Renderer
from captive_portal.web import Portal
from node.units import MacAddress
from tests.fakes.house import FakeCallers, FakeHouse

ANA, BEN = MacAddress("02:00:00:00:00:0a"), MacAddress("02:00:00:00:00:0b")
ANAS_ADDRESS, BENS_ADDRESS, STRANGERS_ADDRESS = "127.0.0.1", "127.0.0.2", "127.0.0.3"
SECRET = b"the portal's secret, of 32 bytes"


@dataclass
class FrontDoor:
    """Ana and Ben stand on the link; whoever asks from elsewhere is a stranger."""

    portal: Portal
    house: FakeHouse
    callers: FakeCallers
    port: int


@cache
def renderer() -> Renderer:
    """Read once for all doors of a run."""
    return Renderer()


@asynccontextmanager
async def open_door(house: FakeHouse | None = None, limits: Limits | None = None) -> AsyncIterator[FrontDoor]:
    house = house or FakeHouse()
    callers = FakeCallers({ANAS_ADDRESS: ANA, BENS_ADDRESS: BEN})
    portal = Portal(
        house,
        callers,
        port=0,
        secret=SECRET,
        addresses=("127.0.0.1",),
        limits=limits,
        renderer=renderer(),
    )
    task = asyncio.get_running_loop().create_task(portal.run())
    await portal.ready.wait()
    try:
        yield FrontDoor(portal, house, callers, portal.bound[0][1])
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

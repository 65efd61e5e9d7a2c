"""A real portal on a real loopback socket, with an in-memory backend."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import cache

from captive_portal.forms import Tokens, boot_name
from captive_portal.limits import Limits
from captive_portal.page_context import PortalPage
from captive_portal.server import Portal, portal_renderer
from node.units import MacAddress
from node.web.rendering import Renderer
from tests.fakes.portal_backend import FakeCallers, FakePortalBackend

ANA, BEN = MacAddress("02:00:00:00:00:0a"), MacAddress("02:00:00:00:00:0b")
ANAS_ADDRESS, BENS_ADDRESS, STRANGERS_ADDRESS = "127.0.0.1", "127.0.0.2", "127.0.0.3"
SECRET = b"the portal's secret, of 32 bytes"
MINUTE = 100
"""Minutes since boot on the portal's clock until a test advances it; the boot id is empty."""
TOKENS = Tokens(SECRET, boot_name(""), MINUTE)


@dataclass
class PortalServer:
    """Ana and Ben are on the link; every other address is outside the client network."""

    portal: Portal
    backend: FakePortalBackend
    callers: FakeCallers
    port: int
    clock: "BootClock"


@dataclass
class BootClock:
    """Milliseconds since boot."""

    now: int = MINUTE * 60_000

    def __call__(self) -> int:
        return self.now

    def pass_hours(self, hours: float) -> None:
        self.now += round(hours * 3_600_000)


@cache
def renderer() -> Renderer:
    """Loaded once for all servers of a test run."""
    return portal_renderer()


def rendered(page: PortalPage) -> bytes:
    """The page in its language, without a cache."""
    return renderer().render(page, page.place.lang)


@asynccontextmanager
async def open_portal_server(
    backend: FakePortalBackend | None = None, limits: Limits | None = None, boot: str = ""
) -> AsyncIterator[PortalServer]:
    backend = backend or FakePortalBackend()
    callers = FakeCallers({ANAS_ADDRESS: ANA, BENS_ADDRESS: BEN})
    clock = BootClock()
    portal = Portal(
        backend,
        callers,
        port=0,
        secret=SECRET,
        boot=boot,
        since_boot=clock,
        addresses=("127.0.0.1",),
        limits=limits,
        renderer=renderer(),
    )
    task = asyncio.get_running_loop().create_task(portal.run())
    await portal.ready.wait()
    try:
        yield PortalServer(portal, backend, callers, portal.bound[0][1], clock)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

"""Connections to the portal that outlive the admission of their device."""

import asyncio
import gc
import socket
import time
from asyncio.selector_events import _SelectorSocketTransport
from collections.abc import Callable
from contextlib import ExitStack

from node.web.connections import Limits
from tests.contracts.portal_client import PortalBrowser
from tests.fakes.portal_server import ANAS_ADDRESS, open_portal_server


async def test_a_connection_opened_speculatively_ends_when_its_device_is_online() -> None:
    """It arrived by the kernel's redirection, so every later request of the browser on it would reach the portal."""
    async with open_portal_server() as server:
        ana = PortalBrowser(server.port, ANAS_ADDRESS)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, local_addr=(ANAS_ADDRESS, 0))
        splash = await ana.get("/")
        assert not reader.at_eof()
        await ana.post("/join/terms", f"terms={splash.field('terms')}&token={splash.field('token')}")
        assert "online" in (await ana.get("/me")).body
        async with asyncio.timeout(2):
            assert await _rest_of(reader) == b""
        writer.close()


async def test_closed_connections_are_freed_at_once() -> None:
    """Before, each waited for the garbage collector: thirty thousand of them held 30 MB."""

    loop = asyncio.get_running_loop()

    def transports() -> int:
        """Of this test: an earlier one may have left some."""
        found = (each for each in gc.get_objects() if isinstance(each, _SelectorSocketTransport))
        return sum(each._loop is loop for each in found)

    async with open_portal_server(limits=Limits(connections=8, connections_per_device=500)) as server:
        gc.collect()
        gc.disable()
        try:
            with ExitStack() as held:
                for _ in range(100):
                    held.enter_context(socket.create_connection(("127.0.0.1", server.port)))
                    await asyncio.sleep(0)
                assert await _becomes(lambda: transports() <= 8)
            assert await _becomes(lambda: 0 == transports())
        finally:
            gc.enable()


async def _becomes(holds: Callable[[], bool], seconds: float = 5.0) -> bool:
    ends = time.monotonic() + seconds
    while not (is_held := holds()) and time.monotonic() < ends:
        await asyncio.sleep(0.02)
    return is_held


async def _rest_of(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""

"""Connections to the portal that outlive the admission of their device."""

import asyncio
import gc
import socket
from asyncio.selector_events import _SelectorSocketTransport
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

    def transports() -> int:
        return sum(isinstance(each, _SelectorSocketTransport) for each in gc.get_objects())

    async with open_portal_server(limits=Limits(connections=8, connections_per_device=500)) as server:
        gc.collect()
        gc.disable()
        try:
            with ExitStack() as held:
                for _ in range(100):
                    held.enter_context(socket.create_connection(("127.0.0.1", server.port)))
                    await asyncio.sleep(0)
                await asyncio.sleep(0.2)
                assert transports() <= 8
            await asyncio.sleep(0.2)
            assert 0 == transports()
        finally:
            gc.enable()


async def _rest_of(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""

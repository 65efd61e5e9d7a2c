"""Connections to the portal that outlive the moment when their device was let in."""

import asyncio
import gc
import socket
from asyncio.selector_events import _SelectorSocketTransport
from contextlib import ExitStack

from captive_portal.framing import Limits
from tests.contracts.portal_client import PortalBrowser
from tests.fakes.portal_server import ANAS_ADDRESS, open_portal_server


async def test_a_connection_that_was_opened_on_a_guess_ends_when_its_person_sees_that_they_are_online() -> (
    None
):
    """It came here by the kernel's redirection, so whatever the browser asked on it would meet the portal."""
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


async def test_connections_that_come_and_go_are_freed_at_once() -> None:
    """Before, each waited for a collection of garbage: thirty thousand of them held 30 MB."""

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

"""Facts of a connection that has ended: none, and no exception."""

import asyncio

from mesh.connection_info import connection_info
from mesh.tls_transport import contexts
from tests.fakes.neighbours import key_of


async def test_a_connection_that_was_closed_twice_has_no_facts_and_raises_nothing() -> None:
    server_context, client = contexts(key_of("hill"))
    server = await asyncio.start_server(lambda _reader, _writer: None, "::1", 0, ssl=server_context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        _, writer = await asyncio.open_connection("::1", port, ssl=client, server_hostname="x.anyone")
        assert port == connection_info(writer, "peername")[1]
        for _ in range(2):
            writer.transport.close()
        assert connection_info(writer, "peername") is None
        await asyncio.sleep(0.1)

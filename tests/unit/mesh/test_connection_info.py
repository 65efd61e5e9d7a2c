"""Facts of a connection that has ended: none, and no exception."""

import asyncio
from asyncio.sslproto import _SSLProtocolTransport

import pytest

from mesh.connection_info import connection_info


async def test_a_tls_transport_that_was_closed_twice_has_no_facts_and_raises_nothing() -> None:
    transport = _SSLProtocolTransport(asyncio.get_running_loop(), None)
    transport._closed = True
    with pytest.raises(AttributeError):
        transport.get_extra_info("peername")
    assert connection_info(transport, "peername") is None


def test_what_is_known_is_told() -> None:
    assert connection_info(asyncio.Transport({"peername": ("::1", 7)}), "peername") == ("::1", 7)

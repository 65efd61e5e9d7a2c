"""The mDNS listener on a real socket: which messages it passes to zeroconf."""

import logging
import socket

from zeroconf import IPVersion
from zeroconf.asyncio import AsyncZeroconf

from node.lan.mdns_browser import _filter
from tests.fakes.neighbours import id_of
from tests.kernel.mdns import announcement


async def test_a_broken_message_never_reaches_zeroconf(caplog) -> None:
    zeroconf = AsyncZeroconf(interfaces=["127.0.0.1"], ip_version=IPVersion.V4Only)
    try:
        await _filter(zeroconf)
        whole = announcement(id_of("low"))
        with (
            caplog.at_level(logging.DEBUG, "zeroconf"),
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out,
        ):
            for each in zeroconf.zeroconf.engine.readers:
                protocol = each.transport.get_protocol()
                protocol.datagram_received(whole[:-1], out.getsockname())
                assert [] == caplog.messages
                protocol.datagram_received(whole, ("127.0.0.1", 5353))
                assert "Received from" in caplog.text
                caplog.clear()
    finally:
        await zeroconf.async_close()

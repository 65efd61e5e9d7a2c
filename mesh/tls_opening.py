"""The TLS handshake of an accepted connection, which leaves nothing behind when it fails or when the connection is ended."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from node.reference_cycles import untie


class _Handshake(asyncio.Protocol):
    """Protocol of one connection until its handshake is complete."""

    def __init__(self) -> None:
        self.early = b""
        """Data that came right after the handshake; TLS hands over a limited amount in one turn of the loop."""
        self.is_lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.pause_reading()  # only the TLS library may read from the socket

    def data_received(self, data: bytes) -> None:
        self.early += data

    def connection_lost(self, _exc: Exception | None) -> None:
        self.is_lost = True


@dataclass(frozen=True, slots=True)
class OpenedTls:
    """One connection with TLS: the transport for its data, and the one below."""

    secured: asyncio.Transport
    plain: asyncio.Transport

    def end(self) -> None:
        """At once."""
        self.secured.abort()
        _forget(self.plain)


async def open_tls(
    connection: socket.socket,
    protocol_of: Callable[[], asyncio.Protocol],
    context: ssl.SSLContext,
    *,
    handshake_s: float,
    shutdown_s: float,
) -> OpenedTls:
    """The connection, with a protocol that is made for it after the handshake. Raises what the handshake raises, OSError and
    TimeoutError among that.

    `loop.connect_accepted_socket` would do the same, and keep the lower transport for itself when it fails.
    """
    loop, handshake = asyncio.get_running_loop(), _Handshake()
    plain, _ = await loop.connect_accepted_socket(lambda: handshake, connection)
    try:
        secured = await loop.start_tls(
            plain,
            handshake,
            context,
            server_side=True,
            ssl_handshake_timeout=handshake_s,
            ssl_shutdown_timeout=shutdown_s,
        )
        if not isinstance(secured, asyncio.Transport) or handshake.is_lost:
            raise ConnectionResetError("the other side hung up")
    except BaseException:
        plain.abort()
        _forget(plain)
        raise
    protocol = protocol_of()
    secured.set_protocol(protocol)
    protocol.connection_made(secured)
    if handshake.early:
        protocol.data_received(handshake.early)
    return OpenedTls(secured, plain)


def _forget(plain: asyncio.Transport) -> None:
    """After the loop has told its protocol that it is closed."""
    asyncio.get_running_loop().call_soon(untie, plain)

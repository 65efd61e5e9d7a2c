"""HTTPS listener: the pages of a site over TLS."""

import asyncio
import ssl
import time
from asyncio.sslproto import SSLProtocol
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Protocol

from aiohttp import web

from node.errors import NodeError, forget_frames
from node.rate_limit import DeviceRateLimit
from node.reference_cycles import untie
from node.web.application import serving
from node.web.connections import (
    Caller,
    Connection,
    ConnectionLimiter,
    Limits,
    SocketAddresses,
    StreamOpener,
    counted_as,
    ends_of,
    plain_refusal,
)

BACKLOG = 256
HANDSHAKES_MAX = 128
"""Handshakes in progress; at this number the oldest is aborted. A normal one takes less than a second."""
HANDSHAKES_PER_DEVICE = 8
HANDSHAKES_AT_ONCE, HANDSHAKES_PER_S = 60, 6
"""Token bucket for each device, finished handshakes too: each takes some milliseconds of CPU time."""
HANDSHAKE_S = 10.0
FAREWELL_S = 2.0
"""Timeout for the close_notify of the other side."""
LOOK_EVERY_S = 5.0
"""Interval in which a renewed certificate is noticed."""
RECORD_BYTES = 16_384
"""Maximum length of a TLS record (RFC 8446 section 5.1)."""
LIMITS = Limits(connections=128, connections_per_device=16, idle_s=5.0)
"""A TLS connection takes about 80 kB, so all of them about 10 MB."""


class TlsCertificate(Protocol):
    """The certificate of a listener, on disk."""

    @property
    def context(self) -> ssl.SSLContext | None:
        """For new connections; None while no certificate can be used: they are then aborted."""

    def look(self) -> None:
        """Reads new files, in a thread."""


class HttpsListener:
    """Serves an application over TLS on `port` until cancelled, with the newest valid certificate, and watches its
    files.

    `caller_of` identifies the device of a connection before anything is read from it; `setting` is the name of the port's
    setting; `limits`, `refusal`, `is_fair` and `streams` are as in `ConnectionLimiter`.
    """

    def __init__(
        self,
        certificate: TlsCertificate,
        application: Callable[[], web.Application],
        caller_of: Callable[[SocketAddresses], Caller],
        *,
        port: int,
        setting: str = "portal.https_port",
        limits: Limits = LIMITS,
        clock: Callable[[], float] = time.monotonic,
        refusal: Callable[[int], bytes] = plain_refusal,
        is_fair: bool = False,
        streams: StreamOpener | None = None,
    ) -> None:
        self.bound: tuple[tuple[str, int], ...] = ()
        self.ready = asyncio.Event()
        self._certificate, self._application = certificate, application
        self._port, self._setting, self._clock = port, setting, clock
        self._limiter = partial(
            ConnectionLimiter,
            caller_of=caller_of,
            clock=clock,
            limits=limits,
            refusal=refusal,
            is_fair=is_fair,
            streams=streams,
        )

    async def run(self) -> None:
        """Listens until cancelled. Raises NodeError when the port cannot be bound."""
        limit_tls_read_buffers()
        async with serving(self._application()) as server:
            limiter = self._limiter(server)
            try:
                async with asyncio.TaskGroup() as tasks:
                    handshakes = HandshakeLimiter(self._certificate, limiter, tasks, self._clock)
                    listener = await self._listen(handshakes)
                    tasks.create_task(self._watch())
                    tasks.create_task(limiter.sweep())
                    try:
                        await asyncio.Event().wait()
                    finally:
                        self.ready.clear()
                        listener.close()
            finally:
                limiter.close()

    async def _listen(self, handshakes: "HandshakeLimiter") -> asyncio.Server:
        loop = asyncio.get_running_loop()
        try:
            listener = await loop.create_server(
                lambda: TlsHandshake(handshakes), None, self._port, backlog=BACKLOG, reuse_address=True
            )
        except OSError as error:
            raise NodeError(
                f"port {self._port} cannot be used for https: {error.strerror or error}",
                f"see who has it with: ss -ltnp; or choose another {self._setting} in node.toml",
            ) from error
        self.bound = tuple(entry.getsockname()[:2] for entry in listener.sockets)
        self.ready.set()
        return listener

    async def _watch(self) -> None:
        while True:
            await asyncio.to_thread(self._certificate.look)
            await asyncio.sleep(LOOK_EVERY_S)


def limit_tls_read_buffers() -> None:
    """Limits the read buffer of later TLS connections to one record each.

    asyncio allocates 256 KiB for each, 32 MB for all connections of the portal. Neither `loop.create_server`
    nor `loop.start_tls` has a parameter for it, only this attribute of asyncio's own class.
    """
    SSLProtocol.max_size = RECORD_BYTES


class HandshakeLimiter:
    """Counts and times TLS handshakes in progress; the connection limiter does not see them yet."""

    def __init__(
        self,
        certificate: TlsCertificate,
        limiter: ConnectionLimiter,
        tasks: asyncio.TaskGroup,
        clock: Callable[[], float],
    ) -> None:
        self.limiter = limiter
        self._certificate = certificate
        self._tasks: asyncio.TaskGroup = tasks
        self._clock, self._pace = clock, DeviceRateLimit(HANDSHAKES_AT_ONCE, HANDSHAKES_PER_S)
        self._by_device: Counter[str] = Counter()
        self._under_way: dict[TlsHandshake, asyncio.Transport] = {}

    def begin(self, handshake: "TlsHandshake", transport: asyncio.Transport) -> bool:
        """Starts a handshake; False when the connection must be aborted."""
        context, ends = self._certificate.context, ends_of(transport)
        if context is None or ends is None:
            return False
        handshake.caller = self.limiter.caller_of(ends)
        device = counted_as(handshake.caller, ends)
        if self._by_device[device] >= HANDSHAKES_PER_DEVICE or not self._pace.take(device, self._clock()):
            return False
        if len(self._under_way) >= HANDSHAKES_MAX:
            self._under_way.pop(next(iter(self._under_way))).abort()
        self._by_device[device] += 1
        self._under_way[handshake] = transport
        self._tasks.create_task(self._shake(handshake, transport, context, device))
        return True

    async def _shake(
        self, handshake: "TlsHandshake", transport: asyncio.Transport, context: ssl.SSLContext, device: str
    ) -> None:
        try:
            secured = await asyncio.get_running_loop().start_tls(
                transport,
                handshake,
                context,
                server_side=True,
                ssl_handshake_timeout=HANDSHAKE_S,
                ssl_shutdown_timeout=FAREWELL_S,
            )
        except OSError as error:  # also TLS errors and timeouts: the handshake has failed
            transport.abort()
            asyncio.get_running_loop().call_soon(untie, transport)
            forget_frames(error)
            return
        finally:
            self._under_way.pop(handshake, None)
            self._by_device[device] -= 1
            if not self._by_device[device]:
                del self._by_device[device]
        if isinstance(secured, asyncio.Transport):
            handshake.pass_on(secured, transport)


class TlsHandshake(asyncio.Protocol):
    """Protocol of one connection until its handshake is complete."""

    def __init__(self, handshakes: HandshakeLimiter) -> None:
        self.caller = Caller(None)
        self._handshakes = handshakes
        self._early = b""
        self._is_lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        # Only the TLS library may read from the socket.
        transport.pause_reading()
        if not self._handshakes.begin(self, transport):
            transport.abort()

    def data_received(self, data: bytes) -> None:
        """Buffers data that came right after the handshake; TLS hands over a limited amount in one turn of
        the loop."""
        self._early += data

    def connection_lost(self, _exc: Exception | None) -> None:
        self._is_lost = True

    def pass_on(self, secured: asyncio.Transport, plain: asyncio.Transport) -> None:
        if self._is_lost:
            untie(plain)
            return
        connection = HttpsConnection(self._handshakes.limiter, self.caller, plain)
        secured.set_protocol(connection)
        connection.connection_made(secured)
        if self._early:
            connection.data_received(self._early)


class HttpsConnection(Connection):
    """Like any other connection, but TLS cannot stay half-closed. `plain` is the transport below TLS."""

    __slots__ = ("_plain",)

    def __init__(self, limiter: ConnectionLimiter, caller: Caller, plain: asyncio.Transport) -> None:
        super().__init__(limiter, caller)
        self._plain = plain

    def eof_received(self) -> bool:
        super().eof_received()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        untie(self._plain)

"""Attackers of a node of the mesh, through its socket: a member in force, strangers, and nodes that it calls itself.

Each attack is one connection, or a few; it ends by itself. `sent` counts frames, requests and connections that the
node had to deal with.
"""

import asyncio
import base64
import contextlib
import hashlib
import random
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp

from mesh.announcement import Address
from mesh.community_changes import new_invite
from mesh.invite import make_use
from mesh.messages import Have, Streams, encode
from mesh.page_format import canonical
from mesh.signed_statement import as_json
from mesh.tls_transport import Dialer, DialFailed, Link, NodeContext, contexts
from tests.bench.fuzz_certificates import odd_context
from tests.bench.fuzz_community import HOSTILE, FuzzedCommunity, SignedLog
from tests.bench.fuzz_frames import FrameFuzzer
from tests.fakes.community_statements import SEED, state_of
from tests.fakes.neighbours import id_of, key_of

ENDS = (OSError, EOFError, DialFailed, TimeoutError, aiohttp.ClientError, RuntimeError, ValueError)
"""How a connection of an attacker may end."""
STRANGERS = 3_000
"""Keys of strangers; more than a node remembers."""
HOLD_S = (1.0, 4.0)
UPGRADE = (
    b"GET /mesh HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


class Attackers:
    """All of them, against the node that listens on `port` of this machine."""

    def __init__(
        self, port: int, chance: random.Random, community: FuzzedCommunity, signed: SignedLog
    ) -> None:
        self._port, self._chance, self._community, self._signed = port, chance, community, signed
        self.frames = FrameFuzzer(chance, community, signed)
        self.sent = 0
        """Frames, requests and connections."""
        self._member = contexts(key_of(HOSTILE))[1]
        self._strangers = [contexts(key_of(f"eve-{number}"))[1] for number in range(16)]
        state = state_of(community.id, community.statements)
        self._invite = new_invite(state, key_of("rosa"), SEED, 2)

    async def attack(self) -> None:
        """Until cancelled: several attacks at once."""
        attacks = (
            *[self._flood] * 3, self._stop_reading, self._break_websocket, self._hold_half_open, self._ask_lobby,
            self._ask_lobby, self._show_odd_certificate, self._break_http, self._send_noise,
        )  # fmt: skip
        async with asyncio.TaskGroup() as tasks:
            for each in attacks:
                tasks.create_task(self._again(each))

    async def _again(self, attack: Callable[[], Awaitable[None]]) -> None:
        while True:
            with contextlib.suppress(*ENDS):
                async with asyncio.timeout(20):
                    await attack()
            await asyncio.sleep(self._chance.uniform(0, 0.05))

    # --- A member in force ------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def _link(self) -> AsyncIterator[Link]:
        async with Dialer(self._member) as dialer:
            link = await dialer.dial(id_of("square"), Address("::1", self._port))
            try:
                await link.send(self.frames.hello())
                yield link
            finally:
                if self._chance.random() < 0.5:
                    await link.close("enough")

    async def _flood(self) -> None:
        async with self._link() as link, asyncio.TaskGroup() as tasks:
            hearing = tasks.create_task(self._hear(link))
            for _ in range(self._chance.choice((1, 30, 300, 1_500))):
                if not await link.send(self.frames.frame()):
                    break
                self.sent += 1
                await asyncio.sleep(0)
            await asyncio.sleep(0.2)
            hearing.cancel()

    async def _hear(self, link: Link) -> None:
        while (frame := await link.receive()) is not None:
            self.frames.hear(frame)

    async def _stop_reading(self) -> None:
        """Asks for all that there is, again and again, and reads none of it."""
        async with self._link() as link:
            asked = (encode(Streams("", "~", ())), encode(Have(id_of("coast"), "1-a", "", "~", (), True)))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._chance.uniform(*HOLD_S)):
                    for _ in range(2_000):
                        await link.send(self._chance.choice(asked))
                        self.sent += 1
                        await asyncio.sleep(0)
                    await asyncio.sleep(10)

    async def _break_websocket(self) -> None:
        async with self._connection(self._member) as (reader, writer):
            writer.write(UPGRADE)
            await reader.readuntil(b"\r\n\r\n")
            for _ in range(self._chance.randint(1, 20)):
                writer.write(self._websocket())
                self.sent += 1
                await writer.drain()
            if self._chance.random() < 0.5:
                await asyncio.sleep(0.1)

    def _websocket(self) -> bytes:
        """A frame of WebSocket that breaks its rules."""
        frame, mask = self.frames.frame()[:2_000], self._chance.randbytes(4)
        size = self._chance.choice((len(frame), 0, 2**16, 2**31, 2**63))
        head = bytes([self._chance.randrange(256), 0xFF]) + struct.pack("!Q", size) + mask
        return self._chance.choice(
            (head + frame, self._chance.randbytes(60), b"\x82\x7e\x00\x01x", b"\x89\x80" + mask)
        )

    # --- Strangers --------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def _connection(
        self, context: ssl.SSLContext | None
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """From an address of its own: one address may not have many connections."""
        local = f"127.{self._chance.randint(1, 250)}.{self._chance.randint(0, 255)}.{self._chance.randint(1, 254)}"
        more = {"ssl": context, "server_hostname": "x.anyone", "ssl_handshake_timeout": 5} if context else {}
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port, local_addr=(local, 0), **more)  # type: ignore[arg-type]
        try:
            yield reader, writer
        finally:
            writer.transport.abort()

    def _stranger(self) -> NodeContext:
        if self._chance.random() < 0.3:
            at = self._chance.randrange(len(self._strangers))
            self._strangers[at] = contexts(key_of(f"eve-{self._chance.randrange(STRANGERS)}"))[1]
        return self._chance.choice(self._strangers)

    async def _ask_lobby(self) -> None:
        """With an invite for two that is used by many, changed or not."""
        async with self._connection(self._stranger()) as (reader, writer):
            use = make_use(SEED, self._community.id, id_of(f"eve-{self._chance.randrange(STRANGERS)}"), "")
            self._signed.add_statement(use)
            body = canonical({"is": "join", "invite": as_json(self._invite), "use": as_json(use)})
            if self._chance.random() < 0.7:
                body = self.frames.changed(body)
            size = len(body) + self._chance.choice((0, 0, 0, 5, -5, 10**9))
            writer.write(
                b"POST /lobby HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % max(0, size) + body
            )
            self.sent += 1
            async with asyncio.timeout(0.5):
                await reader.read()

    async def _break_http(self) -> None:
        context = self._stranger() if self._chance.random() < 0.5 else self._member
        async with self._connection(context) as (reader, writer):
            valid = (
                UPGRADE + b"POST /lobby HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
            )
            oversized = b"GET /mesh HTTP/1.1\r\n" + b"X: " + b"y" * 30_000 + b"\r\n\r\n"
            made = self._chance.choice(
                (self.frames.changed(valid), oversized, UPGRADE * 20, self._chance.randbytes(300))
            )
            writer.write(made)
            self.sent += 1
            async with asyncio.timeout(0.5):
                await reader.read()

    async def _send_noise(self) -> None:
        async with self._connection(None) as (reader, writer):
            writer.write(
                self._chance.choice(
                    (self._chance.randbytes(500), b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
                )
            )
            self.sent += 1
            async with asyncio.timeout(0.3):
                await reader.read()

    async def _hold_half_open(self) -> None:
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(4):
                _, writer = await stack.enter_async_context(self._connection(None))
                writer.write(b"\x16\x03\x01"[: self._chance.randint(0, 3)])
                self.sent += 1
            await asyncio.sleep(self._chance.uniform(*HOLD_S))

    async def _show_odd_certificate(self) -> None:
        self.sent += 1
        async with self._connection(odd_context(self._chance, is_server=False)) as (reader, writer):
            writer.write(UPGRADE)
            async with asyncio.timeout(0.5):
                await reader.read()

    # --- Nodes that the attacked node calls -------------------------------------------------------

    async def answer_calls(self, port: int) -> None:
        """Until cancelled: listens at an address that the attacked node calls, with another key each time."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", port)
        async with server:
            await server.serve_forever()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(*ENDS):
            async with asyncio.timeout(5):
                await self._answer_call(reader, writer)
        writer.transport.abort()

    async def _answer_call(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.sent += 1
        kind = self._chance.randrange(4)
        if kind == 0:
            writer.write(self._chance.randbytes(400))
            await writer.drain()
            return
        await writer.start_tls(
            self._own_server_context() if kind == 1 else odd_context(self._chance, is_server=True)
        )
        asked = await reader.readuntil(b"\r\n\r\n")
        answers = (
            b"HTTP/1.1 403 Forbidden\r\n\r\n",
            b"HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1/\r\n\r\n",
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
            b"Sec-WebSocket-Accept: " + _accept_of(asked) + b"\r\n\r\n",
        )
        chosen = self._chance.choice(answers)
        writer.write(chosen if self._chance.random() < 0.7 else self.frames.changed(chosen))
        frames = [self.frames.hello(), *(self.frames.frame() for _ in range(30))]
        for frame in frames:
            writer.write(b"\x82\x7f" + struct.pack("!Q", len(frame)) + frame)
            self.sent += 1
        await writer.drain()
        while await reader.read(65_536):
            pass

    def _own_server_context(self) -> ssl.SSLContext:
        context = contexts(key_of(self._chance.choice((HOSTILE, "eve-1", "square"))))[0]
        context.sslsocket_class, context.verify_mode = ssl.SSLSocket, ssl.CERT_NONE
        return context


def _accept_of(request: bytes) -> bytes:
    """The value that a WebSocket server answers to the key in a request (RFC 6455)."""
    key = next(
        (
            line.partition(b":")[2].strip()
            for line in request.split(b"\r\n")
            if line.lower().startswith(b"sec-websocket-key")
        ),
        b"",
    )
    return base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())

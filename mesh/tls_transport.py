"""Connections between nodes: TLS 1.3 with both keys proven in the handshake, one WebSocket inside, with limits
throughout.

A peer is identified by its key alone; names, certificate authorities and dates are not checked. The node id is the
host of the URL, so that the connection pool cannot return a connection to another node with the same address.
"""

import asyncio
import contextlib
import hashlib
import os
import socket
import ssl
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus
from typing import Any

import aiohttp
from aiohttp import WSMsgType, web
from aiohttp.abc import AbstractResolver, ResolveResult
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mesh.announcement import Address
from mesh.call_header import CALL_HEADER, read_call, write_call
from mesh.connection_info import connection_info
from mesh.link_selection import Call
from mesh.lobby import ANSWER_BYTES_MAX, REQUEST_BYTES_MAX, JoinRequest, LobbyLimit, read_join_request
from mesh.messages import FRAME_BYTES_MAX
from mesh.node_certificates import leaf_certificate, node_id_from_certificate, wrapper_ca
from mesh.own_node_page import LinkCounters
from mesh.page_format import Malformed
from mesh.requests_log import requests_log
from mesh.tcp_info import TCP_INFO_BYTES, link_counters
from mesh.tls_opening import OpenedTls, open_tls
from node.errors import NodeError, forget_frames
from node.identity import key_to_pem
from node.units import Monotonic, NodeId

HANDSHAKE_S = 10
"""For TLS and the HTTP request together, so that a slow stranger cannot hold a slot longer."""
CONNECTIONS_MAX = 64
UNPROVEN_MAX = 32
"""Connections whose key is not proven yet; the remaining slots are for neighbours."""
UNPROVEN_PER_ADDRESS_MAX = 3
PROVEN_PER_KEY_MAX = 8  # those of a disk and its copies, and as many that replace them
CLOSED_LOOK_S = 0.2
"""How often it is looked whether one of them was closed."""
UNREAD_BYTES_MAX = 1024 * 1024
"""Bytes in flight on one connection before a complete frame was read."""
DEAD_S = 20
ANSWERS_MAX = 2
"""Short frames that wait on one connection; of more, the newest."""
CLOSE_S = 1.0
REFUSED_STATUS = 403
FULL_STATUS = 503
PATH = "/mesh"
LOBBY_PATH = "/lobby"
_ID_SUFFIX = ".node"
_ANYONE_SUFFIX = ".anyone"
_NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL: a node without a clock must be able to connect."""


_GONE = (OSError, aiohttp.ClientError, web.RequestPayloadError)
"""A stranger hung up, or did not send what it announced."""


class DialFailed(Exception):
    """No node, or the wrong one, answered at an address."""


class RefusedByPeer(DialFailed):
    """The node that answered does not have our key on its list."""

    def __init__(self, node: NodeId | None) -> None:
        super().__init__("our key is not on its list")
        self.node = node


class IsFull(DialFailed):
    """The node that answered has as many connections as it keeps."""

    def __init__(self, node: NodeId | None) -> None:
        super().__init__("it has no room")
        self.node = node


class WrongNode(DialFailed):
    """Another node answered than the expected one."""

    def __init__(self, node: NodeId) -> None:
        super().__init__("another node answered")
        self.node = node


class NodeTLS(ssl.SSLObject):
    """A TLS connection that fails in the handshake unless the peer proves the expected key."""

    node: NodeId
    unread: int = 0

    def do_handshake(self) -> None:
        super().do_handshake()
        node = node_id_from_certificate(self.getpeercert(binary_form=True))
        if node is None:
            raise ssl.SSLError("the certificate holds no node key")
        wanted = self.server_hostname or _ANYONE_SUFFIX
        if isinstance(self.context, NodeContext):
            self.context.answered[wanted] = node
        if not self.server_side and not wanted.endswith(_ANYONE_SUFFIX) and wanted != node + _ID_SUFFIX:
            raise ssl.SSLError("another node answered")
        self.node = node

    def getpeercert(self, binary_form: bool = False) -> Any:
        """The certificate as bytes; its fields are never read: asyncio asks for them, and the library raises for names that
        it cannot decode."""
        return super().getpeercert(True) if binary_form else {}

    def read(self, len: int = 1024, buffer: Any = None) -> Any:  # noqa: A002 (the standard library's name)
        # aiohttp 3.11 buffers a frame of any announced length before it checks its limit.
        got = super().read(len, buffer)
        self.unread += got if isinstance(got, int) else got.__len__()
        if self.unread > UNREAD_BYTES_MAX:
            raise ssl.SSLError("a frame is too large")
        return got


class NodeContext(ssl.SSLContext):
    """A TLS context that creates `NodeTLS` connections."""

    sslobject_class = NodeTLS
    answered: dict[str, NodeId]
    """The node that proved its key to a dial, by the host of that dial."""


class Link:
    """One authenticated connection to one node, which carries frames."""

    def __init__(
        self,
        socket: web.WebSocketResponse | aiohttp.ClientWebSocketResponse,
        tls: NodeTLS,
        met_at: str,
        *,
        dialled: bool,
        interface: str = "",
        call: Call | None = None,
    ) -> None:
        self._socket = socket
        self._tls = tls
        self.is_quiet = False
        """Whether neither side sends keepalives."""
        self.node = tls.node
        self.name = tls.node
        """Of the exchange with the machine at the other end."""
        self._answers: deque[bytes] = deque(maxlen=ANSWERS_MAX)
        self.heard = 0.0
        """Monotonic seconds of the last frame."""
        self.met_at = met_at
        self.dialled = dialled
        """Whether this side opened it."""
        self.interface, self.call = interface, call
        """Of this node, empty if the address is not of one link; and what the other side said when it opened it."""
        self.since = Monotonic(0)
        """When its hello arrived."""
        self.told = ""
        """Why the other side closed it."""
        self.wake = asyncio.Event()
        """Set when there may be something to send."""
        self.closing: str | None = None
        """Why it is about to be closed."""
        self.policy: asyncio.Timeout | None = None
        """Timeout scope of the task that uses this link, so that `hang_up` can end it."""

    async def receive(self) -> bytes | None:
        """The next frame; None once the connection is closed."""
        try:
            message = await self._socket.receive()
        except _GONE:  # it was about to answer a ping
            return None
        self._tls.unread = 0
        if message.type is WSMsgType.BINARY:
            return bytes(message.data)
        if message.type is WSMsgType.TEXT:
            return str(message.data).encode()
        if message.type is WSMsgType.CLOSE:
            self.told = str(message.extra)
        return None

    async def send(self, frame: bytes) -> bool:
        """Returns False once the connection is closed; blocks while the other side reads slowly."""
        if self._socket.closed:
            return False
        try:
            await self._socket.send_bytes(frame)
        except (OSError, RuntimeError, aiohttp.ClientError):
            return False
        return True

    def answer(self, frame: bytes | None) -> None:
        """Queue a short frame, before those of the exchange; None is no frame."""
        if frame is not None:
            self._answers.append(frame)
            self.wake.set()

    def next_answer(self) -> bytes | None:
        return self._answers.popleft() if self._answers else None

    def counters(self) -> LinkCounters | None:
        """What the kernel measured on this connection; None if it has ended."""
        connection = connection_info(self._socket, "socket")
        try:
            return link_counters(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_BYTES))
        except (OSError, AttributeError):
            return None

    @property
    def own_host(self) -> str:
        """This host's address on the connection, as text; empty if it has ended."""
        name = connection_info(self._socket, "sockname")
        return str(name[0]).removeprefix("::ffff:") if name else ""

    def hang_up(self, why: str) -> None:
        """End the task on this link at once, even if the other side has stopped reading."""
        self.closing = why
        if self.policy is not None and not self.policy.expired():
            self.policy.reschedule(asyncio.get_running_loop().time())

    async def close(self, why: str) -> None:
        with contextlib.suppress(TimeoutError, OSError, RuntimeError, aiohttp.ClientError):
            async with asyncio.timeout(CLOSE_S):
                await self._socket.close(code=aiohttp.WSCloseCode.OK, message=why.encode()[:100])


def contexts(key: Ed25519PrivateKey) -> tuple[NodeContext, NodeContext]:
    """The server's and the client's TLS context for the owner of `key`."""
    server, client = NodeContext(ssl.PROTOCOL_TLS_SERVER), NodeContext(ssl.PROTOCOL_TLS_CLIENT)
    for context in (server, client):
        context.answered = {}
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.check_hostname = False
        _load_key(context, key)
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_verify_locations(cadata=wrapper_ca())
    server.verify_flags |= ssl.VerifyFlags(_NO_CHECK_TIME)
    server.num_tickets = 0
    # The wrapper certificate proves nothing; the key is checked at the end of the handshake.
    client.verify_mode = ssl.CERT_NONE
    return server, client


def _load_key(context: ssl.SSLContext, key: Ed25519PrivateKey) -> None:
    # The ssl module reads keys from files only: this one exists in memory and never reaches a disk.
    memory = os.memfd_create("node-key", os.MFD_CLOEXEC)
    try:
        os.write(memory, key_to_pem(key) + ssl.DER_cert_to_PEM_cert(leaf_certificate(key)).encode())
        context.load_cert_chain(f"/proc/self/fd/{memory}")
    finally:
        os.close(memory)


class _Resolver(AbstractResolver):
    """Maps node ids to the numeric address set by the current dial; no DNS."""

    def __init__(self) -> None:
        self.addresses: dict[str, Address] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        del port, family  # both are part of the address
        address = self.addresses.get(host)
        if address is None:
            raise OSError(f"no address for {host}")
        kind = socket.AF_INET6 if address.is_v6 else socket.AF_INET
        found = {"hostname": host, "host": address.host, "port": address.port}
        return [ResolveResult(**found, family=kind, proto=0, flags=socket.AI_NUMERICHOST)]  # type: ignore[typeddict-item]

    async def close(self) -> None:
        self.addresses.clear()


class Dialer:
    """Opens connections to other nodes. Use as ``async with``."""

    def __init__(self, context: NodeContext) -> None:
        self._context = context
        self._resolver = _Resolver()
        self.session: aiohttp.ClientSession

    async def __aenter__(self) -> "Dialer":
        connector = aiohttp.TCPConnector(
            resolver=self._resolver, use_dns_cache=False, force_close=True, limit=CONNECTIONS_MAX
        )
        self.session = aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.close()

    async def ask_lobby(self, address: Address, request: bytes) -> tuple[NodeId, bytes]:
        """The node that answers at `address`, by its proven key, and its answer to a request to join. Raises DialFailed."""
        host = _label(address) + _ANYONE_SUFFIX
        self._resolver.addresses[host] = address
        try:
            async with (
                asyncio.timeout(HANDSHAKE_S),
                self.session.post(
                    f"https://{host}:{address.port}{LOBBY_PATH}",
                    data=request,
                    ssl=self._context,
                    allow_redirects=False,  # an invite goes to the addresses that it names, and nowhere else
                ) as response,
            ):
                body = await response.content.read(ANSWER_BYTES_MAX + 1)
                while len(body) <= ANSWER_BYTES_MAX and (
                    more := await response.content.read(ANSWER_BYTES_MAX)
                ):
                    body += more
        except (OSError, aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise DialFailed(str(error) or "no answer in time") from error
        finally:
            self._resolver.addresses.pop(host, None)
            node = self._context.answered.pop(host, None)
        if response.status != HTTPStatus.OK or node is None:
            raise DialFailed("what answers there lets nobody in")
        return node, body

    async def dial(self, node: NodeId | None, address: Address, call: Call | None = None) -> Link:
        """An authenticated connection to `node`, or with None to any node at `address`. `call`: what is said to it. Raises
        DialFailed."""
        host = node + _ID_SUFFIX if node else _label(address) + _ANYONE_SUFFIX
        self._resolver.addresses[host] = address
        try:
            async with asyncio.timeout(HANDSHAKE_S):
                socket = await self.session.ws_connect(
                    f"wss://{host}:{address.port}{PATH}",
                    ssl=self._context,
                    headers={} if call is None else {CALL_HEADER: write_call(call)},
                    max_msg_size=FRAME_BYTES_MAX + 1,
                    timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_S),
                    autoclose=True,
                )
        except aiohttp.WSServerHandshakeError as error:
            if error.status == REFUSED_STATUS:
                raise RefusedByPeer(self._context.answered.get(host)) from error
            if error.status == FULL_STATUS:
                raise IsFull(self._context.answered.get(host)) from error
            raise DialFailed("what answers there is not a node of this version") from error
        except (OSError, aiohttp.ClientError, TimeoutError, ValueError) as error:
            answered = self._context.answered.get(host)
            if node is not None and answered not in {None, node}:
                raise WrongNode(answered) from error
            raise DialFailed(str(error) or "no answer in time") from error
        finally:
            self._resolver.addresses.pop(host, None)
            self._context.answered.pop(host, None)
        tls = connection_info(socket, "ssl_object")
        _end_when_dead(connection_info(socket, "socket"))
        if not isinstance(tls, NodeTLS):
            await socket.close()
            raise DialFailed("the connection was over before it was used")
        return Link(socket, tls, str(address), dialled=True, interface=address.interface)


def _end_when_dead(connection: Any) -> None:
    """Let the kernel end the connection DEAD_S after the other side has vanished, also while nothing is sent."""
    options = {
        socket.TCP_KEEPIDLE: DEAD_S,
        socket.TCP_KEEPINTVL: DEAD_S // 4,
        socket.TCP_KEEPCNT: 3,
        socket.TCP_USER_TIMEOUT: DEAD_S * 1000,
    }
    with contextlib.suppress(
        OSError, AttributeError
    ):  # it may have ended, and then there is nothing to watch
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in options.items():
            connection.setsockopt(socket.IPPROTO_TCP, option, value)


def _interface(peer: tuple[Any, ...]) -> str:
    """The interface of a link-local address; empty for another one."""
    try:
        return socket.if_indextoname(peer[3]) if len(peer) > 3 and peer[3] else ""
    except OSError:
        return ""


def _label(address: Address) -> str:
    return hashlib.sha256(str(address).encode()).hexdigest()[:32]


type Lobby = Callable[[NodeId, JoinRequest], Awaitable[bytes]]
"""The answer to a node with this proven key that carries an invite."""


class _Arrival:
    """An incoming connection whose key is not proven yet, or was refused."""

    def __init__(self) -> None:
        self.decided = asyncio.Event()
        self.welcome = False


class Listener:
    """Accepts connections of other nodes: `welcome` decides on a proven key, `has_room` on one more connection with it, on
    this interface; `converse` handles the connection."""

    def __init__(
        self,
        context: NodeContext,
        *,
        welcome: Callable[[NodeId, str], bool],
        converse: Callable[[Link], Awaitable[None]],
        lobby: Lobby | None = None,
        has_room: Callable[[NodeId, str, Call | None], bool] = lambda _node, _interface, _call: True,
        handshake_s: float = HANDSHAKE_S,
    ) -> None:
        self._context = context
        self._welcome = welcome
        self._serve = converse
        self._has_room = has_room
        self._lobby, self._lobby_limit = lobby, LobbyLimit(time.monotonic())
        self._handshake_s = handshake_s
        self._arrivals: dict[Any, _Arrival] = {}
        self._unproven: Counter[str] = Counter()
        self.links: Counter[NodeId] = Counter()
        """Accepted connections, by their proven key."""

    @contextlib.asynccontextmanager
    async def listening(self, port: int) -> AsyncIterator[int]:
        """Accept connections on all addresses inside this block; yields the port, chosen by the kernel for 0."""
        application = web.Application(client_max_size=1)
        application.router.add_get(PATH, self._answer)
        application.router.add_post(LOBBY_PATH, self._answer_in_lobby)
        runner = web.AppRunner(
            application, access_log=None, logger=requests_log, shutdown_timeout=CLOSE_S, keepalive_timeout=0
        )
        listening = _listen(port)
        try:
            await runner.setup()
            assert runner.server is not None
            async with asyncio.TaskGroup() as tasks:
                accepting = tasks.create_task(self._accept(listening, runner.server, tasks))
                yield listening.getsockname()[1]
                accepting.cancel()
        finally:
            listening.close()
            await runner.cleanup()

    async def _accept(self, listening: socket.socket, server: web.Server, tasks: asyncio.TaskGroup) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, peer = await loop.sock_accept(listening)
            except OSError:
                await asyncio.sleep(0.1)  # out of file descriptors, or the peer has already closed
                continue
            host = str(peer[0])
            unproven = self._unproven.total()
            full = unproven >= UNPROVEN_MAX or unproven + self.links.total() >= CONNECTIONS_MAX
            if full or self._unproven[host] >= UNPROVEN_PER_ADDRESS_MAX:
                connection.close()
                continue
            self._unproven[host] += 1
            tasks.create_task(self._shake_hands(connection, host, server))

    async def _shake_hands(self, connection: socket.socket, host: str, server: web.Server) -> None:
        arrival, made = _Arrival(), list[asyncio.Protocol]()
        opened: OpenedTls | None = None

        def protocol_of() -> asyncio.Protocol:
            made.append(protocol := server())
            self._arrivals[protocol] = arrival
            return protocol

        try:
            async with asyncio.timeout(self._handshake_s):
                opened = await open_tls(
                    connection, protocol_of, self._context, handshake_s=self._handshake_s, shutdown_s=CLOSE_S
                )
                await _until_decided(arrival, opened.secured)
                if not arrival.welcome:
                    await asyncio.sleep(0.2)  # give the refusal time to arrive
        except (
            OSError,
            ValueError,
        ) as error:  # what the library raises for odd input must not end this node's service
            arrival.welcome = False
            forget_frames(error)
        finally:
            for protocol in made:
                del self._arrivals[protocol]
            self._unproven[host] -= 1
            self._unproven += Counter()
            if not arrival.welcome and opened is not None:
                opened.end()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        arrival = self._arrivals.get(request.protocol)
        tls = connection_info(request, "ssl_object")
        if arrival is None or arrival.decided.is_set() or not isinstance(tls, NodeTLS):
            return _refusal()
        address = connection_info(request, "peername") or ("", 0)
        host = str(address[0])
        met_at = str(Address(host, int(address[1])))
        arrival.welcome = self._welcome(tls.node, met_at)
        arrival.decided.set()
        if not arrival.welcome:
            return _refusal()
        interface, call = _interface(address), read_call(request.headers.get(CALL_HEADER, ""))
        if self.links[tls.node] >= PROVEN_PER_KEY_MAX or not self._has_room(tls.node, interface, call):
            return _refusal(FULL_STATUS)
        socket = web.WebSocketResponse(max_msg_size=FRAME_BYTES_MAX + 1, compress=False, timeout=CLOSE_S)
        try:
            await socket.prepare(request)
        except (*_GONE, ValueError):  # aiohttp decodes keys, and encodes what it refuses, without a check
            return _refusal()
        _end_when_dead(connection_info(request, "socket"))
        self.links[tls.node] += 1
        try:
            await self._serve(Link(socket, tls, met_at, dialled=False, interface=interface, call=call))
        finally:
            self.links[tls.node] -= 1
            self.links += Counter()
        return socket

    async def _answer_in_lobby(self, request: web.Request) -> web.StreamResponse:
        """A stranger with an invite: one answer, and the connection ends."""
        arrival = self._arrivals.get(request.protocol)
        tls = connection_info(request, "ssl_object")
        if arrival is None or arrival.decided.is_set() or not isinstance(tls, NodeTLS):
            return _refusal()
        try:
            asked = await self._read_request(request)
            if self._lobby is None or asked is None:
                return _refusal()
            answer = web.Response(body=await self._lobby(tls.node, asked))
            answer.force_close()
            with contextlib.suppress(*_GONE):
                await answer.prepare(request)
                await answer.write_eof()
            return answer
        finally:
            arrival.decided.set()

    async def _read_request(self, request: web.Request) -> JoinRequest | None:
        address = connection_info(request, "peername") or ("", 0)
        if not self._lobby_limit.take(str(address[0]), time.monotonic()):
            return None
        body = b""
        try:
            while len(body) <= REQUEST_BYTES_MAX and (
                more := await request.content.read(REQUEST_BYTES_MAX + 1)
            ):
                body += more
        except _GONE:
            return None
        asked = read_join_request(body)
        return None if isinstance(asked, Malformed) else asked


async def _until_decided(arrival: _Arrival, transport: asyncio.BaseTransport) -> None:
    """Or until the connection is closed: then it must not hold a place of those whose key is not proven."""
    while not arrival.decided.is_set() and not transport.is_closing():
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSED_LOOK_S):
                await arrival.decided.wait()


def _refusal(status: int = REFUSED_STATUS) -> web.Response:
    refusal = web.Response(status=status)
    refusal.force_close()
    return refusal


def _listen(port: int) -> socket.socket:
    both = socket.has_dualstack_ipv6()
    host, family = ("::", socket.AF_INET6) if both else ("0.0.0.0", socket.AF_INET)  # noqa: S104 (strangers are refused)
    try:
        listening = socket.create_server((host, port), family=family, dualstack_ipv6=both, backlog=32)
    except OSError as error:
        fix = "if another program uses it, stop that or set another mesh port"
        raise NodeError(f"the mesh cannot listen on port {port}: {error.strerror}", fix) from error
    listening.setblocking(False)
    return listening

"""Connection limiter: connections are counted, limited and timed before a request exists.

The HTTP library gets a request only when all of it has arrived and is within the limits. So a slow or endless
client costs a small buffer and no task.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from itertools import islice
from typing import Protocol

from node.client_network import client_network
from node.rate_limit import ConcurrencyLimit
from node.reference_cycles import untie
from node.units import MacAddress
from node.web.framing import HEAD_END, REFUSALS, dated, measure, without_offers

SWEEP_S = 1.0
SWEPT_AT_ONCE = 32
"""Connections closed before the event loop runs other work: closing ten thousand at once would block it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one listener. A device is a hardware address; of an unknown one, an IPv4 address or IPv6 /64 counts as a
    device."""

    connections: int = 12_288
    """At this number an idle connection is closed for a new one."""
    connections_per_device: int = 32
    at_work_per_device: int = 4
    """Concurrent requests of one device; more of them wait, while other devices are served."""
    head_bytes: int = 8_000
    head_lines: int = 64
    body_bytes: int = 16_384
    """Enough for the longest text field, in any script."""
    buffered_bytes: int = 4_000_000
    """Of all incomplete requests together."""
    request_s: float = 10.0
    """Seconds for a complete request, from the opening of the connection or its first byte."""
    answer_s: float = 30.0
    """Seconds for the response to be produced and read."""
    idle_s: float = 15.0
    """Seconds between two requests, and for the last response to be read."""
    requests: int = 1_000
    """On one connection."""


@dataclass(frozen=True, slots=True)
class SocketAddresses:
    """The two ends of one TCP connection, as the listener's socket has them."""

    address: str
    """Peer address: IPv4 or IPv6, with a scope if link-local."""
    port: int
    own_address: str
    own_port: int


@dataclass(frozen=True, slots=True)
class Caller:
    """The device that sends the frames of a connection."""

    device: MacAddress | None
    """None when the client is not on the LAN, or while the address is disputed."""
    is_disputed: bool = False
    """The frames come from another hardware address than the neighbour table has."""


class Inner(Protocol):
    """The part of the HTTP library's protocol class that is used here, one instance for each connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None: ...

    def data_received(self, data: bytes) -> None: ...

    def connection_lost(self, exc: BaseException | None) -> None: ...

    def pause_writing(self) -> None: ...

    def resume_writing(self) -> None: ...


@dataclass(frozen=True, slots=True)
class FastAnswer:
    """A complete response as octets; `closes` ends the connection after it."""

    octets: bytes
    closes: bool = False


FastAnswerer = Callable[[bytes, "Connection"], FastAnswer | None]
"""From the head of a request without a body to its response; None leaves it to the HTTP library."""


@dataclass(frozen=True, slots=True)
class StreamOpener:
    """Takes requests whose body is read, or whose response is written, as they come."""

    beginnings: tuple[bytes, ...]
    """Of the request lines that `open` is called for."""
    open: Callable[[bytes, "Connection"], Inner | bytes | None]
    """From the head of a request to what reads and writes until the connection ends, within the `deadline` that it sets;
    or to a complete refusal. None leaves the request to the HTTP library."""


def ends_of(transport: asyncio.BaseTransport) -> SocketAddresses | None:
    """Both socket addresses; None when the connection is closed already."""
    there, here = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
    return SocketAddresses(there[0], there[1], here[0], here[1]) if there and here else None


def counted_as(caller: Caller, ends: SocketAddresses) -> str:
    """Key under which a connection counts: its device, or its client's network when the device is unknown."""
    return caller.device or client_network(ends.address)


def plain_refusal(status: int) -> bytes:
    """The response, as text, to data that is not a valid request."""
    return dated(REFUSALS[status], formatdate(usegmt=True).encode())


class ConnectionLimiter:
    """All connections of one listener: protocol factory, limits and sweep of overdue connections.

    What happens at a limit: with `is_fair`, a client at its own limit loses its longest idle connection; at the limit of
    all, the client with most connections does; and over the limit of buffered bytes the connection with most of them is
    closed. Otherwise, for thousands of clients, it is cheap: the new connection of a client is refused; at the limit of
    all, the longest idle one is closed; and the connection that exceeds the limit of bytes gets an error.
    """

    def __init__(
        self,
        inner: Callable[[], Inner],
        caller_of: Callable[[SocketAddresses], Caller],
        *,
        clock: Callable[[], float],
        limits: Limits,
        connections_max: Callable[[], int] | None = None,
        refusal: Callable[[int], bytes] = plain_refusal,
        is_fair: bool = False,
        fast_path: FastAnswerer | None = None,
        streams: StreamOpener | None = None,
    ) -> None:
        """`connections_max` is called often: how many connections fit into memory now. The smaller of it and
        `limits` applies. `refusal` returns the response to data that is not a valid request, by status."""
        self.limits = limits
        self.buffered = 0
        self.inner = inner
        self.clock = clock
        self.caller_of = caller_of
        self.refusal = refusal
        self.is_fair = is_fair
        self.fast_path = fast_path
        self.streams = streams
        self._connections_max = connections_max or (lambda: limits.connections)
        self._open: set[Connection] = set()
        self._idle: dict[Connection, str] = {}
        """Devices of connections without a request in progress, longest idle first; only these are closed to make
        room."""
        self._by_device: Counter[str] = Counter()
        self._unused: dict[str, list[Connection]] = {}
        """By device: connections without any request so far. Browsers open them in advance."""
        self._concurrency: ConcurrencyLimit[Connection] = ConcurrencyLimit(limits.at_work_per_device)

    def __call__(self) -> "Connection":
        return Connection(self)

    def __len__(self) -> int:
        return len(self._open)

    def accept(self, connection: "Connection", device: str) -> bool:
        """Registers a connection of `device`; False when a limit does not allow it."""
        if self._by_device[device] >= self.limits.connections_per_device:
            if not self.is_fair or not self._close_idle_of(device):
                return False
        elif len(self._open) >= self.connections_max() and not self._make_room():
            return False
        self._open.add(connection)
        self._idle[connection] = device
        self._by_device[device] += 1
        self._unused.setdefault(device, []).append(connection)
        return True

    def connections_max(self) -> int:
        return min(self.limits.connections, self._connections_max())

    def remove(self, connection: "Connection", device: str) -> None:
        """The connection is closed, or about to be; calling it twice is harmless."""
        if connection not in self._open:
            return
        self._open.remove(connection)
        self._idle.pop(connection, None)
        self._concurrency.leave(connection, device)
        self._by_device[device] -= 1
        if not self._by_device[device]:
            del self._by_device[device]
        self._used(connection, device)

    def is_queued(self, connection: "Connection", device: str | None) -> bool:
        """Whether the connection is in the queue of its device."""
        return device is not None and self._concurrency.waits(connection, device)

    def begin_request(self, connection: "Connection", device: str) -> bool:
        """Whether a complete request of the connection is in progress from now on; otherwise the connection is queued
        and called later."""
        if not self._concurrency.begin(connection, device):
            return False
        self._idle.pop(connection, None)
        self._used(connection, device)
        return True

    def begin_stream(self, connection: "Connection", device: str) -> None:
        """The connection is in use, and is not closed to make room. A stream is no concurrent request."""
        self._idle.pop(connection, None)
        self._used(connection, device)

    def end_request(self, device: str) -> None:
        """The request is answered, or its client has disconnected."""
        if self._concurrency.end(device):
            # In the next turn of the loop, so that other devices whose requests came meanwhile are served
            # first.
            asyncio.get_running_loop().call_soon(self._call_next, device)

    def _call_next(self, device: str) -> None:
        for connection in self._concurrency.called(device):
            connection.take_turn()

    def mark_idle(self, connection: "Connection", device: str) -> None:
        """The response is written; the connection waits for its next request."""
        if connection in self._open:
            self._idle.pop(connection, None)
            self._idle[connection] = device

    def close_unused(self, device: str) -> None:
        """Closes the device's connections without a request. The kernel redirected them here while the device
        was captive; the browser would later use them for an Internet host and reach the portal."""
        for connection in tuple(self._unused.get(device, ())):
            connection.abort_unused()

    def _used(self, connection: "Connection", device: str) -> None:
        unused = self._unused.get(device)
        if unused is not None and connection in unused:
            unused.remove(connection)
            if not unused:
                del self._unused[device]

    def may_buffer(self) -> bool:
        """Whether the buffers of all connections are within their limit. With `is_fair` always: over the limit, the
        connection with the largest buffer is closed."""
        if self.buffered <= self.limits.buffered_bytes:
            return True
        if self.is_fair:
            max(self._open, key=lambda each: each.buffered).abort()
        return self.is_fair

    def _make_room(self) -> bool:
        """Closes one idle connection, if there is any."""
        if not self._idle:
            return False
        device = max(self._idle.values(), key=self._by_device.__getitem__) if self.is_fair else None
        return self._close_idle_of(device)

    def _close_idle_of(self, device: str | None) -> bool:
        """Closes the longest idle connection of the device, of any for None."""
        found = next((each for each in self._idle if device is None or self._idle[each] == device), None)
        if found is None:
            return False
        self.remove(found, self._idle[found])
        found.abort()
        return True

    async def sweep(self) -> None:
        """Closes overdue connections, once a second, until cancelled."""
        while True:
            await asyncio.sleep(SWEEP_S)
            now = self.clock()
            surplus = set(islice(self._idle, max(0, len(self._open) - self.connections_max())))
            overdue = [connection for connection in self._open if connection.deadline < now]
            for number, connection in enumerate([*surplus, *overdue], start=1):
                # Skip a surplus connection that has begun a request meanwhile.
                if connection.deadline < now or (connection in surplus and connection in self._idle):
                    connection.abort()
                if number % SWEPT_AT_ONCE == 0:
                    await asyncio.sleep(0)

    def close(self) -> None:
        for connection in list(self._open):
            connection.abort()


class Connection(asyncio.Protocol):
    """One connection: buffers a complete request, passes it on, and waits for the response before the next one."""

    __slots__ = (
        "_buffer",
        "_choked",
        "_device",
        "_eof",
        "_inner",
        "_limiter",
        "_mute",
        "_requests",
        "_stream",
        "_waiting",
        "_whole",
        "caller",
        "deadline",
        "is_last",
        "transport",
    )

    def __init__(self, limiter: ConnectionLimiter, caller: Caller | None = None) -> None:
        """`caller` if already known; otherwise the limiter's `caller_of` is called when the connection opens."""
        self.caller = caller
        self._limiter = limiter
        self.transport: asyncio.Transport | None = None
        self._device: str | None = None
        self._inner: Inner | None = None
        self._buffer: bytes | bytearray = b""
        self._whole = 0
        """Octets of the first request in the buffer with its body; 0 until its head is complete."""
        self._waiting = False
        """A request is in progress; later ones stay in the buffer."""
        self._choked = False
        """The client does not read its responses as fast as they are written."""
        self._mute = False
        """Closed, about to be, or with its last request in progress: further data is ignored."""
        self._eof = False
        """The client has half-closed the connection."""
        self._requests = 0
        self._stream: Inner | None = None
        """Takes all further data; the library does not know of it."""
        self.deadline = 0.0
        self.is_last = False
        """The connection closes after the present response."""

    @property
    def buffered(self) -> int:
        return len(self._buffer)

    @property
    def party(self) -> str:
        """What the connection counts as: its device, or its client's network when the device is unknown. Empty when it is
        closed."""
        return self._device or ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport, ends = transport, ends_of(transport)
        if ends is not None:
            if self.caller is None:
                self.caller = self._limiter.caller_of(ends)
            device = counted_as(self.caller, ends)
            if self._limiter.accept(self, device):
                self._device = device
                self.deadline = self._limiter.clock() + self._limiter.limits.request_s
                return
        self._mute = True
        transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._mute:
            return
        if self._stream is not None:
            self._stream.data_received(data)
            return
        limits = self._limiter.limits
        if not self._buffer and not self._waiting and self._requests:
            self.deadline = self._limiter.clock() + limits.request_s
        if self._buffer:
            if isinstance(self._buffer, bytes):
                self._buffer = bytearray(self._buffer)
            self._buffer += data
        else:
            self._buffer = data
        self._limiter.buffered += len(data)
        if self._waiting:
            # Pipelined requests wait until the response is out; browsers send at most one.
            if len(self._buffer) > limits.head_bytes:
                self.abort()
            return
        self._hand_in()
        # What is left is one incomplete request, or many from a client that does not read its responses.
        if len(self._buffer) > limits.head_bytes + len(HEAD_END) + limits.body_bytes:
            self.abort()

    def eof_received(self) -> bool:
        """Half-closed by the client: the response is still sent."""
        self._eof = True
        left = -1
        while len(self._buffer) != left:
            left = len(self._buffer)
            self._hand_in()
        return (
            self._waiting
            or self._stream is not None
            or (bool(self._buffer) and (self._choked or self._limiter.is_queued(self, self._device)))
        )

    def connection_lost(self, exc: Exception | None) -> None:
        self._keep(b"")
        for each in (self._stream, self._inner):
            if each is not None:
                each.connection_lost(exc)
        self._stream = self._inner = None
        if self._device is not None:
            self._limiter.remove(self, self._device)
            self._end_request()
            self._device = None
        if self.transport is not None:
            untie(self.transport)

    def pause_writing(self) -> None:
        self._choked = True
        for each in (self._stream, self._inner):
            if each is not None:
                each.pause_writing()

    def resume_writing(self) -> None:
        self._choked = False
        for each in (self._stream, self._inner):
            if each is not None:
                each.resume_writing()
        self._hand_in()

    def take_turn(self) -> None:
        self._hand_in()

    def answered(self) -> bool:
        """The response is made and about to be written; True when the connection must close after it."""
        if self._device is None:
            return True
        self._end_request()
        self._limiter.mark_idle(self, self._device)
        self.deadline = self._limiter.clock() + self._limiter.limits.idle_s
        if self.is_last or (self._eof and not self._buffer):
            return True
        if self._buffer:
            asyncio.get_running_loop().call_soon(self._hand_in)
        return False

    def abort(self) -> None:
        self._mute = True
        self._keep(b"")
        if self.transport is not None:
            self.transport.abort()

    def abort_unused(self) -> None:
        """Closes unless part of a request has arrived."""
        if not self._buffer:
            self.abort()

    def _hand_in(self) -> None:
        if self._waiting or self._choked or self._mute or not self._buffer:
            return
        assert self.transport is not None
        if self.transport.is_closing():  # the library must not start a request that it cannot answer
            return
        status = 0 if self._whole else self._measure()
        if self._stream is not None or self._mute:
            return
        if status:
            self._refuse(self._limiter.refusal(status))
        elif self._whole and len(self._buffer) >= self._whole:
            request, rest = bytes(self._buffer[: self._whole]), bytes(self._buffer[self._whole :])
            answer = self._fast_answer(request)
            if answer is None:
                self._pass_on(request, rest=rest)
            else:
                self._answer(answer, rest)
        elif not self._limiter.may_buffer():
            self._refuse(self._limiter.refusal(503))

    def _measure(self) -> int:
        """Measures the request head: the status of a refusal; 0 when the head is valid or incomplete."""
        limits, buffer = self._limiter.limits, self._buffer
        end = buffer.find(HEAD_END, 0, limits.head_bytes + len(HEAD_END))
        if end < 0:
            if len(buffer) <= limits.head_bytes:
                return 0
            return 414 if b"\r\n" not in buffer else 431
        head = bytes(buffer[:end])
        streams = self._limiter.streams
        if streams is not None and head.startswith(streams.beginnings):
            stream = streams.open(head, self)
            if stream is not None:
                self._open_stream(stream, bytes(buffer[end + len(HEAD_END) :]))
                return 0
        status, octets = measure(head, lines_max=limits.head_lines, body_bytes_max=limits.body_bytes)
        self._whole = end + len(HEAD_END) + octets
        return status

    def _open_stream(self, stream: Inner | bytes, begun: bytes) -> None:
        if isinstance(stream, bytes):
            self._refuse(stream)
            return
        assert self.transport is not None
        assert self._device is not None
        self._keep(b"")
        self._limiter.begin_stream(self, self._device)
        self._stream = stream
        stream.connection_made(self.transport)
        if begun:
            stream.data_received(begun)

    def _fast_answer(self, request: bytes) -> FastAnswer | None:
        # The last response of a connection must carry "Connection: close", which the library writes.
        if self._limiter.fast_path is None or self._requests + 1 >= self._limiter.limits.requests:
            return None
        head, _, body = request.partition(HEAD_END)
        return None if body else self._limiter.fast_path(head, self)

    def _answer(self, answer: FastAnswer, rest: bytes) -> None:
        """Response without the library."""
        assert self.transport is not None
        self._keep(rest)
        self._requests += 1
        self.transport.write(answer.octets)
        if answer.closes or self.answered():
            self._mute = True
            self._keep(b"")
            self.transport.close()

    def _pass_on(self, request: bytes, *, rest: bytes) -> None:
        limiter, limits = self._limiter, self._limiter.limits
        is_last = self._requests + 1 >= limits.requests
        if len(rest) > limits.head_bytes and not is_last:
            self._refuse(self._limiter.refusal(400))
            return
        assert self._device is not None
        if not limiter.begin_request(self, self._device):
            return
        assert self.transport is not None
        if is_last:
            self._mute = self.is_last = True
            self._keep(b"")
            self.transport.pause_reading()
        else:
            self._keep(rest)
        self._waiting = True
        self._requests += 1
        self.deadline = limiter.clock() + limits.answer_s
        if self._inner is None:
            self._inner = limiter.inner()
            self._inner.connection_made(self.transport)
        self._inner.data_received(without_offers(request))

    def _end_request(self) -> None:
        if self._waiting:
            assert self._device is not None
            self._limiter.end_request(self._device)
        self._waiting = False

    def _refuse(self, answer: bytes) -> None:
        """Sends an error response and ignores further data; the sweep closes clients that do not disconnect."""
        self._mute = True
        self._keep(b"")
        assert self.transport is not None
        self.transport.write(answer)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.deadline = self._limiter.clock() + SWEEP_S

    def _keep(self, rest: bytes) -> None:
        """Only `rest` is left in the buffer."""
        self._limiter.buffered += len(rest) - len(self._buffer)
        self._buffer, self._whole = rest, 0

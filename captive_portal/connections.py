"""Connection limiter: connections are counted, limited and timed before a request exists.

The HTTP library gets a request only when all of it has arrived and is within the limits. So a slow or endless
client costs a small buffer and no task.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from captive_portal.callers import Caller, SocketAddresses
from captive_portal.concurrency_limit import ConcurrencyLimit
from captive_portal.limits import Limits
from node.client_network import client_network
from node.framing import HEAD_END, REFUSALS, measure

SWEEP_S = 1.0
SWEPT_AT_ONCE = 32
"""Connections closed before the event loop runs other work: closing ten thousand at once would block it."""


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


def ends_of(transport: asyncio.BaseTransport) -> SocketAddresses | None:
    """Both socket addresses; None when the connection is closed already."""
    there, here = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
    return SocketAddresses(there[0], there[1], here[0], here[1]) if there and here else None


def counted_as(caller: Caller, ends: SocketAddresses) -> str:
    """Key under which a connection counts: its device, or its client's network when the device is unknown."""
    return caller.device or client_network(ends.address)


class ConnectionLimiter:
    """All connections of one listener: protocol factory, limits and sweep of overdue connections."""

    def __init__(
        self,
        inner: Callable[[], Inner],
        caller_of: Callable[[SocketAddresses], Caller],
        *,
        clock: Callable[[], float],
        limits: Limits,
        connections_max: Callable[[], int] | None = None,
        quick: FastAnswerer | None = None,
    ) -> None:
        """`connections_max` is called often: how many connections fit into memory now. The smaller of it and
        `limits` applies."""
        self.limits = limits
        self.quick = quick
        self.buffered = 0
        self.inner = inner
        self.clock = clock
        self.caller_of = caller_of
        self._connections_max = connections_max or (lambda: limits.connections)
        self._open: set[Connection] = set()
        self._idle: dict[Connection, None] = {}
        """Connections without a request in progress, longest idle first; only these are closed to make
        room."""
        self._by_device: Counter[str] = Counter()
        self._unused: dict[str, list[Connection]] = {}
        """By device: connections without any request so far. Browsers open them in advance."""
        self._by_inner: dict[int, Connection] = {}
        self._concurrency: ConcurrencyLimit[Connection] = ConcurrencyLimit(limits.at_work_per_device)

    def __call__(self) -> "Connection":
        return Connection(self)

    def __len__(self) -> int:
        return len(self._open)

    def accept(self, connection: "Connection", device: str) -> bool:
        """Registers a connection of `device`; False when a limit does not allow it."""
        if self._by_device[device] >= self.limits.connections_per_device:
            return False
        if len(self._open) >= self.connections_max() and not self._make_room():
            return False
        self._open.add(connection)
        self._idle[connection] = None
        self._by_device[device] += 1
        self._unused.setdefault(device, []).append(connection)
        return True

    def connections_max(self) -> int:
        return min(self.limits.connections, self._connections_max())

    def remove(self, connection: "Connection", device: str) -> None:
        self._open.discard(connection)
        self._idle.pop(connection, None)
        self._concurrency.leave(connection, device)
        self._by_device[device] -= 1
        if not self._by_device[device]:
            del self._by_device[device]
        self._used(connection, device)

    def may_ask(self, connection: "Connection", device: str) -> bool:
        """Whether a complete request may start now; otherwise the connection is queued and called later."""
        return self._concurrency.may_begin(connection, device)

    def is_queued(self, connection: "Connection", device: str | None) -> bool:
        """Whether the connection is in the queue of its device."""
        return device is not None and self._concurrency.waits(connection, device)

    def begin_request(self, connection: "Connection", device: str) -> None:
        """A complete request of the connection is in progress."""
        self._concurrency.begin(device)
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

    def mark_idle(self, connection: "Connection") -> None:
        """The response is written; the connection waits for its next request."""
        if connection in self._open:
            self._idle.pop(connection, None)
            self._idle[connection] = None

    def close_unused(self, device: str) -> None:
        """Closes the device's connections without a request. The kernel redirected them here while the device
        was captive; the browser would later use them for an Internet host and reach the portal."""
        for connection in tuple(self._unused.get(device, ())):
            connection.abort_unused()

    def _used(self, connection: "Connection", device: str) -> None:
        unasked = self._unused.get(device)
        if unasked is not None and connection in unasked:
            unasked.remove(connection)
            if not unasked:
                del self._unused[device]

    def bind(self, inner: Inner, connection: "Connection") -> None:
        self._by_inner[id(inner)] = connection

    def unbind(self, inner: Inner) -> None:
        self._by_inner.pop(id(inner), None)

    def connection_of(self, inner: object) -> "Connection | None":
        """None when the connection is closed."""
        return self._by_inner.get(id(inner))

    def answered(self, inner: object) -> bool:
        """The inner protocol has written its response; True when the connection must close after it."""
        connection = self._by_inner.get(id(inner))
        return connection is None or connection.answered()

    def _make_room(self) -> bool:
        longest_silent = next(iter(self._idle), None)
        if longest_silent is None:
            return False
        del self._idle[longest_silent]
        longest_silent.abort()
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
    """One connection: buffers a complete request, passes it on, and waits for the response before the next
    one."""

    __slots__ = (
        "_buffer",
        "_choked",
        "_device",
        "_eof",
        "_inner",
        "_limiter",
        "_mute",
        "_requests",
        "_waiting",
        "caller",
        "deadline",
        "transport",
    )

    def __init__(self, limiter: ConnectionLimiter, caller: Caller | None = None) -> None:
        """`caller` if already known; otherwise the limiter's `caller_of` is called when the connection
        opens."""
        self.caller = caller
        self._limiter = limiter
        self.transport: asyncio.Transport | None = None
        self._device: str | None = None
        self._inner: Inner | None = None
        self._buffer = b""
        self._waiting = False
        self._choked = False
        self._mute = False
        self._eof = False
        self._requests = 0
        self.deadline = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport, ends = transport, ends_of(transport)
        if ends is None or not self._may_stay(ends):
            self._mute = True
            transport.abort()
            return
        self.deadline = self._limiter.clock() + self._limiter.limits.request_s

    def _may_stay(self, ends: SocketAddresses) -> bool:
        if self.caller is None:
            self.caller = self._limiter.caller_of(ends)
        device = counted_as(self.caller, ends)
        if not self._limiter.accept(self, device):
            return False
        self._device = device
        return True

    def data_received(self, data: bytes) -> None:
        if self._mute:
            return
        if not self._buffer and not self._waiting and self._requests:
            self.deadline = self._limiter.clock() + self._limiter.limits.request_s
        self._buffer += data
        self._limiter.buffered += len(data)
        if self._waiting:
            # Pipelined requests wait until the response is out; browsers send at most one.
            if len(self._buffer) > self._limiter.limits.head_bytes:
                self.abort()
            return
        self._hand_in()
        # What is left is one incomplete request, or many from a client that does not read its responses.
        if (
            len(self._buffer)
            > self._limiter.limits.head_bytes + len(HEAD_END) + self._limiter.limits.body_bytes
        ):
            self.abort()

    def eof_received(self) -> bool:
        """Half-closed by the client: the response is still sent."""
        self._eof = True
        left = -1
        while len(self._buffer) != left:
            left = len(self._buffer)
            self._hand_in()
        return self._waiting or (
            bool(self._buffer) and (self._choked or self._limiter.is_queued(self, self._device))
        )

    def connection_lost(self, exc: Exception | None) -> None:
        self._drop_buffer()
        if self._inner is not None:
            self._limiter.unbind(self._inner)
            self._inner.connection_lost(exc)
            self._inner = None
        if self._device is not None:
            self._limiter.remove(self, self._device)
            self._has_answer()
            self._device = None
        if self.transport is not None:
            _untie(self.transport)

    def pause_writing(self) -> None:
        self._choked = True
        if self._inner is not None:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._choked = False
        if self._inner is not None:
            self._inner.resume_writing()
        self._hand_in()

    def take_turn(self) -> None:
        self._hand_in()

    def answered(self) -> bool:
        self._has_answer()
        self._limiter.mark_idle(self)
        self.deadline = self._limiter.clock() + self._limiter.limits.idle_s
        if self._requests >= self._limiter.limits.requests or (self._eof and not self._buffer):
            return True
        if self._buffer:
            asyncio.get_running_loop().call_soon(self._hand_in)
        return False

    def abort(self) -> None:
        self._mute = True
        self._drop_buffer()
        if self.transport is not None:
            self.transport.abort()

    def abort_unused(self) -> None:
        """Closes unless part of a request has arrived."""
        if not self._buffer:
            self.abort()

    def _hand_in(self) -> None:
        limits, buffer = self._limiter.limits, self._buffer
        if self._waiting or self._choked or self._mute or not buffer:
            return
        assert self.transport is not None
        if self.transport.is_closing():  # the library must not start a request that it cannot answer
            return
        end = buffer.find(HEAD_END, 0, limits.head_bytes + len(HEAD_END))
        if end < 0:
            if len(buffer) > limits.head_bytes:
                self._refuse(414 if b"\r\n" not in buffer else 431)
            elif self._limiter.buffered > limits.buffered_bytes:
                self._refuse(503)
            return
        status, octets = measure(buffer[:end], lines_max=limits.head_lines, body_bytes_max=limits.body_bytes)
        if status:
            self._refuse(status)
            return
        whole = end + len(HEAD_END) + octets
        if len(buffer) < whole:
            return
        # The last response of a connection must carry "Connection: close", which the library writes.
        if self._limiter.quick is not None and not octets and self._requests + 1 < limits.requests:
            answer = self._limiter.quick(buffer[:end], self)
            if answer is not None:
                self._answer(answer, whole)
                return
        self._pass_on(buffer[:whole], rest=buffer[whole:])

    def _answer(self, answer: FastAnswer, length: int) -> None:
        """Response without the library; `length` octets of the buffer were the request."""
        assert self.transport is not None
        self._buffer = self._buffer[length:]
        self._limiter.buffered -= length
        self._requests += 1
        self.transport.write(answer.octets)
        if answer.closes or self.answered():
            self._mute = True
            self._drop_buffer()
            self.transport.close()

    def _pass_on(self, request: bytes, *, rest: bytes) -> None:
        if len(rest) > self._limiter.limits.head_bytes:
            self._refuse(400)
            return
        assert self._device is not None
        if not self._limiter.may_ask(self, self._device):
            return
        self._buffer = rest
        self._limiter.buffered -= len(request)
        self._waiting = True
        self._limiter.begin_request(self, self._device)
        self._requests += 1
        self.deadline = self._limiter.clock() + self._limiter.limits.answer_s
        if self._inner is None:
            assert self.transport is not None
            self._inner = self._limiter.inner()
            self._limiter.bind(self._inner, self)
            self._inner.connection_made(self.transport)
        self._inner.data_received(request)

    def _has_answer(self) -> None:
        if self._waiting:
            assert self._device is not None
            self._limiter.end_request(self._device)
        self._waiting = False

    def _refuse(self, status: int) -> None:
        """Sends an error response and ignores further data; the sweep closes clients that do not
        disconnect."""
        self._mute = True
        self._drop_buffer()
        assert self.transport is not None
        self.transport.write(REFUSALS[status])
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.deadline = self._limiter.clock() + SWEEP_S

    def _drop_buffer(self) -> None:
        self._limiter.buffered -= len(self._buffer)
        self._buffer = b""


def _untie(transport: asyncio.Transport) -> None:
    """Breaks reference cycles: asyncio transports keep bound methods of themselves as attributes, so a closed
    transport would stay until the next garbage collection, tens of megabytes with thousands of connections.
    """
    kept = getattr(transport, "__dict__", {})
    for name in [name for name, value in kept.items() if getattr(value, "__self__", None) is transport]:
        kept[name] = None

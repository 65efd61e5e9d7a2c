"""Connections of people we know nothing about: counted, bounded and timed before a request exists.

Nothing reaches the HTTP library before a whole request is here, within its limits. So a slow or endless
client costs a small buffer and no task, and the library never waits for anybody.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from captive_portal.callers import Caller, SocketAddresses
from captive_portal.concurrency_limit import ConcurrencyLimit
from captive_portal.framing import Limits
from node.client_network import client_network
from node.framing import HEAD_END, REFUSALS, measure

SWEEP_S = 1.0
SWEPT_AT_ONCE = 32
"""Between so many others are served: ten thousand that end together would hold everybody up."""


class Inner(Protocol):
    """The HTTP library's protocol for one connection, as far as it is used here."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None: ...

    def data_received(self, data: bytes) -> None: ...

    def connection_lost(self, exc: BaseException | None) -> None: ...

    def pause_writing(self) -> None: ...

    def resume_writing(self) -> None: ...


@dataclass(frozen=True, slots=True)
class FastAnswer:
    """A whole answer as octets; `closes` the connection after it."""

    octets: bytes
    closes: bool = False


FastAnswerer = Callable[[bytes, "Connection"], FastAnswer | None]
"""From the head of a measured request without a body to its answer; None leaves it to the HTTP library."""


def ends_of(transport: asyncio.BaseTransport) -> SocketAddresses | None:
    """None for a connection that is over already."""
    there, here = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
    return SocketAddresses(there[0], there[1], here[0], here[1]) if there and here else None


def counted_as(caller: Caller, ends: SocketAddresses) -> str:
    """Under which name a connection counts: its device, or where it comes from."""
    return caller.device or client_network(ends.address)


class ConnectionLimiter:
    """All connections of one portal: the protocol factory, and who may open another."""

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
        """`connections_max` is asked again and again: how many fit into the memory now, if that is fewer than
        `limits` says."""
        self.limits = limits
        self.quick = quick
        self.buffered = 0
        self.inner = inner
        self.clock = clock
        self.caller_of = caller_of
        self._connections_max = connections_max or (lambda: limits.connections)
        self._open: set[Connection] = set()
        self._idle: dict[Connection, None] = {}
        """Those that wait for their people, the longest silent first; a request under way is never given up."""
        self._by_device: Counter[str] = Counter()
        self._unused: dict[str, list[Connection]] = {}
        """By device: opened on a guess, as browsers do, and not used so far."""
        self._by_inner: dict[int, Connection] = {}
        self._concurrency: ConcurrencyLimit[Connection] = ConcurrencyLimit(limits.at_work_per_device)

    def __call__(self) -> "Connection":
        return Connection(self)

    def __len__(self) -> int:
        return len(self._open)

    def accept(self, connection: "Connection", device: str) -> bool:
        """Whether the connection may stay, which counts as one of `device`."""
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
        """Whether a whole request of it may be worked on now; otherwise it is called when it is its turn."""
        return self._concurrency.may_begin(connection, device)

    def is_queued(self, connection: "Connection", device: str | None) -> bool:
        """Whether it waits to be called."""
        return device is not None and self._concurrency.waits(connection, device)

    def begin_request(self, connection: "Connection", device: str) -> None:
        """A whole request of it is under way."""
        self._concurrency.begin(device)
        self._idle.pop(connection, None)
        self._used(connection, device)

    def end_request(self, device: str) -> None:
        """The request is answered, or nobody waits for the answer any more."""
        if self._concurrency.end(device):
            # In the loop's next turn, so that others who came meanwhile are served before.
            asyncio.get_running_loop().call_soon(self._call_next, device)

    def _call_next(self, device: str) -> None:
        for connection in self._concurrency.called(device):
            connection.take_turn()

    def mark_idle(self, connection: "Connection") -> None:
        """Its answer is made."""
        if connection in self._open:
            self._idle.pop(connection, None)
            self._idle[connection] = None

    def close_unused(self, device: str) -> None:
        """Ends the device's connections that have asked nothing: the kernel sent them here while the device was
        captured, and its browser would meet us on them in the Internet's place."""
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
        """None when it is over."""
        return self._by_inner.get(id(inner))

    def answered(self, inner: object) -> bool:
        """The inner protocol has made its answer; True when the connection must close after it."""
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
        """Closes what takes too long, each second, until cancelled."""
        while True:
            await asyncio.sleep(SWEEP_S)
            now = self.clock()
            surplus = set(islice(self._idle, max(0, len(self._open) - self.connections_max())))
            overdue = [connection for connection in self._open if connection.deadline < now]
            for number, connection in enumerate([*surplus, *overdue], start=1):
                # What was asked for again meanwhile is let be.
                if connection.deadline < now or (connection in surplus and connection in self._idle):
                    connection.abort()
                if number % SWEPT_AT_ONCE == 0:
                    await asyncio.sleep(0)

    def close(self) -> None:
        for connection in list(self._open):
            connection.abort()


class Connection(asyncio.Protocol):
    """One connection: gathers a whole request, hands it in, and waits for the answer before the next."""

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
        """`caller` when it is known already; otherwise the doorway's are asked as soon as there is a connection."""
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
            # The next request waits here until the answer is out; no browser sends more than one.
            if len(self._buffer) > self._limiter.limits.head_bytes:
                self.abort()
            return
        self._hand_in()
        # What is still here then is one request that is not whole, or many from somebody who takes no answers.
        if (
            len(self._buffer)
            > self._limiter.limits.head_bytes + len(HEAD_END) + self._limiter.limits.body_bytes
        ):
            self.abort()

    def eof_received(self) -> bool:
        """Half closed: the answer still goes out."""
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
        """Unless a request has begun to come."""
        if not self._buffer:
            self.abort()

    def _hand_in(self) -> None:
        limits, buffer = self._limiter.limits, self._buffer
        if self._waiting or self._choked or self._mute or not buffer:
            return
        assert self.transport is not None
        if self.transport.is_closing():  # the library must not begin what it cannot end
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
        # The last answer on a connection says that it is the last: that is the library's to write.
        if self._limiter.quick is not None and not octets and self._requests + 1 < limits.requests:
            answer = self._limiter.quick(buffer[:end], self)
            if answer is not None:
                self._answer(answer, whole)
                return
        self._pass_on(buffer[:whole], rest=buffer[whole:])

    def _answer(self, answer: FastAnswer, length: int) -> None:
        """Without the library; `length` octets of the buffer were the request."""
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
        """Say why, then read no more; the sweep closes who does not hang up."""
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
    """asyncio's transports keep methods of themselves as attributes, so only a collection of garbage would free a
    closed one: thousands that come and go would hold tens of megabytes meanwhile."""
    kept = getattr(transport, "__dict__", {})
    for name in [name for name, value in kept.items() if getattr(value, "__self__", None) is transport]:
        kept[name] = None

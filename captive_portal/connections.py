"""Connections of people we know nothing about: counted, bounded and timed before a request exists.

Nothing reaches the HTTP library before a whole request is here, within its limits. So a slow or endless
client costs a small buffer and no task, and the library never waits for anybody.
"""

import asyncio
import ipaddress
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

SWEEP_S = 1.0
SWEPT_AT_ONCE = 32
"""Between so many others are served: ten thousand that end together would hold everybody up."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a stranger may take up."""

    connections: int = 12_288
    """When so many stand, the one that has been silent for longest makes room for a new one."""
    connections_per_device: int = 32
    head_bytes: int = 8_000
    head_lines: int = 64
    body_bytes: int = 8_192
    buffered_bytes: int = 4_000_000
    """Of all unfinished requests together."""
    request_s: float = 10.0
    """For the whole request to arrive, from the opening of the connection or its first byte."""
    answer_s: float = 30.0
    """For the answer to be made and taken."""
    idle_s: float = 15.0
    requests: int = 1_000
    """On one connection."""


class Inner(Protocol):
    """The HTTP library's protocol for one connection, as far as it is used here."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None: ...

    def data_received(self, data: bytes) -> None: ...

    def connection_lost(self, exc: BaseException | None) -> None: ...

    def pause_writing(self) -> None: ...

    def resume_writing(self) -> None: ...


# An absolute target is spelled in full: the library trips over ports out of range and over names in punycode.
_TARGET = rb"/[!-~]{0,8191}|http://(?!xn--|[^/]*\.xn--)[a-z0-9.-]{1,255}(?::[0-9]{1,4})?(?:/[!-~]{0,8000})?"
_REQUEST_LINE = re.compile(rb"([A-Z]{1,16}) (?:" + _TARGET + rb") HTTP/1\.([01])")
# As strict as RFC 9112 section 5, so that the library finds nothing to complain about (and to log at length).
_FIELDS = re.compile(rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*(?:\r\n|\Z))*")
_HOST = re.compile(rb"^host:", re.IGNORECASE | re.MULTILINE)
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([^\r\n]*)", re.IGNORECASE)
_ENCODED = re.compile(rb"\r\ntransfer-encoding[ \t]*:", re.IGNORECASE)
_DIGITS = re.compile(rb"\d{1,9}[ \t]*")
_METHODS = frozenset({b"GET", b"HEAD", b"POST"})
_REASONS = {
    400: b"Bad Request",
    405: b"Method Not Allowed",
    411: b"Length Required",
    413: b"Content Too Large",
    414: b"URI Too Long",
    431: b"Request Header Fields Too Large",
    503: b"Service Unavailable",
}
_REFUSALS = {
    status: b"HTTP/1.1 %d %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n%s"
    b"Cache-Control: no-store\r\nConnection: close\r\n\r\n%s\n"
    % (status, reason, len(reason) + 1, b"Allow: GET, HEAD, POST\r\n" if status == 405 else b"", reason)
    for status, reason in _REASONS.items()
}


def measure(head: bytes, limits: Limits) -> tuple[int, int]:
    """(0, octets of the body) of a request's head without its last empty line; or (status of refusal, 0)."""
    if head.count(b"\n") > limits.head_lines:
        return 431, 0
    first, _, fields = head.partition(b"\r\n")
    line = _REQUEST_LINE.fullmatch(first)
    if line is None or not _FIELDS.fullmatch(fields):
        return 400, 0
    hosts = len(_HOST.findall(fields))
    if hosts > 1 or (not hosts and line[2] == b"1"):  # RFC 9112 section 3.2
        return 400, 0
    if line[1] not in _METHODS:
        return 405, 0
    if _ENCODED.search(head):
        return 411, 0
    lengths = _LENGTH.findall(head)
    if not lengths:
        return 0, 0
    if len(lengths) > 1 or not _DIGITS.fullmatch(lengths[0]):
        return 400, 0
    octets = int(lengths[0])
    return (413, 0) if octets > limits.body_bytes else (0, octets)


class Doorway:
    """All connections of one portal: the protocol factory, and who may open another."""

    def __init__(
        self,
        inner: Callable[[], Inner],
        device_of: Callable[[str], str | None],
        *,
        clock: Callable[[], float],
        limits: Limits,
    ) -> None:
        self.limits = limits
        self.buffered = 0
        self.inner = inner
        self.clock = clock
        self._device_of = device_of
        self._open: set[Connection] = set()
        self._silent: dict[Connection, None] = {}
        """Those that wait for their people, the longest silent first; a request under way is never given up."""
        self._by_device: Counter[str] = Counter()
        self._unasked: dict[str, list[Connection]] = {}
        """By device: opened on a guess, as browsers do, and not used so far."""
        self._by_inner: dict[int, Connection] = {}

    def __call__(self) -> "Connection":
        return Connection(self)

    def __len__(self) -> int:
        return len(self._open)

    def enter(self, connection: "Connection", address: str) -> str | None:
        """Under which name the connection counts; None when it may not stay."""
        device = self._device_of(address) or network_of(address)
        if self._by_device[device] >= self.limits.connections_per_device:
            return None
        if len(self._open) >= self.limits.connections and not self._make_room():
            return None
        self._open.add(connection)
        self._silent[connection] = None
        self._by_device[device] += 1
        self._unasked.setdefault(device, []).append(connection)
        return device

    def leave(self, connection: "Connection", device: str) -> None:
        self._open.discard(connection)
        self._silent.pop(connection, None)
        self._by_device[device] -= 1
        if not self._by_device[device]:
            del self._by_device[device]
        self._used(connection, device)

    def asks(self, connection: "Connection", device: str) -> None:
        """A whole request of it is under way."""
        self._silent.pop(connection, None)
        self._used(connection, device)

    def falls_silent(self, connection: "Connection") -> None:
        """Its answer is made."""
        if connection in self._open:
            self._silent[connection] = None

    def let_go(self, device: str) -> None:
        """Ends the device's connections that have asked nothing: the kernel sent them here while the device was
        captured, and its browser would meet us on them in the Internet's place."""
        for connection in tuple(self._unasked.get(device, ())):
            connection.abort_unused()

    def _used(self, connection: "Connection", device: str) -> None:
        unasked = self._unasked.get(device)
        if unasked is not None and connection in unasked:
            unasked.remove(connection)
            if not unasked:
                del self._unasked[device]

    def bind(self, inner: Inner, connection: "Connection") -> None:
        self._by_inner[id(inner)] = connection

    def unbind(self, inner: Inner) -> None:
        self._by_inner.pop(id(inner), None)

    def answered(self, inner: object) -> bool:
        """The inner protocol has made its answer; True when the connection must close after it."""
        connection = self._by_inner.get(id(inner))
        return connection is None or connection.answered()

    def _make_room(self) -> bool:
        longest_silent = next(iter(self._silent), None)
        if longest_silent is None:
            return False
        del self._silent[longest_silent]
        longest_silent.abort()
        return True

    async def sweep(self) -> None:
        """Closes what takes too long, each second, until cancelled."""
        while True:
            await asyncio.sleep(SWEEP_S)
            now = self.clock()
            overdue = [connection for connection in self._open if connection.deadline < now]
            for number, connection in enumerate(overdue, start=1):
                # What was asked for again meanwhile is let be.
                if connection.deadline < now:
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
        "_device",
        "_doorway",
        "_eof",
        "_inner",
        "_mute",
        "_requests",
        "_transport",
        "_waiting",
        "deadline",
    )

    def __init__(self, doorway: Doorway) -> None:
        self._doorway = doorway
        self._transport: asyncio.Transport | None = None
        self._device: str | None = None
        self._inner: Inner | None = None
        self._buffer = b""
        self._waiting = False
        self._mute = False
        self._eof = False
        self._requests = 0
        self.deadline = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        peer = transport.get_extra_info("peername")
        self._transport = transport
        self._device = self._doorway.enter(self, peer[0]) if peer else None
        if self._device is None:
            self._mute = True
            transport.abort()
            return
        self.deadline = self._doorway.clock() + self._doorway.limits.request_s

    def data_received(self, data: bytes) -> None:
        if self._mute:
            return
        if not self._buffer and not self._waiting and self._requests:
            self.deadline = self._doorway.clock() + self._doorway.limits.request_s
        self._buffer += data
        self._doorway.buffered += len(data)
        if self._waiting:
            # The next request waits here until the answer is out; no browser sends more than one.
            if len(self._buffer) > self._doorway.limits.head_bytes:
                self.abort()
            return
        self._hand_in()

    def eof_received(self) -> bool:
        """Half closed: the answer still goes out."""
        self._eof = True
        self._hand_in()
        return self._waiting

    def connection_lost(self, exc: Exception | None) -> None:
        self._drop_buffer()
        if self._inner is not None:
            self._doorway.unbind(self._inner)
            self._inner.connection_lost(exc)
            self._inner = None
        if self._device is not None:
            self._doorway.leave(self, self._device)
            self._device = None

    def pause_writing(self) -> None:
        if self._inner is not None:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        if self._inner is not None:
            self._inner.resume_writing()

    def answered(self) -> bool:
        self._waiting = False
        self._doorway.falls_silent(self)
        self.deadline = self._doorway.clock() + self._doorway.limits.idle_s
        if self._requests >= self._doorway.limits.requests or (self._eof and not self._buffer):
            return True
        if self._buffer:
            asyncio.get_running_loop().call_soon(self._hand_in)
        return False

    def abort(self) -> None:
        self._mute = True
        self._drop_buffer()
        if self._transport is not None:
            self._transport.abort()

    def abort_unused(self) -> None:
        """Unless a request has begun to come."""
        if not self._buffer:
            self.abort()

    def _hand_in(self) -> None:
        limits, buffer = self._doorway.limits, self._buffer
        if self._waiting or self._mute or not buffer:
            return
        assert self._transport is not None
        if self._transport.is_closing():  # the library must not begin what it cannot end
            return
        end = buffer.find(b"\r\n\r\n", 0, limits.head_bytes + 4)
        if end < 0:
            if len(buffer) > limits.head_bytes:
                self._refuse(414 if b"\r\n" not in buffer else 431)
            elif self._doorway.buffered > limits.buffered_bytes:
                self._refuse(503)
            return
        status, octets = measure(buffer[:end], limits)
        if status:
            self._refuse(status)
            return
        whole = end + 4 + octets
        if len(buffer) < whole:
            return
        self._pass_on(buffer[:whole], rest=buffer[whole:])

    def _pass_on(self, request: bytes, *, rest: bytes) -> None:
        if len(rest) > self._doorway.limits.head_bytes:
            self._refuse(400)
            return
        self._buffer = rest
        self._doorway.buffered -= len(request)
        self._waiting = True
        assert self._device is not None
        self._doorway.asks(self, self._device)
        self._requests += 1
        self.deadline = self._doorway.clock() + self._doorway.limits.answer_s
        if self._inner is None:
            assert self._transport is not None
            self._inner = self._doorway.inner()
            self._doorway.bind(self._inner, self)
            self._inner.connection_made(self._transport)
        self._inner.data_received(request)

    def _refuse(self, status: int) -> None:
        """Say why, then read no more; the sweep closes who does not hang up."""
        self._mute = True
        self._drop_buffer()
        assert self._transport is not None
        self._transport.write(_REFUSALS[status])
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self.deadline = self._doorway.clock() + SWEEP_S

    def _drop_buffer(self) -> None:
        self._doorway.buffered -= len(self._buffer)
        self._buffer = b""


def network_of(address: str) -> str:
    """A stranger counts by IPv4 address or by IPv6 /64, of which one household may hold every address."""
    bare = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(bare, ipaddress.IPv4Address) or bare.is_link_local:
        return str(bare)
    if bare.ipv4_mapped:
        return str(bare.ipv4_mapped)
    return str(ipaddress.ip_network((int(bare) >> 64 << 64, 64)))

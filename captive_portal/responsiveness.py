"""Server of the IETF responsiveness test (draft-ietf-ippm-responsiveness), for admitted devices: it measures the path
between a device and this node, over HTTP/1.1.

One test at a time. It is over when its time or bytes are used up, or when nothing of it was transferred for a while. The
transfers bypass the HTTP library: one constant buffer is sent again and again, and what arrives is thrown away.
"""

import asyncio
import contextlib
import json
import math
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from captive_portal.fast_path import head_field
from node.enforcement.plan import TEST_MINOR
from node.enforcement.tc import class_priority
from node.units import MacAddress
from node.web.connections import Connection
from node.web.framing import measure_stream

CONFIG_PATH = "/.well-known/nq"
SMALL_PATH, LARGE_PATH, UPLOAD_PATH = (
    "/responsiveness/small",
    "/responsiveness/large",
    "/responsiveness/upload",
)
VERSION = 1
SMALL = b"x"
"""The draft wants one byte."""
LARGE_BYTES = 8_000_000_000
"""The draft wants 8 GB or more: a client disconnects when it has measured."""
TEST_S, IDLE_S, PAUSE_S = 60.0, 5.0, 30.0
"""A test's longest time; how long nothing may be transferred; then how long its device waits before the next test."""
TEST_BYTES = LARGE_BYTES
"""Of all transfers of a test, both ways together."""
TRANSFERS_MAX = 16
"""At once. The draft adds one each second until the path is full, for less than 16 seconds."""
CHUNK_BYTES, CHUNK_S = 65_536, 0.001
"""A transfer that has sent or taken one chunk lets the event loop serve others for so long, and for longer after more: at
most half a gigabit a second each."""
SOCKET_BYTES = 131_072
"""Of a transfer's socket in the kernel, which takes twice as much: all of them fill 4 MB at most, if nobody reads."""
HEAD_LINES_MAX = 64
RESTED_MAX = 64
"""Devices whose pause is remembered; a pause is short, and a test takes some time."""

_CHUNK = memoryview(bytes(CHUNK_BYTES))
_LAST_CHUNK = b"\r\n0\r\n\r\n"
_HEADERS = b"Server: procomu\r\nCache-Control: no-store\r\nConnection: close\r\n"
_DOWNLOAD, _UPLOAD = f"GET {LARGE_PATH} HTTP/1.".encode(), f"POST {UPLOAD_PATH} HTTP/1.".encode()
TRANSFERS = (_DOWNLOAD, _UPLOAD)
"""Beginnings of the requests that `transfer_request` parses."""
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_TAKEN = b"HTTP/1.1 200 OK\r\n" + _HEADERS + b"Content-Length: 0\r\n\r\n"
_LARGE = b"HTTP/1.1 200 OK\r\n%bContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n" % (
    _HEADERS,
    LARGE_BYTES,
)


def document(origin: str) -> bytes:
    """The configuration, for clients that reached it at `origin`, such as ``http://10.0.0.1``.

    Each URL also has its older name, which Apple's networkQuality and goresponsiveness read.
    """
    small, large, upload = (origin + path for path in (SMALL_PATH, LARGE_PATH, UPLOAD_PATH))
    urls = {
        "large_download_url": large,
        "small_download_url": small,
        "upload_url": upload,
        "large_https_download_url": large,
        "small_https_download_url": small,
        "https_upload_url": upload,
    }
    return json.dumps({"version": VERSION, "urls": urls}, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class TryLater:
    """Why a device cannot test now, and after how many seconds it may try again."""

    reason: str
    retry_s: int


@dataclass(slots=True)
class CurrentTest:
    """The test that runs now."""

    device: MacAddress
    ends: float
    idle_from: float
    left: int = TEST_BYTES
    transfers: int = 0


class ResponsivenessTests:
    """Which device may test now. `now` is in seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._current: CurrentTest | None = None
        self._rests_until: dict[MacAddress, float] = {}

    def take(self, device: MacAddress, now: float) -> TryLater | None:
        """Begins a test of `device`, or continues it; None when it may go on."""
        self._end_if_over(now)
        test = self._current
        if test is None:
            rests_until = self._rests_until.get(device, now)
            if rests_until > now:
                return TryLater("You have just tested. Try again in a moment.", math.ceil(rests_until - now))
            self._current = CurrentTest(device, now + TEST_S, now)
            return None
        if test.device != device:
            return TryLater(
                "Another device is testing now. Only one can test at a time. Try again in a moment.",
                math.ceil(test.ends - now),
            )
        test.idle_from = now
        return None

    def begin_transfer(self, device: MacAddress, now: float) -> TryLater | None:
        """Like `take`, for one transfer; `end_transfer` must follow if it may go on."""
        refused = self.take(device, now)
        test = self._current
        if refused is None and test is not None:
            if test.transfers >= TRANSFERS_MAX:
                return TryLater("This device has too many transfers at once.", math.ceil(IDLE_S))
            test.transfers += 1
        return refused

    def count(self, device: MacAddress, octets: int, now: float) -> float | None:
        """`octets` of a transfer; until when it may be silent, or None when the test is over."""
        self._end_if_over(now)
        test = self._current
        if test is None or test.device != device:
            return None
        test.left -= octets
        test.idle_from = now
        if test.left <= 0:
            self._end(test, now)
            return None
        return min(test.ends, now + IDLE_S)

    def end_transfer(self, device: MacAddress) -> None:
        if self._current is not None and self._current.device == device:
            self._current.transfers = max(0, self._current.transfers - 1)

    def _end_if_over(self, now: float) -> None:
        test = self._current
        if test is not None and now >= min(test.ends, test.idle_from + IDLE_S):
            self._end(test, min(now, test.ends, test.idle_from + IDLE_S))

    def _end(self, test: CurrentTest, at: float) -> None:
        self._current = None
        self._rests_until.pop(test.device, None)
        self._rests_until[test.device] = at + PAUSE_S
        if len(self._rests_until) > RESTED_MAX:
            del self._rests_until[next(iter(self._rests_until))]


def refusal(refused: TryLater) -> bytes:
    """503 as a complete response."""
    body = f"{refused.reason}\n".encode()
    return (
        b"HTTP/1.1 503 Service Unavailable\r\n%bRetry-After: %d\r\nContent-Type: text/plain\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (_HEADERS, refused.retry_s, len(body), body)
    )


@dataclass(frozen=True, slots=True)
class TransferRequest:
    """Request for the large download, or for an upload."""

    host: str
    headers: Mapping[str, str]
    """Those from which a form's origin is known."""
    is_download: bool
    length: int | None
    """Of an upload; None for a chunked one."""
    expects_continue: bool


def transfer_request(head: bytes) -> TransferRequest | None:
    """Parses a request head without its final empty line. None for any other request, and for one with an error."""
    is_download = head.startswith(_DOWNLOAD)
    if not is_download and not head.startswith(_UPLOAD):
        return None
    status, length = measure_stream(head, lines_max=HEAD_LINES_MAX)
    if status or not head.isascii() or (is_download and length != 0):
        return None
    _, _, fields = head.partition(b"\r\n")
    lower = b"\r\n" + fields.lower()
    origin = {name: head_field(lower, fields, name.lower().encode()) for name in ("Origin", "Sec-Fetch-Site")}
    return TransferRequest(
        head_field(lower, fields, b"host"),
        {name: value for name, value in origin.items() if value},
        is_download,
        length,
        b"\r\nexpect:" in lower,
    )


class Transfer:
    """One transfer of a test, on a connection that ends with it; `begin_transfer` was called for it.

    What it costs does not depend on its size or on its peer: it holds no data but what waits in its socket, and between
    two chunks the event loop serves others.
    """

    def __init__(
        self,
        tests: ResponsivenessTests,
        device: MacAddress,
        request: TransferRequest,
        connection: Connection,
        clock: Callable[[], float],
    ) -> None:
        self._tests, self._device, self._connection, self._clock = tests, device, connection, clock
        self._is_download, self._expects_continue = request.is_download, request.expects_continue
        self._left = LARGE_BYTES if request.is_download else request.length
        self._tail = b"\r\n"
        """The last octets of a chunked upload."""
        self._taken = 0
        """Of an upload since the last pause: TLS hands over less than a chunk at once, a socket may hand over more."""
        self._transport: asyncio.Transport | None = None
        self._is_choked = False
        self._next: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        # Anything in the transport's own buffer means that the socket is full. With 0, TLS pauses an empty buffer.
        transport.set_write_buffer_limits(high=1, low=0)
        sock = transport.get_extra_info("socket")
        if sock is not None:
            for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
                sock.setsockopt(socket.SOL_SOCKET, option, SOCKET_BYTES)
            # What the node sends to its LAN goes first, but a test would leave others nothing of a link that it fills.
            with contextlib.suppress(PermissionError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, class_priority(TEST_MINOR))
        if not self._may_go_on(0):
            return
        if self._is_download:
            transport.pause_reading()
            transport.write(_LARGE)
            self._send_soon()
        elif self._left == 0:
            self._answer()
        elif self._expects_continue:
            transport.write(_CONTINUE)

    def data_received(self, data: bytes) -> None:
        if self._transport is None or self._is_download or not self._may_go_on(len(data)):
            return
        if self._left is None:
            # The chunks are not parsed: the connection ends after this request, so nothing can hide behind it.
            self._tail = (self._tail + data[-len(_LAST_CHUNK) :])[-len(_LAST_CHUNK) :]
            is_whole = self._tail == _LAST_CHUNK
        else:
            self._left -= len(data)
            is_whole = self._left <= 0
        self._taken += len(data)
        if is_whole:
            self._answer()
        elif self._taken >= CHUNK_BYTES:
            self._transport.pause_reading()
            pause = CHUNK_S * self._taken / CHUNK_BYTES
            self._next = asyncio.get_running_loop().call_later(pause, self._transport.resume_reading)
            self._taken = 0

    def pause_writing(self) -> None:
        self._is_choked = True

    def resume_writing(self) -> None:
        self._is_choked = False
        if self._is_download:
            self._send_soon()

    def connection_lost(self, _exc: BaseException | None) -> None:
        if self._next is not None:
            self._next.cancel()
        self._transport = self._next = None
        self._tests.end_transfer(self._device)

    def _send_soon(self) -> None:
        if self._next is None and not self._is_choked:
            self._next = asyncio.get_running_loop().call_later(CHUNK_S, self._send)

    def _send(self) -> None:
        self._next = None
        if self._transport is None or self._left is None or self._transport.is_closing():
            return
        octets = min(CHUNK_BYTES, self._left)
        if not self._may_go_on(octets):
            return
        self._left -= octets
        self._transport.write(_CHUNK[:octets])
        if self._left:
            self._send_soon()
        else:
            self._transport.close()

    def _may_go_on(self, octets: int) -> bool:
        """Counts them; closes the connection when the test is over. The limiter closes it when it is silent for long."""
        until = self._tests.count(self._device, octets, self._clock())
        if until is None:
            self._connection.abort()
            return False
        self._connection.deadline = until
        return True

    def _answer(self) -> None:
        assert self._transport is not None
        self._transport.write(_TAKEN)
        self._transport.close()

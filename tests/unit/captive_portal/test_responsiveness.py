"""The responsiveness test: whose turn it is, its limits, and transfers that hold no data."""

import asyncio
import json
import socket
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captive_portal import responsiveness
from captive_portal.responsiveness import (
    CHUNK_BYTES,
    CHUNK_S,
    IDLE_S,
    LARGE_BYTES,
    PAUSE_S,
    TEST_S,
    TRANSFERS_MAX,
    ResponsivenessTests,
    Transfer,
    TransferRequest,
    transfer_request,
)
from node.enforcement.plan import TEST_MINOR
from node.units import MacAddress
from node.web.connections import Caller, Connection, ConnectionLimiter, Limits, StreamOpener

ANA, BEN = MacAddress("02:00:00:00:00:0a"), MacAddress("02:00:00:00:00:0b")
HEAD = b"HTTP/1.1\r\nHost: login.example\r\n"
DOWNLOAD = b"GET /responsiveness/large " + HEAD
UPLOAD = b"POST /responsiveness/upload " + HEAD


def test_the_configuration_has_the_keys_of_the_draft_and_those_of_older_clients() -> None:
    found = json.loads(responsiveness.document("http://login.example:8080"))
    assert {"version", "urls"} == set(found)
    assert 1 == found["version"]
    base = "http://login.example:8080/responsiveness"
    assert {
        "large_download_url": f"{base}/large",
        "small_download_url": f"{base}/small",
        "upload_url": f"{base}/upload",
        "large_https_download_url": f"{base}/large",
        "small_https_download_url": f"{base}/small",
        "https_upload_url": f"{base}/upload",
    } == found["urls"]


def test_one_device_tests_at_a_time_and_another_reads_how_long_to_wait() -> None:
    tests = ResponsivenessTests()
    assert tests.take(ANA, 100.0) is None
    assert tests.take(ANA, 101.0) is None
    refused = tests.take(BEN, 102.5)
    assert refused is not None
    assert "Another device" in refused.reason
    assert 58 == refused.retry_s
    assert b"503" in responsiveness.refusal(refused)
    assert b"Retry-After: 58\r\n" in responsiveness.refusal(refused)


def test_a_client_that_has_vanished_leaves_the_test_to_others() -> None:
    tests = ResponsivenessTests()
    tests.take(ANA, 0.0)
    assert tests.take(BEN, IDLE_S - 0.1) is not None
    assert tests.take(BEN, IDLE_S) is None


@given(st.floats(0.01, IDLE_S - 0.1))
def test_a_device_that_tests_without_end_holds_no_more_than_its_time(every: float) -> None:
    tests, now = ResponsivenessTests(), 0.0
    while tests.take(ANA, now) is None:
        now += every
    assert now <= TEST_S + every
    assert tests.take(BEN, now) is None
    assert tests.take(ANA, now) is not None


def test_after_a_test_its_device_waits_and_others_do_not() -> None:
    tests = ResponsivenessTests()
    tests.take(ANA, 0.0)
    refused = tests.take(ANA, IDLE_S + 1)
    assert refused is not None
    assert PAUSE_S - 1 == refused.retry_s
    assert tests.take(BEN, IDLE_S + 1) is None
    assert tests.take(ANA, IDLE_S + PAUSE_S + IDLE_S + 1) is None


def test_the_bytes_of_a_test_are_limited_in_both_directions_together() -> None:
    tests = ResponsivenessTests()
    tests.take(ANA, 0.0)
    assert tests.count(ANA, responsiveness.TEST_BYTES - 1, 1.0) == 1.0 + IDLE_S
    assert tests.count(ANA, 1, 1.0) is None
    assert tests.count(ANA, 0, 1.0) is None
    assert tests.take(ANA, 1.0) is not None
    assert tests.take(BEN, 1.0) is None


def test_the_transfers_of_a_test_are_counted_and_a_transfer_that_ended_makes_room() -> None:
    tests = ResponsivenessTests()
    assert not any(tests.begin_transfer(ANA, 0.0) for _ in range(TRANSFERS_MAX))
    assert tests.begin_transfer(ANA, 0.0) is not None
    assert tests.take(ANA, 0.0) is None
    tests.end_transfer(ANA)
    tests.end_transfer(BEN)
    assert tests.begin_transfer(ANA, 0.0) is None
    assert tests.begin_transfer(ANA, 0.0) is not None


def test_devices_with_ever_new_addresses_fill_no_memory() -> None:
    tests = ResponsivenessTests()
    for number in range(1_000):
        tests.take(MacAddress(f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}"), number * (IDLE_S + 1))
    assert len(tests._rests_until) <= responsiveness.RESTED_MAX


@pytest.mark.parametrize(
    ("head", "is_download", "length"),
    [
        (DOWNLOAD, True, 0),
        (UPLOAD + b"Content-Length: 0\r\n", False, 0),
        (UPLOAD + b"Content-Length: 8000000000\r\n", False, 8_000_000_000),
        (UPLOAD + b"Transfer-Encoding: chunked\r\n", False, None),
    ],
)
def test_transfers_are_recognised(head: bytes, is_download: bool, length: int | None) -> None:
    request = transfer_request(head.removesuffix(b"\r\n"))
    assert request is not None
    assert ("login.example", is_download, length) == (request.host, request.is_download, request.length)
    assert {} == request.headers


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nHost: a",
        b"HEAD /responsiveness/large HTTP/1.1\r\nHost: a",
        b"GET /responsiveness/larger HTTP/1.1\r\nHost: a",
        b"GET /responsiveness/large HTTP/1.1\r\nHost: a\r\nContent-Length: 5",
        b"GET /responsiveness/large HTTP/1.1",
        b"POST /responsiveness/upload HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked",
        b"POST /responsiveness/upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked",
        b"POST /responsiveness/upload HTTP/1.1\r\nHost: a\r\nContent-Length: -1",
        b"POST /responsiveness/upload HTTP/1.1\r\nHost: \xff",
    ],
)
def test_any_other_request_is_left_to_the_application(head: bytes) -> None:
    assert transfer_request(head) is None


def test_the_site_that_began_a_transfer_is_known() -> None:
    request = transfer_request(UPLOAD + b"Origin: http://evil.example\r\nSec-Fetch-Site: cross-site")
    assert request is not None
    assert {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"} == request.headers


@given(st.binary(max_size=200))
def test_no_bytes_raise(tail: bytes) -> None:
    for start in (DOWNLOAD, UPLOAD):
        transfer_request(start + tail)


class TransferTransport(asyncio.Transport):
    """Takes `room` bytes before it is full, as a peer that reads so much."""

    def __init__(self, room: int, sock: socket.socket | None = None) -> None:
        super().__init__({"peername": ("192.0.2.1", 5), "sockname": ("192.0.2.80", 80), "socket": sock})
        self.room, self.taken, self.starts = room, 0, b""
        self.transfer: Transfer | None = None
        self.is_open, self.is_read = True, True

    def write(self, data: bytes | memoryview) -> None:
        self.taken += len(data)
        self.starts = self.starts or bytes(data[:64])
        if self.taken > self.room:
            assert self.transfer is not None
            self.transfer.pause_writing()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        assert (1, 0) == (high, low)

    def pause_reading(self) -> None:
        self.is_read = False

    def resume_reading(self) -> None:
        self.is_read = True

    def is_closing(self) -> bool:
        return not self.is_open

    def close(self) -> None:
        self.is_open = False

    def abort(self) -> None:
        self.is_open = False


class TransferFixture:
    """One transfer of Ana's test on a transport that takes `room` bytes."""

    def __init__(self, head: bytes, room: int = 1_000, sock: socket.socket | None = None) -> None:
        self.now = 0.0
        self.tests = ResponsivenessTests()
        limiter = ConnectionLimiter(
            lambda: pytest.fail("no request for the library"),
            lambda ends: Caller(ANA),
            clock=lambda: self.now,
            limits=Limits(),
            streams=StreamOpener(responsiveness.TRANSFERS, self.open),
        )
        self.transport = TransferTransport(room, sock)
        self.connection = limiter()
        self.connection.connection_made(self.transport)
        self.connection.data_received(head + b"\r\n")

    def open(self, head: bytes, connection: Connection) -> Transfer | bytes:
        refused = self.tests.begin_transfer(ANA, self.now)
        if refused is not None:
            return responsiveness.refusal(refused)
        request = transfer_request(head)
        assert isinstance(request, TransferRequest)
        made = Transfer(self.tests, ANA, request, connection, lambda: self.now)
        self.transport.transfer = made
        return made


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(CHUNK_S)


async def test_a_download_stops_while_nobody_reads_and_goes_on_afterwards() -> None:
    scene = TransferFixture(DOWNLOAD, room=3 * CHUNK_BYTES)
    await until(lambda: scene.transport.taken > 3 * CHUNK_BYTES)
    assert scene.transport.starts.startswith(b"HTTP/1.1 200 OK\r\n")
    stopped = scene.transport.taken
    assert stopped <= 5 * CHUNK_BYTES
    await asyncio.sleep(20 * CHUNK_S)
    assert stopped == scene.transport.taken
    scene.transport.room = 10 * CHUNK_BYTES
    scene.connection.resume_writing()
    await until(lambda: scene.transport.taken > 10 * CHUNK_BYTES)
    assert scene.transport.taken <= 12 * CHUNK_BYTES
    scene.connection.connection_lost(None)


async def test_a_peer_that_does_not_read_is_overdue_after_the_idle_time() -> None:
    scene = TransferFixture(DOWNLOAD, room=0)
    scene.now = IDLE_S + 0.1
    assert scene.connection.deadline <= IDLE_S
    assert scene.tests.take(BEN, scene.now) is None
    scene.connection.connection_lost(None)


async def test_no_transfer_outlives_its_test() -> None:
    scene = TransferFixture(UPLOAD + b"Content-Length: 8000000000\r\n")
    while scene.now < TEST_S - 1:
        scene.now += 1
        scene.connection.data_received(bytes(1_000))
        assert scene.connection.deadline <= min(scene.now + IDLE_S, TEST_S)
    scene.now = TEST_S
    scene.connection.data_received(bytes(1_000))
    assert not scene.transport.is_open


@pytest.mark.parametrize("size", [1, 1_000, 70_000])
@pytest.mark.parametrize("is_chunked", [False, True])
async def test_an_upload_is_answered_when_all_of_it_came_and_nothing_of_it_is_held(
    size: int, is_chunked: bool
) -> None:
    length = b"Transfer-Encoding: chunked\r\n" if is_chunked else b"Content-Length: %d\r\n" % size
    body = b"%x\r\n%b\r\n0\r\n\r\n" % (size, bytes(size)) if is_chunked else bytes(size)
    scene = TransferFixture(UPLOAD + length)
    for place in range(0, len(body), 999):
        assert 0 == scene.transport.taken
        scene.connection.data_received(body[place : place + 999])
        assert 0 == scene.connection.buffered
    assert scene.transport.starts.startswith(b"HTTP/1.1 200 OK\r\n")
    assert not scene.transport.is_open


@pytest.mark.parametrize("length", [b"Content-Length: 0\r\n", b""])
async def test_an_empty_upload_is_answered_at_once(length: bytes) -> None:
    assert TransferFixture(UPLOAD + length).transport.starts.startswith(b"HTTP/1.1 200 OK\r\n")


async def test_a_client_that_waits_for_100_continue_gets_it() -> None:
    scene = TransferFixture(UPLOAD + b"Expect: 100-continue\r\nContent-Length: 5\r\n")
    assert scene.transport.starts.startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert scene.transport.is_open


@pytest.mark.parametrize("size", [CHUNK_BYTES // 4, CHUNK_BYTES, 4 * CHUNK_BYTES])
async def test_a_fast_sender_is_read_in_turns_with_others(size: int) -> None:
    """However much is handed over at once: TLS gives a record, a socket all that it holds."""
    scene = TransferFixture(UPLOAD + b"Content-Length: 8000000000\r\n")
    loop = asyncio.get_running_loop()
    for _ in range(2):
        for _ in range(max(1, CHUNK_BYTES // size)):
            assert scene.transport.is_read
            began = loop.time()
            scene.connection.data_received(bytes(size))
        assert not scene.transport.is_read
        await until(lambda: scene.transport.is_read)
        assert loop.time() - began >= 0.9 * CHUNK_S * max(1, size // CHUNK_BYTES)


async def test_the_whole_large_download_is_as_long_as_it_says() -> None:
    scene = TransferFixture(DOWNLOAD, room=10**12)
    assert scene.transport.transfer is not None
    scene.transport.transfer._left = 3 * CHUNK_BYTES // 2
    await until(lambda: not scene.transport.is_open)
    head = len(responsiveness._LARGE)
    assert 3 * CHUNK_BYTES // 2 == scene.transport.taken - head
    assert b"Content-Length: %d\r\n" % LARGE_BYTES in responsiveness._LARGE


@pytest.mark.kernel
@pytest.mark.parametrize("head", [DOWNLOAD, UPLOAD + b"Content-Length: 5\r\n"])
async def test_a_transfers_packets_are_in_the_class_that_goes_last_on_the_lan(head: bytes) -> None:
    """That needs the rights of the node."""
    here, there = socket.socketpair()
    with here, there:
        fixture = TransferFixture(head, sock=here)
        assert fixture.transport.is_open
        assert 1 << 16 | TEST_MINOR == here.getsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY)

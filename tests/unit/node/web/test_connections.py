"""The connection limiter, driven by bytes alone and a clock set by the test."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest

from node.web import connections
from node.web.connections import Caller, Connection, ConnectionLimiter, FastAnswer, Limits, plain_refusal

LIMITS = Limits()
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class FakeTransport(asyncio.Transport):
    """Records what was written, and whether it is still open."""

    def __init__(self, peer: str) -> None:
        super().__init__({"peername": (peer, 5), "sockname": ("192.0.2.80", 2080)})
        self.written = b""
        self.is_open = True
        self.is_read = True

    def pause_reading(self) -> None:
        self.is_read = False

    def write(self, data: bytes) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return not self.is_open

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.written += b"(end)"

    def abort(self) -> None:
        self.is_open = False

    def close(self) -> None:
        self.is_open = False


class FakeInner:
    """Takes whole requests and responds when told to."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None: ...

    def data_received(self, data: bytes) -> None:
        self.requests.append(data)

    def connection_lost(self, exc: BaseException | None) -> None: ...

    def pause_writing(self) -> None: ...

    def resume_writing(self) -> None: ...


class ConnectionFixture:
    """A connection limiter, its clock, and the HTTP library's side of it."""

    def __init__(
        self, limits: Limits = LIMITS, devices: dict[str, str] | None = None, *, is_fair: bool = False
    ) -> None:
        self.now = 0.0
        self.inners: list[FakeInner] = []
        self.opened: list[Connection] = []
        known = devices or {}
        self.fit = limits.connections
        self.limiter = ConnectionLimiter(
            self.make,
            lambda ends: Caller(known.get(ends.address)),
            clock=lambda: self.now,
            limits=limits,
            connections_max=lambda: self.fit,
            is_fair=is_fair,
        )

    def make(self) -> FakeInner:
        self.inners.append(FakeInner())
        return self.inners[-1]

    def connect(self, address: str = "192.0.2.1") -> tuple[Connection, FakeTransport]:
        connection, transport = self.limiter(), FakeTransport(address)
        self.opened.append(connection)
        connection.connection_made(transport)
        return connection, transport

    def answered(self, number: int) -> bool:
        """The library has made a response on the connection that was the `number`-th to have a request."""
        (connection,) = (each for each in self.opened if each._inner is self.inners[number])
        return connection.answered()


def test_no_byte_reaches_the_library_before_a_request_is_complete() -> None:
    scene = ConnectionFixture()
    connection, _ = scene.connect()
    whole = b"POST /join HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody"
    for place in range(len(whole)):
        assert [] == scene.inners
        connection.data_received(whole[place : place + 1])
    assert [whole] == scene.inners[0].requests
    assert 0 == scene.limiter.buffered


async def test_the_next_request_waits_for_the_response_to_the_one_before() -> None:
    scene = ConnectionFixture()
    connection, _ = scene.connect()
    connection.data_received(GET + GET)
    assert [GET] == scene.inners[0].requests
    assert not scene.answered(0)
    await asyncio.sleep(0)
    assert [GET, GET] == scene.inners[0].requests


def test_a_client_that_sends_without_reading_is_cut_off() -> None:
    scene = ConnectionFixture()
    connection, transport = scene.connect()
    connection.data_received(GET)
    connection.data_received(GET * 400)
    assert not transport.is_open
    assert 0 == scene.limiter.buffered


def test_one_device_has_its_connection_limit_whatever_its_addresses() -> None:
    """Three addresses of one device count as one; another device is not affected."""
    limits = Limits(connections_per_device=2)
    scene = ConnectionFixture(
        limits, {"192.0.2.1": "ana", "2001:db8::1": "ana", "fe80::1": "ana", "192.0.2.2": "ben"}
    )
    first, _ = scene.connect("192.0.2.1")
    scene.connect("2001:db8::1")
    assert not scene.connect("fe80::1")[1].is_open
    assert scene.connect("192.0.2.2")[1].is_open
    first.connection_lost(None)
    assert scene.connect("fe80::1")[1].is_open


def test_over_the_total_limit_the_longest_idle_connection_is_closed() -> None:
    """Ten thousand silent connections keep nobody out."""
    scene = ConnectionFixture(Limits(connections=3))
    asking, askers = scene.connect("192.0.2.1")
    asking.data_received(GET)
    _, silent = scene.connect("192.0.2.2")
    served, servers = scene.connect("192.0.2.3")
    served.data_received(GET)
    scene.answered(1)
    assert scene.connect("192.0.2.4")[1].is_open
    assert [True, False, True] == [askers.is_open, silent.is_open, servers.is_open]
    assert scene.connect("192.0.2.5")[1].is_open
    assert [True, False] == [askers.is_open, servers.is_open]


async def test_when_the_memory_budget_shrinks_the_longest_idle_connections_are_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """More devices are online than before; a request under way is answered all the same."""
    monkeypatch.setattr(connections, "SWEEP_S", 0.0)
    scene = ConnectionFixture(Limits(connections=6))
    transports = [scene.connect(f"192.0.2.{number}")[1] for number in range(1, 6)]
    asking, asker = scene.connect("192.0.2.6")
    asking.data_received(GET)
    scene.fit = 3
    async with asyncio.TaskGroup() as tasks:
        sweeping = tasks.create_task(scene.limiter.sweep())
        await asyncio.sleep(0.01)
        sweeping.cancel()
    assert not any(each.is_open for each in transports[:3])
    assert asker.is_open
    assert scene.connect("192.0.2.7")[1].is_open


def test_no_request_under_way_is_dropped_for_a_new_connection() -> None:
    scene = ConnectionFixture(Limits(connections=2))
    for number in (1, 2):
        scene.connect(f"192.0.2.{number}")[0].data_received(GET)
    connection, transport = scene.connect("192.0.2.3")
    assert not transport.is_open
    connection.data_received(GET)
    connection.connection_lost(None)
    assert (2, 2) == (len(scene.inners), len(scene.limiter))


def test_a_speculative_connection_ends_when_its_device_is_admitted() -> None:
    """Otherwise the browser would request an Internet page on it and get the portal."""
    scene = ConnectionFixture(devices={"192.0.2.1": "ana", "2001:db8::1": "ana", "192.0.2.2": "ben"})
    (asked, one), (_, two), (begun, three), (_, other) = (
        scene.connect(address) for address in ("192.0.2.1", "2001:db8::1", "192.0.2.1", "192.0.2.2")
    )
    asked.data_received(GET)
    begun.data_received(GET[:5])
    scene.limiter.close_unused("ana")
    assert [True, False, True, True] == [each.is_open for each in (one, two, three, other)]
    begun.data_received(GET[5:])
    assert [GET] == scene.inners[1].requests


def test_incomplete_requests_together_have_a_limit_too() -> None:
    scene = ConnectionFixture(Limits(buffered_bytes=1_000))
    first, _ = scene.connect("192.0.2.1")
    first.data_received(b"GET /" + b"a" * 900)
    second, transport = scene.connect("192.0.2.2")
    second.data_received(b"GET /" + b"b" * 200)
    assert transport.written.startswith(b"HTTP/1.1 503 ")
    assert 905 == scene.limiter.buffered
    first.connection_lost(None)
    assert 0 == scene.limiter.buffered


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /" + b"a" * 9_000, b"414"),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"x: y\r\n" * 1_500, b"431"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 19999\r\n\r\n", b"413"),
        (GET + GET * 400, b"400"),
    ],
)
def test_an_error_response_is_sent_once_and_then_input_is_ignored(sent: bytes, status: bytes) -> None:
    scene = ConnectionFixture()
    connection, transport = scene.connect()
    connection.data_received(sent)
    said = transport.written
    connection.data_received(GET)
    assert said == transport.written
    assert said.startswith(b"HTTP/1.1 " + status)
    assert said.endswith(b"(end)")
    assert ([], 0) == (scene.inners, scene.limiter.buffered)


def test_each_stage_has_its_timeout() -> None:
    """Ten seconds to send a request, thirty for the response, fifteen idle, ten again for the next request."""
    scene = ConnectionFixture()
    connection, _ = scene.connect()
    assert 10.0 == connection.deadline
    scene.now = 5.0
    connection.data_received(GET[:10])
    assert 10.0 == connection.deadline
    connection.data_received(GET[10:])
    assert 35.0 == connection.deadline
    scene.answered(0)
    assert 20.0 == connection.deadline
    scene.now = 19.0
    connection.data_received(GET[:10])
    assert 29.0 == connection.deadline
    scene.now = 28.0
    connection.data_received(GET[10:11])
    assert 29.0 == connection.deadline


def test_a_half_closed_client_still_gets_the_response_and_then_a_close() -> None:
    scene = ConnectionFixture()
    connection, _ = scene.connect()
    connection.data_received(GET)
    assert connection.eof_received()
    assert scene.answered(0)


def test_a_connection_has_a_maximum_lifetime() -> None:
    scene = ConnectionFixture(Limits(requests=2))
    connection, _ = scene.connect()
    connection.data_received(GET)
    assert not scene.answered(0)
    connection.data_received(GET)
    assert scene.answered(0)


async def test_a_client_that_reads_no_responses_gets_no_more_of_them() -> None:
    scene = ConnectionFixture()
    connection, _ = scene.connect()
    connection.data_received(GET)
    connection.pause_writing()
    scene.answered(0)
    connection.data_received(GET)
    await asyncio.sleep(0)
    assert [GET] == scene.inners[0].requests
    connection.resume_writing()
    assert [GET, GET] == scene.inners[0].requests


async def test_a_client_that_sends_requests_and_reads_no_responses_is_cut_off() -> None:
    scene = ConnectionFixture()
    connection, transport = scene.connect()
    connection.data_received(GET)
    connection.pause_writing()
    scene.answered(0)
    for _ in range(100):
        connection.data_received(GET * 1_000)
        assert scene.limiter.buffered <= LIMITS.head_bytes + LIMITS.body_bytes + 4
    assert not transport.is_open


async def test_a_thousand_pipelined_requests_are_too_many_to_buffer() -> None:
    scene = ConnectionFixture()
    connection, transport = scene.connect()
    connection.data_received(GET * 1_000)
    assert transport.written.startswith(b"HTTP/1.1 400 ")
    assert 0 == scene.limiter.buffered


async def test_one_device_with_many_requests_delays_only_itself() -> None:
    scene = ConnectionFixture(Limits(at_work_per_device=2), {"192.0.2.1": "ana", "192.0.2.2": "ben"})
    doors = [scene.connect("192.0.2.1")[0] for _ in range(5)]
    for each in doors:
        each.data_received(GET)
    assert 2 == len(scene.inners)
    scene.connect("192.0.2.2")[0].data_received(GET)
    assert 3 == len(scene.inners)
    scene.answered(0)
    doors[2].connection_lost(None)
    await asyncio.sleep(0)
    assert 4 == len(scene.inners), "the next one's turn, and not of who hung up"
    for number in (1, 2, 3):
        scene.answered(number)
    await asyncio.sleep(0)
    assert 5 == len(scene.inners)
    doors[4].connection_lost(None)
    assert 0 == len(scene.limiter._concurrency)


async def test_a_new_request_does_not_overtake_queued_ones() -> None:
    scene = ConnectionFixture(Limits(at_work_per_device=1))
    doors = [scene.connect()[0] for _ in range(3)]
    doors[0].data_received(GET)
    doors[1].data_received(GET)
    scene.answered(0)
    doors[2].data_received(GET)
    doors[0].data_received(GET)
    for served in (1, 2):
        await asyncio.sleep(0)
        assert served + 1 == len(scene.inners)
        scene.answered(served)
    await asyncio.sleep(0)
    assert [[GET, GET], [GET], [GET]] == [inner.requests for inner in scene.inners]


async def test_a_client_that_leaves_the_queue_leaves_nothing_behind() -> None:
    scene = ConnectionFixture(Limits(at_work_per_device=1))
    doors = [scene.connect()[0] for _ in range(3)]
    for each in doors:
        each.data_received(GET)
    for each in reversed(doors):
        each.connection_lost(None)
    await asyncio.sleep(0)
    assert (0, 0) == (len(scene.limiter), len(scene.limiter._concurrency))


async def test_a_half_closed_client_in_the_queue_gets_the_response() -> None:
    scene = ConnectionFixture(Limits(at_work_per_device=1))
    scene.connect()[0].data_received(GET)
    second, _ = scene.connect()
    second.data_received(GET)
    assert second.eof_received()
    scene.answered(0)
    await asyncio.sleep(0)
    assert [GET] == scene.inners[1].requests
    assert scene.answered(1), "and then a close"


async def test_a_client_that_hangs_up_while_served_frees_its_place() -> None:
    scene = ConnectionFixture(Limits(at_work_per_device=1))
    first, _ = scene.connect()
    second, _ = scene.connect()
    for each in (first, second):
        each.data_received(GET)
    assert 1 == len(scene.inners)
    first.connection_lost(None)
    await asyncio.sleep(0)
    assert [[GET], [GET]] == [inner.requests for inner in scene.inners]


def test_the_longest_request_arrives_in_pieces() -> None:
    scene = ConnectionFixture()
    connection, _ = scene.connect()
    head = b"POST /contest HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\nX: " % LIMITS.body_bytes
    head += b"x" * (LIMITS.head_bytes - len(head)) + b"\r\n\r\n"
    whole = head + b"b" * LIMITS.body_bytes
    for at in range(0, len(whole), 1_000):
        connection.data_received(whole[at : at + 1_000])
    assert [whole] == scene.inners[0].requests


async def test_a_half_closed_client_gets_all_responses() -> None:
    scene = ConnectionFixture()
    connection, _ = scene.connect()
    connection.data_received(GET * 3)
    assert connection.eof_received()
    for _ in range(2):
        assert not scene.answered(0)
        await asyncio.sleep(0)
    assert [GET] * 3 == scene.inners[0].requests
    assert scene.answered(0)


async def test_nothing_is_read_after_the_last_request_of_a_connection() -> None:
    scene = ConnectionFixture(Limits(requests=2))
    connection, transport = scene.connect()
    connection.data_received(GET + GET + GET * 1_000)
    assert transport.written.startswith(b"HTTP/1.1 400 ")
    connection, transport = scene.connect()
    connection.data_received(GET)
    assert not scene.answered(0)
    connection.data_received(GET * 1_000)
    connection.data_received(GET)
    assert ([GET, GET], 0, False) == (scene.inners[0].requests, scene.limiter.buffered, transport.is_read)
    assert scene.answered(0)


# --- the fast path ---


def scene_with_fast_answers(octets: bytes = b"quick", *, closes: bool = False) -> ConnectionFixture:
    scene = ConnectionFixture()
    scene.limiter.fast_path = lambda head, _transport: (
        FastAnswer(octets, closes) if head.startswith(b"GET /q ") else None
    )
    return scene


async def test_a_fast_path_response_bypasses_the_library_and_the_order_is_kept() -> None:
    scene = scene_with_fast_answers()
    connection, transport = scene.connect()
    quick = GET.replace(b"/ ", b"/q ")
    connection.data_received(quick + GET + quick)
    await asyncio.sleep(0)
    assert (b"quick", [GET]) == (transport.written, scene.inners[0].requests)
    scene.answered(0)
    await asyncio.sleep(0)
    assert (b"quickquick", 0) == (transport.written, scene.limiter.buffered)


def test_a_fast_path_response_may_close_the_connection() -> None:
    scene = scene_with_fast_answers(closes=True)
    connection, transport = scene.connect()
    connection.data_received(GET.replace(b"/ ", b"/q ") * 2)
    assert (b"quick", False, 0) == (transport.written, transport.is_open, scene.limiter.buffered)


async def test_a_half_closed_client_gets_all_responses_from_either_path() -> None:
    scene = scene_with_fast_answers()
    connection, transport = scene.connect()
    connection.data_received(GET.replace(b"/ ", b"/q ") * 3 + GET)
    assert connection.eof_received()
    assert (b"quickquickquick", [GET]) == (transport.written, scene.inners[0].requests)


async def test_the_last_response_on_a_connection_is_left_to_the_library_which_announces_the_close() -> None:
    scene = scene_with_fast_answers()
    scene.limiter.limits = Limits(requests=2)
    connection, transport = scene.connect()
    quick = GET.replace(b"/ ", b"/q ")
    connection.data_received(quick + quick)
    await asyncio.sleep(0)
    assert (b"quick", [quick]) == (transport.written, scene.inners[0].requests)
    assert scene.answered(0)


async def test_a_thousand_pipelined_requests_are_too_many_to_buffer_by_the_fast_path_either() -> None:
    scene = scene_with_fast_answers()
    connection, transport = scene.connect()
    connection.data_received(GET.replace(b"/ ", b"/q ") * 1_000)
    assert (False, 0) == (transport.is_open, scene.limiter.buffered)


async def test_a_client_that_sends_requests_and_reads_no_responses_is_cut_off_on_the_fast_path_either() -> (
    None
):
    scene = scene_with_fast_answers()
    connection, transport = scene.connect()
    quick = GET.replace(b"/ ", b"/q ")
    connection.data_received(quick)
    connection.pause_writing()
    for _ in range(100):
        connection.data_received(quick * 1_000)
        assert scene.limiter.buffered <= LIMITS.head_bytes + LIMITS.body_bytes + 4
    assert not transport.is_open


async def test_a_client_that_reads_no_responses_gets_no_more_of_them_on_the_fast_path_either() -> None:
    scene = scene_with_fast_answers()
    connection, transport = scene.connect()
    quick = GET.replace(b"/ ", b"/q ")
    connection.data_received(quick)
    connection.pause_writing()
    connection.data_received(quick)
    await asyncio.sleep(0)
    assert transport.written == b"quick"
    connection.resume_writing()
    assert transport.written == b"quickquick"


# --- fair among few clients ---

ADMIN, CROWD = "192.0.2.1", "192.0.2.66"


def test_one_address_keeps_its_share_and_its_longest_idle_connection_is_closed() -> None:
    scene = ConnectionFixture(Limits(connections=10, connections_per_device=3), is_fair=True)
    (a, at_a), (_, at_b), (_, at_c) = (scene.connect(CROWD) for _ in range(3))
    a.data_received(GET)
    _, at_d = scene.connect(CROWD)
    assert [True, False, True, True] == [each.is_open for each in (at_a, at_b, at_c, at_d)]
    scene.answered(0)
    for closed, still_open in ((at_c, at_d), (at_d, at_a)):
        assert scene.connect(CROWD)[1].is_open
        assert (False, True) == (closed.is_open, still_open.is_open)
    assert scene.connect(CROWD)[1].is_open
    assert (False, 3) == (at_a.is_open, len(scene.limiter))
    assert scene.connect(ADMIN)[1].is_open


def test_when_all_are_used_the_address_with_most_loses_its_longest_idle_one() -> None:
    scene = ConnectionFixture(Limits(connections=4, connections_per_device=3), is_fair=True)
    _, admin = scene.connect(ADMIN)
    crowd = [scene.connect(CROWD)[1] for _ in range(3)]
    for number in (2, 3):
        assert scene.connect(f"192.0.2.{number}")[1].is_open
    assert [True, False, False, True] == [each.is_open for each in (admin, *crowd)]


def test_fairness_drops_no_request_under_way_either() -> None:
    scene = ConnectionFixture(Limits(connections=2, connections_per_device=2), is_fair=True)
    crowd = [scene.connect(CROWD)[0] for _ in range(2)]
    for each in crowd:
        each.data_received(GET)
    assert [False, False] == [scene.connect(address)[1].is_open for address in (ADMIN, CROWD)]
    crowd[0].connection_lost(None)
    crowd[0].connection_lost(None)
    assert scene.connect(ADMIN)[1].is_open
    assert 2 == len(scene.limiter)


def test_a_household_with_many_ipv6_addresses_has_one_share() -> None:
    scene = ConnectionFixture(Limits(connections=10, connections_per_device=2), is_fair=True)
    transports = [scene.connect(f"2001:db8::{number}")[1] for number in range(2)]
    scene.connect("2001:db8::ffff:7")
    assert [False, True] == [each.is_open for each in transports]
    assert scene.connect("2001:db8:0:1::1")[1].is_open
    assert transports[1].is_open


def test_over_the_limit_of_bytes_the_connection_with_most_of_them_is_closed() -> None:
    scene = ConnectionFixture(Limits(buffered_bytes=1_000), is_fair=True)
    large, at_large = scene.connect(CROWD)
    large.data_received(b"GET /" + b"a" * 900)
    small, at_small = scene.connect(ADMIN)
    small.data_received(b"GET /" + b"b" * 200)
    assert (False, True, 205) == (at_large.is_open, at_small.is_open, scene.limiter.buffered)
    small.data_received(b"b" * 900)
    assert (False, 0) == (at_small.is_open, scene.limiter.buffered)


@pytest.mark.parametrize(
    "begun", [b"GET /" + b"b" * 200, GET.replace(b"\r\n\r\n", b"\r\nContent-Length: 500\r\n\r\n")]
)
def test_incomplete_heads_and_incomplete_bodies_count_alike(begun: bytes) -> None:
    scene = ConnectionFixture(Limits(buffered_bytes=1_000))
    scene.connect("192.0.2.1")[0].data_received(b"GET /" + b"a" * 980)
    connection, transport = scene.connect("192.0.2.2")
    connection.data_received(begun)
    assert transport.written.startswith(b"HTTP/1.1 503 ")


def test_a_plain_refusal_says_when_it_was_sent() -> None:
    (said,) = (line for line in plain_refusal(400).decode().split("\r\n") if line.startswith("Date: "))
    age = datetime.now(UTC) - parsedate_to_datetime(said.removeprefix("Date: "))
    assert timedelta(0) <= age < timedelta(minutes=1)

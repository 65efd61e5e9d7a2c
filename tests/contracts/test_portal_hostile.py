"""Hostile clients on real sockets: they neither delay other clients nor exhaust the node's memory."""

import asyncio
import gzip
import random
import resource
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from captive_portal.server import CHANGES_AT_ONCE
from node.web.connections import Limits
from tests.contracts.portal_client import HOST, PortalBrowser
from tests.fakes.portal_server import ANA, ANAS_ADDRESS, PortalServer, open_portal_server

ROOT = Path(__file__).parents[2]
HURRIED = Limits(connections=40, connections_per_device=16, request_s=0.2, idle_s=0.2)
GET = f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
MEMORY_KB_MAX = 40_000
CROWD = 10_000


@pytest.fixture
async def server() -> AsyncIterator[PortalServer]:
    async with open_portal_server(limits=HURRIED) as server:
        yield server


async def closed_after(port: int, sent: bytes, *, drip: bytes = b"", source: str = ANAS_ADDRESS) -> float:
    """Seconds until the portal closes a connection that sent this and then sends single bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
    start = time.monotonic()
    with suppress(ConnectionError):
        writer.write(sent)
        async with asyncio.timeout(5):
            while True:
                try:
                    async with asyncio.timeout(0.05):
                        if not await reader.read(65_536):
                            break
                except TimeoutError:
                    writer.write(drip)
    writer.close()
    return time.monotonic() - start


@pytest.mark.parametrize(
    ("sent", "drip"),
    [
        (b"", b""),
        (b"", b"G"),
        (b"GET / HTTP/1.1\r\nHost: a\r\n", b"x: y\r\n"),
        (b"POST /join/terms HTTP/1.1\r\nHost: a\r\nContent-Length: 8000\r\n\r\n", b"a"),
        (GET, b""),
    ],
    ids=["silent", "slow line", "slow headers", "slow body", "idle after an answer"],
)
async def test_a_slow_client_is_closed_and_others_are_served(
    server: PortalServer, ben: PortalBrowser, sent: bytes, drip: bytes
) -> None:
    async with asyncio.TaskGroup() as tasks:
        slow = tasks.create_task(closed_after(server.port, sent, drip=drip))
        await asyncio.sleep(0.1)
        assert 200 == (await ben.get("/")).status
    assert slow.result() < 2.5


async def test_one_device_cannot_use_all_connections(
    server: PortalServer, ana: PortalBrowser, ben: PortalBrowser
) -> None:
    with ExitStack() as held:
        for _ in range(HURRIED.connections_per_device):
            connection = held.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            connection.sendall(b"GET")
        await asyncio.sleep(0.05)
        assert 0 == (await ana.get("/")).status
        assert 200 == (await ben.get("/")).status
    await asyncio.sleep(0.05)
    assert 200 == (await ana.get("/")).status


@pytest.mark.parametrize(
    ("raw", "statuses"),
    [
        (b"GET /" + b"a" * 65_536 + b" HTTP/1.1\r\nHost: a\r\n\r\n", {414, 431}),
        (b"GET /?" + b"a=b&" * 16_384 + b" HTTP/1.1\r\nHost: a\r\n\r\n", {414, 431}),
        (b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 10_000 + b"\r\n", {431}),
        (b"GET / HTTP/1.1\r\nCookie: " + b"c" * 1_000_000 + b"\r\n\r\n", {431}),
        (
            b"POST /join/terms HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n" + b"b" * 1_000_000,
            {413},
        ),
        (b"POST /join/terms HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n", {411}),
        (b"POST /join/terms HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", {400}),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200) + b"\r\n\r\n", {400}),
        (b"SSH-2.0-OpenSSH_9.9\r\n\r\n", {400}),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400}),
        (b"GET http://[::/ HTTP/1.1\r\nHost: a\r\n\r\n", {302, 400}),
        (b"GET http://a:99999999/ HTTP/1.1\r\nHost: a\r\n\r\n", {302, 400}),
        (b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", {302, 400}),
        (b"GET / HTTP/1.1\r\nHost : a\r\nbroken header\r\n\r\n", {400}),
        (b"GET / HTTP/1.1\r\nHost: a\r\nExpect: the unexpected\r\n\r\n", {417}),
        (b"GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n", {302}),
        (b"GET / HTTP/1.1\r\nHost: a\r\n folded: yes\r\n\r\n", {400}),
        (b"GET / HTTP/1.1\r\nAuthorization: Basic %%%%====\r\nHost: a\r\n\r\n", {302}),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", {0}),
    ],
)
async def test_an_invalid_request_is_refused(
    ana: PortalBrowser, ben: PortalBrowser, raw: bytes, statuses: set[int], caplog: pytest.LogCaptureFixture
) -> None:
    reply = await ana.send(raw)
    assert [] == caplog.messages
    assert reply.status in statuses
    assert b"Traceback" not in reply.raw
    assert 200 == (await ben.get("/")).status


async def test_noise_is_survived_and_does_not_fill_the_log(
    ana: PortalBrowser, ben: PortalBrowser, caplog: pytest.LogCaptureFixture
) -> None:
    noise = random.Random(7)
    for _ in range(100):
        blob = noise.randbytes(noise.randrange(1, 3_000)) + b"\r\n\r\n"
        start = noise.choice(
            [b"", b"GET ", b"GET / HTTP/1.1\r\n", b"POST /join/terms HTTP/1.1\r\nHost: a\r\n"]
        )
        assert (await ana.send(start + blob)).status in {0, 302, 400, 404, 411, 413, 431}
    assert 200 == (await ben.get("/")).status
    assert [] == caplog.messages


async def test_pipelined_requests_are_answered_one_by_one(ana: PortalBrowser) -> None:
    raw = (await ana.send(GET * 5 + GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))).raw
    assert 6 == raw.count(b"HTTP/1.1 200 OK")


async def test_a_compressed_body_is_not_decompressed(server: PortalServer, ana: PortalBrowser) -> None:
    bomb = gzip.compress(b"terms=2&token=" + bytes(5_000_000), 9)
    head = f"POST /join/terms HTTP/1.1\r\nHost: {HOST}\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n"
    assert len(bomb) < 8_192
    assert 400 == (await ana.send(head.encode() + bomb)).status


@pytest.mark.parametrize("upgrade", ["websocket", "h2c", "TLS/1.0"])
async def test_an_upgrade_to_another_protocol_is_refused(
    server: PortalServer, ana: PortalBrowser, upgrade: str
) -> None:
    raw = f"GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: Upgrade\r\nUpgrade: {upgrade}\r\n\r\n".encode()
    assert 200 == (await ana.send(raw)).status
    assert await closed_after(server.port, raw + bytes(4_000), drip=b"x" * 1_000) < 3


@pytest.mark.parametrize("offer", ["Connection: Upgrade\r\nUpgrade: websocket", "Expect: 100-continue"])
async def test_a_body_after_an_offer_is_a_body_and_the_next_request_is_answered(
    ana: PortalBrowser, caplog: pytest.LogCaptureFixture, offer: str
) -> None:
    """The library took the body after an Upgrade for another protocol: a page of log for each, and no next response."""
    token = (await ana.get("/")).field("token")
    body = f"terms=2&token={token}"
    head = f"POST /join/terms HTTP/1.1\r\nHost: {HOST}\r\n{offer}\r\nContent-Length: {len(body)}\r\n\r\n"
    raw = (
        await ana.send((head + body).encode() + GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    ).raw
    assert raw.startswith(b"HTTP/1.1 303 ")
    assert 2 == raw.count(b"HTTP/1.1 ")
    assert [] == caplog.messages


async def test_joining_twice_at_once_is_joining_once(server: PortalServer, ana: PortalBrowser) -> None:
    token = (await ana.get("/")).field("token")
    async with asyncio.TaskGroup() as tasks:
        both = [tasks.create_task(ana.post("/join/terms", f"terms=2&token={token}")) for _ in range(8)]
    assert {303} == {task.result().status for task in both}
    assert {ANA} == server.app.passing()


async def test_a_program_that_repeats_a_form_writes_little(
    server: PortalServer, ana: PortalBrowser, ben: PortalBrowser
) -> None:
    form, before = (await ana.get("/")).fill("/join/terms"), server.app.node.kernel.applied
    statuses = [(await ana.post("/join/terms", form)).status for _ in range(CHANGES_AT_ONCE + 40)]
    assert {303, 429} == set(statuses)
    assert server.app.node.kernel.applied - before - 2 <= statuses.count(303) < CHANGES_AT_ONCE + 20
    assert 303 == (await ben.post("/join/terms", (await ben.get("/")).fill("/join/terms"))).status
    assert 200 == (await ana.get("/me")).status


# --- measured in a separate process ---


@pytest.fixture
def many_files() -> Iterator[int]:
    """As many open files as this machine allows; each connection needs one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, CROWD + 2_000), hard))
    yield min(hard, CROWD + 2_000) - 1_000
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def program() -> Iterator[tuple[int, int]]:
    """Its port and its process."""
    command = [sys.executable, "-m", "tests.fakes.portal_process"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield int(process.stdout.readline()), process.pid
        process.kill()


def memory_kb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])


def knock(port: int, number: int, sent: bytes) -> socket.socket:
    connection = socket.socket()
    connection.bind((f"127.1.{number // 250}.{number % 250 + 1}", 0))
    connection.connect(("127.0.0.1", port))
    with suppress(ConnectionError):
        connection.sendall(sent)
    return connection


async def slowest_ms(browser: PortalBrowser, times: int) -> float:
    took = []
    for _ in range(times):
        start = time.monotonic()
        assert 200 == (await browser.get("/")).status
        took.append(1_000 * (time.monotonic() - start))
    return max(took)


@pytest.mark.thorough
async def test_ten_thousand_connections_use_little_memory_and_block_nobody(
    program: tuple[int, int], many_files: int
) -> None:
    """Each from its own address, most with a request that never ends; those over the limit are closed at once.

    A valid client with an open connection, and one that arrives when some have closed, are answered all the while.
    """
    port, pid = program
    crowd = min(CROWD, many_files)
    ana = PortalBrowser(port)
    await slowest_ms(ana, 20)
    before = memory_kb(pid)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with ExitStack() as held:
        for number in range(crowd):
            held.enter_context(knock(port, number, b"GET /" + b"a" * 4_000 if number % 2 else b"GET / HTT"))
        writer.write(GET)
        start = time.monotonic()
        async with asyncio.timeout(3):
            assert (await reader.readuntil(b"</html>")).startswith(b"HTTP/1.1 200 OK")
        assert time.monotonic() - start < 1
        assert memory_kb(pid) - before < MEMORY_KB_MAX
    writer.close()
    await asyncio.sleep(0.2)
    assert await slowest_ms(ana, 20) < 250


@pytest.mark.slow
async def test_a_hundred_thousand_requests_leave_nothing_behind(program: tuple[int, int]) -> None:
    """CVE-2023-41102: a portal leaked memory with every redirect."""
    port, pid = program
    ask = b"GET / HTTP/1.1\r\nHost: captive.apple.com\r\n\r\n"

    async def visit(times: int) -> None:
        for _ in range(times):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(ask)
            assert (await reader.read()).startswith(b"HTTP/1.1 302 ")
            writer.close()

    async def crowd(times: int) -> None:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(20):
                tasks.create_task(visit(times // 20))

    await crowd(10_000)
    before = memory_kb(pid)
    await crowd(100_000)
    assert memory_kb(pid) - before < 1_000

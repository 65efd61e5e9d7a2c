"""The responsiveness test on the real portal and real sockets: who may test, and what it costs the pages."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from captive_portal import responsiveness
from tests.contracts.portal_client import PortalBrowser, PortalReply, parse
from tests.fakes.portal_server import ANA, ANAS_ADDRESS, HOST, PortalServer

CONFIG, SMALL, LARGE, UPLOAD = (
    responsiveness.CONFIG_PATH,
    responsiveness.SMALL_PATH,
    responsiveness.LARGE_PATH,
    responsiveness.UPLOAD_PATH,
)


async def join(browser: PortalBrowser) -> None:
    splash = await browser.get("/")
    done = await browser.post("/join/terms", f"terms={splash.field('terms')}&token={splash.field('token')}")
    assert 303 == done.status


@asynccontextmanager
async def connection(
    port: int, sent: bytes, source: str = ANAS_ADDRESS
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
    writer.write(sent)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


def get_large() -> bytes:
    return f"GET {LARGE} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()


async def whole(reader: asyncio.StreamReader) -> PortalReply:
    async with asyncio.timeout(10):
        return parse(await reader.read(-1))


async def read_to_end(reader: asyncio.StreamReader) -> int:
    """Bytes that came before the server ended the connection."""
    came = 0
    with suppress(ConnectionError):
        async with asyncio.timeout(5):
            while block := await reader.read(1 << 20):
                came += len(block)
    return came


async def test_an_admitted_device_reads_where_to_test(server: PortalServer, ana: PortalBrowser) -> None:
    await join(ana)
    reply = await ana.get(CONFIG)
    assert 200 == reply.status
    assert "application/json" == reply.headers["content-type"]
    assert "no-store" == reply.headers["cache-control"]
    urls = json.loads(reply.body)["urls"]
    assert f"http://{HOST}{LARGE}" == urls["large_download_url"] == urls["large_https_download_url"]
    small = await ana.get(SMALL)
    assert (200, 1) == (small.status, len(small.body))


async def test_the_urls_are_at_the_address_that_the_client_used(
    server: PortalServer, ana: PortalBrowser
) -> None:
    await join(ana)
    reply = await ana.get(CONFIG, host=f"127.0.0.1:{server.port}")
    assert f"http://127.0.0.1:{server.port}{UPLOAD}" == json.loads(reply.body)["urls"]["upload_url"]


@pytest.mark.parametrize("path", [CONFIG, SMALL, LARGE])
async def test_a_device_that_is_not_admitted_is_redirected_to_the_first_page(
    ana: PortalBrowser, path: str
) -> None:
    for reply in (await ana.get(path), await ana.get(path, method="HEAD")):
        assert (303, "/") == (reply.status, reply.headers["location"])


async def test_a_device_that_is_not_admitted_cannot_upload(ana: PortalBrowser) -> None:
    assert 303 == (await ana.post(UPLOAD, "x")).status
    assert 413 == (await ana.post(UPLOAD, "x" * 100_000)).status


@pytest.mark.parametrize("path", [CONFIG, SMALL, LARGE])
async def test_a_client_outside_the_network_gets_no_test(stranger: PortalBrowser, path: str) -> None:
    assert 403 == (await stranger.get(path)).status


async def test_only_the_documented_methods_are_allowed(server: PortalServer, ana: PortalBrowser) -> None:
    await join(ana)
    large = await ana.get(LARGE, method="HEAD")
    assert (200, "8000000000") == (large.status, large.headers["content-length"])
    assert 405 == (await ana.get(UPLOAD)).status
    assert 405 == (await ana.post(CONFIG, "")).status


async def test_another_site_cannot_begin_a_transfer(server: PortalServer, ana: PortalBrowser) -> None:
    await join(ana)
    assert 403 == (await ana.get(LARGE, Sec_Fetch_Site="cross-site")).status
    assert 403 == (await ana.post(UPLOAD, "x", Origin="http://evil.example")).status


async def test_the_large_download_flows_until_the_client_has_enough(
    server: PortalServer, ana: PortalBrowser
) -> None:
    await join(ana)
    async with connection(server.port, get_large()) as (reader, _):
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"Content-Length: 8000000000\r\n" in head
        assert 5_000_000 == len(await reader.readexactly(5_000_000))


@pytest.mark.parametrize("is_chunked", [False, True])
async def test_an_upload_of_any_size_is_read_and_answered(
    server: PortalServer, ana: PortalBrowser, is_chunked: bool
) -> None:
    await join(ana)
    size = 20_000_000
    length = "Transfer-Encoding: chunked" if is_chunked else f"Content-Length: {size}"
    head = f"POST {UPLOAD} HTTP/1.1\r\nHost: {HOST}\r\n{length}\r\n\r\n".encode()
    block = bytes(1_000_000)
    async with connection(server.port, head) as (reader, writer):
        for _ in range(size // len(block)):
            writer.write(b"%x\r\n%b\r\n" % (len(block), block) if is_chunked else block)
            await writer.drain()
        if is_chunked:
            writer.write(b"0\r\n\r\n")
        assert 200 == (await whole(reader)).status


async def test_a_transfer_can_follow_pages_on_the_same_connection(
    server: PortalServer, ana: PortalBrowser
) -> None:
    await join(ana)
    page = f"GET {SMALL} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
    async with connection(server.port, page) as (reader, writer):
        await reader.readuntil(b"\r\n\r\nx")
        writer.write(get_large())
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK\r\n")
        assert 1_000_000 == len(await reader.readexactly(1_000_000))


async def test_while_one_device_tests_another_is_told_so(
    server: PortalServer, ana: PortalBrowser, ben: PortalBrowser
) -> None:
    await join(ana)
    await join(ben)
    async with connection(server.port, get_large()) as (reader, _):
        await reader.readexactly(1_000)
        for reply in (await ben.get(CONFIG), await ben.get(LARGE), await ben.post(UPLOAD, "x" * 100_000)):
            assert 503 == reply.status
            assert "Only one can test at a time" in reply.body
            assert reply.headers["content-type"].startswith("text/plain")
            assert 0 < int(reply.headers["retry-after"]) <= responsiveness.TEST_S
        assert 200 == (await ben.get("/me")).status


@pytest.mark.thorough
async def test_a_device_that_never_reads_loses_its_test(
    server: PortalServer, ana: PortalBrowser, ben: PortalBrowser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(responsiveness, "IDLE_S", 1.0)
    await join(ana)
    await join(ben)
    async with connection(server.port, get_large()) as (reader, writer):
        writer.transport.pause_reading()
        assert 503 == (await ben.get(CONFIG)).status
        await asyncio.sleep(3.5)
        assert 200 == (await ben.get(CONFIG)).status
        writer.transport.resume_reading()
        await read_to_end(reader)
        assert 503 == (await ana.get(CONFIG)).status


async def test_a_test_ends_after_its_time_however_busy(
    server: PortalServer, ana: PortalBrowser, ben: PortalBrowser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(responsiveness, "TEST_S", 1.0)
    await join(ana)
    await join(ben)
    began = time.monotonic()
    async with connection(server.port, get_large()) as (reader, _):
        await read_to_end(reader)
    assert 0.9 < time.monotonic() - began < 3
    assert "just tested" in (await ana.get(CONFIG)).body
    assert 200 == (await ben.get(CONFIG)).status


async def test_a_test_ends_after_its_bytes(
    server: PortalServer, ana: PortalBrowser, monkeypatch: pytest.MonkeyPatch
) -> None:
    tests = server.portal._tests
    await join(ana)
    assert tests.take(ANA, time.monotonic()) is None
    assert tests._current is not None
    tests._current.left = 1_000_000
    async with connection(server.port, get_large()) as (reader, _):
        assert await read_to_end(reader) < 1_001_000


@pytest.mark.late
async def test_pages_of_others_come_as_soon_as_ever_during_a_test(
    server: PortalServer, ana: PortalBrowser, ben: PortalBrowser
) -> None:
    """Eight downloads at full rate, of a device that reads as fast as it can: 99 of 100 pages within 50 ms."""
    await join(ana)

    async def pull() -> None:
        async with connection(server.port, get_large()) as (reader, _):
            while await reader.read(1 << 18):
                pass

    times = []
    pulling = [asyncio.get_running_loop().create_task(pull()) for _ in range(8)]
    await asyncio.sleep(0.2)
    for _ in range(200):
        began = time.monotonic()
        assert 200 == (await ben.get("/")).status
        times.append(time.monotonic() - began)
    for task in pulling:
        task.cancel()
    await asyncio.wait(pulling)
    assert sorted(times)[197] < 0.05

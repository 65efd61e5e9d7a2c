"""The portal by HTTPS: certificates renewed without a restart, and handshakes that do not delay each other."""

import asyncio
import contextlib
import gc
import json
import socket
import ssl
from asyncio.selector_events import _SelectorSocketTransport
from asyncio.sslproto import SSLProtocol
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web

from captive_portal.callers import Callers
from captive_portal.server import Portal
from node.errors import NodeError
from node.units import MacAddress
from node.web import certificate_files
from node.web.application import Handler, application, connection_of
from node.web.certificate_files import CertificateFiles, server_context
from node.web.connections import Caller, Limits, SocketAddresses, StreamOpener
from node.web.https import (
    HANDSHAKES_AT_ONCE,
    HANDSHAKES_MAX,
    HANDSHAKES_PER_DEVICE,
    LIMITS,
    RECORD_BYTES,
    HttpsListener,
    limit_tls_read_buffers,
)
from tests.contracts.portal_client import PortalBrowser, parse
from tests.fakes.authority import DAY, NOW, Authority
from tests.fakes.portal_server import SECRET, FakeCallers, portal_node
from tests.fakes.use_cases import ANA, BEN, UseCases

HOST = "login.vall.example"
PUBLIC = Authority()
NOBODY = FakeCallers()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the portal's files, and a system trust store that contains the authority."""
    _, _, root = PUBLIC.write(tmp_path, HOST)
    monkeypatch.setenv("SSL_CERT_FILE", str(root))
    return tmp_path


def files_in(folder: Path) -> CertificateFiles:
    made = CertificateFiles(folder / "portal.crt", folder / "portal.key", HOST, lambda: datetime.now(UTC))
    made.look()
    return made


async def hello(request: web.Request) -> web.Response:
    return web.Response(text=f"hello at {request.host} {request.raw_path}")


@dataclass
class FakeSite:
    """Every request to any host and path has the same handler."""

    handle: Handler = hello

    def application(self) -> web.Application:
        return application(self, [web.route("*", "/{path:.*}", self.handle)], {})

    def is_own_host(self, request: web.Request) -> bool:
        return True

    def is_own_origin(self, request: web.Request) -> bool:
        return True

    def other_host(self, request: web.Request) -> web.Response:
        raise AssertionError

    def other_origin(self, request: web.Request) -> web.Response:
        raise AssertionError

    def no_page(self, request: web.Request, methods: str) -> web.Response:
        raise AssertionError

    def unavailable(self, request: web.Request, error: NodeError) -> web.Response:
        raise error


@contextlib.asynccontextmanager
async def server(
    files: CertificateFiles,
    limits: Limits = LIMITS,
    handle: Handler = hello,
    callers: Callers = NOBODY,
    site: Callable[[], web.Application] | None = None,
    streams: StreamOpener | None = None,
) -> AsyncIterator[int]:
    """The port of a running listener."""
    made = HttpsListener(
        files, site or FakeSite(handle).application, callers.caller, port=0, limits=limits, streams=streams
    )
    async with asyncio.TaskGroup() as group:
        task = group.create_task(made.run())
        await made.ready.wait()
        try:
            yield next(port for address, port in made.bound if address == "0.0.0.0")
        finally:
            task.cancel()


def device(folder: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(folder / "root.crt"))


async def ask(
    port: int,
    context: ssl.SSLContext,
    name: str = HOST,
    path: str = "/",
    method: str = "GET",
    more: str = "X-Nothing: 1",
    body: str = "",
) -> tuple[str, str]:
    """The response, and the serial number of the certificate that was presented."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name)
    try:
        head = f"{method} {path} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n{more}\r\n\r\n"
        writer.write((head + body).encode())
        shown = writer.get_extra_info("ssl_object").getpeercert()["serialNumber"]
        return (await reader.read()).decode(), shown
    finally:
        writer.close()


async def test_a_device_that_trusts_the_authority_reads_the_portal_by_https(folder: Path) -> None:
    files = files_in(folder)
    async with server(files) as port:
        answer, _ = await ask(port, device(folder), path="/captive-portal")
    assert answer.startswith("HTTP/1.1 200 OK")
    assert answer.endswith(f"hello at {HOST} /captive-portal")
    assert ("https://login.vall.example", ()) == (files.url, files.warnings)


async def test_a_renewed_certificate_is_presented_to_the_next_client(folder: Path) -> None:
    files = files_in(folder)
    async with server(files) as port:
        _, before = await ask(port, device(folder))
        PUBLIC.write(folder, HOST)
        files.look()
        _, after = await ask(port, device(folder))
    assert before != after


@pytest.mark.parametrize("broken", ["empty", "foreign key", "other host", "ended", "gone"])
async def test_a_broken_new_certificate_leaves_the_old_one_in_use_and_warns(
    folder: Path, broken: str
) -> None:
    files = files_in(folder)
    async with server(files) as port:
        _, before = await ask(port, device(folder))
        if broken == "ended":
            PUBLIC.write(folder, HOST, ends=NOW - DAY / 2)
        elif broken == "gone":
            (folder / "portal.key").unlink()
        else:
            other = PUBLIC.certify("login.hills.example" if broken == "other host" else HOST)
            content = b"" if broken == "empty" else PUBLIC.chain(other)
            (folder / "portal.crt").write_bytes(content)
            if broken == "other host":
                (folder / "portal.key").write_bytes(other.key_pem)
        files.look()
        _, after = await ask(port, device(folder))
        (warning,) = files.warnings
        assert "The portal's certificate cannot be used" in warning
        assert "The one before is still in use." in warning
        assert before == after
        assert files.url
        PUBLIC.write(folder, HOST)
        files.look()
        assert () == files.warnings


async def test_a_certificate_that_no_device_trusts_is_served_and_not_advertised(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = folder / "stranger.crt"
    stranger.write_bytes(Authority().root.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(stranger))
    files = files_in(folder)
    async with server(files) as port:
        answer, _ = await ask(port, device(folder))
    assert "200 OK" in answer
    assert "" == files.url
    assert "would not trust its certificate" in files.warnings[0]


def test_a_certificate_that_expires_while_in_use_is_no_longer_advertised(folder: Path) -> None:
    clock = [NOW]
    files = CertificateFiles(folder / "portal.crt", folder / "portal.key", HOST, lambda: clock[0])
    files.look()
    assert files.url
    clock[0] = NOW + 55 * DAY
    files.look()
    assert "was not renewed" in files.warnings[0]
    assert files.url
    clock[0] = NOW + 61 * DAY
    files.look()
    assert "" == files.url
    assert "it ended on" in files.warnings[0]
    # A wrong clock is corrected.
    clock[0] = NOW
    files.look()
    assert files.url


@contextlib.asynccontextmanager
async def secured(app: UseCases, folder: Path, devices: FakeCallers) -> AsyncIterator[tuple[Portal, int]]:
    """A portal that is not running, and the port at which its pages are there by https."""
    portal = Portal(app.portal, devices, port=0, secret=SECRET, addresses=("127.0.0.1",))
    async with server(
        files_in(folder), site=portal.application, callers=devices, streams=portal.streams
    ) as port:
        yield portal, port


async def test_the_responsiveness_test_is_there_by_https_too(folder: Path) -> None:
    node, devices = portal_node(), FakeCallers({"127.0.0.1": ANA})
    node.configure("portal", host=HOST)
    async with node.life() as app, secured(app, folder, devices) as (_, port):
        await app.join(ANA)
        answer, _ = await ask(port, device(folder), path="/.well-known/nq")
        urls = json.loads(answer.partition("\r\n\r\n")[2])["urls"]
        assert f"https://{HOST}/responsiveness/large" == urls["large_https_download_url"]
        body = "x" * 3_000_000
        answer, _ = await ask(
            port,
            device(folder),
            path="/responsiveness/upload",
            method="POST",
            more=f"Content-Length: {len(body)}",
            body=body,
        )
        assert answer.startswith("HTTP/1.1 200 OK")
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=device(folder), server_hostname=HOST
        )
        writer.write(f"GET /responsiveness/large HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        assert 3_000_000 == len(await reader.readexactly(3_000_000))
        writer.transport.abort()


async def test_joining_works_on_the_same_pages_by_https(folder: Path) -> None:
    node, devices = portal_node(), FakeCallers({"127.0.0.1": ANA})
    node.configure("portal", host=HOST)
    async with node.life() as app, secured(app, folder, devices) as (_, port):
        page = parse((await ask(port, device(folder)))[0].encode())
        form = page.fill("/join/terms")
        head = f"Origin: https://{HOST}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(form)}"
        answer, _ = await ask(port, device(folder), path="/join/terms", method="POST", more=head, body=form)
        status, _ = await ask(port, device(folder), path="/captive-portal")
        assert {ANA} == app.passing()
    assert answer.startswith("HTTP/1.1 303")
    assert '"captive":false' in status


async def test_where_devices_trust_the_certificate_passphrases_and_cards_are_accepted_by_https_only(
    folder: Path,
) -> None:
    node, devices = portal_node(), FakeCallers({"127.0.0.1": ANA})
    node.configure("portal", host=HOST)
    node.portal_url = f"https://{HOST}"

    async def by_http(path: str) -> str:
        reply = await PortalBrowser(portal.bound[0][1]).get(path, host=HOST)
        return reply.body

    async with (
        node.life() as app,
        secured(app, folder, devices) as (portal, port),
        asyncio.TaskGroup() as group,
    ):
        running = group.create_task(portal.run())
        await portal.ready.wait()
        for path, page, action in (("/", "/ways", "/join/passphrase"), ("/me", "/me", "/passphrase")):
            for secure_path in {path, page}:
                secure, _ = await ask(port, device(folder), path=secure_path)
                assert f'action="{action}"' in secure
                assert f"https://{HOST}{page}" not in secure
            for _ in range(2):
                plain = await by_http(path)
                assert 'type="password"' not in plain
                assert f'<a href="https://{HOST}{page}">' in plain
                assert 'action="/join/card"' not in plain
            assert f'<a href="https://{HOST}/ways?card=PROCOMU1.a.b">' in await by_http("/?card=PROCOMU1.a.b")
            await app.join_by_passphrase(ANA)
        running.cancel()


async def test_endless_handshakes_cost_little_and_keep_nobody_out(folder: Path) -> None:
    async with server(files_in(folder), callers=FakeCallers({"127.0.0.2": ANA, "127.0.0.1": BEN})) as port:
        context, shaken = device(folder), 0
        for _ in range(HANDSHAKES_AT_ONCE + 40):
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection(
                    "127.0.0.1", port, ssl=context, server_hostname=HOST, local_addr=("127.0.0.2", 0)
                )
                writer.close()
                shaken += 1
        assert HANDSHAKES_AT_ONCE <= shaken < HANDSHAKES_AT_ONCE + 30
        assert (await ask(port, context))[0].startswith("HTTP/1.1 200 OK")


async def test_without_a_certificate_the_port_hangs_up(tmp_path: Path) -> None:
    files = files_in(tmp_path)
    async with server(files) as port:
        with pytest.raises(OSError):  # noqa: PT011 - reset or closed, as the system sees it
            await ask(port, ssl.create_default_context())
    assert "cannot be read" in files.warnings[0]
    assert "There is no https until then." in files.warnings[0]


async def test_another_host_name_is_never_answered(folder: Path) -> None:
    async with server(files_in(folder)) as port:
        with pytest.raises(OSError):  # noqa: PT011 - refused or reset
            await ask(port, device(folder), name="www.bank.example")


async def test_old_versions_of_tls_are_refused(folder: Path) -> None:
    old = device(folder)
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    async with server(files_in(folder)) as port:
        with pytest.raises(OSError):  # noqa: PT011 - refused or reset
            await ask(port, old)


async def test_handshakes_that_never_end_take_no_more_than_their_share(folder: Path) -> None:
    """The ninth silent connection of one device is closed at once; a real one is accepted when one of them is
    gone.
    """
    async with server(files_in(folder)) as port:
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(HANDSHAKES_PER_DEVICE)]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with contextlib.suppress(ConnectionResetError):
            assert b"" == await asyncio.wait_for(reader.read(), 2)
        writer.close()
        silent[0][1].transport.abort()
        await asyncio.sleep(0.1)
        answer, _ = await ask(port, device(folder))
        assert "200 OK" in answer
        for _, each in silent:
            each.transport.abort()


class Crowd(FakeCallers):
    """Each connection is from another device."""

    def caller(self, ends: SocketAddresses) -> Caller:
        return Caller(MacAddress(f"02:00:00:00:{ends.port >> 8:02x}:{ends.port & 255:02x}"))


async def test_many_devices_that_never_shake_hands_keep_nobody_out(folder: Path) -> None:
    """Each with its own hardware address, and more of them than the limit."""
    async with server(files_in(folder), callers=Crowd()) as port:
        crowd = [await asyncio.open_connection("127.0.0.1", port) for _ in range(HANDSHAKES_MAX + 20)]
        for _ in range(3):
            answer, _ = await ask(port, device(folder))
            assert "200 OK" in answer
        async with asyncio.timeout(2):
            with contextlib.suppress(ConnectionResetError):
                assert b"" == await crowd[0][0].read()
        for _, each in crowd:
            each.transport.abort()


async def test_a_connection_that_is_idle_after_its_handshake_is_closed(folder: Path) -> None:
    async with server(files_in(folder), Limits(request_s=0.2)) as port:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=device(folder), server_hostname=HOST
        )
        assert b"" == await asyncio.wait_for(reader.read(), 5)
        writer.close()


async def test_noise_instead_of_a_handshake_affects_nobody(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with server(files_in(folder)) as port:
        for noise in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"\xff" * 400, b"\0"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(noise)
            writer.write_eof()
            with contextlib.suppress(ConnectionResetError):
                await asyncio.wait_for(reader.read(), 5)
            writer.close()
        answer, _ = await ask(port, device(folder))
    assert "200 OK" in answer
    assert [] == [record for record in caplog.records if record.levelname in {"ERROR", "CRITICAL"}]


async def test_a_port_in_use_is_reported_with_its_fix(folder: Path) -> None:
    with socket.create_server(("", 0)) as other:
        made = HttpsListener(
            files_in(folder), FakeSite().application, FakeCallers().caller, port=other.getsockname()[1]
        )
        with pytest.raises(ExceptionGroup) as caught:
            await made.run()
    (trouble,) = caught.value.exceptions
    assert isinstance(trouble, NodeError)
    assert "portal.https_port" in trouble.fix


def test_openssl_is_asked_last_and_its_refusal_is_reported(folder: Path) -> None:
    (folder / "portal.crt").write_bytes(b"nothing")
    with pytest.raises(NodeError, match="OpenSSL does not take it"):
        server_context(folder / "portal.crt", folder / "portal.key", HOST)


class ByAddress(FakeCallers):
    """Each address belongs to another device."""

    def caller(self, ends: SocketAddresses) -> Caller:
        return Caller(MacAddress(f"02:00:00:00:00:0{ends.address[-1]}"))


async def whose(request: web.Request) -> web.Response:
    connection = connection_of(request)
    response = web.Response(text=str(connection and connection.caller and connection.caller.device))
    response.force_close()
    return response


def resumed(
    port: int, context: ssl.SSLContext, address: str, session: ssl.SSLSession | None = None
) -> tuple[str, bool, ssl.SSLSession | None]:
    """The response to a client at `address`, whether the handshake resumed `session`, and its own session."""
    plain = socket.create_connection(("127.0.0.1", port), source_address=(address, 0), timeout=5)
    with context.wrap_socket(plain, server_hostname=HOST, session=session) as secured:
        secured.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        answer = b""
        while chunk := secured.recv(4_096):
            answer += chunk
        return answer.decode(), bool(secured.session_reused), secured.session


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_tls_session_used_from_another_device_does_not_identify_it(
    folder: Path, version: ssl.TLSVersion
) -> None:
    context = device(folder)
    context.maximum_version = version
    async with server(files_in(folder), handle=whose, callers=ByAddress()) as port:
        ana, _, session = await asyncio.to_thread(resumed, port, context, "127.0.0.1")
        ben, is_resumed, _ = await asyncio.to_thread(resumed, port, context, "127.0.0.2", session)
    assert (True, True) == (ana.endswith("02:00:00:00:00:01"), ben.endswith("02:00:00:00:00:02"))
    assert is_resumed, "or nothing was tried"


async def test_tls_sessions_kept_for_resumption_are_limited(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(certificate_files, "SESSIONS_MAX", 8)
    files, context = files_in(folder), device(folder)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_TICKET
    async with server(files, handle=whose, callers=ByAddress()) as port:
        for number in range(10):
            await asyncio.to_thread(resumed, port, context, f"127.0.0.{number % 9 + 1}")
        assert files.context is not None
        assert 10 == files.context.session_stats()["number"]
        files.look()
        assert 0 == files.context.session_stats()["number"]
        answer, _, _ = await asyncio.to_thread(resumed, port, context, "127.0.0.1")
    assert answer.startswith("HTTP/1.1 200 OK")
    assert [] == [each for each in caplog.messages if "cannot" in each]


async def test_a_connection_with_tls_keeps_a_buffer_of_one_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SSLProtocol, "max_size", 256 * 1024)  # asyncio's own size
    limit_tls_read_buffers()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made = SSLProtocol(asyncio.get_running_loop(), asyncio.Protocol(), context, None, server_side=True)
    try:
        assert RECORD_BYTES == len(made.get_buffer(-1))
    finally:
        made.connection_lost(None)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ("Content-Length: 9000000", "413"),
        ("Content-Length: 5\r\nTransfer-Encoding: chunked", "411"),
        ("Content-Length: 5\r\nContent-Length: 6", "400"),
        ("Content-Length: 500", ""),
    ],
)
async def test_forms_that_are_too_large_ambiguous_or_endless_are_refused_by_https_too(
    folder: Path, fields: str, status: str
) -> None:
    asked: list[web.Request] = []

    async def handle(request: web.Request) -> web.Response:
        asked.append(request)
        return await hello(request)

    async with server(files_in(folder), Limits(request_s=0.3), handle) as port, asyncio.timeout(5):
        answer, _ = await ask(port, device(folder), method="POST", more=fields, body="terms")
    assert status == answer[9:12]
    assert [] == asked


@pytest.mark.parametrize(
    "said",
    [
        *(
            pytest.param(each, marks=pytest.mark.thorough)
            for each in ("nothing", "noise", "half a request", "a request")
        ),
        "handshake",
    ],
)
async def test_a_closed_connection_is_freed_without_a_garbage_collection(folder: Path, said: str) -> None:
    """Old objects are looked at once a day: each connection that was kept open for a while would take 80 kB until then."""

    def left() -> int:
        return sum(isinstance(each, SSLProtocol | _SelectorSocketTransport) for each in gc.get_objects())

    def opened() -> socket.socket:
        made = socket.create_connection(("127.0.0.1", port))
        if said == "noise":
            made.sendall(b"GET / HTTP/1.1\r\n\r\n")
            with contextlib.suppress(OSError):
                made.recv(4_096)
        elif said != "nothing":
            made = device(folder).wrap_socket(made, server_hostname=HOST)
        if said.endswith("request"):
            made.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n" + b"\r\n" * (said == "a request"))
        if said == "a request":
            made.recv(4_096)
        return made

    async with server(files_in(folder)) as port:
        gc.collect()
        gc.disable()
        try:
            before = left()
            clients = [await asyncio.to_thread(opened) for _ in range(3)]
            assert left() > before or said == "noise"
            for each in clients:
                each.close()
            async with asyncio.timeout(5):
                while left() > before:
                    await asyncio.sleep(0.02)
        finally:
            gc.enable()

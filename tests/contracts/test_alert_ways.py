"""The ways out for alerts against real servers: good ones, and ones that hang, fail, redirect, send too much or lie."""

import asyncio
import contextlib
import hmac
import json
import os
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from node.alert_ways.http_request import ANSWER_BYTES_MAX, send_request
from node.alert_ways.log_file import FILE_BYTES_MAX, AlertFile, append_whole
from node.alert_ways.mail import MailRelay, MailWay
from node.alert_ways.matrix import MatrixRoom
from node.alert_ways.own_thread import in_own_thread
from node.alert_ways.secret import read_secret
from node.alert_ways.webhook import ID, SIGNATURE, Webhook
from node.alerts.message import AlertMessage
from node.config import example
from node.errors import NodeError
from node.web.self_signed import make_certificate
from tests.fakes.alert_ways import document, until

MESSAGE = AlertMessage(
    "id-1", "[Vall, library] Té àccents", "Línia morta.\n.\nfi", "raised", at_s=1_796_062_800
)
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(talk: Talk, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A TCP server on this machine; its port."""

    async def answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await talk(reader, writer)
        writer.close()

    listening = await asyncio.start_server(answered, "127.0.0.1", 0, ssl=context)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()
        listening.close_clients()


class HttpServer:
    """Remembers requests and answers each in the same way."""

    def __init__(self, answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") -> None:
        self.answer, self.heads, self.bodies = answer, list[bytes](), list[bytes]()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.partition(b":")[2])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length")
        )
        self.heads.append(head)
        self.bodies.append(await reader.readexactly(length))
        writer.write(self.answer)
        await writer.drain()


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text("s3cret\n")
    path.chmod(0o600)
    return path


def headers_of(head: bytes) -> dict[str, str]:
    lines = head.decode().split("\r\n")[1:]
    return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


# --- webhook and Matrix ---


async def test_a_webhook_gets_json_with_a_signature_and_an_id(secret: Path) -> None:
    http = HttpServer()
    async with server(http.talk) as port:
        for _ in range(2):
            await Webhook(f"http://127.0.0.1:{port}/a%2Fb?c=d", secret, document).send(MESSAGE)
    head, body = http.heads[0], http.bodies[0]
    assert head.startswith(b"POST /a%2Fb?c=d HTTP/1.1\r\n")
    assert json.loads(body) == document(MESSAGE)
    headers = headers_of(head)
    assert "sha256=" + hmac.new(b"s3cret", body, "sha256").hexdigest() == headers[SIGNATURE.lower()]
    assert "id-1" == headers[ID.lower()]
    assert http.bodies[0] == http.bodies[1], "sent again it is the same"


async def test_a_room_of_matrix_gets_the_text_in_one_transaction(secret: Path) -> None:
    http = HttpServer(b'HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n{"event_id": "$abc"}\n')
    async with server(http.talk) as port:
        await MatrixRoom(f"http://127.0.0.1:{port}/", "!a/b:vall.example", secret).send(MESSAGE)
    head = http.heads[0]
    path = head.partition(b" HTTP")[0].removeprefix(b"PUT ").decode()
    assert path.endswith("/send/m.room.message/id-1")
    assert path.startswith("/_matrix/client/v3/rooms/")
    assert "a%2Fb" in path, "a room's name is one part of the path"
    assert "Bearer s3cret" == headers_of(head)["authorization"]
    assert f"{MESSAGE.subject}\n{MESSAGE.text}" == json.loads(http.bodies[0])["body"]


async def hangs(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def drips_a_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    while True:
        writer.write(b"H")
        await writer.drain()
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("talk", [hangs, drips_a_head])
async def test_a_server_that_does_not_answer_in_time_is_given_up(secret: Path, talk: Talk) -> None:
    async with server(talk) as port:
        began = time.monotonic()
        with pytest.raises(NodeError):
            await Webhook(f"http://127.0.0.1:{port}/", secret, document, limit_s=0.5).send(MESSAGE)
        assert time.monotonic() - began < 3


def refusal(status: int, more: str = "", body: bytes = b"no") -> bytes:
    return f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 401, 404, 500, 503])
async def test_everything_but_success_is_a_failure_and_no_redirect_is_followed(
    secret: Path, status: int
) -> None:
    other = HttpServer()
    async with server(other.talk) as elsewhere:
        http = HttpServer(
            refusal(status, f"Location: http://127.0.0.1:{elsewhere}/\r\n", b"evil \x1b[2J text")
        )
        async with server(http.talk) as port:
            address = f"http://127.0.0.1:{port}"
            with pytest.raises(NodeError, match=f"answered {status}: evil") as caught:
                await MatrixRoom(address, "!room:vall.example", secret).send(MESSAGE)
            with pytest.raises(NodeError, match=f"answered {status} "):
                await Webhook(f"{address}/", secret, document).send(MESSAGE)
    assert caught.value.message.isprintable()
    assert [] == other.heads


async def test_an_error_page_that_repeats_the_path_of_a_webhook_is_not_shown(secret: Path) -> None:
    http = HttpServer(refusal(404, body=b"Cannot POST /hooks/T0PSECRET"))
    async with server(http.talk) as port:
        with pytest.raises(NodeError, match="answered 404") as caught:
            await Webhook(f"http://127.0.0.1:{port}/hooks/T0PSECRET", secret, document).send(MESSAGE)
    assert "T0PSECRET" not in str(caught.value)


async def test_of_ten_megabytes_only_the_beginning_is_read(secret: Path) -> None:
    sent = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        for _ in range(1_000):
            writer.write(b"x" * 10_000)
            await writer.drain()
            sent += 10_000

    async with server(talk) as port:
        await Webhook(f"http://127.0.0.1:{port}/", secret, document).send(MESSAGE)
    assert ANSWER_BYTES_MAX <= 10_000
    assert sent < 10_000_000


@pytest.mark.parametrize(
    "answer",
    [b"", b"\0\0\0", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 100_000, b"HTTP/1.1 99"],
)
async def test_what_is_no_http_is_a_failure(secret: Path, answer: bytes) -> None:
    async with server(HttpServer(answer).talk) as port:
        with pytest.raises(NodeError) as failed:
            await Webhook(f"http://127.0.0.1:{port}/T0ken", secret, document, limit_s=2).send(MESSAGE)
    assert "T0ken" not in str(failed.value), "a part of the URL may be secret"


async def test_where_nothing_listens_and_where_there_is_no_name_it_is_said() -> None:
    for url in ("http://127.0.0.1:9/", "http://nobody.invalid/"):
        with pytest.raises(NodeError, match="cannot be reached"):
            await send_request("POST", url, b"", {}, limit_s=5)


@pytest.fixture
def tls(tmp_path: Path) -> tuple[ssl.SSLContext, Callable[[], ssl.SSLContext]]:
    """Of a server for localhost, and of a client that trusts it."""
    made = make_certificate("localhost", ())
    path = tmp_path / "server.pem"
    path.write_bytes(made.pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context, lambda: ssl.create_default_context(cafile=str(path))


async def test_by_https_only_a_server_with_a_certificate_that_is_trusted_gets_anything(
    secret: Path, tls: tuple[ssl.SSLContext, Callable[[], ssl.SSLContext]]
) -> None:
    http = HttpServer()
    async with server(http.talk, tls[0]) as port:
        with pytest.raises(NodeError, match="cannot be reached"):
            await Webhook(f"https://localhost:{port}/", secret, document).send(MESSAGE)
        assert [] == http.heads
        await send_request("POST", f"https://localhost:{port}/", b"{}", {}, context=tls[1])
    assert 1 == len(http.heads)


# --- secrets and threads ---


async def test_a_secret_that_others_can_read_is_not_used(secret: Path, tmp_path: Path) -> None:
    assert "s3cret" == read_secret(secret)
    secret.chmod(0o640)
    with pytest.raises(NodeError, match="others can read"):
        read_secret(secret)
    secret.chmod(0o600)
    for content in (b"", b"\n\n", b"x" * 5_000, b"a\0b\n"):
        secret.write_bytes(content)
        with pytest.raises(NodeError, match="holds no secret"):
            read_secret(secret)
    os.mkfifo(tmp_path / "pipe", 0o600)
    for missing in (tmp_path / "none", tmp_path, tmp_path / "pipe"):
        with pytest.raises(NodeError):
            read_secret(missing)


async def test_a_call_that_hangs_holds_no_shared_thread_and_no_loop() -> None:
    release = threading.Event()
    calls = [asyncio.wait_for(in_own_thread(release.wait, "hangs"), 0.05) for _ in range(40)]
    for call in calls:
        with pytest.raises(TimeoutError):
            await call
    assert 7 == await asyncio.wait_for(asyncio.to_thread(lambda: 7), 5)
    release.set()
    with pytest.raises(ZeroDivisionError):
        await in_own_thread(lambda: 1 // 0, "fails")


# --- file ---


async def test_a_file_gets_a_line_for_each(tmp_path: Path) -> None:
    path = tmp_path / "alerts.jsonl"
    for _ in range(2):
        await AlertFile(path, document).send(MESSAGE)
    assert [document(MESSAGE)] * 2 == [json.loads(line) for line in path.read_text().splitlines()]
    assert 0o600 == path.stat().st_mode & 0o777


async def test_a_large_file_begins_again_and_the_one_before_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "alerts.jsonl"
    path.write_bytes(b"{" * FILE_BYTES_MAX)
    await AlertFile(path, document).send(MESSAGE)
    assert 1 == len(path.read_text().splitlines())
    assert FILE_BYTES_MAX == path.with_name("alerts.jsonl.1").stat().st_size


async def test_a_line_that_a_power_cut_tore_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "alerts.jsonl"
    path.write_text('{"id": "to')
    await AlertFile(path, document).send(MESSAGE)
    assert document(MESSAGE) == json.loads(path.read_text().splitlines()[1])


async def test_on_a_full_disk_nothing_of_a_line_stays(tmp_path: Path) -> None:
    path = tmp_path / "alerts.jsonl"
    path.write_text("{}\n")
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND)
    full = os.open("/dev/full", os.O_WRONLY)
    write = os.write
    try:
        with pytest.MonkeyPatch.context() as patch:
            # Half of it is written before the disk is full.
            parts = iter([lambda line: write(descriptor, line[:5]), lambda line: write(full, line)])
            patch.setattr(os, "write", lambda _descriptor, line: next(parts)(line))
            with pytest.raises(OSError, match="No space left"):
                append_whole(descriptor, b'{"id": 1}\n')
    finally:
        os.close(descriptor)
        os.close(full)
    assert "{}\n" == path.read_text()


async def test_what_cannot_be_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for path in (tmp_path / "none" / "a", tmp_path / "link"):
        with pytest.raises(NodeError, match="cannot be written"):
            await AlertFile(path, document).send(MESSAGE)
    assert not (tmp_path / "elsewhere").exists()


async def test_a_file_of_something_else_is_left_as_it_is(tmp_path: Path) -> None:
    database = tmp_path / "procomu.db"
    database.write_bytes(b"SQLite format 3\0" * 100_000)
    os.mkfifo(tmp_path / "pipe")
    for path in (database, tmp_path / "pipe", tmp_path):
        with pytest.raises(NodeError, match="is no file of alerts"):
            await AlertFile(path, document).send(MESSAGE)
    assert 1_600_000 == database.stat().st_size
    assert ["pipe", "procomu.db"] == sorted(os.listdir(tmp_path))


# --- mail ---


class SmtpServer:
    """Enough of RFC 5321 to take mail, with STARTTLS and AUTH PLAIN where they are wanted."""

    def __init__(self, *extensions: str, refuses: str = "") -> None:
        self.extensions, self.refuses = extensions, refuses
        self.lines: list[str] = []
        self.mails: list[str] = []
        self.context: ssl.SSLContext | None = None

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 relay\r\n")
        while line := (await reader.readline()).decode().strip():
            self.lines.append(line)
            word = line.split()[0].upper()
            if word == self.refuses:
                writer.write(b"550 not here\r\n")
            elif word == "EHLO":
                said = ["relay", *self.extensions]
                writer.write(
                    "".join(
                        f"250{'-' if n < len(said) - 1 else ' '}{e}\r\n" for n, e in enumerate(said)
                    ).encode()
                )
            elif word == "STARTTLS":
                writer.write(b"220 go\r\n")
                await writer.start_tls(self.context or ssl.create_default_context())
            elif word == "AUTH":
                writer.write(b"235 welcome\r\n")
            elif word == "DATA":
                writer.write(b"354 go on\r\n")
                self.mails.append((await reader.readuntil(b"\r\n.\r\n")).decode())
                writer.write(b"250 taken\r\n")
            elif word == "QUIT":
                writer.write(b"221 bye\r\n")
                return
            else:
                writer.write(b"250 yes\r\n")


def relay(port: int, security: str = "none", **more: object) -> MailRelay:
    return MailRelay(
        "localhost", port, security, "node@vall.example", ("ana@vall.example", "pau@vall.example"), **more
    )  # type: ignore[arg-type]


BY_FILE = {"alerts.file": '"/var/lib/procomu/alerts.jsonl"'}
BY_MAIL = {
    "alerts.mail_to": '["ana@vall.example"]',
    "alerts.mail_from": '"node@vall.example"',
    "alerts.mail_server": '"smtp.vall.example"',
}


@pytest.mark.parametrize(
    ("written", "said"), [(BY_FILE, "file False"), (BY_FILE | BY_MAIL, "mail file True")]
)
def test_only_a_node_with_a_way_by_mail_loads_what_mail_needs(written: dict[str, str], said: str) -> None:
    code = (
        "import sys, node.daemon_process\n"
        "from node.alert_ways.configured import configured_ways\n"
        "from node.config import parse_config\n"
        f"config, _ = parse_config({example(written)!r})\n"
        "print(*configured_ways(config.alerts, dict), 'smtplib' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert said == done.stdout.strip()


async def test_mail_arrives_whole_at_everybody() -> None:
    smtp = SmtpServer()
    async with server(smtp.talk) as port:
        await MailWay(relay(port)).send(MESSAGE)
    (mail,) = smtp.mails
    assert {"rcpt to:<ana@vall.example>", "rcpt to:<pau@vall.example>"} <= {
        line.lower() for line in smtp.lines
    }
    assert "Message-ID: <id-1@vall.example>" in mail
    assert "Auto-Submitted: auto-generated" in mail
    assert "\r\n..\r\n" in mail or "base64" in mail or "quoted" in mail, "a line with a dot does not end it"


async def test_a_subject_with_line_breaks_adds_no_header() -> None:
    smtp = SmtpServer()
    odd = AlertMessage("id", "a\r\nBcc: eve@evil.example", "text", "raised")
    async with server(smtp.talk) as port:
        await MailWay(relay(port)).send(odd)
    assert not any(line.startswith("Bcc") for line in smtp.mails[0].splitlines())
    assert not any("eve" in line for line in smtp.lines)


async def test_a_login_is_sent_after_tls_to_a_server_that_is_trusted(
    secret: Path, tls: tuple[ssl.SSLContext, Callable[[], ssl.SSLContext]]
) -> None:
    smtp = SmtpServer("STARTTLS", "AUTH PLAIN")
    smtp.context = tls[0]
    async with server(smtp.talk) as port:
        way = relay(port, "starttls", user="node", password_file=secret)
        with pytest.raises(NodeError, match="took no mail"):
            await MailWay(way).send(MESSAGE)
        assert [] == [line for line in smtp.lines if line.startswith("AUTH")]
        await MailWay(way, context=tls[1]).send(MESSAGE)
    assert 1 == len([line for line in smtp.lines if line.startswith("AUTH")])
    assert 1 == len(smtp.mails)


async def test_mail_by_tls_from_the_first_byte(
    tls: tuple[ssl.SSLContext, Callable[[], ssl.SSLContext]],
) -> None:
    smtp = SmtpServer()
    async with server(smtp.talk, tls[0]) as port:
        await MailWay(relay(port, "tls"), context=tls[1]).send(MESSAGE)
    assert 1 == len(smtp.mails)


async def test_a_relay_without_the_encryption_that_is_wanted_gets_no_mail() -> None:
    smtp = SmtpServer()
    async with server(smtp.talk) as port:
        with pytest.raises(NodeError, match="STARTTLS"):
            await MailWay(relay(port, "starttls")).send(MESSAGE)
    assert [] == smtp.mails


@pytest.mark.parametrize("word", ["MAIL", "RCPT", "DATA", "EHLO"])
async def test_what_a_relay_refuses_is_said_and_the_next_mail_is_tried(word: str) -> None:
    smtp = SmtpServer(refuses=word)
    async with server(smtp.talk) as port:
        way = MailWay(relay(port))
        if word == "EHLO":
            await way.send(MESSAGE)  # HELO, of RFC 821, is taken
        else:
            with pytest.raises(NodeError, match="took no mail"):
                await way.send(MESSAGE)
        smtp.refuses = ""
        await way.send(MESSAGE)


async def endless(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"220-more\r\n")
        await writer.drain()
        await asyncio.sleep(0.005)


@pytest.mark.parametrize("talk", [hangs, endless])
async def test_a_relay_that_never_comes_to_an_end_is_left(talk: Talk) -> None:
    before = threading.active_count()
    async with server(talk) as port:
        way = MailWay(relay(port), step_s=30)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(way.send(MESSAGE), 0.3)
        await until(lambda: threading.active_count() <= before)


async def test_a_relay_that_is_no_relay_is_said() -> None:
    async def web(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad\r\n\r\n")
        await writer.drain()

    async with server(web) as port:
        with pytest.raises(NodeError, match="took no mail"):
            await MailWay(relay(port)).send(MESSAGE)


async def test_mail_goes_on_after_a_moment_without_room_for_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    smtp = SmtpServer()
    async with server(smtp.talk) as port:
        way = MailWay(relay(port))
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", no_room)
            with pytest.raises(RuntimeError):
                await way.send(MESSAGE)
        await way.send(MESSAGE)
    assert len(smtp.mails) == 1

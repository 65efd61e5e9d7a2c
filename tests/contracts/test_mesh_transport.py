"""The real channel on the loopback: keys are proven, and no outsider can harm the listening node."""

import asyncio
import contextlib
import gc
import os
import random
import socket
import ssl
import struct
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from mesh import node_certificates, tls_transport
from mesh.announcement import Address
from mesh.messages import FRAME_BYTES_MAX
from mesh.tls_transport import Dialer, DialFailed, IsFull, Link, Listener, RefusedByPeer, WrongNode, contexts
from node.errors import NodeError
from node.identity import SIGNATURE_BYTES, key_to_pem
from node.units import NodeId
from tests.bench.fuzz_certificates import context_with, odd_context
from tests.fakes.neighbours import id_of, key_of

MEMBERS = {id_of("hill"), id_of("valley")}


async def echo(link: Link) -> None:
    while (frame := await link.receive()) is not None:
        await link.send(frame)


class ListeningNode:
    """A listening node that records incoming connections."""

    def __init__(
        self, name: str, converse: Callable[[Link], Awaitable[None]] = echo, handshake_s: float = 2.0
    ) -> None:
        self.knocked: list[NodeId] = []
        server, _ = contexts(key_of(name))
        self.listener = Listener(server, welcome=self._welcome, converse=converse, handshake_s=handshake_s)

    def _welcome(self, node: NodeId, met_at: str) -> bool:
        self.knocked.append(node)
        return node in MEMBERS

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[Address]:
        async with self.listener.listening(0) as port:
            yield Address("::1", port)


@contextlib.asynccontextmanager
async def dialer(name: str) -> AsyncIterator[Dialer]:
    async with Dialer(contexts(key_of(name))[1]) as found:
        yield found


async def test_two_members_prove_their_keys_and_talk() -> None:
    async with ListeningNode("hill").open() as address, dialer("valley") as valley:
        link = await valley.dial(id_of("hill"), address)
        assert id_of("hill") == link.node
        await link.send(b"hello")
        assert b"hello" == await link.receive()
        await link.close("done")


async def test_the_channel_is_tls_1_3_and_nothing_older() -> None:
    async with ListeningNode("hill").open() as address:
        old = contexts(key_of("valley"))[1]
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection("::1", address.port, ssl=old, server_hostname="x.anyone")


async def test_an_address_alone_is_enough_to_learn_which_node_listens_there() -> None:
    async with ListeningNode("hill").open() as address, dialer("valley") as valley:
        link = await valley.dial(None, address)
        assert id_of("hill") == link.node
        await link.close("done")


async def test_another_node_at_the_address_is_not_mistaken_for_the_wanted_one() -> None:
    async with ListeningNode("hill").open() as address, dialer("valley") as valley:
        with pytest.raises(WrongNode) as wrong:
            await valley.dial(id_of("coast"), address)
    assert id_of("hill") == wrong.value.node


async def test_a_connection_for_one_node_is_never_reused_for_another_on_the_same_address() -> None:
    """Connection pools of older aiohttp ignore the name that TLS checked: here the name is the host."""
    async with ListeningNode("hill").open() as address, dialer("valley") as valley:
        for _ in range(3):
            link = await valley.dial(id_of("hill"), address)
            await link.send(b"x")
            await link.receive()
            await link.close("done")
            with pytest.raises(DialFailed):
                await valley.dial(id_of("coast"), address)


async def test_a_stranger_is_identified_to_us_and_learns_nothing() -> None:
    listening_node = ListeningNode("hill")
    async with listening_node.open() as address, dialer("stranger") as stranger:
        for wanted in (id_of("hill"), None):
            with pytest.raises(RefusedByPeer) as refused:
                await stranger.dial(wanted, address)
            assert id_of("hill") == refused.value.node
    assert [id_of("stranger")] * 2 == listening_node.knocked


async def test_a_client_without_a_node_key_fails_the_handshake() -> None:
    listening_node = ListeningNode("hill")
    async with listening_node.open() as address:
        plain = ssl.create_default_context()
        plain.check_hostname, plain.verify_mode = False, ssl.CERT_NONE
        async with aiohttp.ClientSession() as browser:
            with pytest.raises(aiohttp.ClientError):
                await browser.get(f"https://[::1]:{address.port}/mesh", ssl=plain)
    assert [] == listening_node.knocked


async def test_any_other_path_or_method_is_refused_even_to_members() -> None:
    async with ListeningNode("hill").open() as address:
        _, client = contexts(key_of("valley"))
        async with aiohttp.ClientSession() as browser:
            url = f"https://[::1]:{address.port}"
            for method, path in [("GET", "/"), ("POST", "/mesh"), ("GET", "/mesh/../etc/passwd")]:
                with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                    async with asyncio.timeout(3):
                        answer = await browser.request(
                            method, url + path, ssl=client, server_hostname="x.anyone"
                        )
                        assert answer.status in {403, 404, 405}


async def test_a_request_to_join_follows_no_redirect() -> None:
    """It carries the invite, which is for the address that was given with it."""
    asked: list[str] = []
    server_context, _ = contexts(key_of("hill"))

    async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readline()).decode())
        port = writer.get_extra_info("sockname")[1]
        writer.write(
            f"HTTP/1.1 307 Elsewhere\r\nLocation: https://[::1]:{port}/elsewhere\r\nContent-Length: 0\r\n\r\n".encode()
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(redirect, "::1", 0, ssl=server_context)
    async with server, dialer("valley") as valley:
        with pytest.raises(DialFailed):
            await valley.ask_lobby(Address("::1", server.sockets[0].getsockname()[1]), b"{}")
    assert ["POST /lobby HTTP/1.1\r\n"] == asked


async def test_a_closed_port_is_a_failed_dial() -> None:
    async with dialer("valley") as valley:
        with pytest.raises(DialFailed):
            await valley.dial(id_of("hill"), Address("::1", 1))


async def test_a_server_that_is_no_node_is_a_failed_dial() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.9\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "::1", 0)
    async with server, dialer("valley") as valley:
        with pytest.raises(DialFailed):
            await valley.dial(None, Address("::1", server.sockets[0].getsockname()[1]))


async def test_a_port_in_use_is_reported_with_the_fix() -> None:
    async with ListeningNode("hill").open() as address:
        with pytest.raises(NodeError, match="set another mesh port"):
            async with ListeningNode("valley").listener.listening(address.port):
                raise AssertionError("two nodes listen on one port")


async def connection(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("::1", port)


async def ends_within(reader: asyncio.StreamReader, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            while await reader.read(4096):
                pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


async def test_a_slow_handshake_is_closed() -> None:
    async with ListeningNode("hill", handshake_s=0.3).open() as address:
        reader, writer = await connection(address.port)
        writer.write(b"\x16\x03\x01")
        assert await ends_within(reader, 2.0)
        writer.close()


async def test_a_silent_connection_after_the_handshake_is_closed() -> None:
    async with ListeningNode("hill", handshake_s=0.3).open() as address:
        _, client = contexts(key_of("valley"))
        reader, writer = await asyncio.open_connection(
            "::1", address.port, ssl=client, server_hostname="x.anyone"
        )
        writer.write(b"GET /mesh HTTP/1.1\r\nHost: ")
        assert await ends_within(reader, 2.0)
        writer.transport.abort()


async def test_a_closed_connection_gives_its_place_back_at_once() -> None:
    """Also when it never asked for anything, as long as the handshake may take."""
    async with ListeningNode("hill", handshake_s=60.0).open() as address:
        _, client = contexts(key_of("stranger"))
        for _ in range(2 * tls_transport.UNPROVEN_PER_ADDRESS_MAX):
            reader, writer = await asyncio.open_connection(
                "::1", address.port, ssl=client, server_hostname="x.anyone"
            )
            writer.write(b"no request of HTTP\r\n\r\n")
            assert await ends_within(reader, 5.0)
            writer.transport.abort()
            await asyncio.sleep(2 * tls_transport.CLOSED_LOOK_S)
        async with dialer("valley") as valley:
            link = await valley.dial(id_of("hill"), address)
            await link.close("done")


def with_odd_name() -> ssl.SSLContext:
    """TLS with a certificate that has a DNS name which is not ASCII: Python raises when it reads the name."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(node_certificates._WRAPPER_NAME)
        .public_key(key_of("stranger").public_key())
        .serial_number(7)
        .not_valid_before(datetime(1970, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2099, 1, 1, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("0.example")]), critical=False)
    )
    der = builder.sign(node_certificates._WRAPPER, None).public_bytes(Encoding.DER)
    said = x509.load_der_x509_certificate(der).tbs_certificate_bytes
    changed = said.replace(b"0.example", b"\xe2.example")
    at = der.index(said)
    odd = (
        der[:at] + changed + der[at + len(said) : -SIGNATURE_BYTES] + node_certificates._WRAPPER.sign(changed)
    )
    context = context_with(key_to_pem(key_of("stranger")), odd, is_server=False)
    assert context is not None
    return context


async def test_a_certificate_with_a_name_that_cannot_be_read_ends_nothing() -> None:
    listening_node = ListeningNode("hill")
    async with listening_node.open() as address:
        reader, writer = await asyncio.open_connection(
            "::1", address.port, ssl=with_odd_name(), server_hostname="x.anyone"
        )
        writer.write(b"GET /mesh HTTP/1.1\r\nHost: x\r\n\r\n")
        assert await ends_within(reader, 3.0)
        writer.transport.abort()
        async with dialer("valley") as valley:
            link = await valley.dial(id_of("hill"), address)
            await link.close("done")
    assert id_of("valley") in listening_node.knocked


@pytest.mark.thorough
@pytest.mark.parametrize("is_server", [False, True])
async def test_odd_and_damaged_certificates_end_one_connection_alone(is_server: bool) -> None:
    """Keys of other kinds, Ed448 among them, years that are over, fields that are damaged and signed again."""
    chance = random.Random(5)
    async with ListeningNode("hill").open() as address, dialer("valley") as valley:
        for _ in range(8):
            odd = odd_context(chance, is_server=is_server)
            if is_server:
                server = await asyncio.start_server(lambda _reader, writer: writer.close(), "::1", 0, ssl=odd)
                async with server:
                    with pytest.raises(DialFailed):
                        await valley.dial(None, Address("::1", server.sockets[0].getsockname()[1]))
            else:
                with contextlib.suppress(OSError):
                    reader, writer = await asyncio.open_connection(
                        "::1", address.port, ssl=odd, server_hostname="x.anyone"
                    )
                    writer.write(b"GET /mesh HTTP/1.1\r\nHost: x\r\n\r\n")
                    await ends_within(reader, 3.0)
                    writer.transport.abort()
                await asyncio.sleep(2 * tls_transport.CLOSED_LOOK_S)
        link = await valley.dial(id_of("hill"), address)
        await link.close("done")


async def test_one_address_may_have_three_unproven_connections() -> None:
    async with ListeningNode("hill").open() as address:
        opened = [await connection(address.port) for _ in range(6)]
        ended = [await ends_within(reader, 0.4) for reader, _ in opened]
        assert [False] * 3 + [True] * 3 == ended
        for _, writer in opened:
            writer.close()


async def test_one_member_does_not_fill_the_places_of_the_others() -> None:
    """Whether it says hello or not."""
    async with (
        ListeningNode("hill").open() as address,
        dialer("valley") as valley,
        dialer("hill") as another,
        contextlib.AsyncExitStack() as stack,
    ):
        for _ in range(tls_transport.PROVEN_PER_KEY_MAX):
            link = await valley.dial(id_of("hill"), address)
            stack.push_async_callback(link.close, "done")
        with pytest.raises(IsFull):
            await valley.dial(id_of("hill"), address)
        await (await another.dial(id_of("hill"), address)).close("done")
        await link.close("done")
        async with asyncio.timeout(5):
            while True:
                with contextlib.suppress(IsFull):
                    await (await valley.dial(id_of("hill"), address)).close("done")
                    break


async def test_after_a_flood_of_noise_members_can_still_connect() -> None:
    async with ListeningNode("hill").open() as address:
        for _ in range(60):
            with contextlib.suppress(OSError):
                reader, writer = await connection(address.port)
                writer.write(os.urandom(2000))
                await ends_within(reader, 1.0)
                writer.close()
        async with dialer("valley") as valley:
            link = await valley.dial(id_of("hill"), address)
            await link.close("done")


@contextlib.asynccontextmanager
async def by_hand(
    address: Address, name: str = "valley"
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A member that speaks WebSocket by hand, to break its rules."""
    _, client = contexts(key_of(name))
    reader, writer = await asyncio.open_connection(
        "::1", address.port, ssl=client, server_hostname="x.anyone"
    )
    writer.write(
        b"GET /mesh HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    await reader.readuntil(b"\r\n\r\n")
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


def resident_bytes() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def test_a_frame_announced_as_a_gigabyte_is_cut_off_early() -> None:
    async with ListeningNode("hill").open() as address, by_hand(address) as (reader, writer):
        gc.collect()
        before = resident_bytes()
        sent = 0
        writer.write(b"\x82\xff" + struct.pack("!Q", 2**30) + b"\0\0\0\0")
        with contextlib.suppress(OSError):
            while sent < 64 * 1024 * 1024 and not reader.at_eof():
                writer.write(bytes(64 * 1024))
                await writer.drain()
                await asyncio.sleep(0)
                sent += 64 * 1024
        assert await ends_within(reader, 2.0)
        assert sent < 16 * 1024 * 1024
        assert resident_bytes() - before < 16 * 1024 * 1024


@pytest.mark.parametrize("size", [FRAME_BYTES_MAX + 1, 200_000])
async def test_a_frame_above_the_limit_ends_the_connection(size: int) -> None:
    async with ListeningNode("hill").open() as address, dialer("valley") as valley:
        link = await valley.dial(id_of("hill"), address)
        await link.send(bytes(size))
        assert await link.receive() is None
        await link.close("done")


async def test_the_largest_frame_passes() -> None:
    async with ListeningNode("hill").open() as address, dialer("valley") as valley:
        link = await valley.dial(id_of("hill"), address)
        await link.send(bytes(FRAME_BYTES_MAX))
        assert bytes(FRAME_BYTES_MAX) == await link.receive()
        await link.close("done")


async def test_a_long_exchange_is_not_mistaken_for_one_large_frame() -> None:
    frame = bytes(60_000)
    async with ListeningNode("hill").open() as address, dialer("valley") as valley:
        link = await valley.dial(id_of("hill"), address)
        for _ in range(2 * tls_transport.UNREAD_BYTES_MAX // len(frame)):
            await link.send(frame)
            assert frame == await link.receive()
        await link.close("done")


@pytest.mark.parametrize(
    "noise", [b"\xff" * 64, b"\x00" * 64, b"\x82\x05hello", b"\xc1\x80\0\0\0\0", b"\x80\x80\0\0\0\0"]
)
async def test_invalid_websocket_data_ends_that_connection_alone(noise: bytes) -> None:
    async with ListeningNode("hill").open() as address, dialer("hill") as other:
        async with by_hand(address) as (reader, writer):
            writer.write(noise)
            writer.write_eof() if writer.can_write_eof() else writer.close()
            assert await ends_within(reader, 3.0)
        link = await other.dial(id_of("hill"), address)
        await link.send(b"x")
        assert b"x" == await link.receive()
        await link.close("done")


@pytest.mark.parametrize(
    "headers",
    [
        b"Upgrade: web\xe2socket\r\nConnection: Upgrade\r\n",
        b"Upgrade: websocket\r\nConnection: \xe5\r\n",
        b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAA\xc1AAA=\r\n",
    ],
)
async def test_an_upgrade_that_cannot_be_decoded_is_refused_and_leaves_nothing_in_the_log(
    headers: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with ListeningNode("hill").open() as address:
        _, client = contexts(key_of("valley"))
        reader, writer = await asyncio.open_connection(
            "::1", address.port, ssl=client, server_hostname="x.anyone"
        )
        writer.write(b"GET /mesh HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n")
        assert (await reader.readline()).split()[1] in {b"400", b"403"}
        writer.transport.abort()
    assert [] == [record for record in caplog.records if record.levelname == "ERROR"]


async def test_a_clock_in_1970_or_2099_keeps_nobody_out() -> None:
    """Certificates are valid in all years, and the TLS contexts do not check the time: asserted on the contexts."""
    server, client = contexts(key_of("hill"))
    assert server.verify_flags & 0x200000
    assert ssl.CERT_NONE == client.verify_mode
    assert ssl.CERT_REQUIRED == server.verify_mode


UPGRADE = (
    b"GET /mesh HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
LEFT = (
    "NodeTLS",
    "SSLProtocol",
    "MemoryBIO",
    "_SelectorSocketTransport",
    "_SSLProtocolTransport",
    "RequestHandler",
    "HttpRequestParser",
    "_Arrival",
    "Link",
    "traceback",
    "frame",
)


def call(number: int, port: int, context: ssl.SSLContext | None, text: bytes) -> bytes:
    """One connection of a stranger with an address of its own, and what it was told."""
    source = (f"127.0.{1 + number // 250}.{1 + number % 250}", 0)
    with contextlib.suppress(OSError), contextlib.ExitStack() as held:
        line = held.enter_context(
            socket.create_connection(("127.0.0.1", port), timeout=5, source_address=source)
        )
        if context is not None:
            line = held.enter_context(context.wrap_socket(line, server_hostname="x.anyone"))
        line.sendall(text)
        return line.recv(1_000) if text else b""
    return b""


def without_a_key() -> ssl.SSLContext:
    found = ssl.create_default_context()
    found.check_hostname, found.verify_mode = False, ssl.CERT_NONE
    return found


@pytest.mark.parametrize(
    ("context", "text", "answer"),
    [
        pytest.param(
            lambda: contexts(key_of("stranger"))[1], UPGRADE, b"403", id="refused", marks=pytest.mark.thorough
        ),
        pytest.param(without_a_key, UPGRADE, b"", id="no key", marks=pytest.mark.thorough),
        pytest.param(lambda: None, b"GET / HTTP/1.0\r\n\r\n", b"", id="no TLS"),
        pytest.param(lambda: None, b"", b"", id="hung up"),
    ],
)
async def test_two_hundred_strangers_leave_nothing_behind_without_a_garbage_collection(
    context: Callable[[], ssl.SSLContext | None], text: bytes, answer: bytes
) -> None:
    made = context()
    async with ListeningNode("hill").open() as address:

        async def calls(numbers: range) -> None:
            for number in numbers:
                told = await asyncio.to_thread(call, number, address.port, made, text)
                assert answer == told[9:12]
            await asyncio.sleep(1.0)

        await calls(range(3))  # what is made once is there
        gc.collect()
        gc.disable()
        try:
            before = _alive()
            await calls(range(3, 203))
            found = _alive()
        finally:
            gc.enable()
    grown = {name: number - before[name] for name, number in found.items() if number > before[name] + 5}
    assert {} == grown


def _alive() -> Counter[str]:
    names = (type(each).__name__ for each in gc.get_objects())
    return Counter(name for name in names if name in LEFT)


async def test_what_comes_with_the_handshake_is_not_lost() -> None:
    """The request is in one packet with the end of the handshake."""
    _, client = contexts(key_of("valley"))
    async with ListeningNode("hill").open() as address:
        told = [await asyncio.to_thread(call, each, address.port, client, UPGRADE) for each in range(20)]
    assert all(b"101 Switching Protocols" in each for each in told)

"""A minimal client: DNS queries, HTTP requests and forms; no browser."""

import asyncio
import contextlib
import secrets
import socket
import struct
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin, urlsplit

from tests.lab import PATIENCE

BODY_BYTES_MAX = 1_000_000
SECONDS_MAX = 10.0 * PATIENCE
SO_BINDTODEVICE = 25


@dataclass(frozen=True, slots=True)
class HttpReply:
    """One HTTP response."""

    status: int
    headers: dict[str, str]
    body: str

    @property
    def is_from_the_internet(self) -> bool:
        return "x-upstream" in self.headers


@dataclass(frozen=True, slots=True)
class PageForm:
    """The first form of a page that is sent by POST, with the fields that a browser without scripts would send."""

    action: str
    fields: dict[str, str]


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[PageForm] = []
        self._open: PageForm | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = PageForm(given.get("action", ""), {})
            if given.get("method", "get").lower() == "post":
                self.forms.append(self._open)
        elif self._open is not None and given.get("name"):
            if tag == "input" and given.get("type") in {"checkbox", "radio"}:
                self._open.fields[given["name"]] = given.get("value", "on")
            elif tag in {"input", "button", "textarea", "select"}:
                self._open.fields.setdefault(given["name"], given.get("value", ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None


def forms(page: str) -> list[PageForm]:
    """All forms of `page` that are sent by POST."""
    parser = _Forms()
    parser.feed(page)
    return parser.forms


def device_socket(family: int, kind: int, interface: str | None) -> socket.socket:
    """A non-blocking socket bound to one interface."""
    sock = socket.socket(family, kind)
    sock.setblocking(False)
    if interface:
        sock.setsockopt(socket.SOL_SOCKET, SO_BINDTODEVICE, interface.encode() + b"\0")
    return sock


def family_of(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def dns_query(number: int, name: str, kind: int) -> bytes:
    """For the records of this kind (RFC 1035 section 4.1), with recursion."""
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.rstrip(".").split("."))
    return struct.pack("!6H", number, 0x0100, 1, 0, 0, 0) + labels + struct.pack("!BHH", 0, kind, 1)


async def resolve(name: str, *, server: str, wants_v6: bool, interface: str | None = None) -> str:
    """The first address of `name` from the resolver `server`. Raises OSError if there is none."""
    with contextlib.suppress(OSError):
        family = socket.AF_INET6 if wants_v6 else socket.AF_INET
        socket.inet_pton(family, name.strip("[]"))
        return name.strip("[]")
    number = secrets.randbelow(65536)
    kind = 28 if wants_v6 else 1
    query = dns_query(number, name, kind)
    failure: OSError | None = None
    for _ in range(3):
        try:
            answer = await _answered(query, server, interface)
        except OSError as error:
            failure = error
        else:
            return _first_address(answer, number, kind, name)
    raise OSError(f"the resolver {server} does not answer for {name}") from failure


async def _answered(query: bytes, server: str, interface: str | None) -> bytes:
    """From a new port, as stub resolvers ask again: the node refuses a flow that began before the device's session."""
    loop = asyncio.get_running_loop()
    with contextlib.closing(device_socket(family_of(server), socket.SOCK_DGRAM, interface)) as sock:
        await loop.sock_connect(sock, (server, 53))
        await loop.sock_sendall(sock, query)
        async with asyncio.timeout(1):
            return await loop.sock_recv(sock, 1500)


def _first_address(answer: bytes, number: int, kind: int, name: str) -> str:
    got, _, _, answers, _, _ = struct.unpack_from("!6H", answer)
    if got != number:
        raise OSError("an answer to another question")
    place = _after_name(answer, 12) + 4
    for _ in range(answers):
        place = _after_name(answer, place)
        found, _, _, size = struct.unpack_from("!HHIH", answer, place)
        place += 10
        if found == kind:
            family = socket.AF_INET6 if kind == 28 else socket.AF_INET
            return socket.inet_ntop(family, answer[place : place + size])
        place += size
    raise OSError(f"{name} has no such address")


def _after_name(packet: bytes, place: int) -> int:
    while packet[place]:
        if packet[place] >= 0xC0:
            return place + 2
        place += 1 + packet[place]
    return place + 1


@dataclass(frozen=True, slots=True)
class ClientDevice:
    """The interface, the resolver and the family of a client."""

    resolver: str
    wants_v6: bool = False
    interface: str | None = None

    async def connected(self, host: str, port: int) -> socket.socket:
        address = await resolve(host, server=self.resolver, wants_v6=self.wants_v6, interface=self.interface)
        sock = device_socket(family_of(address), socket.SOCK_STREAM, self.interface)
        try:
            async with asyncio.timeout(SECONDS_MAX):
                await asyncio.get_running_loop().sock_connect(sock, (address, port))
        except BaseException:
            sock.close()
            raise
        return sock

    async def request(self, url: str, form: dict[str, str] | None = None) -> HttpReply:
        """GET, or POST of a form; redirects are not followed."""
        parts = urlsplit(url)
        sock = await self.connected(parts.hostname or "", parts.port or 80)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        body = urlencode(form).encode() if form is not None else b""
        head = f"{'GET' if form is None else 'POST'} {target} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        head += "User-Agent: lab-person\r\nAccept-Language: en\r\nConnection: close\r\n"
        if form is not None:
            origin = f"{parts.scheme}://{parts.netloc}"
            head += f"Origin: {origin}\r\nReferer: {origin}/\r\n"
            head += f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n"
        reader, writer = await asyncio.open_connection(sock=sock, limit=BODY_BYTES_MAX)
        try:
            async with asyncio.timeout(SECONDS_MAX):
                writer.write(head.encode() + b"\r\n" + body)
                await writer.drain()
                return await _read_reply(reader)
        finally:
            writer.close()

    async def follow(self, url: str, reply: HttpReply, hops: int = 5) -> tuple[str, HttpReply]:
        """Follows redirects; the last URL and its response."""
        while reply.status in {301, 302, 303, 307, 308} and hops:
            url = urljoin(url, reply.headers.get("location", ""))
            reply = await self.request(url)
            hops -= 1
        return url, reply


async def _read_reply(reader: asyncio.StreamReader) -> HttpReply:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.split("\r\n")
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines) if name
    }
    if headers.get("transfer-encoding") == "chunked":
        body = await _read_chunks(reader)
    elif "content-length" in headers:
        body = await reader.readexactly(min(int(headers["content-length"]), BODY_BYTES_MAX))
    else:
        body = await reader.read(BODY_BYTES_MAX) if headers.get("connection") == "close" else b""
    return HttpReply(int(first.split()[1]), headers, body.decode(errors="replace"))


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readline()
    return body

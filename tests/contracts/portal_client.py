"""Minimal HTTP client: sends bytes over a real loopback socket and reads one whole response."""

import asyncio
import re
from contextlib import suppress
from dataclasses import dataclass
from html import unescape
from urllib.parse import urlencode

from tests.fakes.portal_server import HOST

ANSWER_S = 5.0


@dataclass(frozen=True)
class PortalReply:
    """One response as received; status 0 means that the connection was closed without one."""

    status: int
    headers: dict[str, str]
    body: str
    raw: bytes

    def field(self, name: str) -> str:
        found = re.search(rf'name="{name}" value="([^"]*)"', self.body)
        assert found, f"no field {name} in the page"
        return found[1]

    def fill(self, action: str, **typed: str) -> str:
        """Body of the form of this page whose action is `action`: its hidden fields and the typed values."""
        for form in re.findall(rf'action="{action}">(.*?)</form>', self.body, re.DOTALL):
            hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form))
            if hidden.items() >= {k: v for k, v in typed.items() if k in hidden}.items():
                return urlencode({name: unescape(value) for name, value in hidden.items()} | typed)
        raise AssertionError(f"no form for {action} in the page")


def parse(raw: bytes) -> PortalReply:
    head, _, body = raw.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    if not raw:
        return PortalReply(0, {}, "", raw)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    is_picture = headers.get("content-type", "").startswith("image/")
    text = body.decode("latin-1" if is_picture else "utf-8")
    return PortalReply(int(lines[0].split()[1]), headers, text, raw)


class PortalBrowser:
    """Keeps nothing between requests: no cookies, no storage, no connection."""

    def __init__(self, port: int, source: str = "127.0.0.1") -> None:
        self.port = port
        self.source = source

    async def send(self, raw: bytes, address: str = "127.0.0.1") -> PortalReply:
        reader, writer = await asyncio.open_connection(address, self.port, local_addr=(self.source, 0))
        received = b""
        with suppress(OSError):
            writer.write(raw)
            await writer.drain()
            if not raw.startswith(b"HEAD"):
                writer.write_eof()
        with suppress(ConnectionError):
            async with asyncio.timeout(ANSWER_S):
                while chunk := await reader.read(65_536):
                    received += chunk
                    if raw.startswith(b"HEAD") and b"\r\n\r\n" in received:
                        break
        writer.close()
        return parse(received)

    async def get(
        self, path: str = "/", host: str = HOST, method: str = "GET", **headers: str
    ) -> PortalReply:
        return await self.send(request(method, path, host, headers))

    async def post(self, path: str, form: str, host: str = HOST, **headers: str) -> PortalReply:
        headers.setdefault("Content_Type", "application/x-www-form-urlencoded")
        return await self.send(request("POST", path, host, headers, form.encode()))


def request(method: str, path: str, host: str, headers: dict[str, str], body: bytes | None = None) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")

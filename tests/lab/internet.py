"""The village's Internet: web, DNS, echo and discard servers on every address of two small networks.

Runs in a namespace of its own (``python -m tests.lab.internet``) and uses the standard library only. It answers on all
of 203.0.113.0/24 and fd99::/64, so that each person can have a far address of their own: bytes that arrive there were
sent by that person, also after address translation by any number of routers.
"""

import asyncio
import contextlib
import json
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.lab.netns import Lab, LabProgram, Namespace

ROOT = Path(__file__).resolve().parents[2]
NETWORK_V4, NETWORK_V6 = "203.0.113.0/24", "fd99::/64"
WEB_V4, WEB_V6 = "203.0.113.10", "fd99::10"
DNS_V4, DNS_V6 = "198.51.100.53", "fd98::53"
"""Separate from the people's far addresses: routers send queries of all clients here."""
HTTP_PORT, TLS_PORT, ECHO_PORT = 80, 443, 7
IP_PKTINFO = 8
"""From linux/in.h; Python has it only since 3.12."""
BLOCK = bytes(65536)
REQUEST_BYTES_MAX = 16384

# The expected response of each system's connectivity probe.
PROBES: dict[str, tuple[int, str, str]] = {
    "connectivitycheck.gstatic.com": (204, "", ""),
    "www.gstatic.com": (204, "", ""),
    "captive.apple.com": (
        200,
        "text/html",
        "<HTML><HEAD><TITLE>Success</TITLE></HEAD><BODY>Success</BODY></HTML>",
    ),
    "www.msftconnecttest.com": (200, "text/plain", "Microsoft Connect Test"),
    "detectportal.firefox.com": (
        200,
        "text/html",
        '<meta http-equiv="refresh" content="0;url=https://support.mozilla.org/kb/captive-portal"/>',
    ),
    "nmcheck.gnome.org": (200, "text/plain", "NetworkManager is online\n"),
    "network-test.debian.org": (200, "text/plain", "NetworkManager is online\n"),
}

DNSMASQ_OPTIONS = (
    "--keep-in-foreground",
    "--conf-file=/dev/null",
    "--no-resolv",
    "--no-hosts",
    "--pid-file=",
    "--bind-interfaces",
    "--user=root",
    "--cache-size=0",
    "--local-ttl=5",
    f"--address=/#/{WEB_V4}",
    f"--address=/#/{WEB_V6}",
    f"--listen-address={DNS_V4},{DNS_V6}",
)

METER = """
table inet lab_internet {
  set arrived4 { type ipv4_addr; flags dynamic; size 1024; counter; }
  set arrived6 { type ipv6_addr; flags dynamic; size 1024; counter; }
  set sent4 { type ipv4_addr; flags dynamic; size 1024; counter; }
  set sent6 { type ipv6_addr; flags dynamic; size 1024; counter; }
  chain arriving {
    type filter hook input priority -300;
    ip daddr 203.0.113.0/24 add @arrived4 { ip daddr }
    ip6 daddr fd99::/64 add @arrived6 { ip6 daddr }
  }
  chain sending {
    type filter hook output priority 300;
    ip saddr 203.0.113.0/24 add @sent4 { ip saddr }
    ip6 saddr fd99::/64 add @sent6 { ip6 saddr }
  }
}
"""


class Internet:
    """The far side, as the village's builder uses it."""

    def __init__(self, lab: Lab, python: str = sys.executable) -> None:
        self.place: Namespace = lab.namespace("internet")
        self._python = python
        self.programs: list[LabProgram] = []

    def open(self) -> None:
        """Starts its servers; its links can be added before or after."""
        place = self.place
        place.ip(f"addr add {DNS_V4}/32 dev lo", f"addr add {DNS_V6}/128 dev lo nodad")
        place.run("ip", "route", "add", "local", NETWORK_V4, "dev", "lo")
        place.run("ip", "-6", "route", "add", "local", NETWORK_V6, "dev", "lo")
        place.sysctl(
            net__ipv4__icmp_ratelimit=0, net__ipv4__ip_nonlocal_bind=1, net__ipv6__ip_nonlocal_bind=1
        )
        place.run("nft", "-f", "-", stdin=METER)
        names = place.start("dnsmasq", *DNSMASQ_OPTIONS)
        self.programs = [names, place.start(self._python, "-m", "tests.lab.internet", cwd=ROOT)]

    def counted(self) -> dict[str, dict[str, int]]:
        """Bytes at the IP layer by far address: ``{"203.0.113.21": {"arrived": 0, "sent": 0}}``."""
        found: dict[str, dict[str, int]] = {}
        for entry in json.loads(self.place.run("nft", "-j", "list", "table", "inet", "lab_internet"))[
            "nftables"
        ]:
            if "set" not in entry:
                continue
            kind = entry["set"]["name"][:-1]
            for element in entry["set"].get("elem", []):
                address, count = element["elem"]["val"], element["elem"]["counter"]["bytes"]
                found.setdefault(address, {"arrived": 0, "sent": 0})[kind] = count
        return found


async def answer_web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """HTTP with one request for each connection: probes, ``/large?bytes=N``, ``/upload``, and a short text for all
    other paths."""
    with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        method, target, *_ = head.split(" ", 2)
        fields = (line.partition(":") for line in head.split("\r\n")[1:])
        headers = {name.lower(): value.strip() for name, _, value in fields}
        path = urlsplit(target)
        if path.path == "/large":
            await _send_large(writer, int(parse_qs(path.query).get("bytes", ["100000000"])[0]))
        elif path.path == "/upload":
            await _swallow(reader, writer, int(headers.get("content-length", "0")))
        else:
            await _send_small(writer, headers.get("host", "").split(":")[0].rstrip("."), method)
    writer.close()


async def _send_small(writer: asyncio.StreamWriter, host: str, method: str) -> None:
    status, kind, body = PROBES.get(host, (200, "text/plain", f"hello from the Internet at {host}\n"))
    more = f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n" if status != 204 else ""
    head = f"HTTP/1.1 {status} OK\r\nX-Upstream: 1\r\nConnection: close\r\n{more}\r\n"
    writer.write(head.encode() + (b"" if method == "HEAD" else body.encode()))
    await writer.drain()


async def _send_large(writer: asyncio.StreamWriter, size: int) -> None:
    writer.write(
        f"HTTP/1.1 200 OK\r\nX-Upstream: 1\r\nConnection: close\r\nContent-Length: {size}\r\n\r\n".encode()
    )
    while size > 0:
        writer.write(BLOCK[: min(size, len(BLOCK))])
        size -= len(BLOCK)
        await writer.drain()


async def _swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, size: int) -> None:
    taken = 0
    while taken < size and (block := await reader.read(len(BLOCK))):
        taken += len(block)
    body = str(taken)
    writer.write(f"HTTP/1.1 200 OK\r\nX-Upstream: 1\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
    await writer.drain()


async def answer_tls_port(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Reads and discards everything and sends one byte, so that both sides see that the connection was established."""
    with contextlib.suppress(OSError):
        writer.write(b"x")
        while await reader.read(65536):
            pass
    writer.close()


def echo_waiting(sock: socket.socket) -> None:
    """Answers one pending datagram from the address that it was sent to (the socket has IP_PKTINFO)."""
    try:
        data, ancillary, _, sender = sock.recvmsg(2048, 256)
    except OSError:
        return
    back = [item for item in ancillary if item[1] in {IP_PKTINFO, socket.IPV6_PKTINFO}]
    if sock.family == socket.AF_INET:
        # struct in_pktinfo: index, source address, destination address; the destination becomes the source.
        back = [(level, kind, bytes(4) + value[8:12] + bytes(4)) for level, kind, value in back]
    with contextlib.suppress(OSError):
        sock.sendmsg([data], back, 0, sender)


def echo_sockets() -> list[socket.socket]:
    made = []
    for family, wildcard in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        sock = socket.socket(family, socket.SOCK_DGRAM)
        if family == socket.AF_INET:
            sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        sock.bind((wildcard, ECHO_PORT))
        sock.setblocking(False)
        made.append(sock)
    return made


async def serve() -> None:
    loop = asyncio.get_running_loop()
    for sock in echo_sockets():
        loop.add_reader(sock, echo_waiting, sock)
    handlers: dict[int, Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]] = {
        HTTP_PORT: answer_web,
        TLS_PORT: answer_tls_port,
    }
    async with contextlib.AsyncExitStack() as stack:
        for port, handler in handlers.items():
            server = await asyncio.start_server(
                handler, ["0.0.0.0", "::"], port, limit=REQUEST_BYTES_MAX, backlog=512
            )
            await stack.enter_async_context(server)
        await asyncio.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve())

"""What keeps a line alive, as real clients send it: each packet once, and how many had no answer; standard library only.

``python -m tests.bench.control_packets JSON`` runs for ``seconds`` in the namespace of a device, with ``interface``,
``address``, ``address6``, ``mac``, and ``node``, ``node6``, the node's addresses on that link; or, with ``is_uplink``, in
the node's own, where these are its next hop's. It prints one JSON object: for each kind how many were sent, and how many
of them had no answer.
"""

import asyncio
import contextlib
import itertools
import json
import secrets
import socket
import struct
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from tests.bench.attacks.ethernet import ADVERTISEMENT as NEIGHBOUR_ADVERTISEMENT
from tests.bench.attacks.ethernet import ETH_P_ARP, REPLY, REQUEST, SOLICITATION, arp
from tests.bench.figures import say
from tests.bench.latency_probe import ahead_of_other_programs
from tests.kernel.frames import octets
from tests.lab.wire import SO_BINDTODEVICE, device_socket, dns_query

PATIENCE_S, NAME_PATIENCE_S, PAGE_PATIENCE_S = 3.0, 4.0, 5.0
RENEWAL_EVERY_S = 8.0
"""The packet filter lets one device renew ten times a minute (`node.enforcement.arrivals`)."""
ROUTER_SOLICITATION, ROUTER_ADVERTISEMENT = 133, 134
ICMP6_FILTER = 1
ALL_ROUTERS = "ff02::2"
DHCP_COOKIE, DHCP_REQUEST, DHCP_ACK = b"\x63\x82\x53\x63", 3, 5

Exchange = Callable[[], Awaitable[bool]]
"""Sends one packet; whether its answer came."""


class ControlTraffic:
    """One exchange of each kind at a time: the next begins after the answer, or after the patience is over."""

    def __init__(self, job: dict[str, Any]) -> None:
        self._seconds, self._interface, self._mac = float(job["seconds"]), job["interface"], job["mac"]
        self._address, self._address6 = job["address"], job["address6"]
        self._node, self._node6 = job["node"], job["node6"]
        self._names = itertools.count()
        self._prefix = secrets.token_hex(4)
        self._kinds: dict[str, tuple[Exchange, float]] = {
            "arp": (self.arp, 0.5),
            "neighbour solicitations": (self.neighbour_solicitation, 0.5),
        }
        if not job.get("is_uplink"):
            self._kinds |= {
                "dhcp renewals": (self.dhcp_renewal, RENEWAL_EVERY_S),
                "router solicitations": (self.router_solicitation, 2.0),
                "dns queries": (self.dns_query, 0.2),
                "pages": (self.page, 1.0),
            }

    async def run(self) -> dict[str, list[int]]:
        ends = time.monotonic() + self._seconds
        async with asyncio.TaskGroup() as group:
            tasks = {
                kind: group.create_task(self._often(kind, exchange, every, ends))
                for kind, (exchange, every) in self._kinds.items()
            }
        return {kind: task.result() for kind, task in tasks.items()}

    @staticmethod
    async def _often(kind: str, exchange: Exchange, every: float, ends: float) -> list[int]:
        sent = unanswered = 0
        while (began := time.monotonic()) < ends:
            sent += 1
            try:
                problem = "" if await exchange() else "another answer"
            except (OSError, TimeoutError) as failure:
                problem = repr(failure)
            if problem:
                unanswered += 1
                say(f"{kind}, the {sent}th: {problem}")
            await asyncio.sleep(max(0.0, began + every - time.monotonic()))
        return [sent, unanswered]

    # --- the link ---

    async def arp(self) -> bool:
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ARP))
        sock.bind((self._interface, ETH_P_ARP))
        async with _closing(sock, PATIENCE_S) as loop:
            await loop.sock_sendall(sock, arp(REQUEST, self._mac, self._address, "", self._node))
            while True:
                frame = await loop.sock_recv(sock, 100)
                kind, sender = struct.unpack_from("!H6x4s", frame, 20)
                if kind == REPLY and sender == IPv4Address(self._node).packed:
                    return True

    async def neighbour_solicitation(self) -> bool:
        target = IPv6Address(self._node6).packed
        message = struct.pack("!BBHI", SOLICITATION, 0, 0, 0) + target + bytes([1, 1]) + octets(self._mac)
        group = str(IPv6Address(IPv6Address("ff02::1:ff00:0").packed[:13] + target[13:]))
        async with self._icmp6(NEIGHBOUR_ADVERTISEMENT) as (loop, sock):
            await loop.sock_sendto(sock, message, (group, 0))
            while True:
                answer = await loop.sock_recv(sock, 1500)
                if answer[8:24] == target:
                    return True

    async def router_solicitation(self) -> bool:
        message = struct.pack("!BBHI", ROUTER_SOLICITATION, 0, 0, 0) + bytes([1, 1]) + octets(self._mac)
        async with self._icmp6(ROUTER_ADVERTISEMENT, is_link_local=True) as (loop, sock):
            await loop.sock_sendto(sock, message, (ALL_ROUTERS, 0))
            await loop.sock_recv(sock, 1500)
            return True

    @contextlib.asynccontextmanager
    async def _icmp6(
        self, answer: int, *, is_link_local: bool = False
    ) -> AsyncIterator[tuple[asyncio.AbstractEventLoop, socket.socket]]:
        """A socket that receives only ICMPv6 messages of the type `answer`."""
        sock = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
        accepted = bytearray(b"\xff" * 32)
        accepted[answer // 32 * 4 : answer // 32 * 4 + 4] = struct.pack(
            "=I", ~(1 << answer % 32) & 0xFFFFFFFF
        )
        index = socket.if_nametoindex(self._interface)
        sock.setsockopt(socket.IPPROTO_ICMPV6, ICMP6_FILTER, bytes(accepted))
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        sock.setsockopt(socket.SOL_SOCKET, SO_BINDTODEVICE, self._interface.encode() + b"\0")
        if not is_link_local:
            sock.bind((self._address6, 0, 0, 0))
        async with _closing(sock, PATIENCE_S) as loop:
            yield loop, sock

    # --- the node's servers ---

    async def dhcp_renewal(self) -> bool:
        """A DHCPREQUEST in the state RENEWING (RFC 2131 section 4.3.2), to the server."""
        number = secrets.token_bytes(4)
        head = struct.pack("!BBBB4sHH4s12x", 1, 1, 6, 0, number, 0, 0, IPv4Address(self._address).packed)
        options = DHCP_COOKIE + bytes([53, 1, DHCP_REQUEST, 255])
        message = (head + octets(self._mac).ljust(16, b"\0") + bytes(192) + options).ljust(300, b"\0")
        sock = device_socket(socket.AF_INET, socket.SOCK_DGRAM, self._interface)
        sock.bind((self._address, 68))
        async with _closing(sock, PATIENCE_S) as loop:
            await loop.sock_sendto(sock, message, (self._node, 67))
            while True:
                answer = await loop.sock_recv(sock, 1500)
                if answer[4:8] == number:
                    return bytes([53, 1, DHCP_ACK]) in answer[236:]

    async def dns_query(self) -> bool:
        """For a new name each time, so that the answer comes from the Internet."""
        query = dns_query(secrets.randbelow(65536), f"{self._prefix}-{next(self._names)}.example", 1)
        sock = device_socket(socket.AF_INET, socket.SOCK_DGRAM, self._interface)
        async with _closing(sock, NAME_PATIENCE_S) as loop:
            await loop.sock_connect(sock, (self._node, 53))
            await loop.sock_sendall(sock, query)
            answer = await loop.sock_recv(sock, 1500)
            number_of_answers = struct.unpack_from("!H", answer, 6)[0]
            return answer[:2] == query[:2] and answer[3] & 15 == 0 and number_of_answers > 0

    async def page(self) -> bool:
        """The portal's page on a new connection."""
        sock = device_socket(socket.AF_INET, socket.SOCK_STREAM, self._interface)
        async with _closing(sock, PAGE_PATIENCE_S) as loop:
            await loop.sock_connect(sock, (self._node, 80))
            await loop.sock_sendall(
                sock, f"GET / HTTP/1.1\r\nHost: {self._node}\r\nConnection: close\r\n\r\n".encode()
            )
            came = b""
            while block := await loop.sock_recv(sock, 65536):
                came += block
            return came.startswith(b"HTTP/1.1 200 ") and came.rstrip().endswith(b"</html>")


@contextlib.asynccontextmanager
async def _closing(sock: socket.socket, patience_s: float) -> AsyncIterator[asyncio.AbstractEventLoop]:
    """Closes the socket; raises TimeoutError in the block when the patience is over."""
    sock.setblocking(False)
    with contextlib.closing(sock):
        async with asyncio.timeout(patience_s):
            yield asyncio.get_running_loop()


def main() -> None:
    ahead_of_other_programs()
    print(json.dumps(asyncio.run(ControlTraffic(json.loads(sys.argv[1])).run())), flush=True)


if __name__ == "__main__":
    main()

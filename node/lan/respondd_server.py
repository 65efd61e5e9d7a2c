"""Answers respondd collectors on UDP port 1001, on the mesh interfaces and on the LAN.

Sources of UDP packets can be forged, and answers are larger than questions. So each socket is bound to one interface, only
addresses on that link are answered, an answer cannot pass a router (hop limit 1), and every source and interface has a
limited rate.
"""

import asyncio
import contextlib
import ipaddress
import random
import socket
import struct
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv6Network
from pathlib import Path
from typing import cast

from node.enforcement.respondd_limits import RESPONDD_PORT
from node.lan.managed_daemon import interface_index
from node.rate_limit import DeviceRateLimit, TokenBucket
from node.translator import gettext_lazy

MESH_GROUP, LAN_GROUP = "ff02::2:1001", "ff05::2:1001"
LAN_DELAY_S = 10.0
"""A question to the LAN's group reaches all nodes at once, which would answer at once."""
LOOK_AGAIN_S = 2.0
"""Interval of the check for a recreated interface and for its networks."""
OF_ONE_AT_ONCE, OF_ONE_PER_S = 5, 1.0
AT_ONCE, PER_S = 20, 10.0
"""Of all sources of one interface."""
WAITING_MAX = 8
"""Answers that wait for their delay, as in Gluon."""
SYSTEM_PORTS = 1_024
"""Below are services, of which none asks; some answer to whatever they receive."""
_IPV6_MULTICAST_ALL = 29
"""linux/in6.h: 0 receives only what is sent to groups that this socket joined."""
_IF_INET6 = Path("/proc/thread-self/net/if_inet6")
_LINK_LOCAL = IPv6Network("fe80::/10")


@dataclass(frozen=True, slots=True)
class RespondedSide:
    """One interface, and the group on which questions arrive there."""

    interface: str
    group: str
    delay_s: float
    """Longest wait before an answer to the group."""


def sides(mesh: Iterable[str], lan: str) -> tuple[RespondedSide, ...]:
    return (
        *(RespondedSide(each, MESH_GROUP, 0.0) for each in mesh),
        RespondedSide(lan, LAN_GROUP, LAN_DELAY_S),
    )


class RespondedServer:
    """`answer` gets a question and the seconds of a monotonic clock; an empty answer is not sent."""

    def __init__(self, served: Sequence[RespondedSide], answer: Callable[[bytes, float], bytes]) -> None:
        self._served, self._answer = served, answer
        self._troubles: dict[str, str] = {}

    def warnings(self) -> tuple[str, ...]:
        return tuple(
            gettext_lazy(
                "Collectors of respondd are not answered on {interface}: {english}. Another program may use UDP port "
                "{port}: stop it, or set mesh.respondd to false in node.toml.",
                interface=interface,
                english=trouble,
                port=str(RESPONDD_PORT),
            )
            for interface, trouble in self._troubles.items()
        )

    async def run(self) -> None:
        """Until cancelled; an interface that is missing is served when it is there."""
        async with asyncio.TaskGroup() as tasks:
            for side in self._served:
                tasks.create_task(self._serve(side))

    async def _serve(self, side: RespondedSide) -> None:
        while True:
            index = interface_index(side.interface)
            if index:
                try:
                    await self._until_changed(side, index)
                except OSError as error:
                    self._troubles[side.interface] = error.strerror or str(error)
            await asyncio.sleep(LOOK_AGAIN_S)

    async def _until_changed(self, side: RespondedSide, index: int) -> None:
        loop, link = asyncio.get_running_loop(), _Requesters(side.interface)
        with contextlib.ExitStack() as held:
            for host, delay_s in ((side.group, side.delay_s), ("::", 0.0)):
                opened = _opened(side.interface, index, host)
                held.callback(opened.close)
                protocol = _Answering(link, self._answer, delay_s)
                await loop.create_datagram_endpoint(partial(_same, protocol), sock=opened)
                held.callback(protocol.close)
            self._troubles.pop(side.interface, None)
            while interface_index(side.interface) == index:
                link.look()
                await asyncio.sleep(LOOK_AGAIN_S)


class _Requesters:
    """Addresses that may be answered on one interface now."""

    def __init__(self, interface: str) -> None:
        self._interface = interface
        self._networks: tuple[IPv6Network, ...] = ()
        self._of_one = DeviceRateLimit(OF_ONE_AT_ONCE, OF_ONE_PER_S)
        self._of_all = TokenBucket(AT_ONCE, PER_S, 0.0)
        self.look()

    def look(self) -> None:
        text = ""
        with contextlib.suppress(OSError):
            text = _IF_INET6.read_text()
        self._networks = networks(text, self._interface)

    def may_answer(self, host: str, port: int, now_s: float) -> bool:
        address = host.partition("%")[0]
        return (
            port >= SYSTEM_PORTS
            and any(ipaddress.IPv6Address(address) in each for each in self._networks)
            and self._of_one.take(address, now_s)
            and self._of_all.take(now_s)
        )


class _Answering(asyncio.DatagramProtocol):
    """Of one socket."""

    def __init__(self, link: _Requesters, answer: Callable[[bytes, float], bytes], delay_s: float) -> None:
        self._link, self._answer, self._delay_s = link, answer, delay_s
        self._transport: asyncio.DatagramTransport | None = None
        self._waiting: set[asyncio.TimerHandle] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int, int, int]) -> None:
        if not self._link.may_answer(addr[0], addr[1], time.monotonic()):
            return
        if not self._delay_s:
            self._send(data, addr)
        elif len(self._waiting) < WAITING_MAX:
            wait_s = random.uniform(0, self._delay_s)  # noqa: S311 - no secret
            handle: asyncio.TimerHandle

            def due() -> None:
                self._waiting.discard(handle)
                self._send(data, addr)

            handle = asyncio.get_running_loop().call_later(wait_s, due)
            self._waiting.add(handle)

    def close(self) -> None:
        for each in self._waiting:
            each.cancel()
        self._waiting.clear()
        if self._transport is not None:
            self._transport.abort()

    def _send(self, data: bytes, addr: tuple[str, int, int, int]) -> None:
        written = self._answer(data, time.monotonic())
        if written and self._transport is not None:
            self._transport.sendto(written, addr)


def _same(protocol: _Answering) -> _Answering:
    return protocol


def networks(text: str, interface: str) -> tuple[IPv6Network, ...]:
    """Of an interface's addresses, from the text of /proc/net/if_inet6, and always the link-local one."""
    found = [_LINK_LOCAL]
    for line in text.splitlines():
        packed, _, length, _, _, owner = line.split()
        if owner == interface:
            found.append(IPv6Network((bytes.fromhex(packed), int(length, 16)), strict=False))
    return tuple(dict.fromkeys(found))


def _opened(interface: str, index: int, host: str) -> socket.socket:
    """Receives on this interface only. Bound to a group it receives what is sent to that; to ``::``, what is sent to the
    addresses of the node. Raises OSError."""
    made = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    try:
        made.setblocking(False)
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # for the other of the two sockets
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
        made.setsockopt(socket.IPPROTO_IPV6, _IPV6_MULTICAST_ALL, 0)
        made.bind((host, RESPONDD_PORT, 0, index if host != "::" else 0))
        if host != "::":
            member = socket.inet_pton(socket.AF_INET6, host) + struct.pack("@I", index)
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, member)
    except OSError:
        made.close()
        raise
    return made

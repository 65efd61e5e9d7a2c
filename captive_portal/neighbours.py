"""IP address to hardware address on the LAN, by one request to the kernel (rtnetlink(7))."""

import asyncio
import errno
import ipaddress
import logging
import socket
import struct
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from captive_portal.callers import DISPUTED, ELSEWHERE, AddressClaims, Claims, warning
from captive_portal.senders import FrameSenders
from node.errors import NodeError
from node.netlink import NLM_F_REQUEST, SEQUENCE_MASK, attribute, find_attribute, message, messages
from node.units import MacAddress
from node.web.connections import Caller, SocketAddresses

CACHE_MS = 500
"""An address that moves to another device is resolved to it after this."""
CACHED_ADDRESSES_MAX = 4_096
ANSWER_BYTES_MAX = 16_384
NEWS_BYTES, NEWS_AT_ONCE = 262_144, 64
"""Receive buffer for notifications, in bytes; and notifications read in one turn of the loop."""

# linux/rtnetlink.h, linux/neighbour.h
_RTM_NEWNEIGH, _RTM_GETNEIGH = 28, 30
_RTNLGRP_NEIGH = 3
_NDA_DST, _NDA_LLADDR = 1, 2
_NEIGHBOUR = struct.Struct("=BxxxiHBB")
"""struct ndmsg: family, interface, state, flags, type."""
_UNUSABLE_STATES = 0x01 | 0x20 | 0x40  # incomplete, failed, noarp


class KernelNeighbours:
    """The neighbour table of one LAN interface.

    A lookup is one small exchange with the kernel (about 10 microseconds, never a dump), cached for half a
    second. `interface` may appear later or be created again: its index is looked up each time.
    """

    def __init__(self, interface: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._interface = interface
        self._clock = clock
        self._known: dict[str, tuple[float, MacAddress | None]] = {}
        self._sequence = 0
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE
        )
        self._socket.setblocking(False)
        self._socket.bind((0, 0))

    def close(self) -> None:
        self._socket.close()

    def mac_of(self, address: str, *, is_fresh: bool = False) -> MacAddress | None:
        """The hardware address of `address` in the neighbour table, at most `CACHE_MS` old, or looked up now
        if `is_fresh`; None when there is none, or `address` is not an IP address. Any host on the link can
        forge entries of this table."""
        now = self._clock()
        known = self._known.get(address)
        if known is not None and now < known[0] and not is_fresh:
            return known[1]
        mac = self._ask(address)
        if len(self._known) >= CACHED_ADDRESSES_MAX:
            self._known.clear()
        self._known[address] = (now + CACHE_MS / 1000, mac)
        return mac

    def _ask(self, address: str) -> MacAddress | None:
        try:
            index = socket.if_nametoindex(self._interface)
        except OSError:
            return None
        packed = _packed(address, index)
        if packed is None:
            return None
        self._sequence = (self._sequence + 1) & SEQUENCE_MASK
        try:
            self._socket.send(question(packed, index, self._sequence))
            while True:  # the kernel answers within the send; earlier answers are skipped
                answer = self._socket.recv(ANSWER_BYTES_MAX)
                if any(sequence == self._sequence for _, sequence, _ in messages(answer)):
                    return read_answer(answer, packed, index)
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno == errno.ENOBUFS:
                return None
            raise NodeError(
                f"the kernel's neighbour table cannot be read: {error}", "run the node with CAP_NET_ADMIN"
            ) from error


class NeighbourNews:
    """Changes of the neighbour table of one interface, from the kernel's multicast group."""

    def __init__(self, interface: str) -> None:
        self._interface = interface
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE
        )
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, NEWS_BYTES)
        self._socket.setblocking(False)
        self._socket.bind((0, 1 << (_RTNLGRP_NEIGH - 1)))

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def read(self) -> Iterator[tuple[str, MacAddress]]:
        """Up to `NEWS_AT_ONCE` pending changes: an address and the device that now holds it. Notifications
        that overflow the receive buffer are lost."""
        try:
            index = socket.if_nametoindex(self._interface)
        except OSError:
            index = 0
        for _ in range(NEWS_AT_ONCE):
            try:
                told = self._socket.recv(ANSWER_BYTES_MAX)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise NodeError(
                        f"the kernel's neighbour table cannot be followed: {error}",
                        "nothing to do: tried again",
                    ) from error
                continue
            news = read_news(told, index)
            if news is not None:
                yield news


def question(packed: bytes, index: int, sequence: int) -> bytes:
    """One RTM_GETNEIGH for one address (4 or 16 octets) on one interface."""
    family = socket.AF_INET if len(packed) == 4 else socket.AF_INET6
    body = _NEIGHBOUR.pack(family, index, 0, 0, 0) + attribute(_NDA_DST, packed)
    return message(_RTM_GETNEIGH, NLM_F_REQUEST, sequence, body)


def read_answer(answer: bytes, packed: bytes, index: int) -> MacAddress | None:
    """The hardware address in one RTM_NEWNEIGH, if it is for this address and in a usable state."""
    neighbour = _neighbour(answer)
    if neighbour is None or find_attribute(neighbour, _NDA_DST, _NEIGHBOUR.size) != packed:
        return None
    _, answered_index, state, _, _ = _NEIGHBOUR.unpack_from(neighbour)
    if answered_index != index or state & _UNUSABLE_STATES:
        return None
    hardware = find_attribute(neighbour, _NDA_LLADDR, _NEIGHBOUR.size) or b""
    return MacAddress(hardware.hex(":")) if len(hardware) == 6 and any(hardware) else None


def read_news(told: bytes, index: int) -> tuple[str, MacAddress] | None:
    """Address and device in one RTM_NEWNEIGH for the interface `index`; None when it holds no such pair."""
    packed = find_attribute(_neighbour(told) or b"", _NDA_DST, _NEIGHBOUR.size) or b""
    device = read_answer(told, packed, index) if len(packed) in {4, 16} else None
    return None if device is None else (str(ipaddress.ip_address(packed)), device)


def _neighbour(data: bytes) -> bytes | None:
    """Payload of an RTM_NEWNEIGH message; None for any other."""
    kind, _, payload = next(messages(data), (0, 0, b""))
    return payload if kind == _RTM_NEWNEIGH and len(payload) >= _NEIGHBOUR.size else None


def _packed(address: str, index: int) -> bytes | None:
    """Octets of a socket's peer address: IPv4-mapped is IPv4, a scope must be this interface."""
    bare, _, scope = address.partition("%")
    try:
        parsed = ipaddress.ip_address(bare)
        if scope and index != (int(scope) if scope.isdigit() else socket.if_nametoindex(scope)):
            return None
    except (ValueError, OSError):
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return (mapped or parsed).packed


# IPv4 address to device, from dnsmasq's lease file.

FILE_BYTES_MAX = 4_000_000
"""About 40,000 leases; a larger file is not read."""


def read_leases(text: str) -> dict[str, MacAddress]:
    """By IPv4 address, from lines of ``expiry hardware-address address name client-id`` (dnsmasq(8)). DHCPv6
    lines and clients without an Ethernet address are skipped."""
    found: dict[str, MacAddress] = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 4 and len(words[1]) == 17 and words[1].count(":") == 5 and "." in words[2]:
            found[words[2]] = MacAddress(words[1].lower())
    return found


class LeaseFile:
    """The current lease file. A missing file means no leases."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = (0, 0)
        self.holders: Mapping[str, MacAddress] = {}

    def look(self) -> None:
        """Reads the file if it changed; can take some milliseconds, so not on the event loop."""
        try:
            found = self._path.stat()
            stamp = found.st_mtime_ns, found.st_size
            if stamp == self._stamp:
                return
            self._stamp = stamp
            text = self._path.read_text("ascii", "replace") if found.st_size <= FILE_BYTES_MAX else ""
        except OSError:
            self._stamp, text = (0, 0), ""
        self.holders = read_leases(text)


# Identifies clients on the LAN from the kernel and the DHCP leases, and detects addresses that two devices
# claim.

LOOK_EVERY_S = 1.0


LOGGED_EVERY_S = 600.0


log = logging.getLogger(__name__)


class LinkCallers:
    """Implements `Callers` for one LAN interface; `run` watches leases and claims until cancelled."""

    def __init__(
        self,
        neighbours: KernelNeighbours,
        senders: FrameSenders,
        leases: LeaseFile,
        *,
        news: Callable[[], NeighbourNews],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._neighbours, self._senders, self._leases = neighbours, senders, leases
        self._news, self._clock = news, clock
        self._heard, self._claims = AddressClaims(), Claims()
        self._logged = -LOGGED_EVERY_S

    def caller(self, ends: SocketAddresses) -> Caller:
        """The neighbour table gives the device of the address; the frames must come from that device."""
        device = self._neighbours.mac_of(ends.address)
        if device is None:
            return ELSEWHERE
        sends = self._senders.sends(device, ends)
        if sends is False:
            # The address may have moved to another device a moment ago.
            device = self._neighbours.mac_of(ends.address, is_fresh=True)
            sends = device is not None and self._senders.sends(device, ends)
        if device is None or sends is None:
            return DISPUTED  # no second claim, but the sender cannot be verified
        if not sends:
            return self._disputed(ends.address)
        self._heard.add(device)
        if self._is_leased_to_another(ends.address, device):
            return self._disputed(ends.address)
        return Caller(device)

    def is_disputed(self, address: str, device: MacAddress) -> bool:
        holder = self._neighbours.mac_of(address)
        if holder in {None, device} and not self._is_leased_to_another(address, device):
            return False
        self._disputed(address)
        return True

    def warnings(self) -> tuple[str, ...]:
        told = warning(self._claims.lately(self._clock()))
        return (told,) if told else ()

    async def run(self) -> None:
        """Reads leases and neighbour notifications until cancelled."""
        loop, news = asyncio.get_running_loop(), self._news()
        loop.add_reader(news.fileno(), self._hear, news)
        try:
            while True:
                await asyncio.to_thread(self._leases.look)
                self._log()
                await asyncio.sleep(LOOK_EVERY_S)
        finally:
            loop.remove_reader(news.fileno())
            news.close()

    def close(self) -> None:
        self._neighbours.close()
        self._senders.close()

    def _is_leased_to_another(self, address: str, device: MacAddress) -> bool:
        return self._heard.is_lease_of_another(self._leases.holders.get(address), device)

    def _disputed(self, address: str) -> Caller:
        self._claims.claimed(address, self._clock())
        return DISPUTED

    def _hear(self, news: NeighbourNews) -> None:
        now = self._clock()
        for address, device in news.read():
            self._claims.seen(address, device, now)

    def _log(self) -> None:
        now = self._clock()
        told = warning(self._claims.lately(now))
        if told and now - self._logged >= LOGGED_EVERY_S:
            self._logged = now
            log.warning("%s", told)

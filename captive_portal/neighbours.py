"""IP address to hardware address on the LAN, by one request to the kernel (rtnetlink(7))."""

import errno
import ipaddress
import socket
import struct
import time
from collections.abc import Callable, Iterator

from node.errors import NodeError
from node.netlink import NLM_F_REQUEST, SEQUENCE_MASK, attribute, find_attribute, message, messages
from node.units import MacAddress

CACHE_MS = 500
"""An address that moves to another device is resolved to it after this."""
CACHED_ADDRESSES_MAX = 4_096
ANSWER_BYTES_MAX = 16_384
MONITOR_BYTES, NOTIFICATIONS_AT_ONCE = 262_144, 64
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
        mac = self._look_up(address)
        if len(self._known) >= CACHED_ADDRESSES_MAX:
            self._known.clear()
        self._known[address] = (now + CACHE_MS / 1000, mac)
        return mac

    def _look_up(self, address: str) -> MacAddress | None:
        try:
            index = socket.if_nametoindex(self._interface)
        except OSError:
            return None
        packed = _packed(address, index)
        if packed is None:
            return None
        self._sequence = (self._sequence + 1) & SEQUENCE_MASK
        try:
            self._socket.send(neighbour_request(packed, index, self._sequence))
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


class NeighbourMonitor:
    """Changes of the neighbour table of one interface, from the kernel's multicast group."""

    def __init__(self, interface: str) -> None:
        self._interface = interface
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE
        )
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, MONITOR_BYTES)
        self._socket.setblocking(False)
        self._socket.bind((0, 1 << (_RTNLGRP_NEIGH - 1)))

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def read(self) -> Iterator[tuple[str, MacAddress]]:
        """Up to `NOTIFICATIONS_AT_ONCE` pending changes: an address and the device that now holds it. Notifications
        that overflow the receive buffer are lost."""
        try:
            index = socket.if_nametoindex(self._interface)
        except OSError:
            index = 0
        for _ in range(NOTIFICATIONS_AT_ONCE):
            try:
                notification = self._socket.recv(ANSWER_BYTES_MAX)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise NodeError(
                        f"the kernel's neighbour table cannot be followed: {error}",
                        "nothing to do: tried again",
                    ) from error
                continue
            change = read_notification(notification, index)
            if change is not None:
                yield change


def neighbour_request(packed: bytes, index: int, sequence: int) -> bytes:
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


def read_notification(notification: bytes, index: int) -> tuple[str, MacAddress] | None:
    """Address and device in one RTM_NEWNEIGH for the interface `index`; None when it holds no such pair."""
    packed = find_attribute(_neighbour(notification) or b"", _NDA_DST, _NEIGHBOUR.size) or b""
    device = read_answer(notification, packed, index) if len(packed) in {4, 16} else None
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

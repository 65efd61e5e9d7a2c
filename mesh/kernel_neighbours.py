"""Addresses of hosts next to this one on the mesh interfaces, as the kernel's tables have them (rtnetlink(7)): its
neighbours, and the next hops of its routes, whichever routing daemon set them.

An address says nothing about what is there. Any host on the link can put entries into the table of neighbours.
"""

import socket
import struct
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from ipaddress import IPv6Address, ip_address

from node.netlink import (
    NLM_F_DUMP,
    NLM_F_REQUEST,
    NLMSG_DONE,
    NLMSG_ERROR,
    attribute,
    find_attribute,
    message,
    messages,
)
from node.units import MacAddress, Milliseconds, Monotonic

ANSWER_BYTES_MAX = 65_536
DUMP_BYTES_MAX = 16 * 1024 * 1024
"""Of one table: about 100,000 routes. What is behind is not read."""
ADDRESSES_MAX = 1_024
TIMEOUT_S = 5.0
REST_MS_PER_KIB = 24
"""After a read of routes, before they are read again because some changed: about 200 times what the read took."""

# linux/rtnetlink.h, linux/neighbour.h, linux/netlink.h
_RTM_NEWROUTE, _RTM_GETROUTE, _RTM_NEWNEIGH, _RTM_GETNEIGH = 24, 26, 28, 30
_RTNLGRP_LINK, _RTNLGRP_IPV4_ROUTE, _RTNLGRP_IPV6_ROUTE = 1, 7, 11
_NDA_DST, _NDA_LLADDR, _NDA_IFINDEX = 1, 2, 8
_RTA_OIF, _RTA_GATEWAY, _RTA_MULTIPATH, _RTA_VIA = 4, 5, 9, 18
_RTN_UNICAST = 1
_NEIGHBOUR = struct.Struct("=BxxxiHBB")
"""struct ndmsg: family, interface, state, flags, type."""
_ROUTE = struct.Struct("=7xBI")
"""struct rtmsg: type and flags, after family, lengths, TOS, table, protocol and scope."""
_ROUTE_ASKED = struct.Struct("=B6xBI")
"""struct rtmsg of a request: family and type."""
_NEXT_HOP = struct.Struct("=HBBi")
"""struct rtnexthop: length, flags, hops, interface."""
_VIA_FAMILY_BYTES = 2
_SOL_NETLINK, _NETLINK_ADD_MEMBERSHIP, _NETLINK_GET_STRICT_CHK = 270, 1, 12
_UNUSABLE_STATES = 0x01 | 0x20 | 0x40  # incomplete, failed, noarp


class NeighbourTables:
    """The addresses next to this host on some interfaces. Routes are read again only when the kernel says that some changed,
    and the longer that takes the more seldom: a node may have the routes of the whole Internet."""

    def __init__(self, interfaces: Collection[str]) -> None:
        self._interfaces = interfaces
        self._names: Mapping[int, str] = {}
        self._next_hops: tuple[str, ...] = ()
        self._watch: socket.socket | None = None
        """Hears of changes since the last read; None: there was none."""
        self._again_at = Monotonic(0)

    def read(self, now: Monotonic) -> tuple[str, ...]:
        """At most ADDRESSES_MAX, next hops first; those of one link with their interface, as in ``fe80::1%eth1``. Empty
        where the kernel's tables cannot be read. Takes as long as the kernel needs to list what is asked for."""
        names = dict(_indices(self._interfaces))
        if names != self._names or self._is_due(now):
            self._read_routes(names, now)
        found = dict.fromkeys(self._next_hops)
        for index in names:
            with suppress(OSError):
                answers = _dump(_RTM_GETNEIGH, _neighbours_of(index))
                _collect(found, (each for answer in answers for each in neighbours(answer)), names)
        return tuple(found)[:ADDRESSES_MAX]

    def close(self) -> None:
        if self._watch is not None:
            self._watch.close()
            self._watch = None

    def _is_due(self, now: Monotonic) -> bool:
        return self._watch is None or (now >= self._again_at and _has_news(self._watch))

    def _read_routes(self, names: Mapping[int, str], now: Monotonic) -> None:
        """Without netlink, and while it has no memory, announcements are heard, and the next look may be answered."""
        self.close()
        found, read = dict[str, None](), 0
        try:
            self._watch = _route_watch()
            for family in (socket.AF_INET, socket.AF_INET6):
                for index in names:
                    for answer in _dump(_RTM_GETROUTE, _routes_of(family, index)):
                        read += len(answer)
                        _collect(found, next_hops(answer), names)
        except OSError:
            self.close()
        self._names, self._next_hops = names, tuple(found)
        self._again_at = Monotonic(now + Milliseconds(read // 1024 * REST_MS_PER_KIB))


def neighbours(answer: bytes) -> Iterator[tuple[int, bytes]]:
    """Interface and address of the usable entries in a part of a dump of neighbours."""
    for kind, _, payload in messages(answer):
        if kind != _RTM_NEWNEIGH or len(payload) < _NEIGHBOUR.size:
            continue
        _, index, state, _, _ = _NEIGHBOUR.unpack_from(payload)
        packed = find_attribute(payload, _NDA_DST, _NEIGHBOUR.size)
        if packed is not None and not state & _UNUSABLE_STATES:
            yield index, packed


def hardware_addresses(interfaces: Collection[str]) -> dict[str, MacAddress]:
    """Of the neighbours on these interfaces, by IP address, written as `NeighbourTables.read` does. Empty where the kernel's
    table cannot be read."""
    names, found = dict(_indices(interfaces)), dict[str, MacAddress]()
    for index, name in names.items():
        with suppress(OSError):
            for answer in _dump(_RTM_GETNEIGH, _neighbours_of(index)):
                found |= _hardware_addresses(answer, index, name)
    return found


def _hardware_addresses(answer: bytes, wanted: int, name: str) -> Iterator[tuple[str, MacAddress]]:
    for kind, _, payload in messages(answer):
        if kind != _RTM_NEWNEIGH or len(payload) < _NEIGHBOUR.size:
            continue
        _, index, state, _, _ = _NEIGHBOUR.unpack_from(payload)
        packed, hardware = (
            find_attribute(payload, each, _NEIGHBOUR.size) or b"" for each in (_NDA_DST, _NDA_LLADDR)
        )
        address = _written(packed, name)
        if index == wanted and address is not None and len(hardware) == 6 and not state & _UNUSABLE_STATES:
            yield address, MacAddress(hardware.hex(":"))


def next_hops(answer: bytes) -> Iterator[tuple[int, bytes]]:
    """Interface and address of each next hop in a part of a dump of routes."""
    for kind, _, payload in messages(answer):
        if (
            kind != _RTM_NEWROUTE
            or len(payload) < _ROUTE.size
            or _ROUTE.unpack_from(payload)[0] != _RTN_UNICAST
        ):
            continue
        attributes = payload[_ROUTE.size :]
        index = find_attribute(attributes, _RTA_OIF)
        if index is not None and len(index) == 4:
            yield from _gateway(int.from_bytes(index, sys.byteorder), attributes)
        yield from _of_several(find_attribute(attributes, _RTA_MULTIPATH) or b"")


def _of_several(hops: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + _NEXT_HOP.size <= len(hops):
        length, _, _, index = _NEXT_HOP.unpack_from(hops, at)
        yield from _gateway(index, hops[at + _NEXT_HOP.size : at + length])
        at += max(_NEXT_HOP.size, (length + 3) & ~3)


def _gateway(index: int, attributes: bytes) -> Iterator[tuple[int, bytes]]:
    via = find_attribute(attributes, _RTA_VIA)
    packed = via[_VIA_FAMILY_BYTES:] if via is not None else find_attribute(attributes, _RTA_GATEWAY)
    if packed is not None:
        yield index, packed


def _written(packed: bytes, interface: str) -> str | None:
    """None for what is no address of one host."""
    if len(packed) not in {4, 16}:
        return None
    address = ip_address(packed)
    if address.is_multicast or address.is_unspecified or address.is_loopback:
        return None
    is_of_link = isinstance(address, IPv6Address) and address.is_link_local
    return f"{address}%{interface}" if is_of_link else str(address)


def _indices(interfaces: Collection[str]) -> Iterator[tuple[int, str]]:
    for name in interfaces:
        try:
            yield socket.if_nametoindex(name), name
        except OSError:
            continue  # it may appear later


def _collect(found: dict[str, None], pairs: Iterator[tuple[int, bytes]], names: Mapping[int, str]) -> None:
    for index, packed in pairs:
        if index in names and len(found) < ADDRESSES_MAX:
            address = _written(packed, names[index])
            if address is not None:
                found[address] = None


def _routes_of(family: int, index: int) -> bytes:
    """Of one interface; to kernels before 4.20, all."""
    return _ROUTE_ASKED.pack(family, _RTN_UNICAST, 0) + attribute(_RTA_OIF, _native(index))


def _neighbours_of(index: int) -> bytes:
    return bytes(_NEIGHBOUR.size) + attribute(_NDA_IFINDEX, _native(index))


def _native(number: int) -> bytes:
    return number.to_bytes(4, sys.byteorder)


def _dump(kind: int, request: bytes) -> Iterator[bytes]:
    """The parts of the kernel's answer. Raises OSError."""
    with _netlink() as asked:
        with suppress(OSError):  # a kernel before 4.20 lists everything
            asked.setsockopt(_SOL_NETLINK, _NETLINK_GET_STRICT_CHK, 1)
        asked.send(message(kind, NLM_F_REQUEST | NLM_F_DUMP, 1, request))
        read = 0
        while read < DUMP_BYTES_MAX:
            answer = asked.recv(ANSWER_BYTES_MAX)
            read += len(answer)
            yield answer
            if any(each in (NLMSG_DONE, NLMSG_ERROR) for each in _kinds(answer)):
                return


def _route_watch() -> socket.socket:
    """Nothing is read from it: that something could be says that routes changed. What does not fit is dropped."""
    watch = _netlink()
    watch.setblocking(False)
    try:
        watch.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)  # the least that the kernel gives
        # A link that goes down takes its IPv4 routes along, and the kernel says so of the link only.
        for group in (_RTNLGRP_LINK, _RTNLGRP_IPV4_ROUTE, _RTNLGRP_IPV6_ROUTE):
            watch.setsockopt(_SOL_NETLINK, _NETLINK_ADD_MEMBERSHIP, group)
    except OSError:
        watch.close()
        raise
    return watch


def _has_news(watch: socket.socket) -> bool:
    try:
        return bool(watch.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False
    except OSError:
        return True  # more than there was room for


def _netlink() -> socket.socket:
    made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
    try:
        made.settimeout(TIMEOUT_S)
        made.bind((0, 0))
    except OSError:
        made.close()
        raise
    return made


def _kinds(answer: bytes) -> Iterator[int]:
    return (kind for kind, _, _ in messages(answer))

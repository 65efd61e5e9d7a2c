"""Addresses of hosts next to this one on the mesh interfaces, as the kernel's tables have them (rtnetlink(7)): its
neighbours, and the next hops of its routes, whichever routing daemon set them.

An address says nothing about what is there. Any host on the link can put entries into the table of neighbours.
"""

import socket
import struct
import sys
from collections.abc import Collection, Iterator
from ipaddress import IPv6Address, ip_address

from node.netlink import NLM_F_DUMP, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR, find_attribute, message, messages

ANSWER_BYTES_MAX = 65_536
DUMP_BYTES_MAX = 16 * 1024 * 1024
"""Of one table: about 100,000 routes. What is behind is not read."""
ADDRESSES_MAX = 1_024
TIMEOUT_S = 5.0

# linux/rtnetlink.h, linux/neighbour.h
_RTM_NEWROUTE, _RTM_GETROUTE, _RTM_NEWNEIGH, _RTM_GETNEIGH = 24, 26, 28, 30
_NDA_DST = 1
_RTA_OIF, _RTA_GATEWAY, _RTA_MULTIPATH, _RTA_VIA = 4, 5, 9, 18
_RTN_UNICAST = 1
_NEIGHBOUR = struct.Struct("=BxxxiHBB")
"""struct ndmsg: family, interface, state, flags, type."""
_ROUTE = struct.Struct("=7xBI")
"""struct rtmsg: type and flags, after family, lengths, TOS, table, protocol and scope."""
_NEXT_HOP = struct.Struct("=HBBi")
"""struct rtnexthop: length, flags, hops, interface."""
_VIA_FAMILY_BYTES = 2
_UNUSABLE_STATES = 0x01 | 0x20 | 0x40  # incomplete, failed, noarp


def neighbour_addresses(interfaces: Collection[str]) -> tuple[str, ...]:
    """At most ADDRESSES_MAX, next hops first; those of one link with their interface, as in ``fe80::1%eth1``. Empty where
    the kernel's tables cannot be read. Takes as long as the kernel needs to list its routes."""
    names = dict(_indices(interfaces))
    found: dict[str, None] = {}
    for kind, read in ((_RTM_GETROUTE, next_hops), (_RTM_GETNEIGH, neighbours)):
        for answer in _dump(kind):
            for index, packed in read(answer):
                address = _written(packed, names[index]) if index in names else None
                if address is not None:
                    found[address] = None
            if len(found) >= ADDRESSES_MAX:
                break
    return tuple(found)[:ADDRESSES_MAX]


def neighbours(answer: bytes) -> Iterator[tuple[int, bytes]]:
    """Interface and address of the usable entries in a part of a dump of neighbours."""
    for kind, _, payload in messages(answer):
        if kind != _RTM_NEWNEIGH or len(payload) < _NEIGHBOUR.size:
            continue
        _, index, state, _, _ = _NEIGHBOUR.unpack_from(payload)
        packed = find_attribute(payload, _NDA_DST, _NEIGHBOUR.size)
        if packed is not None and not state & _UNUSABLE_STATES:
            yield index, packed


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


def _dump(kind: int) -> Iterator[bytes]:
    """The parts of the kernel's answer, of both families."""
    try:
        with socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE
        ) as asked:
            asked.settimeout(TIMEOUT_S)
            asked.bind((0, 0))
            # The header of the request is that of the answers, all zero; the family 0 stands for all.
            size = _ROUTE.size if kind == _RTM_GETROUTE else _NEIGHBOUR.size
            asked.send(message(kind, NLM_F_REQUEST | NLM_F_DUMP, 1, bytes(size)))
            read = 0
            while read < DUMP_BYTES_MAX:
                answer = asked.recv(ANSWER_BYTES_MAX)
                read += len(answer)
                yield answer
                if any(each in (NLMSG_DONE, NLMSG_ERROR) for each, _, _ in messages(answer)):
                    return
    except OSError:
        return  # without netlink, and while it has no memory: announcements are heard, and the next look may be answered

"""An interface in the kernel's tables below ``/proc/net`` (proc(5)): the next hops of its default routes, and what passed
it. Pure."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

_ANYWHERE4, _ANYWHERE6, _NO_NEXT_HOP6 = "00000000", "0" * 32, "0" * 32


def next_hops(route: str, ipv6_route: str, interface: str) -> tuple[IPv4Address | IPv6Address, ...]:
    """From the text of ``/proc/net/route`` and ``/proc/net/ipv6_route``; IPv4 first, and none twice. A link-local address
    has the interface as its scope."""
    return tuple(dict.fromkeys([*_ipv4(route, interface), *_ipv6(ipv6_route, interface)]))


def _ipv4(table: str, interface: str) -> Iterator[IPv4Address]:
    for row in map(str.split, table.splitlines()[1:]):
        if len(row) > 2 and row[:2] == [interface, _ANYWHERE4] and row[2] != _ANYWHERE4:
            yield IPv4Address(bytes.fromhex(row[2])[::-1])


def _ipv6(table: str, interface: str) -> Iterator[IPv6Address]:
    for row in map(str.split, table.splitlines()):
        is_default = len(row) == 10 and row[:2] == [_ANYWHERE6, "00"] and row[9] == interface
        if is_default and row[4] != _NO_NEXT_HOP6:
            address = IPv6Address(bytes.fromhex(row[4]))
            yield IPv6Address(f"{address}%{interface}") if address.is_link_local else address


def octets_of(dev: str, interface: str) -> tuple[int, int] | None:
    """Received and sent, from the text of ``/proc/net/dev``; None when there is no such interface."""
    for line in dev.splitlines():
        name, _, numbers = line.partition(":")
        fields = numbers.split()
        if name.strip() == interface and len(fields) > 8 and fields[0].isdecimal() and fields[8].isdecimal():
            return int(fields[0]), int(fields[8])
    return None

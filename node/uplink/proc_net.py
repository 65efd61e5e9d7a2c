"""The kernel's tables below ``/proc/net`` (proc(5)): default routes with their next hops, and what passed an interface.
Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

_ANYWHERE4, _ANYWHERE6, _NO_NEXT_HOP6 = "00000000", "0" * 32, "0" * 32


@dataclass(frozen=True, slots=True)
class DefaultRoute:
    interface: str
    next_hop: IPv4Address | IPv6Address | None
    """A link-local address has the interface as its scope. None on a line with two ends, such as PPP."""


def default_routes(route: str, ipv6_route: str) -> tuple[DefaultRoute, ...]:
    """From the text of ``/proc/net/route`` and ``/proc/net/ipv6_route``, IPv4 first, each in the kernel's order."""
    return (*_ipv4(route), *_ipv6(ipv6_route))


def next_hops(route: str, ipv6_route: str, interface: str) -> tuple[IPv4Address | IPv6Address, ...]:
    """Of the default routes through one interface, none twice."""
    routes = default_routes(route, ipv6_route)
    found = [each.next_hop for each in routes if each.interface == interface and each.next_hop is not None]
    return tuple(dict.fromkeys(found))


def _ipv4(table: str) -> Iterator[DefaultRoute]:
    for row in map(str.split, table.splitlines()[1:]):
        if len(row) > 2 and row[1] == _ANYWHERE4:
            is_direct = row[2] == _ANYWHERE4
            yield DefaultRoute(row[0], None if is_direct else IPv4Address(bytes.fromhex(row[2])[::-1]))


def _ipv6(table: str) -> Iterator[DefaultRoute]:
    for row in map(str.split, table.splitlines()):
        # The loopback interface has an entry for what cannot be reached.
        if len(row) != 10 or row[:2] != [_ANYWHERE6, "00"] or row[9] == "lo":
            continue
        address = None if row[4] == _NO_NEXT_HOP6 else IPv6Address(bytes.fromhex(row[4]))
        if address is not None and address.is_link_local:
            address = IPv6Address(f"{address}%{row[9]}")
        yield DefaultRoute(row[9], address)


def octets_of(dev: str, interface: str) -> tuple[int, int] | None:
    """Received and sent, from the text of ``/proc/net/dev``; None when there is no such interface."""
    for line in dev.splitlines():
        name, _, numbers = line.partition(":")
        fields = numbers.split()
        if name.strip() == interface and len(fields) > 8 and fields[0].isdecimal() and fields[8].isdecimal():
            return int(fields[0]), int(fields[8])
    return None

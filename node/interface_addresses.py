"""Addresses of this machine on its mesh links, as the kernel has them now."""

from collections.abc import Collection
from ipaddress import IPv6Address
from pathlib import Path

from mesh.announcement import Address

ADDRESSES = Path("/proc/net/if_inet6")


def mesh_addresses(interfaces: Collection[str], port: int) -> tuple[Address, ...]:
    """IPv6 addresses on these interfaces: a neighbour there needs no other. Empty where the kernel has no IPv6."""
    try:
        lines = ADDRESSES.read_text().splitlines()
    except OSError:
        lines = []
    found = []
    for line in lines:
        raw, *_, name = line.split()
        if name in interfaces:
            found.append(Address(str(IPv6Address(bytes.fromhex(raw))), port))
    return tuple(found)

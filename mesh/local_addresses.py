"""The addresses of this host's mesh interfaces, as the kernel has them now."""

import fcntl
import socket
import struct
from collections.abc import Collection
from ipaddress import IPv6Address
from pathlib import Path

_IF_INET6 = Path("/proc/thread-self/net/if_inet6")
_GLOBAL_SCOPE, _TENTATIVE_DEPRECATED_OR_FAILED = 0x00, 0x40 | 0x20 | 0x08
_SIOCGIFADDR = 0x8915


def local_addresses(interfaces: Collection[str]) -> tuple[str, ...]:
    """IPv4 addresses first, then IPv6 addresses that are valid beyond their link; empty where the kernel has none."""
    beyond = sorted(address for address, scope in _addresses6(interfaces) if scope == _GLOBAL_SCOPE)
    return (*_addresses4(interfaces), *beyond)


def link_addresses(interfaces: Collection[str]) -> tuple[str, ...]:
    """IPv6 addresses, those that are valid on their link only among them; empty where the kernel has none."""
    return tuple(address for address, _ in _addresses6(interfaces))


def _addresses4(interfaces: Collection[str]) -> list[str]:
    found = []
    try:
        any_socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    except OSError:
        return []  # out of file descriptors: with the next look
    with any_socket:
        for name in interfaces:
            try:
                answer = fcntl.ioctl(any_socket, _SIOCGIFADDR, struct.pack("16s16x", name.encode()[:15]))
            except OSError:
                continue  # it is missing, or has no IPv4 address
            found.append(socket.inet_ntop(socket.AF_INET, answer[20:24]))
    return found


def _addresses6(interfaces: Collection[str]) -> list[tuple[str, int]]:
    """Each with its scope."""
    try:
        lines = _IF_INET6.read_text().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        packed, _, _, scope, flags, owner = line.split()
        if owner in interfaces and not int(flags, 16) & _TENTATIVE_DEPRECATED_OR_FAILED:
            found.append((str(IPv6Address(bytes.fromhex(packed))), int(scope, 16)))
    return found

"""The network interfaces of this machine, and its addresses on mesh links, as the kernel has them now."""

import socket
from collections.abc import Collection
from ipaddress import IPv6Address
from pathlib import Path

from mesh.announcement import Address
from node.config import NodeConfig
from node.errors import NodeError

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


def find_interfaces(config: NodeConfig) -> None:
    """Raises NodeError that names every missing interface; called before the kernel is changed."""
    here = {name for _, name in socket.if_nameindex()}
    wanted = (config.lan.interface, config.uplink.interface, *config.mesh.interfaces)
    missing = [name for name in dict.fromkeys(wanted) if name not in here]
    if missing:
        raise NodeError(
            f"there is no interface {' and no '.join(missing)}",
            "correct node.toml, or plug the interface in; 'ip link' lists them",
        )

"""The network interfaces of this machine, and its addresses on mesh links, as the kernel has them now."""

import socket
from collections.abc import Collection

from mesh.announcement import Address
from mesh.local_addresses import link_addresses
from node.config import NodeConfig
from node.errors import NodeError


def mesh_addresses(interfaces: Collection[str], port: int) -> tuple[Address, ...]:
    """IPv6 addresses on these interfaces: a neighbour there needs no other. Empty where the kernel has no IPv6."""
    return tuple(Address(host, port) for host in link_addresses(interfaces))


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

"""Addresses on which nodes listen: a numeric IP address, with its interface if it is link-local, and a port."""

from dataclasses import dataclass

from node.units import NodeId


@dataclass(frozen=True, slots=True)
class Address:
    """A numeric address and a TCP port; a link-local address names its interface, as in ``fe80::1%eth0``."""

    host: str
    port: int

    @property
    def is_v6(self) -> bool:
        return ":" in self.host

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if self.is_v6 else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class ConfiguredPeer:
    """A node named in the configuration, for nodes whose announcements do not reach this one."""

    address: Address
    node: NodeId | None = None
    """The node expected there; None for any."""

"""Addresses on which nodes listen: a numeric IP address, with its interface if it is link-local, and a port."""

import ipaddress
import re
from dataclasses import dataclass

from node.units import NodeId

_BRACKETED = re.compile(r"\[([^\]]{2,64})\]:([0-9]{1,5})")
_PLAIN = re.compile(r"([0-9.]{7,15}):([0-9]{1,5})")
_SCOPE = re.compile(r"[A-Za-z0-9_.@-]{1,15}")


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


def parse_address(text: str) -> Address:
    """``[2001:db8::1]:7400``, ``[fe80::1%mesh0]:7400`` or ``10.1.2.3:7400``. Raises ValueError."""
    match = _BRACKETED.fullmatch(text) or _PLAIN.fullmatch(text)
    wanted = 'write an address and a port, such as "[fe80::1%mesh0]:7400" or "10.1.2.3:7400"'
    if match is None or not 0 < int(match[2]) < 65536:
        raise ValueError(f"{text!r} is not the address of a node; {wanted}")
    host, percent, scope = match[1].partition("%")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise ValueError(f"{text!r} is not the address of a node; {wanted}") from None
    if percent and not _SCOPE.fullmatch(scope):
        raise ValueError(f"{text!r} names no link after the %; {wanted}")
    if address.is_link_local and address.version == 6 and not percent:
        raise ValueError(f"{text!r} needs its link; {wanted}")
    return Address(f"{address}{percent}{scope}", int(match[2]))

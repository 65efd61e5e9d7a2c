"""Which addresses a node page may name, and which of those that it names are called.

A page is signed by its author, but what it says is not proven: an address leads to a host that may be no node at all.
"""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from mesh.announcement import Address

PORT_MIN = 1_024
"""Lower ports are those of other services."""
_EUI64_AT, _EUI64 = 11, b"\xff\xfe"
_BROADCAST_OCTET = 255
_TRANSLATED = IPv6Network("64:ff9b::/96")


def is_callable(address: Address) -> bool:
    """Whether one host beyond this link may have this address: not this host, not a group, not one that means another on
    each link."""
    try:
        host = ip_address(address.host)
    except ValueError:
        return False
    if not PORT_MIN <= address.port <= 65_535:
        return False
    if host.is_loopback or host.is_multicast or host.is_link_local or host.is_unspecified or host.is_reserved:
        return False
    return _is_plain_v4(host) if isinstance(host, IPv4Address) else _is_plain_v6(host)


def holds_hardware_address(address: Address) -> bool:
    """Whether the address was made from that of the network device (RFC 4291, EUI-64)."""
    host = ip_address(address.host)
    return isinstance(host, IPv6Address) and host.packed[_EUI64_AT : _EUI64_AT + 2] == _EUI64


def _is_plain_v4(host: IPv4Address) -> bool:
    """Not of this network (0.0.0.0/8), and not one that is commonly a broadcast address."""
    return host.packed[0] != 0 and host.packed[-1] != _BROADCAST_OCTET


def _is_plain_v6(host: IPv6Address) -> bool:
    """Not one that stands for an IPv4 address, which the checks would not see."""
    return not (host.ipv4_mapped or host.sixtofour or host.teredo or host in _TRANSLATED or host.scope_id)

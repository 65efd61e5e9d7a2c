"""Clients that are known by nothing but their address are told apart by it."""

import ipaddress


def client_network(address: str) -> str:
    """An IPv4 address, or the /64 of an IPv6 address, of which one household may hold every address. A link-local
    address stands for itself: its /64 is everybody's on the link. One that is mapped (RFC 4291, section 2.5.5.2) counts as
    IPv4; a scope is passed over. Raises ValueError for what is no address."""
    bare = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(bare, ipaddress.IPv6Address):
        bare = bare.ipv4_mapped or bare  # first: Python 3.13 calls ::ffff:169.254.0.1 link-local too
    if isinstance(bare, ipaddress.IPv4Address) or bare.is_link_local:
        return str(bare)
    return str(ipaddress.ip_network((int(bare) >> 64 << 64, 64)))

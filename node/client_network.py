"""Groups clients by network address, for limits that apply to clients known only by their address."""

import ipaddress


def client_network(address: str) -> str:
    """An IPv4 address, or the /64 of an IPv6 address, because one household may use every address of a /64. A
    link-local address stands for itself: its /64 is shared by all on the link. An IPv4-mapped address (RFC 4291,
    section 2.5.5.2) counts as IPv4; a scope is ignored. Raises ValueError for a text that is not an address."""
    bare = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(bare, ipaddress.IPv6Address):
        bare = bare.ipv4_mapped or bare  # first: Python 3.13 calls ::ffff:169.254.0.1 link-local too
    if isinstance(bare, ipaddress.IPv4Address) or bare.is_link_local:
        return str(bare)
    return str(ipaddress.ip_network((int(bare) >> 64 << 64, 64)))

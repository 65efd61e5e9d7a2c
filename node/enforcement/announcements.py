"""nftables limits for multicast DNS announcements (RFC 6762) of devices to the node.

The node parses each packet in Python, a few milliseconds for a full one, and stores every record in it.
"""

PER_SECOND, AT_ONCE = 20, 40
"""Packets per second of all devices together, and burst."""
OF_ONE_PER_SECOND, OF_ONE_AT_ONCE = 5, 20
"""Of one hardware address, so that one device cannot block the announcements of others."""
OCTETS_MAX = 1_500
"""The size of one IP packet; larger ones are fragmented, and no service needs them."""


def sets(table: str) -> str:
    return (
        f"add set {table} announcers {{ type ether_addr; size 65535; flags dynamic,timeout; timeout 1m; }}\n"
    )


def rules() -> tuple[str, ...]:
    """Announcements use port 5353 on both sides (section 11), multicast or unicast. Other packets to that port are
    read too, so they are limited before the rules for admitted devices accept them."""
    return (
        f"udp dport 5353 meta length > {OCTETS_MAX} drop",
        f"udp dport 5353 add @announcers {{ ether saddr limit rate over {OF_ONE_PER_SECOND}/second "
        f"burst {OF_ONE_AT_ONCE} packets }} drop",
        f"udp dport 5353 limit rate over {PER_SECOND}/second burst {AT_ONCE} packets drop",
        "udp sport 5353 udp dport 5353 accept",
    )

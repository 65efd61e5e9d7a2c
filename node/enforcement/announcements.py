"""What devices announce by multicast DNS (RFC 6762) and the node listens to, as nftables rules.

The node reads each packet in Python, some milliseconds for a full one, and remembers every record in it.
"""

PER_SECOND, AT_ONCE = 20, 40
"""Packets of all devices together."""
OF_ONE_PER_SECOND, OF_ONE_AT_ONCE = 5, 20
"""Of one hardware address, so that one machine does not keep others from being heard."""
OCTETS_MAX = 1_500
"""An IP packet; longer ones come in pieces, and no service needs them."""


def sets(table: str) -> str:
    return (
        f"add set {table} announcers {{ type ether_addr; size 65535; flags dynamic,timeout; timeout 1m; }}\n"
    )


def rules() -> tuple[str, ...]:
    """Announcements come from and go to port 5353 (section 11), by multicast or straight to the asker. Whatever else
    comes there is read as well, and so limited before the rules for admitted devices accept it."""
    return (
        f"udp dport 5353 meta length > {OCTETS_MAX} drop",
        f"udp dport 5353 add @announcers {{ ether saddr limit rate over {OF_ONE_PER_SECOND}/second "
        f"burst {OF_ONE_AT_ONCE} packets }} drop",
        f"udp dport 5353 limit rate over {PER_SECOND}/second burst {AT_ONCE} packets drop",
        "udp sport 5353 udp dport 5353 accept",
    )

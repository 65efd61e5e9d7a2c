"""nftables limits for ARP, neighbour discovery and DHCP: what a device sends to find the node and to get an address.

Each of these packets creates an entry in the kernel's neighbour table, or a dnsmasq lease, for an address that can be
invented. The kernel removes an entry older than five seconds when it needs space (neigh_forced_gc in
net/core/neighbour.c). When all are younger, new devices get no entry and devices whose entry was removed are not found
again. So the rates are low enough that five seconds of them never fill the table (`NEIGHBOURS_MAX`). Packets over the
limit are dropped: these protocols have no refusal.
"""

from collections.abc import Iterable

NEIGHBOURS_MAX = 65_536
"""Entries in the neighbour table of each family; 0.5 kB each, allocated only when used."""
OF_ONE_PER_SECOND, OF_ONE_AT_ONCE = 20, 64
"""Requests per second of one hardware address, and burst; a Wi-Fi repeater sends those of all devices behind it."""
TOGETHER_PER_SECOND = 2_000
"""Of all devices without a recent request together; the burst is the same number."""
DHCP_OF_ONE_PER_SECOND, DHCP_OF_ONE_AT_ONCE = 5, 20
DHCP_TOGETHER_PER_SECOND, DHCP_TOGETHER_AT_ONCE = 1_000, 2_000
LEASES_OF_MEMBER_PER_MINUTE, LEASES_OF_MEMBER_AT_ONCE = 10, 30
"""Of one admitted device: a Wi-Fi repeater requests for all devices behind it, and a device can use invented
addresses."""
LEASES_PER_SECOND, LEASES_AT_ONCE = 10, 500
"""Leases taken by all unauthorized devices together. For each one dnsmasq, which also answers DNS, rewrites its whole
lease file (0.75 microseconds per existing lease) and waits for the disk. At this rate it has at most 36,000 leases of
one hour, and spends at most a third of its time on them."""
HEARD_MINUTES = 10
ARP_TABLE = "arp procomu"
_DEVICES = "type ether_addr; size 65535; flags dynamic,timeout;"
# The message type, the first option of every client (RFC 2132 section 9.6), after the UDP header, 236 octets of BOOTP
# and the magic cookie.
_DHCP_REQUEST = "udp dport 67 @th,1984,24 0x350103"
_TOGETHER = f"limit rate over {TOGETHER_PER_SECOND}/second burst {TOGETHER_PER_SECOND} packets drop"
_OF_ONE = f"limit rate over {OF_ONE_PER_SECOND}/second burst {OF_ONE_AT_ONCE} packets"


def sets(table: str) -> str:
    return "".join(
        f"add set {table} {name} {{ {_DEVICES} timeout {timeout}; }}\n"
        for name, timeout in (("address_askers", "1m"), ("solicitors", "1m"), ("lease_takers", "5m"))
    )


def chains() -> dict[str, tuple[str, ...]]:
    """``addressing`` for DHCP; ``soliciting`` for IPv6 neighbour and router solicitations, which returns unless it
    drops."""
    return {
        "addressing": (
            f"add @address_askers {{ ether saddr limit rate over {DHCP_OF_ONE_PER_SECOND}/second "
            f"burst {DHCP_OF_ONE_AT_ONCE} packets }} drop",
            f"{_DHCP_REQUEST} ether saddr @members add @lease_takers {{ ether saddr "
            f"limit rate over {LEASES_OF_MEMBER_PER_MINUTE}/minute burst {LEASES_OF_MEMBER_AT_ONCE} packets }} drop",
            "ether saddr @members accept",
            f"limit rate over {DHCP_TOGETHER_PER_SECOND}/second burst {DHCP_TOGETHER_AT_ONCE} packets drop",
            f"{_DHCP_REQUEST} limit rate over {LEASES_PER_SECOND}/second burst {LEASES_AT_ONCE} packets drop",
            "accept",
        ),
        "soliciting": (
            f"add @solicitors {{ ether saddr {_OF_ONE} }} drop",
            "ether saddr @members return",
            _TOGETHER,
        ),
    }


def rules() -> Iterable[str]:
    """Rules for the chain of packets from the LAN to the node that lead to both chains."""
    yield "udp dport { 67, 547 } goto addressing"
    yield "icmpv6 type { nd-neighbor-solicit, nd-router-solicit } jump soliciting"


def arp_table(lan: str) -> str:
    """A separate table, because ARP is a family of its own. A device heard within the last minutes is not held up by
    the limit for new ones."""
    asks = f'iifname "{lan}" arp operation request'
    lines = [
        f"add table {ARP_TABLE}",
        f"add set {ARP_TABLE} askers {{ {_DEVICES} timeout 1m; }}",
        f"add set {ARP_TABLE} heard {{ {_DEVICES} timeout {HEARD_MINUTES}m; }}",
        f"add chain {ARP_TABLE} input {{ type filter hook input priority filter; policy accept; }}",
        f"flush chain {ARP_TABLE} input",
        f"add rule {ARP_TABLE} input {asks} add @askers {{ arp saddr ether {_OF_ONE} }} drop",
        f"add rule {ARP_TABLE} input {asks} arp saddr ether @heard update @heard {{ arp saddr ether }} accept",
        f"add rule {ARP_TABLE} input {asks} {_TOGETHER}",
        f"add rule {ARP_TABLE} input {asks} add @heard {{ arp saddr ether }} accept",
    ]
    return "".join(f"{line}\n" for line in lines)


def remove_arp_table() -> str:
    return f"add table {ARP_TABLE}\ndelete table {ARP_TABLE}\n"

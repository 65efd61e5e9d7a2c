"""What a device sends to find the node and to get an address (ARP, neighbour discovery, DHCP), as nftables rules.

Each of these makes the kernel keep an entry of its neighbour table, or dnsmasq a lease, for an address that costs
nothing. The kernel takes an entry away again when it is five seconds old and room is needed; when all are younger,
nobody who is new gets one, and nobody whose entry went is found again. So the rates are such that five seconds of
them never fill the table (`NEIGHBOURS_MAX`). What is over them is dropped: there is no way to refuse it.
"""

from collections.abc import Iterable

NEIGHBOURS_MAX = 65_536
"""Entries of each family's neighbour table; 0.5 kB each, only while they are used."""
ENTRY_AGE_S = 5
"""The kernel collects no younger entry (net/core/neighbour.c, neigh_forced_gc)."""
OF_ONE_PER_SECOND, OF_ONE_AT_ONCE = 20, 64
"""Requests of one hardware address; a Wi-Fi repeater asks for all the devices behind it."""
TOGETHER_PER_SECOND = 2_000
"""Of all devices that were not heard of before; as many at once besides."""
DHCP_OF_ONE_PER_SECOND, DHCP_OF_ONE_AT_ONCE = 5, 20
DHCP_TOGETHER_PER_SECOND, DHCP_TOGETHER_AT_ONCE = 1_000, 2_000
LEASES_OF_MEMBER_PER_MINUTE, LEASES_OF_MEMBER_AT_ONCE = 10, 30
"""Of one admitted device: a Wi-Fi repeater asks for all the devices behind it, and anybody can ask in invented names."""
LEASES_PER_SECOND, LEASES_AT_ONCE = 10, 500
"""Leases taken by all that are not admitted. With each one dnsmasq, which answers names too, writes its whole file
again, 0.75 microseconds for each lease that there is, and waits for the disk. At this rate it never has more than
36,000, an hour each, and spends a third of its time on them at most."""
HEARD_MINUTES = 10
ARP_TABLE = "arp procomu"
_DEVICES = "type ether_addr; size 65535; flags dynamic,timeout;"
# The message type, which every client sends as the first option (RFC 2132 section 9.6), behind the UDP header, the
# 236 octets of BOOTP and the cookie.
_DHCP_REQUEST = "udp dport 67 @th,1984,24 0x350103"
_TOGETHER = f"limit rate over {TOGETHER_PER_SECOND}/second burst {TOGETHER_PER_SECOND} packets drop"
_OF_ONE = f"limit rate over {OF_ONE_PER_SECOND}/second burst {OF_ONE_AT_ONCE} packets"


def sets(table: str) -> str:
    return "".join(
        f"add set {table} {name} {{ {_DEVICES} timeout {timeout}; }}\n"
        for name, timeout in (("address_askers", "1m"), ("solicitors", "1m"), ("lease_takers", "5m"))
    )


def chains() -> dict[str, tuple[str, ...]]:
    """``addressing`` for DHCP, ``soliciting`` for what asks for neighbours and routers by IPv6, which returns what it
    does not drop."""
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
    """Where both come from, in the chain for what people's devices send to the node."""
    yield "udp dport { 67, 547 } goto addressing"
    yield "icmpv6 type { nd-neighbor-solicit, nd-router-solicit } jump soliciting"


def arp_table(lan: str) -> str:
    """A table of its own: ARP is in no other family's. A device that was heard of within some minutes is not held up
    by those that are new."""
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

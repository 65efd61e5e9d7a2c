"""Detects servers on the LAN that are not ours and answer devices: a second DHCP server, another router.

A home router connected by the wrong port hands out its own addresses, and its devices bypass the portal and the
limits. nftables records the senders of such answers, by hardware and IP address, in two small sets: no program
listens, and malformed frames have no effect. Our own broadcasts are seen too, as looped-back packets, and are
ignored; those of another machine with our address are not.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from node.units import MacAddress

KNOWN_MAX = 64
"""Per kind. A device that forges more senders only fills this set; the warning appears in any case."""
REMEMBERED_S = 1_800
_NOT_OURS = "meta pkttype != 5"
"""PACKET_LOOPBACK in linux/if_packet.h."""
DHCP, ROUTERS = "foreign_dhcp", "foreign_routers"

Kind = Literal["dhcp", "router"]


@dataclass(frozen=True, slots=True, order=True)
class ForeignServer:
    """A machine that answers as only the node should."""

    kind: Kind
    mac: MacAddress
    address: str
    seconds_ago: int
    """Since the last answer that the node received."""


def sets(table: str) -> str:
    of = f"size {KNOWN_MAX}; flags dynamic,timeout; timeout {REMEMBERED_S}s;"
    return (
        f"add set {table} {DHCP} {{ type ether_addr . ipv4_addr; {of} }}\n"
        f"add set {table} {ROUTERS} {{ type ether_addr . ipv6_addr; {of} }}\n"
    )


def first_packets() -> str:
    """For first packets from the LAN, before any other rule: a broadcast answer of a DHCP server (RFC 2131 section
    4.1), for any network."""
    return f"udp sport 67 udp dport 68 {_NOT_OURS} update @{DHCP} {{ ether saddr . ip saddr }}"


def incoming() -> str:
    """For packets from the LAN to the node: the advertisement of a default router (RFC 4861 section 4.2)."""
    return (
        f"icmpv6 type nd-router-advert ip6 hoplimit 255 @th,48,16 != 0 {_NOT_OURS} "
        f"update @{ROUTERS} {{ ether saddr . ip6 saddr }}"
    )


def listed(kind: Kind, listing: str) -> Iterable[ForeignServer]:
    """Parse nft's JSON listing of one of the sets."""
    for item in json.loads(listing)["nftables"]:
        for element in item.get("set", {}).get("elem", ()):
            mac, address = element["elem"]["val"]["concat"]
            ago = max(0, REMEMBERED_S - int(element["elem"]["expires"]))
            yield ForeignServer(kind, MacAddress(mac), address, ago)

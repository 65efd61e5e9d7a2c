"""Servers on the people's side that are not ours and answer devices: a second DHCP server, another router.

A router plugged in by the wrong port hands out addresses of its own, and its devices meet neither the page nor the
limits. The kernel writes down who sends such answers, by hardware address and IP address, in two small sets: no program
listens, and a frame that is not well-formed changes nothing. What we send to everybody the kernel shows us too, as
looped back, and it is left out; somebody else with our own address is not.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from node.units import MacAddress

KNOWN_MAX = 64
"""Of each kind. A device that forges more senders only makes this list full; it is a warning in any case."""
REMEMBERED_S = 1_800
_NOT_OURS = "meta pkttype != 5"
"""PACKET_LOOPBACK of linux/if_packet.h."""
DHCP, ROUTERS = "foreign_dhcp", "foreign_routers"

Kind = Literal["dhcp", "router"]


@dataclass(frozen=True, slots=True, order=True)
class ForeignServer:
    """Somebody who answers as only we should."""

    kind: Kind
    mac: MacAddress
    address: str
    seconds_ago: int
    """Since its last answer that reached us."""


def sets(table: str) -> str:
    of = f"size {KNOWN_MAX}; flags dynamic,timeout; timeout {REMEMBERED_S}s;"
    return (
        f"add set {table} {DHCP} {{ type ether_addr . ipv4_addr; {of} }}\n"
        f"add set {table} {ROUTERS} {{ type ether_addr . ipv6_addr; {of} }}\n"
    )


def first_packets() -> str:
    """For first packets of flows from the people's side, before anything else is asked: an answer to everybody from a
    DHCP server (RFC 2131 section 4.1), whatever network it believes to be in."""
    return f"udp sport 67 udp dport 68 {_NOT_OURS} update @{DHCP} {{ ether saddr . ip saddr }}"


def incoming() -> str:
    """For what comes in from the people's side: an advertisement of a default router (RFC 4861 section 4.2)."""
    return (
        f"icmpv6 type nd-router-advert ip6 hoplimit 255 @th,48,16 != 0 {_NOT_OURS} "
        f"update @{ROUTERS} {{ ether saddr . ip6 saddr }}"
    )


def listed(kind: Kind, listing: str) -> Iterable[ForeignServer]:
    """From what nft lists of one of the sets, as JSON."""
    for item in json.loads(listing)["nftables"]:
        for element in item.get("set", {}).get("elem", ()):
            mac, address = element["elem"]["val"]["concat"]
            ago = max(0, REMEMBERED_S - int(element["elem"]["expires"]))
            yield ForeignServer(kind, MacAddress(mac), address, ago)

"""Detects servers on the LAN that are not ours and answer devices: a second DHCP server, another router.

A home router connected by the wrong port hands out its own addresses, and its devices bypass the portal and the
limits. nftables records the senders of such answers, by hardware and IP address, in two small sets: no program
listens, and malformed frames have no effect. Our own broadcasts are seen too, as looped-back packets, and are
ignored; those of another machine with our address are not.

To make such servers answer, the node sends the requests of a new device to all of them, as raw frames. While the node
does not run there are no sets, and `procomu doctor` reads the frames that come back.
"""

import json
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Literal

from node.units import MacAddress

KNOWN_MAX = 64
"""Per kind. A device that forges more senders only fills this set; the warning appears in any case."""
REMEMBERED_S = 1_800
_NOT_OURS = "meta pkttype != 5"
"""PACKET_LOOPBACK in linux/if_packet.h."""
DHCP, ROUTERS = "foreign_dhcp", "foreign_routers"

ETHERTYPE_IPV4, ETHERTYPE_IPV6 = 0x0800, 0x86DD
_BROADCAST = b"\xff" * 6
_ALL_ROUTERS, _ALL_ROUTERS_MAC = IPv6Address("ff02::2").packed, bytes.fromhex("333300000002")
_UDP, _ICMPV6, _ROUTER_SOLICITATION, _ROUTER_ADVERTISEMENT = 17, 58, 133, 134
_ETHERNET_BYTES, _IPV6_BYTES = 14, 40
_FRAGMENT = 0x1FFF
"""The offset in an IPv4 header: only the first fragment has ports."""
_COOKIE = bytes.fromhex("63825363")
_DISCOVER = bytes((53, 1, 1, 255))
"""Option 53 (RFC 2132 section 9.6), and the end option."""
_ANSWER_TO_ALL = 0x8000
"""RFC 2131 section 2, BROADCAST flag."""
_BOOTP_BYTES_MIN = 300

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


def foreign_server(frame: bytes) -> ForeignServer | None:
    """The sender of an Ethernet frame that another machine sent: a DHCP server's answer, or the advertisement of a
    default router, by the same rules as in the packet filter. None for every other frame, incomplete ones too."""
    if len(frame) < _ETHERNET_BYTES:
        return None
    kind, packet = int.from_bytes(frame[12:14]), frame[_ETHERNET_BYTES:]
    if kind == ETHERTYPE_IPV4 and _is_dhcp_answer(packet):
        return ForeignServer("dhcp", _mac(frame), str(IPv4Address(packet[12:16])), 0)
    if kind == ETHERTYPE_IPV6 and _is_default_router(packet):
        return ForeignServer("router", _mac(frame), str(IPv6Address(packet[8:24])), 0)
    return None


def _mac(frame: bytes) -> MacAddress:
    return MacAddress(frame[6:12].hex(":"))


def _is_dhcp_answer(packet: bytes) -> bool:
    """Whether it is a UDP datagram from a server's port to a client's."""
    head = (packet[0] & 0x0F) * 4 if packet else 0
    if head < 20 or packet[0] >> 4 != 4 or len(packet) < head + 8:
        return False
    is_first = not int.from_bytes(packet[6:8]) & _FRAGMENT
    return is_first and packet[9] == _UDP and packet[head : head + 4] == struct.pack("!HH", 67, 68)


def _is_default_router(packet: bytes) -> bool:
    """Whether it is a router advertisement from this link, with a lifetime."""
    if len(packet) < _IPV6_BYTES + 8 or packet[0] >> 4 != 6:
        return False
    is_advertisement = packet[6] == _ICMPV6 and packet[_IPV6_BYTES] == _ROUTER_ADVERTISEMENT
    return is_advertisement and packet[7] == 255 and packet[_IPV6_BYTES + 6 : _IPV6_BYTES + 8] != bytes(2)


def dhcp_discover(mac: bytes, number: int) -> bytes:
    """A DHCPDISCOVER from `mac` that requests a broadcast answer; it takes no lease. `number` is the 32-bit
    transaction id."""
    head = struct.pack("!4BIHH", 1, 1, 6, 0, number, 0, _ANSWER_TO_ALL)
    message = (head + bytes(16) + mac.ljust(16, b"\0") + bytes(192) + _COOKIE + _DISCOVER).ljust(
        _BOOTP_BYTES_MIN, b"\0"
    )
    # UDP over IPv4 needs no checksum (RFC 768).
    datagram = struct.pack("!4H", 68, 67, 8 + len(message), 0) + message
    packet = struct.pack(
        "!BBHHHBBH4s4s", 0x45, 0, 20 + len(datagram), 0, 0, 64, _UDP, 0, bytes(4), b"\xff" * 4
    )
    packet = packet[:10] + struct.pack("!H", _checksum(packet)) + packet[12:]
    return _BROADCAST + mac + struct.pack("!H", ETHERTYPE_IPV4) + packet + datagram


def router_solicitation(mac: bytes) -> bytes:
    """From the unspecified address, so that the answer is multicast (RFC 4861 section 4.1)."""
    message = struct.pack("!BBHI", _ROUTER_SOLICITATION, 0, 0, 0)
    pseudo = bytes(16) + _ALL_ROUTERS + struct.pack("!II", len(message), _ICMPV6)
    message = message[:2] + struct.pack("!H", _checksum(pseudo + message)) + message[4:]
    head = struct.pack("!IHBB", 6 << 28, len(message), _ICMPV6, 255) + bytes(16) + _ALL_ROUTERS
    return _ALL_ROUTERS_MAC + mac + struct.pack("!H", ETHERTYPE_IPV6) + head + message


def _checksum(data: bytes) -> int:
    """RFC 1071; `data` must have an even length."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF

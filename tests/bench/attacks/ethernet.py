"""Frames of address resolution and configuration: ARP (RFC 826), neighbour discovery (RFC 4861) and DHCP."""

import struct
from ipaddress import IPv4Address, IPv6Address

from tests.kernel.frames import ICMPV6, checksum, frame, ip, octets, udp

EVERYBODY = "ff:ff:ff:ff:ff:ff"
NOBODY = "00:00:00:00:00:00"
ETH_P_ARP = 0x0806
REQUEST, REPLY = 1, 2
SOLICITATION, ADVERTISEMENT = 135, 136
OVERRIDE, SOLICITED = 0x2000_0000, 0x4000_0000
HOPS = 255
"""RFC 4861 section 7.1: packets with another hop limit are discarded."""


def arp(kind: int, mac: str, address: str, to_mac: str, to_address: str) -> bytes:
    """`mac` claims `address`."""
    head = octets(EVERYBODY if kind == REQUEST else to_mac) + octets(mac) + struct.pack("!H", ETH_P_ARP)
    sender = octets(mac) + IPv4Address(address).packed
    target = octets(NOBODY if kind == REQUEST else to_mac) + IPv4Address(to_address).packed
    return head + struct.pack("!HHBBH", 1, 0x0800, 6, 4, kind) + sender + target


def advertisement(mac: str, address: str, to_mac: str, to_address: str) -> bytes:
    """`mac` claims the IPv6 `address`, with the override flag."""
    body = IPv6Address(address).packed + bytes([2, 1]) + octets(mac)
    return _discovery(ADVERTISEMENT, OVERRIDE | SOLICITED, body, mac, address, to_mac, to_address)


def solicitation(mac: str, address: str, to_mac: str, to_address: str) -> bytes:
    """`mac`, with the address `address`, asks for `to_address`."""
    body = IPv6Address(to_address).packed + bytes([1, 1]) + octets(mac)
    return _discovery(SOLICITATION, 0, body, mac, address, to_mac, to_address)


def _discovery(
    kind: int, flags: int, body: bytes, mac: str, address: str, to_mac: str, to_address: str
) -> bytes:
    message = struct.pack("!BBHI", kind, 0, 0, flags) + body
    pseudo = IPv6Address(address).packed + IPv6Address(to_address).packed
    total = checksum(pseudo + struct.pack("!II", len(message), ICMPV6) + message)
    message = message[:2] + struct.pack("!H", total) + message[4:]
    return frame(to_mac, mac, ip(address, to_address, ICMPV6, message, ttl=HOPS))


def discover(mac: str, number: int) -> bytes:
    """DHCPDISCOVER (RFC 2131) of a device without an address."""
    head = struct.pack("!BBBBIHH", 1, 1, 6, 0, number & 0xFFFFFFFF, 0, 0x8000) + bytes(16)
    body = head + octets(mac).ljust(16, b"\0") + bytes(192) + b"\x63\x82\x53\x63" + b"\x35\x01\x01\xff"
    message = udp("0.0.0.0", "255.255.255.255", 68, 67, body.ljust(300, b"\0"))
    return frame(EVERYBODY, mac, ip("0.0.0.0", "255.255.255.255", 17, message))

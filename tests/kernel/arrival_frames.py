"""The first frames of an unknown device: ARP and neighbour solicitation for the router, DHCP, and a SYN to the portal."""

import socket
import struct

from tests.kernel.frames import SYN, TCP, UDP, checksum, frame, ip, octets, tcp, udp
from tests.kernel.frames import _pseudo as pseudo

EVERYBODY = "ff:ff:ff:ff:ff:ff"


def mac_of(number: int) -> str:
    return f"02:f0:00:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"


def address_of(number: int) -> str:
    return f"10.77.{128 + (number >> 8) % 120}.{number & 255}"


def arp_request(router: str, mac: str, number: int) -> bytes:
    head = octets(EVERYBODY) + octets(mac) + struct.pack("!HHHBBH", 0x0806, 1, 0x800, 6, 4, 1)
    return head + octets(mac) + socket.inet_aton(address_of(number)) + bytes(6) + socket.inet_aton(router)


def neighbour_solicitation(router: str, mac: str, number: int) -> bytes:
    """A neighbour solicitation (RFC 4861 section 4.3) with the source link-layer address option."""
    source, group = f"fd77::f0:{number >> 16:x}:{number & 0xFFFF:x}", "ff02::1:ff00:1"
    body = struct.pack("!BBHI", 135, 0, 0, 0) + socket.inet_pton(socket.AF_INET6, router)
    body += bytes([1, 1]) + octets(mac)
    total = checksum(pseudo(source, group, 58, len(body)) + body)
    body = body[:2] + struct.pack("!H", total) + body[4:]
    return frame("33:33:ff:00:00:01", mac, ip(source, group, 58, body, ttl=255))


def dhcp(mac: str, number: int, *options: bytes) -> bytes:
    """A DHCP client message (RFC 2131 section 2); `options` are already encoded."""
    fixed = struct.pack("!BBBBIHH", 1, 1, 6, 0, number + 1, 0, 0) + bytes(16) + octets(mac) + bytes(10 + 192)
    body = (fixed + b"\x63\x82\x53\x63" + b"".join(options) + b"\xff").ljust(300, b"\0")
    datagram = udp("0.0.0.0", "255.255.255.255", 68, 67, body)
    return frame(EVERYBODY, mac, ip("0.0.0.0", "255.255.255.255", UDP, datagram))


def discover(mac: str, number: int) -> bytes:
    return dhcp(mac, number, bytes([53, 1, 1]), bytes([80, 0]), bytes([55, 4, 1, 3, 6, 51]))


def request(mac: str, number: int) -> bytes:
    """DHCPREQUEST for the address of an earlier lease (state INIT-REBOOT)."""
    wanted = bytes([50, 4]) + socket.inet_aton(address_of(number))
    return dhcp(mac, number, bytes([53, 1, 3]), wanted, bytes([55, 4, 1, 3, 6, 51]))


def first_segment(router: str, router_mac: str, mac: str, number: int) -> bytes:
    source = address_of(number)
    segment = tcp(source, router, 1024 + number % 60_000, 80, SYN)
    return frame(router_mac, mac, ip(source, router, TCP, segment))

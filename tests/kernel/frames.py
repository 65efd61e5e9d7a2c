"""Ethernet frames built by hand, for what the IP stack of a device would refuse to send."""

import socket
import struct
from ipaddress import IPv4Address, IPv6Address, ip_address

ETH_P_ALL, ETH_P_IP, ETH_P_IPV6 = 3, 0x0800, 0x86DD
TCP, UDP, ICMP, ICMPV6, IN4, IN6, GRE = 6, 17, 1, 58, 4, 41, 47
SYN, ACK, RST = 0x02, 0x10, 0x04
Address = IPv4Address | IPv6Address


def frame(to_mac: str, from_mac: str, packet: bytes) -> bytes:
    kind = ETH_P_IPV6 if packet[0] >> 4 == 6 else ETH_P_IP
    return octets(to_mac) + octets(from_mac) + struct.pack("!H", kind) + packet


def ip(
    source: str,
    target: str,
    protocol: int,
    payload: bytes,
    *,
    ttl: int = 64,
    options: bytes = b"",
    chain: bytes = b"",
) -> bytes:
    """One IP packet; `options` are IPv4 options, `chain` are IPv6 extension headers, of which `protocol` is the
    first."""
    a, b = ip_address(source), ip_address(target)
    if isinstance(a, IPv6Address):
        body = chain + payload
        return struct.pack("!IHBB", 6 << 28, len(body), protocol, ttl) + a.packed + b.packed + body
    words = 5 + len(options) // 4
    length = 4 * words + len(payload)
    head = (
        struct.pack("!BBHHHBBH", 4 << 4 | words, 0, length, 7, 0, ttl, protocol, 0)
        + a.packed
        + b.packed
        + options
    )
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def udp(source: str, target: str, from_port: int, to_port: int, payload: bytes) -> bytes:
    head = struct.pack("!HHHH", from_port, to_port, 8 + len(payload), 0)
    total = checksum(_pseudo(source, target, UDP, 8 + len(payload)) + head + payload) or 0xFFFF
    return head[:6] + struct.pack("!H", total) + payload


def tcp(
    source: str, target: str, from_port: int, to_port: int, flags: int, sequence: int = 1, answered: int = 0,
    payload: bytes = b"",
) -> bytes:  # fmt: skip
    head = struct.pack("!HHIIBBHHH", from_port, to_port, sequence, answered, 5 << 4, flags, 60_000, 0, 0)
    total = checksum(_pseudo(source, target, TCP, 20 + len(payload)) + head + payload)
    return head[:16] + struct.pack("!H", total) + head[18:] + payload


def echo_request(source: str, target: str, payload: bytes, number: int = 77) -> bytes:
    is_v6 = ":" in source
    head = struct.pack("!BBHHH", 128 if is_v6 else 8, 0, 0, number, 1)
    pseudo = _pseudo(source, target, ICMPV6, 8 + len(payload)) if is_v6 else b""
    return head[:2] + struct.pack("!H", checksum(pseudo + head + payload)) + head[4:] + payload


def checksum(data: bytes) -> int:
    """Internet checksum (RFC 1071)."""
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def octets(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))


def raw_socket(interface: str) -> socket.socket:
    """A non-blocking packet socket in the network namespace of the calling thread; sends and receives whole
    frames."""
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_000_000)
    made.bind((interface, 0))
    made.setblocking(False)
    return made


def _pseudo(source: str, target: str, protocol: int, length: int) -> bytes:
    a, b = ip_address(source), ip_address(target)
    if isinstance(a, IPv6Address):
        return a.packed + b.packed + struct.pack("!II", length, protocol)
    return a.packed + b.packed + struct.pack("!BBH", 0, protocol, length)

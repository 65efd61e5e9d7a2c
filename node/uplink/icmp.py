"""Probes as ICMP messages: timestamp (RFC 792) to IPv4 addresses, echo to those that do not answer it and to IPv6
(RFC 4443)."""

import struct
from dataclasses import dataclass
from typing import Literal

Kind = Literal["timestamp", "echo", "echo6"]

ECHO_REPLY, ECHO, TIMESTAMP, TIMESTAMP_REPLY = 0, 8, 13, 14
ECHO6, ECHO6_REPLY = 128, 129
REQUEST: dict[Kind, int] = {"timestamp": TIMESTAMP, "echo": ECHO, "echo6": ECHO6}
REPLY: dict[Kind, int] = {"timestamp": TIMESTAMP_REPLY, "echo": ECHO_REPLY, "echo6": ECHO6_REPLY}
NOT_STANDARD = 1 << 31
"""High bit of a time that is not milliseconds since midnight UT."""
DAY_MS = 86_400_000
MESSAGE_BYTES_MAX = 128
_HEAD = struct.Struct("!BBHHH")
_STAMPS = struct.Struct("!III")
_IPV4_HEAD_BYTES_MIN = 20


@dataclass(frozen=True, slots=True)
class IcmpReply:
    identifier: int
    sequence: int
    far_received_us: int | None = None
    far_sent_us: int | None = None


def request(kind: Kind, identifier: int, sequence: int) -> bytes:
    """The message, without its IP header; the kernel sets the checksum of ICMPv6."""
    body = _STAMPS.pack(0, 0, 0) if kind == "timestamp" else b""
    head = _HEAD.pack(REQUEST[kind], 0, 0, identifier, sequence)
    sum_ = 0 if kind == "echo6" else _checksum(head + body)
    return _HEAD.pack(REQUEST[kind], 0, sum_, identifier, sequence) + body


def reply(kind: Kind, packet: bytes) -> IcmpReply | None:
    """Parses what a raw socket received: IPv4 with its header, IPv6 without. None for any other message."""
    if kind != "echo6":
        if len(packet) < _IPV4_HEAD_BYTES_MIN:
            return None
        packet = packet[(packet[0] & 0x0F) * 4 :]
    if len(packet) < _HEAD.size:
        return None
    type_, code, _, identifier, sequence = _HEAD.unpack_from(packet)
    if (type_, code) != (REPLY[kind], 0):
        return None
    if kind != "timestamp":
        return IcmpReply(identifier, sequence)
    if len(packet) < _HEAD.size + _STAMPS.size:
        return None
    _, received, sent = _STAMPS.unpack_from(packet, _HEAD.size)
    if (received | sent) & NOT_STANDARD or max(received, sent) >= DAY_MS:
        return IcmpReply(identifier, sequence)
    return IcmpReply(identifier, sequence, received * 1000, sent * 1000)


def _checksum(message: bytes) -> int:
    """RFC 1071, of an even number of octets."""
    total = sum(word for (word,) in struct.iter_unpack("!H", message))
    total = (total & 0xFFFF) + (total >> 16)
    return int(~(total + (total >> 16)) & 0xFFFF)

"""Path MTU discovery with ICMP echo requests that must not be fragmented (IPv4)."""

import os
import secrets
import socket
import struct
import time

SIZES = (1_500, 1_492, 1_480, 1_460, 1_420, 1_400, 1_280)
"""Usual MTUs: Ethernet, PPPoE, several kinds of tunnel, and the minimum of IPv6."""
WAIT_S, TRIES = 0.7, 2
_SMALL = 64
# From linux/in.h: ignore the cached path MTU, and never fragment.
_IP_MTU_DISCOVER, _IP_PMTUDISC_PROBE = 10, 3
_IP_HEADER, _ECHO_REQUEST, _ECHO_REPLY = 20, 8, 0


def path_mtu(target: str, most: int) -> int | None:
    """The largest of `most` and the `SIZES` below it, in bytes, for which `target` answers. None if it never
    answers, or without permission for raw sockets."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as line:
            line.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _IP_PMTUDISC_PROBE)
            line.connect((target, 0))
            if not _returns(line, _SMALL):
                return None
            sizes = (most, *(size for size in SIZES if size < most))
            return next((size for size in sizes if _returns(line, size)), None)
    except OSError:
        return None


def _returns(line: socket.socket, size: int) -> bool:
    """Whether an echo request of `size` bytes, IP header included, is answered."""
    return any(_echoed(line, size) for _ in range(TRIES))


def _echoed(line: socket.socket, size: int) -> bool:
    token = secrets.token_bytes(8)
    body = (struct.pack("!HH", os.getpid() & 0xFFFF, 1) + token).ljust(size - _IP_HEADER - 4, b"\0")
    total = _checksum(struct.pack("!BBH", _ECHO_REQUEST, 0, 0) + body)
    try:
        line.send(struct.pack("!BBH", _ECHO_REQUEST, 0, total) + body)
    except OSError:
        return False  # larger than the interface's MTU
    ends = time.monotonic() + WAIT_S
    while (left := ends - time.monotonic()) > 0:
        line.settimeout(left)
        try:
            packet = line.recv(65_536)
        except OSError:
            return False
        head = (packet[0] & 0x0F) * 4
        if packet[head] == _ECHO_REPLY and packet[head + 8 : head + 16] == token:
            return True
    return False


def _checksum(data: bytes) -> int:
    """Internet checksum (RFC 1071); an odd length is padded with a zero byte."""
    total: int = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF

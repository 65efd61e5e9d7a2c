"""Netlink messages and their attributes (netlink(7)), packed and unpacked; what they mean is their users' business."""

import struct
from collections.abc import Iterator

NLM_F_REQUEST, NLM_F_ACK, NLM_F_ECHO, NLM_F_DUMP = 0x1, 0x4, 0x8, 0x300
NLM_F_REPLACE, NLM_F_CREATE = 0x100, 0x400
NLMSG_ERROR, NLMSG_DONE = 2, 3
HEADER = struct.Struct("=IHHII")
"""struct nlmsghdr: length, type, flags, sequence number, port."""
ATTRIBUTE_TYPE = 0x3FFF
"""Without the flags for nested and for byte order."""


def message(kind: int, flags: int, sequence: int, payload: bytes) -> bytes:
    return HEADER.pack(HEADER.size + len(payload), kind, flags, sequence, 0) + payload


def attribute(kind: int, body: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(body), kind) + body + b"\0" * (-len(body) % 4)


def messages(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Type, sequence number and payload of each message."""
    at = 0
    while at + HEADER.size <= len(data):
        length, kind, _, sequence, _ = HEADER.unpack_from(data, at)
        if length < HEADER.size:
            return
        yield kind, sequence, data[at + HEADER.size : at + length]
        at += (length + 3) & ~3


def find_attribute(data: bytes, wanted: int, at: int = 0) -> bytes | None:
    """The body of the first attribute of this type at the top level, from offset `at`; None without one."""
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        if kind & ATTRIBUTE_TYPE == wanted:
            return data[at + 4 : at + length]
        at += max(4, (length + 3) & ~3)
    return None


def error_code(payload: bytes) -> int:
    """Of a message NLMSG_ERROR: 0 for an acknowledgement, else an errno."""
    return -int(struct.unpack_from("=i", payload)[0])

"""Packs and parses netlink messages and attributes (netlink(7)), without interpreting them."""

import struct
from collections.abc import Iterator

NLM_F_REQUEST, NLM_F_ACK, NLM_F_ECHO, NLM_F_DUMP = 0x1, 0x4, 0x8, 0x300
NLM_F_REPLACE, NLM_F_EXCL, NLM_F_CREATE = 0x100, 0x200, 0x400
NLM_F_DUMP_INTR = 0x10
"""The dump is inconsistent: the data changed meanwhile."""
NLMSG_ERROR, NLMSG_DONE = 2, 3
HEADER = struct.Struct("=IHHII")
"""struct nlmsghdr: length, type, flags, sequence number, port."""
SEQUENCE_MASK = 0xFFFFFFFF
NLA_F_NESTED = 0x8000
ATTRIBUTE_TYPE = 0x3FFF
"""Mask that removes the flags for nested attributes and byte order."""
_ATTRIBUTE = struct.Struct("=HH")
"""struct nlattr: length without padding, type."""

# linux/netfilter/nfnetlink.h
NETLINK_NETFILTER = 12
NFPROTO_UNSPEC, NFPROTO_INET, NFPROTO_NETDEV = 0, 1, 5
_NFGENMSG = struct.Struct("!BBH")
NFGENMSG_BYTES = _NFGENMSG.size


def message(kind: int, flags: int, sequence: int, payload: bytes) -> bytes:
    return HEADER.pack(HEADER.size + len(payload), kind, flags, sequence, 0) + payload


def attribute(kind: int, body: bytes) -> bytes:
    return attribute_header(kind, len(body)) + body + b"\0" * (-len(body) % 4)


def attribute_header(kind: int, body_bytes: int) -> bytes:
    """The header of an attribute with a body of this length; padding is left to the caller."""
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + body_bytes, kind)


def nfgenmsg(family: int = NFPROTO_UNSPEC) -> bytes:
    """struct nfgenmsg, which precedes the attributes in nfnetlink messages."""
    return _NFGENMSG.pack(family, 0, 0)


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
    while at + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if kind & ATTRIBUTE_TYPE == wanted:
            return data[at + _ATTRIBUTE.size : at + length]
        at += max(_ATTRIBUTE.size, (length + 3) & ~3)
    return None


def error_code(payload: bytes) -> int:
    """The code of a message NLMSG_ERROR: 0 for an acknowledgement, else an errno."""
    return -int(struct.unpack_from("=i", payload)[0])

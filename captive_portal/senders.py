"""From which hardware address the frames of a connection come, by one question to the packet filter.

The filter wrote it down with the connection's first packet, and lets no other device send on it (`node/enforcement/nft.py`).
"""

import ipaddress
import socket
import struct
from collections.abc import Callable, Mapping

from captive_portal.callers import Ends
from node.errors import NodeError
from node.units import MacAddress

ANSWER_BYTES_MAX = 16_384
# linux/netfilter/nfnetlink.h, linux/netfilter/nf_tables.h
_NETLINK_NETFILTER, _NLM_F_REQUEST = 12, 1
_NFT_MSG_NEWSET, _NFT_MSG_GETSET = 10 << 8 | 9, 10 << 8 | 10
_NFT_MSG_NEWSETELEM, _NFT_MSG_GETSETELEM, _NFPROTO_INET, _NESTED = 10 << 8 | 12, 10 << 8 | 13, 1, 0x8000
_TABLE, _SET, _ELEMENTS, _ELEMENT, _KEY, _VALUE = 1, 2, 3 | _NESTED, 1 | _NESTED, 1 | _NESTED, 1
_HEADER, _FAMILY, _ATTRIBUTE = struct.Struct("=IHHII"), struct.Struct("!BBH"), struct.Struct("=HH")


class FrameSenders:
    """`table` and `sets` (by IP version) are where the filter writes senders down; about 10 microseconds a question."""

    def __init__(self, table: str, sets: Mapping[int, str]) -> None:
        self._table, self._sets = table, sets
        self._sequence = 0
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_NETFILTER
        )
        self._socket.setblocking(False)
        self._socket.bind((0, 0))

    def close(self) -> None:
        self._socket.close()

    def sends(self, device: MacAddress, ends: Ends) -> bool | None:
        """Whether `device` opened this connection; None while the filter does not stand, and knows of nobody."""
        key = key_of(device, ends)
        if key is None:
            return False
        version, octets = key
        named = self._sets[version]
        if self._answer(lambda number: question(self._table, named, octets, number)) == _NFT_MSG_NEWSETELEM:
            return True
        is_there = self._answer(lambda number: set_question(self._table, named, number)) == _NFT_MSG_NEWSET
        return False if is_there else None

    def _answer(self, ask: Callable[[int], bytes]) -> int | None:
        """The kind of message that the kernel answers with; None when it does not."""
        self._sequence = (self._sequence + 1) & 0xFFFFFFFF
        try:
            self._socket.send(ask(self._sequence))
            while True:  # the kernel answers within the send; older answers are passed over
                _, kind, _, sequence, _ = _HEADER.unpack_from(self._socket.recv(ANSWER_BYTES_MAX))
                if sequence == self._sequence:
                    return int(kind)
        except BlockingIOError:
            return None
        except OSError as error:
            raise NodeError(
                f"the packet filter cannot be asked: {error}", "run the node with CAP_NET_ADMIN"
            ) from error


def key_of(device: MacAddress, ends: Ends) -> tuple[int, bytes] | None:
    """IP version and key: each field in network order, filled up to four octets. None for what is no address."""
    try:
        there, here = (ipaddress.ip_address(a.partition("%")[0]) for a in (ends.address, ends.own_address))
        mac = bytes.fromhex(device.replace(":", ""))
    except ValueError:
        return None
    if there.version != here.version or len(mac) != 6:
        return None
    ports = (struct.pack("!HH", port, 0) for port in (ends.port, ends.own_port))
    return there.version, b"".join((mac, b"\0\0", there.packed, next(ports), here.packed, next(ports)))


def question(table: str, name: str, key: bytes, sequence: int) -> bytes:
    """One NFT_MSG_GETSETELEM for one element of a set in a table of family inet."""
    element = _attribute(_ELEMENT, _attribute(_KEY, _attribute(_VALUE, key)))
    body = _FAMILY.pack(_NFPROTO_INET, 0, 0)
    body += _attribute(_TABLE, table.encode() + b"\0") + _attribute(_SET, name.encode() + b"\0")
    body += _attribute(_ELEMENTS, element)
    return _HEADER.pack(_HEADER.size + len(body), _NFT_MSG_GETSETELEM, _NLM_F_REQUEST, sequence, 0) + body


def set_question(table: str, name: str, sequence: int) -> bytes:
    """One NFT_MSG_GETSET, which tells whether there is such a set."""
    body = _FAMILY.pack(_NFPROTO_INET, 0, 0)
    body += _attribute(_TABLE, table.encode() + b"\0") + _attribute(_SET, name.encode() + b"\0")
    return _HEADER.pack(_HEADER.size + len(body), _NFT_MSG_GETSET, _NLM_F_REQUEST, sequence, 0) + body


def _attribute(kind: int, data: bytes) -> bytes:
    length = _ATTRIBUTE.size + len(data)
    return _ATTRIBUTE.pack(length, kind) + data + bytes(-length % 4)

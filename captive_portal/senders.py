"""The source hardware address of a connection's frames, looked up in a set of the packet filter.

The filter stores it with the first packet, and accepts the connection from no other device
(`node/enforcement/nft.py`).
"""

import ipaddress
import socket
import struct
from collections.abc import Callable, Mapping

from node.errors import NodeError
from node.netlink import (
    NETLINK_NETFILTER,
    NFPROTO_INET,
    NLA_F_NESTED,
    NLM_F_REQUEST,
    SEQUENCE_MASK,
    attribute,
    message,
    messages,
    nfgenmsg,
)
from node.units import MacAddress
from node.web.connections import SocketAddresses

ANSWER_BYTES_MAX = 16_384
# linux/netfilter/nf_tables.h
_NFT_MSG_NEWSET, _NFT_MSG_GETSET = 10 << 8 | 9, 10 << 8 | 10
_NFT_MSG_NEWSETELEM, _NFT_MSG_GETSETELEM = 10 << 8 | 12, 10 << 8 | 13
_TABLE, _SET = 1, 2
_ELEMENTS, _ELEMENT, _KEY, _VALUE = 3 | NLA_F_NESTED, 1 | NLA_F_NESTED, 1 | NLA_F_NESTED, 1


class FrameSenders:
    """`table` and `sets` (by IP version) are where the filter stores senders; a lookup takes about 10
    microseconds."""

    def __init__(self, table: str, sets: Mapping[int, str]) -> None:
        self._table, self._sets = table, sets
        self._sequence = 0
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_NETFILTER
        )
        self._socket.setblocking(False)
        self._socket.bind((0, 0))

    def close(self) -> None:
        self._socket.close()

    def sends(self, device: MacAddress, ends: SocketAddresses) -> bool | None:
        """Whether `device` opened this connection; None while the set does not exist, so that nothing is
        known."""
        key = key_of(device, ends)
        if key is None:
            return False
        version, octets = key
        named = self._sets[version]
        if (
            self._answer(lambda number: element_request(self._table, named, octets, number))
            == _NFT_MSG_NEWSETELEM
        ):
            return True
        is_there = self._answer(lambda number: set_request(self._table, named, number)) == _NFT_MSG_NEWSET
        return False if is_there else None

    def _answer(self, request: Callable[[int], bytes]) -> int | None:
        """Message type of the kernel's answer; None without an answer."""
        self._sequence = (self._sequence + 1) & SEQUENCE_MASK
        try:
            self._socket.send(request(self._sequence))
            while True:  # the kernel answers within the send; earlier answers are skipped
                for kind, sequence, _ in messages(self._socket.recv(ANSWER_BYTES_MAX)):
                    if sequence == self._sequence:
                        return kind
        except BlockingIOError:
            return None
        except OSError as error:
            raise NodeError(
                f"the packet filter cannot be asked: {error}", "run the node with CAP_NET_ADMIN"
            ) from error


def key_of(device: MacAddress, ends: SocketAddresses) -> tuple[int, bytes] | None:
    """IP version and set key: each field in network order, padded to four octets. None for invalid
    addresses."""
    try:
        there, here = (ipaddress.ip_address(a.partition("%")[0]) for a in (ends.address, ends.own_address))
        mac = bytes.fromhex(device.replace(":", ""))
    except ValueError:
        return None
    if there.version != here.version or len(mac) != 6:
        return None
    ports = (struct.pack("!HH", port, 0) for port in (ends.port, ends.own_port))
    return there.version, b"".join((mac, b"\0\0", there.packed, next(ports), here.packed, next(ports)))


def element_request(table: str, name: str, key: bytes, sequence: int) -> bytes:
    """One NFT_MSG_GETSETELEM for one element of a set in a table of family inet."""
    element = attribute(_ELEMENT, attribute(_KEY, attribute(_VALUE, key)))
    body = _names(table, name) + attribute(_ELEMENTS, element)
    return message(_NFT_MSG_GETSETELEM, NLM_F_REQUEST, sequence, body)


def set_request(table: str, name: str, sequence: int) -> bytes:
    """One NFT_MSG_GETSET: checks that the set exists."""
    return message(_NFT_MSG_GETSET, NLM_F_REQUEST, sequence, _names(table, name))


def _names(table: str, name: str) -> bytes:
    """Common start of payloads about a set: table and name have the same attribute numbers in all of them."""
    names = attribute(_TABLE, table.encode() + b"\0") + attribute(_SET, name.encode() + b"\0")
    return nfgenmsg(NFPROTO_INET) + names

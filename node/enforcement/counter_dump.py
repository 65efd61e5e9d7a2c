"""All named counters of the table, read through nfnetlink a few kilobytes at a time.

libnftables keeps every counter that it lists and builds the whole list as JSON: 50 MB per second for ten thousand
devices. Message and attribute numbers are from linux/netfilter/nf_tables.h.
"""

import errno
import os
import re
import socket
import struct

from node.errors import KernelRefused
from node.netlink import (
    HEADER,
    NETLINK_NETFILTER,
    NFPROTO_INET,
    NLA_F_NESTED,
    NLM_F_ACK,
    NLM_F_DUMP,
    NLM_F_DUMP_INTR,
    NLM_F_REQUEST,
    NLMSG_DONE,
    NLMSG_ERROR,
    attribute,
    attribute_header,
    error_code,
    message,
    nfgenmsg,
)

NFT_MSG_GETTABLE, NFT_MSG_GETOBJ = 10 << 8 | 1, 10 << 8 | 19
NFTA_TABLE_NAME = 1
NFTA_OBJ_TABLE, NFTA_OBJ_TYPE = 1, 3
NFT_OBJECT_COUNTER = 1
BLOCK_BYTES = 32_768
"""The kernel's maximum for one block."""
TRIES_MAX = 8
_PAD = attribute(3, b"")
# NFTA_OBJ_NAME, and later in the same message NFTA_OBJ_DATA (newer kernels set the nested flag), which has
# NFTA_COUNTER_BYTES and NFTA_COUNTER_PACKETS. Processors without unaligned access get NFTA_COUNTER_PAD in between.
_COUNTED = re.compile(
    re.escape(attribute_header(2, 0)[2:])
    + rb"([ud])([0-9]{1,10})\0.{0,96}?"
    + b"(?:%b)"
    % b"|".join(
        re.escape(attribute_header(4 | nested, 24 + len(_PAD) * pads))
        for nested in (0, NLA_F_NESTED)
        for pads in (0, 1, 2)
    )
    + b"(?:%b)?" % re.escape(_PAD)
    + re.escape(attribute_header(1, 8))
    + b"(.{8})(?:%b)?" % re.escape(_PAD)
    + re.escape(attribute_header(2, 8))
    + b"(.{8})",
    re.DOTALL,
)

Counted = dict[int, int]
"""Bytes by mark."""


class CounterDump:
    """For the network namespace in which it is created. Not thread-safe."""

    def __init__(self, table: str, family: int = NFPROTO_INET, header_bytes: int = 0) -> None:
        """`header_bytes` of each packet are not counted."""
        self._table, self._family, self._header_bytes = table.encode() + b"\0", family, header_bytes
        self._sequence = 0
        self._socket = _connected()

    def read(self) -> tuple[Counted, Counted]:
        """Bytes uploaded and downloaded by each mark. Raises KernelRefused when the table does not exist.

        A dump may miss counters when others are deleted meanwhile. It is repeated up to TRIES_MAX times, and the
        results are merged, which is safe because marks are never reused and counters only grow.
        """
        self._expect_table()
        up: Counted = {}
        down: Counted = {}
        for _ in range(TRIES_MAX):
            if self._dump(up, down):
                break
        return up, down

    def close(self) -> None:
        self._socket.close()

    def _expect_table(self) -> None:
        try:
            self._ask(NFT_MSG_GETTABLE, NLM_F_ACK, attribute(NFTA_TABLE_NAME, self._table))
            answer = self._socket.recv(BLOCK_BYTES)
            _, kind, _, _, _ = HEADER.unpack_from(answer)
            if kind != NLMSG_ERROR:  # the table itself; the acknowledgement follows
                self._socket.recv(BLOCK_BYTES)
                return
            code = error_code(answer[HEADER.size :])
        except OSError as error:
            code = error.errno or errno.EIO
        if code:
            raise KernelRefused(
                f"nftables refused: our table cannot be read: {os.strerror(code)}",
                "nothing to do: the plan is applied again at once",
            )

    def _dump(self, up: Counted, down: Counted) -> bool:
        """Add everything the kernel lists to both; False when the dump may be incomplete."""
        kind = struct.pack("!I", NFT_OBJECT_COUNTER)
        try:
            self._ask(
                NFT_MSG_GETOBJ,
                NLM_F_DUMP,
                attribute(NFTA_OBJ_TABLE, self._table) + attribute(NFTA_OBJ_TYPE, kind),
            )
            is_whole = True
            while True:
                block = self._socket.recv(BLOCK_BYTES)
                take_counters(block, up, down, self._header_bytes)
                _, first, flags, _, _ = HEADER.unpack_from(block)
                is_whole = is_whole and not flags & NLM_F_DUMP_INTR
                if first in {NLMSG_DONE, NLMSG_ERROR}:
                    return is_whole and first == NLMSG_DONE
        except OSError as error:
            self._restart()
            raise KernelRefused(
                f"nftables refused: the counters cannot be read: {error}",
                "nothing to do: the plan is applied again at once",
            ) from error

    def _ask(self, kind: int, flags: int, attributes: bytes) -> None:
        self._sequence += 1
        body = nfgenmsg(self._family) + attributes
        self._socket.send(message(kind, NLM_F_REQUEST | flags, self._sequence, body))

    def _restart(self) -> None:
        """Open a new socket, so that the rest of an interrupted answer is not read as the next one."""
        self._socket.close()
        self._socket = _connected()


def take_counters(block: bytes, up: Counted, down: Counted, header_bytes: int = 0) -> None:
    """Add all our counters in these NFT_MSG_NEWOBJ messages, without the headers of their packets."""
    for way, mark, counted, packets in _COUNTED.findall(block):
        headers = header_bytes and header_bytes * int.from_bytes(packets, "big")
        (up if way == b"u" else down)[int(mark)] = int.from_bytes(counted, "big") - headers


def _connected() -> socket.socket:
    made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1_000_000)
    made.settimeout(5)
    made.bind((0, 0))
    return made

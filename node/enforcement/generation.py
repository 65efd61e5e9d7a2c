"""The number that the kernel raises with every change of its packet filter: tells us that somebody else was there."""

import errno
import socket
import struct
import threading

NETLINK_NETFILTER = 12
NFT_MSG_NEWGEN, NFT_MSG_GETGEN = 10 << 8 | 15, 10 << 8 | 16
NFTA_GEN_ID = 1
NFNLGRP_NFTABLES = 7
DRAINED_AT_ONCE = 64
NLM_F_REQUEST = 0x1
HEADER, FAMILY = struct.Struct("=IHHII"), struct.Struct("=BBH")


class Generation:
    """For one network namespace; may be asked from any thread. None where the kernel does not tell."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        self._socket.settimeout(2)
        self._socket.bind((0, 0))
        self._lock = threading.Lock()

    def now(self) -> int | None:
        ask = HEADER.pack(HEADER.size + FAMILY.size, NFT_MSG_GETGEN, NLM_F_REQUEST, 0, 0) + FAMILY.pack(
            0, 0, 0
        )
        with self._lock:
            try:
                self._socket.send(ask)
                return _number(self._socket.recv(4096))
            except OSError:
                return None

    def close(self) -> None:
        self._socket.close()


class News:
    """Wakes whoever waits on `fileno` at each change of the packet filter, ours too; nothing is read but that."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        # Small on purpose: what was changed does not matter, and a full buffer wakes as well.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.setblocking(False)
        self._socket.bind((0, 1 << (NFNLGRP_NFTABLES - 1)))

    def fileno(self) -> int:
        return self._socket.fileno()

    def drain(self) -> None:
        for _ in range(DRAINED_AT_ONCE):
            try:
                self._socket.recv(65_536)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise

    def close(self) -> None:
        self._socket.close()


def _number(answer: bytes) -> int | None:
    length, kind, *_ = HEADER.unpack_from(answer)
    at = HEADER.size + FAMILY.size
    while kind == NFT_MSG_NEWGEN and at + 8 <= length:
        size, name = struct.unpack_from("=HH", answer, at)
        if name == NFTA_GEN_ID:
            return int(struct.unpack_from("!I", answer, at + 4)[0])
        at += (size + 3) & ~3
    return None

"""Generation id of the nft ruleset, which the kernel increments with each change: detects changes by other programs."""

import errno
import socket
import threading

from node.netlink import (
    NETLINK_NETFILTER,
    NFGENMSG_BYTES,
    NLM_F_REQUEST,
    find_attribute,
    message,
    messages,
    nfgenmsg,
)

NFT_MSG_NEWGEN, NFT_MSG_GETGEN = 10 << 8 | 15, 10 << 8 | 16
NFTA_GEN_ID = 1
NFNLGRP_NFTABLES = 7
DRAINED_AT_ONCE = 64


class GenerationId:
    """For one network namespace; thread-safe. `now` is None when the kernel does not report it."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        self._socket.settimeout(2)
        self._socket.bind((0, 0))
        self._lock = threading.Lock()

    def now(self) -> int | None:
        ask = message(NFT_MSG_GETGEN, NLM_F_REQUEST, 0, nfgenmsg())
        with self._lock:
            try:
                self._socket.send(ask)
                return _number(self._socket.recv(4096))
            except OSError:
                return None

    def close(self) -> None:
        self._socket.close()


class NftMonitor:
    """`fileno` becomes readable at each change of the ruleset, including our own. The notifications are not parsed."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        # Small on purpose: the content does not matter, and a full buffer also makes the socket readable.
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
    for kind, _, body in messages(answer):
        number = find_attribute(body, NFTA_GEN_ID, NFGENMSG_BYTES) if kind == NFT_MSG_NEWGEN else None
        if number is not None:
            return int.from_bytes(number)
    return None

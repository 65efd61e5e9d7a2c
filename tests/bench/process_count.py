"""Number of processes that one process starts, from the kernel's process event connector."""

import socket
import struct
import threading
from types import TracebackType

from node.netlink import HEADER, NLMSG_DONE, message

NETLINK_CONNECTOR = 11
CN_IDX_PROC = CN_VAL_PROC = 1
PROC_CN_MCAST_LISTEN = 1
PROC_EVENT_NONE, PROC_EVENT_FORK = 0, 1
_CONNECTOR = struct.Struct("=IIIIHH")
_EVENT = struct.Struct("=IIQ")
_FORK = struct.Struct("=iiii")
_AT_EVENT = HEADER.size + _CONNECTOR.size


class ProcessCount:
    """``with ProcessCount(pid) as started: ...; started.count``. Threads are not counted. Raises OSError if the
    kernel has no such connector or the caller is not root."""

    def __init__(self, pid: int) -> None:
        self.count = 0
        self._pid, self._is_open = pid, True
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, NETLINK_CONNECTOR)
        self._socket.bind((0, CN_IDX_PROC))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._socket.settimeout(0.2)
        asking = struct.pack("=I", PROC_CN_MCAST_LISTEN)
        head = _CONNECTOR.pack(CN_IDX_PROC, CN_VAL_PROC, 0, 0, len(asking), 0)
        self._socket.send(message(NLMSG_DONE, 0, 0, head + asking))
        self._socket.recv(4096)  # the kernel's acknowledgement; without it no event would ever arrive
        self._thread = threading.Thread(target=self._listen)

    def __enter__(self) -> "ProcessCount":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_open = False
        self._thread.join()
        self._socket.close()

    def _listen(self) -> None:
        while self._is_open:
            try:
                event = self._socket.recv(4096)
            except TimeoutError:
                continue
            self.count += is_fork(event, self._pid)


def is_fork(event: bytes, parent: int) -> bool:
    """Whether a message of the connector says that `parent` has a new child process."""
    if len(event) < _AT_EVENT + _EVENT.size + _FORK.size:
        return False
    what, _, _ = _EVENT.unpack_from(event, _AT_EVENT)
    _, parent_tgid, child_pid, child_tgid = _FORK.unpack_from(event, _AT_EVENT + _EVENT.size)
    return what == PROC_EVENT_FORK and parent_tgid == parent and child_pid == child_tgid

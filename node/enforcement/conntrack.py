"""Connection tracking through ctnetlink: table usage, the device with the most entries, and deletion of a device's
entries. No child process."""

import errno
import logging
import os
import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from node.enforcement.flows import DEVICE_BITS, TABLE_SIZE_DEFAULT, device_mark
from node.enforcement.plan import TableUse
from node.netlink import (
    NETLINK_NETFILTER,
    NFGENMSG_BYTES,
    NLA_F_NESTED,
    NLM_F_ACK,
    NLM_F_DUMP,
    NLM_F_REQUEST,
    NLMSG_DONE,
    NLMSG_ERROR,
    attribute,
    error_code,
    find_attribute,
    message,
    messages,
    nfgenmsg,
)

log = logging.getLogger(__name__)

COUNT = Path("/proc/sys/net/netfilter/nf_conntrack_count")
SIZE = Path("/proc/sys/net/netfilter/nf_conntrack_max")
IPCTNL_MSG_CT_NEW, IPCTNL_MSG_CT_GET, IPCTNL_MSG_CT_DELETE = 1 << 8, 1 << 8 | 1, 1 << 8 | 2
CTA_TUPLE_ORIG, CTA_MARK, CTA_MARK_MASK = 1, 8, 21
NOBODY = 0xFFFFFFFF
"""A mark that is never assigned to a device."""
SAMPLE_MAX = 8_192
"""Entries sampled to find the device with the most: about 30 ms, whatever the size of the table."""
WALKS_MAX = 8
"""Up to this many marks are deleted with one table walk each."""
BATCH = 64
"""Messages sent before their acknowledgements are read."""
ANSWER_S = 5.0
STOP_S = 2.0
_MARK = struct.Struct("!I")
"""ctnetlink's numbers are in network byte order."""


def table_size() -> int:
    """nf_conntrack_max of this network namespace."""
    return _number(SIZE) or TABLE_SIZE_DEFAULT


def table_use() -> TableUse:
    """Current usage; blocks while it samples. The device with the most entries is found among `SAMPLE_MAX` entries:
    the kernel lists them by a keyed hash, so a device cannot influence whether it is sampled. When the table is more
    than half full, expired entries are collected first; the kernel itself may take a minute."""
    entries, size = _number(COUNT), _number(SIZE)
    if 2 * entries > size > 0:
        _collect()
        entries = _number(COUNT)
    marks = Counter(map(_mark, islice(_entries(), SAMPLE_MAX)))
    seen = marks.total()
    scale = max(1.0, entries / seen) if seen >= SAMPLE_MAX else 1.0
    del marks[0]  # not admitted: flows of the node itself and of unauthorized devices
    heaviest = next(((mark, round(n * scale)) for mark, n in marks.most_common(1)), None)
    return TableUse(entries, size, heaviest)


def _collect() -> None:
    """The kernel removes expired entries while it lists; a filter that matches nothing keeps the list empty."""
    nobody = attribute(CTA_MARK, _MARK.pack(NOBODY)) + attribute(CTA_MARK_MASK, _MARK.pack(NOBODY))
    for _ in _entries(nobody):
        pass


class FlowEnder:
    """Deletes the entries of marks in a background thread that ends when there is nothing left. The kernel walks the
    whole table for this, and new sessions must not wait for it. For the caller's network namespace."""

    def __init__(self) -> None:
        self._marks: set[int] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def end(self, marks: Iterable[int]) -> None:
        """Queue `marks` for deletion; returns at once."""
        with self._lock:
            self._marks.update(marks)
            if self._thread is None and self._marks:
                self._thread = threading.Thread(target=self._run, name="conntrack-delete", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Drop the queue and wait up to STOP_S; the remaining entries time out by themselves."""
        with self._lock:
            self._marks.clear()
            thread = self._thread
        if thread is not None:
            thread.join(STOP_S)

    def _run(self) -> None:
        while marks := self._next():
            try:
                with _socket() as line:
                    delete(line, marks)
            except OSError as error:
                log.warning("the flows of %d ended sessions were not deleted: %s", len(marks), error)

    def _next(self) -> frozenset[int]:
        with self._lock:
            marks = frozenset(self._marks)
            self._marks.clear()
            if not marks:
                self._thread = None
            return marks


def delete(line: socket.socket, marks: frozenset[int]) -> None:
    """Delete every flow with one of these marks. A few marks are deleted one by one with a kernel-side filter; many
    with a single walk, whose cost does not depend on their number. Raises OSError."""
    assert 0 not in marks, "a filter for mark 0 would end everybody's"
    if len(marks) <= WALKS_MAX:
        whole = attribute(CTA_MARK_MASK, _MARK.pack(DEVICE_BITS))
        found = [nfgenmsg() + attribute(CTA_MARK, _MARK.pack(mark)) + whole for mark in marks]
    else:
        found = [
            nfgenmsg(entry[0]) + attribute(CTA_TUPLE_ORIG | NLA_F_NESTED, flow)
            for entry in _entries()
            if _mark(entry) in marks and (flow := find_attribute(entry, CTA_TUPLE_ORIG, NFGENMSG_BYTES))
        ]
    for first in range(0, len(found), BATCH):
        _delete(line, found[first : first + BATCH])


def _delete(line: socket.socket, filters: list[bytes]) -> None:
    flags = NLM_F_REQUEST | NLM_F_ACK
    line.send(b"".join(message(IPCTNL_MSG_CT_DELETE, flags, n, each) for n, each in enumerate(filters)))
    waiting, refused = len(filters), 0
    while waiting:
        for kind, _, payload in messages(line.recv(1 << 16)):
            if kind == NLMSG_ERROR:
                waiting -= 1
                # Entries that are already gone ended by themselves.
                refused = refused or (code if (code := error_code(payload)) != errno.ENOENT else 0)
    if refused:
        raise OSError(refused, os.strerror(refused))


def _entries(filters: bytes = b"") -> Iterator[bytes]:
    """The payload of each entry, as the kernel lists them; the caller may stop early."""
    with _socket() as line:
        wanted = nfgenmsg() + filters
        line.send(message(IPCTNL_MSG_CT_GET, NLM_F_REQUEST | NLM_F_DUMP, 0, wanted))
        while True:
            for kind, _, payload in messages(line.recv(1 << 16)):
                if kind in {NLMSG_DONE, NLMSG_ERROR}:
                    return
                yield payload


def _mark(entry: bytes) -> int:
    mark = find_attribute(entry, CTA_MARK, NFGENMSG_BYTES)
    return device_mark(int.from_bytes(mark)) if mark else 0


def _socket() -> socket.socket:
    made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
    made.settimeout(ANSWER_S)
    made.bind((0, 0))
    return made


def _number(path: Path) -> int:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return 0

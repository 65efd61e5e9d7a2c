"""The bookings since the last commit of the database, in a file of their own beside it.

A booking of 100 accounts changes seven pages of the database, each minute. Here it is one or two blocks of the disk, in room
that was written when the file was made: nothing is allocated, also on a full disk.

The file has two slots, which are overwritten in turn and synced: a power cut in the middle damages only the newer one. A
slot has eight hexadecimal digits of CRC-32 and as many of its length, then JSON, compressed with zlib: the number of the
database, the commit that it follows, its own number, usage buckets, baseline and node state. It counts only as long as the
database has had no further commit, because each commit takes it along.
"""

import errno
import json
import logging
import os
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from sqlite3 import Connection
from typing import Any

from node.accounting.ledger import Booking, merge_all
from node.accounting.meter import Baseline
from node.storage.bucket_rows import buckets_of_rows, is_count, rows_of_buckets
from node.storage.copies import commits_of
from node.storage.tables import pragma
from node.storage.usage_tables import rows_of_usage
from node.synced_files import sync_folder
from node.units import Bytes, Usage

log = logging.getLogger(__name__)

SLOTS = 2
SLOT_BYTES = 64 * 1024
"""A thousand buckets and devices are half of it. What is longer goes into the database."""
HEAD_BYTES, BLOCK_BYTES = 16, 4096
PLAIN_BYTES_MAX = 4_000_000
"""Of the JSON."""


@dataclass(frozen=True, slots=True)
class KeptBooking:
    """A slot as read."""

    database: int
    commit: int
    """Of the database, which it follows."""
    number: int
    """Of two slots the one with the higher number is newer."""
    booking: Booking


def booking_file(database: Path) -> Path:
    return database.with_name(f"{database.stem}.counts")


def joined(earlier: Booking | None, later: Booking) -> Booking:
    """Both as one. Neither counts a day again (`Booking.recounted`), and baselines are whole."""
    if earlier is None:
        return later
    buckets = dict(earlier.buckets)
    merge_all(buckets, later.buckets)
    return replace(
        later,
        buckets=tuple(buckets.items()),
        baseline=later.baseline if later.baseline is not None else earlier.baseline,
        facts={**earlier.facts, **later.facts},
    )


def read_kept(path: Path) -> KeptBooking | None:
    """The newest slot that is whole; None if there is none or the file cannot be read."""
    try:
        with path.open("rb") as file:
            raw = file.read(SLOTS * SLOT_BYTES)
    except OSError:
        return None
    found = (_read_slot(raw[at : at + SLOT_BYTES]) for at in range(0, len(raw), SLOT_BYTES))
    return max((each for each in found if each is not None), key=lambda each: each.number, default=None)


def kept_since(db: Connection, path: Path) -> Booking | None:
    """What this database lacks, from the file at `path`; None if it lacks nothing."""
    kept = read_kept(path)
    is_next = kept is not None and (kept.database, kept.commit) == (
        pragma(db, "application_id"),
        commits_of(db),
    )
    return kept.booking if kept is not None and is_next else None


def all_usage(db: Connection) -> Iterator[tuple[str | int, ...]]:
    """All rows of usage of the main database, with those in the file beside it."""
    path = next(file for _, name, file in db.execute("PRAGMA database_list") if name == "main")
    kept = kept_since(db, booking_file(Path(path))) if path else None
    return rows_of_usage(db, kept.buckets if kept is not None else ())


class BookingFile:
    """The file open for writing. Used only from the writer thread. Whenever it cannot be written, the database has to
    take the booking."""

    def __init__(self, path: Path) -> None:
        kept = read_kept(path)
        self._path, self._number = path, kept.number if kept is not None else 0
        self._fd: int | None = None

    def write(self, database: int, commit: int, booking: Booking) -> bool:
        """Whether it is on the disk now."""
        slot = _slot(KeptBooking(database, commit, self._number + 1, booking))
        if len(slot) > SLOT_BYTES:
            return False
        try:
            handle = self._opened()
            _write(handle, slot, (self._number + 1) % SLOTS * SLOT_BYTES)
            os.fdatasync(handle)
        except OSError as error:
            log.warning("%s cannot be written: %s; the database takes its place", self._path, error)
            self.close()
            return False
        self._number += 1
        return True

    def clear(self) -> None:
        """Overwrites everything: it may have counts of a person who asked for erasure."""
        if not self._path.exists():
            return
        try:
            handle = self._opened()
            _write_zeros(handle, 0)
            os.fdatasync(handle)
        except OSError:
            self.close()
            with suppress(OSError):
                self._path.unlink(missing_ok=True)

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
        self._fd = None

    def _opened(self) -> int:
        if self._fd is not None and not self._is_gone(self._fd):
            return self._fd
        self.close()
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        size = os.fstat(self._fd).st_size
        if size < SLOTS * SLOT_BYTES:
            # Written, not only allocated: the first write into allocated room is a change of the file system, too.
            _write_zeros(self._fd, size - size % BLOCK_BYTES)
            os.fsync(self._fd)
            sync_folder(self._path.parent)
        return self._fd

    def _is_gone(self, handle: int) -> bool:
        try:
            there, ours = self._path.stat(), os.fstat(handle)
        except OSError:
            return True
        return (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino)


def _write(handle: int, data: bytes, at: int) -> None:
    """Raises OSError also when there was room for a part only, which the kernel tells by the number."""
    if os.pwrite(handle, data, at) != len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _write_zeros(handle: int, begin: int) -> None:
    """To the end of the last slot. In blocks, or the kernel takes it all for one piece, and says that all of it is written
    each time."""
    for at in range(begin, SLOTS * SLOT_BYTES, BLOCK_BYTES):
        _write(handle, bytes(BLOCK_BYTES), at)


def _slot(kept: KeptBooking) -> bytes:
    booking = kept.booking
    plain = [
        kept.database,
        kept.commit,
        kept.number,
        rows_of_buckets(booking.buckets),
        _baseline_row(booking.baseline),
        dict(booking.facts),
    ]
    packed = zlib.compress(json.dumps(plain, separators=(",", ":")).encode(), 9)
    rest = b"%08x" % len(packed) + packed
    return b"%08x" % zlib.crc32(rest) + rest


def _read_slot(raw: bytes) -> KeptBooking | None:
    """None for one that is empty, or not whole."""
    try:
        length = int(raw[8:HEAD_BYTES], 16)
        rest = raw[8 : HEAD_BYTES + length]
        if len(rest) != HEAD_BYTES - 8 + length or int(raw[:8], 16) != zlib.crc32(rest):
            return None
        inflating = zlib.decompressobj()
        plain = inflating.decompress(rest[HEAD_BYTES - 8 :], PLAIN_BYTES_MAX)
        if not inflating.eof:
            return None
        database, commit, number, rows, baseline, facts = json.loads(plain)
        if not all(map(is_count, (database, commit, number))) or not _are_texts(facts):
            return None
        booking = Booking(tuple(buckets_of_rows(rows)), _baseline(baseline), facts)
    except (ValueError, TypeError, RecursionError, zlib.error):
        return None
    return KeptBooking(database, commit, number, booking)


def _are_texts(facts: Any) -> bool:
    return isinstance(facts, dict) and all(isinstance(each, str) for each in facts.values())


def _baseline_row(baseline: Baseline | None) -> list[Any] | None:
    if baseline is None:
        return None
    return [baseline.counters_id, [[mark, used.down, used.up] for mark, used in baseline.booked.items()]]


def _baseline(row: list[Any] | None) -> Baseline | None:
    """Raises ValueError or TypeError for one that no node wrote."""
    if row is None:
        return None
    counters_id, booked = row
    if not isinstance(counters_id, str) or not all(is_count(each) for counts in booked for each in counts):
        raise ValueError("no baseline")
    return Baseline(counters_id, {mark: Usage(Bytes(down), Bytes(up)) for mark, down, up in booked})

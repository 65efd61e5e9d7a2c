"""Journal next to the database: the changes since the last copy that must not be lost, synced before they are
confirmed.

The file starts with two lines of `LINE_BYTES`. The first says what it belongs to: the database number, the
commit of the copy that it continues, and whether copy and journal are complete together. The second holds the
last known commit and the end offset at that time. It is overwritten after each commit without a sync, so it
may be older than database and journal but never newer; a file that ends before that offset was truncated.
Then follows one line for each commit: eight hexadecimal digits of CRC-32, a space, and ``[commit, Unix time
in seconds, [change, ...]]`` in JSON. Zeros follow as reserved space, so that important changes can be written
even when the disk is full.
"""

import json
import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from node.synced_files import sync_folder

LINE_BYTES = 64
ROOM_BYTES = 256 * 1024
"""Reserved after the last line; a voucher that is used needs about 300 bytes."""
FILE_BYTES_MAX = 4 * 1024 * 1024
"""Limit for reading and writing; a new copy is due long before."""
COPY_DUE_BYTES = 1024 * 1024
_KIND = "procomu-journal-1"

Change = list[Any]
"""Made and applied by `node.storage.durable_changes`."""


@dataclass(frozen=True, slots=True)
class Entry:
    """The changes of one commit."""

    commit: int
    at_s: int
    """Unix time in seconds."""
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class JournalContents:
    """A journal as read. Unknown numbers are 0."""

    database: int = 0
    base: int = 0
    """The commit that it continues."""
    is_whole: bool = False
    """Whether no change is missing between the copy and the first line; without a copy, whether it covers the
    database from its creation."""
    head: int = 0
    """The last commit that the database is known to have had."""
    entries: tuple[Entry, ...] = ()
    unreadable: int = 0
    """Number of damaged or missing lines. An incomplete last line does not count: it was never confirmed."""
    end: int = 2 * LINE_BYTES
    is_on_disk: bool = False
    """Whether the file has the same content and can be appended to."""


NO_JOURNAL = JournalContents()


def read_journal(path: Path) -> JournalContents:
    """NO_JOURNAL if there is none or it cannot be read."""
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_BYTES_MAX)
    except OSError:
        return NO_JOURNAL
    first, second = _fields(raw[:LINE_BYTES]), _fields(raw[LINE_BYTES : 2 * LINE_BYTES])
    is_ours = len(first) == 4 and first[0] == _KIND
    entries, unreadable, end = _entries(raw)
    if raw:
        unreadable += (not is_ours) + (not second or (len(second) == 3 and end < int(second[2])))
    return JournalContents(
        database=int(first[1]) if is_ours else 0,
        base=int(first[2]) if is_ours else 0,
        is_whole=is_ours and first[3] == "1",
        head=int(second[0]) if second else 0,
        entries=entries,
        unreadable=unreadable,
        end=end,
        is_on_disk=is_ours,
    )


class Journal:
    """The journal open for writing. Used only from the writer thread; every method may raise OSError."""

    def __init__(self, path: Path, database: int, found: JournalContents) -> None:
        """Continue the journal that was found, or create one."""
        self.path, self.database = path, database
        self.base, self.is_whole = found.base, found.is_whole
        if not found.is_on_disk or found.database != database or not path.exists():
            _write(
                path, database, found.base, is_whole=found.is_whole, entries=found.entries, head=found.head
            )
            found = read_journal(path)
        self._fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self.end = found.end
        with suppress(OSError):  # on a full disk, the space reserved earlier is used
            self._clear_rest()
            self._keep_room()

    @property
    def is_gone(self) -> bool:
        """Whether the file was deleted or replaced."""
        try:
            there, ours = self.path.stat(), os.fstat(self._fd)
        except OSError:
            return True
        return (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino) or ours.st_size < 2 * LINE_BYTES

    def append(self, entry: Entry) -> None:
        """Synced to disk when this returns."""
        line = _line(entry)
        if self.end + len(line) > FILE_BYTES_MAX:
            raise OSError(f"{self.path} has its full size, and no copy of the database could be made")
        os.pwrite(self._fd, line, self.end)
        os.fdatasync(self._fd)
        self.end += len(line)
        with suppress(OSError):  # as in __init__
            self._keep_room()

    def mark(self, commit: int, at_s: int) -> None:
        """Record that the database has had this commit."""
        os.pwrite(self._fd, _fixed(str(commit), str(at_s), str(self.end)), LINE_BYTES)

    def begin_again(self, base: int, head: int, at_s: int) -> tuple[Entry, ...]:
        """After a copy up to the commit `base`: keep only newer entries, and return them."""
        entries = tuple(entry for entry in read_journal(self.path).entries if entry.commit > base)
        _write(self.path, self.database, base, is_whole=True, entries=entries, head=head, at_s=at_s)
        os.close(self._fd)
        self._fd = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        self.base, self.is_whole, self.end = base, True, read_journal(self.path).end
        return entries

    def close(self) -> None:
        os.close(self._fd)

    def _keep_room(self) -> None:
        wanted = min(self.end + ROOM_BYTES, FILE_BYTES_MAX)
        if os.fstat(self._fd).st_size < wanted:
            # In steps, because each change of the file size is one more write.
            os.posix_fallocate(self._fd, 0, min(wanted + ROOM_BYTES // 4, FILE_BYTES_MAX))
            os.fsync(self._fd)

    def _clear_rest(self) -> None:
        """Overwrite an incomplete last line with zeros; it would be taken for damage later."""
        rest = os.fstat(self._fd).st_size - self.end
        if rest > 0 and any(os.pread(self._fd, rest, self.end)):
            os.pwrite(self._fd, bytes(rest), self.end)


def _entries(raw: bytes) -> tuple[tuple[Entry, ...], int, int]:
    """The entries, the number of damaged lines before the last of them, and the offset for the next one."""
    entries: list[Entry] = []
    end, damaged, suspect = 2 * LINE_BYTES, 0, 0
    for start, line in _lines(raw):
        entry = _entry(line)
        if entry is None:
            suspect += 1
        else:
            entries.append(entry)
            end, damaged, suspect = start + len(line) + 1, damaged + suspect, 0
    return tuple(entries), damaged, end


def _lines(raw: bytes) -> Iterator[tuple[int, bytes]]:
    start = 2 * LINE_BYTES
    while (stop := raw.find(b"\n", start)) != -1:
        yield start, raw[start:stop]
        start = stop + 1


def _line(entry: Entry) -> bytes:
    text = json.dumps([entry.commit, entry.at_s, entry.changes], separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _entry(line: bytes) -> Entry | None:
    text = line[9:]
    if line[:9] != b"%08x " % zlib.crc32(text):
        return None
    commit, at_s, changes = json.loads(text)
    return Entry(commit, at_s, tuple(changes))


def _fixed(*fields: str) -> bytes:
    text = " ".join(fields).encode()
    return (b"%08x %s" % (zlib.crc32(text), text)).ljust(LINE_BYTES - 1) + b"\n"


def _fields(line: bytes) -> list[str]:
    """Empty if the line is damaged."""
    text = line[9:].rstrip()
    return text.decode().split(" ") if line[:9] == b"%08x " % zlib.crc32(text) else []


def _write(
    path: Path,
    database: int,
    base: int,
    *,
    is_whole: bool,
    entries: Iterable[Entry],
    head: int,
    at_s: int = 0,
) -> None:
    """Replace the file atomically."""
    temporary = path.with_name(path.name + ".new")
    lines = b"".join(map(_line, entries))
    end = 2 * LINE_BYTES + len(lines)
    with os.fdopen(
        os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb"
    ) as file:
        file.write(_fixed(_KIND, str(database), str(base), str(int(is_whole))))
        file.write(_fixed(str(head), str(at_s), str(end)))
        file.write(lines)
        file.flush()
        with suppress(OSError):  # on a full disk, the lines matter more than the reserved space
            os.posix_fallocate(file.fileno(), 0, min(end + ROOM_BYTES, FILE_BYTES_MAX))
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(path.parent)

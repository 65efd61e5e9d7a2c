"""A consistent copy of the database, made in steps in a separate thread so that writers do not wait; and salvage: the
rows of a damaged database that are still readable."""

import gzip
import logging
import os
import shutil
import sqlite3
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import Connection
from typing import BinaryIO
from urllib.parse import quote

from node.storage import usage_tables
from node.storage.integrity import UNREADABLE, check, lenient
from node.storage.migrations import INVENTORY
from node.storage.tables import pragma, table
from node.synced_files import sync_folder

log = logging.getLogger(__name__)

STEP_BYTES, SYNC_BYTES, PAUSE_S = 256 * 1024, 4 * 1024 * 1024, 0.05
"""Of the database for each step, then a pause, so that neither processor nor disk are busy for long; and for each sync."""
LEVEL = 6
"""Of gzip. The counts of a year become a quarter."""
PLAIN, NO_LOG = b"SQLite format 3\0", b"\1\1"
"""How a database begins; and what its bytes 18 and 19 are without a write-ahead log."""
EVERY_S = 23 * 3600
"""Including the time to make it, a copy is never older than a day while the node runs."""
AFTER_ERASURE_S = 6 * 3600
"""How long erased personal data may stay in the copy and in the journal."""
RETRY_S = 600


class Stopped(Exception):
    """The node is stopping; the copy was not made."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A usable copy."""

    commit: int
    made_s: float
    """Unix time in seconds."""


def commits_of(db: Connection) -> int:
    """Number of commits the database has had; 0 if it is not recorded."""
    return _count(db)[0]


def committed_at(db: Connection) -> int:
    """Unix time of the last commit in seconds; 0 if it is not recorded."""
    return _count(db)[1]


def save_commits(db: Connection, commits: int, at_s: float) -> None:
    usage_tables.save_facts(db, [(usage_tables.COMMITS, f"{commits} {int(at_s)}")])


def _count(db: Connection) -> tuple[int, int]:
    row = db.execute("SELECT value FROM facts WHERE name = ?", [usage_tables.COMMITS]).fetchone()
    fields = str(row[0]).split(" ") if row is not None else []
    return (int(fields[0]), int(fields[1])) if len(fields) == 2 and all(map(str.isdigit, fields)) else (0, 0)


def make_copy(source: Path, target: Path, *, pause_s: float, is_stopped: Callable[[], bool]) -> Copy:
    """Check the committed state, copy it compressed and replace the previous copy. Raises sqlite3.Error, OSError or
    Stopped; then the previous copy stays."""
    unfinished = target.with_name(target.name + ".new")
    unfinished.unlink(missing_ok=True)
    try:
        with _private(unfinished) as file:
            commit = _pack(source, file, pause_s, is_stopped)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(target)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    sync_folder(target.parent)
    return Copy(commit, time.time())


def _pack(source: Path, file: BinaryIO, pause_s: float, is_stopped: Callable[[], bool]) -> int:
    """One snapshot for the whole copy: later commits are not in it."""
    written = 0
    with closing(Snapshot(source)) as snapshot, gzip.GzipFile("", "wb", LEVEL, file, 0) as packed:
        while part := snapshot.read(STEP_BYTES):
            if is_stopped():
                raise Stopped
            # By itself it has no write-ahead log.
            packed.write(part if written else part[:18] + NO_LOG + part[20:])
            written += len(part)
            if pause_s:
                if not written % SYNC_BYTES:
                    file.flush()
                    os.fdatasync(file.fileno())
                time.sleep(pause_s)
    return snapshot.commit


def unpack(copy: Path, target: Path) -> None:
    """Makes the database that a copy is of; also of one that is not compressed. Raises OSError, or ValueError if the copy is
    damaged."""
    target.unlink(missing_ok=True)
    with copy.open("rb") as file, _private(target) as out:
        is_plain = file.read(len(PLAIN)) == PLAIN
        file.seek(0)
        try:
            shutil.copyfileobj(file if is_plain else gzip.GzipFile(fileobj=file), out, STEP_BYTES)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise ValueError(f"{copy} is damaged: {error}") from error


def _private(path: Path) -> BinaryIO:
    """A new file that only the node can read."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")


def open_to_read(path: Path) -> Connection:
    """The committed state of a database, also on a disk that has become read-only. Raises sqlite3.Error."""
    try:
        return _opened(path, "mode=ro")
    except sqlite3.OperationalError as error:
        has_log = path.with_name(f"{path.name}-wal").exists()
        if error.sqlite_errorcode != sqlite3.SQLITE_CANTOPEN or has_log:
            raise
    # SQLite wants to make a write-ahead log, although it will only read, and cannot.
    return _opened(path, "immutable=1")


def _opened(path: Path, how: str) -> Connection:
    db = sqlite3.connect(f"file:{quote(str(path))}?{how}", uri=True, isolation_level=None)
    db.text_factory = lenient
    try:
        db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        db.close()
        raise
    return db


class Snapshot:
    """The committed state of a database at one moment, as a file to be read once, without a copy on the disk. The node
    writes on meanwhile, but its write-ahead log grows until `close`. Raises sqlite3.Error."""

    def __init__(self, path: Path) -> None:
        self._db = open_to_read(path)
        try:
            self._db.execute("PRAGMA cache_size = 64")
            self._db.execute("BEGIN")
            self.schema = pragma(self._db, "user_version")
            self.commit = commits_of(self._db)
            self.size = pragma(self._db, "page_count") * pragma(self._db, "page_size")
            check(self._db)
            self._pages = self._db.execute("SELECT data FROM sqlite_dbpage")
        except BaseException:
            self._db.close()
            raise
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        parts, missing = [self._rest], size - len(self._rest)
        while missing > 0 and (row := self._pages.fetchone()) is not None:
            parts.append(row[0])
            missing -= len(row[0])
        whole = b"".join(parts)
        self._rest = whole[size:]
        return whole[:size]

    def close(self) -> None:
        self._db.close()


def find_copy(path: Path, database: int) -> Copy | None:
    """The copy, if it is intact and has this database number; 0 accepts any number. Raises OSError if there is no room to
    unpack it."""
    if not path.exists():
        return None
    plain = _unpacked(path)
    try:
        unpack(path, plain)
        connection = open_to_read(plain)
        try:
            check(connection)
            number = pragma(connection, "application_id")
            return Copy(commits_of(connection), path.stat().st_mtime) if database in {0, number} else None
        finally:
            connection.close()
    except (*UNREADABLE, ValueError) as error:
        log.warning("the copy %s of the database cannot be used: %s", path, error)
        return None
    finally:
        for suffix in ("", "-wal", "-shm"):
            plain.with_name(plain.name + suffix).unlink(missing_ok=True)


def _unpacked(copy: Path) -> Path:
    return copy.with_name(copy.name + ".read")


class Copier:
    """Schedules copies and makes them in a thread. Used only from the writer thread."""

    def __init__(self, source: Path, target: Path, wake: Callable[[], None]) -> None:
        self._source, self._target, self._wake = source, target, wake
        with suppress(OSError):  # left by a start that was killed while it read the copy
            _unpacked(target).unlink(missing_ok=True)
        self._due = time.monotonic() + EVERY_S
        self._begun = time.monotonic() - RETRY_S
        self._thread: threading.Thread | None = None
        self._stop, self._is_done = threading.Event(), threading.Event()
        self._made: Copy | None = None
        self._trouble = ""

    def want(self, within_s: float) -> None:
        self._due = min(self._due, time.monotonic() + within_s)

    def want_soon(self) -> None:
        """As soon as possible, but at most once in RETRY_S."""
        self.want(max(0.0, self._begun + RETRY_S - time.monotonic()))

    @property
    def is_running(self) -> bool:
        return self._thread is not None

    def seconds_left(self) -> float:
        return max(0.0, self._due - time.monotonic())

    def begin_if_due(self) -> None:
        if self._thread is None and self.seconds_left() <= 0:
            self._begun = time.monotonic()
            self._due = self._begun + EVERY_S
            self._is_done.clear()
            self._thread = threading.Thread(target=self._make, name="storage-copy", daemon=True)
            self._thread.start()

    def take(self) -> Copy | None:
        """The copy finished since the last call."""
        if self._thread is None or not self._is_done.is_set():
            return None
        self._thread.join()
        self._thread = None
        made, self._made = self._made, None
        if made is None and not self._stop.is_set():
            self.want(RETRY_S)
        return made

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def _make(self) -> None:
        try:
            self._made = make_copy(self._source, self._target, pause_s=PAUSE_S, is_stopped=self._stop.is_set)
            self._trouble = ""
        except Stopped:
            self._made = None
        except (*UNREADABLE, OSError) as error:
            if str(error) != self._trouble:
                self._trouble = str(error)
                log.warning("no copy of the database could be made: %s; it is tried again by itself", error)
        self._is_done.set()
        self._wake()


# Salvage: the rows of a damaged database that are still readable.

Row = tuple[object, ...]
NOT_IN_JOURNAL = frozenset({"contests"})
"""Tables that the journal does not cover. If there is a copy, only these are taken from a damaged file."""
_NOT_BELIEVED = frozenset({"facts", "baselines"})
"""Counter baselines and sign-in state are never taken from a damaged file; of the other, only what `take_waiting` takes."""


def salvage(damaged: Path, into: Connection, *, has_copy: bool, newer_than: int) -> int:
    """Insert the readable rows of `damaged` that `into` lacks; returns their number. `damaged` and its log
    are not changed. With `has_copy` (copy and journal are complete), only the tables in
    NOT_IN_JOURNAL are read, and only if the file is at least at the commit `newer_than`."""
    connection = _connect(damaged)
    if connection is None:
        return 0
    try:
        if has_copy and _commits(connection) < newer_than:
            return 0
        names = [kept.table for kept in INVENTORY if kept.table not in _NOT_BELIEVED]
        taken = sum(_take(connection, into, name) for name in names if not has_copy or name in NOT_IN_JOURNAL)
        return taken if has_copy else taken + _take_waiting(connection, into)
    finally:
        connection.close()


def _connect(path: Path) -> sqlite3.Connection | None:
    for how in ("mode=ro", "immutable=1"):
        with suppress(*UNREADABLE):
            return _opened(path, how)
    return None


def _commits(connection: sqlite3.Connection) -> int:
    try:
        return commits_of(connection)
    except UNREADABLE:
        return 0


def _take(connection: sqlite3.Connection, into: Connection, name: str) -> int:
    known = _columns(connection, name)
    columns = [column.name for column in table(into, name).columns if column.name in known]
    if not columns:
        return 0
    marks = ", ".join("?" * len(columns))
    put = f"INSERT OR IGNORE INTO {name} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608 - names of this schema only
    before = into.total_changes
    for row in _rows(connection, name, columns):
        try:
            into.execute(put, row)
        except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
            continue  # a value of another type than the column's is damage
    return into.total_changes - before


def _take_waiting(connection: sqlite3.Connection, into: Connection) -> int:
    """Counts that are not in the table of usage yet. Their row has a checksum."""
    try:
        return usage_tables.take_waiting(connection, into)
    except UNREADABLE:
        return 0


def _columns(connection: sqlite3.Connection, name: str) -> set[str]:
    """An older schema may have fewer columns; missing ones get their default."""
    try:
        return {column.name for column in table(connection, name).columns}
    except UNREADABLE:
        return set()


def _rows(connection: sqlite3.Connection, table: str, columns: list[str]) -> Iterator[Row]:
    """Forwards up to an unreadable page, then backwards from the end."""
    order = "node, incarnation, account, day" if table == "cells" else "rowid"
    backwards = ", ".join(f"{each} DESC" for each in order.split(", "))
    for direction in (order, backwards):
        try:
            yield from connection.execute(f"SELECT {', '.join(columns)} FROM {table} ORDER BY {direction}")  # noqa: S608
        except UNREADABLE:
            continue
        return

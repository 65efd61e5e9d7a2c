"""Reads the database from a data folder that is read-only."""

import os
import shutil
import sqlite3
import tempfile
import time
from pathlib import Path

from sqlite_utils import Database

from node.errors import StorageTrouble
from node.storage.copies import commits_of
from node.storage.durable_changes import HashedDevices, apply
from node.storage.integrity import check, lenient
from node.storage.journal import read_journal
from node.storage.migrations import MIGRATIONS
from node.storage.opening import DatabaseFiles, Opening

COPIED_BYTES_MAX = 48_000_000
"""Limit for a database whose write-ahead log must be read too; the copy may be in a RAM file system."""


def is_writable(folder: Path) -> bool:
    """Whether files can be created there; True if the folder does not exist yet."""
    try:
        return not os.statvfs(folder).f_flag & os.ST_RDONLY and os.access(folder, os.W_OK)
    except FileNotFoundError:
        return True
    except OSError:
        return False


class ReadOnlyFolder:
    """A database opened for reading only. Raises sqlite3.Error, OSError or StorageTrouble if that is not
    possible."""

    def __init__(self, files: DatabaseFiles, devices: HashedDevices, scratch: Path | None) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self.db = _as_it_is(files) or self._copied(files, devices, scratch)
        self.db.execute("PRAGMA query_only = ON")

    def close(self) -> None:
        self.db.conn.close()
        if self._folder is not None:
            self._folder.cleanup()

    def _copied(self, files: DatabaseFiles, devices: HashedDevices, scratch: Path | None) -> Database:
        """Open a temporary copy, with log and journal, which can be repaired."""
        size = sum(each.stat().st_size for each in files.database.parent.glob(f"{files.database.name}*"))
        if size > COPIED_BYTES_MAX:
            raise StorageTrouble(
                f"{files.database.parent} can only be read, and its {size} bytes are too many to copy",
                "make the folder writable",
            )
        self._folder = tempfile.TemporaryDirectory(prefix="procomu-", dir=scratch)
        there = DatabaseFiles(Path(self._folder.name) / files.database.name, files.keys)
        for suffix in ("", "-wal"):
            each = files.database.with_name(files.database.name + suffix)
            if each.exists():
                shutil.copyfile(each, there.database.with_name(each.name))
        for ours, theirs in ((files.copy, there.copy), (files.journal, there.journal)):
            if ours.exists():
                shutil.copyfile(ours, theirs)
        opened = Opening(there, devices, lambda: 1, time.time(), is_lasting=False).open()
        opened.db.execute("BEGIN IMMEDIATE")
        apply(opened.db, opened.owed, devices)
        opened.db.execute("COMMIT")
        return opened.db


def _as_it_is(files: DatabaseFiles) -> Database | None:
    """Open the file in place, if log and journal hold nothing more and the schema is current; None
    otherwise."""
    log = files.database.with_name(f"{files.database.name}-wal")
    if not files.database.exists() or (log.exists() and log.stat().st_size):
        return None
    connection = sqlite3.connect(
        f"file:{files.database}?immutable=1", uri=True, isolation_level=None, check_same_thread=False
    )
    connection.text_factory = lenient
    db = Database(connection)
    try:
        check(db)
        form = int(db.execute("PRAGMA user_version").fetchone()[0])
        found = read_journal(files.journal)
        if form == len(MIGRATIONS) and found.head <= commits_of(db) >= max(
            (e.commit for e in found.entries), default=0
        ):
            return db
    except sqlite3.DatabaseError:
        pass  # it may be damaged: `_copied` repairs it
    connection.close()
    return None

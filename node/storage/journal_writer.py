"""Journal part of each commit: what is written to it, what the database still lacks, and the commit numbers of both."""

import json
import logging
import time
import zlib
from collections.abc import Hashable, Iterable
from sqlite3 import Connection

from node.storage.copies import Copy, save_commits
from node.storage.durable_changes import HashedDevices, apply, row_key
from node.storage.journal import Change, Entry, Journal, JournalContents
from node.storage.opening import DatabaseFiles, Opened

log = logging.getLogger(__name__)


class JournalWriter:
    """Used only from the writer thread; lives as long as the open database."""

    def __init__(self, files: DatabaseFiles, devices: HashedDevices, opened: Opened) -> None:
        self._files, self._devices = files, devices
        found = opened.journal
        self._database = found.database
        self._journal: Journal | None = None
        self._trouble = ""
        self._owed = list(opened.owed)
        last = max((entry.commit for entry in found.entries), default=0)
        self.number = max(found.base, found.head, last)
        """Number of the last commit, or of the last attempt."""
        self._noted = last
        """The last commit whose changes are in the journal."""
        self._missed = 0
        """The last commit with a change that is in no journal; only a copy that includes it repairs this."""
        self._said: dict[Hashable, int] = {}
        self._remember(found.entries)
        self.erases = any(change[0] == "erased" for entry in found.entries for change in entry.changes)
        """Whether copy or journal still holds data of a person who asked for erasure."""
        try:
            self._journal = Journal(files.journal, found.database, found)
        except OSError as error:
            self._complain(error)

    @property
    def size(self) -> int:
        return self._journal.end if self._journal is not None else 0

    @property
    def is_broken(self) -> bool:
        """Whether changes are stored in the database only, until there is a new copy."""
        return self._journal is None or self._journal.is_gone or bool(self._trouble)

    def pay(self, db: Connection) -> bool:
        """Apply, in the open transaction, what the journal has and the database lacks. Returns whether there
        was any."""
        if self._owed:
            apply(db, self._owed, self._devices)
        return bool(self._owed)

    def note(self, changes: Iterable[Change]) -> None:
        """Write the changes of the next commit; synced to disk on return, unless the journal cannot be
        written."""
        fresh = [
            change for change in changes if self._said.get(row_key(change, self._devices)) != _sum(change)
        ]
        self.number += 1
        if not fresh:
            return
        if self._journal is None or self._journal.is_gone:
            self._missed = self.number
            return
        entry = Entry(self.number, int(time.time()), tuple(fresh))
        try:
            self._journal.append(entry)
        except OSError as error:
            self._missed = self.number
            self._complain(error)
            return
        self._owed.append(entry)
        self._noted = self.number
        self._remember((entry,))
        self.erases |= any(change[0] == "erased" for change in fresh)

    def count(self, db: Connection) -> None:
        """Store the commit number, inside the transaction."""
        save_commits(db, self.number, time.time())

    def committed(self) -> None:
        """Called after the commit."""
        self._owed.clear()
        if self._journal is not None:
            try:
                self._journal.mark(self.number, int(time.time()))
            except OSError as error:
                self._complain(error)

    def copied(self, copy: Copy) -> bool:
        """A copy was made: drop what it includes from the journal. False if another copy is needed, because
        copy and journal are not complete together."""
        if self._journal is not None and self._journal.is_gone:
            self._missed = max(self._missed, self._noted)
        if copy.commit < self._missed:
            return False
        try:
            if self._journal is None:
                self._journal = Journal(self._files.journal, self._database, JournalContents(self._database))
            kept = self._journal.begin_again(copy.commit, self.number, int(time.time()))
        except OSError as error:
            self._complain(error)
            return False
        self._trouble = ""
        self._said.clear()
        self._remember(kept)
        self.erases = any(change[0] == "erased" for entry in kept for change in entry.changes)
        return True

    def close(self) -> None:
        if self._journal is not None:
            self._journal.close()

    def _remember(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            for change in entry.changes:
                self._said[row_key(change, self._devices)] = _sum(change)

    def _complain(self, error: OSError) -> None:
        if str(error) != self._trouble:
            log.warning("the journal %s cannot be written: %s", self._files.journal, error)
        self._trouble = str(error)


def _sum(change: Change) -> int:
    return zlib.crc32(json.dumps(change).encode())

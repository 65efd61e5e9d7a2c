"""Opens the database, or restores it from the copy and the journal if it is missing or damaged.

A database that is missing, empty, damaged, replaced or older than before is never taken for a new one if a
marker, a copy or a journal shows that there was one.
"""

import logging
import re
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from sqlite3 import Connection

from node.accounting.ledger import Booking
from node.errors import StorageTrouble
from node.storage import copies
from node.storage.booking_file import booking_file, kept_since
from node.storage.copies import Copy, commits_of, committed_at, find_copy, salvage, save_commits, unpack
from node.storage.durable_changes import HashedDevices, apply
from node.storage.integrity import check, drop_suspects, lenient
from node.storage.journal import Entry, JournalContents, read_journal
from node.storage.losses import LOSSES, MARKER, Loss, Marker, at, read_marker, write_loss, write_marker
from node.storage.migrations import MIGRATIONS, migrate, refuse_newer
from node.storage.tables import pragma, table_names
from node.storage.usage_tables import forget_baselines, merge_waiting
from node.synced_files import sync_folder

log = logging.getLogger(__name__)

LOCKED_S = 1.0
"""How long to wait for another process's lock before it counts as trouble."""
LOG_PAGES = 256
"""Of the write-ahead log."""
PRIVATE_MODE = 0o600
HEADER_BYTES = 100
"""A shorter file contains nothing."""
NOT_RESTORED = ("incarnation", "counters_id", "bookings", "booked_day", "admin_sign_in")
"""Node state that is not restored, so that bytes counted since are not booked twice, and an admin who signed
out is not signed in again."""


@dataclass(frozen=True, slots=True)
class DatabaseFiles:
    """Paths of all files."""

    database: Path
    keys: Path
    """The folder of the node's key."""

    @property
    def copy(self) -> Path:
        return self.database.with_name(f"{self.database.name}.copy")

    @property
    def journal(self) -> Path:
        return self.database.with_name(f"{self.database.stem}.journal")

    @property
    def bookings(self) -> Path:
        return booking_file(self.database)

    @property
    def marker(self) -> Path:
        return self.keys / MARKER

    @property
    def losses(self) -> Path:
        return self.database.with_name(LOSSES)


@dataclass(slots=True)
class Opened:
    """An intact database with the newest schema."""

    db: Connection
    journal: JournalContents
    """The journal to continue."""
    owed: tuple[Entry, ...] = ()
    """Entries in the journal that the database lacks."""
    kept: Booking | None = None
    """Bookings in their own file that the database lacks."""
    losses: list[Loss] = field(default_factory=list)
    set_aside: Path | None = None


def connect(path: Path) -> Connection:
    """Open or create a database. Raises sqlite3.Error."""
    path.touch(mode=PRIVATE_MODE)
    path.chmod(PRIVATE_MODE)  # before it is opened: SQLite gives the write-ahead log the mode of the database
    db = sqlite3.connect(path, isolation_level=None, timeout=LOCKED_S, check_same_thread=False)
    try:
        db.text_factory = lenient
        db.execute("PRAGMA journal_mode = WAL")
        # FULL, not NORMAL: a power cut must not lose a confirmed change.
        db.execute("PRAGMA synchronous = FULL")
        # While the log grows, the file system writes more of its own than the node does: so it begins again after these.
        db.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
        db.execute("PRAGMA cache_size = -1000")  # kB; the kernel keeps the file as well
        # Overwrite deleted data; Debian's SQLite does this by default, other builds do not.
        db.execute("PRAGMA secure_delete = ON")
    except BaseException:
        db.close()
        raise
    return db


class Opening:
    """One attempt to open the database, with its repairs. Raises sqlite3.Error, OSError or StorageTrouble."""

    def __init__(
        self,
        files: DatabaseFiles,
        devices: HashedDevices,
        new_number: Callable[[], int],
        now_s: float,
        *,
        is_lasting: bool = True,
    ) -> None:
        """`is_lasting`: False for a temporary copy of a read-only folder, where markers and losses are not
        written."""
        self._files, self._devices, self._new_number, self._now_s = files, devices, new_number, now_s
        self._is_lasting = is_lasting
        self._marker = read_marker(files.marker)
        self._journal = read_journal(files.journal)
        self._losses: list[Loss] = []
        self._set_aside: Path | None = None

    def open(self, damage: str = "") -> Opened:
        """`damage`: what the running node found wrong with the file; empty at start."""
        if self._files.database.exists():
            self._finish_setting_aside()
        cause = damage or self._why_nothing_is_there()
        opened = None
        if not cause:
            opened, cause = self._open_what_is_there()
        if opened is None:
            opened = self._restore(cause)
        opened.losses, opened.set_aside = self._losses, self._set_aside
        self._finish_setting_aside()
        make_room(self._files.database)
        if self._is_lasting:
            self._mark(opened.db)
        return opened

    # --- the existing file ----------------------------------------------------------------

    def _why_nothing_is_there(self) -> str:
        path = self._files.database
        size = path.stat().st_size if path.exists() else -1
        if size >= HEADER_BYTES or not self._was_there():
            return ""
        return "was gone" if size < 0 else "was empty"

    def _was_there(self) -> bool:
        known = self._marker is not None or self._journal.database != 0 or self._files.copy.exists()
        return known or self._unfinished() is not None

    def _open_what_is_there(self) -> tuple[Opened | None, str]:
        """The database, or the reason not to use it."""
        is_new = not self._files.database.exists() or not self._files.database.stat().st_size
        try:
            db = connect(self._files.database)
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            if not _is_unreadable(error):
                raise
            return None, f"was damaged ({error})"
        try:
            refuse_newer(db)
            cause = self._why_unsound(db) or self._why_not_this(db)
            if not cause:
                self._migrate(db)
                return self._sound(db, is_new=is_new), ""
        except BaseException:
            _leave(db)
            raise
        _leave(db)
        return None, cause

    def _why_unsound(self, db: Connection) -> str:
        try:
            check(db)
            if _has_facts(db):
                commits_of(db)
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            if not _is_unreadable(error):
                raise
            return f"was damaged ({error})"
        return ""

    def _why_not_this(self, db: Connection) -> str:
        """Why an intact database is not the expected one, if copy or journal hold a better one; empty if it
        is used."""
        number, form = pragma(db, "application_id"), pragma(db, "user_version")
        expected = self._expected()
        if not expected:
            return ""
        is_other = number != expected
        if not is_other and (not _has_facts(db) or commits_of(db) >= self._copied_up_to(expected)):
            return "" if form and _has_facts(db) else "had lost its tables"
        copy = find_copy(self._files.copy, expected)
        is_better = copy is not None or (self._journal.database == expected and self._journal.is_whole)
        if is_other:
            return "was another one than before" if is_better else self._adopt_other(db)
        return "was older than its copy" if is_better else ""

    def _copied_up_to(self, expected: int) -> int:
        """A commit that the database has certainly had."""
        if self._journal.database == expected:
            return self._journal.base
        copy = find_copy(self._files.copy, expected)
        return copy.commit if copy is not None else 0

    def _adopt_other(self, db: Connection) -> str:
        since = self._marker.since if self._marker is not None else ""
        self._lose(
            "was another one than before",
            f"It is used as it is; the one of before is lost, with all since {since}.",
        )
        self._journal = JournalContents(
            database=pragma(db, "application_id"), base=commits_of(db) if _has_facts(db) else 0
        )
        return ""

    def _expected(self) -> int:
        return self._marker.database if self._marker is not None else self._journal.database

    def _migrate(self, db: Connection) -> None:
        form = pragma(db, "user_version")
        if 0 < form < len(MIGRATIONS):
            copies.make_copy(self._files.database, self._files.copy, pause_s=0, is_stopped=lambda: False)
        migrate(db)

    def _sound(self, db: Connection, *, is_new: bool) -> Opened:
        number = pragma(db, "application_id")
        if not number:
            number = self._new_number()
            db.execute(f"PRAGMA application_id = {number}")
        found, commits = self._journal, commits_of(db)
        is_ours = found.database == number or (not found.database and bool(found.entries))
        if is_ours and commits < found.head:
            self._gone_back(db, found, commits)
        elif found.database != number and (found.database or found.entries):
            self._lose_journal(found)
        if not is_ours:
            found = JournalContents(database=number, base=commits, is_whole=is_new)
        elif not found.database:  # only the header line is damaged; the entries are valid
            found = replace(found, database=number, base=commits, is_whole=False)
        owed = tuple(entry for entry in found.entries if entry.commit > commits)
        kept = kept_since(db, self._files.bookings)
        return Opened(db, replace(found, head=max(found.head, commits)), owed, kept)

    def _gone_back(self, db: Connection, found: JournalContents, commits: int) -> None:
        """Committed changes are missing: the write-ahead log was damaged or deleted."""
        self._forget_bookings()
        db.execute("BEGIN IMMEDIATE")
        _forget_facts(db)
        db.execute("COMMIT")
        since = at(committed_at(db)) or "its last copy"
        lost = (
            _lost_in_part(since)
            if found.unreadable
            else "Vouchers, passphrases, devices of accounts, revocations and erasures came back from the journal."
            f"{_what_is_lost(since)}"
        )
        self._lose(
            f"lost its last {found.head - commits} changes, since its log was damaged or deleted", lost
        )

    def _forget_bookings(self) -> None:
        """What was kept beside a lost database would count again what `NOT_RESTORED` is about."""
        self._files.bookings.unlink(missing_ok=True)

    # --- restoring ------------------------------------------------------------------------

    def _restore(self, cause: str) -> Opened:
        files, expected = self._files, self._expected()
        damaged = self._put_aside()
        copy = find_copy(files.copy, expected)
        building = files.database.with_name(f"{files.database.name}.new")
        for each in _with_logs(building):
            each.unlink(missing_ok=True)
        if copy is not None:
            unpack(files.copy, building)
        db = connect(building)
        try:
            rows, failed = self._fill(db, copy, damaged)
            number = expected or pragma(db, "application_id") or self._new_number()
            db.execute(f"PRAGMA application_id = {number}")
            db.execute(
                "PRAGMA journal_mode = DELETE"
            )  # leave no write-ahead log, whose name would not match after the rename
        finally:
            db.close()
        self._tell_restored(
            cause, copy, rows, failed
        )  # before the rename: if the start is killed now, the loss is reported twice rather than never
        self._forget_bookings()
        building.replace(files.database)
        sync_folder(files.database.parent)
        db = connect(files.database)
        commits = commits_of(db)
        if self._is_exact(copy) and not failed:
            found = replace(self._journal, head=commits)
        else:  # the readable entries are needed until there is a new copy
            found = JournalContents(number, commits, head=commits, entries=self._entries())
        return Opened(db, found)

    def _entries(self) -> tuple[Entry, ...]:
        """The entries of the journal, unless it belongs to another database."""
        return self._journal.entries if self._journal.database in {0, self._expected()} else ()

    def _fill(self, db: Connection, copy: Copy | None, damaged: Path | None) -> tuple[int, int]:
        """Number of rows salvaged from the damaged file, and of journal changes that could not be applied."""
        migrate(db)
        base = copy.commit if copy is not None else 0
        rows = 0
        db.execute("BEGIN IMMEDIATE")
        if damaged is not None:
            rows = salvage(damaged, db, has_copy=self._is_exact(copy), newer_than=base)
            rows -= drop_suspects(db)
        entries = tuple(entry for entry in self._entries() if entry.commit > base)
        failed = apply(db, entries, self._devices)
        _forget_facts(db)
        last = max(base, self._journal.head, *(entry.commit for entry in entries), 0)
        save_commits(db, last, copy.made_s if copy is not None else self._now_s)
        db.execute("COMMIT")
        check(db)
        return rows, failed

    def _is_exact(self, copy: Copy | None) -> bool:
        """Whether copy and journal together hold everything that must not be lost."""
        found = self._journal
        is_ours = bool(found.database) and found.database == self._expected()
        is_joined = found.base <= copy.commit if copy is not None else found.base == 0
        return is_ours and found.is_whole and not found.unreadable and is_joined

    def _tell_restored(self, cause: str, copy: Copy | None, rows: int, failed: int) -> None:
        began = (
            at(copy.made_s)
            if copy is not None
            else (self._marker.since if self._marker else "") or "the beginning"
        )
        if self._is_exact(copy) and not failed:
            lost = (
                "Vouchers, passphrases, devices of accounts, revocations and erasures came back as they were."
                f"{_what_is_lost(began)}"
            )
        elif copy is not None:
            lost = f"What stood in the copy of {began} came back. {_lost_in_part(began)}"
        else:
            lost = (
                f"There was no copy. {rows} rows could be read from the damaged file; everything else since {began} is "
                "lost, and a voucher that was printed before may be unknown now."
            )
        self._lose(cause, lost)

    def _lose_journal(self, found: JournalContents) -> None:
        self._lose(
            "has a journal that cannot be used",
            f"Nothing else is known to be lost; {len(found.entries)} changes stood in it.",
        )

    def _lose(self, cause: str, lost: str) -> None:
        loss = Loss(at(self._now_s), cause, lost, str(self._set_aside or ""))
        self._losses.append(loss)
        if self._is_lasting:
            report_loss(self._files, loss)

    def _put_aside(self) -> Path | None:
        """Path of the damaged file until the restored one replaces it; then it gets its final name. If the
        start is killed in between, the next start continues."""
        path = self._files.database
        there = [each for each in _with_logs(path) if each.exists()]
        damaged = self._unfinished()
        if damaged is None:
            if not any(each.stat().st_size for each in there):
                for each in there:
                    each.unlink()
                return None
            damaged = path.with_suffix(f".damaged-{self._free_second(there)}")
        for each in there:  # the write-ahead log may hold data that the damaged file lacks
            each.rename(_named_aside(damaged, each, path))
        self._set_aside = _told_as(damaged)
        return damaged

    def _unfinished(self) -> Path | None:
        found = sorted(self._files.database.parent.glob(f"{self._files.database.stem}.damaged-*"))
        return next((each for each in found if not each.name.endswith(("-wal", "-shm"))), None)

    def _finish_setting_aside(self) -> None:
        for each in self._files.database.parent.glob(f"{self._files.database.stem}.damaged-*"):
            each.rename(_told_as(each))

    def _free_second(self, there: list[Path]) -> int:
        """Timestamp for the file name, later than those before it even if the clock is not set."""
        second = int(max(self._now_s, *(each.stat().st_mtime for each in there)))
        while self._files.database.with_suffix(f".corrupt-{second}").exists():
            second += 1
        return second

    def _mark(self, db: Connection) -> None:
        number, form = pragma(db, "application_id"), pragma(db, "user_version")
        before = self._marker
        since = before.since if before is not None and before.since else at(self._now_s)
        marker = Marker(number, since, form)
        if marker == before:
            return
        try:
            write_marker(self._files.marker, marker)
        except OSError as error:
            log.warning(
                "%s cannot be written: %s; a lost database may not be noticed", self._files.marker, error
            )


def report_loss(files: DatabaseFiles, loss: Loss) -> None:
    """Log the loss, and report it elsewhere until it is acknowledged."""
    log.warning("%s", loss.text)
    try:
        write_loss(files.losses, loss)
    except OSError as error:
        log.warning("%s cannot be written: %s", files.losses, error)


def rescue(gone: Connection, files: DatabaseFiles) -> bool:
    """Write the content of an open database, whose file was deleted or replaced, to its path again. False if
    it can no longer be read."""
    building = files.database.with_name(f"{files.database.name}.new")
    for each in _with_logs(building):
        each.unlink(missing_ok=True)
    db = connect(building)
    try:
        gone.backup(db)
        check(db)
        db.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error:
        return False
    finally:
        db.close()
    aside = files.database.with_suffix(f".replaced-{int(time.time())}")
    for each in _with_logs(files.database):
        if each.exists():
            each.rename(_named_aside(aside, each, files.database))
    building.replace(files.database)
    sync_folder(files.database.parent)
    return True


def is_damage(error: Exception) -> bool:
    """Whether the file itself is damaged; disk errors and constraint violations have other exception
    classes."""
    is_cut_off = getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_IOERR_SHORT_READ
    return type(error) is sqlite3.DatabaseError or is_cut_off


def _is_unreadable(error: Exception) -> bool:
    """As `is_damage`, for a file not read before: also an unknown schema, or names that are not UTF-8."""
    is_unknown = getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_ERROR
    return is_damage(error) or is_unknown or isinstance(error, UnicodeDecodeError)


def file_at(path: Path) -> tuple[int, int] | None:
    """Device and inode of the file; None if there is none or it is empty."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if found.st_size >= HEADER_BYTES else None


def _what_is_lost(since: str) -> str:
    return f" Lost are counts of bytes, names of devices, contests and who was online, since {since}."


def _lost_in_part(since: str) -> str:
    return (
        f"What changed since {since} is lost, as far as the journal does not have it: vouchers that were printed or "
        "used, revocations, erasures, passphrases."
    )


def _told_as(damaged: Path) -> Path:
    return damaged.with_name(damaged.name.replace(".damaged-", ".corrupt-"))


def _named_aside(aside: Path, each: Path, path: Path) -> Path:
    """New path for the database or one of its logs, which SQLite finds by their suffix."""
    return aside.with_name(aside.name + each.name[len(path.name) :])


def _with_logs(path: Path) -> tuple[Path, ...]:
    return tuple(path.with_name(path.name + suffix) for suffix in ("", "-wal", "-shm"))


def _leave(db: Connection) -> None:
    """Close without a checkpoint: the log may be needed for salvage."""
    db.setconfig(sqlite3.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, True)
    db.close()


def _has_facts(db: Connection) -> bool:
    return "facts" in table_names(db)


def _forget_facts(db: Connection) -> None:
    merge_waiting(db)
    marks = ", ".join("?" * len(NOT_RESTORED))
    db.execute(f"DELETE FROM facts WHERE name IN ({marks})", list(NOT_RESTORED))  # noqa: S608
    forget_baselines(db)


def prepare_restored(path: Path) -> None:
    """Makes the database of a backup ready to be opened by a node: its counts go on in another incarnation, links and
    sessions of admins are over, and it gets a number of its own, so that no journal or copy is taken for its own. Raises
    StorageTrouble if a newer version made it, and sqlite3.Error if it cannot be used."""
    # Logs of another file of this name, whose restore was killed: SQLite would take them for this one's.
    for suffix in ("-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    db = sqlite3.connect(path, isolation_level=None)
    try:
        db.text_factory = lenient
        if not refuse_newer(db):
            raise sqlite3.DatabaseError("it has no tables")
        check(db)
        db.execute("PRAGMA secure_delete = ON")
        migrate(db)
        with db:
            db.execute("BEGIN IMMEDIATE")
            _forget_facts(db)
        db.execute("PRAGMA application_id = 0")
        db.execute("PRAGMA journal_mode = DELETE")
    finally:
        db.close()


def trouble_of(path: Path, error: Exception) -> StorageTrouble:
    return StorageTrouble(f"the database {path} cannot be opened: {error}", fix(path))


def fix(path: Path) -> str:
    return f"make room, or make {path.parent} writable; nothing in memory is lost and writing is tried again by itself"


# Retention of damaged and replaced database files that were moved aside.

FIRST_KEPT, LAST_KEPT = 4, 4
"""Number of databases kept, so that a failing disk is not filled by them. The first ones hold the most
data."""
_SET_ASIDE = re.compile(r"\.(corrupt|replaced)-(\d{1,12})(?:-wal|-shm)?")
_FACT = "aside:"
"""Prefix of the rows in `facts` that record, for each file, the day on which it was first found."""


def forget_set_aside(db: Connection, database: Path, today: str, found_before: str) -> None:
    """Delete files moved aside next to `database` and first found before the day `found_before`.

    Call only while the clock is known. The timestamps in the file names are not used, because the clock may
    have been wrong when they were written. Data of people who asked for erasure may be in such a file, so it
    is not kept longer.
    """
    there = {each.name: each for each in _set_aside(database)}
    rows = db.execute("SELECT name, value FROM facts WHERE name LIKE ?", [f"{_FACT}%"]).fetchall()
    found = {name.removeprefix(_FACT): day for name, day in rows}
    for name in found.keys() - there.keys():
        db.execute("DELETE FROM facts WHERE name = ?", [_FACT + name])
    for name in there.keys() - found.keys():
        db.execute("INSERT INTO facts VALUES (?, ?)", [_FACT + name, today])
    for name in there.keys() & found.keys():
        # A day in the future was written by a wrong clock.
        if found[name] > today:
            db.execute("UPDATE facts SET value = ? WHERE name = ?", [today, _FACT + name])
        elif found[name] < found_before:
            _delete(there[name])


def make_room(database: Path) -> None:
    """Delete all databases moved aside next to `database`, except the first and the last few."""
    groups: dict[tuple[int, str], list[Path]] = {}
    for each, found in _set_aside(database).items():
        groups.setdefault((int(found[2]), found[1]), []).append(each)
    for name in sorted(groups)[FIRST_KEPT:-LAST_KEPT]:
        for each in groups[name]:
            _delete(each)


def _set_aside(database: Path) -> dict[Path, re.Match[str]]:
    there = {
        each: _SET_ASIDE.fullmatch(each.name, len(database.stem))
        for each in database.parent.glob(f"{database.stem}.*-*")
    }
    return {each: found for each, found in there.items() if found is not None}


def _delete(path: Path) -> None:
    try:
        path.unlink()
    except OSError as error:
        log.warning("a damaged file that was set aside cannot be deleted: %s", error)

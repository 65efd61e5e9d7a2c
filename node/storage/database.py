"""One SQLite database and one writer thread; waiting writes share a commit, each in its own savepoint."""

import asyncio
import contextlib
import logging
import os
import queue
import secrets
import shutil
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import Connection
from typing import Any

from node.accounting.ledger import Booking
from node.errors import StorageSlow, StorageTrouble
from node.storage.booking_file import BookingFile, joined, kept_since
from node.storage.copies import AFTER_ERASURE_S, EVERY_S, Copier, commits_of
from node.storage.durable_changes import HashedDevices, apply
from node.storage.erased_text import ErasedTexts, empties_log
from node.storage.integrity import UNREADABLE, check, lenient
from node.storage.journal import COPY_DUE_BYTES, Change, read_journal
from node.storage.journal_writer import JournalWriter
from node.storage.losses import Loss, acknowledge, at, read_losses
from node.storage.migrations import MIGRATIONS
from node.storage.opening import (
    DatabaseFiles,
    Opened,
    Opening,
    file_at,
    fix,
    is_damage,
    report_loss,
    rescue,
    trouble_of,
)
from node.storage.tables import pragma
from node.storage.usage_tables import WAITING_MAX, save_booking

log = logging.getLogger(__name__)

type Work[T] = Callable[[Connection], T]
Noting = Callable[[Connection, HashedDevices], list[Change]]
"""Called before the work is done; returns its changes for the journal."""

TOGETHER_MAX = 512
RETRY_OPENING_S = 5.0
ANSWER_S = 3.0
"""How long callers wait for a slow disk; after that they get StorageTrouble and repeat the write later."""
FIRST_COPY_S = 300.0
"""A new database is covered by its journal; its first copy waits until the start is over."""
AGAIN_S = 30.0
"""When to make another copy, if changes that are in no journal were committed during the last one."""
LOOK_S = 10.0
"""How often to check that the file still exists while nothing is written."""


class Store:
    """Runs functions on the database, in order. When a call returns, its changes are synced to disk.

    While the data folder is not usable, every call raises StorageTrouble at once and opening is retried
    later; the callers keep their state in memory. From a read-only folder, data is read.
    """

    def __init__(
        self, path: Path, *, keys: Path | None = None, key: bytes = b"", scratch: Path | None = None
    ) -> None:
        """`keys` is the folder of the node's key; a marker file there records that a database exists. `key`
        is the HMAC key that pseudonymizes devices in the journal. `scratch` is a writable folder for when the
        data folder is read-only."""
        self.path, self._files, self._devices = (
            path,
            DatabaseFiles(path, keys or path.parent),
            HashedDevices(key),
        )
        self._scratch = scratch
        self.set_aside: Path | None = None
        """Path to which a corrupt database was moved."""
        self.losses: tuple[str, ...] = ()
        """Sentences about data losses that nobody has acknowledged."""
        self.generation = 0
        """Increased when a different file is opened: what was stored before may be missing in it."""
        self._file: tuple[int, int] | None = None
        self._opened_last: tuple[tuple[int, int] | None, int] | None = None
        self._damage = ""
        self._leaves_traces = False
        self._erased = ErasedTexts(path)
        self._is_closed = False
        self._queue: queue.SimpleQueue[tuple[Work[Any], Noting | None, Future[Any]] | None] = (
            queue.SimpleQueue()
        )
        self._db: Connection | None = None
        self._notes: JournalWriter | None = None
        self._reading: ReadOnlyFolder | None = None
        self._bookings = BookingFile(self._files.bookings)
        self._kept: Booking | None = None
        """What is in the file of bookings and not in the database."""
        self._copier = Copier(path, self._files.copy, self._wake)
        self._trouble: StorageTrouble | None = None
        self._tried = self._looked = 0.0
        self._thread = threading.Thread(target=self._serve, name="storage", daemon=True)
        self._thread.start()

    async def run[T](self, work: Work[T], noting: Noting | None = None) -> T:
        """Run `work` in a transaction, shared with other writes. The changes from `noting` also go into the
        journal. Cancelling the caller does not undo the work."""
        try:
            return await asyncio.wait_for(asyncio.wrap_future(self._submit(work, noting)), ANSWER_S)
        except TimeoutError as error:
            raise StorageSlow(
                f"the data folder {self.path.parent} has not answered for {ANSWER_S:g} s",
                "look at its disk; writing is tried again by itself",
            ) from error

    def run_blocking[T](self, work: Work[T]) -> T:
        """As `run`, for callers without an event loop."""
        return self._submit(work, None).result()

    async def read[T](self, work: Work[T]) -> T:
        """As `run`, for work that only reads, and not what is booked: bookings that wait beside the database stay there."""
        return await self.run(ReadOnly(work))

    async def keep(self, booking: Booking) -> None:
        """As `run` with `save_booking`, but without a transaction where nothing else is to be written: the booking waits
        in a file of its own, and the next transaction takes it along. All work of `run` finds it in the database. Not for
        bookings with recounted days or with intervals."""
        assert not booking.recounted, "a day that is counted again replaces what the database has"
        await self.run(KeepBooking(booking))

    async def acknowledge(self) -> None:
        """The data losses were read."""
        await self.run(lambda _db: self._acknowledge())

    def leave_no_traces(self, *texts: str) -> None:
        """Called by work that erases data: after the commit and its answer, the write-ahead log is truncated so that no
        older page keeps the data, and the file is written again if one of these texts is still in it. Retried at a later
        commit while another process reads the database, or the disk is full."""
        self._leaves_traces = True
        self._erased.add(texts)

    async def looked_for_traces(self) -> None:
        """Returns when traces of the work before were looked for; after ANSWER_S at the latest, while the search goes on."""
        with contextlib.suppress(StorageTrouble):
            await self.read(lambda _db: None)

    def close(self) -> None:
        """Finish the queued work, then close: later work is refused. May be called twice."""
        self._is_closed = True
        self._queue.put(None)
        self._thread.join(timeout=10)

    # --- writer thread ------------------------------------------------------------------------

    def _submit[T](self, work: Work[T], noting: Noting | None) -> "Future[T]":
        future: Future[T] = Future()
        if self._is_closed:
            future.set_exception(
                StorageTrouble(f"the database {self.path} is closed", "start the node again")
            )
        else:
            self._queue.put((work, noting, future))
        return future

    def _wake(self) -> None:
        """Called by the thread that made a copy."""
        self._submit(lambda _db: None, None)

    def _serve(self) -> None:
        while True:
            try:
                item = self._queue.get(timeout=min(LOOK_S, self._copier.seconds_left() or RETRY_OPENING_S))
            except queue.Empty:
                self._look()
                continue
            together: list[Waiting] = []
            while item is not None:
                together.append(item)
                if len(together) >= TOGETHER_MAX or self._queue.empty():
                    break
                item = self._queue.get()
            if together:
                self._commit_or_tell(together)
            if item is None:
                return self._end()
            self._look_after_copies()

    def _commit_or_tell(self, together: "list[Waiting]") -> None:
        try:
            self._commit(together)
        except Exception as error:
            # A bug, or damage with an unexpected exception: the thread must survive and retry.
            log.exception("the database could not be used")
            trouble = self._fail(trouble_of(self.path, error))
            self._close()
            for _, _, future in together:
                if not future.done():
                    _settle(future, None, trouble)

    def _end(self) -> None:
        self._copier.stop()
        if self._kept is not None:
            self._commit_or_tell([(lambda _db: None, None, Future())])
        self._bookings.close()
        self._close()

    def _look(self) -> None:
        """Periodic checks while the queue is empty."""
        try:
            if self._db is not None:
                self._opened()
                self._read_losses()
        except (sqlite3.Error, StorageTrouble) as error:
            self._fail(error)
        self._look_after_copies()

    def _look_after_copies(self) -> None:
        if self._db is None or self._notes is None:
            return
        if self.losses and time.monotonic() - self._looked > LOOK_S:
            self._read_losses()
        copy = self._copier.take()
        if copy is not None and not self._notes.copied(copy):
            self._copier.want(AGAIN_S)
        if self._copier.is_running:
            return  # decided when the copy is finished
        if self._notes.is_broken or self._notes.size > COPY_DUE_BYTES:
            self._copier.want_soon()
        elif self._notes.erases:
            self._copier.want(AFTER_ERASURE_S)
        self._copier.begin_if_due()

    def _commit(self, together: "list[Waiting]") -> None:
        if self._db is None and not is_writable(self.path.parent):
            self._read(together)
            return
        done: list[Done] = []
        try:
            # What must not be lost is tried at once: on a full disk it is in the journal after the attempt.
            db = self._opened(is_urgent=any(noting is not None for _, noting, _ in together))
            assert self._notes is not None, "opened with the database"
            if self._keeps(db, together):
                return
            self._write(db, self._notes, together, done)
        except (sqlite3.Error, StorageTrouble) as error:
            trouble = self._fail(error)
            # Reads that succeeded before the failure are valid.
            settled = {id(each.future) for each in done if not each.has_changed and each.problem is None}
            for each in done:
                if id(each.future) in settled:
                    _settle(each.future, each.result, None)
            for _, _, future in together:
                if id(future) not in settled:
                    _settle(future, None, trouble)
            return
        for each in done:
            _settle(each.future, each.result, each.problem)
        self._remove_traces(db)

    def _keeps(self, db: Connection, together: "list[Waiting]") -> bool:
        """Whether all of it is bookings, which are on the disk now beside the database."""
        kept = self._kept
        for work, _, _ in together:
            if not isinstance(work, KeepBooking):
                return False
            kept = joined(kept, work.booking)
        if kept is None or len(kept.buckets) > WAITING_MAX or not self._put(db, kept):
            return False
        self._kept = kept
        for _, _, future in together:
            _settle(future, None, None)
        return True

    def _put(self, db: Connection, kept: Booking) -> bool:
        return self._bookings.write(pragma(db, "application_id"), commits_of(db), kept)

    def _write(
        self, db: Connection, notes: JournalWriter, together: "list[Waiting]", done: "list[Done]"
    ) -> None:
        db.execute("BEGIN IMMEDIATE")
        is_reading = all(isinstance(work, ReadOnly) for work, _, _ in together)
        has_changed = False
        # On a full disk nothing can be paid, and what only reads, such as at the start, must not fail for it.
        if not is_reading:
            has_changed = self._kept is not None
            if self._kept is not None:  # before an erasure that the journal has
                save_booking(db, self._kept, is_merging=False)
            has_changed |= notes.pay(db)
        noted = [noting(db, self._devices) if noting is not None else [] for _, noting, _ in together]
        try:
            for work, _, future in together:
                before = db.total_changes
                result, problem = _attempt(db, work)
                done.append(Done(future, result, problem, db.total_changes != before))
        except (sqlite3.OperationalError, sqlite3.InternalError):
            # On a full disk, the journal has reserved space for the changes that must not be lost.
            notes.note(change for changes in noted for change in changes)
            raise
        good = zip(noted, done, strict=True)
        changes = [change for changes, each in good if each.problem is None for change in changes]
        if has_changed or changes or any(each.has_changed for each in done):
            notes.note(changes)
            notes.count(db)
        db.execute("COMMIT")
        if not is_reading:
            self._kept = None
            notes.committed()

    def _remove_traces(self, db: Connection) -> None:
        """After the callers have their answers: reading a large file takes longer than they wait."""
        if not self._leaves_traces or self._kept is not None:
            return
        try:
            self._bookings.clear()
            self._leaves_traces = not (empties_log(db) and self._erased.are_gone(db))
        except (sqlite3.Error, StorageTrouble) as error:
            self._fail(error)

    def _read(self, together: "list[Waiting]") -> None:
        trouble = StorageTrouble(f"the data folder {self.path.parent} can only be read", fix(self.path))
        try:
            if self._reading is None:
                self._reading = ReadOnlyFolder(self._files, self._devices, self._scratch)
                self._note_generation(self._reading.db)
            db = self._reading.db
        except (sqlite3.Error, OSError, StorageTrouble) as error:
            log.warning("what stands in %s cannot be read: %s", self.path.parent, error)
            for _, _, future in together:
                _settle(future, None, trouble)
            return
        self._trouble = trouble
        for work, _, future in together:
            try:
                db.execute("BEGIN")
                result, problem = _attempt(db, work)
            except sqlite3.Error:
                result, problem = None, trouble
            if db.in_transaction:
                db.execute("ROLLBACK")
            _settle(future, result, problem)

    # --- opening and closing ------------------------------------------------------------------

    def _opened(self, *, is_urgent: bool = False) -> Connection:
        """`is_urgent`: also soon after an attempt that failed."""
        if self._db is not None and self._file == file_at(self.path):
            return self._db
        if (
            self._trouble is not None
            and self._reading is None
            and not is_urgent
            and time.monotonic() - self._tried < RETRY_OPENING_S
        ):
            raise self._trouble
        self._tried = time.monotonic()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            rescued = self._rescue()
            self._close()
            opened = Opening(self._files, self._devices, _new_number, time.time()).open(self._damage)
        except (sqlite3.Error, OSError) as error:
            raise trouble_of(self.path, error) from error
        self._damage = ""
        self._trouble, self._db = None, opened.db
        # With a folder that was deleted the file of bookings is gone, too.
        self._kept = opened.kept or (self._kept if rescued is not None else None)
        self.set_aside = opened.set_aside or self.set_aside
        if rescued is not None:
            report_loss(self._files, rescued)
        self._notes = JournalWriter(self._files, self._devices, opened)
        self._want_first_copy(opened)
        self._read_losses(opened.losses)
        self._note_generation(opened.db)
        return opened.db

    def _note_generation(self, db: Connection) -> None:
        self._file = file_at(self.path)
        opened = self._file, pragma(db, "application_id")
        if opened != self._opened_last:
            self._opened_last, self.generation = opened, self.generation + 1

    def _rescue(self) -> Loss | None:
        """While the file is open, it can be read even if it was deleted or replaced."""
        if self._db is None or not rescue(self._db, self._files):
            return None
        text = "It was written again from what the node still had open: nothing is lost."
        return Loss(at(time.time()), "was deleted or replaced while the node ran", text)

    def _want_first_copy(self, opened: Opened) -> None:
        copy = self._files.copy
        age = time.time() - copy.stat().st_mtime if copy.exists() else None
        if (
            not opened.journal.is_whole
            or opened.journal.unreadable
            or (age is not None and not 0 <= age < EVERY_S)
        ):
            self._copier.want(0)
        elif age is None:
            self._copier.want(FIRST_COPY_S)
        else:
            self._copier.want(EVERY_S - age)

    def _read_losses(self, unwritten: Iterable[Loss] = ()) -> None:
        self._looked = time.monotonic()
        losses = dict.fromkeys((*read_losses(self._files.losses), *unwritten))
        self.losses = tuple(loss.text for loss in losses)

    def _acknowledge(self) -> None:
        try:
            acknowledge(self._files.losses)
        except OSError as error:
            raise trouble_of(self.path, error) from error
        self.losses = ()

    def _fail(self, error: Exception) -> StorageTrouble:
        if isinstance(error, StorageTrouble):
            self._trouble = error
            return error
        self._close()
        if isinstance(error, sqlite3.DatabaseError) and is_damage(error):
            self._damage = f"was found damaged while the node ran ({error})"
        self._trouble = StorageTrouble(f"the database {self.path} cannot be written: {error}", fix(self.path))
        self._tried = time.monotonic()
        return self._trouble

    def _close(self) -> None:
        for each in (self._notes, self._reading):
            if each is not None:
                each.close()
        self._notes = self._reading = None
        if self._db is not None:
            try:
                self._db.close()
            except sqlite3.Error as error:
                self._trouble = StorageTrouble(f"closing {self.path}: {error}", fix(self.path))
        self._db = None


@dataclass(frozen=True, slots=True)
class KeepBooking:
    """The work of `Store.keep`, where it has to be done in the database."""

    booking: Booking

    def __call__(self, db: Connection) -> None:
        save_booking(db, self.booking, is_merging=False)


@dataclass(frozen=True, slots=True)
class ReadOnly[T]:
    """The work of `Store.read`."""

    work: Work[T]

    def __call__(self, db: Connection) -> T:
        before = db.total_changes
        result = self.work(db)
        assert db.total_changes == before, "work that writes is run with `Store.run`"
        return result


Waiting = tuple[Work[Any], Noting | None, "Future[Any]"]


@dataclass(frozen=True, slots=True)
class Done:
    """One piece of work, before the commit."""

    future: "Future[Any]"
    result: Any
    problem: BaseException | None
    has_changed: bool


def _new_number() -> int:
    """Random id for a new database; device and inode numbers are reused by the file system."""
    return secrets.randbelow(2**31 - 1) + 1


def _attempt(db: Connection, work: Work[Any]) -> tuple[Any, BaseException | None]:
    db.execute("SAVEPOINT work")
    try:
        result = work(db)
    except (sqlite3.OperationalError, sqlite3.InternalError):
        raise
    except sqlite3.DatabaseError as error:
        if is_damage(error):
            raise
        return None, _undone(db, error)
    except Exception as error:  # noqa: BLE001 - raised in the caller, whose bug it is
        return None, _undone(db, error)
    db.execute("RELEASE work")
    return result, None


def _undone(db: Connection, error: Exception) -> Exception:
    db.execute("ROLLBACK TO work")
    db.execute("RELEASE work")
    return error


def _settle(future: "Future[Any]", result: Any, problem: BaseException | None) -> None:
    if not future.set_running_or_notify_cancel():
        return
    if problem is None:
        future.set_result(result)
    else:
        future.set_exception(problem)


# Reads the database from a data folder that is read-only.

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
        self.db.close()
        if self._folder is not None:
            self._folder.cleanup()

    def _copied(self, files: DatabaseFiles, devices: HashedDevices, scratch: Path | None) -> Connection:
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
        beside = ((files.copy, there.copy), (files.journal, there.journal), (files.bookings, there.bookings))
        for ours, theirs in beside:
            if ours.exists():
                shutil.copyfile(ours, theirs)
        opened = Opening(there, devices, lambda: 1, time.time(), is_lasting=False).open()
        opened.db.execute("BEGIN IMMEDIATE")
        if opened.kept is not None:
            save_booking(opened.db, opened.kept, is_merging=False)
        apply(opened.db, opened.owed, devices)
        opened.db.execute("COMMIT")
        return opened.db


def _as_it_is(files: DatabaseFiles) -> Connection | None:
    """Open the file in place, if log and journal hold nothing more and the schema is current; None
    otherwise."""
    log = files.database.with_name(f"{files.database.name}-wal")
    if not files.database.exists() or (log.exists() and log.stat().st_size):
        return None
    db = sqlite3.connect(
        f"file:{files.database}?immutable=1", uri=True, isolation_level=None, check_same_thread=False
    )
    db.text_factory = lenient
    try:
        check(db)
        form = pragma(db, "user_version")
        found = read_journal(files.journal)
        last = max((e.commit for e in found.entries), default=0)
        is_all = found.head <= commits_of(db) >= last and kept_since(db, files.bookings) is None
        if form == len(MIGRATIONS) and is_all:
            return db
    except UNREADABLE:
        pass  # it may be damaged: `_copied` repairs it
    db.close()
    return None

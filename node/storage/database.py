"""One database, one writer thread; writes that wait together are committed together, each on its own savepoint."""

import asyncio
import queue
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from sqlite_utils import Database

from node.errors import StorageTrouble
from node.storage.migrations import migrate

T = TypeVar("T")
Work = Callable[[Database], T]

TOGETHER_MAX = 512
PRIVATE_MODE = 0o600
RETRY_OPENING_S = 5.0
ANSWER_S = 3.0
"""How long people wait for a slow disk; what it has not taken by then stays in memory and is written again."""
LOCKED_S = 1.0
"""How long another process may hold the database before that counts as trouble."""


class Store:
    """Runs functions on the database, in order. A function that returned has been synced to the disk.

    When the data folder cannot be used, every call raises StorageTrouble at once and opening is tried again later:
    the callers keep what they have in memory.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.set_aside: Path | None = None
        """Where a database that was found corrupt has been moved."""
        self.life = 0
        """Raised when another file than before is opened: what was stored earlier may not be in it."""
        self._file: tuple[int, int] | None = None
        self._opened_last: tuple[tuple[int, int] | None, int] | None = None
        self._damaged = False
        self._leaves_traces = False
        self._queue: queue.SimpleQueue[tuple[Work[Any], Future[Any]] | None] = queue.SimpleQueue()
        self._db: Database | None = None
        self._trouble: StorageTrouble | None = None
        self._tried = 0.0
        self._thread = threading.Thread(target=self._serve, name="storage", daemon=True)
        self._thread.start()

    async def run(self, work: Work[T]) -> T:
        """Run `work` in a transaction with others. Cancelling the waiter does not undo the work."""
        try:
            return await asyncio.wait_for(asyncio.wrap_future(self._submit(work)), ANSWER_S)
        except TimeoutError as error:
            raise StorageTrouble(
                f"the data folder {self.path.parent} has not answered for {ANSWER_S:g} s",
                "look at its disk; writing is tried again by itself",
            ) from error

    def run_blocking(self, work: Work[T]) -> T:
        """As `run`, for callers without a loop."""
        return self._submit(work).result()

    def leave_no_traces(self) -> None:
        """To be called by a piece of work that erases: once it is committed, what it erased stands in no older page of
        the log either. Done with a later commit while somebody else reads the database."""
        self._leaves_traces = True

    def close(self) -> None:
        """Finish what is queued, then close. May be called twice."""
        self._queue.put(None)
        self._thread.join(timeout=10)

    def _submit(self, work: Work[T]) -> "Future[T]":
        future: Future[T] = Future()
        self._queue.put((work, future))
        return future

    def _serve(self) -> None:
        while (item := self._queue.get()) is not None:
            together = [item]
            while len(together) < TOGETHER_MAX and not self._queue.empty():
                more = self._queue.get()
                if more is None:
                    self._commit(together)
                    return self._close()
                together.append(more)
            self._commit(together)
        return self._close()

    def _commit(self, together: list[tuple[Work[Any], Future[Any]]]) -> None:
        done: list[tuple[Future[Any], Any, BaseException | None]] = []
        try:
            db = self._opened()
            db.execute("BEGIN IMMEDIATE")
            for work, future in together:
                done.append((future, *_attempt(db, work)))
            db.execute("COMMIT")
            if self._leaves_traces:
                self._leaves_traces = not _empties_log(db)
        except (sqlite3.Error, StorageTrouble) as error:
            trouble = self._fail(error)
            for _, future in together:
                _settle(future, None, trouble)
            return
        for future, result, problem in done:
            _settle(future, result, problem)

    def _opened(self) -> Database:
        if self._db is not None and self._file == _file_at(self.path):
            return self._db
        self._close()
        if self._trouble is not None and time.monotonic() - self._tried < RETRY_OPENING_S:
            raise self._trouble
        self._tried = time.monotonic()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._db = self._open_sound()
        except (sqlite3.Error, OSError) as error:
            raise StorageTrouble(
                f"the database {self.path} cannot be opened: {error}", _mend(self.path)
            ) from error
        self._trouble = None
        self._file = _file_at(self.path)
        opened = self._file, _name_of(self._db)
        if opened != self._opened_last:
            self._opened_last, self.life = opened, self.life + 1
        return self._db

    def _open_sound(self) -> Database:
        if not self._damaged:
            try:
                return _open(self.path)
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    raise
        self._put_aside()
        return _open(self.path)

    def _put_aside(self) -> None:
        if self.path.exists():
            self.set_aside = self.path.with_suffix(f".corrupt-{int(time.time())}")
            self.path.rename(self.set_aside)
            for suffix in ("-wal", "-shm"):
                leftover = self.path.with_name(self.path.name + suffix)
                if leftover.exists():  # it may hold what the damaged file does not
                    leftover.rename(self.set_aside.with_name(self.set_aside.name + suffix))
        self._damaged = False

    def _fail(self, error: Exception) -> StorageTrouble:
        self._close()
        self._damaged = self._damaged or (isinstance(error, sqlite3.DatabaseError) and _is_damage(error))
        if isinstance(error, StorageTrouble):
            self._trouble = error
        else:
            self._trouble = StorageTrouble(
                f"the database {self.path} cannot be written: {error}", _mend(self.path)
            )
            self._tried = time.monotonic()
        return self._trouble

    def _close(self) -> None:
        if self._db is not None:
            try:
                self._db.conn.close()
            except sqlite3.Error as error:
                self._trouble = StorageTrouble(f"closing {self.path}: {error}", _mend(self.path))
        self._db = None


def _open(path: Path) -> Database:
    path.touch(mode=PRIVATE_MODE)
    path.chmod(PRIVATE_MODE)  # before it is opened: SQLite gives the log of writes the mode of the database
    connection = sqlite3.connect(path, isolation_level=None, timeout=LOCKED_S, check_same_thread=False)
    try:
        db = Database(connection)
        db.execute("PRAGMA journal_mode = WAL")
        # What people would notice losing is here: a power cut must not lose what was acknowledged.
        db.execute("PRAGMA synchronous = FULL")
        # What is erased is written over; Debian's SQLite does so by itself, others do not.
        db.execute("PRAGMA secure_delete = ON")
        problem = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if problem != "ok":
            raise sqlite3.DatabaseError(problem)
        migrate(db)
    except BaseException:
        connection.close()
        raise
    return db


def _empties_log(db: Database) -> bool:
    """Whether the log of writes could be put into the database and emptied; not while others read, or the disk is full."""
    try:
        return not db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    except sqlite3.OperationalError:
        return False


def _name_of(db: Database) -> int:
    """A random number that a database is given once: a file's place on the disk is soon another file's."""
    known = int(db.execute("PRAGMA application_id").fetchone()[0])
    if known:
        return known
    name = secrets.randbelow(2**31 - 1) + 1
    db.execute(f"PRAGMA application_id = {name}")
    return name


def _attempt(db: Database, work: Work[Any]) -> tuple[Any, BaseException | None]:
    db.execute("SAVEPOINT work")
    try:
        result = work(db)
    except (sqlite3.OperationalError, sqlite3.InternalError):
        raise
    except sqlite3.DatabaseError as error:
        if _is_damage(error):
            raise
        return None, _undone(db, error)
    except Exception as error:  # noqa: BLE001 - handed to whoever asked, whose bug it is
        return None, _undone(db, error)
    db.execute("RELEASE work")
    return result, None


def _undone(db: Database, error: Exception) -> Exception:
    db.execute("ROLLBACK TO work")
    db.execute("RELEASE work")
    return error


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    """True when the file itself is broken; disk trouble and a broken promise in a table have classes of their own."""
    return type(error) is sqlite3.DatabaseError


def _file_at(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _settle(future: "Future[Any]", result: Any, problem: BaseException | None) -> None:
    if not future.set_running_or_notify_cancel():
        return
    if problem is None:
        future.set_result(result)
    else:
        future.set_exception(problem)


def _mend(path: Path) -> str:
    return f"make room, or make {path.parent} writable; nothing in memory is lost and writing is tried again by itself"

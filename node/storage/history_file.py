"""The history in a file of its own beside the database, so that it is in no daily copy of the database, and nothing that
happens to it can hurt what is counted.

Each hour is stored in one transaction, as one row with all series. Once a day the hours that are over are added to chunks,
and their rows deleted, in one transaction too: so each is added once, whenever the power fails.
"""

import logging
import shutil
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from sqlite3 import Connection
from urllib.parse import quote

from node.errors import StorageTrouble
from node.history.packing import Sheet, pack, unpack, unpack_sheet
from node.history.roll_ups import HOUR_S, HOUR_STEPS, ROLL_UPS, ChunkKey, add_hour, chunk_keys, to_forget
from node.history.steps import Steps
from node.translator import gettext_lazy

log = logging.getLogger(__name__)

FILE = "history.db"
"""In the data folder."""
FREE_BYTES_MIN = 16_000_000
"""With less left on its disk the history is not stored: the last of the room is for what is counted."""
PACK_AT = 24
"""Hours that are over, until they are added to chunks."""
HOURS_MAX = 400
"""Read or packed at once."""
_IS_HOUR = f"begun BETWEEN 0 AND {1 << 37} AND begun % {HOUR_S} = 0"
"""False for a row whose number a failing disk changed: no hour begins then, or only in thousands of years."""
LOCKED_S = 5.0
FORM = 1
PRIVATE_MODE = 0o600
_TABLES = """
CREATE TABLE hours (begun INTEGER PRIMARY KEY, sheet BLOB NOT NULL) STRICT;
CREATE TABLE series (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE chunks (key INTEGER PRIMARY KEY, steps BLOB NOT NULL) STRICT;
"""
_STEPS = {step_s: number for number, step_s in enumerate(sorted(ROLL_UPS), start=1)}
_SERIES_BITS, _DAY_BITS = 16, 32
"""A chunk's key is its length of steps, the day at which it begins, and the number of its series: chunks of one day are side
by side in the file, and need no index."""


@dataclass(frozen=True, slots=True)
class StoredSeries:
    """What is stored of one series: its chunks of one length by the number of their first day, and hours in no chunk."""

    chunks: Mapping[int, Steps]
    hours: Mapping[int, Sheet]


class HistoryFile:
    """Every method blocks, and raises StorageTrouble. They may be called from several threads."""

    def __init__(self, folder: Path) -> None:
        self._path, self._lock = folder / FILE, threading.Lock()

    def load(self, hours: Collection[int]) -> Mapping[int, Sheet]:
        """The sheets of these hours, as far as they are in no chunk."""
        return self._run(lambda db: _sheets(db, hours))

    def store(self, sheets: Mapping[int, bytes], present: Collection[int], today: int, zone: tzinfo) -> None:
        """Replaces the rows of these hours. `present`: hours that will be stored again, which are added to no chunk;
        `today`: number of the present day since 1970."""
        free = self._free_bytes()
        if free < FREE_BYTES_MIN:
            raise StorageTrouble(
                gettext_lazy(
                    "the disk of {folder} has {free} MB left, and the last {kept} MB are for what is counted",
                    folder=str(self._path.parent),
                    free=free // 1_000_000,
                    kept=FREE_BYTES_MIN // 1_000_000,
                ),
                gettext_lazy("make room on it; the plots have a gap until then"),
            )
        self._run(lambda db: _store(db, sheets, {*present, *sheets}, today, zone))

    def read(self, series: str, step_s: int, days: Collection[int]) -> StoredSeries:
        """Chunks that begin on these days; none while there is no file."""
        if not self._path.exists():
            return StoredSeries({}, {})
        return self._run(
            lambda db: StoredSeries(_series_chunks(db, series, step_s, days), _all_hours(db, series)),
            is_reading=True,
        )

    def _free_bytes(self) -> int:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            return shutil.disk_usage(self._path.parent).free
        except OSError as error:
            raise self._trouble(error) from error

    def _run[T](self, work: Callable[[Connection], T], *, is_reading: bool = False) -> T:
        with self._lock:
            try:
                return self._worked(work, is_reading=is_reading)
            except (sqlite3.Error, OSError) as error:
                if is_reading or not _is_damage(error):
                    raise self._trouble(error) from error
            self._set_aside()
            try:
                return self._worked(work)
            except (sqlite3.Error, OSError) as error:
                raise self._trouble(error) from error

    def _worked[T](self, work: Callable[[Connection], T], *, is_reading: bool = False) -> T:
        # It is open only for a moment each hour: an open one takes memory all the time.
        with closing(self._open(is_reading=is_reading)) as db:
            db.execute("BEGIN" if is_reading else "BEGIN IMMEDIATE")
            result = work(db)
            db.execute("COMMIT")
            return result

    def _open(self, *, is_reading: bool) -> Connection:
        if not is_reading:
            self._path.touch(mode=PRIVATE_MODE)
        # Also to read: what a power cut left unfinished has to be undone first. A file that only can be read is only read.
        uri = f"file:{quote(str(self._path))}?mode=rw"
        db = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=LOCKED_S)
        try:
            db.execute("PRAGMA cache_size = -500")  # kB
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA journal_mode = TRUNCATE")  # without a sync of the folder for each transaction
            # Nothing in it is about a person: what is deleted need not be overwritten.
            db.execute("PRAGMA secure_delete = OFF")
            form = int(db.execute("PRAGMA user_version").fetchone()[0])
            if form == 0 and not is_reading:
                db.executescript(f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = {FORM}; COMMIT")
            elif form not in {0, FORM}:
                raise StorageTrouble(
                    gettext_lazy(
                        "{file} has form {form} and was made by another version; this one knows form {known}",
                        file=str(self._path),
                        form=form,
                        known=FORM,
                    ),
                    gettext_lazy(
                        "install the newer version again, or move the file elsewhere to begin a new one"
                    ),
                )
        except BaseException:
            db.close()
            raise
        return db

    def _set_aside(self) -> None:
        """A damaged file: a new one begins. It stays beside it until the next one is damaged."""
        aside = self._path.with_name(f"{FILE}.damaged")
        log.warning("%s is damaged: it is now %s, and the plots begin again", self._path, aside)
        try:
            self._path.replace(aside)
            self._path.with_name(f"{FILE}-journal").unlink(missing_ok=True)
        except OSError as error:
            raise self._trouble(error) from error

    def _trouble(self, error: Exception) -> StorageTrouble:
        return StorageTrouble(
            gettext_lazy("{file} cannot be used: {english}", file=str(self._path), english=str(error)),
            gettext_lazy("look at its disk; storing the history is tried again each hour"),
        )


def _is_damage(error: Exception) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def _store(
    db: Connection, sheets: Mapping[int, bytes], present: Collection[int], today: int, zone: tzinfo
) -> None:
    db.executemany("INSERT OR REPLACE INTO hours VALUES (?, ?)", sorted(sheets.items()))
    over = [
        begun for (begun,) in db.execute("SELECT begun FROM hours ORDER BY begun") if begun not in present
    ]
    if len(over) >= PACK_AT:
        db.execute(f"DELETE FROM hours WHERE NOT ({_IS_HOUR})")  # noqa: S608 - numbers of this module
        _add_to_chunks(db, over[:HOURS_MAX], zone)
        _forget(db, today)


def _add_to_chunks(db: Connection, hours: Collection[int], zone: tzinfo) -> None:
    sheets, numbers = _sheets(db, hours), _numbers(db)
    keys = {key for hour_s, sheet in sheets.items() for key in chunk_keys(hour_s, sheet, zone)}
    chunks = {
        key: steps
        for key in keys
        if key.series in numbers
        and (steps := _chunk(db, _number(key.step_s, key.begun_day, numbers[key.series]), key.step_s))
    }
    for hour_s, sheet in sheets.items():
        add_hour(chunks, hour_s, sheet, zone)
    _name_series(db, numbers, chunks)
    rows = (
        (_number(key.step_s, key.begun_day, numbers[key.series]), pack([steps]))
        for key, steps in chunks.items()
    )
    db.executemany("INSERT OR REPLACE INTO chunks VALUES (?, ?)", sorted(rows))
    db.executemany("DELETE FROM hours WHERE begun = ?", ((each,) for each in hours))


def _name_series(db: Connection, numbers: dict[str, int], chunks: Iterable[ChunkKey]) -> None:
    for name in sorted({key.series for key in chunks} - numbers.keys()):
        numbers[name] = max(numbers.values(), default=0) + 1
        db.execute("INSERT INTO series VALUES (?, ?)", [numbers[name], name])


def _forget(db: Connection, today: int) -> None:
    for step_s, roll_up in ROLL_UPS.items():
        first, last = _number(step_s, 0, 0), _number(step_s, (1 << _DAY_BITS) - 1, (1 << _SERIES_BITS) - 1)
        found = db.execute(
            f"SELECT DISTINCT (key >> {_SERIES_BITS}) & {(1 << _DAY_BITS) - 1} FROM chunks WHERE key BETWEEN ? AND ?",  # noqa: S608 - numbers of this module
            [first, last],
        )
        for day in to_forget((each for (each,) in found), roll_up.chunks_max, today):
            db.execute(
                "DELETE FROM chunks WHERE key BETWEEN ? AND ?",
                [_number(step_s, day, 0), _number(step_s, day, (1 << _SERIES_BITS) - 1)],
            )


def _number(step_s: int, begun_day: int, series: int) -> int:
    return (_STEPS[step_s] << _DAY_BITS | begun_day) << _SERIES_BITS | series


def _numbers(db: Connection) -> dict[str, int]:
    return {name: number for number, name in db.execute("SELECT number, name FROM series")}


def _chunk(db: Connection, key: int, step_s: int) -> Steps | None:
    """None for a damaged one, as for none: plots can do without it."""
    row = db.execute("SELECT steps FROM chunks WHERE key = ?", [key]).fetchone()
    if row is None:
        return None
    try:
        return unpack(row[0], ROLL_UPS[step_s].length)[0]
    except ValueError:
        return None


def _series_chunks(db: Connection, series: str, step_s: int, days: Collection[int]) -> Mapping[int, Steps]:
    """Raises sqlite3.OperationalError while the file has no tables."""
    number = _numbers(db).get(series)
    if number is None:
        return {}
    found = ((day, _chunk(db, _number(step_s, day, number), step_s)) for day in days)
    return {day: steps for day, steps in found if steps is not None}


def _sheets(db: Connection, hours: Collection[int]) -> dict[int, Sheet]:
    find = "SELECT sheet FROM hours WHERE begun = ?"
    rows = ((each, db.execute(find, [each]).fetchone()) for each in hours)
    return {each: unpack_sheet(row[0], HOUR_STEPS) for each, row in rows if row is not None}


def _all_hours(db: Connection, series: str) -> dict[int, Sheet]:
    """Of this series only."""
    rows = db.execute(
        f"SELECT begun, sheet FROM hours WHERE {_IS_HOUR} ORDER BY begun DESC LIMIT {HOURS_MAX}"  # noqa: S608
    )
    return {begun: unpack_sheet(sheet, HOUR_STEPS, series) for begun, sheet in rows}

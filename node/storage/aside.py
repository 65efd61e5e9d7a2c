"""Retention of damaged and replaced database files that were moved aside."""

import logging
import re
from pathlib import Path

from sqlite_utils import Database

FIRST_KEPT, LAST_KEPT = 4, 4
"""Number of databases kept, so that a failing disk is not filled by them. The first ones hold the most
data."""
_SET_ASIDE = re.compile(r"\.(corrupt|replaced)-(\d{1,12})(?:-wal|-shm)?")
_FACT = "aside:"
"""Prefix of the rows in `facts` that record, for each file, the day on which it was first found."""

log = logging.getLogger(__name__)


def forget_set_aside(db: Database, database: Path, today: str, found_before: str) -> None:
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

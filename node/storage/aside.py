"""Damaged and replaced databases that were set aside: how long they are kept."""

import logging
import re
from pathlib import Path

from sqlite_utils import Database

FIRST_KEPT, LAST_KEPT = 4, 4
"""Databases: a disk that fails damages one after the other, and must not be filled by them. The first have the most."""
_SET_ASIDE = re.compile(r"\.(corrupt|replaced)-(\d{1,12})(?:-wal|-shm)?")
_FACT = "aside:"
"""Before the name of each file, with the day on which it was first found."""

log = logging.getLogger(__name__)


def forget_set_aside(db: Database, database: Path, today: str, found_before: str) -> None:
    """Deletes files that were set aside beside `database` and first found before the day `found_before`.

    To be called on the word of a clock that is known. The numbers in their names are not asked, because some clock told
    them before. Nobody's data are kept longer for it: people in such a file may have erased themselves.
    """
    there = {each.name: each for each in _set_aside(database)}
    rows = db.execute("SELECT name, value FROM facts WHERE name LIKE ?", [f"{_FACT}%"]).fetchall()
    found = {name.removeprefix(_FACT): day for name, day in rows}
    for name in found.keys() - there.keys():
        db.execute("DELETE FROM facts WHERE name = ?", [_FACT + name])
    for name in there.keys() - found.keys():
        db.execute("INSERT INTO facts VALUES (?, ?)", [_FACT + name, today])
    for name in there.keys() & found.keys():
        # A day that is still to come was told by a clock that was wrong.
        if found[name] > today:
            db.execute("UPDATE facts SET value = ? WHERE name = ?", [today, _FACT + name])
        elif found[name] < found_before:
            _delete(there[name])


def make_room(database: Path) -> None:
    """Deletes those between the first and the last few that were set aside beside `database`."""
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

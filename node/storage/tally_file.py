"""Tally file: how many bookings of the kernel's current counters were stored, outside the database.

It is in a folder that is cleared at boot (such as /run), like the counters themselves. It distinguishes a
database that lacks the last booking (an old copy, or a new one) from counters that were never booked.
"""

import logging
from contextlib import suppress
from pathlib import Path

from node.accounting.meter import Tally

log = logging.getLogger(__name__)

BYTES_MAX = 200


class TallyFile:
    """One line: the counters id, a space, the number of stored bookings."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Tally | None:
        """None if there is none or it cannot be read; counters unknown to the database are then taken as
        booked."""
        try:
            with self._path.open("rb") as file:
                counters_id, _, bookings = file.read(BYTES_MAX).decode().strip().partition(" ")
            return Tally(counters_id, int(bookings))
        except (OSError, ValueError):
            return None

    def write(self, tally: Tally) -> None:
        """Replace the file atomically. If that fails, it is deleted, because an outdated one would
        mislead."""
        new = self._path.with_name(self._path.name + ".new")
        try:
            new.write_text(f"{tally.counters_id} {tally.bookings}\n")
            new.replace(self._path)
        except OSError as error:
            log.warning("%s cannot be written: %s", self._path, error)
            with suppress(OSError):
                self._path.unlink(missing_ok=True)

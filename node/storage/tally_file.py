"""How often the bytes of the counters that stand have been stored: a note beside the database, for this boot only.

It stands where the counters live as long as it does (a folder in memory, such as /run), so that a database that is
older than the counters' last booking, or none at all, is told from one in which they were never stored.
"""

import logging
from contextlib import suppress
from pathlib import Path

from node.accounting.meter import Tally

log = logging.getLogger(__name__)

BYTES_MAX = 200


class TallyFile:
    """One line: the name of the counters' life, a space, how many bookings of it have been stored."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Tally | None:
        """None where there is none, or it cannot be read: then counters without a history are taken for booked."""
        try:
            with self._path.open("rb") as file:
                counters_id, _, bookings = file.read(BYTES_MAX).decode().strip().partition(" ")
            return Tally(counters_id, int(bookings))
        except (OSError, ValueError):
            return None

    def write(self, tally: Tally) -> None:
        """All of it or nothing. What cannot be written is taken away, so that an old one misleads nobody."""
        new = self._path.with_name(self._path.name + ".new")
        try:
            new.write_text(f"{tally.counters_id} {tally.bookings}\n")
            new.replace(self._path)
        except OSError as error:
            log.warning("%s cannot be written: %s", self._path, error)
            with suppress(OSError):
                self._path.unlink(missing_ok=True)

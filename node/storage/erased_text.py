"""Whether text that was erased is still somewhere in the database's file.

SQLite's `secure_delete` overwrites what is deleted, but not the copies that remain in unused parts of a page when rows were
moved to another one. They are rare, and only writing the whole file again (VACUUM) removes them.
"""

import logging
import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path
from sqlite3 import Connection

PIECE_BYTES = 17
"""A longer text is looked for in pieces, since a part of it may be overwritten. A hardware address has 17 characters."""
TEXT_BYTES_MIN = 8
"""A shorter text tells nothing of a person, and may stand anywhere."""
TEXTS_MAX = 256
"""At once; what is beyond is taken for found."""
READ_BYTES = 1 << 20
TRIED_AGAIN_S = 60.0
"""After a full disk."""

log = logging.getLogger(__name__)


class ErasedTexts:
    """Texts that the file of a database may no longer contain. Used only by the thread that writes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._texts: dict[str, None] = {}
        self._tried_s: float | None = None

    def add(self, texts: Iterable[str]) -> None:
        self._texts |= dict.fromkeys(texts)
        self._tried_s = None

    def are_gone(self, db: Connection) -> bool:
        """Whether the file is without them now; it is written again if it has one. Call it between transactions, when the
        write-ahead log is empty."""
        if not self._texts:
            return True
        now_s = time.monotonic()
        if self._tried_s is not None and now_s - self._tried_s < TRIED_AGAIN_S:
            return False
        self._tried_s = now_s
        try:
            if is_in_file(self._path, self._texts):
                db.execute("VACUUM")
                if not empties_log(db):
                    return False
        except (sqlite3.OperationalError, OSError) as error:
            log.warning("what was erased may still be in the file %s: %s", self._path, error)
            return False
        self._texts.clear()
        return True


def empties_log(db: Connection) -> bool:
    """Whether the write-ahead log was written back and truncated; impossible while others read or the disk is
    full."""
    try:
        return not db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    except sqlite3.OperationalError:
        return False


def is_in_file(path: Path, texts: Iterable[str]) -> bool:
    """Whether any piece of these texts stands in the file. Raises OSError."""
    sought = [text for each in texts if len(text := each.encode()) >= TEXT_BYTES_MIN]
    if len(sought) > TEXTS_MAX:
        return True
    pieces = dict.fromkeys(piece for text in sought for piece in _pieces(text))
    before = b""
    with path.open("rb") as file:
        while block := file.read(READ_BYTES):
            block = before + block
            if any(piece in block for piece in pieces):
                return True
            before = block[-PIECE_BYTES:]
    return False


def _pieces(text: bytes) -> Iterable[bytes]:
    """Its end is a piece of full length, too."""
    if len(text) <= PIECE_BYTES:
        return [text]
    begins = [*range(0, len(text) - PIECE_BYTES, PIECE_BYTES), len(text) - PIECE_BYTES]
    return [text[begin : begin + PIECE_BYTES] for begin in begins]

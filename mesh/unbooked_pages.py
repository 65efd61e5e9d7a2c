"""Which stored pages say usage that may not be stored yet: a start merges only these again.

Pages are stored before their usage, so that a crash loses neither. The record of it is stored together with the pages, and
a page may leave it only when its usage is on the disk. Without a record, any page may be one.
"""

import hashlib
from base64 import b64decode, b64encode
from collections.abc import Iterable

from mesh.page_format import canonical, parse_object

BOOKED = "booked"
"""Name of the record in the page cache."""
_TAG_BYTES = 4
"""Of the hash that stands for the name of a page: one that is taken for another is merged again, and nothing changes."""
MANY, STILL_COMING_PERCENT = 2_000, 10
"""So many pages came from nodes that had never met this one; hundreds of nodes change fewer in the two hours between two
bookings. While more than this part of them came lately, there are more to come."""


class UnbookedPages:
    """Names of pages, in the order in which they were merged."""

    def __init__(self, record: bytes | None = None) -> None:
        """`record`: as `record()` made it; None or anything else if it is not known which pages these are."""
        found = _read(record)
        self._may_be_any = found is None
        self._earlier = found or set()
        """Of pages that were stored by a process before and are not merged again yet."""
        self._merged: dict[str, int] = {}
        self._merges = 0

    def includes(self, name: str) -> bool:
        """Whether the usage of this stored page may be missing."""
        return self._may_be_any or _tag(name) in self._earlier or name in self._merged

    def merged(self, name: str) -> None:
        """Its usage was passed on to be stored."""
        self._merges += 1
        self._merged[name] = self._merges
        self._earlier.discard(_tag(name))

    @property
    def merges(self) -> int:
        """How many pages were merged so far."""
        return self._merges

    def are_many(self, lately: int) -> bool:
        """Whether their usage is to be stored now, so that a start need not merge them all again. `lately`: how many pages
        were merged since this was asked last."""
        count = len(self._merged)
        return count >= MANY and lately * 100 <= count * STILL_COMING_PERCENT

    def booked(self, merges: int) -> None:
        """The usage of the first `merges` pages is on the disk."""
        self._merged = {name: number for name, number in self._merged.items() if number > merges}

    def all_were_seen(self) -> None:
        """Every stored page that `includes` named was merged again, or is listed by a record."""
        self._may_be_any = False

    def record(self) -> bytes | None:
        """For the page cache, beside the pages; None if any of its pages may be one, so that it must have no record."""
        if self._may_be_any:
            return None
        tags = sorted({*self._earlier, *map(_tag, self._merged)})
        return canonical({"is": BOOKED, "except": b64encode(b"".join(tags)).decode()})


def booked_record(records: Iterable[bytes]) -> bytes | None:
    """The record among those of the page cache."""
    return next((record for record in records if _read(record) is not None), None)


def _tag(name: str) -> bytes:
    return hashlib.blake2b(name.encode(), digest_size=_TAG_BYTES).digest()


def _read(record: bytes | None) -> set[bytes] | None:
    if record is None or b"\n" in record:  # a page
        return None
    fields = parse_object(record)
    text = fields.get("except") if isinstance(fields, dict) and fields.get("is") == BOOKED else None
    if not isinstance(text, str):
        return None
    try:
        tags = b64decode(text, validate=True)
    except ValueError:
        return None
    return {tags[at : at + _TAG_BYTES] for at in range(0, len(tags), _TAG_BYTES)}

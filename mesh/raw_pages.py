"""Which pages are in memory as they were received: all that are not stored yet, and of the others those used last."""

from collections.abc import Iterator

from node.units import NodeId

RECENT_BYTES_MAX = 256 * 1024
"""Of stored pages; the one used last is always there. The next version of a page is compared with the one before, and most
pages are of today."""

type PageKey = tuple[NodeId, str, str]
"""Author, incarnation and label."""


class RawPages:
    """Bytes of pages by their names. A page that was never stored stays."""

    def __init__(self) -> None:
        self._unstored: dict[PageKey, bytes] = {}
        self._recent: dict[PageKey, bytes] = {}
        """Those used longest ago first."""
        self._recent_bytes = 0

    def __iter__(self) -> Iterator[tuple[PageKey, bytes]]:
        return iter((*self._unstored.items(), *self._recent.items()))

    def get(self, key: PageKey) -> bytes | None:
        """None if it is only stored, or not held."""
        found = self._unstored.get(key)
        if found is not None:
            return found
        recent = self._take_recent(key)
        if recent is not None:
            self._put_recent(key, recent)
        return recent

    def put(self, key: PageKey, raw: bytes) -> None:
        """A new page, which is not stored."""
        self._take_recent(key)
        self._unstored[key] = raw

    def stored(self, key: PageKey, raw: bytes, *, is_recent: bool = True) -> None:
        """The page cache has this version. It may leave memory, unless a newer one came meanwhile; `is_recent`: later than
        others."""
        if self._unstored.get(key) == raw:
            del self._unstored[key]
            if is_recent:
                self._put_recent(key, raw)

    def used(self, key: PageKey, raw: bytes) -> None:
        """The page was read again."""
        if key not in self._unstored:
            self._take_recent(key)
            self._put_recent(key, raw)

    def drop(self, key: PageKey) -> None:
        """The page is no longer held."""
        self._unstored.pop(key, None)
        self._take_recent(key)

    def _take_recent(self, key: PageKey) -> bytes | None:
        found = self._recent.pop(key, None)
        self._recent_bytes -= len(found or b"")
        return found

    def _put_recent(self, key: PageKey, raw: bytes) -> None:
        self._recent[key] = raw
        self._recent_bytes += len(raw)
        while self._recent_bytes > RECENT_BYTES_MAX and len(self._recent) > 1:
            self._take_recent(next(iter(self._recent)))

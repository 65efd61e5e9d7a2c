"""The pages of one author that count towards its limit of bytes: of each label the newest, of any incarnation.

The result depends on which pages were received, not on their order, and not on whether this node knows their kinds.
"""

from dataclasses import dataclass
from typing import Literal

from mesh.page_format import Page, page_digest
from node.accounting.ledger import Rank, incarnation_rank

OTHER_BYTES_MAX = 256 * 1024
"""Bytes kept of one author's pages of other kinds than usage."""
OTHER_PAGES_MAX = 256
"""Pages of these kinds kept of one author: each counts as at least this part of the bytes."""

type Age = Literal["newer", "same", "older", "conflict"]
type Version = tuple[Rank, int, str]
"""Incarnation, seq and digest: the greatest is the newest."""


@dataclass(frozen=True, slots=True)
class Held:
    """Sequence number, digest and content of one page."""

    seq: int
    digest: str
    day: str
    raw: bytes
    rows: int
    """How much it counts towards the limits of its author: rows, or bytes."""

    @property
    def body(self) -> bytes:
        return self.raw.split(b"\n")[1]


class OtherPages:
    """The pages of one author by label. Those with the lowest period, then label, are evicted first."""

    def __init__(self) -> None:
        self._pages: dict[str, tuple[str, Held]] = {}
        """By label: incarnation and page."""
        self._bytes = 0
        self._digests: dict[str, list[tuple[str, int, str]]] = {}

    def age(self, page: Page) -> Age:
        """`page` compared with the held page of its label."""
        found = self._pages.get(page.label)
        if found is None:
            return "newer"
        ours, theirs = _version(*found), _version_of(page)
        if ours == theirs:
            return "same"
        if ours[:2] == theirs[:2]:
            return "conflict"
        return "newer" if theirs > ours else "older"

    def is_superseded(self, incarnation: str, label: str) -> bool:
        """Whether a later incarnation has replaced this page."""
        found = self._pages.get(label)
        return found is not None and incarnation_rank(found[0]) > incarnation_rank(incarnation)

    def held(self, incarnation: str, label: str) -> Held | None:
        found = self._pages.get(label)
        return found[1] if found is not None and found[0] == incarnation else None

    def all(self) -> list[bytes]:
        return [held.raw for _, held in self._pages.values()]

    def page(self, label: str) -> bytes | None:
        """The page with this label."""
        found = self._pages.get(label)
        return found[1].raw if found is not None else None

    def incarnations(self) -> dict[str, list[tuple[str, int, str]]]:
        """(label, seq, digest) of the pages of each incarnation, sorted by label."""
        if not self._digests:
            for label, (incarnation, held) in sorted(self._pages.items()):
                self._digests.setdefault(incarnation, []).append((label, held.seq, held.digest))
        return self._digests

    def hold(self, page: Page) -> tuple[str, ...] | None:
        """Store `page`; returns the names of pages that gave way to it, first the one that it replaces if that is of
        another incarnation. None if higher pages leave no room; then nothing has changed."""
        new = Held(page.seq, page_digest(page), page.period, page.raw, _counts_as(page))
        before = self._pages.get(page.label)
        if before is not None and _version(*before) >= _version_of(page):
            return ()
        over = self._bytes + new.rows - (before[1].rows if before is not None else 0) - OTHER_BYTES_MAX
        evicted = self._lowest(page.label, over)
        if evicted is None:
            return None
        gone = [page.label] if before is not None and before[0] != page.incarnation else []
        names = tuple(f"{self._pages[label][0]}/{label}" for label in (*gone, *evicted))
        self._bytes += new.rows - sum(self._pages[label][1].rows for label in evicted)
        self._bytes -= before[1].rows if before is not None else 0
        for label in evicted:
            del self._pages[label]
        self._pages[page.label] = page.incarnation, new
        self._digests = {}
        return names

    def _lowest(self, label: str, over: int) -> list[str] | None:
        """Labels to evict, lowest first, that count as at least `over`; None if those below `label` do not suffice."""
        found: list[str] = []
        for each in sorted(self._pages, key=_position) if over > 0 else ():
            if _position(each) >= _position(label):
                return None
            found.append(each)
            over -= self._pages[each][1].rows
            if over <= 0:
                break
        return found if over <= 0 else None


def _counts_as(page: Page) -> int:
    return max(len(page.raw), OTHER_BYTES_MAX // OTHER_PAGES_MAX)


def _version(incarnation: str, held: Held) -> Version:
    return incarnation_rank(incarnation), held.seq, held.digest


def _version_of(page: Page) -> Version:
    return incarnation_rank(page.incarnation), page.seq, page_digest(page)


def _position(label: str) -> tuple[str, str]:
    return label.split("/")[1], label

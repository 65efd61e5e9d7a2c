"""The pages that this node holds for the community: newest of each name, summed up in digests, limited."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from mesh.messages import Cover, Page, page_digest
from node.accounting.lives import Rank, life_rank
from node.accounting.periods import DAY_UNKNOWN
from node.units import NodeId

LIVES_MAX = 64
"""Streams kept of one author: those of the highest lives. An author takes its earlier lives into its newest one, which
is then the only stream; so many are kept where it has not heard of them yet."""
DAYS_MAX = 62
"""Kept for each stream: the newest days, enough for any month; a wrong clock costs one of them."""
AUTHOR_BYTES_MAX = 24 * 1024 * 1024
"""Above this the oldest pages of an author are known by name only: 12 days of 10,000 accounts."""
EIGHTHS_LEFT = 7
"""Of them, once it was more: looking for the oldest takes 30 ms where there are many, and is not done for each page."""

type StreamKey = tuple[NodeId, str]
COVERS_MAX = 50_000
"""Pages known to be taken in, of one author; the oldest days are forgotten first."""
type Age = Literal["newer", "same", "older", "conflict"]


@dataclass(frozen=True, slots=True)
class Held:
    """One page by its seq and digest; `raw` is None when only the name is kept."""

    seq: int
    digest: str
    day: str
    raw: bytes | None


@dataclass(slots=True)
class _Stream:
    pages: dict[str, Held] = field(default_factory=dict)
    days: dict[str, int] = field(default_factory=dict)
    """How many pages each day has."""
    digest: str = ""


class PageCollection:
    """Which pages are held, by stream (author, incarnation) and label. `exchange` checks them first."""

    def __init__(self) -> None:
        self._streams: dict[StreamKey, _Stream] = {}
        self._bytes: dict[NodeId, int] = {}
        self._covered: dict[NodeId, dict[tuple[str, str], int]] = {}
        """By life and label: the highest seq that a later life has taken in."""

    def age(self, page: Page) -> Age:
        """How `page` stands to the page of its name that is held, or was taken in by a later life."""
        if self.is_covered((page.author, page.incarnation), page.label, page.seq):
            return "older"
        held = self.held((page.author, page.incarnation), page.label)
        if held is None or page.seq > held.seq:
            return "newer"
        if page.seq < held.seq:
            return "older"
        return "same" if held.digest == page_digest(page) else "conflict"

    def has_room(self, page: Page) -> bool:
        """False for what `hold` would drop at once: a day older than all that are kept, or a life below LIVES_MAX
        others."""
        stream = self._streams.get((page.author, page.incarnation))
        if stream is not None:
            full = len(stream.days) >= DAYS_MAX and page.period not in stream.days
            return not full or _rank(page.period) > _rank(min(stream.days, key=_rank))
        others = self._lives(page.author)
        return len(others) < LIVES_MAX or life_rank(page.incarnation) > others[0]

    def is_covered(self, key: StreamKey, label: str, seq: int) -> bool:
        """Whether a later life of the author has taken this page in: what it says stands there."""
        author, life = key
        return seq <= self._covered.get(author, {}).get((life, label), -1)

    def lives(self, author: NodeId) -> list[str]:
        """Lives of the author's books of which pages are held, the earliest first."""
        return [name for _, name in self._lives(author)]

    def own(self, author: NodeId) -> list[bytes]:
        """Every page of `author` whose bytes are held."""
        mine = (stream for (writer, _), stream in self._streams.items() if writer == author)
        return [held.raw for stream in mine for held in stream.pages.values() if held.raw is not None]

    def hold(self, page: Page, covers: Iterable[Cover] = ()) -> None:
        """Keep `page`; of two with the same seq, the one with the greater digest on every node. Pages of earlier lives
        that it covers are dropped."""
        self._hold(page)
        known = self._covered.setdefault(page.author, {})
        for life, label, seq in covers:
            # Only of lives before its own: two lives can never take each other in.
            if life_rank(life) < life_rank(page.incarnation):
                known[life, label] = max(seq, known.get((life, label), -1))
                self._drop_covered((page.author, life), label)
        if len(known) > COVERS_MAX:
            for key in sorted(known, key=lambda key: _rank(key[1].split("/")[1]))[: len(known) - COVERS_MAX]:
                del known[key]

    def _hold(self, page: Page) -> None:
        stream = self._streams.setdefault((page.author, page.incarnation), _Stream())
        held, digest = stream.pages.get(page.label), page_digest(page)
        if held is not None and (held.seq, held.digest) >= (page.seq, digest):
            return
        if held is None:
            stream.days[page.period] = stream.days.get(page.period, 0) + 1
        elif held.raw is not None:
            self._bytes[page.author] -= len(held.raw)
        stream.pages[page.label] = Held(page.seq, digest, page.period, page.raw)
        stream.digest = ""
        self._bytes[page.author] = self._bytes.get(page.author, 0) + len(page.raw)
        self._keep_limits(page.author, stream)

    def held(self, key: StreamKey, label: str) -> Held | None:
        stream = self._streams.get(key)
        return stream.pages.get(label) if stream else None

    def listed(self, key: StreamKey) -> list[tuple[str, int, str]]:
        """(label, seq, digest) of every page of a stream, in order of label."""
        stream = self._streams.get(key)
        if stream is None:
            return []
        return [(label, held.seq, held.digest) for label, held in sorted(stream.pages.items())]

    def streams(self, roster: frozenset[NodeId]) -> list[tuple[NodeId, str, str]]:
        """(author, incarnation, digest) of every stream whose author is on the roster, in order."""
        keys = sorted(key for key in self._streams if key[0] in roster)
        return [(author, incarnation, self._digest((author, incarnation))) for author, incarnation in keys]

    def root(self, roster: frozenset[NodeId]) -> str:
        """Thirty-two hexadecimal digits that are equal when two nodes hold the same."""
        return _digest_of(f"{a}/{i}/{d}" for a, i, d in self.streams(roster))

    def _digest(self, key: StreamKey) -> str:
        stream = self._streams[key]
        if not stream.digest:
            stream.digest = _digest_of(f"{label}/{seq}/{digest}" for label, seq, digest in self.listed(key))
        return stream.digest

    def _lives(self, author: NodeId) -> list[Rank]:
        return sorted(life_rank(life) for writer, life in self._streams if writer == author)

    def _drop_covered(self, key: StreamKey, label: str) -> None:
        stream, held = self._streams.get(key), self.held(key, label)
        if stream is None or held is None or not self.is_covered(key, label, held.seq):
            return
        self._drop(key[0], stream, [label])
        stream.days[held.day] -= 1
        if not stream.days[held.day]:
            del stream.days[held.day]
        stream.digest = ""
        if not stream.pages:
            del self._streams[key]

    def _keep_limits(self, author: NodeId, stream: _Stream) -> None:
        if len(stream.days) > DAYS_MAX:
            oldest = min(stream.days, key=_rank)
            self._drop(author, stream, [label for label, held in stream.pages.items() if held.day == oldest])
            del stream.days[oldest]
        lives = self._lives(author)
        if len(lives) > LIVES_MAX:
            gone = self._streams.pop((author, lives[0][1]))
            self._drop(author, gone, list(gone.pages))
        if self._bytes[author] > AUTHOR_BYTES_MAX:
            self._forget_oldest(author)

    def _drop(self, author: NodeId, stream: _Stream, labels: list[str]) -> None:
        for label in labels:
            self._bytes[author] -= len(stream.pages.pop(label).raw or b"")

    def _forget_oldest(self, author: NodeId) -> None:
        mine = (stream for (writer, _), stream in self._streams.items() if writer == author)
        full = ((_rank(h.day), label, s) for s in mine for label, h in s.pages.items() if h.raw is not None)
        for _, label, stream in sorted(full, key=lambda entry: entry[:2]):
            if self._bytes[author] <= AUTHOR_BYTES_MAX * EIGHTHS_LEFT // 8:
                return
            held = stream.pages[label]
            self._bytes[author] -= len(held.raw or b"")
            stream.pages[label] = Held(held.seq, held.digest, held.day, None)


def _rank(day: str) -> str:
    # Bytes of a node without a clock belong to no day; they stand before all others, and are one day at most.
    return "" if day == DAY_UNKNOWN else day


def _digest_of(lines: Iterator[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:32]

"""The pages that this node holds for the community: newest of each name, summed up in digests, limited.

What is held depends on which pages came, never on the order in which they came: of each name the page with the highest
number, of each author the newest days that fit. So two nodes that have told each other everything hold the same, and
what an author's pages say is the same everywhere.
"""

import hashlib
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from mesh.messages import Cover, Malformed, Page, PageContent, page_digest, past_of, takes_back
from node.accounting.lives import Rank, life_rank
from node.accounting.periods import DAY_UNKNOWN
from node.units import NodeId

LIVES_MAX = 64
"""Streams kept of one author: those with the highest pages. An author takes its earlier lives into its newest one, which
is then the only stream; so many are kept where it has not heard of them yet."""
DAYS_MAX = 62
"""HoldResult for each stream: the newest days, enough for any month; a wrong clock costs one of them."""
AUTHOR_ROWS_MAX = 40_000
"""HoldResult of one author: the newest days. Periods of today count 31 days at most, and 1,000 members and 100 new guests a
day are 34,100 rows in these."""
AUTHOR_DAY_ROWS_MAX = 12_000
"""HoldResult of one author and day: those of the highest lives."""
ROWS_OF_A_PAGE_MIN = 16
"""What the smallest page counts as, so that there are 2,500 of one author at most."""
BYTES_OF_A_ROW = 128
"""A page counts as no fewer rows than it has times as many bytes: 5 MB of one author at most. Rows are shorter, unless
names are very long."""
CHANGED_ROWS_MAX = 10_000
"""Of pages that were replaced by others which do not say the same, or left: more than so many wait for no recount, and
nothing more is taken of their author before that."""

type StreamKey = tuple[NodeId, str]
type Age = Literal["newer", "same", "older", "conflict"]
type PagePosition = tuple[str, Rank, str]
"""Where a page stands among those of its author: by day, life and label. The lowest gives way first."""


@dataclass(frozen=True, slots=True)
class Held:
    """One page by its seq and digest."""

    seq: int
    digest: str
    day: str
    raw: bytes
    rows: int
    """How many it counts as."""

    @property
    def body(self) -> bytes:
        return self.raw.split(b"\n")[1]


@dataclass(frozen=True, slots=True)
class HoldResult:
    """A page was taken; others left for it."""

    left: tuple[str, ...] = ()
    """Their names."""
    is_full: bool = False
    """Whether any of them left because there is too much of the author."""


@dataclass(slots=True)
class _Stream:
    rank: Rank
    pages: dict[str, Held] = field(default_factory=dict)
    days: dict[str, int] = field(default_factory=dict)
    """How many pages each day has."""
    digest: str = ""


@dataclass(slots=True)
class _Author:
    streams: dict[str, _Stream] = field(default_factory=dict)
    places: list[PagePosition] = field(default_factory=list)
    """Of all its pages, the lowest first."""
    rows: int = 0
    rows_of_days: dict[str, int] = field(default_factory=dict)
    covered: dict[tuple[str, str], tuple[tuple[int, PagePosition], ...]] = field(default_factory=dict)
    """By life and label of a page that was taken in: up to which seq, and where that stands."""
    changed: dict[str, int] = field(default_factory=dict)
    """Days of which something may be said no longer, and how many rows at most."""

    def changes(self, day: str, rows: int) -> None:
        self.changed[day] = self.changed.get(day, 0) + rows

    def counts(self, held: Held, sign: int) -> None:
        self.rows += sign * held.rows
        of_day = self.rows_of_days.get(held.day, 0) + sign * held.rows
        self.rows_of_days[held.day] = of_day
        if not of_day:
            del self.rows_of_days[held.day]

    def covers(self, life: str, label: str, seq: int) -> bool:
        return any(seq <= upto for upto, _ in self.covered.get((life, label), ()))

    def places_on(self, day: str) -> Iterator[PagePosition]:
        rank = _rank(day)
        for at in range(bisect_left(self.places, (rank,)), len(self.places)):
            if self.places[at][0] != rank:
                return
            yield self.places[at]

    def lowest_life(self) -> PagePosition:
        """Where the highest page stands of the life whose highest page is the lowest."""
        return min({place[1]: place for place in self.places}.values())

    def held_at(self, place: PagePosition) -> Held:
        _, (_, life), label = place
        return self.streams[life].pages[label]


class PageCollection:
    """Which pages are held, by stream (author, incarnation) and label. `exchange` checks them first."""

    def __init__(self) -> None:
        self._authors: dict[NodeId, _Author] = {}

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
        """False for what `hold` would drop at once: a day older than all that are kept, or the first page of a life below
        LIVES_MAX others."""
        author = self._authors.get(page.author)
        if author is None:
            return True
        stream = author.streams.get(page.incarnation)
        if stream is not None:
            full = len(stream.days) >= DAYS_MAX and page.period not in stream.days
            return not full or _rank(page.period) > _rank(min(stream.days, key=_rank))
        place = _rank(page.period), life_rank(page.incarnation), page.label
        return len(author.streams) < LIVES_MAX or place > author.lowest_life()

    def is_covered(self, key: StreamKey, label: str, seq: int) -> bool:
        """Whether a later life of the author has taken this page in: what it says stands there."""
        author = self._authors.get(key[0])
        return author is not None and author.covers(key[1], label, seq)

    def lives(self, author: NodeId) -> list[str]:
        """Lives of the author's books of which pages are held, the earliest first."""
        found = self._authors.get(author, _Author())
        return sorted(found.streams, key=life_rank)

    def own(self, author: NodeId) -> list[bytes]:
        """Every page of `author` that is held."""
        streams = self._authors.get(author, _Author()).streams.values()
        return [held.raw for stream in streams for held in stream.pages.values()]

    def of_day(self, author: NodeId, day: str) -> list[bytes]:
        """Every page of `author` about that day, of all its lives."""
        found = self._authors.get(author, _Author())
        return [found.held_at(place).raw for place in found.places_on(day)]

    def changed(self) -> list[tuple[NodeId, str, int]]:
        """Authors and days of which pages have said what none that is held may say now, and how many rows that is at
        most; the most first."""
        authors = self._authors.items()
        found = [(name, day, rows) for name, author in authors for day, rows in author.changed.items()]
        return sorted(found, key=lambda each: each[2], reverse=True)

    def recount_later(self, author: NodeId, day: str) -> None:
        self._authors.setdefault(author, _Author()).changes(day, 0)

    def changes_too_much(self, author: NodeId) -> bool:
        """Whether nothing more is to be taken before it is `settle`d."""
        return sum(self._authors.get(author, _Author()).changed.values()) > CHANGED_ROWS_MAX

    def settle(self, author: NodeId, day: str, rows: int) -> None:
        """What the pages said when it was `rows` of that day is counted again."""
        changed = self._authors.get(author, _Author()).changed
        changed[day] = changed.get(day, 0) - rows
        if changed[day] <= 0:
            del changed[day]

    def hold(self, page: Page, said: PageContent) -> HoldResult | None:
        """Keep `page`, which says `said`; of two with the same seq, the one with the greater digest on every node. Pages
        of earlier lives that it covers leave, and the lowest where there is too much of its author. None where it does
        not fit beside higher ones: then nothing has changed."""
        author = self._authors.setdefault(page.author, _Author())
        rank = life_rank(page.incarnation)
        held = self.held((page.author, page.incarnation), page.label)
        new = Held(page.seq, page_digest(page), page.period, page.raw, counts_as(page, said))
        if held is not None and (held.seq, held.digest) >= (new.seq, new.digest):
            author.changes(page.period, new.rows)
            return HoldResult()
        place = _rank(page.period), rank, page.label
        giving_way = _giving_way(author, place, new, held)
        if giving_way is None:
            return None
        if held is not None:
            _replaced(author, place, held, page)
        else:
            insort(author.places, place)
        stream = author.streams.setdefault(page.incarnation, _Stream(rank))
        _put(author, stream, page.label, new)
        gone = [_leave(author, each) for each in giving_way]
        gone += _beyond_limits(author, stream)
        gone += _take_in(author, place, said.covers)
        return HoldResult(tuple(f"{page.author}/{name}" for name in gone), is_full=bool(giving_way))

    def held(self, key: StreamKey, label: str) -> Held | None:
        author = self._authors.get(key[0])
        stream = author.streams.get(key[1]) if author else None
        return stream.pages.get(label) if stream else None

    def listed(self, key: StreamKey) -> list[tuple[str, int, str]]:
        """(label, seq, digest) of every page of a stream, in order of label."""
        author = self._authors.get(key[0])
        stream = author.streams.get(key[1]) if author else None
        return _listed(stream) if stream else []

    def streams(self, roster: frozenset[NodeId]) -> list[tuple[NodeId, str, str]]:
        """(author, incarnation, digest) of every stream whose author is on the roster, in order."""
        return [
            (name, incarnation, _digest(stream))
            for name in sorted(self._authors.keys() & roster)
            for incarnation, stream in sorted(self._authors[name].streams.items())
        ]

    def root(self, roster: frozenset[NodeId]) -> str:
        """Thirty-two hexadecimal digits that are equal when two nodes hold the same."""
        return _digest_of(f"{a}/{i}/{d}" for a, i, d in self.streams(roster))


def counts_as(page: Page, said: PageContent) -> int:
    """Of how many rows a page takes the room."""
    return max(len(said.rows) + len(said.covers), -(-len(page.raw) // BYTES_OF_A_ROW), ROWS_OF_A_PAGE_MIN)


def _giving_way(
    author: _Author, place: PagePosition, new: Held, held: Held | None
) -> list[PagePosition] | None:
    """Which pages leave, the lowest first, so that no more rows than are kept are left with `new` at `place`, first of
    its day and then of all; None where those below it are not enough."""
    more = new.rows - (held.rows if held is not None else 0)
    of_day = author.rows_of_days.get(new.day, 0) + more
    first = _lowest(author, author.places_on(new.day), place, of_day - AUTHOR_DAY_ROWS_MAX)
    if first is None:
        return None
    over = author.rows + more - AUTHOR_ROWS_MAX - sum(author.held_at(each).rows for each in first)
    gone = set(first)
    rest = _lowest(author, (each for each in author.places if each not in gone), place, over)
    return None if rest is None else first + rest


def _lowest(
    author: _Author, places: Iterable[PagePosition], place: PagePosition, over: int
) -> list[PagePosition] | None:
    """The first of `places` that come to `over` rows or more; None if that is not before `place`."""
    found: list[PagePosition] = []
    for each in places if over > 0 else ():
        if each >= place:
            return None
        found.append(each)
        over -= author.held_at(each).rows
        if over <= 0:
            return found
    return found if over <= 0 else None


def _replaced(author: _Author, place: PagePosition, held: Held, page: Page) -> None:
    """A newer page takes the place of one that is held."""
    if takes_back(held.body, page.body):
        author.changes(held.day, held.rows)
    author.counts(held, -1)
    _uncover(author, place, held)


def _put(author: _Author, stream: _Stream, label: str, new: Held) -> None:
    if label not in stream.pages:
        stream.days[new.day] = stream.days.get(new.day, 0) + 1
    stream.pages[label], stream.digest = new, ""
    author.counts(new, +1)


def _leave(author: _Author, place: PagePosition) -> str:
    """A page goes; returns its name among its author's."""
    _, (_, life), label = place
    stream = author.streams[life]
    held = stream.pages.pop(label)
    stream.digest = ""
    del author.places[bisect_left(author.places, place)]
    author.counts(held, -1)
    author.changes(held.day, held.rows)
    _uncover(author, place, held)
    stream.days[held.day] -= 1
    if not stream.days[held.day]:
        del stream.days[held.day]
    if not stream.pages:
        del author.streams[life]
    return f"{life}/{label}"


def _beyond_limits(author: _Author, stream: _Stream) -> list[str]:
    """Pages of more days than are kept of a stream, or of more lives, leave."""
    gone: list[PagePosition] = []
    if len(stream.days) > DAYS_MAX:
        oldest = min(stream.days, key=_rank)
        gone += [_place(stream, label) for label, held in stream.pages.items() if held.day == oldest]
    if len(author.streams) > LIVES_MAX:
        lowest = author.streams[author.lowest_life()[1][1]]
        gone += [_place(lowest, label) for label in lowest.pages]
    return [_leave(author, place) for place in dict.fromkeys(gone)]


def _take_in(author: _Author, place: PagePosition, covers: Iterable[Cover]) -> list[str]:
    """The page at `place` covers others, of earlier lives; those that are held leave."""
    gone: list[str] = []
    for life, label, seq in covers:
        if life_rank(life) >= place[1]:  # or two lives could take each other in
            continue
        author.covered[life, label] = (*author.covered.get((life, label), ()), (seq, place))
        stream = author.streams.get(life)
        held = stream.pages.get(label) if stream is not None else None
        if stream is not None and held is not None and held.seq <= seq:
            gone.append(_leave(author, _place(stream, label)))
    return gone


def _uncover(author: _Author, place: PagePosition, held: Held) -> None:
    """What the page at `place` has taken in may be held again, unless another page has taken it in as well."""
    past = past_of(held.body, held.day) if place[2].startswith("past/") else None
    if past is None or isinstance(past, Malformed):
        return
    for life, label, _ in past.covers:
        others = tuple(each for each in author.covered.get((life, label), ()) if each[1] != place)
        if others:
            author.covered[life, label] = others
        else:
            author.covered.pop((life, label), None)


def _place(stream: _Stream, label: str) -> PagePosition:
    return _rank(stream.pages[label].day), stream.rank, label


def _listed(stream: _Stream) -> list[tuple[str, int, str]]:
    return [(label, held.seq, held.digest) for label, held in sorted(stream.pages.items())]


def _digest(stream: _Stream) -> str:
    if not stream.digest:
        stream.digest = _digest_of(f"{label}/{seq}/{digest}" for label, seq, digest in _listed(stream))
    return stream.digest


def _rank(day: str) -> str:
    # Bytes of a node without a clock belong to no day; they stand before all others, and are one day at most.
    return "" if day == DAY_UNKNOWN else day


def _digest_of(lines: Iterator[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:32]

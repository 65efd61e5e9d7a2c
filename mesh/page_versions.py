"""The pages that this node holds for the community: the newest of each name, with digests and limits.

The result depends on which pages were received, not on their order: of each name the page with the highest seq, of
each author the newest days that fit. So two nodes that have exchanged everything hold the same pages, and an author's
usage is the same everywhere.
"""

import hashlib
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from mesh.other_pages import Age, Held, OtherPages
from mesh.packed_pages import HeldUsage, Streams, pack, unpack
from mesh.page_format import Page, page_digest
from mesh.page_kinds import Content, kind_named
from mesh.raw_pages import PageKey, RawPages
from mesh.usage_kind import Cover, PageContent, takes_back
from node.accounting.ledger import Rank, incarnation_rank
from node.accounting.periods import DAY_UNKNOWN
from node.units import NodeId

INCARNATIONS_MAX = 64
"""Streams kept per author: those with the highest pages (see `PagePosition`). An author normally merges its earlier
incarnations into the newest, which is then the only stream; this is the limit while it does not know of them yet."""
DAYS_MAX = 62
"""Days kept per stream: the newest ones, enough for any month; a wrong clock can waste one."""
AUTHOR_ROWS_MAX = 40_000
"""Rows kept per author: those of the newest days. Current periods have at most 31 days; with 1,000 members and 100
new guests a day these have 34,100 rows."""
AUTHOR_DAY_ROWS_MAX = 12_000
"""Rows kept per author and day: those of the highest incarnations."""
ROWS_OF_A_PAGE_MIN = 16
"""Minimum rows that a page counts as, which limits an author to 2,500 pages."""
BYTES_OF_A_ROW = 128
"""Bytes per counted row: a large page counts as more rows, which limits an author to 5 MB. Real rows are shorter
unless names are very long."""
CHANGED_ROWS_MAX = 10_000
"""Rows per author that may wait for a recount because their page was evicted or replaced by one with less. Above
this, further pages of the author are refused until the recount."""

ACTIVE_AUTHORS_MAX = 4
"""Authors whose pages are known as objects; those of the others are packed until something asks for them."""

type StreamKey = tuple[NodeId, str]
type PagePosition = tuple[str, Rank, str]
"""Sort key of an author's pages: day, incarnation, label. The lowest is evicted first."""
type Summary = tuple[tuple[str, str], ...]
"""(incarnation, digest) of each stream of an author, sorted."""


@dataclass(frozen=True, slots=True)
class HoldResult:
    """A page was stored; others were evicted for it."""

    left: tuple[str, ...] = ()
    """Names of the evicted pages."""
    is_full: bool = False
    """Whether any were evicted because the author exceeds its limits."""


@dataclass(slots=True)
class _Stream:
    rank: Rank
    pages: dict[str, HeldUsage] = field(default_factory=dict)
    days: dict[str, int] = field(default_factory=dict)
    """Number of pages per day."""
    digest: str = ""


@dataclass(slots=True)
class _Author:
    streams: dict[str, _Stream] = field(default_factory=dict)
    positions: list[PagePosition] = field(default_factory=list)
    """Positions of all pages of the author, sorted."""
    rows: int = 0
    rows_of_days: dict[str, int] = field(default_factory=dict)
    covered: dict[tuple[str, str], tuple[tuple[int, PagePosition], ...]] = field(default_factory=dict)
    """(incarnation, label) of a covered page to the seqs up to which it is covered, each with the covering page's
    position."""
    others: OtherPages = field(default_factory=OtherPages)
    changed: dict[str, int] = field(default_factory=dict)
    """Days whose pages may have withdrawn usage, with an upper bound of the rows affected."""
    summaries: dict[bool, Summary] = field(default_factory=dict)
    """With and without others; empty after each change."""

    def changes(self, day: str, rows: int) -> None:
        self.changed[day] = self.changed.get(day, 0) + rows

    def counts(self, held: HeldUsage, sign: int) -> None:
        self.rows += sign * held.rows
        of_day = self.rows_of_days.get(held.day, 0) + sign * held.rows
        self.rows_of_days[held.day] = of_day
        if not of_day:
            del self.rows_of_days[held.day]

    def covers(self, incarnation: str, label: str, seq: int) -> bool:
        return any(seq <= upto for upto, _ in self.covered.get((incarnation, label), ()))

    def positions_on(self, day: str) -> Iterator[PagePosition]:
        rank = day_rank(day)
        for at in range(bisect_left(self.positions, (rank,)), len(self.positions)):
            if self.positions[at][0] != rank:
                return
            yield self.positions[at]

    def lowest_incarnation(self) -> PagePosition:
        """Of the highest page of each incarnation, the lowest."""
        return min({position[1]: position for position in self.positions}.values())

    def held_at(self, position: PagePosition) -> HeldUsage:
        _, (_, incarnation), label = position
        return self.streams[incarnation].pages[label]


@dataclass(slots=True)
class _RestingAuthor:
    """An author whose pages are packed. What is asked for without naming one of them stays as it is."""

    packed: bytes
    others: OtherPages
    changed: dict[str, int]
    summaries: dict[bool, Summary]


@dataclass(frozen=True, slots=True)
class StoredPage:
    """A held page whose bytes are only in the page cache."""

    key: PageKey
    seq: int
    digest: str

    @property
    def name(self) -> str:
        """As `Page.name`."""
        return "/".join(self.key)


class PageCollection:
    """The pages held, by stream (author, incarnation) and label. `exchange` verifies them first."""

    def __init__(self) -> None:
        self._active: dict[NodeId, _Author] = {}
        """Those used longest ago first."""
        self._resting: dict[NodeId, _RestingAuthor] = {}
        self._raw = RawPages()
        self._roots: dict[bool, tuple[frozenset[NodeId], str]] = {}
        """With and without others: roster and root; empty after each change."""

    def _find(self, name: NodeId) -> _Author | None:
        author = self._active.pop(name, None)
        if author is None:
            resting = self._resting.pop(name, None)
            if resting is None:
                return None
            author = _awake(resting)
        self._active[name] = author
        while len(self._active) > ACTIVE_AUTHORS_MAX:
            longest = next(iter(self._active))
            self._resting[longest] = _at_rest(self._active.pop(longest))
        return author

    def _look_at(self, name: NodeId) -> _Author:
        """Not to be changed: an author without pages is a new one."""
        return self._find(name) or _Author()

    def _of(self, name: NodeId) -> _Author:
        author = self._find(name)
        if author is None:
            self._active[name] = _Author()
            author = self._find(name)
            assert author is not None
        return author

    def _others_of(self, name: NodeId) -> OtherPages:
        """Not to be changed: those of an author without pages are new ones."""
        place: _Author | _RestingAuthor | None = self._active.get(name) or self._resting.get(name)
        return place.others if place is not None else OtherPages()

    def age(self, page: Page) -> Age:
        """`page` compared with the held page of the same name, or with what a later incarnation has merged."""
        if _is_other(page.label):
            return self._others_of(page.author).age(page)
        if self.is_covered((page.author, page.incarnation), page.label, page.seq):
            return "older"
        held = self.held((page.author, page.incarnation), page.label)
        if held is None or page.seq > held.seq:
            return "newer"
        if page.seq < held.seq:
            return "older"
        return "same" if held.digest == page_digest(page) else "conflict"

    def has_room(self, page: Page) -> bool:
        """False for a page that `hold` would drop at once: its day is older than all kept ones, or it is the first
        page of an incarnation below INCARNATIONS_MAX others."""
        if _is_other(page.label):
            return True
        author = self._find(page.author)
        if author is None:
            return True
        stream = author.streams.get(page.incarnation)
        if stream is not None:
            full = len(stream.days) >= DAYS_MAX and page.period not in stream.days
            return not full or day_rank(page.period) > day_rank(min(stream.days, key=day_rank))
        position = page_position(page)
        return len(author.streams) < INCARNATIONS_MAX or position > author.lowest_incarnation()

    def is_covered(self, key: StreamKey, label: str, seq: int) -> bool:
        """Whether a later incarnation of the author has merged this page into its own, or replaced it."""
        if _is_other(label):
            return self._others_of(key[0]).is_superseded(key[1], label)
        return self._look_at(key[0]).covers(key[1], label, seq)

    def incarnations(self, author: NodeId) -> list[str]:
        """Incarnations of the author's ledger with held pages about usage, earliest first."""
        return sorted(self._look_at(author).streams, key=incarnation_rank)

    def own(self, author: NodeId) -> list[bytes]:
        """All held pages of `author` about usage whose bytes are in memory."""
        return [raw for page in self.pages_of(author) if (raw := self._raw.get(page.key)) is not None]

    def pages_of(self, author: NodeId) -> list[StoredPage]:
        """All held pages of `author` about usage."""
        streams = self._look_at(author).streams.items()
        return [
            StoredPage((author, incarnation, label), held.seq, held.digest)
            for incarnation, stream in streams
            for label, held in stream.pages.items()
        ]

    def others(self, author: NodeId) -> list[bytes]:
        """All held pages of `author` of other kinds."""
        return self._others_of(author).all()

    def other(self, author: NodeId, label: str) -> bytes | None:
        """The held page of `author` of another kind with this label."""
        return self._others_of(author).page(label)

    def pages_of_day(self, author: NodeId, day: str) -> list[StoredPage]:
        """All held pages of `author` for that day, of all incarnations."""
        found, pages = self._look_at(author), list[StoredPage]()
        for position in found.positions_on(day):
            held = found.held_at(position)
            pages.append(StoredPage((author, position[1][1], position[2]), held.seq, held.digest))
        return pages

    def changed(self) -> list[tuple[NodeId, str, int]]:
        """(author, day, rows) whose evicted or replaced pages contained usage that held pages may not contain; `rows`
        is an upper bound. Most rows first."""
        places: tuple[tuple[NodeId, _Author | _RestingAuthor], ...]
        places = (*self._active.items(), *self._resting.items())
        found = [(name, day, rows) for name, place in places for day, rows in place.changed.items()]
        return sorted(found, key=lambda each: each[2], reverse=True)

    def recount_later(self, author: NodeId, day: str) -> None:
        self._of(author).changes(day, 0)

    def changes_too_much(self, author: NodeId) -> bool:
        """Whether the author's pages are refused until `settle` is called."""
        return sum(self._look_at(author).changed.values()) > CHANGED_ROWS_MAX

    def settle(self, author: NodeId, day: str, rows: int) -> None:
        """The day was recounted when `changed` reported `rows` for it."""
        changed = self._look_at(author).changed
        changed[day] = changed.get(day, 0) - rows
        if changed[day] <= 0:
            del changed[day]

    def hold(self, page: Page, said: Content) -> HoldResult | None:
        """Store `page` with its content `said`; of two with the same seq, every node keeps the one with the greater
        digest. Evicts pages of earlier incarnations that it covers, and the author's lowest pages when a limit is
        exceeded. None if it does not fit beside higher pages; then nothing has changed."""
        author = self._of(page.author)
        if _is_other(page.label) or not isinstance(said, PageContent):
            found = _hold_other(author, page)
        else:
            found = self._hold_usage(author, page, said)
        self._roots, author.summaries = {}, {}
        return found

    def _hold_usage(self, author: _Author, page: Page, said: PageContent) -> HoldResult | None:
        rank, key = incarnation_rank(page.incarnation), (page.author, page.incarnation, page.label)
        stream = author.streams.get(page.incarnation)
        held = stream.pages.get(page.label) if stream is not None else None
        new = HeldUsage(page.seq, page_digest(page), page.period, counts_as(page, said), said.covers)
        if held is not None and (held.seq, held.digest) >= (new.seq, new.digest):
            author.changes(page.period, new.rows)
            return HoldResult()
        position = page_position(page)
        giving_way = _giving_way(author, position, new, held)
        if giving_way is None:
            return None
        if held is not None:
            _replaced(author, position, held, self._raw.get(key), page)
        else:
            insort(author.positions, position)
        stream = author.streams.setdefault(page.incarnation, _Stream(rank))
        _put(author, stream, page.label, new)
        gone = [_leave(author, each) for each in giving_way]
        gone += _beyond_limits(author, stream)
        gone += _take_in(author, position, said.covers)
        self._raw.put(key, page.raw)
        for incarnation, label in gone:
            self._raw.drop((page.author, incarnation, label))
        names = tuple(f"{page.author}/{incarnation}/{label}" for incarnation, label in gone)
        return HoldResult(names, is_full=bool(giving_way))

    def held(self, key: StreamKey, label: str) -> Held | HeldUsage | None:
        if _is_other(label):
            return self._others_of(key[0]).held(key[1], label)
        stream = self._look_at(key[0]).streams.get(key[1])
        return stream.pages.get(label) if stream else None

    def raw(self, key: StreamKey, label: str) -> bytes | StoredPage | None:
        """The held page with this name, or where it is stored."""
        held = self.held(key, label)
        if held is None:
            return None
        if isinstance(held, Held):
            return held.raw
        at = (*key, label)
        return self._raw.get(at) or StoredPage(at, held.seq, held.digest)

    def bytes_of(self, page: StoredPage) -> bytes | None:
        """Those of a page about usage, if it is held in this version and they are in memory."""
        return self._raw.get(page.key) if self._is_held(page) else None

    def stored(self, name: str, raw: bytes, *, is_recent: bool = True) -> None:
        """The page cache has this page now, which need not stay in memory; `is_recent`: later than others."""
        author, incarnation, label = name.split("/", 2)
        self._raw.stored((NodeId(author), incarnation, label), raw, is_recent=is_recent)

    def read(self, page: StoredPage, raw: bytes) -> None:
        """The page cache has returned its bytes, which stay in memory for a while, if it is still held."""
        if self._is_held(page):
            self._raw.used(page.key, raw)

    def forget(self, page: StoredPage) -> None:
        """The page cache no longer has it: it is not held any longer, and its usage is not taken back."""
        if self._is_held(page) and self._raw.get(page.key) is None:
            author, incarnation, label = page.key
            found = self._of(author)
            _remove(found, _position(found.streams[incarnation], label))
            self._roots, found.summaries = {}, {}

    def _is_held(self, page: StoredPage) -> bool:
        held = self.held(page.key[:2], page.key[2])
        return held is not None and (held.seq, held.digest) == (page.seq, page.digest)

    def in_memory(self) -> list[bytes]:
        """The pages about usage whose bytes are in memory."""
        return [raw for _, raw in self._raw]

    def authors(self) -> list[NodeId]:
        """Authors of held pages, and of pages that were held."""
        return sorted(self._active.keys() | self._resting.keys())

    def listed(self, key: StreamKey, *, with_others: bool = True) -> list[tuple[str, int, str]]:
        """(label, seq, digest) of every page of a stream, sorted by label; `with_others`: of all kinds, not only those
        of the first version."""
        author = self._find(key[0])
        return _listed(author, key[1], with_others=with_others) if author else []

    def streams(
        self, roster: frozenset[NodeId], *, with_others: bool = True
    ) -> list[tuple[NodeId, str, str]]:
        """(author, incarnation, digest) of every stream with an author on the roster, sorted."""
        return [
            (name, incarnation, digest)
            for name in sorted((self._active.keys() | self._resting.keys()) & roster)
            for incarnation, digest in self._summary(name, with_others=with_others)
        ]

    def _summary(self, name: NodeId, *, with_others: bool) -> Summary:
        resting = self._resting.get(name)
        if resting is not None:
            return resting.summaries[with_others]
        author = self._active[name]
        if with_others not in author.summaries:
            author.summaries[with_others] = tuple(_digests(author, with_others=with_others))
        return author.summaries[with_others]

    def root(self, roster: frozenset[NodeId], *, with_others: bool = True) -> str:
        """Digest of everything held, 32 hexadecimal digits; equal on two nodes that hold the same pages."""
        known = self._roots.get(with_others)
        if known is not None and known[0] == roster:
            return known[1]
        found = _digest_of(f"{a}/{i}/{d}" for a, i, d in self.streams(roster, with_others=with_others))
        self._roots[with_others] = roster, found
        return found


def _at_rest(author: _Author) -> _RestingAuthor:
    for with_others in (False, True):
        if with_others not in author.summaries:
            author.summaries[with_others] = tuple(_digests(author, with_others=with_others))
    streams: Streams = {incarnation: stream.pages for incarnation, stream in author.streams.items()}
    return _RestingAuthor(pack(streams), author.others, author.changed, author.summaries)


def _awake(resting: _RestingAuthor) -> _Author:
    author = _Author(others=resting.others, changed=resting.changed, summaries=resting.summaries)
    for incarnation, pages in unpack(resting.packed).items():
        stream = author.streams[incarnation] = _Stream(incarnation_rank(incarnation))
        for label, held in pages.items():
            _put(author, stream, label, held)
            author.positions.append(_position(stream, label))
    author.positions.sort()
    for position in author.positions:
        _note_covers(author, position, author.held_at(position).covers)
    return author


def _is_other(label: str) -> bool:
    return kind_named(label.partition("/")[0]).limit == "bytes"


def _hold_other(author: _Author, page: Page) -> HoldResult | None:
    gone = author.others.hold(page)
    if gone is None:
        return None
    is_full = any(not name.endswith(f"/{page.label}") for name in gone)
    return HoldResult(tuple(f"{page.author}/{name}" for name in gone), is_full=is_full)


def page_position(page: Page) -> PagePosition:
    """Where a page stands among those of its author."""
    return day_rank(page.period), incarnation_rank(page.incarnation), page.label


def counts_as(page: Page, said: PageContent) -> int:
    """The number of rows that a page counts as under the limits."""
    return max(len(said.rows) + len(said.covers), -(-len(page.raw) // BYTES_OF_A_ROW), ROWS_OF_A_PAGE_MIN)


def _giving_way(
    author: _Author, position: PagePosition, new: HeldUsage, held: HeldUsage | None
) -> list[PagePosition] | None:
    """Pages to evict, lowest first, so that `new` at `position` fits the limit of its day and then that of the author;
    None if the pages below it do not suffice."""
    more = new.rows - (held.rows if held is not None else 0)
    of_day = author.rows_of_days.get(new.day, 0) + more
    first = _lowest(author, author.positions_on(new.day), position, of_day - AUTHOR_DAY_ROWS_MAX)
    if first is None:
        return None
    over = author.rows + more - AUTHOR_ROWS_MAX - sum(author.held_at(each).rows for each in first)
    gone = set(first)
    rest = _lowest(author, (each for each in author.positions if each not in gone), position, over)
    return None if rest is None else first + rest


def _lowest(
    author: _Author, positions: Iterable[PagePosition], position: PagePosition, over: int
) -> list[PagePosition] | None:
    """The first of `positions` that together have at least `over` rows; None if those before `position` do not suffice."""
    found: list[PagePosition] = []
    for each in positions if over > 0 else ():
        if each >= position:
            return None
        found.append(each)
        over -= author.held_at(each).rows
        if over <= 0:
            return found
    return found if over <= 0 else None


def _replaced(
    author: _Author, position: PagePosition, held: HeldUsage, before: bytes | None, page: Page
) -> None:
    """Account for the replacement of a held page by a newer one. While the one before is not in memory, it may have said
    more."""
    if before is None or takes_back(before.split(b"\n")[1], page.body):
        author.changes(held.day, held.rows)
    author.counts(held, -1)
    _uncover(author, position, held)


def _put(author: _Author, stream: _Stream, label: str, new: HeldUsage) -> None:
    if label not in stream.pages:
        stream.days[new.day] = stream.days.get(new.day, 0) + 1
    stream.pages[label], stream.digest = new, ""
    author.counts(new, +1)


def _leave(author: _Author, position: PagePosition) -> tuple[str, str]:
    """Evict a page; returns its incarnation and label."""
    held = _remove(author, position)
    author.changes(held.day, held.rows)
    return position[1][1], position[2]


def _remove(author: _Author, position: PagePosition) -> HeldUsage:
    _, (_, incarnation), label = position
    stream = author.streams[incarnation]
    held = stream.pages.pop(label)
    stream.digest = ""
    del author.positions[bisect_left(author.positions, position)]
    author.counts(held, -1)
    _uncover(author, position, held)
    stream.days[held.day] -= 1
    if not stream.days[held.day]:
        del stream.days[held.day]
    if not stream.pages:
        del author.streams[incarnation]
    return held


def _beyond_limits(author: _Author, stream: _Stream) -> list[tuple[str, str]]:
    """Evict pages above the limits for days per stream and incarnations per author."""
    gone: list[PagePosition] = []
    if len(stream.days) > DAYS_MAX:
        oldest = min(stream.days, key=day_rank)
        gone += [_position(stream, label) for label, held in stream.pages.items() if held.day == oldest]
    if len(author.streams) > INCARNATIONS_MAX:
        lowest = author.streams[author.lowest_incarnation()[1][1]]
        gone += [_position(lowest, label) for label in lowest.pages]
    return [_leave(author, position) for position in dict.fromkeys(gone)]


def _take_in(author: _Author, position: PagePosition, covers: Iterable[Cover]) -> list[tuple[str, str]]:
    """Record that the page at `position` covers pages of earlier incarnations, and evict those that are held."""
    gone: list[tuple[str, str]] = []
    for incarnation, label, seq in _note_covers(author, position, covers):
        stream = author.streams.get(incarnation)
        held = stream.pages.get(label) if stream is not None else None
        if stream is not None and held is not None and held.seq <= seq:
            gone.append(_leave(author, _position(stream, label)))
    return gone


def _note_covers(author: _Author, position: PagePosition, covers: Iterable[Cover]) -> list[Cover]:
    """Those that count: otherwise two incarnations could cover each other."""
    found = [cover for cover in covers if incarnation_rank(cover[0]) < position[1]]
    for incarnation, label, seq in found:
        author.covered[incarnation, label] = (*author.covered.get((incarnation, label), ()), (seq, position))
    return found


def _uncover(author: _Author, position: PagePosition, held: HeldUsage) -> None:
    """Pages that only the page at `position` covered may be held again."""
    for incarnation, label, _ in held.covers:
        others = tuple(each for each in author.covered.get((incarnation, label), ()) if each[1] != position)
        if others:
            author.covered[incarnation, label] = others
        else:
            author.covered.pop((incarnation, label), None)


def _position(stream: _Stream, label: str) -> PagePosition:
    return day_rank(stream.pages[label].day), stream.rank, label


def _listed(author: _Author, incarnation: str, *, with_others: bool) -> list[tuple[str, int, str]]:
    stream, others = author.streams.get(incarnation), author.others.incarnations().get(incarnation, [])
    usage = [(label, held.seq, held.digest) for label, held in stream.pages.items()] if stream else []
    return sorted([*usage, *others] if with_others else usage)


def _digests(author: _Author, *, with_others: bool) -> list[tuple[str, str]]:
    """(incarnation, digest) of each stream, sorted."""
    others = author.others.incarnations() if with_others else {}
    return [
        (incarnation, _digest(author, incarnation, with_others=incarnation in others))
        for incarnation in sorted({**author.streams, **others})
    ]


def _digest(author: _Author, incarnation: str, *, with_others: bool) -> str:
    stream = author.streams.get(incarnation)
    if stream is not None and stream.digest and not with_others:
        return stream.digest
    listed = _listed(author, incarnation, with_others=with_others)
    digest = _digest_of(f"{label}/{seq}/{digest}" for label, seq, digest in listed)
    if stream is not None and not with_others:
        stream.digest = digest
    return digest


def day_rank(day: str) -> str:
    """Sort key of a day. Usage of a node without a clock has no date; it sorts before all days and counts as one."""
    return "" if day == DAY_UNKNOWN else day


def _digest_of(lines: Iterator[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:32]

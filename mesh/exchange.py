"""Page synchronization as a sans-IO core: pass in messages, take out frames, handle the events.

    exchange.greet(neighbour)                       # keys proven, hello exchanged
    for event in exchange.receive(neighbour, decode(frame)): ...
    while frame := exchange.next_frame(neighbour): ...
    exchange.begin_round(neighbour)                 # on a timer, about every 30 s

    if exchange.tick(): ...                         # once a second

New pages are pushed to the neighbours on the tree at once and named to the others; a round (root, then streams, then
pages) repairs losses.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from mesh.agreements import Agreements
from mesh.messages import (
    CHANGES_EXTENSION,
    KINDS_EXTENSION,
    LABEL_END,
    PAGES_PER_MESSAGE_MAX,
    STREAMS_PER_MESSAGE_MAX,
    TREE_EXTENSION,
    Changed,
    Encodable,
    Graft,
    Have,
    Keepalive,
    Message,
    PageNames,
    Prune,
    Root,
    Streams,
    encode,
)
from mesh.other_pages import OTHER_BYTES_MAX, OTHER_PAGES_MAX
from mesh.page_format import Malformed, Page, page_digest
from mesh.page_kind import Priority
from mesh.page_kinds import Content, kind_named, page_content
from mesh.page_versions import (
    AUTHOR_DAY_ROWS_MAX,
    AUTHOR_ROWS_MAX,
    PageCollection,
    StoredPage,
    StreamKey,
)
from mesh.ports import Roster
from mesh.push_tree import PushTree
from node.identity import verify
from node.units import NodeId

PAGE_KIND = b"page/1"
"""Context string of page signatures."""
FLOWING_TICKS, PATIENCE_TICKS = 5, 120
"""A root that differs is not answered for so many seconds after a new page, but at least each PATIENCE_TICKS."""
BACKLOG_TICKS = 1_800
"""While pages wait longer for a neighbour than FLOWING_TICKS, they are why the roots differ: for so many seconds nothing is
compared with it."""
REPLIES_MAX = 256
"""Queued lists per neighbour; further ones are dropped, and the next round requests them again."""
TOO_MUCH = (
    f"says more than is kept of one author, which is {AUTHOR_ROWS_MAX:,} rows, and {AUTHOR_DAY_ROWS_MAX:,} of one day: "
    "what does not fit counts on no other node"
)
TOO_MANY_OTHERS = (
    f"says more of other kinds than usage than is kept of one author, which is {OTHER_BYTES_MAX:,} bytes in "
    f"{OTHER_PAGES_MAX} pages: what does not fit is on no other node"
)
CHANGES_TOO_MUCH = "has taken back too much of what it said: what is left is counted before more is taken"


@dataclass(frozen=True, slots=True)
class PageAccepted:
    """A member's page, newer than the held one, with a valid signature: merge its rows, if it is about usage, and keep
    it."""

    page: Page
    said: Content


@dataclass(frozen=True, slots=True)
class PagesEvicted:
    """Pages that are no longer held: covered by a later incarnation, or above the limits of their author."""

    author: NodeId
    names: tuple[str, ...]
    is_full: bool
    """Whether any were evicted because the author exceeds its limits."""


@dataclass(frozen=True, slots=True)
class PageRefused:
    """A page that is ignored."""

    author: NodeId | None
    reason: str


@dataclass(frozen=True, slots=True)
class Equivocated:
    """An author signed two different pages with the same number: a fault, fraud, or two devices with one key."""

    author: NodeId
    name: str
    seq: int


type PageName = tuple[StreamKey, str]
type Event = PageAccepted | PagesEvicted | PageRefused | Equivocated


@dataclass(slots=True)
class _Neighbour:
    can: tuple[str, ...] = ()
    compared_tick: int | None = None
    """When its root was last equal, or answered; None since it connected."""
    has_listed: bool = False
    """Whether it was told what changed since the last agreement: if that did not help, all lists are compared."""
    replies: dict[Priority, deque[bytes]] = field(
        default_factory=lambda: {priority: deque() for priority in Priority}
    )
    pages: dict[Priority, dict[PageName, None]] = field(
        default_factory=lambda: {priority: {} for priority in Priority}
    )
    """PageNames of pages to send, in order; the bytes are looked up when sending, so that the newest version goes out."""
    waits_ticks: int = 0
    """For how many ticks there have always been pages that wait."""
    rooted_tick: int = 0
    """When it was sent a root."""
    sent: dict[PageName, int] = field(default_factory=dict)
    """The seq of each page sent in this round: both sides request it, but one answer is enough."""

    @property
    def with_others(self) -> bool:
        """Whether it gets pages of other kinds than those of the first version."""
        return KINDS_EXTENSION in self.can

    def enqueue(self, name: PageName, *, is_near: bool) -> None:
        kind = kind_named(name[1].partition("/")[0])
        if self.with_others or kind.limit == "rows":
            is_first = is_near and kind.priority == Priority.USAGE_FAR
            priority = Priority.USAGE_NEAR if is_first else kind.priority
            if not any(name in waiting for waiting in self.pages.values()):
                self.pages[priority][name] = None

    def priorities(self) -> list[Priority]:
        return [priority for priority in Priority if self.replies[priority] or self.pages[priority]]

    def dequeue(self, name: PageName) -> None:
        for waiting in self.pages.values():
            waiting.pop(name, None)

    def next_page(self, priority: Priority) -> PageName | None:
        """The first one, which leaves the queue."""
        waiting = self.pages[priority]
        if not waiting:
            return None
        name = next(iter(waiting))
        del waiting[name]
        if not any(self.pages.values()):
            self.waits_ticks = 0
        return name

    def tick(self) -> None:
        self.waits_ticks = self.waits_ticks + 1 if any(self.pages.values()) else 0

    @property
    def is_behind(self) -> bool:
        """Whether pages wait for it for longer than it takes to send them at once."""
        return self.waits_ticks >= FLOWING_TICKS


class Exchange:
    """Synchronizes the pages of one community between this node and its neighbours."""

    def __init__(self, community: str, roster: Roster, own: NodeId | None = None) -> None:
        """`own`: this node."""
        self._community, self._own = community, own
        self._roster = roster
        self._collection = PageCollection()
        self._neighbours: dict[NodeId, _Neighbour] = {}
        self._tree: PushTree[PageName] = PushTree()
        self._agreements: Agreements[PageName] = Agreements()
        self._ticks, self._pushed_tick = 0, -FLOWING_TICKS

    def greet(self, neighbour: NodeId, can: tuple[str, ...] = ()) -> None:
        """A trusted neighbour has connected or reconnected; `can`: the extensions named in its hello."""
        self._neighbours[neighbour] = _Neighbour(can)
        self._tree.leave(neighbour)
        if TREE_EXTENSION in can:
            self._tree.join(neighbour)
        self.begin_round(neighbour)

    def part(self, neighbour: NodeId) -> None:
        """The connection has ended."""
        self._neighbours.pop(neighbour, None)
        self._tree.leave(neighbour)

    def tick(self) -> bool:
        """Once a second: tell the digests of new pages to neighbours off the tree, and ask for pages that were only named.
        Whether there is something to send."""
        self._ticks += 1
        for waiting in self._neighbours.values():
            waiting.tick()
        names, grafts = self._tree.tick()
        for neighbour, digests in names.items():
            self._reply(neighbour, PageNames(tuple(digests)), Priority.TREE)
        for neighbour, digests in grafts.items():
            self._reply(neighbour, Graft(tuple(digests)), Priority.TREE)
        return bool(names or grafts)

    def begin_round(self, neighbour: NodeId) -> None:
        """Compare the pages of both sides; one short frame when they are equal. While pages wait for the neighbour it is
        only told that this node is there. No effect for a neighbour after `part`: its connection may last a moment
        longer."""
        waiting = self._neighbours.get(neighbour)
        if waiting is None:
            return
        if waiting.is_behind and self._ticks - waiting.rooted_tick < BACKLOG_TICKS:
            self._reply(neighbour, Keepalive(), Priority.SIGN)
            return
        waiting.rooted_tick = self._ticks
        waiting.sent.clear()
        self._reply(neighbour, Root(self.root(with_others=waiting.with_others)), Priority.SIGN)

    def root(self, *, with_others: bool = True) -> str:
        """Digest of all held pages whose authors are on the roster; without `with_others`, of the kinds of the first
        version."""
        return self._collection.root(self._roster(), with_others=with_others)

    def receive(self, neighbour: NodeId, message: Message | Malformed) -> tuple[Event, ...]:
        """Events that the caller must handle for a message of a connected neighbour; replies are queued for
        `next_frame`."""
        if neighbour not in self._neighbours:
            return ()
        match message:
            case Page():
                return self._receive_page(neighbour, message)
            case Root(digest):
                self._receive_root(neighbour, digest)
            case Streams():
                self._receive_streams(neighbour, message)
            case Have():
                self._receive_have(neighbour, message)
            case Changed():
                self._receive_changed(neighbour, message)
            case PageNames() | Graft() | Prune():
                self._receive_of_tree(neighbour, message)
            case Malformed(reason):
                return (PageRefused(None, reason),)
        return ()

    def due(self, neighbour: NodeId) -> list[Priority]:
        """The priorities of which frames wait for a neighbour, the most urgent first."""
        waiting = self._neighbours.get(neighbour)
        return waiting.priorities() if waiting is not None else []

    def next_frame(self, neighbour: NodeId, *priorities: Priority) -> bytes | None:
        """As `next_due`, for callers that pass no page to `stored`."""
        found = self.next_due(neighbour, *priorities)
        assert not isinstance(found, StoredPage), "its bytes were given to the page cache"
        return found

    def next_due(self, neighbour: NodeId, *priorities: Priority) -> bytes | StoredPage | None:
        """The next frame for a neighbour, or the page to read and send, of these priorities or of any; None when there is
        none."""
        waiting = self._neighbours.get(neighbour)
        if waiting is None:
            return None
        found = (self._next_of(waiting, priority) for priority in priorities or waiting.priorities())
        return next((each for each in found if each is not None), None)

    def _next_of(self, waiting: _Neighbour, priority: Priority) -> bytes | StoredPage | None:
        if waiting.replies[priority]:
            return waiting.replies[priority].popleft()
        while (name := waiting.next_page(priority)) is not None:
            held = self._collection.held(*name)
            if held is not None and waiting.sent.get(name) != held.seq:
                waiting.sent[name] = held.seq
                return self._collection.raw(*name)
        return None

    def before(self, page: Page) -> StoredPage | None:
        """The held version that `page` may replace, if it has to be read before `receive`: whether usage was taken back
        is known only from both."""
        if kind_named(page.kind).limit == "bytes" or self._rejection_reason(page) is not None:
            return None
        found = self._collection.raw((page.author, page.incarnation), page.label)
        return found if isinstance(found, StoredPage) and found.digest != page_digest(page) else None

    def stored(self, name: str, raw: bytes, *, is_recent: bool = True) -> None:
        """The page cache has this page: from now on its bytes may have to be read there. `is_recent`: later than
        others."""
        self._collection.stored(name, raw, is_recent=is_recent)

    def read(self, stored: StoredPage, raw: bytes) -> None:
        """The page cache has returned the bytes of this page."""
        self._collection.read(stored, raw)

    def forget(self, stored: StoredPage) -> None:
        """The page cache has this page no longer: neighbours will send it again."""
        self._collection.forget(stored)
        self._agreements.clear()

    def offer(self, page: Page) -> tuple[Event, ...]:
        """Hold a page that this node wrote, and push it to every neighbour."""
        said = page_content(page)
        if isinstance(said, Malformed):
            return (PageRefused(page.author, said.reason),)
        events = self._hold(page, said)
        if any(isinstance(event, PageAccepted) for event in events):
            self._push(page, heard_from=None)
        return events

    def pages_of(self, author: NodeId) -> list[StoredPage]:
        """The held pages of one author about usage."""
        return self._collection.pages_of(author)

    def pages_of_day(self, author: NodeId, day: str) -> list[StoredPage]:
        """Those for one day, of all incarnations."""
        return self._collection.pages_of_day(author, day)

    def bytes_of(self, stored: StoredPage) -> bytes | None:
        """Such a page as received, if its bytes are in memory."""
        return self._collection.bytes_of(stored)

    def authors(self) -> list[NodeId]:
        """Authors of which pages are held."""
        return self._collection.authors()

    def in_memory(self) -> list[bytes]:
        """All pages about usage whose bytes are in memory, as received."""
        return self._collection.in_memory()

    def held_of(self, author: NodeId) -> list[bytes]:
        """The pages of one author about usage whose bytes are in memory, as received."""
        return self._collection.own(author)

    def others_of(self, author: NodeId) -> list[bytes]:
        """The pages of one author of other kinds, as received."""
        return self._collection.others(author)

    def other_of(self, author: NodeId, label: str) -> bytes | None:
        """The page of one author of another kind with this label, as received."""
        return self._collection.other(author, label)

    def incarnations_of(self, author: NodeId) -> list[str]:
        """Incarnations of the author's ledger with held pages."""
        return self._collection.incarnations(author)

    def held_of_day(self, author: NodeId, day: str) -> list[bytes]:
        """The pages of one author for one day whose bytes are in memory."""
        return [raw for page in self.pages_of_day(author, day) if (raw := self.bytes_of(page)) is not None]

    def holds(self, page: Page) -> bool:
        """Whether exactly this version of the page is held."""
        held = self._collection.held((page.author, page.incarnation), page.label)
        return held is not None and (held.seq, held.digest) == (page.seq, page_digest(page))

    def changed(self) -> list[tuple[NodeId, str, int]]:
        """(author, day, rows) whose evicted or replaced pages contained usage that held pages may not contain; `rows`
        is an upper bound. The caller must recount the day from its held pages and then call `settle`."""
        return self._collection.changed()

    def recount_later(self, author: NodeId, day: str) -> None:
        """Report the day in `changed`, as if its pages had changed."""
        self._collection.recount_later(author, day)

    def settle(self, author: NodeId, day: str, rows: int) -> None:
        """The day was recounted when `changed` reported `rows` for it, and the result is stored."""
        self._collection.settle(author, day, rows)

    def restore(self, page: Page) -> tuple[Event, ...]:
        """Load a page from the page cache, with the same checks as for one from a neighbour."""
        refused = self._rejection_reason(page)
        return self._store_verified(page) if refused is None else refused

    def _receive_page(self, neighbour: NodeId, page: Page) -> tuple[Event, ...]:
        age = self._collection.age(page)
        if age in {"same", "newer"}:
            self._neighbours[neighbour].dequeue(((page.author, page.incarnation), page.label))
        if age == "same" and self._tree.repeated(neighbour, page_digest(page)):
            self._reply(neighbour, Prune(), Priority.SIGN)
        events = self._admit(page)
        if any(isinstance(event, PageAccepted) for event in events):
            self._push(page, heard_from=neighbour)
        return events

    def _admit(self, page: Page) -> tuple[Event, ...]:
        refused = self._rejection_reason(page)
        if refused is not None:
            return refused
        if self._collection.changes_too_much(page.author):
            return (PageRefused(page.author, CHANGES_TOO_MUCH),)
        return self._store_verified(page)

    def _rejection_reason(self, page: Page) -> tuple[PageRefused, ...] | None:
        """The reason to ignore the page; None to verify it. Cheap checks first: a repeated or foreign page costs no
        signature check."""
        if page.community != self._community:
            return (PageRefused(page.author, "of another community"),)
        if page.author not in self._roster():
            return (PageRefused(page.author, "its author is not a member"),)
        age = self._collection.age(page)
        if age == "same":
            return ()
        if age == "older":
            return (PageRefused(page.author, "older than ours"),)
        if not self._collection.has_room(page):
            return (PageRefused(page.author, "older than all that is kept of its author"),)
        return None

    def _store_verified(self, page: Page) -> tuple[Event, ...]:
        if not verify(page.author, PAGE_KIND, page.signed, page.signature):
            return (PageRefused(page.author, "its signature is wrong"),)
        said = page_content(page, self._roster())
        return (
            (PageRefused(page.author, said.reason),)
            if isinstance(said, Malformed)
            else self._hold(page, said)
        )

    def _hold(self, page: Page, said: Content) -> tuple[Event, ...]:
        is_conflict = self._collection.age(page) == "conflict"
        kept = self._collection.hold(page, said)
        if kept is None:
            is_other = kind_named(page.kind).limit == "bytes"
            return (PageRefused(page.author, TOO_MANY_OTHERS if is_other else TOO_MUCH),)
        self._agreements.changed(((page.author, page.incarnation), page.label))
        events: list[Event] = [Equivocated(page.author, page.name, page.seq)] if is_conflict else []
        events.append(PageAccepted(page, said))
        if kept.left:
            events.append(PagesEvicted(page.author, kept.left, kept.is_full))
        return tuple(events)

    def _push(self, page: Page, *, heard_from: NodeId | None) -> None:
        key = page.author, page.incarnation
        self._pushed_tick = self._ticks
        self._tree.received(page_digest(page), (key, page.label), heard_from)
        for name in self._neighbours:
            if name != heard_from and self._tree.is_eager(name):
                self._enqueue(name, (key, page.label))

    def _enqueue(self, neighbour: NodeId, name: PageName) -> None:
        """To be sent. Devices walk to the next node: what was used at the nodes next to it is of use there first, and these
        are this node and, as far as it knows, its own neighbours."""
        author = name[0][0]
        is_near = author == self._own or author in self._neighbours
        self._neighbours[neighbour].enqueue(name, is_near=is_near)

    def _receive_of_tree(self, neighbour: NodeId, message: PageNames | Graft | Prune) -> None:
        match message:
            case PageNames(digests):
                self._tree.named(neighbour, digests)
                self._dequeue_named(neighbour, digests)
            case Graft(digests):
                for name in self._tree.grafted(neighbour, digests):
                    self._enqueue(neighbour, name)
            case Prune():
                self._tree.pruned(neighbour)

    def _dequeue_named(self, neighbour: NodeId, digests: Iterable[str]) -> None:
        """What the neighbour has need not be sent to it."""
        for digest in digests:
            name = self._tree.name_of(digest)
            held = self._collection.held(*name) if name is not None else None
            if name is not None and held is not None and held.digest == digest:
                self._neighbours[neighbour].dequeue(name)

    def _receive_root(self, neighbour: NodeId, digest: str) -> None:
        """While pages are on their way roots differ, and lists of all streams would cost more than the pages."""
        waiting = self._neighbours[neighbour]
        is_equal = digest == self.root(with_others=waiting.with_others)
        since = BACKLOG_TICKS if waiting.compared_tick is None else self._ticks - waiting.compared_tick
        is_flowing = TREE_EXTENSION in waiting.can and self._ticks - self._pushed_tick < FLOWING_TICKS
        patience = BACKLOG_TICKS if waiting.is_behind else PATIENCE_TICKS if is_flowing else 0
        if not is_equal and since < patience:
            return
        waiting.compared_tick = self._ticks
        if is_equal:
            waiting.has_listed = False
            self._agreements.agreed(neighbour, digest)
        elif not self._send_changed(neighbour):
            self._send_streams(neighbour)

    def _send_changed(self, neighbour: NodeId) -> bool:
        """False if whole lists are to be compared: what changed since the last agreement is not known, or it was sent and
        the pages still differ."""
        waiting, root = self._neighbours[neighbour], self._agreements.last(neighbour)
        if CHANGES_EXTENSION not in waiting.can or waiting.has_listed or root is None:
            return False
        names = self._agreements.since(neighbour, root)
        if names is None:
            return False
        waiting.has_listed = True
        self._reply(neighbour, Changed(root, tuple(self._digests(names))), Priority.LISTS)
        return True

    def _receive_changed(self, neighbour: NodeId, theirs: Changed) -> None:
        names = self._agreements.since(neighbour, theirs.root)
        if names is None:
            self._send_streams(neighbour)
            return
        listed, ours = set(theirs.digests), self._digests(names)
        for digest, name in ours.items():
            if digest not in listed:
                self._enqueue(neighbour, name)
        if not listed <= ours.keys():
            self._send_changed(neighbour)

    def _digests(self, names: Sequence[PageName]) -> dict[str, PageName]:
        """Of those that are held, by digest; only of authors on the roster, and those of one author together: the pages of
        few authors are in memory as objects."""
        roster = self._roster()
        by_author = sorted((name for name in names if name[0][0] in roster), key=lambda name: name[0][0])
        held = ((name, self._collection.held(*name)) for name in by_author)
        return {found.digest: name for name, found in held if found is not None}

    def _send_streams(self, neighbour: NodeId) -> None:
        with_others = self._neighbours[neighbour].with_others
        streams = self._collection.streams(self._roster(), with_others=with_others)
        keys = [f"{author}/{incarnation}" for author, incarnation, _ in streams]
        for after, upto, chunk in _ranges(keys, streams, STREAMS_PER_MESSAGE_MAX):
            self._reply(neighbour, Streams(after, upto, tuple(chunk)), Priority.LISTS)

    def _receive_streams(self, neighbour: NodeId, theirs: Streams) -> None:
        roster, with_others = self._roster(), self._neighbours[neighbour].with_others
        listed = {(author, incarnation): digest for author, incarnation, digest in theirs.streams}
        ours = {
            (author, incarnation): digest
            for author, incarnation, digest in self._collection.streams(roster, with_others=with_others)
            if theirs.after < f"{author}/{incarnation}" <= theirs.upto
        }
        for key in sorted(listed.keys() | ours.keys()):
            if key[0] in roster and listed.get(key) != ours.get(key):
                self._send_have(neighbour, key, asks=True)

    def _send_have(self, neighbour: NodeId, key: StreamKey, *, asks: bool) -> None:
        pages = self._collection.listed(key, with_others=self._neighbours[neighbour].with_others)
        labels = [label for label, _, _ in pages]
        for after, upto, chunk in _ranges(labels, pages, PAGES_PER_MESSAGE_MAX):
            self._reply(neighbour, Have(*key, after, upto, tuple(chunk), asks), Priority.LISTS)

    def _receive_have(self, neighbour: NodeId, theirs: Have) -> None:
        if theirs.author not in self._roster():
            return
        key = (theirs.author, theirs.incarnation)
        listed = {label: (seq, digest) for label, seq, digest in theirs.pages}
        ours = {
            label: (seq, digest)
            for label, seq, digest in self._collection.listed(key)
            if theirs.after < label <= theirs.upto
        }
        for label, (seq, digest) in ours.items():
            their_seq, their_digest = listed.get(label, (-1, ""))
            if seq > their_seq or (seq == their_seq and digest != their_digest):
                self._enqueue(neighbour, (key, label))
        if theirs.asks and any(
            seq_digest > ours.get(label, (-1, ""))
            for label, seq_digest in listed.items()
            if not self._collection.is_covered(key, label, seq_digest[0])
        ):
            self._send_have(neighbour, key, asks=False)

    def _reply(self, neighbour: NodeId, message: Encodable, priority: Priority) -> None:
        waiting, frame = self._neighbours[neighbour].replies[priority], encode(message)
        if len(waiting) < REPLIES_MAX and frame not in waiting:
            waiting.append(frame)


def _ranges[T](
    keys: Sequence[str], entries: Sequence[T], most: int
) -> Iterator[tuple[str, str, Sequence[T]]]:
    """Entries in chunks, each with the range of keys that it covers; together the ranges cover all keys."""
    after = ""
    for start in range(0, max(1, len(entries)), most):
        is_last = start + most >= len(entries)
        upto = LABEL_END if is_last else keys[start + most - 1]
        yield after, upto, entries[start : start + most]
        after = upto

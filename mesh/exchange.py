"""Which pages does each side lack? A sans-IO core: feed it messages, pull frames, act on the events.

    exchange.greet(neighbour)                       # keys proven, hello exchanged
    for event in exchange.receive(neighbour, decode(frame)): ...
    while frame := exchange.next_frame(neighbour): ...
    exchange.begin_round(neighbour)                 # on a timer, about every 30 s

New pages are pushed to all other neighbours at once; a round (root, then streams, then pages) repairs losses.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from mesh.collection import PageCollection, StreamKey
from mesh.messages import (
    LABEL_END,
    PAGES_PER_MESSAGE_MAX,
    STREAMS_PER_MESSAGE_MAX,
    Have,
    Malformed,
    Message,
    Page,
    Past,
    Root,
    Streams,
    UsageRow,
    encode,
    past_of,
    usage_rows,
)
from mesh.ports import Roster
from node.identity import verify
from node.units import NodeId

PAGE_KIND = b"page/1"
"""What signatures of pages are bound to."""
REPLIES_MAX = 256
"""Queued lists for one neighbour; more are dropped, and the next round asks again."""


@dataclass(frozen=True, slots=True)
class PageAccepted:
    """A page of a member, newer than ours, properly signed: merge its rows and keep it."""

    page: Page
    rows: tuple[UsageRow, ...]


@dataclass(frozen=True, slots=True)
class PastAccepted:
    """Likewise a page in which a member has taken in earlier lives of its books."""

    page: Page
    past: Past


@dataclass(frozen=True, slots=True)
class PageRefused:
    """A page that must change nothing."""

    author: NodeId | None
    reason: str


@dataclass(frozen=True, slots=True)
class Equivocated:
    """An author signed two different pages with one number: it is broken, dishonest, or two with one key."""

    author: NodeId
    name: str
    seq: int


type Event = PageAccepted | PastAccepted | PageRefused | Equivocated


@dataclass(slots=True)
class _Neighbour:
    replies: deque[bytes] = field(default_factory=deque)
    pages: dict[tuple[StreamKey, str], None] = field(default_factory=dict)
    """Names of pages to send, in order; the bytes are looked up when they leave, so that the newest go."""
    sent: dict[tuple[StreamKey, str], int] = field(default_factory=dict)
    """The seq of each page that left in this round: both sides ask, and one answer is enough."""


class Exchange:
    """The pages of one community as this node and its neighbours bring them to agree."""

    def __init__(self, community: str, roster: Roster) -> None:
        self._community = community
        self._roster = roster
        self._collection = PageCollection()
        self._neighbours: dict[NodeId, _Neighbour] = {}

    def greet(self, neighbour: NodeId) -> None:
        """A trusted neighbour is connected, for the first time or again."""
        self._neighbours[neighbour] = _Neighbour()
        self.begin_round(neighbour)

    def part(self, neighbour: NodeId) -> None:
        """The connection is gone."""
        self._neighbours.pop(neighbour, None)

    def begin_round(self, neighbour: NodeId) -> None:
        """Compare what both hold; costs one short frame when it is the same. Nothing for a neighbour that has parted:
        its connection may outlive that for a moment."""
        waiting = self._neighbours.get(neighbour)
        if waiting is None:
            return
        waiting.sent.clear()
        self._reply(neighbour, encode(Root(self.root())))

    def root(self) -> str:
        """Digest of all held pages whose authors are members now."""
        return self._collection.root(self._roster())

    def receive(self, neighbour: NodeId, message: Message | Malformed) -> tuple[Event, ...]:
        """What the house must do about a message of a greeted neighbour; answers wait in `next_frame`."""
        if neighbour not in self._neighbours:
            return ()
        match message:
            case Page():
                return self._receive_page(neighbour, message)
            case Root(digest):
                if digest != self.root():
                    self._send_streams(neighbour)
            case Streams():
                self._receive_streams(neighbour, message)
            case Have():
                self._receive_have(neighbour, message)
            case Malformed(reason):
                return (PageRefused(None, reason),)
        return ()

    def next_frame(self, neighbour: NodeId) -> bytes | None:
        """The next frame for a neighbour; None when there is nothing to say."""
        waiting = self._neighbours.get(neighbour)
        if waiting is None:
            return None
        if waiting.replies:
            return waiting.replies.popleft()
        while waiting.pages:
            key, label = next(iter(waiting.pages))
            del waiting.pages[key, label]
            held = self._collection.held(key, label)
            if held is not None and held.raw is not None and waiting.sent.get((key, label)) != held.seq:
                waiting.sent[key, label] = held.seq
                return held.raw
        return None

    def offer(self, page: Page) -> None:
        """Hold a page that this node wrote, and push it to every neighbour."""
        past = past_of(page.body, page.period) if page.kind == "past" else None
        self._collection.hold(page, past.covers if isinstance(past, Past) else ())
        self._push(page, heard_from=None)

    def held_of(self, author: NodeId) -> list[bytes]:
        """The pages of one author, as they came."""
        return self._collection.own(author)

    def lives_of(self, author: NodeId) -> list[str]:
        """The lives of the author's books of which pages are held."""
        return self._collection.lives(author)

    def restore(self, page: Page) -> tuple[Event, ...]:
        """Take a page back from the shelf, with the same checks as from a neighbour."""
        return self._admit(page)

    def _receive_page(self, neighbour: NodeId, page: Page) -> tuple[Event, ...]:
        if self._collection.age(page) in {"same", "newer"}:
            self._neighbours[neighbour].pages.pop(((page.author, page.incarnation), page.label), None)
        events = self._admit(page)
        if any(isinstance(event, PageAccepted | PastAccepted) for event in events):
            self._push(page, heard_from=neighbour)
        return events

    def _admit(self, page: Page) -> tuple[Event, ...]:
        # Cheap checks first: a replay or a stranger's page costs no signature check.
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
        if not verify(page.author, PAGE_KIND, page.signed, page.signature):
            return (PageRefused(page.author, "its signature is wrong"),)
        accepted = _read(page)
        if isinstance(accepted, PageRefused):
            return (accepted,)
        self._collection.hold(page, accepted.past.covers if isinstance(accepted, PastAccepted) else ())
        if age == "conflict":
            return Equivocated(page.author, page.name, page.seq), accepted
        return (accepted,)

    def _push(self, page: Page, *, heard_from: NodeId | None) -> None:
        for name, waiting in self._neighbours.items():
            if name != heard_from:
                waiting.pages[(page.author, page.incarnation), page.label] = None

    def _send_streams(self, neighbour: NodeId) -> None:
        streams = self._collection.streams(self._roster())
        keys = [f"{author}/{incarnation}" for author, incarnation, _ in streams]
        for after, upto, chunk in _ranges(keys, streams, STREAMS_PER_MESSAGE_MAX):
            self._reply(neighbour, encode(Streams(after, upto, tuple(chunk))))

    def _receive_streams(self, neighbour: NodeId, theirs: Streams) -> None:
        roster = self._roster()
        listed = {(author, incarnation): digest for author, incarnation, digest in theirs.streams}
        ours = {
            (author, incarnation): digest
            for author, incarnation, digest in self._collection.streams(roster)
            if theirs.after < f"{author}/{incarnation}" <= theirs.upto
        }
        for key in sorted(listed.keys() | ours.keys()):
            if key[0] in roster and listed.get(key) != ours.get(key):
                self._send_have(neighbour, key, asks=True)

    def _send_have(self, neighbour: NodeId, key: StreamKey, *, asks: bool) -> None:
        pages = self._collection.listed(key)
        labels = [label for label, _, _ in pages]
        for after, upto, chunk in _ranges(labels, pages, PAGES_PER_MESSAGE_MAX):
            self._reply(neighbour, encode(Have(*key, after, upto, tuple(chunk), asks)))

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
                self._neighbours[neighbour].pages[key, label] = None
        if theirs.asks and any(
            seq_digest > ours.get(label, (-1, ""))
            for label, seq_digest in listed.items()
            if not self._collection.is_covered(key, label, seq_digest[0])
        ):
            self._send_have(neighbour, key, asks=False)

    def _reply(self, neighbour: NodeId, frame: bytes) -> None:
        waiting = self._neighbours[neighbour]
        if len(waiting.replies) < REPLIES_MAX and frame not in waiting.replies:
            waiting.replies.append(frame)


def _read(page: Page) -> PageAccepted | PastAccepted | PageRefused:
    """The body of a page whose signature was checked."""
    if page.kind == "past":
        past = past_of(page.body, page.period)
        return (
            PageRefused(page.author, past.reason) if isinstance(past, Malformed) else PastAccepted(page, past)
        )
    rows = usage_rows(page.body)
    return PageRefused(page.author, rows.reason) if isinstance(rows, Malformed) else PageAccepted(page, rows)


def _ranges[T](
    keys: Sequence[str], entries: Sequence[T], most: int
) -> Iterator[tuple[str, str, Sequence[T]]]:
    """Entries in chunks, each with the range of keys that it speaks for; the ranges cover everything."""
    after = ""
    for start in range(0, max(1, len(entries)), most):
        is_last = start + most >= len(entries)
        upto = LABEL_END if is_last else keys[start + most - 1]
        yield after, upto, entries[start : start + most]
        after = upto

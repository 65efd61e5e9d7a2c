"""Nodes that exchange pages without a network, and pages for them."""

from collections import defaultdict

from hypothesis import strategies as st

from mesh.exchange import FLOWING_TICKS, PAGE_KIND, Equivocated, Exchange, PageAccepted, PageRefused
from mesh.messages import EXTENSIONS, decode
from mesh.page_format import Malformed, Page, assemble_page, page_head
from mesh.page_kind import OTHER
from mesh.page_kinds import KINDS
from mesh.pages import UsagePages
from mesh.usage_kind import PageContent, usage_body
from node.identity import sign
from node.units import AccountId, Usage
from tests.fakes.neighbours import TODAY, FakeUsageLedger, bucket, id_of, key_of

VILLAGE = "the-village"


class ExchangeFixture:
    """Nodes with a ledger, pages and an exchange each; frames between them wait in lists."""

    def __init__(self, *names: str, strangers: tuple[str, ...] = (), old: tuple[str, ...] = ()) -> None:
        """Those of the names in `old` are nodes of the first form of the version: without extensions, and a page of
        another kind than theirs is no page for them."""
        self.names, self.old = names, old
        self.roster = frozenset(map(id_of, names))
        self.usage_ledger = {name: FakeUsageLedger(id_of(name)) for name in (*names, *strangers)}
        self.pages = {name: UsagePages(key_of(name), VILLAGE, "life-1") for name in self.usage_ledger}
        self.exchange = {name: Exchange(VILLAGE, lambda: self.roster) for name in names}
        self.wire: dict[tuple[str, str], list[bytes]] = defaultdict(list)
        self.refused: list[PageRefused] = []
        self.equivocated: list[Equivocated] = []
        self.called = {id_of(name): name for name in self.usage_ledger}

    def connect(self, left: str, right: str) -> None:
        can = () if {left, right} & set(self.old) else EXTENSIONS
        self.exchange[left].greet(id_of(right), can)
        self.exchange[right].greet(id_of(left), can)
        self.wire[left, right].clear()
        self.wire[right, left].clear()

    def connect_all(self) -> None:
        for at, left in enumerate(self.names):
            for right in self.names[at + 1 :]:
                self.connect(left, right)

    def book(self, name: str, account: str, down: int, day: str = TODAY) -> list[Page]:
        self.usage_ledger[name].book(account, Usage(down, 0), day)
        for at, owner, found in self.usage_ledger[name].buckets_now():
            self.pages[name].note(at, owner, found)
        written = list(self.pages[name].write())
        if name in self.exchange:
            for page in written:
                self.exchange[name].offer(page)
        return written

    def say(self, name: str, page: Page) -> None:
        """Publish a page of another kind."""
        self.exchange[name].offer(page)

    def send(self) -> None:
        """Put every pending frame on the wire."""
        for left in self.names:
            for right in self.names:
                while frame := self.exchange[left].next_frame(id_of(right)):
                    self.wire[left, right].append(frame)

    def tick(self) -> None:
        """A second passes."""
        for name in self.names:
            self.exchange[name].tick()

    def deliver(self, left: str, right: str, frame: bytes) -> None:
        message = decode(frame)
        if (
            right in self.old
            and isinstance(message, Page)
            and KINDS.get(message.kind, OTHER).limit == "bytes"
        ):
            message = Malformed("page of an unknown kind or period")
        for event in self.exchange[right].receive(id_of(left), message):
            match event:
                case PageAccepted(page, PageContent() as said):
                    self.usage_ledger[right].merge_page(page.author, page.period, said.rows)
                case PageRefused():
                    self.refused.append(event)
                case Equivocated():
                    self.equivocated.append(event)

    def settle(self) -> int:
        """Run rounds without loss until no frame is sent; return the number of bytes."""
        total = 0
        for _ in range(FLOWING_TICKS):
            self.tick()
        for left, right in list(self.wire):
            self.exchange[left].begin_round(id_of(right))
        for _ in range(100):
            self.send()
            if not any(self.wire.values()):
                return total
            for (left, right), frames in list(self.wire.items()):
                waiting, frames[:] = list(frames), []
                for frame in waiting:
                    total += len(frame)
                    self.deliver(left, right, frame)
        raise AssertionError("the village never stops talking")

    def roots(self) -> set[str]:
        return {self.exchange[name].root() for name in self.names}


def a_part(day: str, part: int, seq: int) -> Page:
    head = page_head(
        community=VILLAGE, author=id_of("hill"), incarnation="life-1", period=day, part=part, seq=seq
    )
    signed = head + b"\n" + usage_body({AccountId("ana"): bucket(1)})
    page = decode(assemble_page(signed, sign(key_of("hill"), PAGE_KIND, signed)))
    assert isinstance(page, Page)
    return page


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["book", "say", "carry", "tick", "lose", "double", "swap", "break"]),
        st.integers(0, 2**16),
    ),
    max_size=120,
)


def a_page(
    name: str = "hill",
    community: str = VILLAGE,
    account: str = "ana",
    seq: int = 1,
    incarnation: str = "life-1",
) -> Page:
    pages = UsagePages(key_of(name), community, incarnation)
    pages.seq = seq - 1
    pages.note(TODAY, AccountId(account), bucket(5))
    return next(pages.write())


def an_other_page(
    name: str = "hill",
    *,
    seq: int = 1,
    incarnation: str = "2-a",
    period: str = "now",
    body: bytes = b'{"sky":"clouds"}',
    kind: str = "weather",
    part: int = 0,
) -> Page:
    """Of another kind than usage; unless named, of one that no node knows."""
    head = page_head(
        community=VILLAGE,
        author=id_of(name),
        incarnation=incarnation,
        period=period,
        part=part,
        seq=seq,
        kind=kind,
    )
    signed = head + b"\n" + body
    page = decode(assemble_page(signed, sign(key_of(name), PAGE_KIND, signed)))
    assert isinstance(page, Page)
    return page

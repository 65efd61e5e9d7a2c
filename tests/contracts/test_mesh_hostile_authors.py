"""A hostile member's node signs any pages and sends them to any nodes in any order.

All other nodes still end with the same pages and the same usage, at no more cost than the limits for one author.
"""

import random
from collections.abc import Mapping
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh import page_versions
from mesh.exchange import (
    CHANGES_TOO_MUCH,
    PAGE_KIND,
    TOO_MUCH,
    Exchange,
    PageAccepted,
    PageRefused,
    PagesEvicted,
)
from mesh.messages import decode
from mesh.page_format import Page, assemble_page, page_head
from mesh.page_kinds import page_content
from mesh.pages import UsagePages
from mesh.past_kind import past_body
from mesh.usage_kind import usage_body
from node.accounting.ledger import EMPTY_BUCKET, Ledger, UsageBucket, UsageKey, highest
from node.identity import sign
from node.units import AccountId, NodeId
from tests.examples import examples
from tests.fakes.neighbours import TODAY, bucket, id_of, key_of

VILLAGE = "the-village"
HILL, VALLEY = id_of("hill"), id_of("valley")
NAMES = ("valley", "coast", "ridge")
DAYS = ("unknown", "2026-11-22", "2026-11-23", "2026-11-24", "2026-11-25")
INCARNATIONS = ("1-a", "2-b", "3-c", "4-d")
Cells = dict[UsageKey, UsageBucket]


def page(
    rows: dict[str, int],
    seq: int,
    *,
    day: str = TODAY,
    part: int = 0,
    incarnation: str = "1-a",
    of_incarnation: str = "",
    covers: Mapping[tuple[str, str], int] = MappingProxyType({}),
) -> Page:
    """A page of the hill; about an earlier incarnation where `of_incarnation` or `covers` is given."""
    kind = "past" if of_incarnation or covers else "usage"
    head = page_head(
        community=VILLAGE, author=HILL, incarnation=incarnation, period=day, part=part, seq=seq, kind=kind
    )
    buckets = {AccountId(account): bucket(down) for account, down in rows.items()}
    past = {(of_incarnation or "1-a", account): each for account, each in buckets.items()}
    body = usage_body(buckets) if kind == "usage" else past_body(past, covers)
    signed = head + b"\n" + body
    found = decode(assemble_page(signed, sign(key_of("hill"), PAGE_KIND, signed)))
    assert isinstance(found, Page)
    return found


def buckets_of(*pages: Page) -> Cells:
    found: Cells = {}
    for each in pages:
        said = page_content(each)
        for incarnation, account, amount in said.rows:  # type: ignore[union-attr]
            key = UsageKey(HILL, incarnation, account, each.period)
            found[key] = highest(found.get(key, EMPTY_BUCKET), amount)
    return found


class Honest:
    """A node that accepts valid pages and counts their usage."""

    def __init__(self, name: str, roster: frozenset[NodeId]) -> None:
        self.node, self.ledger, self.exchange = id_of(name), Ledger(), Exchange(VILLAGE, lambda: roster)
        self.refused: list[str] = []
        self.left: set[str] = set()

    def receive(self, sender: NodeId, frame: bytes) -> None:
        for event in self.exchange.receive(sender, decode(frame)):
            match event:
                case PageAccepted(accepted, _):
                    self.left.discard(accepted.name)
                    for key, amount in buckets_of(accepted).items():
                        self.ledger.merge(key, amount)
                case PagesEvicted(_, names, _):
                    self.left.update(names)
                case PageRefused(_, reason):
                    self.refused.append(reason)

    def recount(self) -> None:
        for author, day, rows in self.exchange.changed():
            said = buckets_of(*map(read, self.exchange.held_of_day(author, day)))
            self.ledger.recount({(author, day): said})
            self.exchange.settle(author, day, rows)

    def held(self) -> list[Page]:
        return [read(raw) for raw in self.exchange.held_of(HILL)]


def read(raw: bytes) -> Page:
    found = decode(raw)
    assert isinstance(found, Page)
    return found


class Honests:
    """Three of them, each connected with the others; the hill sends to any of them."""

    def __init__(self) -> None:
        roster = frozenset(map(id_of, (*NAMES, "hill")))
        self.nodes = [Honest(name, roster) for name in NAMES]
        for left in self.nodes:
            left.exchange.greet(HILL)
            for right in self.nodes:
                if left is not right:
                    left.exchange.greet(right.node)

    def talk(self, chance: random.Random | None = None) -> None:
        """Rounds between all pairs until no frame is sent; with `chance` some frames are lost."""
        for left, right in self.pairs():
            left.exchange.begin_round(right.node)
        for _ in range(200):
            is_quiet = True
            for left, right in self.pairs():
                while frame := left.exchange.next_frame(right.node):
                    is_quiet = False
                    if chance is None or chance.random() < 0.7:
                        right.receive(left.node, frame)
            if is_quiet:
                return
        raise AssertionError("they never stop talking")

    def pairs(self) -> list[tuple[Honest, Honest]]:
        return [(left, right) for left in self.nodes for right in self.nodes if left is not right]

    def agree(self) -> None:
        """Rounds without the hill, with a recount in between, as happens every minute."""
        for _ in range(6):
            for node in self.nodes:
                node.recount()
            self.talk()
        for node in self.nodes:
            node.recount()


def hostile_page(chance: random.Random) -> Page:
    """Rewritten, shrunk or contradictory, of any incarnation and day, covering pages that were never absorbed."""
    day = chance.choice(DAYS)
    rows = {name: chance.randint(1, 9) for name in chance.sample("abcdefghij", chance.randint(1, 8))}
    covers = {
        (chance.choice(INCARNATIONS), f"{chance.choice(('usage', 'past'))}/{day}/{part:04d}"): chance.randint(
            0, 6
        )
        for part in range(chance.choice((0, 0, 2)))
    }
    part, incarnation, of_incarnation = (
        chance.randint(0, 1),
        chance.choice(INCARNATIONS),
        chance.choice(("", "", *INCARNATIONS)),
    )
    return page(
        rows,
        chance.randint(1, 6),
        day=day,
        part=part,
        incarnation=incarnation,
        of_incarnation=of_incarnation,
        covers=covers,
    )


@pytest.fixture
def little_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {
        "AUTHOR_ROWS_MAX": 40,
        "AUTHOR_DAY_ROWS_MAX": 20,
        "ROWS_OF_A_PAGE_MIN": 3,
        "BYTES_OF_A_ROW": 10**6,
    }
    for name, most in {**limits, "INCARNATIONS_MAX": 3, "DAYS_MAX": 3, "CHANGED_ROWS_MAX": 25}.items():
        monkeypatch.setattr(page_versions, name, most)


@pytest.mark.usefixtures("little_is_kept")
@settings(max_examples=examples(100), deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 80))
def test_all_nodes_count_the_same_whatever_a_hostile_node_sends(seed: int, pages: int) -> None:
    chance, honests = random.Random(seed), Honests()
    for number in range(pages):
        chance.choice(honests.nodes).receive(HILL, hostile_page(chance).raw)
        if number % 7 == 6:
            honests.talk(chance)
        if number % 11 == 10:
            chance.choice(honests.nodes).recount()
    honests.agree()
    assert 1 == len({node.exchange.root() for node in honests.nodes})
    for node in honests.nodes:
        assert buckets_of(*honests.nodes[0].held()) == dict(node.ledger.buckets())


@pytest.mark.usefixtures("little_is_kept")
def test_a_page_over_the_limit_is_refused_whole_and_its_author_is_named() -> None:
    valley, names = Honests().nodes[0], "abcdefghij"
    for part in (1, 2):
        valley.receive(HILL, page(dict.fromkeys(names, 1), 1, part=part).raw)
    before = dict(valley.ledger.buckets())
    over = page({"k": 1}, 2)
    assert (PageRefused(HILL, TOO_MUCH),) == valley.exchange.receive(HILL, over)
    assert before == dict(valley.ledger.buckets())
    later = page(dict.fromkeys(names, 1), 1, part=3)
    _, left = valley.exchange.receive(HILL, later)
    assert PagesEvicted(HILL, (page({"a": 1}, 1, part=1).name,), is_full=True) == left


@pytest.mark.usefixtures("little_is_kept")
def test_an_author_that_withdraws_too_much_waits_for_the_recount() -> None:
    valley = Honests().nodes[0]
    for seq in range(1, 6):
        valley.receive(HILL, page({f"{seq}{each}": 1 for each in range(10)}, seq).raw)
    assert [CHANGES_TOO_MUCH] == list(dict.fromkeys(valley.refused))
    assert len(dict(valley.ledger.buckets())) <= page_versions.CHANGED_ROWS_MAX + 2 * 11
    valley.recount()
    last = page({"y": 1}, 9)
    valley.receive(HILL, last.raw)
    valley.recount()
    assert buckets_of(last) == dict(valley.ledger.buckets())


def test_a_thousand_members_and_a_hundred_new_guests_a_day_fit_into_the_longest_month() -> None:
    """Every account on every day that counts in a period of today: nothing is refused, and every byte counts."""
    pages, valley = UsagePages(key_of("hill"), VILLAGE, "1-a"), Honests().nodes[0]
    for day in (f"2026-12-{number:02d}" for number in range(1, 32)):
        for number in range(1_000):
            pages.note(day, AccountId(f"household-{number:04d}"), bucket(10**9 + number))
        for number in range(100):
            pages.note(day, AccountId(f"guest-{day}-{number:03d}"), bucket(10**9 + number))
    for each in pages.write():
        valley.receive(HILL, each.raw)
    assert ([], set(), []) == (valley.refused, valley.left, valley.exchange.changed())
    assert 31 * 1_100 == len(dict(valley.ledger.buckets()))

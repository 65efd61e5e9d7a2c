"""Batch pages of this node and of others, with the vouchers that they say."""

from collections.abc import Callable, Iterable

import pytest

from mesh import batch_pages
from mesh.batch_kind import BatchContent, BatchSaid, batch_body, batch_content, batch_label, batch_part
from mesh.batch_pages import LOOK_EVERY_S, BatchPages
from mesh.other_pages import OTHER_BYTES_MAX
from node.units import NodeId
from tests.fakes.held_other_pages import HeldOtherPages
from tests.fakes.neighbours import id_of

OWN, VALLEY = id_of("hill"), id_of("valley")
ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"


def said(number: int, count: int = 2) -> BatchSaid:
    accounts = "".join(sorted(f"{ALPHABET[n // 32]}{ALPHABET[n % 32]}aaaaaaaaaa" for n in range(count)))
    return BatchSaid(number, "2026-11-20", "day-pass", 86_400_000, 3, accounts)


class BatchesOfTests:
    """What a node says, and what it was told."""

    def __init__(self) -> None:
        self.generation, self.day = 1, "2026-11-24"
        self.batches: list[BatchSaid] = []
        self.told: list[tuple[NodeId, BatchContent]] = []
        self.woken: Callable[[], None] = lambda: None

    def today(self) -> str:
        return self.day

    def own(self) -> Iterable[BatchSaid]:
        return self.batches

    def take(self, author: NodeId, content: BatchContent) -> None:
        self.told.append((author, content))

    def warnings(self) -> tuple[str, ...]:
        return ("full",)


class BatchesFixture:
    """A node between its pages and its vouchers."""

    def __init__(self) -> None:
        self.held, self.shared = HeldOtherPages("batch"), BatchesOfTests()
        self.roster = frozenset({OWN, VALLEY})
        self.pages = BatchPages(OWN, self.shared, self.held, lambda: self.roster)
        self.seq = 1

    def publish(self, now_s: float = 0.0) -> dict[int, BatchContent]:
        """Publishes what is due; returns it."""
        self.pages.changed()
        due = dict(self.pages.due(now_s))
        for part, body in due.items():
            self.seq += 1
            self.held.hold("hill", part, body, self.seq)
        found = {part: batch_content(body) for part, body in due.items()}
        assert all(isinstance(each, BatchContent) for each in found.values())
        return found  # type: ignore[return-value]


@pytest.fixture
def node() -> BatchesFixture:
    fixture = BatchesFixture()
    fixture.pages.tick()
    return fixture


def test_a_new_batch_is_published_once_in_its_part(node: BatchesFixture) -> None:
    node.shared.batches = [said(1), said(17)]
    assert {1: BatchContent("2026-11-24", (said(1), said(17)))} == node.publish()
    assert {} == node.publish()
    node.shared.batches += [said(2)]
    assert [2] == [*node.publish()]


def test_a_batch_that_is_over_leaves_its_page(node: BatchesFixture) -> None:
    node.shared.batches = [said(1), said(2)]
    node.publish()
    node.shared.batches = [said(1)]
    assert {2: BatchContent("2026-11-24", ())} == node.publish()
    assert {} == node.publish()


def test_a_page_that_says_the_same_is_published_again_with_its_day(node: BatchesFixture) -> None:
    node.shared.batches = [said(1)]
    node.publish()
    node.shared.day = "2026-11-28"
    assert {} == node.publish(), "after 4 days"
    node.shared.day = "2026-11-29"
    assert ["2026-11-29"] == [content.day for content in node.publish().values()]
    node.shared.day = "2026-11-27"
    assert ["2026-11-27"] == [content.day for content in node.publish().values()], "the clock was wrong"
    node.shared.day = ""
    assert {} == node.publish(), "the day is not known now"


def test_a_page_without_a_day_gets_one_when_it_is_known(node: BatchesFixture) -> None:
    node.shared.day = ""
    node.shared.batches = [said(1)]
    assert [""] == [content.day for content in node.publish().values()]
    assert {} == node.publish()
    node.shared.day = "2026-11-24"
    assert ["2026-11-24"] == [content.day for content in node.publish().values()]


def test_nothing_is_looked_at_while_nothing_changes(node: BatchesFixture) -> None:
    node.publish(5.0)
    node.shared.batches = [said(1)]
    assert [] == [*node.pages.due(5.0 + LOOK_EVERY_S - 1)]
    assert [1] == [part for part, _ in node.pages.due(5.0 + LOOK_EVERY_S)]


def test_pages_of_other_nodes_are_read_when_they_come_and_after_a_start() -> None:
    node = BatchesFixture()
    page = node.held.hold("valley", batch_part(3), batch_body(BatchContent("2026-11-24", (said(3),))))
    node.pages.accept(page)
    assert [] == node.shared.told, "not before the database was read"
    node.shared.generation = 0
    node.pages.tick()
    assert [] == node.shared.told
    node.shared.generation = 1
    node.pages.tick()
    node.pages.tick()
    assert [(VALLEY, (said(3),))] == [(author, content.batches) for author, content in node.shared.told]
    node.pages.accept(page)
    assert 2 == len(node.shared.told)
    node.shared.generation = 2
    node.pages.tick()
    assert 3 == len(node.shared.told)


def test_a_stranger_and_a_page_that_cannot_be_read_tell_nothing(node: BatchesFixture) -> None:
    body = batch_body(BatchContent("2026-11-24", (said(3),)))
    node.pages.accept(node.held.hold("coast", batch_part(3), body))
    node.pages.accept(node.held.hold("valley", batch_part(4), body))
    node.pages.accept(node.held.hold("valley", batch_part(3), b"{}"))
    node.pages.accept(node.held.hold("valley", batch_part(3), body, kind="registry"))
    assert [] == node.shared.told


def test_this_nodes_pages_are_read_before_it_publishes_and_first() -> None:
    node = BatchesFixture()
    node.held.hold("valley", 3, batch_body(BatchContent("2026-11-24", (said(3),))))
    node.held.hold("hill", 1, batch_body(BatchContent("2026-11-24", (said(1),))))
    assert [] == [*node.pages.due(0.0)]
    node.pages.tick()
    assert [OWN, VALLEY] == [author for author, _ in node.shared.told]


def test_batches_leave_room_for_the_other_pages_and_the_oldest_are_told_to_be_left_out(
    node: BatchesFixture,
) -> None:
    node.shared.batches = [said(number, 960) for number in range(1, 31)]
    node.publish()
    assert sum(map(len, node.held.pages.values())) < OTHER_BYTES_MAX - batch_pages.RESERVED_BYTES
    shown = {each.number for raw in node.held.pages.values() for each in _content(raw).batches}
    assert shown == set(range(31 - len(shown), 31))
    assert f"{30 - len(shown)} batches" in node.pages.warnings()[1]
    for part in (0, 1):
        node.held.hold("hill", part, b"x" * 50_000, kind="registry")
    node.publish()
    others = [raw for (_, label), raw in node.held.pages.items() if not label.startswith("registry")]
    assert sum(map(len, others)) < OTHER_BYTES_MAX - batch_pages.RESERVED_BYTES - 100_000
    node.shared.batches = node.shared.batches[:2]
    node.publish()
    assert ("full",) == node.pages.warnings()


def _content(raw: bytes) -> BatchContent:
    content = batch_content(raw.split(b"\n")[1])
    assert isinstance(content, BatchContent)
    return content


def test_without_shared_vouchers_nothing_happens() -> None:
    pages = BatchPages(OWN, None, HeldOtherPages("batch"), lambda: frozenset({OWN}))
    pages.tick()
    assert ([], ()) == ([*pages.due(0.0)], pages.warnings())


def test_the_label_of_a_part_is_that_of_its_page(node: BatchesFixture) -> None:
    assert batch_label(3) == node.held.hold("hill", 3, b"{}").label

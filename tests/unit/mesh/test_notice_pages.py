"""Notice pages of this node and of others, with the notices that they say."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from mesh.notice_kind import NOTICE_PARTS, NoticeContent, notice_body, notice_content
from mesh.notice_pages import LOOK_EVERY_S, NoticePages
from mesh.page_format import Page
from node.accounts.notices import Notice, NoticeText
from node.units import NodeId
from tests.fakes.held_other_pages import HeldOtherPages
from tests.fakes.neighbours import id_of

OWN, VALLEY, COAST = id_of("hill"), id_of("valley"), id_of("coast")
TODAY = "2026-11-24"


def said(title: str) -> Notice:
    return Notice(0, "network", "everyone", "", "", is_urgent=False, texts=(NoticeText("en", title, ""),))


class NoticesOfTests:
    """What a node says, and what it was told."""

    def __init__(self) -> None:
        self.generation, self.day = 1, TODAY
        self.notices: list[Notice] = []
        self.heard: dict[tuple[NodeId, int], Notice] = {}
        self.woken: Callable[[], None] = lambda: None

    def today(self) -> str:
        return self.day

    def own(self) -> list[Notice]:
        return self.notices

    def hear(self, author: NodeId, part: int, notice: Notice | None) -> None:
        self.heard.pop((author, part), None)
        if notice is not None:
            self.heard[author, part] = notice

    def drop(self, author: NodeId) -> None:
        self.heard = {name: each for name, each in self.heard.items() if name[0] != author}


class NoticesFixture:
    """A node between its pages and its notices."""

    def __init__(self) -> None:
        self.held, self.shared = HeldOtherPages("notice"), NoticesOfTests()
        self.roster = frozenset({OWN, VALLEY})
        self.pages = NoticePages(OWN, self.shared, self.held, lambda: self.roster)
        self.seq = 1

    def publish(self) -> dict[int, NoticeContent]:
        """Publishes what is due; returns it."""
        self.pages.changed()
        due = dict(self.pages.due())
        for part, body in due.items():
            self.seq += 1
            self.held.hold("hill", part, body, self.seq)
        found = {part: notice_content(body) for part, body in due.items()}
        assert all(isinstance(each, NoticeContent) for each in found.values())
        return found  # type: ignore[return-value]

    def tells(self, name: str, part: int, day: str, notice: Notice | None) -> Page:
        self.seq += 1
        return self.held.hold(name, part, notice_body(NoticeContent(day, notice)), self.seq)


@pytest.fixture
def node() -> NoticesFixture:
    fixture = NoticesFixture()
    fixture.pages.tick(0.0)
    return fixture


def test_a_notice_is_published_once_and_withdrawn_once(node: NoticesFixture) -> None:
    node.shared.notices = [said("one")]
    assert {0: NoticeContent(TODAY, said("one"))} == node.publish()
    assert {} == node.publish()
    node.shared.notices = []
    assert {0: NoticeContent("", None)} == node.publish()
    assert {} == node.publish()


def test_only_what_changed_is_published_whatever_the_order(node: NoticesFixture) -> None:
    node.shared.notices = [said("one"), said("two"), said("three")]
    assert [0, 1, 2] == [*node.publish()]
    node.shared.notices = [said("four"), said("three"), said("one"), said("two")]
    assert {3: NoticeContent(TODAY, said("four"))} == node.publish()
    node.shared.notices = [said("five"), said("three"), said("four"), said("two")]
    assert {0: NoticeContent(TODAY, said("five"))} == node.publish()


def test_two_equal_notices_are_two(node: NoticesFixture) -> None:
    node.shared.notices = [said("one"), said("one")]
    assert [0, 1] == [*node.publish()]
    assert {} == node.publish()
    node.shared.notices = [said("one")]
    assert {1: NoticeContent("", None)} == node.publish()


def test_more_than_there_are_parts_are_left_out(node: NoticesFixture) -> None:
    node.shared.notices = [said(str(number)) for number in range(NOTICE_PARTS + 5)]
    assert NOTICE_PARTS == len(node.publish())


@pytest.mark.parametrize(("day", "count"), [("2026-11-28", 0), ("2026-11-29", 1), ("2026-11-20", 1), ("", 0)])
def test_a_page_that_says_the_same_is_published_again_with_its_day(
    node: NoticesFixture, day: str, count: int
) -> None:
    node.shared.notices = [said("one")]
    node.publish()
    node.shared.day = day
    assert count == len(node.publish())


def test_nothing_is_looked_at_while_nothing_changes(node: NoticesFixture) -> None:
    node.publish()
    node.shared.notices = [said("one")]
    node.pages.tick(LOOK_EVERY_S - 1)
    assert [] == [*node.pages.due()]
    node.pages.tick(LOOK_EVERY_S)
    assert [0] == [part for part, _ in node.pages.due()]


def test_what_an_earlier_incarnation_said_and_others_gave_back_is_withdrawn(node: NoticesFixture) -> None:
    node.publish()
    node.pages.accept(node.tells("hill", 4, TODAY, said("of before the loss")))
    assert {4: notice_body(NoticeContent("", None))} == dict(node.pages.due())


def test_pages_of_other_nodes_are_read_when_they_come_and_after_a_start() -> None:
    node = NoticesFixture()
    page = node.tells("valley", 3, TODAY, said("one"))
    node.pages.accept(page)
    node.shared.generation = 0
    node.pages.tick(0.0)
    assert {} == node.shared.heard, "not before the database was read"
    node.shared.generation = 1
    node.pages.tick(1.0)
    assert {(VALLEY, 3): said("one")} == node.shared.heard
    node.pages.accept(node.tells("valley", 3, TODAY, said("two")))
    assert {(VALLEY, 3): said("two")} == node.shared.heard
    node.pages.accept(node.tells("valley", 3, "", None))
    assert {} == node.shared.heard


def test_a_notice_of_a_node_that_left_is_gone_and_back_when_it_is_back(node: NoticesFixture) -> None:
    node.pages.accept(node.tells("valley", 3, TODAY, said("one")))
    node.roster = frozenset({OWN})
    node.pages.tick(1.0)
    assert {} == node.shared.heard
    node.pages.accept(node.tells("valley", 4, TODAY, said("two")))
    assert {} == node.shared.heard
    node.roster = frozenset({OWN, VALLEY})
    node.pages.tick(2.0)
    assert {(VALLEY, 3): said("one"), (VALLEY, 4): said("two")} == node.shared.heard


def test_a_stranger_and_a_page_that_cannot_be_read_tell_nothing(node: NoticesFixture) -> None:
    node.pages.accept(node.tells("coast", 3, TODAY, said("one")))
    node.pages.accept(node.held.hold("valley", 3, b"{}"))
    node.pages.accept(node.held.hold("valley", 3, notice_body(NoticeContent(TODAY, said("x"))), kind="batch"))
    assert {} == node.shared.heard
    local = replace(said("one"), where="here")
    node.pages.accept(node.tells("valley", 5, TODAY, local))
    assert {} == node.shared.heard


def test_a_page_that_was_evicted_tells_nothing(node: NoticesFixture) -> None:
    page = node.tells("valley", 3, TODAY, said("one"))
    node.pages.accept(page)
    del node.held.pages[page.author, page.label]
    node.pages.evicted(COAST, [f"{COAST}/1-a/{page.label}"])
    assert node.shared.heard
    node.pages.evicted(VALLEY, [page.name])
    assert {} == node.shared.heard


@pytest.mark.parametrize(
    ("day", "today", "is_shown"),
    [
        ("2026-11-24", "2026-12-24", True),
        ("2026-11-24", "2026-12-25", False),
        ("2026-11-24", "", True),
        ("", "2026-12-25", True),
        ("2099-01-01", "2026-11-24", True),
        ("1970-01-01", "2026-11-24", False),
        ("2026-11-24", "1970-01-01", True),
    ],
)
def test_a_notice_that_was_not_said_again_for_a_month_is_not_shown(
    node: NoticesFixture, day: str, today: str, *, is_shown: bool
) -> None:
    node.tells("valley", 3, day, said("one"))
    node.shared.day = today
    node.pages.tick(LOOK_EVERY_S)
    assert is_shown == bool(node.shared.heard)


def test_a_page_without_a_day_ends_some_days_after_it_was_read_by_a_node_that_knows_the_date(
    node: NoticesFixture,
) -> None:
    node.tells("valley", 3, "", said("one"))
    looks = 0

    def shown_on(day: str) -> bool:
        nonlocal looks
        looks += 1
        node.shared.day = day
        node.pages.tick(looks * LOOK_EVERY_S)
        return bool(node.shared.heard)

    assert shown_on(""), "nobody knows for how long"
    assert shown_on("2026-12-25")
    assert shown_on("2026-12-30")
    assert not shown_on("2026-12-31")
    node.pages.accept(node.tells("valley", 3, "", said("one")))
    assert shown_on("2026-12-31"), "its node is there"
    assert not shown_on("2027-01-06")
    node.pages.accept(node.tells("valley", 3, "2027-01-06", said("one")))
    assert shown_on("2027-02-05")
    assert not shown_on("2027-02-06")


def test_a_clock_that_was_ahead_does_not_keep_a_page_without_a_day(node: NoticesFixture) -> None:
    node.tells("valley", 3, "", said("one"))
    for look, (day, is_shown) in enumerate(
        [("2099-01-01", True), ("2026-11-24", True), ("2026-11-29", True), ("2026-11-30", False)], start=1
    ):
        node.shared.day = day
        node.pages.tick(look * LOOK_EVERY_S)
        assert is_shown == bool(node.shared.heard), day


def test_the_days_of_a_node_that_left_and_came_back_begin_again(node: NoticesFixture) -> None:
    node.tells("valley", 3, "", said("one"))
    node.pages.tick(LOOK_EVERY_S)
    node.roster = frozenset({OWN})
    node.pages.tick(LOOK_EVERY_S + 1)
    node.roster, node.shared.day = frozenset({OWN, VALLEY}), "2026-12-25"
    node.pages.tick(LOOK_EVERY_S + 2)
    assert node.shared.heard


def test_without_shared_notices_nothing_happens() -> None:
    pages = NoticePages(OWN, None, HeldOtherPages("notice"), lambda: frozenset({OWN, VALLEY}))
    pages.tick(0.0)
    assert [] == [*pages.due()]

"""Registry pages of this node and of others, with the records that they say."""

from collections.abc import Iterable

from mesh.messages import decode
from mesh.page_format import Page
from mesh.page_kinds import page_content
from mesh.registry_kind import registry_body, registry_label, registry_part
from mesh.registry_pages import ADOPT_AFTER_S, REST_EVERY_S, RegistryPages
from mesh.registry_records import RegistryRecords
from node.accounts.registry_record import RegistryRecord
from node.units import NodeId
from tests.fakes.held_other_pages import HeldOtherPages
from tests.fakes.neighbours import id_of

OWN, VALLEY = id_of("hill"), id_of("valley")
PART = registry_part("fact", "ana")


class SharedOfTests:
    """The core alone, with the day unknown."""

    def __init__(self) -> None:
        self.records, self.generation = RegistryRecords(OWN, {"fact": None}), 1
        self.dropped: list[NodeId] = []

    def woken(self) -> None:
        pass

    def take(self, author: NodeId, part: int, records: Iterable[RegistryRecord]) -> None:
        self.records.take(author, part, records)

    def drop(self, author: NodeId) -> None:
        self.dropped.append(author)
        self.records.drop(author)

    def read_again(self) -> None:
        self.records.read_again()

    async def kept(self) -> None:
        """Everything is in memory."""

    def changed_parts(self, *, is_all: bool) -> tuple[int, ...]:
        return self.records.changed_parts(is_all=is_all)

    def body(self, part: int) -> bytes | None:
        return self.records.body(part)

    def orphans(self) -> dict[int, frozenset[tuple[str, str]]]:
        return self.records.orphans()

    def adopt(self, names: Iterable[tuple[str, str]]) -> None:
        self.records.adopt(names)

    def warnings(self) -> tuple[str, ...]:
        return ("full",)


class PagesFixture:
    """A node between its pages and its records."""

    def __init__(self) -> None:
        self.held, self.shared = HeldOtherPages("registry"), SharedOfTests()
        self.roster = frozenset({OWN, VALLEY})
        self.pages = RegistryPages(
            OWN, self.shared, self.held, lambda: self.roster, lambda least, most: (least + most) / 2
        )

    def tick(self, now_s: float) -> None:
        for _ in self.pages.tick(now_s):
            pass

    def publish(self, now_s: float) -> list[tuple[int, bytes]]:
        said = list(self.pages.due(now_s))
        for _, body in said:
            self.held.hold("hill", PART, body)
        return said

    def value(self) -> object:
        found = self.shared.records.effective("fact", "ana")
        return found.value if found is not None else None


def body(version: int, **value: int) -> bytes:
    return registry_body([RegistryRecord("fact", "ana", version, "", value)])


def test_pages_of_before_are_read_when_the_database_was_and_those_of_strangers_never() -> None:
    node = PagesFixture()
    node.shared.generation = 0
    node.held.hold("valley", PART, body(1, n=1))
    node.held.hold("stranger", PART, body(9, n=9))
    node.tick(0)
    assert node.value() is None
    node.shared.generation = 1
    node.tick(1)
    assert {"n": 1} == node.value()


def test_a_page_that_comes_changes_a_record_and_one_that_cannot_be_read_says_nothing() -> None:
    node = PagesFixture()
    node.tick(0)
    for raw, carriers in ((body(2, n=2), (VALLEY,)), (b'{"rows":7}', ())):
        page = node.held.hold("valley", PART, raw)
        node.pages.accept(page, page_content(page))
        assert {"n": 2} == node.value()
        assert carriers == node.shared.records.carriers("fact", "ana")


def test_a_page_that_had_to_go_is_not_said_any_longer() -> None:
    node = PagesFixture()
    page = node.held.hold("valley", PART, body(1, n=1))
    node.tick(0)
    node.pages.evicted(VALLEY, [page.name])
    assert (VALLEY,) == node.shared.records.carriers("fact", "ana"), "a page with its label is held"
    node.held.pages.clear()
    node.pages.evicted(VALLEY, [page.name, f"{VALLEY}/1-a/node/now/0000"])
    assert () == node.shared.records.carriers("fact", "ana")


def test_a_change_is_published_once_and_one_that_a_held_page_says_not_at_all() -> None:
    node = PagesFixture()
    node.tick(0)
    node.publish(0)
    node.shared.records.put("fact", "ana", {"n": 1})
    assert [(PART, body(1, n=1))] == node.publish(1)
    assert [] == node.publish(2)
    node.shared.generation = 2
    node.tick(3)
    assert [] == node.publish(3)


def test_what_another_node_says_instead_leaves_our_page_when_there_is_time() -> None:
    node = PagesFixture()
    node.tick(0)
    node.shared.records.put("fact", "ana", {"n": 1})
    node.publish(0)
    page = node.held.hold("valley", PART, body(2, n=2))
    node.pages.accept(page, page_content(page))
    assert [] == node.publish(REST_EVERY_S - 1)
    assert [(PART, b'{"rows":[]}')] == node.publish(REST_EVERY_S)
    assert [] == node.publish(3 * REST_EVERY_S)


def test_a_node_that_left_is_dropped_and_what_it_said_is_said_after_a_while() -> None:
    node = PagesFixture()
    node.held.hold("valley", PART, body(1, n=1))
    node.tick(0)
    node.roster = frozenset({OWN})
    node.tick(1)
    assert [VALLEY] == node.shared.dropped
    node.tick(ADOPT_AFTER_S[0])
    assert [] == node.publish(ADOPT_AFTER_S[0])
    node.tick(ADOPT_AFTER_S[1] + 1)
    assert [(PART, body(1, n=1))] == node.publish(ADOPT_AFTER_S[1] + 1)


def test_a_node_that_returns_to_the_community_is_read_again() -> None:
    node = PagesFixture()
    node.held.hold("valley", PART, body(1, n=1))
    for at, roster in enumerate(({OWN, VALLEY}, {OWN}, {OWN, VALLEY})):
        node.roster = frozenset(roster)
        node.tick(at)
    assert (VALLEY,) == node.shared.records.carriers("fact", "ana")


def test_a_node_that_shares_nothing_says_nothing() -> None:
    held = HeldOtherPages("registry")
    pages = RegistryPages(OWN, None, held, lambda: frozenset({OWN, VALLEY}), lambda least, _most: least)
    page = held.hold("valley", PART, body(1, n=1))
    pages.accept(page, page_content(page))
    pages.evicted(VALLEY, [page.name])
    assert [] == list(pages.tick(0))
    assert ([], ()) == (list(pages.due(0)), pages.warnings())
    assert ("full",) == PagesFixture().pages.warnings()


def test_labels_of_pages_are_those_of_their_part() -> None:
    page = HeldOtherPages("registry").hold("valley", PART, body(1, n=1))
    assert registry_label(PART) == page.label
    assert isinstance(decode(page.raw), Page)


def test_between_pages_others_may_run_and_what_comes_meanwhile_is_not_undone() -> None:
    node = PagesFixture()
    node.held.hold("valley", PART, body(1, n=1))
    reading = node.pages.tick(0)
    next(reading)
    page = node.held.hold("valley", PART, body(2, n=2), seq=2)
    node.pages.accept(page, page_content(page))
    for _ in reading:
        pass
    assert {"n": 2} == node.value()
    assert (VALLEY,) == node.shared.records.carriers("fact", "ana")

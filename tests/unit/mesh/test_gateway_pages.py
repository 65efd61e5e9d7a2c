"""Gateway pages of this node and of others."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import pytest

from mesh.gateway_kind import (
    GATEWAY_PARTS,
    HANDOVER_PART,
    GatewaysContent,
    gateways_body,
    gateways_label,
)
from mesh.gateway_pages import GatewayPages
from node.units import NodeId
from tests.fakes.held_other_pages import HeldOtherPages
from tests.fakes.neighbours import id_of

OWN, VALLEY = id_of("hill"), id_of("valley")
SAID = GatewaysContent(serves="hill.example:2080", second="valley.example:2080")


class GatewaysOfTests:
    """What a node says, and what it was told."""

    def __init__(self) -> None:
        self.is_ready, self.content = True, GatewaysContent()
        self.told: list[tuple[NodeId, int, GatewaysContent]] = []
        self.dropped: list[NodeId] = []
        self.settled = 0
        self.woken: Callable[[], None] = lambda: None

    @property
    def gateways(self) -> "GatewaysOfTests":
        return self

    def own(self) -> Mapping[int, GatewaysContent]:
        return {HANDOVER_PART: self.content, 0: GatewaysContent()}

    def settle_overdue(self) -> None:
        self.settled += 1

    def take(self, pages: Sequence[tuple[NodeId, int, GatewaysContent]]) -> None:
        self.told += pages

    def drop(self, author: NodeId) -> None:
        self.dropped.append(author)

    def warnings(self) -> Iterator[str]:
        yield "nobody"


class GatewayPagesFixture:
    def __init__(self) -> None:
        self.held, self.shared = HeldOtherPages("gateways"), GatewaysOfTests()
        self.roster = frozenset({OWN, VALLEY})
        self.pages = GatewayPages(OWN, self.shared, self.held, lambda: self.roster, lambda: None)  # type: ignore[arg-type]


@pytest.fixture
def node() -> GatewayPagesFixture:
    fixture = GatewayPagesFixture()
    fixture.pages.tick()
    return fixture


def test_a_page_is_published_once_and_taken_back(node: GatewayPagesFixture) -> None:
    assert [] == list(node.pages.due()), "who has nothing to say publishes nothing"
    node.shared.content = SAID
    assert [(HANDOVER_PART, gateways_body(SAID))] == list(node.pages.due())
    node.held.hold("hill", HANDOVER_PART, gateways_body(SAID))
    assert [] == list(node.pages.due())
    node.shared.content = GatewaysContent()
    assert [(HANDOVER_PART, gateways_body(GatewaysContent()))] == list(node.pages.due())
    node.shared.is_ready = False
    assert [] == list(node.pages.due())


def test_pages_of_nodes_of_the_community_are_read(node: GatewayPagesFixture) -> None:
    page = node.held.hold("valley", HANDOVER_PART, gateways_body(SAID))
    node.pages.accept(page)
    assert [(VALLEY, HANDOVER_PART, SAID)] == node.shared.told
    node.pages.accept(node.held.hold("stranger", HANDOVER_PART, gateways_body(SAID)))
    assert 1 == len(node.shared.told)


def test_a_node_that_is_let_in_is_read_then_and_forgotten_when_it_is_removed(
    node: GatewayPagesFixture,
) -> None:
    node.roster = frozenset({OWN})
    node.pages.tick()
    assert [VALLEY] == node.shared.dropped
    node.pages.accept(node.held.hold("valley", HANDOVER_PART, gateways_body(SAID)))
    assert [] == node.shared.told
    node.roster = frozenset({OWN, VALLEY})
    node.pages.tick()
    assert [(VALLEY, HANDOVER_PART, SAID)] == node.shared.told


def test_publishing_changes_nothing_and_what_is_overdue_has_a_step_of_its_own(
    node: GatewayPagesFixture,
) -> None:
    assert 1 == node.shared.settled, "the first tick"
    node.pages.accept(node.held.hold("valley", HANDOVER_PART, gateways_body(SAID)))
    list(node.pages.due())
    assert 1 == node.shared.settled
    node.pages.tick()
    assert 2 == node.shared.settled


def test_pages_are_read_when_the_database_is_read() -> None:
    """Otherwise another node's gateway could take the id of one of this node."""
    node = GatewayPagesFixture()
    node.shared.is_ready = False
    node.pages.tick()
    node.pages.accept(node.held.hold("valley", HANDOVER_PART, gateways_body(SAID)))
    assert [] == node.shared.told
    node.shared.is_ready = True
    node.pages.tick()
    assert [(VALLEY, HANDOVER_PART, SAID)] == node.shared.told


def test_a_page_that_cannot_be_read_says_nothing(node: GatewayPagesFixture) -> None:
    node.pages.accept(node.held.hold("valley", HANDOVER_PART, b'{"second":7}'))
    assert [(VALLEY, HANDOVER_PART, GatewaysContent())] == node.shared.told


def test_what_is_not_told_is_a_warning_and_without_other_nodes_there_is_nothing() -> None:
    assert ("nobody",) == GatewayPagesFixture().pages.warnings()
    alone = GatewayPages(OWN, None, HeldOtherPages("gateways"), lambda: frozenset({OWN}), lambda: None)
    alone.tick()
    assert [] == list(alone.due())
    assert () == alone.warnings()
    assert "gateways/now/0003" == gateways_label(GATEWAY_PARTS - 1)

"""The graph of the nodes: what both ends say, and who is online without a clock."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from mesh.announcement import Address
from mesh.node_kind import NodeFacts, NodeLink
from node.export.node_graph import NodeGraph, node_graph_of
from node.identity import human_form
from node.units import NodeId
from tests.fakes.neighbours import id_of

AT = datetime(2026, 11, 24, 18, 3, tzinfo=UTC)
HILL, VALLEY, COAST, MILL = map(id_of, ("hill", "valley", "coast", "mill"))
ALL = (HILL, VALLEY, COAST, MILL)


def page(name: str, *links: NodeId, loss: int = 0) -> NodeFacts:
    return NodeFacts(name, links=tuple(NodeLink(node, 20, loss) for node in sorted(links)))


def graph(pages: dict[NodeId, NodeFacts], *connected: NodeId, own: NodeId = HILL) -> NodeGraph:
    return node_graph_of(
        community="Vall Alta",
        own=own,
        names={HILL: "hill"},
        pages=pages,
        members=ALL,
        connected=connected,
        at=AT,
    )


def online(found: NodeGraph) -> set[NodeId]:
    return {each.node for each in found.nodes if each.is_online}


def pairs(found: NodeGraph) -> set[frozenset[NodeId]]:
    return {frozenset((each.source, each.target)) for each in found.links}


def test_a_node_is_online_when_others_that_are_online_lead_to_it() -> None:
    pages = {
        HILL: page("hill", VALLEY),
        VALLEY: page("valley", HILL, COAST),
        COAST: page("coast", VALLEY, MILL),
        MILL: page("mill", COAST),
    }
    assert set(ALL) == online(graph(pages, VALLEY))
    assert {frozenset(each) for each in ((HILL, VALLEY), (VALLEY, COAST), (COAST, MILL))} == pairs(
        graph(pages, VALLEY)
    )


def test_nodes_that_lost_their_power_together_are_offline_though_they_name_each_other() -> None:
    pages = {
        HILL: page("hill", VALLEY),
        VALLEY: page("valley", HILL),
        COAST: page("coast", VALLEY, MILL),
        MILL: page("mill", COAST),
    }
    assert {HILL, VALLEY} == online(graph(pages, VALLEY))


def test_this_node_says_nothing_of_itself_but_what_it_is_connected_to_now() -> None:
    pages = {HILL: page("hill", VALLEY), VALLEY: page("valley", HILL)}
    assert {HILL} == online(graph(pages))
    assert set() == pairs(graph(pages))
    assert {HILL, MILL} == online(graph(pages, MILL))


def test_no_node_draws_a_link_alone_or_puts_another_one_online() -> None:
    pages = {VALLEY: page("valley", HILL, COAST), COAST: page("coast", MILL), MILL: page("mill")}
    assert {HILL, VALLEY} == online(graph(pages, VALLEY))


def test_a_node_without_a_page_is_what_its_neighbours_say() -> None:
    found = graph({VALLEY: page("valley", HILL, COAST)}, VALLEY)
    assert {HILL, VALLEY, COAST} == online(found)
    assert {HILL: "hill", VALLEY: "valley", COAST: human_form(COAST), MILL: human_form(MILL)} == {
        each.node: each.name for each in found.nodes
    }


def test_a_link_has_the_longer_round_trip_and_the_loss_of_each_end() -> None:
    pages = {HILL: page("hill", VALLEY, loss=2), VALLEY: page("valley", HILL, loss=10)}
    (link,) = graph(pages, VALLEY).links
    ends = {link.source: link.source_loss_percent, link.target: link.target_loss_percent}
    assert ({HILL: 2, VALLEY: 10}, 20) == (ends, link.round_trip_ms)


def test_links_to_nodes_that_were_removed_and_to_itself_are_not_drawn() -> None:
    removed = id_of("removed")
    pages = {
        HILL: page("hill"),
        VALLEY: page("valley", HILL, VALLEY, removed),
        removed: page("removed", VALLEY),
    }
    found = graph(pages, VALLEY, removed)
    assert {frozenset((HILL, VALLEY))} == pairs(found)
    assert removed not in {each.node for each in found.nodes}


def test_an_address_made_from_a_hardware_address_is_left_out_whatever_a_page_says() -> None:
    facts = NodeFacts("valley", addresses=(Address("fd00::5054:ff:fe12:3456", 1), Address("10.0.0.1", 7400)))
    (valley,) = (each for each in graph({VALLEY: facts}).nodes if each.node == VALLEY)
    assert ["10.0.0.1"] == valley.addresses


def test_a_node_that_is_offline_has_no_line_whatever_it_said_last() -> None:
    pages = {VALLEY: NodeFacts("valley", uplink=("main", "up"))}
    for connected in ((), (VALLEY,)):
        (valley,) = (each for each in graph(pages, *connected).nodes if each.node == VALLEY)
        assert bool(connected) is valley.is_online is valley.has_uplink


def test_a_time_beyond_all_calendars_is_none() -> None:
    made = [0, 1, 1_795_600_000, 2**53 - 1]
    nodes = [graph({VALLEY: NodeFacts("valley", made_s=each)}).nodes for each in made]
    said = [next(each.said_at for each in found if each.node == VALLEY) for found in nodes]
    assert [
        None,
        datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC),
        datetime.fromtimestamp(1_795_600_000, UTC),
        None,
    ] == said


names = st.sampled_from(ALL)
links = st.lists(names, max_size=6, unique=True)


@given(st.dictionaries(names, links), links, names)
def test_every_graph_has_each_member_once_and_its_own_node_is_online(
    said: dict[NodeId, list[NodeId]], connected: list[NodeId], own: NodeId
) -> None:
    found = graph({node: page("any", *to) for node, to in said.items()}, *connected, own=own)
    assert sorted(ALL) == [each.node for each in found.nodes]
    assert online(found) >= {own, *connected}
    assert len(pairs(found)) == len(found.links)
    assert all(each.source < each.target for each in found.links)

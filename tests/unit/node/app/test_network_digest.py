"""The digest names what needs a person, the most urgent first, and never this node."""

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from mesh.node_kind import NodeFacts
from node.app.network_digest import BUSY_PERCENT, LINES_MAX, NAMED_MAX, digest_of
from node.export.node_graph import POOR_LOSS_PERCENT, GraphLink, GraphNode, NodeGraph
from node.units import NodeId
from tests.fakes.admin_pages import a_link_use
from tests.fakes.node_graphs import a_node_graph

WELL = NodeFacts("", uplink=("main", "up"), load_percent=BUSY_PERCENT - 1)
AT = datetime(2026, 1, 1, tzinfo=UTC)


def node(number: int, facts: NodeFacts | None = WELL, *, is_online: bool = True) -> GraphNode:
    return GraphNode(NodeId(f"n{number}"), f"node {number}", is_online, facts)


def graph(*nodes: GraphNode, links: tuple[GraphLink, ...] = ()) -> NodeGraph:
    return NodeGraph("Vall", NodeId("n0"), nodes, links, AT)


def test_a_network_that_is_well_needs_nobody() -> None:
    quiet = GraphLink(NodeId("n0"), NodeId("n1"), 20, POOR_LOSS_PERCENT - 1, None)
    assert () == digest_of(graph(node(0), node(1), node(2, None), links=(quiet,)))


def test_each_thing_is_one_line() -> None:
    lossy = GraphLink(NodeId("n1"), NodeId("n2"), 20, None, POOR_LOSS_PERCENT)
    found = digest_of(
        graph(
            node(0),
            node(1, replace(WELL, uplink=("main", "down"), attention=1)),
            node(2, replace(WELL, load_percent=BUSY_PERCENT, attention=3)),
            node(3, is_online=False),
            links=(lossy,),
        )
    )
    assert [
        "node 3 is offline.",
        "node 1 does not reach the Internet by its own line.",
        "node 1 has a warning: look at its own pages, or run procomu status there.",
        "node 2 has 3 warnings: look at its own pages, or run procomu status there.",
        "node 2 is busy: 100 % of its processors.",
        "Much is lost between node 1 and node 2: 10 %.",
    ] == list(map(str, found))


def test_pages_that_contradict_a_link_are_one_line_and_others_none() -> None:
    hills, coast, valley = (
        replace(a_link_use(name), node=NodeId(f"n{at}"))
        for at, name in enumerate(("hills", "coast", "valley"), start=1)
    )
    found = digest_of(replace(graph(node(0), node(1), node(2), node(3)), uses=(hills, coast, valley)))
    assert [
        "node 1 says that more was downloaded there on 2026-11-24 than this node sent to it: look at the page Nodes."
    ] == list(map(str, found))
    assert () == digest_of(replace(graph(node(0)), uses=(hills,))), "it left the community"


def test_what_this_node_needs_is_not_in_it_and_what_a_node_said_before_it_went_neither() -> None:
    bad = NodeFacts("", uplink=("main", "down"), load_percent=BUSY_PERCENT, attention=9)
    assert ["node 1 is offline."] == list(digest_of(graph(node(0, bad), node(1, bad, is_online=False))))
    assert ["Far is offline."] == list(digest_of(a_node_graph()))


def test_many_nodes_that_are_gone_are_one_line() -> None:
    gone = [node(number, is_online=False) for number in range(1, NAMED_MAX + 2)]
    (line,) = digest_of(graph(node(0), *gone))
    assert "6 of the 6 other nodes are offline: node 1, node 2, node 3, node 4, node 5 and more." == str(line)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9), st.booleans()), max_size=80))
def test_it_is_short_and_says_how_much_it_leaves_out(states: list[tuple[bool, int, bool]]) -> None:
    nodes = [
        node(
            number, replace(WELL, attention=many, uplink=("main", "up" if is_up else "down")), is_online=here
        )
        for number, (here, many, is_up) in enumerate(states, start=1)
    ]
    links = tuple(GraphLink(NodeId("n0"), each.node, 1, 50, None) for each in nodes if each.is_online)
    found = digest_of(graph(node(0), *nodes, links=links))
    gone = sum(not each.is_online for each in nodes)
    said = sum(bool(many) + (not is_up) + 1 for here, many, is_up in states if here)
    whole = said + (gone if gone <= NAMED_MAX else 1)
    assert len(found) == min(whole, LINES_MAX + 1)
    if whole > LINES_MAX:
        assert f"And {whole - LINES_MAX} more" in str(found[-1])


def test_a_link_names_the_greater_loss() -> None:
    link = GraphLink(NodeId("n0"), NodeId("n1"), None, 20, 50)
    assert (50, True) == (link.loss_percent, link.is_poor)
    (line,) = digest_of(graph(node(0), node(1), links=(link,)))
    assert "50 %" in str(line)


def test_names_are_written_as_the_page_wants() -> None:
    gone = graph(node(0), node(1, is_online=False))
    assert ["<node 1> is offline."] == list(digest_of(gone, lambda name: f"<{name}>"))

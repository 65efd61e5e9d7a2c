"""How the tables of the network show a node and a connection."""

from mesh.node_kind import NodeFacts
from node.admin.network import network_link, network_node
from node.export.node_graph import GraphLink, GraphNode
from tests.fakes.node_graphs import HILL, VALLEY


def test_what_is_not_known_is_empty() -> None:
    node = network_node(GraphNode(HILL, "hill", True), is_own=True, links=0)
    assert ("", "", "") == (node.line, node.load, node.version)
    link = network_link(GraphLink(HILL, VALLEY, None, None, None), ("hill", "valley"))
    assert ("", "", False) == (link.round_trip, link.lost, link.is_poor)


def test_what_is_known_is_said_and_of_two_losses_the_greater() -> None:
    facts = NodeFacts("hill", "1.2.0", uplink=("main", "down"), load_percent=0)
    node = network_node(GraphNode(HILL, "hill", True, facts), is_own=False, links=3)
    assert ("is down", "0 %", "1.2.0", 3) == (node.line, node.load, node.version, node.links)
    gone = network_node(GraphNode(HILL, "hill", False, facts), is_own=False, links=0)
    assert ("", "", "1.2.0") == (gone.line, gone.load, gone.version)
    link = network_link(GraphLink(HILL, VALLEY, 20, 0, 10), ("hill", "valley"))
    assert ("20 ms", "10 %", True) == (link.round_trip, link.lost, link.is_poor)

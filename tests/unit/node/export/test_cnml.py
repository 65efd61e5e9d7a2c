"""CNML: what guifi.net's programs read. libcnml itself reads it in test_netdiff.py."""

from datetime import UTC, datetime
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from mesh.announcement import Address
from mesh.node_kind import NodeFacts, NodeLink
from node.export.cnml import ID_MAX, cnml, numbers_of
from node.export.node_graph import NodeGraph, node_graph_of
from node.units import NodeId
from tests.fakes.node_graphs import AT, COAST, HILL, VALLEY, a_node_graph

NODES = st.sets(st.integers(0, 50).map(lambda number: NodeId(f"n{number:02}")), min_size=1)


def two_with(hill: tuple[str, ...], valley: tuple[str, ...]) -> NodeGraph:
    pages = {
        HILL: NodeFacts(
            "Ermita", addresses=tuple(Address(host, 7400) for host in hill), links=(NodeLink(VALLEY),)
        ),
        VALLEY: NodeFacts(
            "Riu", addresses=tuple(Address(host, 7400) for host in valley), links=(NodeLink(HILL),)
        ),
    }
    return node_graph_of(
        community="Vall", own=HILL, names={}, pages=pages, members=pages, connected={VALLEY}, at=AT
    )


def test_a_link_names_the_other_end_on_each_side_by_the_same_number() -> None:
    root = ElementTree.fromstring(cnml(two_with(("fd00::1", "10.0.0.1"), ("10.0.0.2",))))
    ids = numbers_of([HILL, VALLEY])
    found = {}
    for node in root.iter("node"):
        (link,) = node.iter("link")
        assert link.get("linked_node_id") == link.get("linked_device_id") == link.get("linked_interface_id")
        found[int(node.get("id", ""))] = int(link.get("linked_node_id", "")), link.get("id")
    assert found.keys() == set(ids.values())
    assert {other for other, _ in found.values()} == set(ids.values())
    assert 1 == len({number for _, number in found.values()})
    assert ["10.0.0.1", "10.0.0.2"] == sorted(each.get("ipv4", "") for each in root.iter("interface"))


def test_a_link_needs_an_ipv4_address_on_both_ends_and_a_node_does_not() -> None:
    root = ElementTree.fromstring(cnml(two_with(("10.0.0.1",), ("fd00::2",))))
    assert 2 == len(list(root.iter("node")))
    assert [] == list(root.iter("link"))
    assert "0" == next(root.iter("network")).get("links")


def test_a_node_that_is_offline_is_inactive_and_no_node_has_a_place() -> None:
    nodes = {each.get("title"): each for each in ElementTree.fromstring(cnml(a_node_graph())).iter("node")}
    assert {"Ermita": "Working", 'Família "Puig"': "Working", "Far": "Inactive"} == {
        title: each.get("status") for title, each in nodes.items()
    }
    assert {("0.0", "0.0")} == {(each.get("lat"), each.get("lon")) for each in nodes.values()}


@given(st.text(), st.text(), st.integers(0, 2**60))
def test_every_name_and_time_is_read_back_as_xml(community: str, name: str, made_s: int) -> None:
    pages = {COAST: NodeFacts(name, version=name, made_s=made_s)}
    at = datetime(2026, 1, 1, tzinfo=UTC)
    graph = node_graph_of(
        community=community, own=COAST, names={}, pages=pages, members=pages, connected=(), at=at
    )
    (node,) = ElementTree.fromstring(cnml(graph)).iter("node")
    assert node.get("title")
    datetime.strptime(node.get("created", ""), "%Y%m%d %H%M").replace(tzinfo=UTC)


@given(NODES)
def test_no_two_nodes_have_one_number(nodes: set[NodeId]) -> None:
    numbers = numbers_of(nodes)
    assert len(set(numbers.values())) == len(nodes)
    assert all(0 < number <= ID_MAX for number in numbers.values())

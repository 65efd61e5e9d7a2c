"""Which names of nodes are known."""

import pytest

from mesh.node_kind import NodeFacts
from mesh.ports import PeerView
from node.app.node_names import distinct_name, node_names
from node.identity import human_form
from node.units import NodeId

MILL, TOWER = NodeId("m" * 52), NodeId("t" * 52)


def peer(node: NodeId, name: str, state: str = "trusted") -> PeerView:
    return PeerView(node, name, state, ("fe80::1",), 3)


def test_a_node_that_is_alone_knows_its_name():
    assert {"library"} == node_names("library", (), (), {})


def test_all_names_are_known_when_each_node_has_proved_its_key():
    peers = (peer(MILL, "mill"), peer(TOWER, "tower", "silent"))
    assert {"library", "mill", "tower"} == node_names("library", {MILL, TOWER}, peers, {})


@pytest.mark.parametrize(
    "peers",
    [
        (),
        (peer(MILL, "mill"),),
        (peer(MILL, "mill"), peer(TOWER, "")),
        (peer(MILL, "mill"), peer(TOWER, "tower", "heard")),
        (peer(MILL, "mill"), peer(TOWER, "tower", "greeted")),
    ],
)
def test_while_one_node_has_no_known_name_it_could_have_any(peers):
    assert frozenset() == node_names("library", {MILL, TOWER}, peers, {})


def test_a_node_that_is_no_neighbour_is_known_by_its_page():
    pages = {MILL: NodeFacts("before"), TOWER: NodeFacts("tower")}
    assert {"library", "mill", "tower"} == node_names("library", {MILL, TOWER}, (peer(MILL, "mill"),), pages)


def test_strangers_have_no_name_here():
    peers = (peer(MILL, "mill"), peer(TOWER, "tower", "stranger"))
    assert {"library", "mill"} == node_names("library", {MILL}, peers, {})


@pytest.mark.parametrize(
    "name",
    ["Library", "LIBRARY ", "lіbrary", "library\u200b", "\u3164"],
    ids=["same", "capitals", "cyrillic", "invisible letter", "nothing"],
)
def test_a_name_that_can_be_taken_for_another_ones_comes_with_the_key(name):
    assert f"{human_form(MILL)} ({name})" == distinct_name(MILL, name, ("library", "tower"))


def test_a_name_of_its_own_comes_alone():
    assert "Molí de dalt" == distinct_name(MILL, "Molí de dalt", ("library", "tower"))

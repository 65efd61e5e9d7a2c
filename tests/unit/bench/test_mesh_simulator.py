"""The simulated mesh: every node gets every page about once, and silence costs little."""

import pytest

from mesh.link_selection import LINKS_MAX
from tests.bench.mesh import LINKS, busy_bps, flat_segment, idle_bps, spread_s
from tests.bench.mesh_simulator import MeshSimulator


def test_the_nodes_are_one_mesh_with_about_as_many_links_as_wanted() -> None:
    mesh = MeshSimulator(60, degree=7.5, loss=0.05)
    assert 1 == len(list(mesh._pieces()))
    assert 4 < sum(len(node.neighbours) for node in mesh.nodes) / 60 < 11


def test_seven_links_without_news_cost_less_than_a_kilobit_a_second() -> None:
    assert 300 < idle_bps(nodes=20) <= 1_000
    assert 7 == LINKS


def test_a_page_reaches_every_node_within_seconds_and_comes_about_once() -> None:
    spread, copies = spread_s(40, 10)
    assert 0 < max(spread) <= 15
    assert 1.0 <= copies <= 1.3


@pytest.mark.thorough
def test_on_a_flat_segment_pages_spread_as_well_over_the_connections_that_nodes_chose() -> None:
    most, edges = flat_segment(40)
    assert LINKS_MAX == most
    spread, copies = spread_s(40, 10, edges)
    assert 0 < max(spread) <= 15
    assert 1.0 <= copies <= 1.3


@pytest.mark.thorough
def test_more_nodes_cost_more() -> None:
    assert busy_bps(8) < busy_bps(16)

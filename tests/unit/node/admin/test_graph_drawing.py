"""The drawing of a graph: every node that is reached is inside the square, and the same graph is drawn in the same way."""

import math
from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from node.admin.graph_drawing import (
    DRAWN_MAX,
    GATEWAYS_DRAWN_MAX,
    MARGIN,
    NAME_CHARS_MAX,
    NAMED_MAX,
    SIZE,
    drawing_of,
)
from node.export.node_graph import GraphGateway, GraphLink, GraphNode, NodeGraph
from node.units import NodeId
from tests.fakes.node_graphs import HILL, VALLEY, a_node_graph

AT = datetime(2026, 11, 24, tzinfo=UTC)
MIDDLE = SIZE // 2


def graph(count: int, pairs: set[tuple[int, int]], *, name: str = "n", loss: int = 0) -> NodeGraph:
    """Nodes 0 to `count`, of which the first is this one; online are those that the links reach."""
    ids = [NodeId(f"{number:052d}") for number in range(count)]
    reached = {0}
    for _ in range(count):
        reached |= {other for pair in pairs if set(pair) & reached for other in pair}
    nodes = tuple(GraphNode(node, name, number in reached) for number, node in enumerate(ids))
    links = tuple(GraphLink(ids[left], ids[right], 1, loss, None) for left, right in sorted(pairs))
    return NodeGraph("Vall Alta", ids[0], nodes, links, AT)


def star(count: int) -> set[tuple[int, int]]:
    return {(0, number) for number in range(1, count)}


@given(st.integers(0, 2 * GATEWAYS_DRAWN_MAX))
def test_gateways_are_around_this_node_and_inside_the_picture(count):
    gateways = tuple(GraphGateway(f"{n:08x}", "g", n % 2 == 0, None) for n in range(count))
    drawn = drawing_of(replace(graph(1, set()), gateways=gateways))
    assert min(count, GATEWAYS_DRAWN_MAX) == len(drawn.gateways)
    assert len(drawn.gateways) == len({(each.x, each.y) for each in drawn.gateways})
    left, above, width, height = map(int, drawn.view.split())
    for each in drawn.gateways:
        assert left <= each.x - 5 <= each.x + 5 <= left + width
        assert above <= each.y - 5 <= each.y + 5 <= above + height
        assert 40 <= math.dist((each.x, each.y), drawn.centre) <= 60


graphs = st.integers(1, 40).flatmap(
    lambda count: st.builds(
        graph,
        st.just(count),
        st.sets(
            st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)).filter(
                lambda pair: pair[0] < pair[1]
            ),
            max_size=120,
        ),
    )
)


@given(graphs)
def test_each_node_that_is_online_is_one_dot_inside_the_square_and_no_two_are_in_one_place(
    found: NodeGraph,
) -> None:
    drawing = drawing_of(found)
    assert {each.node for each in found.nodes if each.is_online} == {each.node for each in drawing.dots}
    assert len({(each.x, each.y) for each in drawing.dots}) == len(drawing.dots)
    assert all(MARGIN <= place <= SIZE - MARGIN for each in drawing.dots for place in (each.x, each.y))
    assert [(MIDDLE, MIDDLE)] == [(each.x, each.y) for each in drawing.dots if each.is_own]
    left, above, width, height = map(int, drawing.view.split())
    assert all(left < each.x < left + width and above < each.y < above + height for each in drawing.dots)
    assert drawing == drawing_of(found)


@given(graphs)
def test_every_link_between_two_dots_is_drawn_from_one_to_the_other(found: NodeGraph) -> None:
    drawing = drawing_of(found)
    places = {each.node: (each.x, each.y) for each in drawing.dots}
    drawn = [((each.x1, each.y1), (each.x2, each.y2)) for each in drawing.strokes]
    assert drawn == [
        (places[each.source], places[each.target]) for each in found.links if each.source in places
    ]


def test_a_node_is_on_the_ring_of_its_distance() -> None:
    dots = drawing_of(graph(4, {(0, 1), (1, 2), (2, 3), (0, 3)})).dots
    distances = [round(math.dist((each.x, each.y), (MIDDLE, MIDDLE)) / (MIDDLE - MARGIN), 1) for each in dots]
    assert [0.0, 0.5, 0.5, 1.0] == distances


def test_the_nearest_of_very_many_nodes_are_drawn_without_names_and_the_others_counted() -> None:
    drawing = drawing_of(graph(DRAWN_MAX + 7, star(DRAWN_MAX + 7)))
    assert (DRAWN_MAX, 7) == (len(drawing.dots), drawing.left_out)
    assert {""} == {each.name for each in drawing.dots}
    assert {"n"} == {each.name for each in drawing_of(graph(NAMED_MAX, star(NAMED_MAX))).dots}


def test_a_long_line_of_nodes_is_drawn_too() -> None:
    count = 1_500
    drawing = drawing_of(graph(40, {(number, number + 1) for number in range(39)}))
    assert 40 == len(drawing.dots)
    ids = [NodeId(f"{number:052d}") for number in range(count)]
    nodes = tuple(GraphNode(node, "n", True) for node in ids)
    links = tuple(GraphLink(ids[number], ids[number + 1], 1, 0, 0) for number in range(count - 1))
    assert DRAWN_MAX == len(drawing_of(NodeGraph("", ids[0], nodes, links, AT)).dots)


def test_a_long_name_is_cut_and_much_loss_and_a_line_to_the_internet_are_shown() -> None:
    assert {NAME_CHARS_MAX} == {len(each.name) for each in drawing_of(graph(2, {(0, 1)}, name="x" * 60)).dots}
    assert [True] == [each.is_poor for each in drawing_of(graph(2, {(0, 1)}, loss=10)).strokes]
    assert [False] == [each.is_poor for each in drawing_of(graph(2, {(0, 1)}, loss=5)).strokes]
    assert {HILL: False, VALLEY: True} == {
        each.node: each.has_uplink for each in drawing_of(a_node_graph()).dots
    }

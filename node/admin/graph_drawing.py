"""Where the nodes of a graph are drawn: this node in the middle, and each other node on the ring of its distance from it, so
that a node stands near those through which it is reached. The picture depends on the graph alone."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from node.export.node_graph import NodeGraph, adjacent
from node.units import NodeId

SIZE, MARGIN = 600, 90
"""Of the square, in units of its own; names have room in the margin."""
BESIDE, BELOW = 20, 45
"""Room above the highest dot, and below the lowest one for its name."""
DRAWN_MAX = 300
"""Nodes, the nearest first."""
NAMED_MAX = 60
"""With more nodes, names would cover each other: then only the table has them."""
NAME_CHARS_MAX = 14


@dataclass(frozen=True, slots=True)
class Dot:
    """One node."""

    node: NodeId
    name: str
    """Shortened; empty where there is no room for names."""
    x: int
    y: int
    is_own: bool
    has_uplink: bool


@dataclass(frozen=True, slots=True)
class Stroke:
    """One link between two dots."""

    x1: int
    y1: int
    x2: int
    y2: int
    is_poor: bool
    """Whether much is lost on it."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """The graph of the nodes that are online, in a square of SIZE."""

    dots: tuple[Dot, ...]
    strokes: tuple[Stroke, ...]
    left_out: int
    """Nodes that are online and not drawn."""

    @property
    def view(self) -> str:
        """The part of the square in which something is drawn, as in SVG."""
        xs, ys = [each.x for each in self.dots], [each.y for each in self.dots]
        left, above = min(xs) - MARGIN, min(ys) - BESIDE
        return f"{left} {above} {max(xs) + MARGIN - left} {max(ys) + BELOW - above}"


def drawing_of(graph: NodeGraph) -> Drawing:
    parents = _tree(graph)
    drawn = dict(list(parents.items())[:DRAWN_MAX])
    places = _places(graph.own, drawn)
    nodes = {each.node: each for each in graph.nodes}
    with_names = len(drawn) <= NAMED_MAX
    dots = tuple(
        Dot(
            node,
            _short(nodes[node].name) if with_names else "",
            *places[node],
            is_own=node == graph.own,
            has_uplink=nodes[node].has_uplink,
        )
        for node in drawn
    )
    strokes = tuple(
        Stroke(*places[each.source], *places[each.target], is_poor=each.is_poor)
        for each in graph.links
        if each.source in places and each.target in places
    )
    return Drawing(dots, strokes, sum(each.is_online for each in graph.nodes) - len(drawn))


def _tree(graph: NodeGraph) -> dict[NodeId, NodeId]:
    """Each node that is reached from this one, with the one through which it is reached; the nearest first."""
    beside = adjacent((link.source, link.target) for link in graph.links)
    parents, waiting = {graph.own: graph.own}, [graph.own]
    for node in waiting:
        for other in sorted(beside.get(node, ())):
            if other not in parents:
                parents[other] = node
                waiting.append(other)
    return parents


def _places(own: NodeId, parents: Mapping[NodeId, NodeId]) -> dict[NodeId, tuple[int, int]]:
    """Each node has a sector of its ring that is as wide as its branch has ends."""
    children: dict[NodeId, list[NodeId]] = {node: [] for node in parents}
    levels = {own: 0}
    for node, parent in parents.items():
        if node != own:
            children[parent].append(node)
            levels[node] = levels[parent] + 1
    ends: dict[NodeId, int] = {}
    for node in reversed(list(parents)):
        ends[node] = sum(ends[each] for each in children[node]) or 1
    depth, begins = max(levels.values()) or 1, {own: 0.0}
    places: dict[NodeId, tuple[int, int]] = {}
    for node in parents:
        places[node] = _place(levels[node] / depth, (begins[node] + ends[node] / 2) / ends[own])
        begin = begins[node]
        for each in children[node]:
            begins[each], begin = begin, begin + ends[each]
    return places


def _place(distance: float, turn: float) -> tuple[int, int]:
    """At this part of the radius and of the whole turn, beginning above."""
    angle, radius = 2 * math.pi * turn, distance * (SIZE / 2 - MARGIN)
    return round(SIZE / 2 + radius * math.sin(angle)), round(SIZE / 2 - radius * math.cos(angle))


def _short(name: str) -> str:
    return name if len(name) <= NAME_CHARS_MAX else f"{name[: NAME_CHARS_MAX - 1]}…"

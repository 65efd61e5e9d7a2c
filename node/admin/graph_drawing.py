"""Where the nodes of a graph are drawn: this node in the middle, and each other node on the ring of its distance from it, so
that a node stands near those through which it is reached. The picture depends on the graph alone."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from node.export.node_graph import GraphGateway, NodeGraph, adjacent
from node.units import NodeId

SIZE, MARGIN = 600, 90
"""Of the square, in units of its own; names have room in the margin."""
BESIDE, BELOW = 20, 45
"""Room above the highest dot, and below the lowest one for its name."""
DRAWN_MAX = 300
"""Nodes, the nearest first."""
GATEWAYS_DRAWN_MAX, GATEWAY_RING = 36, 50
"""Around this node, and how far from it."""
WITHOUT_NAME = 0.8
"""Part of that ring on which no name stands."""
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
class GatewayDot:
    """One gateway of this node, around it; its name is in the table."""

    x: int
    y: int
    is_silent: bool


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
    gateways: tuple[GatewayDot, ...] = ()
    centre: tuple[int, int] = (SIZE // 2, SIZE // 2)

    @property
    def view(self) -> str:
        """The part of the square in which something is drawn, as in SVG."""
        places = [(each.x, each.y) for each in self.dots] + [(each.x, each.y) for each in self.gateways]
        xs, ys = [x for x, _ in places], [y for _, y in places]
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
    left_out = sum(each.is_online for each in graph.nodes) - len(drawn)
    return Drawing(dots, strokes, left_out, _around(graph.gateways), places[graph.own])


def _around(gateways: Sequence[GraphGateway]) -> tuple[GatewayDot, ...]:
    """On a small ring around this node, from left to right, and not below, where its name is."""
    drawn = gateways[:GATEWAYS_DRAWN_MAX]
    ring = GATEWAY_RING / (SIZE / 2 - MARGIN)
    turns = (((number + 0.5) / len(drawn) - 0.5) * WITHOUT_NAME for number in range(len(drawn)))
    return tuple(
        GatewayDot(*_place(ring, turn), each.is_silent) for each, turn in zip(drawn, turns, strict=True)
    )


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

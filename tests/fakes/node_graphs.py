"""A community of three nodes, of which one is offline, as a graph."""

import json
from datetime import UTC, datetime
from typing import Any

from mesh.announcement import Address
from mesh.node_kind import NodeFacts, NodeLink
from node.export.formats import FORMATS
from node.export.node_graph import NodeGraph, node_graph_of
from tests.fakes.neighbours import id_of

HILL, VALLEY, COAST = sorted(map(id_of, ("hill", "valley", "coast")))
HARDWARE = "fd00::5054:ff:fe12:3456"
AT = datetime(2026, 11, 24, 18, 3, tzinfo=UTC)


def a_node_graph() -> NodeGraph:
    pages = {
        HILL: NodeFacts(
            "Ermita", "1.2.0", (), ("main", "down"), 50, (NodeLink(VALLEY, 20, 2),), 1_795_600_000
        ),
        VALLEY: NodeFacts(
            'Família "Puig"',
            "1.1.0",
            (Address("10.0.0.1", 7400), Address(HARDWARE, 7400)),
            ("main", "up"),
            None,
            (NodeLink(HILL, 50, None),),
        ),
        COAST: NodeFacts("Far", made_s=1_795_000_000),
    }
    return node_graph_of(
        community="Vall Alta", own=HILL, names={}, pages=pages, members=pages, connected={VALLEY}, at=AT
    )


def written(name: str, graph: NodeGraph | None = None) -> dict[str, Any]:
    """The document, as another program reads it."""
    found = json.loads(FORMATS[name].write(graph or a_node_graph()))
    assert isinstance(found, dict)
    return found

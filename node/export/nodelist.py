"""nodelist.json 1.0.1, as yanic writes it: the list that maps of many communities collect. Positions are left out."""

from collections.abc import Mapping
from typing import Any

from node.export.node_graph import NodeGraph
from node.export.times import yanic_time

VERSION = "1.0.1"


def nodelist(graph: NodeGraph) -> Mapping[str, Any]:
    """The number of clients is needed by the format and said by no node: it is 0."""
    return {
        "version": VERSION,
        "updated_at": yanic_time(graph.at),
        "nodes": [
            {
                "id": each.node,
                "name": each.name,
                "status": {
                    "online": each.is_online,
                    "lastcontact": yanic_time(graph.at if each.is_online else each.said_at),
                    "clients": 0,
                },
            }
            for each in graph.nodes
        ],
    }

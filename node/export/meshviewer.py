"""meshviewer.json, as yanic writes it for the viewer of that name. Positions, owners and hardware addresses are left out."""

from collections.abc import Mapping
from typing import Any

from node.export.node_graph import GraphLink, GraphNode, NodeGraph
from node.export.times import yanic_time

LINK_TYPE = "other"
"""Of a connection that may cross several radio links and cables."""


def meshviewer(graph: NodeGraph) -> Mapping[str, Any]:
    """Numbers that the viewer needs and no node says, such as that of clients, are 0."""
    return {
        "timestamp": yanic_time(graph.at),
        "nodes": [_node(each, graph) for each in graph.nodes],
        "links": [_link(each) for each in graph.links],
    }


def _node(node: GraphNode, graph: NodeGraph) -> Mapping[str, Any]:
    load = node.facts.load_percent if node.facts is not None else None
    return {
        "node_id": node.node,
        "hostname": node.name,
        "domain": graph.community,
        "firstseen": yanic_time(node.said_at),
        "lastseen": yanic_time(graph.at if node.is_online else node.said_at),
        "is_online": node.is_online,
        "is_gateway": node.has_uplink,
        "clients": 0,
        "clients_wifi24": 0,
        "clients_wifi5": 0,
        "clients_other": 0,
        # Of all processors together, so that it reads as that of one.
        "loadavg": (load or 0) / 100,
        "nproc": 1,
        "addresses": node.addresses,
        "firmware": {"base": "procomu", "release": node.version},
        "autoupdater": {"enabled": False, "branch": ""},
    }


def _link(link: GraphLink) -> Mapping[str, Any]:
    return {
        "type": LINK_TYPE,
        "source": link.source,
        "target": link.target,
        "source_tq": _quality(link.source_loss_percent),
        "target_tq": _quality(link.target_loss_percent),
    }


def _quality(loss_percent: int | None) -> float:
    """The part that arrives; 1 while nothing was measured, because the connection works."""
    return (100 - (loss_percent or 0)) / 100

"""meshviewer.json, as yanic writes it for the viewer of that name. Positions, owners and hardware addresses are left out."""

from collections.abc import Mapping
from typing import Any

from node.export.times import yanic_time
from node.export.topology import GraphLink, GraphNode, Topology

LINK_TYPE = "other"
"""Of a connection that may cross several radio links and cables."""


def meshviewer(topology: Topology) -> Mapping[str, Any]:
    """Numbers that the viewer needs and no node says, such as that of clients, are 0."""
    return {
        "timestamp": yanic_time(topology.at),
        "nodes": [_node(each, topology) for each in topology.nodes],
        "links": [_link(each) for each in topology.links],
    }


def _node(node: GraphNode, topology: Topology) -> Mapping[str, Any]:
    load = node.facts.load_percent if node.facts is not None else None
    return {
        "node_id": node.node,
        "hostname": node.name,
        "domain": topology.community,
        "firstseen": yanic_time(node.said_at),
        "lastseen": yanic_time(topology.at if node.is_online else node.said_at),
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

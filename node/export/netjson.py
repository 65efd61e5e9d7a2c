"""NetJSON NetworkGraph (netjson.org), which OpenWISP and netdiff read."""

from collections.abc import Mapping
from typing import Any

from node.export.node_graph import GraphGateway, GraphLink, GraphNode, NodeGraph
from node.units import NodeId

PROTOCOL = "procomu"
STATIC = "static"
"""Of a network that was read from a file."""
METRIC = "round trip in milliseconds"
UNKNOWN_COST = 1.0
"""The format needs a number, and has this one as its default."""


def netjson(graph: NodeGraph) -> Mapping[str, Any]:
    own = next((each for each in graph.nodes if each.node == graph.own), None)
    return {
        "type": "NetworkGraph",
        "label": graph.community,
        "protocol": PROTOCOL if own is not None else STATIC,
        "version": own.version if own is not None else "",
        "metric": METRIC,
        **({"router_id": graph.own} if own is not None else {}),
        "nodes": [*map(_node, graph.nodes), *map(_gateway, graph.gateways)],
        "links": [*map(_link, graph.links), *(_behind(graph.own, each) for each in graph.gateways)],
    }


def _node(node: GraphNode) -> Mapping[str, Any]:
    properties: dict[str, Any] = {"online": node.is_online, "uplink": node.has_uplink}
    if node.version:
        properties["version"] = node.version
    if node.facts is not None and node.facts.load_percent is not None:
        properties["load_percent"] = node.facts.load_percent
    return {
        "id": node.node,
        "label": node.name,
        "local_addresses": node.addresses,
        "properties": properties,
    }


def _gateway(gateway: GraphGateway) -> Mapping[str, Any]:
    """Without an address: that of a router may be of a household."""
    properties: dict[str, Any] = {"online": not gateway.is_silent, "gateway": True}
    if gateway.people is not None:
        properties["people"] = gateway.people
    return {
        "id": _gateway_id(gateway),
        "label": gateway.name,
        "local_addresses": [],
        "properties": properties,
    }


def _behind(own: NodeId, gateway: GraphGateway) -> Mapping[str, Any]:
    return {
        "source": own,
        "target": _gateway_id(gateway),
        "cost": UNKNOWN_COST,
        "cost_text": "not measured",
        "properties": {},
    }


def _gateway_id(gateway: GraphGateway) -> str:
    return f"gateway-{gateway.id}"


def _link(link: GraphLink) -> Mapping[str, Any]:
    known = link.round_trip_ms
    measured = {
        "source_loss_percent": link.source_loss_percent,
        "target_loss_percent": link.target_loss_percent,
    }
    return {
        "source": link.source,
        "target": link.target,
        "cost": float(known) if known is not None else UNKNOWN_COST,
        "cost_text": f"{known} ms" if known is not None else "not measured yet",
        "properties": {name: value for name, value in measured.items() if value is not None},
    }

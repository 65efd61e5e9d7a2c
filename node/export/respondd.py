"""What a node tells collectors of respondd, the protocol in which Gluon's nodes describe themselves to maps such as those of
yanic and hopglass: the documents ``nodeinfo``, ``statistics`` and ``neighbours``.

No hardware address, contact, place or number of people is in them. Collectors know nodes and links by hardware addresses,
so a number made of the public node id stands in for one; every node computes the same for its neighbours.
"""

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any

from node.export.node_graph import GraphLink, NodeGraph
from node.machine_figures import MachineFigures
from node.units import NodeId

MESH = "procomu"
"""Name of the interface that stands for all connections to other nodes."""
QUALITY_MAX = 255
"""Of a link without loss, as batman-adv counts."""
_LOCAL, _GROUP = 0x02, 0x01
"""Bits of the first byte of a MAC address (IEEE 802): administered locally, and multicast."""

type Document = Mapping[str, Any]


def short_id(node: NodeId) -> str:
    """12 hexadecimal digits: the format of node ids there, and with colons the stand-in for a hardware address."""
    first, *rest = sha256(f"respondd {node}".encode()).digest()[:6]
    return bytes([(first | _LOCAL) & ~_GROUP, *rest]).hex()


def nodeinfo(graph: NodeGraph, figures: MachineFigures) -> Document:
    """The node itself: its name, addresses and software."""
    own = next(each for each in graph.nodes if each.node == graph.own)
    return {
        "node_id": short_id(graph.own),
        "hostname": own.name,
        "hardware": {"nproc": figures.processors},
        "network": {
            "mac": _stand_in(graph.own),
            "addresses": own.addresses,
            "mesh": {MESH: {"interfaces": {"other": [_stand_in(graph.own)]}}},
        },
        "software": {
            "firmware": {"base": "procomu", "release": own.version},
            "autoupdater": {"enabled": False, "branch": ""},
        },
        "system": {"site_code": graph.community},
    }


def statistics(graph: NodeGraph, figures: MachineFigures, time: datetime | None) -> Document:
    """How the machine is doing; `time` is None while the clock is not known."""
    said: dict[str, Any] = {"node_id": short_id(graph.own), "uptime": round(figures.uptime_s, 2)}
    if time is not None:
        said["time"] = int(time.timestamp())
    if figures.load is not None:
        said["loadavg"] = round(figures.load, 2)
    if figures.memory_kb:
        said["memory"] = dict(figures.memory_kb)
    if figures.root_used is not None:
        said["rootfs_usage"] = round(figures.root_used, 4)
    return said


def neighbours(graph: NodeGraph) -> Document:
    """The connections of this node, in the section of batman-adv, which every collector reads."""
    said = {
        _stand_in(other): {"tq": _quality(link, graph.own), "lastseen": 0.0, "best": False}
        for link in graph.links
        if (other := _other_end(link, graph.own))
    }
    return {
        "node_id": short_id(graph.own),
        "batadv": {_stand_in(graph.own): {"neighbours": said}} if said else {},
    }


def _stand_in(node: NodeId) -> str:
    return bytes.fromhex(short_id(node)).hex(":")


def _other_end(link: GraphLink, own: NodeId) -> NodeId | None:
    if own not in (link.source, link.target):
        return None
    return link.target if link.source == own else link.source


def _quality(link: GraphLink, own: NodeId) -> int:
    """Of what this node sends; the best while nothing was measured, because the connection works."""
    lost = link.source_loss_percent if link.source == own else link.target_loss_percent
    return QUALITY_MAX * (100 - (lost or 0)) // 100

"""CNML 0.1, the Community Network Markup Language of guifi.net (`cnml.dtd` of libcnml).

The format has places and hardware addresses, which no node says: each node is at 0, 0, and no address of hardware is in it.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from ipaddress import IPv4Address, ip_address
from xml.etree import ElementTree

from node.export.node_graph import GraphLink, GraphNode, NodeGraph
from node.units import NodeId

TIME = "%Y%m%d %H%M"
LONE_MASK = "255.255.255.255"
"""The format needs a mask, and no node says one."""
LINK_TYPE = "other"
"""As in the other formats: a connection may cross several radio links and cables."""
ID_MAX = 2**31 - 1
"""Ids are numbers, which programs keep in 32 bits."""
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, even escaped (section 2.2)."""


def cnml(graph: NodeGraph) -> str:
    """Nodes that are offline are ``Inactive``. A connection is in it if both of its ends say an IPv4 address, because the
    format knows no other."""
    ids = numbers_of(each.node for each in graph.nodes)
    addresses = {each.node: _ipv4(each) for each in graph.nodes}
    links = [each for each in graph.links if addresses[each.source] and addresses[each.target]]
    made = _time(graph.at)
    counted = {"nodes": len(graph.nodes), "devices": len(graph.nodes), "links": len(links)}
    root = _element(None, "cnml", version="0.1", server_id=1, server_url="", generated=made)
    _element(root, "class", network_description="detail", mapping="y")
    network = _element(root, "network", **counted, ap=0, client=0, services=0)
    zone = _element(
        network,
        "zone",
        id=number_of(graph.community),
        title=graph.community,
        created=made,
        zone_nodes=len(graph.nodes),
        box="0,0,0,0",
    )
    for node in graph.nodes:
        own = [each for each in links if node.node in (each.source, each.target)]
        _add_node(zone, node, addresses[node.node], own, ids)
    ElementTree.indent(root, " ")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def number_of(name: str) -> int:
    """A number for a name, the same on each node and at each time."""
    return int.from_bytes(sha256(name.encode()).digest()[:4], "big") % ID_MAX + 1


def numbers_of(nodes: Iterable[NodeId]) -> dict[NodeId, int]:
    """A number for each node, no two the same."""
    found: dict[NodeId, int] = {}
    taken = set[int]()
    for node in sorted(nodes):
        number = number_of(node)
        while number in taken:
            number = number % ID_MAX + 1
        found[node] = number
        taken.add(number)
    return found


def _add_node(
    zone: ElementTree.Element, node: GraphNode, ipv4: str, links: list[GraphLink], ids: Mapping[NodeId, int]
) -> None:
    number, said, status = ids[node.node], _time(node.said_at), "Working" if node.is_online else "Inactive"
    common: dict[str, object] = {"id": number, "title": node.name, "status": status, "created": said}
    # Number and name of the node stand for its only device, too, and for the only interface of that.
    place = _element(zone, "node", **common, lat="0.0", lon="0.0", devices=1, links=len(links))
    firmware = f"procomu {node.version}".strip()
    device = _element(
        place, "device", **common, name="procomu", firmware=firmware, type="generic", mainipv4=ipv4
    )
    if not ipv4:
        return
    interface = _element(device, "interface", id=number, ipv4=ipv4, mask=LONE_MASK, type="Lan")
    for link in links:
        other = ids[link.target if link.source == node.node else link.source]
        _element(
            interface,
            "link",
            id=number_of(f"{link.source} {link.target}"),
            linked_device_id=other,
            linked_interface_id=other,
            linked_node_id=other,
            link_type=LINK_TYPE,
            link_status="Working",
        )


def _ipv4(node: GraphNode) -> str:
    """The first of its addresses of this family; empty for none."""
    return next((each for each in node.addresses if isinstance(ip_address(each), IPv4Address)), "")


def _time(at: datetime | None) -> str:
    """The format needs one: the beginning of Unix time where none is known."""
    return (at or datetime.fromtimestamp(0, UTC)).astimezone(UTC).strftime(TIME)


def _element(parent: ElementTree.Element | None, tag: str, /, **attributes: object) -> ElementTree.Element:
    written = {key: _ILLEGAL.sub("\ufffd", str(value)) for key, value in attributes.items()}
    return (
        ElementTree.Element(tag, written) if parent is None else ElementTree.SubElement(parent, tag, written)
    )

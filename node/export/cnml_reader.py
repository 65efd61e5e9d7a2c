"""Reads CNML, as guifi.net publishes its zones: the nodes and links of another network, for the other formats."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv4Address
from typing import BinaryIO
from xml.parsers import expat

from mesh.announcement import Address
from mesh.node_kind import NodeFacts
from node.errors import NodeError
from node.export.node_graph import GraphLink, GraphNode, NodeGraph
from node.units import NodeId

FILE_BYTES_MAX = 256 * 1024 * 1024
"""All of guifi.net is about 100 MB."""
CHUNK_BYTES = 1024 * 1024
NAME_CHARS_MAX = 200
WORKING = "working"
"""Status of what is in use, in lower case."""


@dataclass(slots=True)
class _Place:
    """A node as read so far."""

    name: str
    is_working: bool
    addresses: dict[str, None] = field(default_factory=dict)


class _Zone:
    """Handles the elements of one file as they come."""

    def __init__(self) -> None:
        self.title = ""
        self.is_cnml = False
        self.nodes: dict[str, _Place] = {}
        self.ends: dict[str, dict[str, None]] = {}
        """Nodes at the ends of each link, by its id."""
        self._here = ""

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        match name:
            case "cnml":
                self.is_cnml = True
            case "zone":
                self.title = self.title or attributes.get("title", "")[:NAME_CHARS_MAX]
            case "node":
                self._start_node(attributes)
            case "interface":
                self._start_interface(attributes.get("ipv4", ""))
            case "link":
                self._start_link(attributes)

    def _start_node(self, attributes: Mapping[str, str]) -> None:
        self._here = attributes.get("id", "")
        if self._here:
            name = attributes.get("title", "")[:NAME_CHARS_MAX]
            is_working = attributes.get("status", "").lower() == WORKING
            self.nodes.setdefault(self._here, _Place(name, is_working))

    def _start_interface(self, ipv4: str) -> None:
        with suppress(ValueError):
            if self._here:
                self.nodes[self._here].addresses[str(IPv4Address(ipv4))] = None

    def _start_link(self, attributes: Mapping[str, str]) -> None:
        number, other = attributes.get("id", ""), attributes.get("linked_node_id", "")
        if number and other and self._here and attributes.get("link_status", "").lower() == WORKING:
            self.ends.setdefault(number, {}).update({self._here: None, other: None})


def read_cnml(file: BinaryIO, at: datetime) -> NodeGraph:
    """The nodes of the file, and the working links between two of them; what is missing or odd in it is left out, as guifi's
    own files have both. `own` of the graph is empty. Raises NodeError for a file that is no CNML, or too large."""
    zone = _Zone()
    parser = expat.ParserCreate()
    parser.StartElementHandler = zone.start
    parser.EntityDeclHandler = _refuse
    read = 0
    try:
        while chunk := file.read(CHUNK_BYTES):
            read += len(chunk)
            if read > FILE_BYTES_MAX:
                raise NodeError(f"the file is larger than {FILE_BYTES_MAX:,} bytes", "export a smaller zone")
            parser.Parse(chunk, False)
        parser.Parse(b"", True)
    except (
        expat.ExpatError,
        ValueError,
        LookupError,
    ) as error:  # the last two: encodings that are none, or not read
        raise NodeError(f"the file is no XML: {error}", "download it again") from error
    if not zone.is_cnml:
        raise NodeError("the file is XML, but no CNML", "export the zone in CNML, in detail")
    return _graph(zone, at)


def _refuse(*_declaration: object) -> None:
    raise NodeError("the file declares entities, which CNML does not have", "download it again")


def _graph(zone: _Zone, at: datetime) -> NodeGraph:
    nodes = tuple(_node(number, place) for number, place in sorted(zone.nodes.items()))
    pairs = {
        tuple(sorted(ends))
        for ends in zone.ends.values()
        if len(ends) == 2 and ends.keys() <= zone.nodes.keys()
    }
    links = tuple(GraphLink(NodeId(left), NodeId(right), None, None, None) for left, right in sorted(pairs))
    return NodeGraph(zone.title, NodeId(""), nodes, links, at)


def _node(number: str, place: _Place) -> GraphNode:
    facts = NodeFacts(place.name, addresses=tuple(Address(host, 0) for host in place.addresses))
    return GraphNode(NodeId(number), place.name or number, place.is_working, facts)

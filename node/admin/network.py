"""The network: all nodes of the community as this node knows them now, drawn and as tables, and for other programs."""

import io
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mesh.summary_exchange import HeardSummary
from node.admin.fields import ListPage, paginate
from node.admin.graph_drawing import GATEWAYS_DRAWN_MAX, Drawing, drawing_of
from node.admin.node_summaries import BAR_HEIGHT, PICTURE_WIDTH, SummaryLine, summary_line
from node.admin.routes import (
    AdminDownload,
    AdminRedirect,
    AdminRequest,
    AdminResponse,
    PageLayout,
    Route,
    number_in,
    page_layout,
)
from node.app.admin import AdminService
from node.app.network_digest import digest_of
from node.export.formats import FORMATS
from node.export.node_graph import GraphGateway, GraphLink, GraphNode, NodeGraph
from node.translator import gettext_lazy, isolated, number_lazy
from node.units import NodeId

UPLINK_WORDS = {"up": gettext_lazy("reaches the Internet"), "down": gettext_lazy("is down")}
NOTHING_HEARD: Mapping[NodeId, HeardSummary] = MappingProxyType({})
FILE_NAMES = {name: f"/network/{name}.{each.suffix}" for name, each in FORMATS.items()}


@dataclass(frozen=True, slots=True)
class NetworkNode:
    """One node in the table."""

    name: str
    is_online: bool
    is_own: bool
    line: str
    """Of its uplink: whether it reaches the Internet; empty while that is not known, as of a node that is offline."""
    version: str
    load: str
    """Empty as `line` is."""
    links: int


@dataclass(frozen=True, slots=True)
class NetworkLink:
    """One connection in the table."""

    names: tuple[str, str]
    round_trip: str
    lost: str
    """Empty while not measured, as `round_trip`."""
    is_poor: bool


@dataclass(frozen=True, slots=True)
class NetworkPage:
    """What is known of all nodes."""

    template = "network.html"
    frame: PageLayout
    digest: tuple[str, ...]
    """What needs a person, as `digest_of`."""
    drawing: Drawing
    online: int
    nodes: ListPage[NetworkNode]
    links: ListPage[NetworkLink]
    summaries: tuple[SummaryLine, ...] = ()
    """Of the nodes on this page of the list that are online."""
    files: tuple[str, ...] = tuple(FILE_NAMES.values())
    hour_picture: tuple[int, int] = PICTURE_WIDTH, BAR_HEIGHT
    gateways: tuple[GraphGateway, ...] = ()
    """Of this node."""
    gateways_shown: int = GATEWAYS_DRAWN_MAX


class NetworkViews:
    """Views for the graph of the nodes."""

    def __init__(self, backend: AdminService) -> None:
        self._backend = backend

    def routes(self) -> tuple[Route, ...]:
        return (
            Route("GET", "/network", self._show),
            *(Route("GET", path, self._download) for path in FILE_NAMES.values()),
        )

    async def _show(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        graph = self._backend.graph()
        shown = paginate(in_order(graph), number_in(request.query, "page"), "/network").rows
        heard = await self._backend.summaries.of(each.node for each in shown if each.is_online)
        layout = page_layout(request, self._backend.site(), "/nodes")
        return AdminResponse(network_page(graph, layout, request, heard), is_heavy=True)

    async def _download(self, request: AdminRequest) -> AdminDownload:
        name = next(name for name, path in FILE_NAMES.items() if path == request.path)
        written = FORMATS[name]
        document = written.write(self._backend.graph())
        return AdminDownload(f"{name}.{written.suffix}", io.BytesIO(document.encode()), written.media_type)


def in_order(graph: NodeGraph) -> list[GraphNode]:
    """This node, those that are offline, and the others."""
    return sorted(
        graph.nodes, key=lambda each: (each.node != graph.own, each.is_online, each.name, each.node)
    )


def network_page(
    graph: NodeGraph,
    layout: PageLayout,
    request: AdminRequest,
    heard: Mapping[NodeId, HeardSummary] = NOTHING_HEARD,
) -> NetworkPage:
    names = {each.node: each.name for each in graph.nodes}
    counts = Counter(node for link in graph.links for node in (link.source, link.target))
    nodes = paginate(in_order(graph), number_in(request.query, "page"), "/network")
    links = sorted(graph.links, key=lambda each: (not each.is_poor, names[each.source], names[each.target]))
    return NetworkPage(
        layout,
        digest_of(graph, isolated),
        drawing_of(graph),
        sum(each.is_online for each in graph.nodes),
        nodes.turned(lambda each: network_node(each, is_own=each.node == graph.own, links=counts[each.node])),
        paginate(links, number_in(request.query, "links"), "/network", name="links").turned(
            lambda each: network_link(each, (names[each.source], names[each.target]))
        ),
        tuple(
            summary_line(each, heard.get(each.node), is_own=each.node == graph.own)
            for each in nodes.rows
            if each.is_online and heard
        ),
        gateways=graph.gateways,
    )


def network_node(node: GraphNode, *, is_own: bool, links: int) -> NetworkNode:
    facts = node.facts if node.is_online else None
    uplink = facts.uplink if facts is not None else None
    load = facts.load_percent if facts is not None else None
    return NetworkNode(
        name=node.name,
        is_online=node.is_online,
        is_own=is_own,
        line=UPLINK_WORDS[uplink[1]] if uplink is not None else "",
        version=node.version,
        load=_percent(load),
        links=links,
    )


def network_link(link: GraphLink, names: tuple[str, str]) -> NetworkLink:
    round_trip = link.round_trip_ms
    return NetworkLink(
        names,
        "" if round_trip is None else gettext_lazy("{number} ms", number=number_lazy(round_trip)),
        _percent(link.loss_percent),
        link.is_poor,
    )


def _percent(value: int | None) -> str:
    return "" if value is None else gettext_lazy("{number} %", number=number_lazy(value))

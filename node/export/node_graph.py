"""The graph of the community's nodes, from what they say of themselves in their node pages and from this node's own
connections.

Nobody types a state and no date decides one: a node is online if this node is connected to it, directly or through others
that are online. A node that is gone is on no page of a node that is online, because the neighbours of each publish a page
without it; so a whole valley that lost its power is offline, though its last pages still name each other.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from mesh.callable_address import holds_hardware_address
from mesh.node_kind import NodeFacts, NodeLink
from node.accounting.link_days import LinkUse
from node.identity import human_form
from node.units import NodeId

POOR_LOSS_PERCENT = 10


@dataclass(frozen=True, slots=True)
class GraphNode:
    """One node of the community."""

    node: NodeId
    name: str
    is_online: bool
    facts: NodeFacts | None = None
    """None without a page that can be read, as of a node of an earlier version."""

    @property
    def addresses(self) -> list[str]:
        """Those that it names, without ports; none that holds a hardware address, whatever the page says."""
        named = self.facts.addresses if self.facts is not None else ()
        return list(dict.fromkeys(each.host for each in named if not holds_hardware_address(each)))

    @property
    def has_uplink(self) -> bool:
        """Whether it is online and says that its line reaches the Internet."""
        uplink = self.facts.uplink if self.facts is not None and self.is_online else None
        return uplink is not None and uplink[1] == "up"

    @property
    def version(self) -> str:
        return self.facts.version if self.facts is not None else ""

    @property
    def said_at(self) -> datetime | None:
        """When it published its page, as it says; None if it does not."""
        if self.facts is None or not self.facts.made_s:
            return None
        try:
            return datetime.fromtimestamp(self.facts.made_s, UTC)
        except (OverflowError, ValueError, OSError):
            return None


@dataclass(frozen=True, slots=True)
class GraphLink:
    """A connection between two nodes; `source` has the smaller id. What is not known is None."""

    source: NodeId
    target: NodeId
    round_trip_ms: int | None
    """The greater of what both ends say."""
    source_loss_percent: int | None
    """Of what the source sends."""
    target_loss_percent: int | None

    @property
    def loss_percent(self) -> int | None:
        """The greater of both directions; None while neither was measured."""
        measured = [each for each in (self.source_loss_percent, self.target_loss_percent) if each is not None]
        return max(measured, default=None)

    @property
    def is_poor(self) -> bool:
        """Whether at least POOR_LOSS_PERCENT of what one end sends is lost."""
        return (self.loss_percent or 0) >= POOR_LOSS_PERCENT


@dataclass(frozen=True, slots=True)
class GraphGateway:
    """A gateway of this node: a router behind it that has a captive portal program."""

    id: str
    name: str
    is_silent: bool
    people: int | None
    """None while it is silent, so that nobody knows."""


@dataclass(frozen=True, slots=True)
class NodeGraph:
    """Nodes and links, each sorted by id."""

    community: str
    own: NodeId
    nodes: tuple[GraphNode, ...]
    links: tuple[GraphLink, ...]
    at: datetime
    """With its offset from UTC."""
    gateways: tuple[GraphGateway, ...] = ()
    """Of this node, by name."""
    uses: tuple[LinkUse, ...] = ()
    """Of this node's links that are counted."""


def node_graph_of(
    *,
    community: str,
    own: NodeId,
    names: Mapping[NodeId, str],
    pages: Mapping[NodeId, NodeFacts],
    members: Collection[NodeId],
    connected: Collection[NodeId],
    at: datetime,
) -> NodeGraph:
    """`names`: of nodes without a page; `connected`: nodes that this one is connected to now."""
    here = {own, *members}
    said = {
        node: {link.node: link for link in facts.links if link.node in here and link.node != node}
        for node, facts in pages.items()
        if node in here
    }
    said[own] = {
        node: said.get(own, {}).get(node, NodeLink(node)) for node in connected if node in here - {own}
    }
    pairs = set(_pairs(own, said))
    online = _reached(own, pairs)
    nodes = (_node(node, names, pages.get(node), is_online=node in online) for node in sorted(here))
    return NodeGraph(community, own, tuple(nodes), tuple(_link(*pair, said) for pair in sorted(pairs)), at)


def _pairs(own: NodeId, said: Mapping[NodeId, Mapping[NodeId, NodeLink]]) -> Iterator[tuple[NodeId, NodeId]]:
    """Links that both ends say, so that no node can draw one alone; one end is enough where the other has no page, and this
    node knows its own."""
    for node, links in said.items():
        for other in links:
            if own in (node, other):
                is_link = other in said[own] or node in said[own]
            else:
                is_link = other not in said or node in said[other]
            if is_link:
                yield min(node, other), max(node, other)


def adjacent(pairs: Iterable[tuple[NodeId, NodeId]]) -> dict[NodeId, list[NodeId]]:
    """The other ends of the links of each node that has some."""
    found: dict[NodeId, list[NodeId]] = {}
    for left, right in pairs:
        found.setdefault(left, []).append(right)
        found.setdefault(right, []).append(left)
    return found


def _reached(own: NodeId, pairs: Collection[tuple[NodeId, NodeId]]) -> set[NodeId]:
    beside = adjacent(pairs)
    found, waiting = {own}, [own]
    while waiting:
        fresh = set(beside.get(waiting.pop(), ())) - found
        found |= fresh
        waiting += fresh
    return found


def _node(
    node: NodeId, names: Mapping[NodeId, str], facts: NodeFacts | None, *, is_online: bool
) -> GraphNode:
    name = facts.name if facts is not None else names.get(node, "")
    return GraphNode(node, name or human_form(node), is_online, facts)


def _link(source: NodeId, target: NodeId, said: Mapping[NodeId, Mapping[NodeId, NodeLink]]) -> GraphLink:
    forth, back = said.get(source, {}).get(target), said.get(target, {}).get(source)
    times = [each.round_trip_ms for each in (forth, back) if each is not None]
    return GraphLink(
        source,
        target,
        max((each for each in times if each is not None), default=None),
        forth.loss_percent if forth is not None else None,
        back.loss_percent if back is not None else None,
    )

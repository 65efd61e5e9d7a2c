"""The graph of the community's nodes as this one knows it now, and its export for programs that draw networks."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from mesh.node_kind import NodeFacts
from mesh.ports import PeerView
from node.accounting.link_days import LinkUse
from node.app.node_summaries import AskedNodes, NodeSummaries, said_of
from node.config import NodeConfig
from node.console import Answer
from node.errors import NodeError
from node.export.formats import FORMATS
from node.export.node_graph import GraphGateway, NodeGraph, node_graph_of
from node.units import NodeId

_CONNECTED = "trusted"
"""State of a neighbour that this node is connected to."""


class NodeGraphService:
    """`pages`: what nodes say of themselves; `civil`: the local time, with its offset from UTC."""

    def __init__(
        self,
        config: NodeConfig,
        own: NodeId,
        *,
        members: Callable[[], Collection[NodeId]],
        peers: Callable[[], tuple[PeerView, ...]],
        pages: Callable[[], Mapping[NodeId, NodeFacts]],
        summaries: AskedNodes | None = None,
        civil: Callable[[], datetime],
        gateways: Callable[[], tuple[GraphGateway, ...]] = tuple,
        uses: Callable[[], tuple[LinkUse, ...]] = tuple,
    ) -> None:
        self._config, self._own = config, own
        self._members, self._peers, self._pages, self._civil = members, peers, pages, civil
        self.summaries = NodeSummaries(summaries)
        self._gateways, self._uses = gateways, uses

    def now(self) -> NodeGraph:
        peers = self._peers()
        graph = node_graph_of(
            community=self._config.community.name,
            own=self._own,
            names={**{peer.node: peer.name for peer in peers}, self._own: self._config.node.name},
            pages=self._pages(),
            members=self._members(),
            connected={peer.node for peer in peers if peer.state == _CONNECTED},
            at=self._civil(),
        )
        return replace(graph, gateways=self._gateways(), uses=self._uses())

    def all(self) -> Mapping[str, Answer]:
        """Its queries on the control socket."""
        return {"export": self.export, "network": self.network}

    async def network(self, _question: dict[str, Any]) -> Mapping[str, Any]:
        """Every node, with what those that are online were like in their last five minutes."""
        graph = self.now()
        heard = await self.summaries.of(each.node for each in graph.nodes if each.is_online)
        return {"nodes": [said_of(each, heard.get(each.node), graph.own) for each in graph.nodes]}

    def export(self, question: dict[str, Any]) -> Mapping[str, Any]:
        """The graph in the format that the query names."""
        written = FORMATS.get(str(question.get("format")))
        if written is None:
            raise NodeError("there is no such format of the network", f"use {' or '.join(FORMATS)}")
        return {"document": written.write(self.now())}

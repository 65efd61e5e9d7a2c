"""What all nodes of the community were like in their last five minutes, for people who look at them."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any, Protocol

from mesh.summary_exchange import HeardSummary
from node.export.node_graph import GraphNode
from node.units import NodeId

PATIENCE_S = 2.0
"""How long somebody who looks waits for answers; later ones are there when they look again."""


class AskedNodes(Protocol):
    """The nodes, over the mesh; a method never waits."""

    on_summary: Callable[[], None]
    """Called when an answer came."""

    def ask_summaries(self, nodes: Iterable[NodeId]) -> frozenset[NodeId]: ...

    def summaries(self) -> Mapping[NodeId, HeardSummary]: ...


class NodeSummaries:
    """`mesh`: None for a node without one, which knows nothing of others."""

    def __init__(self, mesh: AskedNodes | None = None) -> None:
        self._mesh, self._waiting = mesh, set[asyncio.Event]()
        if mesh is not None:
            mesh.on_summary = self._wake

    async def of(self, nodes: Iterable[NodeId]) -> Mapping[NodeId, HeardSummary]:
        """Of these, as far as they answered by now. Waits only for those that were not asked a moment ago."""
        wanted, mesh = frozenset(nodes), self._mesh
        if mesh is None:
            return {}
        before = mesh.summaries()
        asked = mesh.ask_summaries(wanted)
        woken = asyncio.Event()
        self._waiting.add(woken)
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not _have_answered(asked, before, mesh.summaries()):
                    await woken.wait()
                    woken.clear()
        except TimeoutError:
            pass  # what there is now is shown
        finally:
            self._waiting.discard(woken)
        return {node: heard for node, heard in mesh.summaries().items() if node in wanted}

    def _wake(self) -> None:
        for each in self._waiting:
            each.set()


def _have_answered(
    asked: Iterable[NodeId], before: Mapping[NodeId, HeardSummary], now: Mapping[NodeId, HeardSummary]
) -> bool:
    return all(
        node in now and (node not in before or now[node].summary != before[node].summary) for node in asked
    )


def said_of(node: GraphNode, heard: HeardSummary | None, own: NodeId) -> dict[str, Any]:
    """One node, for the control socket: without a summary if none came."""
    said: dict[str, Any] = {
        "node": node.node,
        "name": node.name,
        "online": node.is_online,
        "own": node.node == own,
    }
    if heard is not None:
        hour = list(heard.summary.hour_percent)
        said |= {"age_s": heard.age_s, **asdict(heard.summary.values), "hour_percent": hour}
    return said

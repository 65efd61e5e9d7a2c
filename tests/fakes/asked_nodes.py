"""Nodes that answer at once what a test made up."""

from collections.abc import Callable, Iterable, Mapping

from mesh.node_summary import NodeSummary, SummaryValues
from mesh.summary_exchange import HeardSummary
from node.units import NodeId


def a_summary(node: NodeId, *, age_s: int = 40, devices: int = 25, used: int | None = 40) -> HeardSummary:
    """Of a node with a line of 20 and 5 Mbit/s."""
    values = SummaryValues(devices, 10, 3, 2, used, used, 20_000, 5_000, 20, 1, 99, 12, 45, 3_300)
    hour = (None, None, 0, 5, 10, 20, 40, 80, 100, 60, 30, 25) if devices else (None,) * 12
    return HeardSummary(NodeSummary(node, values, hour, 1_795_600_000), age_s)


class AskedVillage:
    """`answers`: those that answer; with `is_slow` they do later."""

    def __init__(self) -> None:
        self.answers: dict[NodeId, HeardSummary] = {}
        self.heard: dict[NodeId, HeardSummary] = {}
        self.asked: list[NodeId] = []
        self.is_slow = False
        self.on_summary: Callable[[], None] = lambda: None

    def ask_summaries(self, nodes: Iterable[NodeId]) -> frozenset[NodeId]:
        new = frozenset(nodes) - self.heard.keys()
        self.asked += sorted(new)
        if not self.is_slow:
            self.answer()
        return new

    def answer(self) -> None:
        self.heard |= {node: heard for node, heard in self.answers.items() if node in self.asked}
        self.on_summary()

    def summaries(self) -> Mapping[NodeId, HeardSummary]:
        return dict(self.heard)

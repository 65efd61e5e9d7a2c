"""What this node answers to respondd collectors, from the graph of nodes that it knows and from its machine."""

from collections.abc import Callable
from functools import partial

from node.control.ports import Clock
from node.export.node_graph import NodeGraph
from node.export.respondd import Document, neighbours, nodeinfo, statistics
from node.export.respondd_answers import RespondedAnswers
from node.machine_figures import MachineFigures


def respondd_answers(
    graph: Callable[[], NodeGraph], figures: Callable[[], MachineFigures], clock: Clock
) -> RespondedAnswers:
    return RespondedAnswers(
        {
            "nodeinfo": lambda: nodeinfo(graph(), figures()),
            "statistics": partial(_statistics, graph, figures, clock),
            "neighbours": lambda: neighbours(graph()),
        }
    )


def _statistics(
    graph: Callable[[], NodeGraph], figures: Callable[[], MachineFigures], clock: Clock
) -> Document:
    return statistics(graph(), figures(), None if clock.state() == "unknown" else clock.civil())

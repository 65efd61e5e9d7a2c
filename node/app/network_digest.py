"""What in the network needs a person, in one list: from what the nodes say of themselves and of their links."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from node.export.node_graph import GraphNode, NodeGraph
from node.translator import gettext_lazy, ngettext_lazy, number_lazy
from node.units import NodeId

BUSY_PERCENT = 100
"""Load of its processors from which on a node is named."""
NAMED_MAX = 5
"""Nodes named in one line; of more, only the number is said."""
LINES_MAX = 30


def digest_of(graph: NodeGraph, shown: Callable[[str], str] = str) -> tuple[str, ...]:
    """One line for each thing, the most urgent first; empty if nothing needs a person. What this node needs itself is in its
    status. `shown`: how the name of a node is written."""
    names = {each.node: shown(each.name) for each in graph.nodes}
    others = [replace(each, name=names[each.node]) for each in graph.nodes if each.node != graph.own]
    lines = [
        *_offline(others),
        *(line for each in others for line in _of_node(each)),
        *_of_pages(graph, names),
        *_of_links(graph, names),
    ]
    left = len(lines) - LINES_MAX
    if left > 0:
        more = ngettext_lazy("And {number} more, in the tables.", "And {number} more, in the tables.", left)
        return (*lines[:LINES_MAX], more)
    return tuple(lines)


def _offline(others: list[GraphNode]) -> Iterator[str]:
    gone = [each.name for each in others if not each.is_online]
    if len(gone) > NAMED_MAX:
        yield gettext_lazy(
            "{number} of the {all} other nodes are offline: {names} and more.",
            number=len(gone),
            all=len(others),
            names=", ".join(gone[:NAMED_MAX]),
        )
    else:
        yield from (gettext_lazy("{node} is offline.", node=name) for name in gone)


def _of_node(node: GraphNode) -> Iterator[str]:
    facts = node.facts
    if facts is None or not node.is_online:
        return
    if facts.uplink is not None and facts.uplink[1] == "down":
        yield gettext_lazy("{node} does not reach the Internet by its own line.", node=node.name)
    if facts.attention:
        yield ngettext_lazy(
            "{node} has a warning: look at its own pages, or run procomu status there.",
            "{node} has {number} warnings: look at its own pages, or run procomu status there.",
            facts.attention,
            node=node.name,
        )
    if facts.load_percent is not None and facts.load_percent >= BUSY_PERCENT:
        yield gettext_lazy(
            "{node} is busy: {percent} % of its processors.",
            node=node.name,
            percent=number_lazy(facts.load_percent),
        )


def _of_pages(graph: NodeGraph, names: Mapping[NodeId, str]) -> Iterator[str]:
    """Not of a node that has left: nobody can answer for it."""
    for use in graph.uses:
        if use.verdict == "more" and use.node in names:
            yield gettext_lazy(
                "{node} says that more was downloaded there on {day} than this node sent to it: look at the page Nodes.",
                node=names[use.node],
                day=use.worst_day,
            )


def _of_links(graph: NodeGraph, names: Mapping[NodeId, str]) -> Iterator[str]:
    for link in graph.links:
        if link.is_poor:
            yield gettext_lazy(
                "Much is lost between {one} and {other}: {percent} %.",
                one=names[link.source],
                other=names[link.target],
                percent=link.loss_percent,
            )

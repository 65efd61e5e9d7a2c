"""The names of the community's nodes, as far as this one knows them."""

from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache

from mesh.node_kind import NodeFacts
from mesh.ports import PeerView
from node.characters import hidden_character, mixed_scripts, plain
from node.identity import human_form
from node.units import NodeId

_PROVED = {"trusted", "silent"}
"""States of neighbours that proved their key, now or before."""


def name_of_node(node: NodeId, peers: Iterable[PeerView], pages: Mapping[NodeId, NodeFacts]) -> str:
    """The name of one node, or its key in the form that people compare, while its name is not known."""
    facts = pages.get(node)
    if facts is not None:
        return facts.name
    names = (peer.name for peer in peers if peer.node == node and peer.name and peer.state in _PROVED)
    return next(names, "") or human_form(node)


def distinct_name(node: NodeId, name: str, others: Iterable[str]) -> str:
    """The name for people who have to know whose words they read: with the key in the form that people compare, if the name
    is also in `others`, the names of other nodes, or looks like another one."""
    plain_name = _plain(name)
    is_clear = hidden_character(name) is None and not mixed_scripts(name) and plain_name
    if is_clear and all(_plain(each) != plain_name for each in others):
        return name
    return f"{human_form(node)} ({name})"  # the key first: a long name may be cut


@lru_cache(maxsize=2_048)
def _plain(name: str) -> str:
    return plain(name)


def node_names(
    own: str, others: Collection[NodeId], peers: Iterable[PeerView], pages: Mapping[NodeId, NodeFacts]
) -> frozenset[str]:
    """The names of all nodes, from what neighbours said and the node pages of the others; empty while the name of one of
    `others`, the community's other nodes, is not known: it could have any."""
    names = {node: facts.name for node, facts in pages.items()}
    names |= {peer.node: peer.name for peer in peers if peer.name and peer.state in _PROVED}
    if any(node not in names for node in others):
        return frozenset()
    return frozenset({own, *(names[node] for node in others)})

"""Over which neighbour each node of the community is reached by the fewest connections, as node pages name them."""

from collections import deque
from collections.abc import Collection, Iterable, Mapping

from node.units import NodeId


def first_hops(
    own: NodeId, neighbours: Iterable[NodeId], said: Mapping[NodeId, Collection[NodeId]]
) -> Mapping[NodeId, NodeId]:
    """The neighbour that leads to each node that can be reached. `said`: the connections on the page of each node; one
    counts if both ends name it, as in `link_graph`."""
    beside = sorted(set(neighbours) - {own})
    found = {node: node for node in beside}
    waiting = deque(beside)
    while waiting:
        node = waiting.popleft()
        for other in sorted(said.get(node, ())):
            if other != own and other not in found and node in said.get(other, ()):
                found[other] = found[node]
                waiting.append(other)
    return found

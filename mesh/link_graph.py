"""Which nodes reach each other without this one, by the connections that node pages name.

Where not all nodes see each other, as with radios, nodes that choose at most LINKS_MAX of those they see may all choose
nodes of their own neighbourhood. A node that knows which neighbours it reaches in no other way keeps one connection to
each such group.
"""

from collections.abc import Collection, Mapping

from node.units import NodeId

type Groups = Mapping[NodeId, NodeId]
"""The least id of the group of each node."""


def groups_without(own: NodeId, said: Mapping[NodeId, Collection[NodeId]]) -> Groups:
    """`said`: the connections on the page of each node. One counts if both ends name it: the last pages of a part that is
    cut off name some that are gone."""
    leader = {node: node for node in said if node != own}

    def find(node: NodeId) -> NodeId:
        while leader[node] != node:
            leader[node] = leader[leader[node]]
            node = leader[node]
        return node

    for node, others in said.items():
        for other in others:
            if node < other and node in leader and other in leader and node in said[other]:
                one, two = find(node), find(other)
                leader[max(one, two)] = min(one, two)
    return {node: find(node) for node in leader}

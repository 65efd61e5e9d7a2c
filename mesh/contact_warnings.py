"""What prevents contact with other nodes, in words for the operator."""

from collections.abc import Iterable, Iterator, Mapping

from mesh.announcement import Address, ConfiguredPeer
from mesh.directory import Peer
from node.identity import human_form
from node.units import NodeId


def contact_warnings(
    configured: Iterable[ConfiguredPeer], wrong: Mapping[Address, NodeId], peers: Iterable[Peer]
) -> Iterator[str]:
    """`wrong`: the nodes that answered at addresses where others are expected."""
    for each in configured:
        if each.address in wrong:
            other = human_form(wrong[each.address])
            yield f"at {each.address} is node {other}: correct the id in mesh.peers if it is the right one"
    for peer in peers:
        shown = peer.name or human_form(peer.node)
        if peer.refused_us and peer.listed:
            yield f"{shown} does not know this node's key: put it on the list there"
        if peer.other_community:
            yield f"{shown} serves another community: the community id differs"

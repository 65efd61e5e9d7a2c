"""What prevents contact with other nodes, in words for the operator."""

from collections.abc import Iterable, Iterator, Mapping

from mesh.announcement import Address, ConfiguredPeer
from mesh.directory import Peer
from node.identity import human_form
from node.translator import gettext_lazy
from node.units import NodeId


def contact_warnings(
    configured: Iterable[ConfiguredPeer], wrong: Mapping[Address, NodeId], peers: Iterable[Peer]
) -> Iterator[str]:
    """`wrong`: the nodes that answered at addresses where others are expected."""
    for each in configured:
        if each.address in wrong:
            other = human_form(wrong[each.address])
            yield gettext_lazy(
                "at {address} is node {node}: correct the id in mesh.peers if it is the right one",
                address=str(each.address),
                node=other,
            )
    for peer in peers:
        shown = peer.name or human_form(peer.node)
        if peer.refused_us and peer.listed:
            yield gettext_lazy("{node} does not know this node's key: put it on the list there", node=shown)
        if peer.other_community:
            yield gettext_lazy("{node} serves another community: the community id differs", node=shown)

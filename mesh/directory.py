"""The neighbours that this node knows of: each with its life, its name and where it was met."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from mesh.addresses import Address
from mesh.peering import (
    Effect,
    Event,
    Forget,
    Listed,
    Sighted,
    State,
    Ticked,
    Trusted,
    name_of,
    never_met,
    step,
)
from mesh.ports import PeerView
from node.units import Monotonic, NodeId

PEERS_MAX = 512
ADDRESSES_MAX = 4


@dataclass(slots=True)
class Peer:
    """One neighbour."""

    node: NodeId
    state: State
    name: str = ""
    addresses: list[Address] = field(default_factory=list)
    """Where it may be dialled, the one that worked or was named last first."""
    met_at: str = ""
    """Where its last proven connection came from or went to."""
    boot: str = ""
    heard: Monotonic | None = None
    refused_us: bool = False
    other_community: bool = False
    listed: bool = False


class Directory:
    """All neighbours; steps their lives and never holds more than PEERS_MAX of them."""

    def __init__(self) -> None:
        self._peers: dict[NodeId, Peer] = {}

    def __iter__(self) -> Iterator[Peer]:
        return iter(tuple(self._peers.values()))

    def find(self, node: NodeId) -> Peer | None:
        return self._peers.get(node)

    def meet(self, node: NodeId, now: Monotonic) -> Peer:
        """The neighbour of this id, made when it is new; the stalest untrusted one makes room, one
        that is not on the list before one that is."""
        peer = self._peers.get(node)
        if peer is None:
            if len(self._peers) >= PEERS_MAX:
                untrusted = [p for p in self._peers.values() if not isinstance(p.state, Trusted)]
                stalest = min(untrusted or self._peers.values(), key=lambda p: (p.listed, p.heard or 0))
                del self._peers[stalest.node]
            peer = self._peers[node] = Peer(node, never_met(now))
        return peer

    def handle(self, node: NodeId, event: Event, now: Monotonic) -> tuple[Effect, ...]:
        """Step one neighbour's life; what is left to do is the caller's."""
        peer = self.meet(node, now)
        peer.state, effects = step(peer.state, event, now)
        if isinstance(peer.state, Trusted):
            peer.heard = peer.state.heard
        if Forget() in effects:
            del self._peers[node]
        return effects

    def sight(self, node: NodeId, address: Address, now: Monotonic) -> tuple[Effect, ...]:
        """Somebody names an address of a node, without proof."""
        peer = self.meet(node, now)
        if address not in peer.addresses:
            # A lie about a member must not push out the address that works: new ones go last.
            peer.addresses = [*peer.addresses[: ADDRESSES_MAX - 1], address]
        return self.handle(node, Sighted(), now)

    def worked(self, node: NodeId, address: Address) -> None:
        """A dial proved the node's key there: try this address first next time."""
        peer = self._peers.get(node)
        if peer is not None:
            others = [known for known in peer.addresses if known != address]
            peer.addresses = [address, *others][:ADDRESSES_MAX]

    def failed(self, node: NodeId, address: Address) -> None:
        """Nobody or another node answered there."""
        peer = self._peers.get(node)
        if peer is not None and len(peer.addresses) > 1 and address in peer.addresses:
            peer.addresses.remove(address)
            peer.addresses.append(address)

    def tick(self, roster: frozenset[NodeId], now: Monotonic) -> list[tuple[NodeId, tuple[Effect, ...]]]:
        """Let time and the community's list act on everybody."""
        done = []
        for peer in self:
            effects: tuple[Effect, ...] = ()
            member = peer.node in roster
            if member != peer.listed:
                peer.listed = member
                effects = self.handle(peer.node, Listed(member), now)
            if peer.node in self._peers:
                effects += self.handle(peer.node, Ticked(), now)
            if effects:
                done.append((peer.node, effects))
        return done

    def views(self, now: Monotonic) -> tuple[PeerView, ...]:
        """For status pages, in order of name and id."""
        return tuple(_view(peer, now) for peer in sorted(self, key=lambda peer: (peer.name, peer.node)))


def _view(peer: Peer, now: Monotonic) -> PeerView:
    met = [peer.met_at] if peer.met_at else []
    addresses = dict.fromkeys([*met, *map(str, peer.addresses)])
    ago = None if peer.heard is None else max(0, now - peer.heard) // 1000
    return PeerView(peer.node, peer.name, name_of(peer.state), tuple(addresses), ago)

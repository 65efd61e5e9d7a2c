"""The neighbours known to this node, with their state, name and addresses."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from mesh.announcement import Address
from mesh.link_selection import KnownNode
from mesh.peering import (
    Effect,
    Event,
    Forget,
    Listed,
    Sighted,
    State,
    Stranger,
    Ticked,
    Trusted,
    name_of,
    never_met,
    step,
)
from mesh.ports import PeerView
from node.units import Microseconds, Monotonic, NodeId

PEERS_MAX = 512
ADDRESSES_MAX = 4


@dataclass(slots=True)
class Peer:
    """One neighbour."""

    node: NodeId
    state: State
    name: str = ""
    addresses: list[Address] = field(default_factory=list)
    """Addresses to dial; the one that worked or was reported last comes first."""
    met_at: str = ""
    """Remote address of its last authenticated connection."""
    boot: str = ""
    heard: Monotonic | None = None
    round_trip: Microseconds | None = None
    """As it was measured last."""
    refused_us: bool = False
    other_community: bool = False
    listed: bool = False


class Directory:
    """All neighbours, at most PEERS_MAX; applies events to their states."""

    def __init__(self) -> None:
        self._peers: dict[NodeId, Peer] = {}

    def __iter__(self) -> Iterator[Peer]:
        return iter(tuple(self._peers.values()))

    def find(self, node: NodeId) -> Peer | None:
        return self._peers.get(node)

    def meet(self, node: NodeId, now: Monotonic) -> Peer:
        """The neighbour with this id, created if new. When the table is full, the untrusted one not heard for longest
        is evicted, nodes outside the roster first."""
        peer = self._peers.get(node)
        if peer is None:
            if len(self._peers) >= PEERS_MAX:
                untrusted = [p for p in self._peers.values() if not isinstance(p.state, Trusted)]
                stalest = min(untrusted or self._peers.values(), key=lambda p: (p.listed, p.heard or 0))
                del self._peers[stalest.node]
            peer = self._peers[node] = Peer(node, never_met(now))
        return peer

    def handle(self, node: NodeId, event: Event, now: Monotonic) -> tuple[Effect, ...]:
        """Apply an event to one neighbour; the caller must carry out the returned effects."""
        peer = self.meet(node, now)
        peer.state, effects = step(peer.state, event, now)
        if isinstance(peer.state, Trusted):
            peer.heard = peer.state.heard
        if Forget() in effects:
            del self._peers[node]
        return effects

    def sight(self, node: NodeId, address: Address, now: Monotonic) -> tuple[Effect, ...]:
        """An unauthenticated report of a node's address."""
        peer = self.meet(node, now)
        if address not in peer.addresses:
            # A false report about a member must not displace a working address: new ones go last.
            peer.addresses = [*peer.addresses[: ADDRESSES_MAX - 1], address]
        return self.handle(node, Sighted(), now)

    def measured(self, node: NodeId, round_trip: Microseconds) -> None:
        """Of its connection."""
        peer = self._peers.get(node)
        if peer is not None:
            peer.round_trip = round_trip

    def worked(self, node: NodeId, address: Address) -> None:
        """A connection proved the node's key there: try this address first next time."""
        peer = self._peers.get(node)
        if peer is not None:
            others = [known for known in peer.addresses if known != address]
            peer.addresses = [address, *others][:ADDRESSES_MAX]

    def failed(self, node: NodeId, address: Address) -> None:
        """No node, or another one, answered there."""
        peer = self._peers.get(node)
        if peer is not None and len(peer.addresses) > 1 and address in peer.addresses:
            peer.addresses.remove(address)
            peer.addresses.append(address)

    def tick(self, roster: frozenset[NodeId], now: Monotonic) -> list[tuple[NodeId, tuple[Effect, ...]]]:
        """Apply the time and the roster to all neighbours."""
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

    def callable(self, roster: frozenset[NodeId]) -> dict[NodeId, KnownNode]:
        """Members' nodes with an address, by id."""
        return {
            node: KnownNode(node, frozenset(address.interface for address in peer.addresses), peer.round_trip)
            for node, peer in self._peers.items()
            if peer.addresses and node in roster and not isinstance(peer.state, Stranger)
        }

    def views(self, now: Monotonic) -> tuple[PeerView, ...]:
        """For status pages, sorted by name and id."""
        return tuple(_view(peer, now) for peer in sorted(self, key=lambda peer: (peer.name, peer.node)))


def _view(peer: Peer, now: Monotonic) -> PeerView:
    met = [peer.met_at] if peer.met_at else []
    addresses = dict.fromkeys([*met, *map(str, peer.addresses)])
    ago = None if peer.heard is None else max(0, now - peer.heard) // 1000
    return PeerView(peer.node, peer.name, name_of(peer.state), tuple(addresses), ago)

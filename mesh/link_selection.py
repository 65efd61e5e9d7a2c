"""Which neighbours a node calls, and which connections it keeps: at most LINKS_MAX.

Everything here can be computed by each node alone. On each network interface the nodes are ordered by their ids as on a
ring, and a node keeps the next and the previous one that it can reach: where all see each other, these connections join
all of them, also after nodes came or went. Where they do not, a node keeps one to each group of nodes that it reaches in
no other way, as node pages say. Further ones are chosen at random and by round trip.
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from mesh.link_graph import Groups
from node.units import Microseconds, Milliseconds, Monotonic, NodeId

LINKS_MAX = 8
LINKS_WANTED = 5
"""A node that can reach more than LINKS_MAX others calls until it has so many: the rest is room for those that call it."""
RANDOM_LINKS = 2
"""Of those beyond the ring, the first are chosen at random, so that paths are short; the others by round trip."""
DIRECT_MAX = 4
"""On an interface with so few others, all of them are direct neighbours."""
ASKED_MAX = 2
"""Connections that stay because the other side names this node in its configuration."""
ISOLATED_BELOW = 2
"""A caller with fewer connections may take the place of another one's."""
KEPT_AT_LEAST = Milliseconds(60_000)
"""A connection that makes room for a caller without any has lasted so long."""
PLAIN_KEPT_AT_LEAST = Milliseconds(300_000)
"""Callers of earlier versions do not say how many they have, and call all nodes: one of them takes the place of another
one after so long."""
LASTED = Milliseconds(30_000)
"""A connection that ends sooner counts as a call that failed."""
FAILED_AGAIN = Milliseconds(1_000), Milliseconds(60_000)
FULL_AGAIN = Milliseconds(300_000), Milliseconds(3_600_000)
"""Until a node is called again that failed, or has no room: doubled each time, up to the second."""
ISOLATED_AGAIN = Milliseconds(30_000)
"""The same for a caller with hardly any connection."""
WAITING_MAX = 512


class Rank(IntEnum):
    """Why a connection is kept; one with a lower number takes the place of one with a higher."""

    CONFIGURED_BESIDE = 0
    """In the configuration, and on a ring: so more than LINKS_MAX nodes that name each other are one mesh."""
    CONFIGURED = 1
    ASKED = 2
    """The other side has this node in its configuration."""
    NEXT = 3
    """On the ring of an interface."""
    PREVIOUS = 4
    APART = 5
    """The first one to a group of nodes that no other connection of this node leads to."""
    DIRECT = 6
    OTHER = 7


@dataclass(frozen=True, slots=True)
class KnownNode:
    """A member's node that can be called: a report, not a proof."""

    node: NodeId
    interfaces: frozenset[str]
    """Where it was reported; the empty one for an address that is not of one link."""
    round_trip: Microseconds | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """What a caller says about itself."""

    links: int
    """Nodes that it is connected to."""
    is_configured: bool = False
    """Whether it calls because of its configuration."""


@dataclass(frozen=True, slots=True)
class KeptLink:
    """A connection whose other end has proven its key, or that asks to become one."""

    name: NodeId
    """Unique among the connections of this node."""
    node: NodeId
    interface: str
    since: Monotonic
    call: Call | None = None
    """What the other side said when it called; None if this side called, or it is of an earlier version."""
    was_called: bool = False
    """Whether this side called."""

    @property
    def is_plain(self) -> bool:
        """Whether it called without saying anything about itself."""
        return self.call is None and not self.was_called


@dataclass(frozen=True, slots=True)
class LinkAdmitted:
    """The new connection stays."""

    instead_of: NodeId | None
    """Name of the one to be closed for it."""


@dataclass(slots=True)
class _Waiting:
    tries: int
    until: Monotonic
    isolated_until: Monotonic
    """The same while this node has hardly any connection."""


@dataclass(slots=True)
class LinkSelection:
    """The choice of one node. `seed` differs between nodes."""

    own: NodeId
    seed: bytes
    configured: frozenset[NodeId] = frozenset()
    groups: Groups = field(default_factory=dict)
    """Of the nodes without this one; a node that is in none is one of its own. Empty while nothing is known."""
    _waiting: dict[NodeId, _Waiting] = field(default_factory=dict)
    """Nodes that failed or had no room; oldest first."""

    # --- What happened ------------------------------------------------------------------------------

    def failed(self, node: NodeId, now: Monotonic) -> None:
        """A call did not lead to a connection."""
        self._wait(node, now, *FAILED_AGAIN)

    def refused(self, node: NodeId, now: Monotonic, links: int) -> None:
        """The node has no room for this one, which is connected to so many others."""
        if links < ISOLATED_BELOW:
            self._wait(node, now, ISOLATED_AGAIN, ISOLATED_AGAIN)
        else:
            self._wait(node, now, *FULL_AGAIN)

    def ended(self, node: NodeId, since: Monotonic, now: Monotonic) -> None:
        """A connection ended for another reason."""
        if now - since >= LASTED:
            self._waiting.pop(node, None)
        else:
            self.failed(node, now)

    def is_waiting(self, node: NodeId, now: Monotonic, links: int = LINKS_MAX) -> bool:
        """Whether the node is not called yet, by this one that is connected to so many others."""
        waiting = self._waiting.get(node)
        if waiting is None:
            return False
        return now < (waiting.isolated_until if links < ISOLATED_BELOW else waiting.until)

    def _wait(self, node: NodeId, now: Monotonic, least: Milliseconds, most: Milliseconds) -> None:
        before = self._waiting.pop(node, None)
        tries = before.tries + 1 if before is not None else 0
        if len(self._waiting) >= WAITING_MAX:
            del self._waiting[next(iter(self._waiting))]
        wait = min(most, least * 2 ** min(tries, 16))
        # Nodes that are refused in the same moment do not call again in the same moment.
        part = 192 + self._chance(NodeId(f"{node} {now}"))[0] // 2
        isolated = wait if most <= FAILED_AGAIN[1] else min(wait, ISOLATED_AGAIN)
        self._waiting[node] = _Waiting(
            tries, Monotonic(now + wait * part // 256), Monotonic(now + isolated * part // 256)
        )

    # --- Choices ------------------------------------------------------------------------------------

    def calls(
        self,
        known: Mapping[NodeId, KnownNode],
        links: Sequence[KeptLink],
        calling: Collection[NodeId],
        now: Monotonic,
    ) -> list[NodeId]:
        """Nodes to call now, the most important first; not those in `calling`, which are being called."""
        reachable = self._reachable(known, links, now)
        connected = {link.node for link in links}
        everyone = set().union(*reachable.values())
        chosen: dict[NodeId, None] = {}
        for node in self._structure(reachable, links):
            if node in connected or node in calling or node in chosen or node not in known:
                continue
            asked = KeptLink(
                node, node, self._interface(known[node], reachable), now, Call(LINKS_MAX), was_called=True
            )
            if self.admit(asked, known, links, now) is not None:
                chosen[node] = None
        wanted = LINKS_MAX if len(everyone) <= LINKS_MAX else LINKS_WANTED
        # Not strangers that are being called: any host can announce as many as it likes.
        missing = wanted - len(connected) - len((set(calling) & known.keys()) - connected) - len(chosen)
        missing = min(missing, LINKS_MAX - len(links) - len(chosen))
        if missing > 0:
            others = everyone - connected - set(calling) - chosen.keys()
            here = sum(rank is Rank.OTHER for rank in self._ranks(links, reachable).values())
            chosen |= dict.fromkeys(self._others([known[node] for node in others], here)[:missing])
        return list(chosen)

    def admit(
        self,
        caller: KeptLink,
        known: Mapping[NodeId, KnownNode],
        links: Sequence[KeptLink],
        now: Monotonic,
    ) -> LinkAdmitted | None:
        """Whether a connection that is not among `links` stays, and which one makes room; None if it is to be closed."""
        if len(links) < LINKS_MAX:
            return LinkAdmitted(None)
        if any(link.node == caller.node for link in links):
            return None  # a copy of its disk: it takes nobody's place
        ranks = self._ranks([*links, caller], self._reachable(known, links, now, caller))
        worst = max(
            links,
            key=lambda link: (ranks[link.name], _distance(known.get(link.node)), -link.since, link.name),
        )
        if ranks[worst.name] > ranks[caller.name]:
            return LinkAdmitted(worst.name)
        return self._make_room(caller, links, ranks, now)

    def _make_room(
        self, caller: KeptLink, links: Sequence[KeptLink], ranks: Mapping[NodeId, Rank], now: Monotonic
    ) -> LinkAdmitted | None:
        """For a caller that may have no other way into the mesh: nodes take turns."""
        free = [link for link in links if ranks[link.name] >= Rank.DIRECT]
        if not free:
            return self._make_room_among_equals(caller, links, ranks, now)
        if caller.is_plain:
            plain = [link for link in free if link.is_plain] or free
            is_late = all(now - link.since >= PLAIN_KEPT_AT_LEAST for link in plain)
            free = plain if is_late else []
        elif caller.call is not None and caller.call.links < ISOLATED_BELOW:
            free = [link for link in free if now - link.since >= KEPT_AT_LEAST]
        else:
            return None
        return LinkAdmitted(min(free, key=lambda link: (link.since, link.name)).name) if free else None

    def _make_room_among_equals(
        self, caller: KeptLink, links: Sequence[KeptLink], ranks: Mapping[NodeId, Rank], now: Monotonic
    ) -> LinkAdmitted | None:
        """Where each connection has a reason, as with many configured nodes or many interfaces: the caller takes the place
        of one of its own rank. Nodes choose differently, so that no node loses all of its connections at once."""
        if caller.call is None or caller.call.links >= ISOLATED_BELOW:
            return None
        free = [
            link
            for link in links
            if ranks[link.name] == ranks[caller.name] and now - link.since >= KEPT_AT_LEAST
        ]
        return LinkAdmitted(min(free, key=lambda link: self._chance(link.name)).name) if free else None

    def _reachable(
        self,
        known: Mapping[NodeId, KnownNode],
        links: Iterable[KeptLink],
        now: Monotonic,
        caller: KeptLink | None = None,
    ) -> dict[str, set[NodeId]]:
        """By interface: nodes that are connected there, and those reported there that are not connected. A report never
        moves a connected node to another interface."""
        found: dict[str, set[NodeId]] = {}
        here = [*links, *([caller] if caller is not None else [])]
        for link in here:
            found.setdefault(link.interface, set()).add(link.node)
        elsewhere = {self.own, *(link.node for link in here)}
        connected = len({link.node for link in here})
        apart = self._apart(self._waiting, here)
        elsewhere |= {
            node for node in self._waiting if self.is_waiting(node, now, 0 if node in apart else connected)
        }
        for node, each in known.items():
            if node not in elsewhere:
                for interface in each.interfaces:
                    found.setdefault(interface, set()).add(node)
        return found

    def _structure(self, reachable: Mapping[str, set[NodeId]], links: Sequence[KeptLink]) -> Iterator[NodeId]:
        """Nodes that are wanted for their place: configured ones, those on rings, one that is reached in no other way, and
        direct neighbours."""
        yield from sorted(self.configured & set().union(*reachable.values()))
        rings = [_beside(self.own, nodes) for nodes in reachable.values()]
        yield from (after for after, _ in rings)
        yield from (before for _, before in rings)
        apart = self._apart(set().union(*reachable.values()), links)
        yield from sorted(apart, key=self._chance)[:1]
        for nodes in reachable.values():
            if len(nodes) <= DIRECT_MAX:
                yield from sorted(nodes)

    def _ranks(self, links: Sequence[KeptLink], reachable: Mapping[str, set[NodeId]]) -> dict[NodeId, Rank]:
        """By name. The ring is that of the connected nodes: one that is only reported displaces nobody."""
        asked = sorted(
            (link for link in links if link.call is not None and link.call.is_configured),
            key=lambda link: link.since,
        )
        first = {link.name for link in asked[:ASKED_MAX]}
        rings = {
            interface: _beside(self.own, {link.node for link in links if link.interface == interface})
            for interface in {link.interface for link in links}
        }
        ranks: dict[NodeId, Rank] = {}
        seen: set[NodeId] = set()
        only = self._first_of_groups(links)
        for link in links:
            after, before = rings[link.interface]
            if link.node in seen:
                rank = Rank.OTHER
            elif link.node in self.configured:
                rank = Rank.CONFIGURED_BESIDE if link.node in {after, before} else Rank.CONFIGURED
            elif link.name in first:
                rank = Rank.ASKED
            elif link.node == after:
                rank = Rank.NEXT
            elif link.node == before:
                rank = Rank.PREVIOUS
            elif link.name in only:
                rank = Rank.APART
            else:
                is_direct = len(reachable.get(link.interface, ())) <= DIRECT_MAX
                rank = Rank.DIRECT if is_direct else Rank.OTHER
            ranks[link.name] = rank
            seen.add(link.node)
        return ranks

    def _apart(self, nodes: Iterable[NodeId], links: Iterable[KeptLink]) -> set[NodeId]:
        """Those that no connection of this node leads to."""
        if not self.groups:
            return set()
        led_to = {self.groups.get(link.node, link.node) for link in links}
        return {node for node in nodes if self.groups.get(node, node) not in led_to}

    def _first_of_groups(self, links: Iterable[KeptLink]) -> set[NodeId]:
        """Names of the oldest connection to each group."""
        if not self.groups:
            return set()
        first: dict[NodeId, NodeId] = {}
        for link in sorted(links, key=lambda each: (each.since, each.name)):
            first.setdefault(self.groups.get(link.node, link.node), link.name)
        return set(first.values())

    def _others(self, nodes: Iterable[KnownNode], here: int) -> list[NodeId]:
        """In the order in which they are called: at random until there are RANDOM_LINKS, then by round trip."""
        shuffled = sorted(nodes, key=lambda each: self._chance(each.node))
        random = max(0, RANDOM_LINKS - here)
        near = sorted(shuffled[random:], key=lambda each: (each.round_trip is None, _distance(each)))
        return [each.node for each in (*shuffled[:random], *near)]

    def _chance(self, node: NodeId) -> bytes:
        return hashlib.sha256(self.seed + node.encode()).digest()

    def _interface(self, each: KnownNode, reachable: Mapping[str, set[NodeId]]) -> str:
        """Of those where it was reported, the one with the fewest nodes."""
        return min(each.interfaces, key=lambda interface: (len(reachable.get(interface, ())), interface))


def _distance(each: KnownNode | None) -> int:
    """Steps in which the round trip doubles: what differs by less is equally near. 0 if it is not known."""
    return (each.round_trip or 0).bit_length() if each is not None else 0


def _beside(own: NodeId, nodes: Collection[NodeId]) -> tuple[NodeId, NodeId]:
    """The next and the previous node on the ring; the same one if there is only one. `nodes` is not empty."""
    after = min((node for node in nodes if node > own), default=None) or min(nodes)
    before = max((node for node in nodes if node < own), default=None) or max(nodes)
    return after, before

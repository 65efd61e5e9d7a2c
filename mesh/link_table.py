"""Which connections to trusted neighbours stay: one for each machine that proves a node's key.

Two machines with one key are a disk and its copy. Neither takes the connection of the other: both go on until an admin
decides.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from mesh.link_selection import Call, KeptLink
from node.units import Monotonic, NodeId

MACHINES_MAX = 4
"""Machines that may be connected with one key; a fifth takes the place of none."""


NEVER = Monotonic(0)


@dataclass(frozen=True, slots=True)
class LinkEnd:
    """What the other side of a connection said in its hello, and which side opened it."""

    node: NodeId
    machine: str
    """Empty if it does not say."""
    boot: str
    dialled: bool
    """Whether this side opened it."""
    interface: str = ""
    """Of this node; empty if its address is not of one link."""
    since: Monotonic = NEVER
    call: Call | None = None
    """What the other side said when it opened it."""

    @property
    def name(self) -> NodeId:
        """Of the exchange with the machine at the other end."""
        return NodeId(f"{self.node}/{self.machine}")

    def kept(self) -> KeptLink:
        """As the selection sees it."""
        return KeptLink(self.name, self.node, self.interface, self.since, self.call, was_called=self.dialled)


@dataclass(frozen=True, slots=True)
class LinkAccepted[L]:
    """The new connection stays."""

    instead_of: L | None
    """The earlier one from the same machine, to be closed."""


class LinkTable[L]:
    """The connections of this node. `L` is the type of a connection."""

    def __init__(self, own: NodeId) -> None:
        self._own = own
        self._links: dict[tuple[NodeId, str], tuple[L, LinkEnd]] = {}

    def __len__(self) -> int:
        return len(self._links)

    def __iter__(self) -> Iterator[L]:
        return iter([link for link, _ in self._links.values()])

    def __contains__(self, link: object) -> bool:
        return any(link is each for each, _ in self._links.values())

    def of(self, node: NodeId) -> list[L]:
        """The connections with this key."""
        return [link for (each, _), (link, _) in self._links.items() if each == node]

    def nodes(self) -> set[NodeId]:
        """Those that are connected, each once: one may have several machines."""
        return {node for node, _ in self._links}

    def introduce(self, link: L, end: LinkEnd) -> LinkAccepted[L] | None:
        """A connection whose hello has arrived; None if it is to be closed. Of two to one machine, the one opened by the
        node with the smaller id stays; of two opened by the same side, and after a restart, the newer."""
        key = end.node, end.machine
        before = self._links.get(key)
        unnamed = self._links.get((end.node, ""))
        if before is None and unnamed is not None and unnamed[1].boot != end.boot:
            # A node of an earlier version that was updated, and has restarted.
            before = self._links.pop((end.node, ""))
        if before is not None and not self._is_preferred(end, before[1]):
            return None
        if before is None and len(self.of(end.node)) >= MACHINES_MAX:
            return None
        self._links[key] = link, end
        return LinkAccepted(before[0] if before is not None else None)

    def remove(self, link: L) -> bool:
        """False if it was not in the table."""
        for key, (each, _) in self._links.items():
            if each is link:
                del self._links[key]
                return True
        return False

    def kept_links(self) -> list[KeptLink]:
        return [end.kept() for _, end in self._links.values()]

    def named(self, name: NodeId) -> L | None:
        return next((link for link, end in self._links.values() if end.name == name), None)

    def copied(self) -> list[NodeId]:
        """Nodes whose key several machines use at once, sorted. One that does not name its machine is not counted."""
        nodes = [node for node, machine in self._links if machine]
        return sorted({node for node in nodes if nodes.count(node) > 1})

    def _is_preferred(self, end: LinkEnd, before: LinkEnd) -> bool:
        if end.boot != before.boot or end.dialled == before.dialled:
            return True
        return end.dialled == (self._own < end.node)

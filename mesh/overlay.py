"""The connections of this node, never more than LINKS_MAX: which are opened, which stay, and which make room."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from mesh.announcement import Address
from mesh.link_selection import Call, KeptLink, KnownNode, LinkSelection
from mesh.link_table import LinkEnd, LinkTable
from node.units import Monotonic, NodeId

FULL = "no room"
"""Why a connection is closed that does not stay, or makes room for another one: its node is not called for a while."""
DUPLICATE = "we are connected already"


@dataclass(frozen=True, slots=True)
class LinkIntroduced[L]:
    """What follows from the hello on a new connection."""

    refused: str = ""
    """Why it is to be closed; empty if it stays."""
    closed: tuple[tuple[L, str], ...] = ()
    """Others that are to be closed for it, and why; they are not in the table any longer."""


class Overlay[L]:
    """The connections of one node. `known`: members' nodes that can be called."""

    def __init__(
        self, selection: LinkSelection, known: Callable[[Monotonic], Mapping[NodeId, KnownNode]]
    ) -> None:
        self.links: LinkTable[L] = LinkTable(selection.own)
        self.selection = selection
        self.calling: set[NodeId] = set()
        """Nodes that are being called, or whose connection began with a call and lasts."""
        self.answered: dict[Address, NodeId] = {}
        """The node that proved its key last at each configured address."""
        self._named = selection.configured
        self._known = known

    def found_at(self, address: Address, node: NodeId) -> None:
        """The node that proved its key at a configured address: it is a configured one until another one answers there."""
        self.answered[address] = node
        self.selection.configured = self._named | frozenset(self.answered.values())

    def calls(self, now: Monotonic) -> list[NodeId]:
        """Nodes to call now."""
        return self.selection.calls(self._known(now), self.links.kept_links(), self.calling, now)

    def call(self, node: NodeId | None, *, is_named: bool = False) -> Call:
        """What this node says about itself when it calls this node, None for any, at an address that is configured or
        not."""
        return Call(len(self.links.nodes()), is_named or node in self.selection.configured)

    def may_call(self, node: NodeId, address: Address, now: Monotonic) -> bool:
        """Whether a connection to this node would stay here. False if there is one."""
        kept = self.links.kept_links()
        wanted = KeptLink(node, node, address.interface, now, was_called=True)
        return (
            not self.links.of(node) and self.selection.admit(wanted, self._known(now), kept, now) is not None
        )

    def may_try(self, node: NodeId, now: Monotonic) -> bool:
        """Whether a node that is not connected is not waited for."""
        links = self.links.nodes()
        return node not in links and not self.selection.is_waiting(node, now, len(links))

    def has_room(self, node: NodeId, interface: str, call: Call | None, now: Monotonic) -> bool:
        """Whether a call of this proven key may become a connection."""
        kept_links = self.links.kept_links()
        if node == self.selection.own or any(link.node == node for link in kept_links):
            return True  # a copy of the disk, a restart, or both sides called: decided with its hello
        caller = KeptLink(node, node, interface, now, call)
        return self.selection.admit(caller, self._known(now), kept_links, now) is not None

    def introduce(self, link: L, end: LinkEnd) -> LinkIntroduced[L]:
        """A connection whose hello has arrived."""
        before = self.links.kept_links()
        kept = self.links.introduce(link, end)
        if kept is None:
            return LinkIntroduced(DUPLICATE)
        if kept.instead_of is not None:
            return LinkIntroduced(closed=((kept.instead_of, DUPLICATE),))
        admitted = self.selection.admit(end.kept(), self._known(end.since), before, end.since)
        if admitted is None:
            self.links.remove(link)
            return LinkIntroduced(FULL)
        leaving = self.links.named(admitted.instead_of) if admitted.instead_of is not None else None
        if leaving is None:
            return LinkIntroduced()
        self.links.remove(leaving)
        return LinkIntroduced(closed=((leaving, FULL),))

    def refused(self, node: NodeId, now: Monotonic) -> None:
        """The other side has no room."""
        self.selection.refused(node, now, len(self.links.nodes()))

    def ended(self, node: NodeId, since: Monotonic, why: Collection[str | None], now: Monotonic) -> None:
        """The last connection to a node is over; `why`: what both sides said."""
        if FULL in why:
            self.refused(node, now)
        else:
            self.selection.ended(node, since, now)

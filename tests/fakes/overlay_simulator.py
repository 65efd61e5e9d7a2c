"""Nodes that choose their connections, without sockets: calls, hellos and closed connections arrive after random delays."""

import heapq
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from mesh.link_graph import groups_without
from mesh.link_selection import Call, KnownNode, LinkSelection
from mesh.link_table import LinkEnd
from mesh.overlay import FULL, Overlay
from node.units import Monotonic, NodeId

PLAN_MS, DELAY_MS, NO_ANSWER_MS = 1_000, (1, 300), 3_000
PAGES_MS = 60_000


def simulated_id(number: int) -> NodeId:
    """Ids in an order that has nothing to do with the numbers."""
    return NodeId(random.Random(number).randbytes(20).hex() + f"{number:012d}")


@dataclass(eq=False, slots=True)
class SimulatedLink:
    """Between two nodes; each of them may have closed it."""

    caller: "OverlayNode"
    called: "OverlayNode"
    call: Call | None
    interface: str
    is_open: bool = True

    def other(self, node: "OverlayNode") -> "OverlayNode":
        return self.called if node is self.caller else self.caller


@dataclass(eq=False, slots=True)
class OverlayNode:
    """One node. `sees`: what it discovered; some of it may not exist."""

    number: int
    node: NodeId
    overlay: Overlay[SimulatedLink]
    sees: dict[NodeId, KnownNode]
    is_up: bool = True
    boot: int = 0
    is_plain: bool = False
    """Of an earlier version: calls all nodes it sees, and has no limit."""
    refuses: bool = False
    pages: dict[NodeId, tuple[int, frozenset[NodeId]]] = field(default_factory=dict)
    """When each node said which connections it has, as far as this one heard."""

    def neighbours(self) -> set[NodeId]:
        return self.overlay.links.nodes()


class OverlaySimulator:
    """`count` nodes that see nobody yet."""

    def __init__(self, count: int, seed: int = 1, configured: Mapping[int, set[int]] | None = None) -> None:
        self.chance, self.now = random.Random(seed), 0
        self.nodes: list[OverlayNode] = []
        self.by_id: dict[NodeId, OverlayNode] = {}
        self.changes = 0
        """Connections that were opened or closed at one end."""
        self.most = 0
        """Connections that any node with a limit ever had."""
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._order = 0
        for number in range(count):
            self.add(frozenset(map(simulated_id, (configured or {}).get(number, ()))))

    def add(self, configured: frozenset[NodeId] = frozenset()) -> OverlayNode:
        number = len(self.nodes)
        own = simulated_id(number)
        sees: dict[NodeId, KnownNode] = {}
        overlay: Overlay[SimulatedLink] = Overlay(
            LinkSelection(own, self.chance.randbytes(8), configured), lambda _now: sees
        )
        node = OverlayNode(number, own, overlay, sees)
        self.nodes.append(node)
        self.by_id[own] = node
        self._later(self.chance.randint(0, PLAN_MS), lambda: self._plan(node))
        return node

    def see(self, left: int, right: int, interface: str = "lan") -> None:
        """Both can call each other."""
        for one, other in ((left, right), (right, left)):
            self.report(one, self.nodes[other].node, interface)

    def report(self, number: int, node: NodeId, interface: str) -> None:
        """A node, which may not exist, is reported to another one."""
        before = self.nodes[number].sees.get(node)
        where = before.interfaces if before is not None else frozenset()
        self.nodes[number].sees[node] = KnownNode(node, where | {interface})

    def see_all(self, numbers: range | list[int], interface: str = "lan") -> None:
        for left in numbers:
            for right in numbers:
                if left < right:
                    self.see(left, right, interface)

    def stop(self, number: int) -> None:
        """Without a word; its neighbours notice within 20 s."""
        node = self.nodes[number]
        node.is_up = False
        for link in list(node.overlay.links):
            node.overlay.links.remove(link)
            other = link.other(node)
            self._later(self.chance.randint(0, 20_000), lambda o=other, c=link: self._lost(o, c, ""))  # type: ignore[misc]
        node.overlay.calling.clear()

    def start(self, number: int) -> None:
        """Again, with nothing that it knew before but what it sees."""
        node = self.nodes[number]
        node.is_up, node.boot = True, node.boot + 1
        node.overlay.selection = LinkSelection(
            node.node, self.chance.randbytes(8), node.overlay.selection.configured
        )

    def run(self, seconds: float) -> None:
        until = self.now + int(seconds * 1000)
        while self._queue and self._queue[0][0] <= until:
            self.now, _, happens = heapq.heappop(self._queue)
            happens()
        self.now = until

    def tell_pages(self) -> None:
        """From now on nodes say each minute which connections they have had for a minute, all that are joined hear of
        it, and each looks at the graph."""
        self._later(PAGES_MS, self.tell_pages)
        for node in self.nodes:
            said = frozenset(
                link.node
                for link in node.overlay.links.kept_links()
                if self.now - link.since >= PAGES_MS or not node.pages.get(node.node)
            )
            if node.is_up and (node.node not in node.pages or node.pages[node.node][1] != said):
                node.pages[node.node] = self.now, said
        for piece in self.pieces():
            newest: dict[NodeId, tuple[int, frozenset[NodeId]]] = {}
            for number in piece:
                for author, page in self.nodes[number].pages.items():
                    if author not in newest or newest[author][0] < page[0]:
                        newest[author] = page
            links = {author: page[1] for author, page in newest.items()}
            for number in piece:
                node = self.nodes[number]
                node.pages = dict(newest)
                wait_ms = self.chance.randint(0, PAGES_MS // 2)
                self._later(wait_ms, partial(self._look_at_graph, node, links))

    def _look_at_graph(self, node: OverlayNode, links: Mapping[NodeId, frozenset[NodeId]]) -> None:
        node.overlay.selection.groups = groups_without(node.node, links)

    def pieces(self) -> list[set[int]]:
        """Groups of running nodes that are joined by connections that both ends have."""
        left = {node.number for node in self.nodes if node.is_up}
        found = []
        while left:
            piece, waiting = set[int](), [min(left)]
            while waiting:
                number = waiting.pop()
                if number not in piece:
                    piece.add(number)
                    node = self.nodes[number]
                    waiting += [
                        other.number
                        for other in map(self.by_id.__getitem__, node.neighbours())
                        if node.node in other.neighbours()
                    ]
            found.append(piece)
            left -= piece
        return found

    def edges(self) -> set[frozenset[int]]:
        return {
            frozenset((node.number, self.by_id[other].number))
            for node in self.nodes
            for other in node.neighbours()
            if node.is_up
        }

    # --- What happens -------------------------------------------------------------------------------

    def _moment(self) -> Monotonic:
        return Monotonic(self.now)

    def _later(self, wait_ms: int, happens: Callable[[], None]) -> None:
        self._order += 1
        heapq.heappush(self._queue, (self.now + wait_ms, self._order, happens))

    def _delayed(self, happens: Callable[[], None]) -> None:
        self._later(self.chance.randint(*DELAY_MS), happens)

    def _plan(self, node: OverlayNode) -> None:
        self._later(PLAN_MS, lambda: self._plan(node))
        if not node.is_up or node.refuses:
            return
        for other in self._wanted(node):
            node.overlay.calling.add(other)
            self._call(node, other)

    def _wanted(self, node: OverlayNode) -> list[NodeId]:
        if not node.is_plain:
            return node.overlay.calls(self._moment())
        neighbours = node.neighbours()
        return [
            other
            for other in node.sees
            if other not in node.overlay.calling
            and other not in neighbours
            and not node.overlay.selection.is_waiting(other, self._moment())
        ]

    def _call(self, node: OverlayNode, other: NodeId) -> None:
        called = self.by_id.get(other)
        if called is None or not called.is_up:
            self._later(NO_ANSWER_MS, lambda: self._failed(node, other))
            return
        call = None if node.is_plain else node.overlay.call(other)
        interface = min(node.sees[other].interfaces)
        self._delayed(lambda: self._arrive(SimulatedLink(node, called, call, interface)))

    def _failed(self, node: OverlayNode, other: NodeId) -> None:
        node.overlay.calling.discard(other)
        node.overlay.selection.failed(other, self._moment())

    def _arrive(self, connection: SimulatedLink) -> None:
        caller, called = connection.caller, connection.called
        if not called.is_up or not caller.is_up:
            self._later(NO_ANSWER_MS, lambda: self._failed(caller, called.node))
            return
        room = called.is_plain or called.overlay.has_room(
            caller.node, connection.interface, connection.call, self._moment()
        )
        if called.refuses or not room:
            self._delayed(lambda: self._refused(caller, called.node))
            return
        self._delayed(lambda: self._introduce(called, connection))
        self._delayed(lambda: self._introduce(caller, connection))

    def _refused(self, node: OverlayNode, other: NodeId) -> None:
        node.overlay.calling.discard(other)
        if node.is_plain:
            node.overlay.selection.failed(other, self._moment())
        else:
            node.overlay.refused(other, self._moment())

    def _introduce(self, node: OverlayNode, connection: SimulatedLink) -> None:
        other, is_caller = connection.other(node), node is connection.caller
        if is_caller:
            node.overlay.calling.discard(other.node)
        if not (connection.is_open and node.is_up and other.is_up):
            return
        end = LinkEnd(
            other.node,
            "machine",
            str(other.boot),
            is_caller,
            connection.interface,
            self._moment(),
            None if is_caller else connection.call,
        )
        if node.is_plain:
            kept = node.overlay.links.introduce(connection, end)
            if kept is None:
                self._close(node, connection, "")
            elif kept.instead_of is not None:
                self._close(node, kept.instead_of, "")
            return
        introduced = node.overlay.introduce(connection, end)
        self.most = max(self.most, len(node.overlay.links))
        self.changes += 1
        for link, why in introduced.closed:
            self._close(node, link, why)
        if introduced.refused:
            self._close(node, connection, introduced.refused)

    def _close(self, node: OverlayNode, connection: SimulatedLink, why: str) -> None:
        connection.is_open = False
        self.changes += 1
        other = connection.other(node)
        self._delayed(lambda: self._lost(other, connection, why))

    def _lost(self, node: OverlayNode, connection: SimulatedLink, why: str) -> None:
        other = connection.other(node)
        ends = {link.node: link for link in node.overlay.links.kept_links()}
        if not node.is_up or (not node.overlay.links.remove(connection) and why != FULL):
            return
        self.changes += 1
        if why == FULL and not node.is_plain:
            node.overlay.refused(other.node, self._moment())
        elif other.node not in node.neighbours() and other.node in ends:
            node.overlay.selection.ended(other.node, ends[other.node].since, self._moment())

"""A mesh without sockets: many `Exchange` cores on a random geometric graph, with the delays and losses of radio links.

Bytes are those of IP: the frame, what WebSocket, TLS, TCP and IPv6 add to it, and the acknowledgement.
"""

import heapq
import itertools
import math
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from mesh import exchange as exchange_module
from mesh.announcement import Address
from mesh.exchange import PAGE_KIND, Exchange, PageAccepted
from mesh.link_budget import LinkBudget
from mesh.link_queue import LinkQueue
from mesh.link_writer import ROUND_EVERY_S
from mesh.messages import EXTENSIONS, decode
from mesh.node_kind import LINKS_MAX, NODE_KIND, NodeFacts, NodeLink, node_body
from mesh.page_format import Page, assemble_page, page_head
from mesh.page_kind import NOW
from mesh.service import TREE_TICK_S
from mesh.usage_kind import usage_body
from node.accounting.ledger import UsageBucket
from node.identity import key_from_raw, own_node_id, sign, verify
from node.units import AccountId, BitsPerSecond, Bytes, Monotonic, NodeId, Usage

VILLAGE = "the-village"
DAY = "2026-11-24"
WEBSOCKET_BYTES, TLS_BYTES, TCP_IP_BYTES, SEGMENT_BYTES = 8, 22, 72, 1_428
"""For each frame; the last two for each segment. An acknowledgement is one header."""
HOP_S = (0.02, 0.2)
LINK_RATE = BitsPerSecond(6_000_000)
"""What a link is measured at: the slowest rate of 802.11a and g."""
RETRANSMIT_S = 0.2
"""Doubled for each loss of the same segment."""


@dataclass(slots=True)
class SimulatedNode:
    """One node: its core, its neighbours, and what it sent and received."""

    number: int
    exchange: Exchange
    neighbours: list[int] = field(default_factory=list)
    sent_bytes: int = 0
    received_bytes: int = 0
    seq: int = 0
    queues: dict[int, LinkQueue] = field(default_factory=dict)
    """What is sent next to each neighbour, within the budget of the link."""
    waits: set[int] = field(default_factory=set)
    """Neighbours for which something waits until it may be sent."""


class MeshSimulator:
    """`count` nodes, not connected yet. `now` is in seconds."""

    def __init__(
        self,
        count: int,
        *,
        degree: float,
        loss: float,
        seed: int = 1,
        edges: Iterable[frozenset[int]] | None = None,
        link_rate: BitsPerSecond = LINK_RATE,
    ) -> None:
        """`edges`: who is connected, instead of a random graph of this degree."""
        self._link_rate = link_rate
        self.chance, self.loss, self.now = random.Random(seed), loss, 0.0
        self.keys = [key_from_raw(number.to_bytes(32, "big")) for number in range(1, count + 1)]
        self.ids = [own_node_id(key) for key in self.keys]
        self.numbers = {node: number for number, node in enumerate(self.ids)}
        roster = frozenset(self.ids)
        self.nodes = [
            SimulatedNode(number, Exchange(VILLAGE, lambda: roster, node))
            for number, node in enumerate(self.ids)
        ]
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._order = 0
        self._clear: dict[tuple[int, int], float] = {}
        """When the last frame of a direction arrives: frames keep their order."""
        self.arrivals: dict[str, dict[int, float]] = {}
        """By page: when each node accepted it."""
        self.copies: Counter[str] = Counter()
        self._verified: dict[bytes, bool] = {}
        if edges is None:
            self._connect(degree)
        else:
            for edge in sorted(map(sorted, edges)):
                self._join(*edge)

    def _connect(self, degree: float) -> None:
        """Nodes in a square; those within a radius are neighbours, and each piece is joined to the next one."""
        count = len(self.nodes)
        places = [(self.chance.random(), self.chance.random()) for _ in range(count)]
        radius = math.sqrt(degree / (math.pi * count))
        for left in range(count):
            for right in range(left + 1, count):
                if math.dist(places[left], places[right]) < radius:
                    self._join(left, right)
        pieces = list(self._pieces())
        for before, after in itertools.pairwise(pieces):
            self._join(
                *min(
                    ((a, b) for a in before for b in after),
                    key=lambda p: math.dist(places[p[0]], places[p[1]]),
                )
            )

    def _join(self, left: int, right: int) -> None:
        self.nodes[left].neighbours.append(right)
        self.nodes[right].neighbours.append(left)

    def _pieces(self) -> Iterator[list[int]]:
        left = set(range(len(self.nodes)))
        while left:
            piece, waiting = set[int](), [min(left)]
            while waiting:
                number = waiting.pop()
                if number not in piece:
                    piece.add(number)
                    waiting += self.nodes[number].neighbours
            left -= piece
            yield sorted(piece)

    # --- Pages ------------------------------------------------------------------------------------

    def page(self, number: int, accounts: int) -> Page:
        """The next page of this node's usage."""
        node = self.nodes[number]
        node.seq += 1
        rows = {
            AccountId(f"household-{number:04d}-{each:02d}"): UsageBucket(
                Usage(Bytes(10**9 + node.seq * 10**6), Bytes(10**8 + node.seq)), Usage(Bytes(0), Bytes(0))
            )
            for each in range(accounts)
        }
        return self._signed(number, self._head(number, "usage", DAY) + b"\n" + usage_body(rows))

    def _head(self, number: int, kind: str, period: str) -> bytes:
        return page_head(
            community=VILLAGE,
            author=self.ids[number],
            incarnation="12-m0a1b2c-01234567",
            period=period,
            part=0,
            seq=self.nodes[number].seq,
            kind=kind,
        )

    def _signed(self, number: int, signed: bytes) -> Page:
        page = decode(assemble_page(signed, sign(self.keys[number], PAGE_KIND, signed)))
        assert isinstance(page, Page)
        return page

    def node_page(self, number: int) -> Page:
        """The next page of this node about itself and its links."""
        node = self.nodes[number]
        node.seq += 1
        neighbours = sorted(self.ids[each] for each in node.neighbours)[:LINKS_MAX]
        facts = NodeFacts(
            name=f"house on the hill {number}",
            version="1.0.0",
            addresses=(Address(f"10.{number // 200}.{number % 200}.1", 7400),),
            uplink=("main", "up"),
            load_percent=25,
            links=tuple(NodeLink(each, 20, 1) for each in neighbours),
            made_s=1_795_600_000 + node.seq,
        )
        head = self._head(number, NODE_KIND.name, NOW)
        return self._signed(number, head + b"\n" + node_body(facts))

    def know_all(self, accounts: int, nodes: Iterable[SimulatedNode] | None = None) -> None:
        """Every node, or only each of `nodes`, holds the pages of every other."""
        numbers = range(len(self.nodes))
        pages = [page for each in numbers for page in (self.page(each, accounts), self.node_page(each))]
        for node in self.nodes if nodes is None else nodes:
            for page in pages:
                node.exchange.offer(page)

    def connect_all(self) -> None:
        """All neighbours connect, and begin their rounds at random times."""
        for node in self.nodes:
            for each in node.neighbours:
                node.exchange.greet(self.ids[each], EXTENSIONS)
                self.at(self.chance.uniform(0, ROUND_EVERY_S), lambda n=node, e=each: self._round(n, e))  # type: ignore[misc]
            self.at(self.chance.uniform(0, TREE_TICK_S), lambda n=node: self._tick(n))  # type: ignore[misc]
            self._pump(node)

    def publish(self, number: int, accounts: int) -> str:
        """This node publishes its next page of usage now; returns its name."""
        return self._offer(number, self.page(number, accounts))

    def publish_node_page(self, number: int) -> str:
        """This node publishes its next page about itself now; returns its name."""
        return self._offer(number, self.node_page(number))

    def _offer(self, number: int, page: Page) -> str:
        name = f"{page.name}/{page.seq}"
        self.arrivals[name] = {number: self.now}
        self.nodes[number].exchange.offer(page)
        self._pump(self.nodes[number])
        return name

    # --- Time -------------------------------------------------------------------------------------

    def at(self, when_s: float, happens: Callable[[], None]) -> None:
        self._order += 1
        heapq.heappush(self._queue, (when_s, self._order, happens))

    def run(self, until_s: float) -> None:
        """Everything that happens until then."""
        before = exchange_module.verify
        exchange_module.verify = self._verify  # type: ignore[assignment]
        try:
            while self._queue and self._queue[0][0] <= until_s:
                self.now, _, happens = heapq.heappop(self._queue)
                happens()
        finally:
            exchange_module.verify = before
        self.now = until_s

    def _verify(self, author: NodeId, kind: bytes, signed: bytes, signature: bytes) -> bool:
        """Each page is checked once for all nodes: this machine stands for all of them."""
        if signature not in self._verified:
            self._verified[signature] = verify(author, kind, signed, signature)
        return self._verified[signature]

    def _round(self, node: SimulatedNode, neighbour: int) -> None:
        node.exchange.begin_round(self.ids[neighbour])
        self._pump(node)
        wait_s = ROUND_EVERY_S * self.chance.uniform(0.8, 1.2)
        self.at(self.now + wait_s, lambda: self._round(node, neighbour))

    def _tick(self, node: SimulatedNode) -> None:
        if node.exchange.tick():
            self._pump(node)
        self.at(self.now + TREE_TICK_S, lambda: self._tick(node))

    def _pump(self, node: SimulatedNode) -> None:
        for each in node.neighbours:
            self._pump_to(node, each)

    def _pump_to(self, node: SimulatedNode, neighbour: int) -> None:
        now, queue = self._milliseconds(), self._queue_of(node, neighbour)
        while True:
            for priority in filter(queue.lacks, node.exchange.due(self.ids[neighbour])):
                found = node.exchange.next_frame(self.ids[neighbour], priority)
                if found is not None:
                    queue.put(priority, found, now)
            frame = queue.next_frame(now)
            if frame is None:
                break
            self._send(node, self.nodes[neighbour], frame)
        wait_ms = queue.wait(now)
        if wait_ms is not None and neighbour not in node.waits:
            node.waits.add(neighbour)
            self.at(self.now + wait_ms / 1000, lambda: self._pump_again(node, neighbour))

    def _pump_again(self, node: SimulatedNode, neighbour: int) -> None:
        node.waits.discard(neighbour)
        self._pump_to(node, neighbour)

    def _queue_of(self, node: SimulatedNode, neighbour: int) -> LinkQueue:
        if neighbour not in node.queues:
            budget = LinkBudget(self._milliseconds())
            budget.measured(self._link_rate, self._milliseconds())
            node.queues[neighbour] = LinkQueue(budget)
        return node.queues[neighbour]

    def _milliseconds(self) -> Monotonic:
        return Monotonic(round(self.now * 1000))

    def _send(self, left: SimulatedNode, right: SimulatedNode, frame: bytes) -> None:
        segments = -(-(len(frame) + WEBSOCKET_BYTES + TLS_BYTES) // SEGMENT_BYTES)
        size = len(frame) + WEBSOCKET_BYTES + TLS_BYTES + segments * TCP_IP_BYTES
        delay, again = self.chance.uniform(*HOP_S), RETRANSMIT_S
        while self.chance.random() < self.loss:
            delay, again = delay + again, again * 2
            left.sent_bytes += size
        acknowledged = segments * TCP_IP_BYTES
        left.sent_bytes, left.received_bytes = left.sent_bytes + size, left.received_bytes + acknowledged
        right.sent_bytes, right.received_bytes = right.sent_bytes + acknowledged, right.received_bytes + size
        when = max(self.now + delay, self._clear.get((left.number, right.number), 0.0))
        self._clear[left.number, right.number] = when
        self.at(when, lambda: self._arrive(left, right, frame))

    def _arrive(self, left: SimulatedNode, right: SimulatedNode, frame: bytes) -> None:
        message = decode(frame)
        if isinstance(message, Page):
            name = f"{message.name}/{message.seq}"
            self.copies[name] += name in self.arrivals
        for event in right.exchange.receive(self.ids[left.number], message):
            if isinstance(event, PageAccepted):
                arrived = self.arrivals.get(f"{event.page.name}/{event.page.seq}")
                if arrived is not None:
                    arrived.setdefault(right.number, self.now)
        self._pump(right)

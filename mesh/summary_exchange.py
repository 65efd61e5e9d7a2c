"""Exchange of the nodes' summaries, as a sans-IO core: nothing is sent until an admin of some node looks.

    exchange.greet(neighbour, takes_part=..., now=...)
    exchange.ask(nodes, now)                        # an admin looks
    exchange.receive(neighbour, frame, now)         # False: the frame is none of this exchange
    while frame := exchange.next_frame(neighbour, now): ...

A question goes from neighbour to neighbour along the shortest way that node pages name, and the answer comes back on it.
Each node on it keeps the answer for five minutes and answers with it, so that many who look cost as much as one.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from mesh.node_routes import first_hops
from mesh.node_summary import NodeSummary, SignedSummary, is_genuine, read_summary
from mesh.page_format import NODE, Malformed, canonical, fits, parse_object
from mesh.ports import Roster
from node.rate_limit import TokenBucket
from node.units import Milliseconds, Monotonic, NodeId

SUMMARY_EXTENSION = "summaries"
"""Word in the hello of nodes that take part."""
FRESH = Milliseconds(300_000)
"""For so long a summary answers questions; a node makes none of itself before that time is over."""
EARLIER_REFUSED = Milliseconds(600_000)
"""For so long none that was made before it is taken."""
KEPT = Milliseconds(3_600_000)
"""For so long what was heard is shown."""
ASKED_AGAIN = Milliseconds(30_000)
"""A node that has not answered is asked again after that time."""
WAITED = Milliseconds(120_000)
"""For so long an answer may come: it waits behind everything else on slow connections."""
HOPS_MAX = 32
ASKED_AT_ONCE, ASKED_PER_S = 512, 2.0
"""Questions of one neighbour that are answered or passed on."""
ROUTES_KEPT = Milliseconds(10_000)
ASK_BYTES_MAX = 128
REFUSED_SHOWN = Milliseconds(3_600_000)
"""For so long a neighbour is named that sent what was refused."""
_ASK_MARK, _SUMMARY_MARK = b'"is":"summaryask"', b'"is":"summary"'


@dataclass(frozen=True, slots=True)
class HeardSummary:
    """What a node said of itself, and how long ago."""

    summary: NodeSummary
    age_s: int


@dataclass(frozen=True, slots=True)
class _Kept:
    signed: SignedSummary
    made: Monotonic
    """By this node's clock, from the age that it came with."""

    def age_s(self, now: Monotonic) -> int:
        return max(0, now - self.made) // 1_000


@dataclass(slots=True)
class _SummaryNeighbour:
    takes_part: bool
    bucket: TokenBucket
    questions: dict[NodeId, int] = field(default_factory=dict)
    """To send: about which node, and how many connections further it may go."""
    answers: dict[NodeId, None] = field(default_factory=dict)
    """To send, in order; looked up when they are sent."""


@dataclass(slots=True)
class _PendingAnswer:
    """That this node sent on, and has no answer to."""

    to: NodeId
    at: Monotonic
    asking: dict[NodeId, None] = field(default_factory=dict)
    """Neighbours that get the answer."""


@dataclass(slots=True)
class _Refused:
    count: int
    last: Monotonic


class SummaryExchange:
    """Summaries between this node and its neighbours. `links`: the connections on the page of each node; `make`: this
    node's own summary, signed."""

    def __init__(
        self,
        own: NodeId,
        roster: Roster,
        links: Callable[[], Mapping[NodeId, Collection[NodeId]]],
        make: Callable[[], SignedSummary],
    ) -> None:
        self._own, self._roster, self._links, self._make = own, roster, links, make
        self._neighbours: dict[NodeId, _SummaryNeighbour] = {}
        self._kept: dict[NodeId, _Kept] = {}
        self._asked: dict[NodeId, _PendingAnswer] = {}
        self._refused: dict[NodeId, _Refused] = {}
        self._routes: Mapping[NodeId, NodeId] = {}
        self._routed: Monotonic | None = None

    def greet(self, neighbour: NodeId, *, takes_part: bool, now: Monotonic) -> None:
        """A trusted neighbour has connected. If it has a connection already, what waits for it is sent on either, and both
        together may ask as much as one."""
        known = self._neighbours.get(neighbour)
        if known is None or not takes_part:
            bucket = TokenBucket(ASKED_AT_ONCE, ASKED_PER_S, now / 1_000) if known is None else known.bucket
            self._neighbours[neighbour] = _SummaryNeighbour(takes_part, bucket)
        else:
            known.takes_part = True
        self._routed = None

    def part(self, neighbour: NodeId) -> None:
        """Its last connection has ended."""
        self._neighbours.pop(neighbour, None)
        self._routed = None
        for node in [node for node, question in self._asked.items() if question.to == neighbour]:
            del self._asked[node]

    def ask(self, nodes: Iterable[NodeId], now: Monotonic) -> frozenset[NodeId]:
        """Asks about those of which nothing fresh is known, as far as they can be reached. Returns those that were asked
        now."""
        return frozenset(
            node
            for node in nodes
            if not self._is_fresh(node, now) and self._pass_on(node, HOPS_MAX, None, now)
        )

    def summaries(self, now: Monotonic) -> Mapping[NodeId, HeardSummary]:
        """What is known of each node of the community; this node's own too."""
        self._is_fresh(self._own, now)
        roster = self._roster()
        return {
            node: HeardSummary(kept.signed.summary, kept.age_s(now))
            for node, kept in self._kept.items()
            if node in roster and now - kept.made < KEPT
        }

    def refused(self, now: Monotonic) -> Mapping[NodeId, int]:
        """How many summaries of each neighbour were refused, of those that sent one lately."""
        return {node: each.count for node, each in self._refused.items() if now - each.last < REFUSED_SHOWN}

    def receive(self, neighbour: NodeId, frame: bytes, now: Monotonic) -> bool:
        """Whether the frame is one of this exchange."""
        head = frame.partition(b"\n")[0]
        if _ASK_MARK in head and len(frame) <= ASK_BYTES_MAX:
            self._receive_question(neighbour, frame, now)
            return True
        if _SUMMARY_MARK in head and b'"is":"page"' not in head:
            self._receive_summary(neighbour, frame, now)
            return True
        return False

    def next_frame(self, neighbour: NodeId, now: Monotonic) -> bytes | None:
        """Answers first; None if there is nothing to send."""
        told = self._neighbours.get(neighbour)
        while told is not None and told.answers:
            kept = self._kept.get(_first(told.answers))
            if kept is not None:
                return kept.signed.frame(kept.age_s(now))
        if told is None or not told.questions:
            return None
        node = next(iter(told.questions))
        return canonical({"hops": told.questions.pop(node), "is": "summaryask", "node": node})

    def _receive_question(self, neighbour: NodeId, frame: bytes, now: Monotonic) -> None:
        fields, told = parse_object(frame), self._neighbours.get(neighbour)
        if isinstance(fields, Malformed) or told is None or not told.takes_part:
            return
        node, hops = fields.get("node"), fields.get("hops")
        is_sound = fits(node, NODE) and type(hops) is int and 0 <= hops <= HOPS_MAX
        if not is_sound or node not in self._roster() or not told.bucket.take(now / 1_000):
            return
        if self._is_fresh(NodeId(node), now):
            told.answers[NodeId(node)] = None
        elif hops:
            self._pass_on(NodeId(node), hops - 1, neighbour, now)

    def _receive_summary(self, neighbour: NodeId, frame: bytes, now: Monotonic) -> None:
        """Only the answer to a question to this neighbour is verified, and one for each question: a flood costs little."""
        if neighbour not in self._neighbours:
            return
        read = read_summary(frame)
        if isinstance(read, Malformed) or read[0].summary.node not in self._roster():
            self._refuse(neighbour, now)
            return
        signed, age_s = read
        node = signed.summary.node
        question = self._asked.get(node)
        if question is None or question.to != neighbour:
            return  # perhaps late
        del self._asked[node]
        if not is_genuine(signed):
            self._refuse(neighbour, now)
            return
        if self._is_earlier(signed, now):
            return
        self._kept[node] = _Kept(signed, Monotonic(now - age_s * 1_000))
        for each in question.asking:
            if each in self._neighbours:
                self._neighbours[each].answers[node] = None

    def _is_earlier(self, signed: SignedSummary, now: Monotonic) -> bool:
        """Whether it is one that was shown again by a node on the way. One that is known for long does not count: the clock
        of its author may have been wrong."""
        kept = self._kept.get(signed.summary.node)
        if kept is None or now - kept.made >= EARLIER_REFUSED:
            return False
        return 0 < signed.summary.made_s < kept.signed.summary.made_s

    def _refuse(self, neighbour: NodeId, now: Monotonic) -> None:
        count = self._refused[neighbour].count if neighbour in self._refused else 0
        self._refused[neighbour] = _Refused(count + 1, now)

    def _is_fresh(self, node: NodeId, now: Monotonic) -> bool:
        """Of this node itself a new one is made when the time of the one before is over."""
        kept = self._kept.get(node)
        is_fresh = kept is not None and now - kept.made < FRESH
        if not is_fresh and node == self._own:
            self._kept[node] = _Kept(self._make(), now)
            return True
        return is_fresh

    def _pass_on(self, node: NodeId, hops: int, asking: NodeId | None, now: Monotonic) -> bool:
        """Whether the question was sent, instead of waiting for the answer to one before."""
        before = self._asked.get(node)
        is_asked = before is not None and now - before.at < ASKED_AGAIN
        if before is None or not is_asked:
            to = self._hops(now).get(node)
            if to is None or to == asking or to not in self._neighbours:
                return False
            before = _PendingAnswer(to, now, before.asking if before is not None else {})
            self._asked[node] = before
            self._neighbours[to].questions[node] = hops
        if asking is not None:
            before.asking[asking] = None
        return not is_asked

    def _hops(self, now: Monotonic) -> Mapping[NodeId, NodeId]:
        if self._routed is None or now - self._routed >= ROUTES_KEPT:
            able = [node for node, told in self._neighbours.items() if told.takes_part]
            self._routes, self._routed = first_hops(self._own, able, self._links()), now
            self._forget(now)
        return self._routes

    def _forget(self, now: Monotonic) -> None:
        roster = self._roster()
        self._kept = {
            node: kept for node, kept in self._kept.items() if node in roster and now - kept.made < KEPT
        }
        self._asked = {node: each for node, each in self._asked.items() if now - each.at < WAITED}
        self._refused = {
            node: each for node, each in self._refused.items() if now - each.last < REFUSED_SHOWN
        }


def _first(waiting: dict[NodeId, None]) -> NodeId:
    """It leaves the queue."""
    node = next(iter(waiting))
    del waiting[node]
    return node

"""A client whose gateway changes between two nodes: nothing is booked twice, and in the end everything once."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.gateways.counters import ClientCounters, ReportedCounters, logged_in
from node.gateways.handover import (
    BREAK_MS,
    FORGOTTEN_MS,
    PARTS_MAX,
    PATIENCE_MS,
    ClientHandover,
    HandoverQuestion,
    answer,
    forget,
    give_up,
    hear,
    settle,
)
from node.units import NO_USAGE, Bytes, Monotonic, Usage

MINUTE = 60_000
MORE = st.integers(0, 10**6)


def usage(down: int, up: int = 0) -> Usage:
    return Usage(Bytes(down), Bytes(up))


@dataclass
class CountingNode:
    """One of two nodes, and what it stored last."""

    known: ClientHandover = field(default_factory=ClientHandover)
    counters: ClientCounters = field(default_factory=ClientCounters)
    booked: Usage = NO_USAGE
    turn: int = 1
    heard: int = 0
    answers: dict[tuple, Usage | None] = field(default_factory=dict)
    stored: tuple = (ClientHandover(), ClientCounters(), NO_USAGE)

    def login(self, now: int) -> None:
        self._heard(now)
        self.counters = logged_in(self.counters, Monotonic(now))

    def report(self, said: Usage, token: str, now: int) -> None:
        self._heard(now)
        reported = ReportedCounters(said.down, said.up)
        self.known, found = hear(
            self.known, self.counters, reported, token, self.turn, run=0, now=Monotonic(now)
        )
        self.counters, self.booked = found.after, self.booked + found.added

    def store(self) -> None:
        self.stored = self.known, self.counters, self.booked

    def restart(self) -> None:
        """Stopped without warning: what was stored last is all that is left."""
        self.known, self.counters, self.booked = self.stored
        self.turn, self.answers = self.turn + 1, {}

    def told(self, asked: Iterable[HandoverQuestion]) -> None:
        """Reads the other node's questions, as often as they come."""
        for each in asked:
            if each.key not in self.answers:
                self.known, self.answers[each.key] = answer(self.known, each.token, each.start)

    def answered(self, other: "CountingNode") -> None:
        for each in self.known.questions:
            if each.key in other.answers:
                self.known, added = settle(self.known, each, other.answers[each.key])
                end = self.known.parts[-1].end
                if self.counters.booked != end:
                    self.counters = ClientCounters(end, self.counters.at, self.counters.run)
                self.booked += added

    def _heard(self, now: int) -> None:
        if now - self.heard >= BREAK_MS:
            self.turn += 1
        self.heard = now


def exchange(one: CountingNode, other: CountingNode) -> None:
    """Each hears everything of the other, twice, in both orders."""
    for _ in range(2):
        for asking, asked in ((one, other), (other, one)):
            asked.told(asking.known.questions)
            asking.answered(asked)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["report", "report", "report", "change", "tell", "restart", "twice"]), MORE, MORE
    ),
    max_size=40,
)


def play(steps, *, pause_ms: int, step_ms: int = MINUTE) -> tuple[CountingNode, CountingNode, Usage, Usage]:
    """`pause_ms`: how long the gateway is silent when it changes from one node to the other. Returns both nodes, what the
    gateway counted, and what was booked beyond that at the worst moment."""
    nodes, at, now = (CountingNode(), CountingNode()), 0, MINUTE
    nodes[0].login(now)
    nodes[0].report(NO_USAGE, "t1", now)
    nodes[0].store()
    counted, beyond = NO_USAGE, NO_USAGE
    for what, down, up in steps:
        now += step_ms
        match what:
            case "report" | "twice":
                counted += usage(down, up)
                for _ in range(2 if what == "twice" else 1):
                    nodes[at].report(counted, "t1", now)
                nodes[at].store()
            case "change":
                at, now = 1 - at, now + pause_ms
            case "tell":
                exchange(*nodes)
                for each in nodes:
                    each.store()
            case "restart":
                nodes[at].restart()
        booked = nodes[0].booked + nodes[1].booked
        beyond = usage(max(beyond.down, booked.down - counted.down), max(beyond.up, booked.up - counted.up))
    return *nodes, counted, beyond


@given(STEPS)
def test_nothing_is_booked_twice_and_in_the_end_everything_once(steps):
    one, other, counted, beyond = play(steps, pause_ms=BREAK_MS)
    assert NO_USAGE == beyond
    last = max((one, other), key=lambda each: each.heard)
    last.report(counted, "t1", last.heard)
    exchange(one, other)
    has_forgotten = PARTS_MAX in {len(one.known.parts), len(other.known.parts)}
    booked = one.booked + other.booked
    assert booked == counted or (has_forgotten and booked.down <= counted.down and booked.up <= counted.up)


@given(STEPS)
def test_what_two_nodes_booked_at_once_is_taken_off_again(steps):
    """The gateway goes to and fro faster than they can tell each other."""
    one, other, counted, _ = play(steps, pause_ms=0, step_ms=10_000)
    exchange(one, other)
    now = max(one.heard, other.heard) + 10 * MINUTE
    for number, node in enumerate((one, other)):
        # It stays at each of them for long enough to pay what is owed.
        for minute in range(3):
            counted += usage(10**8, 10**8)
            node.report(counted, "t1", now + (10 * number + minute) * MINUTE)
            exchange(one, other)
    booked = one.booked + other.booked
    assert booked.down <= counted.down
    assert booked.up <= counted.up


def test_the_second_node_books_what_comes_after_its_first_report_at_once():
    one, other = CountingNode(), CountingNode()
    one.login(MINUTE)
    one.report(NO_USAGE, "t", MINUTE)
    exchange(one, other)
    one.report(usage(1_000), "t", 2 * MINUTE)
    other.report(usage(1_700), "t", 5 * MINUTE)
    other.report(usage(2_000), "t", 6 * MINUTE)
    assert 1_300 == one.booked.down + other.booked.down, "700 wait for the first node's answer"
    exchange(one, other)
    assert 2_000 == one.booked.down + other.booked.down
    one.report(usage(2_500), "t", 9 * MINUTE)
    exchange(one, other)
    assert 2_500 == one.booked.down + other.booked.down


def test_an_answer_that_never_comes_costs_the_node():
    other = CountingNode()
    other.report(usage(5_000), "t", MINUTE)
    other.known, added = give_up(other.known, Monotonic(MINUTE + PATIENCE_MS))
    assert NO_USAGE == added
    assert other.known.questions


def test_a_question_to_a_node_that_is_lost_is_forgotten():
    other = CountingNode()
    other.report(usage(5_000), "t", MINUTE)
    assert other.known == forget(other.known, Monotonic(MINUTE + FORGOTTEN_MS - 1))
    known = forget(other.known, Monotonic(MINUTE + FORGOTTEN_MS))
    assert ((), other.known.parts) == (known.questions, known.parts)


def test_what_a_node_can_only_have_counted_itself_is_booked_after_a_while():
    one = CountingNode()
    one.login(MINUTE)
    one.report(usage(5_000), "t", 2 * MINUTE)
    assert NO_USAGE == give_up(one.known, Monotonic(3 * MINUTE))[1]
    known, added = give_up(one.known, Monotonic(2 * MINUTE + PATIENCE_MS))
    assert usage(5_000) == added
    assert not known.questions


@pytest.mark.parametrize("said", [400, 9_400])
def test_counters_that_begin_again_after_a_login_or_go_on_are_counted_once(said):
    one, other = CountingNode(), CountingNode()
    one.login(MINUTE)
    one.report(usage(9_000), "t1", 2 * MINUTE)
    exchange(one, other)
    other.login(10 * MINUTE)
    other.report(usage(said), "t2", 11 * MINUTE)
    exchange(one, other)
    assert 9_400 == one.booked.down + other.booked.down


def test_a_report_repeated_at_the_second_node_is_taken_off_what_follows():
    one, other = CountingNode(), CountingNode()
    one.login(MINUTE)
    one.report(usage(9_000), "t", 2 * MINUTE)
    exchange(one, other)
    other.report(usage(50), "t", 3 * MINUTE)
    exchange(one, other)
    other.report(usage(9_100), "t", 4 * MINUTE)
    exchange(one, other)
    assert 9_100 == one.booked.down + other.booked.down

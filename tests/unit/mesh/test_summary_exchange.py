"""Summaries that somebody asks for: which node gets them, what is refused, and what a look costs 200 nodes."""

import itertools
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.link_budget import wire_bytes
from mesh.node_summary import NodeSummary, SignedSummary, SummaryValues
from mesh.page_format import canonical
from mesh.summary_exchange import (
    ASKED_AGAIN,
    ASKED_AT_ONCE,
    EARLIER_REFUSED,
    FRESH,
    HOPS_MAX,
    KEPT,
    REFUSED_SHOWN,
    SummaryExchange,
)
from node.units import Monotonic, NodeId
from tests.bench.mesh_simulator import MeshSimulator
from tests.fakes.neighbours import id_of
from tests.unit.mesh.test_node_summary import signed_by

NAMES = ("ape", "bee", "cat", "dog", "eve")
A, B, C, D, EVE = map(id_of, NAMES)


class SummaryVillage:
    """Cores of nodes that reach each other at once. `pairs`: which are connected."""

    def __init__(self, pairs: Iterable[tuple[str, str]], *, deaf: Iterable[str] = ()) -> None:
        self.now, self.sent, self.made = Monotonic(1_000), Counter[NodeId](), Counter[str]()
        self.links: dict[NodeId, set[NodeId]] = {}
        self.names = {id_of(name): name for pair in pairs for name in pair}
        self.roster = frozenset(self.names)
        for one, other in pairs:
            self.links.setdefault(id_of(one), set()).add(id_of(other))
            self.links.setdefault(id_of(other), set()).add(id_of(one))
        self.cores = {node: self._core(node) for node in self.names}
        for node, others in self.links.items():
            for each in others:
                takes_part = not {self.names[node], self.names[each]} & set(deaf)
                self.cores[node].greet(each, takes_part=takes_part, now=self.now)

    def _core(self, node: NodeId) -> SummaryExchange:
        return SummaryExchange(node, lambda: self.roster, lambda: self.links, lambda: self.make(node))

    def make(self, node: NodeId) -> SignedSummary:
        name = self.names[node]
        self.made[name] += 1
        return signed_by(name, NodeSummary(node, SummaryValues(devices=5 * self.made[name]), made_s=self.now))

    def frames(self, *nodes: NodeId) -> Iterator[tuple[NodeId, NodeId, bytes]]:
        """What these nodes send now; of none, all."""
        for node in nodes or self.links:
            for each in self.links[node]:
                while (frame := self.cores[node].next_frame(each, self.now)) is not None:
                    yield node, each, frame

    def settle(self) -> None:
        waiting = deque(self.frames())
        while waiting:
            node, to, frame = waiting.popleft()
            self.sent[node] += wire_bytes(len(frame))
            assert self.cores[to].receive(node, frame, self.now)
            waiting.extend(self.frames(to))

    def look(self, at: NodeId, *nodes: NodeId) -> dict[NodeId, int | None]:
        self.cores[at].ask(nodes, self.now)
        self.settle()
        return {
            node: each.summary.values.devices for node, each in self.cores[at].summaries(self.now).items()
        }

    def sleep(self, milliseconds: int) -> None:
        self.now = Monotonic(self.now + milliseconds)


LINE = tuple(itertools.pairwise(NAMES))


def test_a_look_at_the_far_end_passes_all_nodes_between_and_no_other_hears_of_it() -> None:
    village = SummaryVillage((*LINE, ("eve", "fox")))
    assert {A: 5, EVE: 5} == village.look(A, EVE)
    assert EVE not in village.cores[id_of("fox")].summaries(village.now)
    assert EVE in village.cores[C].summaries(village.now)


def test_nothing_is_sent_while_nobody_looks() -> None:
    village = SummaryVillage(LINE)
    village.sleep(10 * FRESH)
    assert [] == list(village.frames())


def test_for_five_minutes_others_that_look_are_answered_by_the_nearest_node_that_knows() -> None:
    village = SummaryVillage(LINE)
    village.look(A, EVE)
    before = village.sent[D]
    village.sleep(FRESH - 1_000)
    assert 5 == village.look(B, EVE)[EVE]
    assert (before, 1) == (village.sent[D], village.made["eve"])
    village.sleep(1_000)
    assert 10 == village.look(B, EVE)[EVE]
    assert 2 == village.made["eve"]


def test_the_age_of_what_others_kept_is_counted() -> None:
    village = SummaryVillage(LINE)
    village.look(B, EVE)
    village.sleep(100_000)
    village.look(A, EVE)
    assert 100 == village.cores[A].summaries(village.now)[EVE].age_s
    village.sleep(KEPT)
    assert EVE not in village.cores[A].summaries(village.now)


def test_a_node_that_asks_while_the_answer_is_on_its_way_gets_it_too() -> None:
    village = SummaryVillage((*LINE, ("bee", "fox")))
    village.cores[A].ask([EVE], village.now)
    village.cores[id_of("fox")].ask([EVE], village.now)
    village.settle()
    assert EVE in village.cores[A].summaries(village.now)
    assert EVE in village.cores[id_of("fox")].summaries(village.now)
    assert 1 == village.made["eve"]


def test_a_node_that_does_not_answer_is_asked_again_later() -> None:
    village = SummaryVillage(LINE)
    assert {EVE} == village.cores[A].ask([EVE], village.now)
    list(village.frames())
    village.sleep(ASKED_AGAIN - 1)
    assert not village.cores[A].ask([EVE], village.now)
    village.sleep(1)
    assert EVE in village.look(A, EVE)


def test_the_way_leads_around_neighbours_of_earlier_versions() -> None:
    pairs = (("ape", "bee"), ("bee", "dog"), ("ape", "cat"), ("cat", "eve"), ("eve", "dog"))
    village = SummaryVillage(pairs, deaf=["bee"])
    assert D in village.look(A, D)
    assert B not in village.look(A, B)


def test_after_a_connection_has_ended_another_way_is_taken() -> None:
    pairs = (("ape", "bee"), ("bee", "dog"), ("ape", "cat"), ("cat", "dog"))
    village = SummaryVillage(pairs)
    village.cores[A].ask([D], village.now)
    for each in (B, C):
        village.cores[A].part(each)
    village.cores[A].greet(max(B, C), takes_part=True, now=village.now)
    assert D in village.look(A, D)


def test_no_question_about_a_node_that_is_no_member_goes_further() -> None:
    village = SummaryVillage(LINE)
    frame = canonical({"hops": 9, "is": "summaryask", "node": id_of("stranger")})
    assert village.cores[B].receive(A, frame, village.now)
    assert [] == list(village.frames())


@pytest.mark.parametrize("hops", [-1, HOPS_MAX + 1, True, "9", None, 1.5])
def test_a_question_that_may_go_too_far_is_ignored(hops: object) -> None:
    village = SummaryVillage(LINE)
    village.cores[B].receive(A, canonical({"hops": hops, "is": "summaryask", "node": EVE}), village.now)
    assert [] == list(village.frames())


def test_a_question_goes_no_further_than_it_may() -> None:
    village = SummaryVillage(LINE)
    village.cores[B].receive(A, canonical({"hops": 1, "is": "summaryask", "node": EVE}), village.now)
    village.settle()
    assert not village.made["eve"]
    assert [] == list(village.frames())


def test_a_neighbour_that_floods_is_answered_a_limited_number_of_times() -> None:
    village = SummaryVillage(LINE)
    answers = 0
    for _ in range(3 * ASKED_AT_ONCE):
        village.cores[B].receive(A, canonical({"hops": 9, "is": "summaryask", "node": B}), village.now)
        answers += village.cores[B].next_frame(A, village.now) is not None
    assert answers == ASKED_AT_ONCE
    assert 1 == village.made["bee"]


def test_a_neighbour_that_connects_a_second_time_may_ask_no_more_and_gets_what_waits() -> None:
    village = SummaryVillage(LINE)
    asks = canonical({"hops": 9, "is": "summaryask", "node": B})
    for _ in range(ASKED_AT_ONCE):
        village.cores[B].receive(A, asks, village.now)
    village.cores[B].greet(A, takes_part=True, now=village.now)
    assert village.cores[B].next_frame(A, village.now) is not None
    village.cores[B].receive(A, asks, village.now)
    assert village.cores[B].next_frame(A, village.now) is None
    village.cores[C].ask([EVE], village.now)
    village.cores[C].greet(D, takes_part=True, now=village.now)
    village.settle()
    assert EVE in village.cores[C].summaries(village.now)


def forged(node: NodeId, signer: str, **values: int) -> bytes:
    return signed_by(signer, NodeSummary(node, SummaryValues(**values))).frame(0)


def test_what_is_forged_or_out_of_range_or_of_a_stranger_is_refused_and_counted() -> None:
    village = SummaryVillage(LINE)
    core = village.cores[A]
    core.ask([EVE], village.now)
    wrong = (
        forged(EVE, "eve", loss_percent=101),
        forged(id_of("stranger"), "stranger"),
        forged(EVE, "bee"),
    )
    for count, frame in enumerate(wrong, start=1):
        assert core.receive(B, frame, village.now)
        assert {B: count} == core.refused(village.now)
    assert {A} == core.summaries(village.now).keys()
    assert {} == core.refused(Monotonic(village.now + REFUSED_SHOWN))


def test_what_was_not_asked_for_or_not_of_this_neighbour_is_not_taken() -> None:
    village = SummaryVillage((*LINE, ("ape", "fox")))
    core, frame = village.cores[A], forged(EVE, "eve", devices=500)
    core.receive(B, frame, village.now)
    core.ask([EVE], village.now)
    core.receive(id_of("fox"), frame, village.now)
    assert {A} == core.summaries(village.now).keys()
    core.receive(B, frame, village.now)
    assert 500 == core.summaries(village.now)[EVE].summary.values.devices
    core.receive(B, forged(EVE, "eve", devices=5), village.now)
    assert 500 == core.summaries(village.now)[EVE].summary.values.devices


def test_an_earlier_summary_that_is_shown_again_is_not_taken() -> None:
    village = SummaryVillage(LINE)
    old = village.make(EVE).frame(0)
    village.sleep(5)
    village.look(A, EVE)
    village.sleep(FRESH)
    village.cores[A].ask([EVE], village.now)
    village.cores[A].receive(B, old, village.now)
    assert 10 == village.cores[A].summaries(village.now)[EVE].summary.values.devices


def test_a_clock_that_was_in_the_future_keeps_nothing_back_for_long() -> None:
    village = SummaryVillage(LINE)
    village.sleep(10**9)
    village.look(A, EVE)
    for core in village.cores.values():
        core.summaries(village.now)
    made = village.make
    village.make = lambda node: signed_by(village.names[node], replace(made(node).summary, made_s=5))  # type: ignore[method-assign]
    village.sleep(EARLIER_REFUSED)
    assert 10 == village.look(A, EVE)[EVE]
    assert 5 == village.cores[A].summaries(village.now)[EVE].summary.made_s


def test_a_node_that_left_the_community_is_shown_no_longer() -> None:
    village = SummaryVillage(LINE)
    village.look(A, EVE)
    village.roster -= {EVE}
    assert {A} == village.look(A).keys()


@given(st.binary(max_size=120), st.sampled_from([b'"is":"summaryask"', b'"is":"summary"', b""]))
def test_no_frame_raises(noise: bytes, mark: bytes) -> None:
    village = SummaryVillage(LINE[:1])
    village.cores[A].receive(B, noise + mark + noise, village.now)
    village.cores[A].receive(id_of("nobody"), mark, village.now)


def test_pages_and_statements_are_none_of_this_exchange() -> None:
    village = SummaryVillage(LINE[:1])
    for frame in (
        b'{"is":"root"}',
        b'{"is":"page"}\n{"is":"summary"}\n0',
        b'{"is":"page","x":{"is":"summary"}}',
    ):
        assert not village.cores[A].receive(B, frame, village.now)


def test_a_look_at_all_of_200_nodes_costs_each_of_them_little() -> None:
    """The one that looks gets 200 summaries; a node between sends those of the nodes behind it."""
    mesh = MeshSimulator(200, degree=7.5, loss=0.0)
    names = [f"n{number}" for number in range(200)]
    pairs = [(names[each.number], names[other]) for each in mesh.nodes for other in each.neighbours]
    village = SummaryVillage(pairs)
    found = village.look(id_of("n0"), *village.names)
    assert 200 == len(found)
    assert village.sent[id_of("n0")] <= 50_000
    assert max(village.sent.values()) <= 125_000
    assert sum(village.sent.values()) / 200 <= 6_000
    before = village.sent.total()
    village.look(id_of("n0"), *village.names)
    assert before == village.sent.total()

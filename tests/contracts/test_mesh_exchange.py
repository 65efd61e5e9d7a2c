"""Exchange of large collections, and after losses."""

import random
from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.exchange import Exchange
from mesh.messages import Root, decode
from mesh.page_format import Page
from tests.examples import examples
from tests.fakes.mesh_exchange import STEPS, VILLAGE, ExchangeFixture, a_page, a_part, an_other_page
from tests.fakes.neighbours import TODAY, id_of


def test_a_large_collection_is_compared_in_pieces() -> None:
    """More streams and more pages than one message may list."""
    names = tuple(f"node-{number:03d}" for number in range(420))
    village = ExchangeFixture("hill", "valley")
    village.roster |= set(map(id_of, names))
    village.connect("hill", "valley")
    for name in names:
        village.exchange["hill"].offer(a_page(name))
    for number, day in enumerate(f"20{number:02d}-01-01" for number in range(27, 89)):
        for part in range(15):
            village.exchange["hill"].offer(a_part(day, part, seq=number * 15 + part + 1))
    village.connect("hill", "valley")
    village.settle()
    village.settle()
    assert village.exchange["hill"].root() == village.exchange["valley"].root()


@settings(max_examples=examples(60), deadline=None)
@given(st.sampled_from([("hill", "valley"), ("hill", "valley", "coast")]), STEPS)
def test_whatever_is_lost_all_nodes_reach_the_same_state(
    names: tuple[str, ...], steps: list[tuple[str, int]]
) -> None:
    """Loss, duplication, reordering and broken connections; afterwards every sum is the real usage."""
    village = ExchangeFixture(*names)
    village.connect_all()
    truth: dict[str, int] = defaultdict(int)
    others: dict[tuple[str, str], tuple[str, int]] = defaultdict(lambda: ("", 0))
    for action, number in steps:
        chance = random.Random(number)
        wires = [(wire, frames) for wire, frames in village.wire.items() if frames]
        if action == "book":
            account = chance.choice(["ana", "ben", "cem"])
            village.book(chance.choice(names), account, number, chance.choice([TODAY, "2026-11-23"]))
            truth[account] += number
        elif action == "say":
            name = chance.choice(names)
            life, period = chance.choice(["1-a", "2-a"]), chance.choice(["now", "then"])
            said = an_other_page(name, seq=chance.randrange(9), incarnation=life, period=period)
            village.say(name, said)
            others[name, period] = max(others[name, period], (life, said.seq))
        elif action == "break":
            village.connect(*chance.sample(names, 2))
        elif action == "tick":
            village.tick()
        elif wires:
            (left, right), frames = chance.choice(wires)
            frame = frames.pop(chance.randrange(len(frames)) if action == "swap" else 0)
            if action != "lose":
                village.deliver(left, right, frame)
            if action == "double":
                frames.append(frame)
        village.send()
    village.settle()
    village.settle()
    assert 1 == len(village.roots())
    for name in names:
        month = {account: village.usage_ledger[name].used(account, "2026-11") for account in truth}
        assert dict(truth) == month
        held = [decode(raw) for author in names for raw in village.exchange[name].others_of(id_of(author))]
        found = {(p.author, p.period): (p.incarnation, p.seq) for p in held if isinstance(p, Page)}
        assert {(id_of(author), period): version for (author, period), version in others.items()} == found


def test_a_neighbour_that_only_requests_cannot_fill_our_memory() -> None:
    exchange = Exchange(VILLAGE, lambda: frozenset({id_of("hill"), id_of("valley")}))
    exchange.greet(id_of("valley"))
    exchange.offer(a_page())
    for number in range(2_000):
        exchange.receive(id_of("valley"), Root(f"{number:032x}"))
    waiting = 0
    while exchange.next_frame(id_of("valley")):
        waiting += 1
    assert waiting <= 4


@settings(max_examples=examples(40), deadline=None)
@given(STEPS, st.sampled_from([("hill",), ("valley",), ("coast",), ("hill", "coast")]))
def test_nodes_of_the_first_form_of_the_version_get_all_usage_and_are_left_alone_with_the_rest(
    steps: list[tuple[str, int]], old: tuple[str, ...]
) -> None:
    """Usage counts on every node, and a round between any two of them ends with one short frame each way."""
    names = ("hill", "valley", "coast")
    village = ExchangeFixture(*names, old=old)
    village.connect_all()
    truth = 0
    for action, number in steps:
        chance = random.Random(number)
        name = chance.choice(names)
        if action == "book":
            village.book(name, "ana", number)
            truth += number
        elif action == "say" and name not in old:
            village.say(name, an_other_page(name, seq=number))
        elif action == "break":
            village.connect(*chance.sample(names, 2))
        village.send()
        if action == "lose":
            for frames in village.wire.values():
                frames.clear()
    village.settle()
    village.settle()
    assert [truth] * 3 == [village.usage_ledger[name].used("ana") for name in names]
    assert village.settle() <= 6 * 64
    assert [] == [refused for refused in village.refused if refused.author is None]
    assert all([] == village.exchange[name].others_of(id_of(author)) for name in old for author in names)

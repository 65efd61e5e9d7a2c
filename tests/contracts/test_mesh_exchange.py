"""Exchange of large collections, and after losses."""

import random
from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.exchange import Exchange
from mesh.messages import Root
from tests.fakes.mesh_exchange import STEPS, VILLAGE, ExchangeFixture, a_page, a_part
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


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([("hill", "valley"), ("hill", "valley", "coast")]), STEPS)
def test_whatever_is_lost_all_nodes_reach_the_same_state(
    names: tuple[str, ...], steps: list[tuple[str, int]]
) -> None:
    """Loss, duplication, reordering and broken connections; afterwards every sum is the real usage."""
    village = ExchangeFixture(*names)
    village.connect_all()
    truth: dict[str, int] = defaultdict(int)
    for action, number in steps:
        chance = random.Random(number)
        wires = [(wire, frames) for wire, frames in village.wire.items() if frames]
        if action == "book":
            account = chance.choice(["ana", "ben", "cem"])
            village.book(chance.choice(names), account, number, chance.choice([TODAY, "2026-11-23"]))
            truth[account] += number
        elif action == "break":
            village.connect(*chance.sample(names, 2))
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

"""Candidates beyond one hop: members only, few, and ever more seldom while none of them is what a page says."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from mesh.announcement import Address
from mesh.call_backoff import CALLED_MAX
from mesh.node_kind import ADDRESSES_MAX, NodeFacts
from mesh.peer_exchange import AGAIN_MAX, AGAIN_MIN, PAGES_PER_LOOK, PeerExchange
from node.units import Monotonic, NodeId
from tests.fakes.neighbours import id_of

HILL, COAST = id_of("hill"), id_of("coast")
DAY = 86_400_000


def page(*hosts: str) -> NodeFacts:
    return NodeFacts("any", addresses=tuple(Address(host, 7400) for host in hosts))


def test_members_with_an_address_are_candidates_one_after_the_other() -> None:
    pages = {HILL: page("10.0.0.1"), COAST: page("10.0.0.2")}
    exchange = PeerExchange()
    found = [exchange.candidate([HILL, id_of("silent"), COAST], pages.get, Monotonic(0)) for _ in range(3)]
    assert [(HILL, Address("10.0.0.1", 7400)), (COAST, Address("10.0.0.2", 7400)), None] == found


def test_the_addresses_of_a_member_take_turns_and_those_that_lead_nowhere_are_left_out() -> None:
    pages = {HILL: page("127.0.0.1", "10.0.0.1", "ff02::1", "fd00::1")}
    exchange, found = PeerExchange(), list[Address]()
    for at in (0, AGAIN_MIN, 4 * AGAIN_MIN):
        candidate = exchange.candidate([HILL], pages.get, Monotonic(at))
        assert candidate is not None
        found.append(candidate[1])
    assert ["10.0.0.1", "fd00::1", "10.0.0.1"] == [each.host for each in found]


def test_a_member_that_proved_its_key_is_a_candidate_again_at_once() -> None:
    exchange = PeerExchange()
    for _ in range(5):
        assert exchange.candidate([HILL], {HILL: page("10.0.0.1")}.get, Monotonic(0)) is not None
        exchange.proved(HILL)


@given(st.lists(st.integers(0, 3_600_000), max_size=400))
def test_however_often_its_pages_change_a_member_leads_to_few_calls(waits_ms: list[int]) -> None:
    """Each page names other hosts."""
    exchange, now, calls = PeerExchange(), 0, list[int]()
    for number, wait_ms in enumerate(waits_ms):
        now += wait_ms
        facts = page(*(f"10.{number // 250}.{number % 250}.{each}" for each in range(1, ADDRESSES_MAX + 1)))
        if exchange.candidate([HILL], {HILL: facts}.get, Monotonic(now)) is not None:
            calls.append(now)
    waited = [after - before for before, after in itertools.pairwise(calls)]
    assert all(wait >= min(AGAIN_MAX, AGAIN_MIN * 2**number) for number, wait in enumerate(waited))
    assert len(calls) <= 9 + now / DAY


def test_a_look_reads_few_pages_and_remembers_few_members() -> None:
    read, exchange = list[NodeId](), PeerExchange()
    many = [NodeId(f"{number:052d}") for number in range(3 * CALLED_MAX)]
    assert exchange.candidate(many, read.append, Monotonic(0)) is None  # type: ignore[func-returns-value]
    assert PAGES_PER_LOOK == len(read)
    for node in many:
        assert exchange.candidate([node], {node: page("10.0.0.1")}.get, Monotonic(0)) is not None
    assert CALLED_MAX == len(exchange._backoff)

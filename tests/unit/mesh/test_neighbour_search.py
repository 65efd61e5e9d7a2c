"""Which hosts next to this one are called: few, each ever more seldom, and all in turn."""

from hypothesis import given
from hypothesis import strategies as st

from mesh.call_backoff import CALLED_MAX
from mesh.neighbour_search import AGAIN_MAX, AGAIN_MIN, NeighbourSearch
from node.units import Monotonic

HOSTS = st.lists(st.integers(1, 20).map(lambda number: f"10.0.0.{number}"), unique=True, max_size=20)
START = Monotonic(1_000)


def later(ms: int) -> Monotonic:
    return Monotonic(START + ms)


def test_what_is_known_is_not_called_and_a_new_host_goes_before_one_that_did_not_answer() -> None:
    search = NeighbourSearch()
    assert "b" == search.candidate(("a", "b"), {"a"}, START)
    assert None is search.candidate(("a", "b"), {"a"}, later(AGAIN_MIN - 1))
    assert "c" == search.candidate(("b", "c"), {"a"}, later(AGAIN_MIN))
    assert "b" == search.candidate(("b", "c"), {"a"}, later(AGAIN_MIN))


def test_a_host_that_answered_is_called_again_as_if_it_were_new() -> None:
    search = NeighbourSearch()
    assert "a" == search.candidate(("a",), (), START)
    search.answered("a")
    assert "a" == search.candidate(("a",), (), START)


@given(st.integers(1, 40))
def test_the_wait_doubles_up_to_a_day(calls: int) -> None:
    search, now = NeighbourSearch(), START
    for count in range(calls):
        assert "a" == search.candidate(("a",), (), now)
        wait = min(AGAIN_MAX, AGAIN_MIN * 2**count)
        assert None is search.candidate(("a",), (), Monotonic(now + wait - 1))
        now = Monotonic(now + wait)


@given(HOSTS, HOSTS)
def test_all_hosts_are_called_once_in_turn_and_none_that_is_known(hosts: list[str], known: list[str]) -> None:
    search = NeighbourSearch()
    found = []
    while (host := search.candidate(hosts, known, START)) is not None:
        found.append(host)
    assert found == [host for host in hosts if host not in known]


def test_a_host_that_appears_as_many_takes_bounded_memory_and_does_not_keep_the_others_from_being_called() -> (
    None
):
    search = NeighbourSearch()
    for number in range(3 * CALLED_MAX):
        assert search.candidate((f"fe80::{number:x}",), (), START) is not None
    assert len(search._backoff) == CALLED_MAX
    assert "10.0.0.1" == search.candidate(("fe80::bff", "10.0.0.1"), (), START)

"""The time is asked for while it is not known, answered where it is, and learned once."""

from mesh.messages import TimeAnswer, TimeRequest, decode
from mesh.time_exchange import TimeExchange
from node.units import Monotonic
from tests.fakes.neighbours import FakeNetworkTime, id_of

HILL = id_of("hill")
NOW = Monotonic(60_000)
UNIX_S = 1_790_000_000


def test_only_a_node_without_a_clock_asks() -> None:
    asked = TimeExchange(FakeNetworkTime()).question()
    assert asked is not None
    assert TimeRequest() == decode(asked)
    assert [None, None] == [TimeExchange(clock).question() for clock in (FakeNetworkTime(UNIX_S), None)]


def test_a_node_that_knows_the_time_answers_and_the_others_are_silent() -> None:
    answer = TimeExchange(FakeNetworkTime(UNIX_S)).receive(HILL, TimeRequest(), NOW)
    assert answer is not None
    assert TimeAnswer(UNIX_S, 0) == decode(answer)
    for clock in (FakeNetworkTime(), None):
        assert TimeExchange(clock).receive(HILL, TimeRequest(), NOW) is None


def test_the_answer_is_learned_with_one_hop_more_and_never_by_a_node_with_a_clock() -> None:
    without, with_clock = FakeNetworkTime(), FakeNetworkTime(UNIX_S)
    for clock in (without, with_clock):
        TimeExchange(clock).receive(HILL, TimeAnswer(UNIX_S + 7, 2), NOW)
    assert (UNIX_S + 7, 3) == (without.unix_s, without.hops)
    assert UNIX_S == with_clock.unix_s


def test_an_impossible_time_is_not_learned() -> None:
    clock = FakeNetworkTime()
    TimeExchange(clock).receive(HILL, TimeAnswer(0, 0), NOW)
    assert clock.unix_s is None

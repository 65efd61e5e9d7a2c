"""The per-device concurrency limit: requests over it wait in order, and one device does not delay another."""

from hypothesis import given
from hypothesis import strategies as st

from node.rate_limit import ConcurrencyLimit

ANA, BEN = "ana", "ben"


def test_a_few_run_and_the_others_start_in_order() -> None:
    turns: ConcurrencyLimit[int] = ConcurrencyLimit(2)
    begun = [number for number in range(5) if turns.begin(number, ANA)]
    assert [0, 1] == begun
    assert turns.begin(9, BEN)
    assert [False, True] == [turns.waits(1, ANA), turns.waits(2, ANA)]
    assert turns.end(ANA)
    for party in turns.called(ANA):
        assert turns.begin(party, ANA)
        begun.append(party)
    assert [0, 1, 2] == begun


def test_a_new_request_does_not_overtake_waiting_ones() -> None:
    turns: ConcurrencyLimit[int] = ConcurrencyLimit(1)
    assert turns.begin(0, ANA)
    assert not turns.begin(1, ANA)
    turns.end(ANA)
    assert not turns.begin(2, ANA)
    assert [1, 2] == list(turns.called(ANA))


def test_a_cancelled_request_is_not_started_and_leaves_nothing_behind() -> None:
    turns: ConcurrencyLimit[int] = ConcurrencyLimit(1)
    assert turns.begin(0, ANA)
    for number in (1, 2):
        assert not turns.begin(number, ANA)
        turns.leave(number, ANA)
    turns.leave(7, ANA)
    assert not turns.end(ANA)
    assert [] == list(turns.called(ANA))
    assert 0 == len(turns)


@given(
    st.lists(
        st.tuples(st.sampled_from(["ask", "end", "leave"]), st.integers(0, 9), st.sampled_from([ANA, BEN])),
        max_size=80,
    )
)
def test_every_waiting_request_starts_once_there_is_room(events: list[tuple[str, int, str]]) -> None:
    turns: ConcurrencyLimit[tuple[str, int]] = ConcurrencyLimit(2)
    working: dict[str, list[tuple[str, int]]] = {ANA: [], BEN: []}
    waiting: dict[str, list[tuple[str, int]]] = {ANA: [], BEN: []}
    for kind, number, device in events:
        party = (device, number)
        if kind == "ask" and party not in working[device] and party not in waiting[device]:
            if turns.begin(party, device):
                working[device].append(party)
            else:
                waiting[device].append(party)
        elif kind == "end" and working[device]:
            working[device].pop(0)
            turns.end(device)
            for called in turns.called(device):
                assert called == waiting[device].pop(0)
                assert turns.begin(called, device)
                working[device].append(called)
        elif kind == "leave" and party in waiting[device]:
            waiting[device].remove(party)
            turns.leave(party, device)
        assert len(working[device]) <= 2
        assert not waiting[device] or len(working[device]) == 2
    assert len(turns) == sum(bool(working[each] or waiting[each]) for each in (ANA, BEN))

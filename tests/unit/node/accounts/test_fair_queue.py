"""The order in which queued parties are served."""

from hypothesis import given
from hypothesis import strategies as st

from node.accounts.fair_queue import REMEMBERED, FairQueue
from node.units import Monotonic

NOW = Monotonic(0)


def test_order_is_known_parties_then_fewest_turns_then_first_come() -> None:
    queue: FairQueue[str] = FairQueue(9)
    for _ in range(2):
        queue.enter("greedy", NOW, is_known=False)
        assert "greedy" == queue.next(NOW)
    for name in ("greedy", "first", "second"):
        assert (True, None) == queue.enter(name, NOW, is_known=False)
    assert (True, None) == queue.enter("known", NOW, is_known=True)
    assert (False, None) == queue.enter("first", NOW, is_known=False)
    assert ["known", "first", "second", "greedy", None] == [queue.next(NOW) for _ in range(5)]


def test_a_full_queue_drops_the_party_with_most_turns() -> None:
    queue: FairQueue[str] = FairQueue(2)
    for name in "ab":
        queue.enter(name, NOW, is_known=False)
        queue.next(NOW)
    for name in "ab":
        queue.enter(name, NOW, is_known=False)
    assert (True, "b") == queue.enter("new", NOW, is_known=False)
    assert (True, "a") == queue.enter("newer", NOW, is_known=False)
    assert (False, None) == queue.enter("a", NOW, is_known=False)
    assert (False, None) == queue.enter("newest", NOW, is_known=False)
    assert (True, None) == queue.enter("own", NOW, is_known=True)


def test_turns_expire() -> None:
    queue: FairQueue[str] = FairQueue(1)
    queue.enter("a", NOW, is_known=False)
    queue.next(NOW)
    later = Monotonic(NOW + REMEMBERED)
    queue.enter("b", later, is_known=False)
    assert (False, None) == queue.enter("a", later, is_known=False)
    queue.leave("b")
    queue.leave("b")
    assert (True, None) == queue.enter("a", later, is_known=False)
    assert 1 == len(queue)


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.booleans()), max_size=60))
def test_no_party_waits_twice_and_the_queue_never_exceeds_its_size(
    steps: list[tuple[int, bool, bool]],
) -> None:
    queue: FairQueue[int] = FairQueue(2)
    inside: set[int] = set()
    for number, (party, is_known, takes) in enumerate(steps):
        if takes:
            inside.discard(queue.next(Monotonic(number)))  # type: ignore[arg-type]
            continue
        stays, gone = queue.enter(party, Monotonic(number), is_known=is_known)
        assert stays == (party in inside or stays) or not stays
        if stays:
            assert party not in inside
            inside.add(party)
        if gone is not None:
            inside.remove(gone)
        assert len(inside) == len(queue) <= 4

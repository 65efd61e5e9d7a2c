"""What does not answer is called ever more seldom, and takes bounded memory."""

from hypothesis import given
from hypothesis import strategies as st

from mesh.call_backoff import CALLED_MAX, CallBackoff
from node.units import Milliseconds, Monotonic

LEAST, MOST = Milliseconds(1_000), Milliseconds(60_000)


def backoff() -> CallBackoff[int]:
    return CallBackoff(LEAST, MOST)


@given(st.integers(1, 60), st.integers(0, 10**9))
def test_the_wait_doubles_up_to_its_limit(calls: int, start: int) -> None:
    called, now = backoff(), Monotonic(start)
    for count in range(calls):
        assert called.is_due(7, now)
        called.call(7, now)
        assert count + 1 == called.count(7)
        wait = min(MOST, LEAST * 2**count)
        assert not called.is_due(7, Monotonic(now + wait - 1))
        now = Monotonic(now + wait)
    called.answered(7)
    assert 7 not in called
    assert called.is_due(7, Monotonic(0))


def test_the_one_called_longest_ago_is_forgotten_first() -> None:
    called, now = backoff(), Monotonic(0)
    for number in range(CALLED_MAX):
        called.call(number, now)
    called.call(0, now)
    called.call(CALLED_MAX, now)
    assert (CALLED_MAX, True, False) == (len(called), 0 in called, 1 in called)

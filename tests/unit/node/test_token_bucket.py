"""A burst at once, then a steady rate; what is refused costs nothing."""

from hypothesis import given
from hypothesis import strategies as st

from node.token_bucket import TokenBucket


def test_a_burst_passes_and_then_as_many_as_come_each_second() -> None:
    bucket = TokenBucket.full(3, 2, 10.0)
    assert [True, True, True, False] == [bucket.take(10.0) for _ in range(4)]
    assert [True, True, False] == [bucket.take(11.0) for _ in range(3)]
    assert [True, True, True, False] == [bucket.take(100.0) for _ in range(4)]


def test_what_is_refused_takes_nothing() -> None:
    bucket = TokenBucket.full(3, 1, 0.0)
    assert not bucket.take(0.0, 4)
    assert bucket.take(0.0, 3)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 6)), max_size=50))
def test_never_more_passes_than_the_burst_and_what_came_since(requests: list[tuple[int, int]]) -> None:
    bucket, now, passed = TokenBucket.full(5, 2, 0.0), 0, 0
    for waited, tokens in requests:
        now += waited
        passed += tokens if bucket.take(now, tokens) else 0
        assert passed <= 5 + 2 * now

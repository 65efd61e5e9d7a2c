"""Who does something without end waits; nobody else does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captive_portal import rate_limit
from captive_portal.rate_limit import TokenBucket

ANA, BEN = "02:00:00:00:00:0a", "02:00:00:00:00:0b"


def test_nobody_who_presses_buttons_ever_waits() -> None:
    many = TokenBucket(20, 1)
    assert all(many.take(ANA, second) for second in range(10_000))


def test_a_program_that_presses_without_end_waits_and_others_do_not() -> None:
    many = TokenBucket(20, 1)
    assert [True] * 20 + [False] * 9 == [many.take(ANA, 5.0) for _ in range(29)]
    assert many.take(BEN, 5.0)
    assert many.take(ANA, 6.0)
    assert not many.take(ANA, 6.5)


@given(st.lists(st.floats(0, 3), max_size=100), st.floats(0.1, 4))
def test_in_any_time_there_is_no_more_than_promised(pauses: list[float], per_s: float) -> None:
    many, now, done = TokenBucket(20, per_s), 0.0, 0
    for pause in pauses:
        now += pause
        done += many.take(ANA, now)
        assert done <= 20 + now * per_s + 1e-6


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "DEVICES_MAX", 3)
    many = TokenBucket(20, 1)
    for number in range(9):
        many.take(f"device {number}", 1.0)
    assert 3 == len(many)

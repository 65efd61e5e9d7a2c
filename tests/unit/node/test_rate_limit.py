"""A burst at once, then a steady rate; a device over its rate waits, and no other does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node import rate_limit
from node.rate_limit import DeviceRateLimit, TokenBucket

ANA, BEN = "02:00:00:00:00:0a", "02:00:00:00:00:0b"


def test_no_person_who_presses_buttons_ever_waits() -> None:
    many = DeviceRateLimit(20, 1)
    assert all(many.take(ANA, second) for second in range(10_000))


def test_a_program_that_repeats_a_form_waits_and_other_devices_do_not() -> None:
    many = DeviceRateLimit(20, 1)
    assert [True] * 20 + [False] * 9 == [many.take(ANA, 5.0) for _ in range(29)]
    assert many.take(BEN, 5.0)
    assert many.take(ANA, 6.0)
    assert not many.take(ANA, 6.5)


@given(st.lists(st.floats(0, 3), max_size=100), st.floats(0.1, 4))
def test_no_period_exceeds_burst_plus_rate(pauses: list[float], per_s: float) -> None:
    many, now, done = DeviceRateLimit(20, per_s), 0.0, 0
    for pause in pauses:
        now += pause
        done += many.take(ANA, now)
        assert done <= 20 + now * per_s + 1e-6


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "DEVICES_MAX", 3)
    many = DeviceRateLimit(20, 1)
    for number in range(9):
        many.take(f"device {number}", 1.0)
    assert 3 == len(many)


def test_a_burst_passes_and_then_as_many_as_come_each_second() -> None:
    bucket = TokenBucket(3, 2, 10.0)
    assert [True, True, True, False] == [bucket.take(10.0) for _ in range(4)]
    assert [True, True, False] == [bucket.take(11.0) for _ in range(3)]
    assert [True, True, True, False] == [bucket.take(100.0) for _ in range(4)]


def test_what_is_refused_takes_nothing() -> None:
    bucket = TokenBucket(3, 1, 0.0)
    assert not bucket.take(0.0, 4)
    assert bucket.take(0.0, 3)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 6)), max_size=50))
def test_never_more_passes_than_the_burst_and_what_came_since(requests: list[tuple[int, int]]) -> None:
    bucket, now, passed = TokenBucket(5, 2, 0.0), 0, 0
    for waited, tokens in requests:
        now += waited
        passed += tokens if bucket.take(now, tokens) else 0
        assert passed <= 5 + 2 * now

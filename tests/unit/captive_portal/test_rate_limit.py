"""The token bucket: a device over its rate waits, and no other does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captive_portal import rate_limit
from captive_portal.rate_limit import DeviceRateLimit

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

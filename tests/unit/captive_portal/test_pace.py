"""Who changes things without end waits; nobody else does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captive_portal import pace
from captive_portal.pace import AT_ONCE_MAX, PER_S, Pace
from node.units import MacAddress

ANA, BEN = MacAddress("02:00:00:00:00:0a"), MacAddress("02:00:00:00:00:0b")


def test_nobody_who_presses_buttons_ever_waits() -> None:
    many = Pace()
    assert all(many.may_change(ANA, second) for second in range(10_000))


def test_a_program_that_presses_without_end_waits_and_others_do_not() -> None:
    many = Pace()
    assert [True] * AT_ONCE_MAX + [False] * 9 == [many.may_change(ANA, 5.0) for _ in range(AT_ONCE_MAX + 9)]
    assert many.may_change(BEN, 5.0)
    assert many.may_change(ANA, 6.0)
    assert not many.may_change(ANA, 6.5)


@given(st.lists(st.floats(0, 3), max_size=400))
def test_in_any_time_there_are_no_more_changes_than_promised(pauses: list[float]) -> None:
    many, now, made = Pace(), 0.0, 0
    for pause in pauses:
        now += pause
        made += many.may_change(ANA, now)
        assert made <= AT_ONCE_MAX + now * PER_S + 1e-6


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "DEVICES_MAX", 3)
    many = Pace()
    for number in range(9):
        many.may_change(MacAddress(f"02:00:00:00:00:{number:02x}"), 1.0)
    assert 3 == len(many)

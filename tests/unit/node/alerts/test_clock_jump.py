"""Jumps of the clock."""

import pytest

from node.alerts.clock_jump import ClockReading, jump_s
from node.units import Monotonic


@pytest.mark.parametrize("moved", [300, -300, 86_400 * 3_650, -86_400 * 20_000])
def test_a_synchronized_clock_that_was_set_has_jumped(moved: int) -> None:
    before = ClockReading(1_800_000_000, Monotonic(5_000), True)
    assert moved == jump_s(before, ClockReading(1_800_000_015 + moved, Monotonic(20_000), False))


def test_time_that_goes_by_is_no_jump_and_neither_is_what_a_time_server_sets_at_a_start() -> None:
    before = ClockReading(1_800_000_000, Monotonic(5_000), True)
    assert 0 == jump_s(before, ClockReading(1_800_000_299, Monotonic(5_000), True))
    assert 0 == jump_s(before, ClockReading(1_800_086_400, Monotonic(86_405_000), True))
    assert 0 == jump_s(None, before)
    assert 0 == jump_s(ClockReading(0, Monotonic(0), False), before)

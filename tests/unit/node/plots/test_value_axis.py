"""The axis of values: round numbers around all values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.plots.value_axis import INTERVALS_MAX, ValueAxis, value_axis

UNITS = ("bit_per_s", "bytes", "ms", "permille", "count", "s", "celsius_milli")
values = st.integers(-(10**30), 10**30)


@given(values, values, st.sampled_from(UNITS), st.integers(1, 1000))
def test_every_value_is_on_the_axis(one, other, unit, height) -> None:
    low, high = sorted((one, other))
    axis = value_axis(low, high, unit)
    assert axis.bottom <= low <= high <= axis.top
    assert 2 <= len(axis.ticks) <= INTERVALS_MAX + 1
    assert len({after - before for before, after in zip(axis.ticks, axis.ticks[1:], strict=False)}) == 1
    assert 0 <= axis.level(high, height) <= axis.level(low, height) <= height
    if unit != "celsius_milli":
        assert 0 in axis.ticks


@pytest.mark.parametrize(
    ("low", "high", "unit", "ticks"),
    [
        (0, 19_800_000, "bit_per_s", (0, 5_000_000, 10_000_000, 15_000_000, 20_000_000)),
        (0, 0, "count", (0, 1)),
        (0, 0, "bit_per_s", (0, 1000)),
        (0, 5000, "s", (0, 1800, 3600, 5400)),
        (0, 90_000, "s", (0, 43_200, 86_400, 129_600)),
        (-5200, 3700, "celsius_milli", (-10_000, -5000, 0, 5000)),
        (21_000, 21_000, "celsius_milli", (21_000, 22_000)),
        (0, 1000, "permille", (0, 500, 1000)),
    ],
)
def test_numbers_are_round(low, high, unit, ticks) -> None:
    assert ticks == value_axis(low, high, unit).ticks


def test_what_is_beyond_the_axis_is_drawn_at_its_end() -> None:
    axis = ValueAxis((0, 10))
    assert (0, 100, 50) == (axis.level(99, 100), axis.level(-99, 100), axis.level(5, 100))

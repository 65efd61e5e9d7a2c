"""The axis of the values: which part of them a plot shows, and round numbers along it."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from node.history.window import Unit

INTERVALS_MAX = 4
"""Between the round numbers."""
_DURATIONS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200)
_DAY_S = 86_400
_LEAST_STEP: dict[Unit, int] = {"celsius_milli": 1000, "bit_per_s": 1000, "bytes": 1000}
"""Steps are at least so large, so that an axis of nothing has sensible numbers too."""


@dataclass(frozen=True, slots=True)
class ValueAxis:
    """From the lowest to the highest value that is shown."""

    ticks: tuple[int, ...]
    """Round numbers at equal distances, upwards; the first and the last are the ends of the axis."""

    @property
    def bottom(self) -> int:
        return self.ticks[0]

    @property
    def top(self) -> int:
        return self.ticks[-1]

    def level(self, value: int, height: int) -> int:
        """How far below the top the value is drawn, if the axis is so high; within the axis for every value."""
        from_top = (self.top - value) * height // (self.top - self.bottom)
        return max(0, min(height, from_top))


def value_axis(low: int, high: int, unit: Unit) -> ValueAxis:
    """Includes all values between the two. It begins at zero, except for temperatures, whose zero means nothing."""
    if unit != "celsius_milli":
        low, high = min(low, 0), max(high, 0)
    for step in _steps(unit):
        first, last = low // step, -(-high // step)
        if last - first <= INTERVALS_MAX:
            last = max(last, first + 1)
            return ValueAxis(tuple(number * step for number in range(first, last + 1)))
    raise AssertionError("steps have no end")


def _steps(unit: Unit) -> Iterator[int]:
    if unit == "s":
        yield from _DURATIONS_S
    least = _DAY_S if unit == "s" else _LEAST_STEP.get(unit, 1)
    for exponent in count():
        for digit in (1, 2, 5):
            yield least * digit * 10**exponent

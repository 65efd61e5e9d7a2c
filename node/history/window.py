"""A stretch of one series, as plots, tables and exports read it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

LONGEST_S = 3 * 366 * 86_400
"""How far back one can reach: three years."""

Unit = Literal["bit_per_s", "bytes", "ms", "permille", "count", "s", "celsius_milli"]


class Point(NamedTuple):
    """What a series was in one step: the least, the mean and the most of its raw values, in the unit of the series."""

    least: int
    mean: int
    most: int


@dataclass(frozen=True, slots=True)
class HistoryWindow:
    """Points of one series in steps of the same length, oldest first."""

    series: str
    unit: Unit
    begin_s: int
    """Unix time at which the first step begins."""
    step_s: int
    """10, 300, 3600 or 86400. A step of 86400 is a civil day of the node's time zone: it can have 23 or 25 hours."""
    points: tuple[Point | None, ...]
    """None: not known (a gap)."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known in all of it."""
        return not any(point is not None for point in self.points)

    @property
    def mean(self) -> int | None:
        """As `mean_of`, of all points."""
        return mean_of(self.points)


def mean_of(points: Iterable[Point | None]) -> int | None:
    """Of the means of those that are known, rounded down; None if nothing is known."""
    known = [point.mean for point in points if point is not None]
    return sum(known) // len(known) if known else None

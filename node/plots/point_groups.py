"""Points of a window taken together: as many as a picture has room for, or those of an hour, a day or a month."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from node.history.series import combine_of
from node.history.window import HistoryWindow, Point
from node.plots.time_scale import TimeScale

type Points = Sequence[Point | None]


@dataclass(frozen=True, slots=True)
class PointGroup:
    """Points of one hour, day or month of the node's civil time."""

    begin: datetime
    point: Point | None
    total: int
    """Sum of the means."""
    known_s: int
    """How many seconds are known."""


def is_sum(window: HistoryWindow) -> bool:
    """Whether its values are events or seconds of a step, which are added up."""
    return combine_of(window.series) == "sum"


def together(points: Iterable[Point | None]) -> Point | None:
    """The least of the least, the mean of the means, the most of the most; None if nothing is known."""
    known = [each for each in points if each is not None]
    if not known:
        return None
    mean = sum(each.mean for each in known) // len(known)
    return Point(min(each.least for each in known), mean, max(each.most for each in known))


def decimated(points: Points, most: int) -> tuple[Point | None, ...]:
    """At most so many, each for the same number of points; a gap where nothing of these is known."""
    width = max(1, -(-len(points) // most))
    if width == 1:
        return tuple(points)
    return tuple(together(points[at : at + width]) for at in range(0, len(points), width))


def grouped(
    window: HistoryWindow, scale: TimeScale, key: Callable[[datetime], Hashable]
) -> tuple[PointGroup, ...]:
    """Points that follow each other and have the same key, by the civil time at which they begin."""
    begins = ((scale.begin_of(step), point) for step, point in enumerate(window.points))
    found = []
    for _, each in groupby(begins, lambda pair: key(pair[0])):
        pairs = list(each)
        points = [point for _, point in pairs]
        known = [point.mean for point in points if point is not None]
        found.append(PointGroup(pairs[0][0], together(points), sum(known), len(known) * window.step_s))
    return tuple(found)

"""Evenings on which the line was full: one of their hours at least, in its mean."""

from collections.abc import Iterable
from datetime import datetime

from node.history.window import Point

EVENING = range(18, 23)
"""Hours of an evening; in each of them the line is looked at alone."""
FULL_PERCENT = 90
"""Of the rate of the line, from which on it is full in the mean of an hour."""


def full_evenings(points: Iterable[tuple[datetime, Point]], full_at: int) -> tuple[int, int]:
    """(evenings with a full hour, evenings of which something is known). `points`: known steps of an hour or less of the
    use of the line, each with its begin in local time; `full_at`: the rate of the line."""
    hours: dict[tuple[int, int], list[int]] = {}
    for at, point in points:
        if at.hour in EVENING:
            hours.setdefault((at.toordinal(), at.hour), []).append(point.mean)
    full = {
        day for (day, _), means in hours.items() if sum(means) // len(means) * 100 >= full_at * FULL_PERCENT
    }
    return len(full), len({day for day, _ in hours})

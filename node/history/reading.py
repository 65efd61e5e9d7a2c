"""Windows of a series, from its chunks, from hours that are in no chunk yet, and from the last ten-second steps."""

from collections.abc import Callable, Mapping
from datetime import tzinfo

from node.history.packing import Sheet
from node.history.roll_ups import (
    DAY_S,
    FIVE_MINUTES_S,
    HOUR_S,
    RECENT_S,
    StepKey,
    step_begins,
    step_key,
    step_keys,
)
from node.history.series import Series
from node.history.steps import Step, Steps, joined
from node.history.window import LONGEST_S, HistoryWindow, Point

KEPT_S = {RECENT_S: HOUR_S, FIVE_MINUTES_S: 14 * DAY_S, HOUR_S: 90 * DAY_S, DAY_S: LONGEST_S}
"""For how long steps of each length are there."""
POINTS_MAX = 5_000
"""In a window; what was before is left out."""


def step_for(begin_s: int, now_s: int) -> int:
    """The length of the shortest steps that are kept for so long."""
    return next((step_s for step_s, kept_s in KEPT_S.items() if now_s - begin_s <= kept_s), DAY_S)


def chunk_days(step_s: int, begin_s: int, end_s: int, zone: tzinfo) -> tuple[int, ...]:
    """First days of the chunks that a window of stored steps needs."""
    return tuple(
        dict.fromkeys(key.begun_day for key in step_keys(step_s, *_clipped(step_s, begin_s, end_s), zone))
    )


def stored_window(
    series: Series,
    step_s: int,
    span: tuple[int, int],
    zone: tzinfo,
    *,
    chunks: Mapping[int, Steps],
    hours: Mapping[int, Sheet],
) -> HistoryWindow:
    """Steps that a span of Unix times touches. `chunks`: of this series and length, by the number of their first day;
    `hours`: those that are in no chunk."""
    span = _clipped(step_s, *span)
    later = _in_hours(hours, series.name, step_s, zone)
    found = (
        joined(chunks[key.begun_day].get(key.at) if key.begun_day in chunks else None, later.get(key))
        for key in step_keys(step_s, *span, zone)
    )
    points = tuple(_point(series, step) for step in found)
    return HistoryWindow(
        series.name, series.unit, next(step_begins(step_s, *span, zone), span[0]), step_s, points
    )


def recent_window(
    series: Series, span: tuple[int, int], zone: tzinfo, find: Callable[[int], Step | None]
) -> HistoryWindow:
    """`find`: the step of ten seconds that begins at a Unix time."""
    begins = tuple(step_begins(RECENT_S, *_clipped(RECENT_S, *span), zone))
    points = tuple(_point(series, find(each)) for each in begins)
    return HistoryWindow(series.name, series.unit, begins[0] if begins else span[0], RECENT_S, points)


def _clipped(step_s: int, begin_s: int, end_s: int) -> tuple[int, int]:
    return max(begin_s, end_s - POINTS_MAX * step_s), end_s


def _point(series: Series, step: Step | None) -> Point | None:
    if step is None:
        return None
    if series.combine == "sum":
        return Point(step.total, step.total, step.total)
    return Point(step.least, step.mean, step.most)


def _in_hours(
    hours: Mapping[int, Sheet], series: str, step_s: int, zone: tzinfo
) -> Mapping[StepKey, Step | None]:
    found: dict[StepKey, Step | None] = {}
    for hour_s, sheet in hours.items():
        for place, step in enumerate(sheet.get(series, ())):
            if step is not None:
                key = step_key(step_s, hour_s + place * FIVE_MINUTES_S, zone)
                found[key] = joined(found.get(key), step)
    return found

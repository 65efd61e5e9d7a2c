"""The values of a plot as a table that people can read, and as CSV with every point."""

import csv
import io
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import datetime, tzinfo

from node.history.window import HistoryWindow
from node.plots.amounts import amount_text
from node.plots.plot_words import moment_text
from node.plots.point_groups import grouped
from node.plots.time_axis import day_text, month_text
from node.plots.time_scale import TimeScale, time_scale
from node.translator import Translator

ROWS_MAX = 62
CSV_HEAD = ("begin", "series", "unit", "least", "mean", "most")


@dataclass(frozen=True, slots=True)
class PointRow:
    """One row; the values are empty where nothing is known."""

    time: str
    least: str
    mean: str
    most: str


def point_rows(window: HistoryWindow, zone: tzinfo | None, words: Translator) -> tuple[PointRow, ...]:
    """By five minutes, hours, days or months, in the order of time: the latest `ROWS_MAX` at most."""
    scale = time_scale(window, zone)
    key, said = _rows_by(scale, words)
    groups = grouped(window, scale, key)[-ROWS_MAX:]
    return tuple(
        PointRow(
            said(each.begin),
            *(
                ("", "", "")
                if each.point is None
                else (amount_text(v, window.unit, words) for v in each.point)
            ),
        )
        for each in groups
    )


def points_csv(window: HistoryWindow, zone: tzinfo | None) -> str:
    """Every point, with the local time at which it begins and its offset from UTC; values in the unit of the series."""
    scale = time_scale(window, zone)
    written = io.StringIO()
    rows = csv.writer(written)
    rows.writerow(CSV_HEAD)
    for step, point in enumerate(window.points):
        values = ("", "", "") if point is None else point
        rows.writerow((scale.begin_of(step).isoformat(), window.series, window.unit, *values))
    return written.getvalue()


def _rows_by(
    scale: TimeScale, words: Translator
) -> tuple[Callable[[datetime], Hashable], Callable[[datetime], str]]:
    """What the points of a row have in common, and how it is said."""
    hours = scale.length_s // 3600
    if hours <= 2:
        return lambda at: (at.hour, at.minute // 5), lambda at: f"{at:%H:%M}"
    if hours <= 48:
        return lambda at: (at.date(), at.hour), lambda at: moment_text(at, words)
    if hours <= ROWS_MAX * 24:
        return datetime.date, lambda at: day_text(at.date(), words)
    return lambda at: (at.year, at.month), lambda at: month_text(at.date(), words)

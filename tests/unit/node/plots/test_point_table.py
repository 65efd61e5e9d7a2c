"""The values as a table and as CSV."""

import csv
import io
from datetime import UTC
from zoneinfo import ZoneInfo

import pytest

from node.history.window import HistoryWindow, Point
from node.plots.point_table import ROWS_MAX, PointRow, point_rows, points_csv
from node.translator import ENGLISH
from tests.fakes.history_windows import village_window

MADRID = ZoneInfo("Europe/Madrid")


@pytest.mark.parametrize(
    ("period", "rows", "last"),
    [
        ("hour", 12, "21:55"),
        ("day", 25, "28 November 2026, 21:00"),
        ("month", 31, "28 Nov"),
        ("years", 37, "Nov 2026"),
    ],
)
def test_rows_are_as_many_as_people_read(period, rows, last) -> None:
    found = point_rows(village_window(period), MADRID, ENGLISH)
    assert len(found) in {rows, rows - 1}
    assert len(found) <= ROWS_MAX
    assert last == found[-1].time


def test_what_is_not_known_stays_empty() -> None:
    window = HistoryWindow("x", "ms", 0, 300, (Point(-1, 2, 3), None))
    assert (PointRow("00:00", "\u200e−1 ms", "2 ms", "3 ms"), PointRow("00:05", "", "", "")) == point_rows(
        window, UTC, ENGLISH
    )


def test_csv_has_every_point_with_its_local_time() -> None:
    window = village_window("month")
    rows = list(csv.DictReader(io.StringIO(points_csv(window, MADRID))))
    assert len(rows) == len(window.points)
    read = tuple(
        Point(int(row["least"]), int(row["mean"]), int(row["most"])) if row["mean"] else None for row in rows
    )
    assert window.points == read
    assert rows[0]["begin"].endswith("+01:00")
    assert {("line_down", "bit_per_s")} == {(row["series"], row["unit"]) for row in rows}

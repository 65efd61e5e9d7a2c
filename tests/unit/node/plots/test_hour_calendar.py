"""A calendar of busy hours: each hour of the week is where it belongs, and an unknown one has no shade."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from node.history.window import HistoryWindow, Point
from node.plots.hour_calendar import LEVEL_NAMES, hour_calendar, week_hours
from node.plots.plot_words import PlotTexts
from node.translator import ENGLISH
from tests.fakes.svg_pictures import SVG, inline, places_of, read_svg

MONDAY_S = int(datetime(2026, 11, 2, tzinfo=UTC).timestamp())


def window_of(*means: int | None, step_s: int = 3600) -> HistoryWindow:
    points = tuple(None if each is None else Point(each, each, each) for each in means)
    return HistoryWindow("x", "count", MONDAY_S, step_s, points)


def cells(window: HistoryWindow) -> dict[tuple[int, int], str]:
    root = read_svg(inline(hour_calendar(window, UTC, PlotTexts("", ()), ENGLISH).part("a")))
    return {
        (int(y) // 10, int(x) // 10): each.attrib["class"]
        for each in root.iter(f"{SVG}path")
        for cell in each.attrib["d"].split("M")[1:]
        for x, y in places_of(f"M{cell}")[:1]
    }


def test_each_hour_is_in_its_place_and_the_darker_the_more() -> None:
    found = cells(window_of(0, 100, *(None,) * 22, 50))
    assert len(found) == 7 * 24
    assert [LEVEL_NAMES[0], LEVEL_NAMES[-1], "none"] == [found[0, hour] for hour in (0, 1, 2)]
    assert (LEVEL_NAMES[2], "none") == (found[1, 0], found[6, 23])


def test_weeks_are_taken_together_in_the_time_of_the_zone() -> None:
    hours = week_hours(window_of(*(4,) * 168, *(8,) * 168), ZoneInfo("Asia/Tokyo"))
    assert {6} == {each.mean for each in hours.values()}
    assert {(0, 9): Point(7, 7, 7)} == week_hours(window_of(7), ZoneInfo("Asia/Tokyo"))


@pytest.mark.parametrize("window", [window_of(), window_of(None), window_of(5, 6, step_s=86_400)])
def test_without_hours_no_cell_has_a_shade(window) -> None:
    assert {"none"} == set(cells(window).values())


def test_shades_begin_at_zero() -> None:
    assert {LEVEL_NAMES[0]} == set(cells(window_of(*(0,) * 168)).values())
    assert {LEVEL_NAMES[-1]} == set(cells(window_of(*(5,) * 168)).values())

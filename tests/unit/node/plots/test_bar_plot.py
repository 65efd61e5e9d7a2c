"""A bar for each day or month: its level is the volume, and a day of which nothing is known has no bar."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from node.history.window import HistoryWindow, Point
from node.plots.bar_plot import bar_groups, bar_plot, bar_values
from node.plots.plot import LEVELS
from node.plots.plot_words import PlotTexts
from node.translator import ENGLISH
from tests.fakes.history_windows import village_window
from tests.fakes.svg_pictures import SVG, inline, places_of, read_svg

NOVEMBER_S = int(datetime(2026, 11, 1, tzinfo=UTC).timestamp())


def window_of(*points: Point | None, unit="bit_per_s", step_s=3600) -> HistoryWindow:
    return HistoryWindow("x", unit, NOVEMBER_S, step_s, points)


def bars(window: HistoryWindow) -> dict[str, list[list[tuple[float, float]]]]:
    root = read_svg(inline(bar_plot(window, UTC, PlotTexts("", ()), ENGLISH).part("a")))
    return {
        each.attrib["class"]: [places_of(f"M{bar}") for bar in each.attrib["d"].split("M")[1:]]
        for each in root.iter(f"{SVG}path")
    }


def rate(value: int) -> Point:
    return Point(0, value, value)


def test_of_a_rate_a_bar_is_the_volume_of_what_is_known() -> None:
    window = window_of(*(rate(8000),) * 24, *(rate(8000),) * 12, *(None,) * 12, *(None,) * 24)
    values, unit = bar_values(bar_groups(window, UTC), "bit_per_s")
    assert (unit, values) == ("bytes", (86_400_000, 43_200_000, None))


def test_of_anything_else_it_is_the_mean() -> None:
    window = window_of(*(Point(1, each, 99) for each in range(24)), unit="count")
    assert ((11,), "count") == bar_values(bar_groups(window, UTC), "count")


def test_a_day_of_which_nothing_is_known_has_no_bar_and_half_a_day_a_pale_one() -> None:
    drawn = bars(window_of(*(rate(0),) * 24, *(rate(8000),) * 12, *(None,) * 12, *(None,) * 24))
    assert {"bar": 1, "bar part": 1, "gap": 1} == {kind: len(each) for kind, each in drawn.items()}
    assert {LEVELS} == {y for _, y in drawn["bar"][0]}


def test_a_bar_begins_at_zero() -> None:
    (bar,) = bars(window_of(*(rate(-5),) * 24, unit="count"))["bar"]
    assert min(y for _, y in bar) == 0
    (bar,) = bars(window_of(*(rate(-5000),) * 24, unit="celsius_milli"))["bar"]
    assert max(y for _, y in bar) == LEVELS


def test_days_are_those_of_the_zone_also_when_clocks_change() -> None:
    begin_s = int(datetime(2026, 10, 24, 22, tzinfo=UTC).timestamp())
    window = HistoryWindow("x", "count", begin_s, 3600, (rate(1),) * 49)
    groups = bar_groups(window, ZoneInfo("Europe/Madrid"))
    assert [(25, 25), (26, 24)] == [(each.begin.day, each.known_s // 3600) for each in groups]


def test_three_years_are_months() -> None:
    groups = bar_groups(village_window("years"), UTC)
    assert len(groups) == 37
    assert len({(each.begin.year, each.begin.month) for each in groups}) == 37
    root = read_svg(inline(bar_plot(village_window("years"), UTC, PlotTexts("", ()), ENGLISH).part("a")))
    texts = [each.text for each in root.iter(f"{SVG}text") if not each.get("class")]
    assert {"2024", "2025", "2026"} <= set(texts)

"""A line with a band: any window is drawn within the picture and the limit, and no gap is drawn as a value."""

from datetime import UTC, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.history.window import HistoryWindow, Point
from node.plots.bar_plot import bar_plot
from node.plots.hour_calendar import hour_calendar
from node.plots.line_plot import COLUMNS_MAX, line_plot
from node.plots.plot import LEVELS, WIDTH_MAX, WIDTH_MIN
from node.plots.plot_words import PlotTexts, sentences
from node.translator import ENGLISH
from tests.fakes.history_windows import LINE, STEPS, temperature_window, village_window
from tests.fakes.svg_pictures import SVG, inline, outside, places_of, read_svg

BYTES_MAX = 12_000
MADRID = ZoneInfo("Europe/Madrid")
KINDS = (line_plot, bar_plot, hour_calendar)
values = st.integers(-(2**63), 2**63 - 1)
points = st.one_of(st.none(), st.tuples(values, values, values).map(lambda three: Point(*sorted(three))))
windows = st.builds(
    HistoryWindow,
    series=st.sampled_from(["line_down", "<script>&\"'\x00"]),
    unit=st.sampled_from(["bit_per_s", "bytes", "ms", "permille", "count", "s", "celsius_milli"]),
    begin_s=st.integers(0, 4_102_444_800),
    step_s=st.sampled_from([10, 300, 3600, 86_400]),
    points=st.one_of(
        st.lists(points, max_size=60).map(tuple),
        st.tuples(points, points, st.integers(0, 2000)).map(lambda each: each[:2] * each[2]),
    ),
)
zones = st.sampled_from(
    [UTC, MADRID, ZoneInfo("Asia/Kathmandu"), ZoneInfo("Pacific/Apia"), timezone(timedelta(hours=-9))]
)


@given(windows, zones, st.sampled_from(KINDS), st.booleans(), st.text(max_size=40), st.integers(-5, 5000))
def test_any_window_is_a_well_formed_picture_within_its_limits(
    window, zone, kind, is_rtl, name, width
) -> None:
    texts = PlotTexts(f"{window.series} {name}", sentences(window, zone, ENGLISH, full_at=LINE))
    plot = kind(window, zone, texts, ENGLISH, is_rtl=is_rtl)
    alone = plot.alone(name, "en", width)
    assert len(alone.encode()) <= BYTES_MAX
    root = read_svg(alone)
    assert WIDTH_MIN <= int(root.attrib["width"]) <= WIDTH_MAX
    assert outside(root) == []
    assert outside(read_svg(inline(plot.part("a")))) == []
    assert {each.tag for each in root.iter()} <= {
        f"{SVG}{tag}" for tag in ("svg", "title", "desc", "style", "rect", "text", "line", "path", "g")
    }


def lines(window: HistoryWindow, kind: str = "mean") -> list[list[tuple[float, float]]]:
    """The lines of a plot, each with its points."""
    plot = line_plot(window, UTC, PlotTexts("", ()), ENGLISH)
    root = read_svg(inline(plot.part("a")))
    paths = [each.attrib["d"] for each in root.iter(f"{SVG}path") if each.get("class") == kind]
    return [places_of(f"M{each}") for path in paths for each in path.split("M")[1:]]


@given(st.lists(st.booleans(), min_size=1, max_size=COLUMNS_MAX))
def test_a_gap_is_never_drawn_as_a_value(known) -> None:
    drawn = tuple(Point(1, 2, 3) if each else None for each in known)
    window = HistoryWindow("x", "count", 0, 10, drawn)
    for kind in ("mean", "band"):
        reached = {
            column
            for line in lines(window, kind)
            for column in range(int(min(x for x, _ in line)) // 2, int(max(x for x, _ in line)) // 2)
        }
        assert reached == {column for column, each in enumerate(known) if each}
    gaps = {
        column
        for line in lines(window, "gap")
        for column in range(int(min(x for x, _ in line)) // 2, int(max(x for x, _ in line)) // 2)
    }
    assert gaps == {column for column, each in enumerate(known) if not each}


def test_levels_are_those_of_the_values() -> None:
    window = HistoryWindow("x", "count", 0, 10, (Point(0, 0, 0), Point(0, 5, 10), Point(10, 10, 10)))
    assert [[(0, LEVELS), (1, LEVELS), (3, LEVELS // 2), (5, 0), (6, 0)]] == lines(window)


def test_the_busiest_moment_of_a_long_window_is_drawn() -> None:
    usual = Point(1, 1, 1)
    window = HistoryWindow("x", "count", 0, 10, (usual,) * 2000 + (Point(1, 1, 1000),) + (usual,) * 2000)
    (band,) = lines(window, "band")
    assert min(y for _, y in band) == 0
    assert max(x for x, _ in band) <= 2 * COLUMNS_MAX


@pytest.mark.parametrize("window", [*(village_window(each) for each in STEPS), temperature_window()])
def test_real_windows_stay_far_below_the_limit(window) -> None:
    for kind in KINDS:
        texts = PlotTexts("Use of the line", sentences(window, MADRID, ENGLISH, full_at=LINE))
        assert len(kind(window, MADRID, texts, ENGLISH).alone("Vall Alta", "en").encode()) < 9_000

"""A line of the means, with a band from the least to the most; nothing is drawn where nothing is known."""

from collections.abc import Iterator, Sequence
from datetime import tzinfo
from itertools import pairwise

from node.history.window import HistoryWindow, Point
from node.plots.amounts import axis_texts
from node.plots.plot import FOOT, HEAD, HEIGHT, LEVELS, Plot, framed, path
from node.plots.plot_words import PlotTexts, gaps_of
from node.plots.point_groups import decimated
from node.plots.time_axis import time_marks
from node.plots.time_scale import time_scale
from node.plots.value_axis import ValueAxis, value_axis
from node.translator import Translator

COLUMNS_MAX = 320
"""Points that are drawn: at most as many as a phone has pixels."""
_COLUMN = 2
"""Width of one in the inner picture, so that its middle is a whole number."""


def line_plot(
    window: HistoryWindow,
    zone: tzinfo | None,
    texts: PlotTexts,
    words: Translator,
    *,
    is_rtl: bool = False,
) -> Plot:
    columns = decimated(window.points, COLUMNS_MAX)
    known = [each for each in columns if each is not None]
    low = min((each.least for each in known), default=0)
    high = max((each.most for each in known), default=0)
    axis = value_axis(low, high, window.unit)
    inner = "".join(
        (
            path("gap", (_gap(begin, length) for begin, length in gaps_of(columns))),
            path("band", (_band(begin, run, axis) for begin, run in _runs(columns))),
            path("mean", (_line(begin, run, axis) for begin, run in _runs(columns))),
        )
    )
    body = framed(
        inner,
        max(1, len(columns)) * _COLUMN,
        axis,
        axis_texts(axis.ticks, window.unit, words),
        time_marks(time_scale(window, zone), words),
        is_rtl=is_rtl,
    )
    return Plot(body, HEAD + HEIGHT + FOOT, texts.title, texts.description, is_rtl)


def _runs(columns: Sequence[Point | None]) -> Iterator[tuple[int, list[Point]]]:
    """Known columns that follow each other, with the number of the first."""
    begin, run = 0, list[Point]()
    for number, each in enumerate((*columns, None)):
        if each is not None:
            if not run:
                begin = number
            run.append(each)
        elif run:
            yield begin, run
            run = []


def _line(begin: int, run: Sequence[Point], axis: ValueAxis) -> str:
    """From the begin of the first column through the middles of all to the end of the last."""
    levels = [axis.level(each.mean, LEVELS) for each in run]
    return f"M{begin * _COLUMN} {levels[0]}h1{_steps(levels)}h1"


def _band(begin: int, run: Sequence[Point], axis: ValueAxis) -> str:
    above = [axis.level(each.most, LEVELS) for each in run]
    below = [axis.level(each.least, LEVELS) for each in run]
    back = _steps(below[::-1], -_COLUMN)
    return f"M{begin * _COLUMN} {above[0]}h1{_steps(above)}h1V{below[-1]}h-1{back}h-1z"


def _steps(levels: Sequence[int], width: int = _COLUMN) -> str:
    """To each level from the one before; what is level is drawn as one piece."""
    drawn = []
    flat = 0
    for before, level in pairwise(levels):
        if level == before:
            flat += width
            continue
        if flat:
            drawn.append(f"h{flat}")
            flat = 0
        change = level - before
        drawn.append(f"l{width}{change}" if change < 0 else f"l{width} {change}")
    return "".join(drawn) + (f"h{flat}" if flat else "")


def _gap(begin: int, length: int) -> str:
    return f"M{begin * _COLUMN} 0h{length * _COLUMN}v{LEVELS}h-{length * _COLUMN}z"

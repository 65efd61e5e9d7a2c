"""A calendar of busy hours: for each day of the week and each of its hours the mean, the darker the more."""

from collections.abc import Mapping
from datetime import tzinfo

from node.governance.expressions import weekday_words
from node.governance.times import DAYS
from node.history.window import HistoryWindow, Point
from node.plots.amounts import amount_text
from node.plots.plot import Plot, beside, mirrored, path, percent, text
from node.plots.plot_words import PlotTexts
from node.plots.point_groups import together
from node.plots.time_scale import time_scale
from node.translator import Translator

ROW = 22
"""Pixels of a day."""
LEVEL_NAMES = ("box a", "box b", "box c", "box d", "box")
_CELL = 10
_HEAD, _KEY = 4, 34
_HOURS_SAID = 6
_BOX = 0.1
"""Part of the width for each shade in the key."""
type Hours = Mapping[tuple[int, int], Point]
"""By day of the week, Monday being 0, and hour; without those of which nothing is known."""


def hour_calendar(
    window: HistoryWindow,
    zone: tzinfo | None,
    texts: PlotTexts,
    words: Translator,
    *,
    is_rtl: bool = False,
) -> Plot:
    hours = week_hours(window, zone)
    most = max((point.mean for point in hours.values()), default=0)
    least = min(0, *(point.mean for point in hours.values())) if hours else 0
    height = len(DAYS) * ROW
    names = "".join(
        beside(_HEAD + number * ROW + 15, weekday_words(day, words), is_rtl=is_rtl)
        for number, day in enumerate(DAYS)
    )
    grid = (
        f'<svg y="{_HEAD}" width="100%" height="{height}" viewBox="0 0 {24 * _CELL} {len(DAYS) * _CELL}" '
        f'preserveAspectRatio="none">{mirrored(_cells(hours, least, most), 24 * _CELL, is_rtl=is_rtl)}</svg>'
    )
    said = amount_text(least, window.unit, words), amount_text(most, window.unit, words)
    below = _HEAD + height
    body = f"{names}{grid}{_hours(below + 17, is_rtl=is_rtl)}{_key(said, below + _KEY, is_rtl=is_rtl)}"
    return Plot(body, below + _KEY + 20, texts.title, texts.description, is_rtl, has_names=True)


def week_hours(window: HistoryWindow, zone: tzinfo | None) -> Hours:
    """Empty for steps that are longer than an hour."""
    if window.step_s > 3600:
        return {}
    scale = time_scale(window, zone)
    found: dict[tuple[int, int], list[Point]] = {}
    for step, point in enumerate(window.points):
        if point is not None:
            at = scale.begin_of(step)
            found.setdefault((at.weekday(), at.hour), []).append(point)
    points = {when: together(each) for when, each in found.items()}
    return {when: point for when, point in points.items() if point is not None}


def _cells(hours: Hours, least: int, most: int) -> str:
    kinds: dict[str, list[str]] = {name: [] for name in ("none", *LEVEL_NAMES)}
    for day in range(len(DAYS)):
        for hour in range(24):
            x, y = hour * _CELL, day * _CELL
            point = hours.get((day, hour))
            if point is None:
                kinds["none"].append(f"M{x + 3} {y + 5}h4")
            else:
                kinds[_level(point.mean, least, most)].append(f"M{x} {y}h9v9h-9z")
    return "".join(path(kind, parts) for kind, parts in kinds.items())


def _level(mean: int, least: int, most: int) -> str:
    last = len(LEVEL_NAMES) - 1
    if most == least:
        return LEVEL_NAMES[0]
    return LEVEL_NAMES[min(last, (mean - least) * len(LEVEL_NAMES) // (most - least))]


def _hours(y: int, *, is_rtl: bool) -> str:
    return "".join(text(hour / 24, y, f"{hour:02}:00", is_rtl=is_rtl) for hour in range(0, 24, _HOURS_SAID))


def _key(said: tuple[str, str], y: int, *, is_rtl: bool) -> str:
    """What the shades mean: the least and the most, with the shades in between."""
    boxes = "".join(
        f'<rect class="{name}" x="{percent(_box(number, is_rtl=is_rtl), is_rtl=is_rtl)}" '
        f'y="{y}" width="{100 * _BOX - 0.4:g}%" height="12"/>'
        for number, name in enumerate(LEVEL_NAMES)
    )
    after = text(_BOX * len(LEVEL_NAMES), y + 11, said[1], is_rtl=is_rtl, dx=6)
    return beside(y + 11, said[0], is_rtl=is_rtl) + boxes + after


def _box(number: int, *, is_rtl: bool) -> float:
    """The side of a box from which SVG draws it: the left one."""
    return _BOX * (number + 1 if is_rtl else number)

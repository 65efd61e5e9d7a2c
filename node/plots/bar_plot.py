"""A bar for each day, or for each month where there are too many days: of a rate the volume, of anything else the mean."""

from calendar import monthrange
from collections.abc import Sequence
from datetime import datetime, tzinfo

from node.history.window import HistoryWindow, Unit
from node.plots.amounts import axis_texts
from node.plots.plot import FOOT, HEAD, HEIGHT, LEVELS, Plot, framed, path
from node.plots.plot_words import PlotTexts
from node.plots.point_groups import PointGroup, grouped, is_sum
from node.plots.time_axis import MONTHS, NARROW_MAX, WIDE_MAX, TimeMark, day_text
from node.plots.time_scale import DAY_S, TimeScale, time_scale
from node.plots.value_axis import value_axis
from node.translator import Translator

DAYS_MAX = 62
BARS_MAX = 240
"""The latest; a month each is 20 years."""
WHOLE_PERCENT = 95
"""Of a day or a month that is known, from which on its bar is drawn as any other; below it is paler."""
_BAR, _SPACE = 6, 2
"""Widths in the inner picture."""


def bar_plot(
    window: HistoryWindow,
    zone: tzinfo | None,
    texts: PlotTexts,
    words: Translator,
    *,
    is_rtl: bool = False,
) -> Plot:
    groups = bar_groups(window, zone)[-BARS_MAX:]
    is_month = is_monthly(time_scale(window, zone))
    values, unit = bar_values(groups, window.unit, is_sum=is_sum(window))
    known = [each for each in values if each is not None]
    axis = value_axis(min(known, default=0), max(known, default=0), unit)
    zero = axis.level(0 if unit != "celsius_milli" else axis.bottom, LEVELS)
    bars: dict[str, list[str]] = {"gap": [], "bar": [], "bar part": []}
    for number, (group, value) in enumerate(zip(groups, values, strict=True)):
        x = number * (_BAR + _SPACE) + _SPACE // 2
        if value is None:
            bars["gap"].append(f"M{x} 0h{_BAR}v{LEVELS}h-{_BAR}z")
            continue
        level = axis.level(value, LEVELS)
        bars["bar" if _is_whole(group, is_month=is_month) else "bar part"].append(
            f"M{x} {zero}V{level}h{_BAR}V{zero}z"
        )
    body = framed(
        "".join(path(kind, parts) for kind, parts in bars.items()),
        max(1, len(groups)) * (_BAR + _SPACE),
        axis,
        axis_texts(axis.ticks, unit, words),
        _month_marks(groups, words) if is_month else _day_marks(groups, words),
        is_rtl=is_rtl,
    )
    return Plot(body, HEAD + HEIGHT + FOOT, texts.title, texts.description, is_rtl)


def bar_groups(window: HistoryWindow, zone: tzinfo | None) -> tuple[PointGroup, ...]:
    """Days of the window, or months."""
    scale = time_scale(window, zone)
    return grouped(window, scale, _month if is_monthly(scale) else datetime.date)


def is_monthly(scale: TimeScale) -> bool:
    return scale.length_s > DAYS_MAX * DAY_S


def bar_values(
    groups: Sequence[PointGroup], unit: Unit, *, is_sum: bool = False
) -> tuple[tuple[int | None, ...], Unit]:
    """What the bars show, and its unit: the volume of what is known of a rate, the sum of events and seconds, otherwise the
    mean."""
    if is_sum:
        sums = (None if each.point is None else each.total for each in groups)
        return tuple(sums), unit
    if unit != "bit_per_s":
        return tuple(None if each.point is None else each.point.mean for each in groups), unit
    volumes = (None if each.point is None else each.point.mean * each.known_s // 8 for each in groups)
    return tuple(volumes), "bytes"


def _is_whole(group: PointGroup, *, is_month: bool) -> bool:
    """Whether nearly all of its day or month is known; today is not over."""
    days = monthrange(group.begin.year, group.begin.month)[1] if is_month else 1
    return group.known_s * 100 >= days * DAY_S * WHOLE_PERCENT


def _month(at: datetime) -> tuple[int, int]:
    return at.year, at.month


def _day_marks(groups: Sequence[PointGroup], words: Translator) -> tuple[TimeMark, ...]:
    """Texts below the middle of bars at equal distances, the last one always."""
    count = len(groups)
    wide = -(-count // WIDE_MAX) or 1
    narrow = wide * -(-count // (wide * (NARROW_MAX - 1)))
    return tuple(
        TimeMark(
            (number + 0.5) / count, day_text(group.begin.date(), words), (count - 1 - number) % narrow != 0
        )
        for number, group in enumerate(groups)
        if (count - 1 - number) % wide == 0
    )


def _month_marks(groups: Sequence[PointGroup], words: Translator) -> tuple[TimeMark, ...]:
    """Years below their first months, as far as there is room, and on wide screens quarters."""
    count = len(groups)
    years, quarters = -(-count // (12 * NARROW_MAX)), count <= 3 * WIDE_MAX
    marks = []
    for number, group in enumerate(groups):
        at = group.begin
        is_year = at.month == 1 and at.year % years == 0
        if is_year or (quarters and at.month % 3 == 1):
            said = str(at.year) if at.month == 1 else words.gettext(MONTHS[at.month - 1])
            marks.append(TimeMark((number + 0.5) / count, said, not is_year))
    return tuple(marks)

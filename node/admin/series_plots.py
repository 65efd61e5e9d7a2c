"""How a series is shown to the person who reads a page: drawn, in sentences, and where its pictures and its values are."""

import re
from dataclasses import dataclass
from datetime import tzinfo

from node.admin.routes import AdminRequest
from node.app.admin_history import AdminHistoryService, SeriesHistory
from node.errors import NodeError
from node.history.roll_ups import DAY_S, HOUR_S
from node.history.window import LONGEST_S
from node.plots.bar_plot import bar_plot
from node.plots.hour_calendar import hour_calendar
from node.plots.line_plot import line_plot
from node.plots.plot import Plot
from node.plots.plot_words import PlotTexts, moment_text, sentences
from node.plots.time_scale import time_scale
from node.translator import LazyText, Translator, gettext_lazy, translate
from node.web.language_choice import Language

PATH = "/history"
PICTURE, TABLE = f"{PATH}/plot.svg", f"{PATH}/points.csv"
LINE = "line_down"
PERIODS: tuple[tuple[str, LazyText], ...] = (
    ("1h", gettext_lazy("The last hour")),
    ("1d", gettext_lazy("The last day")),
    ("30d", gettext_lazy("The last 30 days")),
    ("3y", gettext_lazy("The last three years")),
)
_LAST = re.compile(r"(\d{1,4})([hdy])", re.ASCII)
_UNITS_S = {"h": HOUR_S, "d": DAY_S, "y": 365 * DAY_S}
KINDS = {"line": line_plot, "days": bar_plot, "hours": hour_calendar}
DAYS_FROM_S, HOURS_FROM_S = 7 * DAY_S, 7 * DAY_S
"""How long a time has to be, so that bars and the hours of the week say something."""
HOURS_UP_TO_S = 92 * DAY_S
"""For longer times there is no history by the hour."""


@dataclass(frozen=True, slots=True)
class DrawnPlot:
    """One picture on the page."""

    heading: LazyText
    kind: str
    """Key of KINDS."""
    svg: str
    address: str


@dataclass(frozen=True, slots=True)
class SeriesReader:
    """How a series is shown to the person who reads the page."""

    found: SeriesHistory
    zone: tzinfo | None
    words: Translator
    language: Language

    @property
    def name(self) -> str:
        return self.found.series.name

    @property
    def title(self) -> LazyText:
        return self.found.series.title

    def texts(self) -> PlotTexts:
        said = sentences(self.found.window, self.zone, self.words, full_at=self.found.full_at)
        return PlotTexts(translate(self.found.series.title, self.words), said)

    def plot(self, kind: str, texts: PlotTexts) -> Plot:
        is_rtl = self.language.direction == "rtl"
        return KINDS[kind](self.found.window, self.zone, texts, self.words, is_rtl=is_rtl)

    def span(self) -> str:
        """From when to when."""
        scale = time_scale(self.found.window, self.zone)
        is_day = scale.step_s == DAY_S
        last = scale.begin_of(scale.steps - 1 if is_day else scale.steps)
        return self.words.gettext("{begin} to {end}").format(
            begin=moment_text(scale.begin, self.words, is_day=is_day),
            end=moment_text(last, self.words, is_day=is_day),
        )


@dataclass(frozen=True, slots=True)
class LinePlot:
    """The use of the line in one period, on the overview. Its methods draw: they are called by the template."""

    reader: SeriesReader
    last: str
    period: LazyText

    def svg(self, texts: PlotTexts) -> str:
        return self.reader.plot("line", texts).part(f"line-{self.last}")

    @property
    def address(self) -> str:
        """Of the page with the same."""
        return series_page(self.reader.name, self.last)


async def reader_of(
    history: AdminHistoryService, request: AdminRequest, name: str, last: str
) -> SeriesReader | None:
    """None if there is no such series. Can raise NodeError."""
    found = await history.last(name, seconds_of(last))
    return (
        None if found is None else SeriesReader(found, history.zone, request.translations, request.language)
    )


async def line_plots(history: AdminHistoryService, request: AdminRequest) -> tuple[LinePlot, ...]:
    """The last hour, day and month of the line; none while the history cannot be read."""
    plots = []
    for last, period in PERIODS[:3]:
        try:
            reader = await reader_of(history, request, LINE, last)
        except NodeError:
            return ()  # said by a warning
        if reader is not None:
            plots.append(LinePlot(reader, last, period))
    return tuple(plots)


def series_page(name: str, last: str = "30d") -> str:
    """Address of the page with a series."""
    return f"{PATH}?series={name}&last={last}"


def seconds_of(last: str) -> int:
    """Of a text such as ``24h``, ``30d`` or ``3y``; 0 for any other one, or for more than is kept."""
    match = _LAST.fullmatch(last)
    seconds = int(match[1]) * _UNITS_S[match[2]] if match else 0
    return seconds if seconds <= LONGEST_S else 0


def kinds_of(found: SeriesHistory) -> tuple[tuple[str, LazyText], ...]:
    """Plots of it with their headings: those of days and hours only where there are enough of them."""
    length_s = found.window.step_s * len(found.window.points)
    kinds = [("line", gettext_lazy("Over time"))]
    if length_s >= DAYS_FROM_S:
        is_long = length_s > HOURS_UP_TO_S
        kinds.append(("days", gettext_lazy("By month") if is_long else gettext_lazy("By day")))
    if HOURS_FROM_S <= length_s <= HOURS_UP_TO_S and found.window.step_s <= HOUR_S:
        kinds.append(("hours", gettext_lazy("By hour of the week")))
    return tuple(kinds)

"""How the network is and was: one series drawn and in words, as a table and as files, and its picture by address."""

import io
import re
from dataclasses import dataclass
from datetime import tzinfo

from node.admin.routes import (
    AdminDownload,
    AdminPicture,
    AdminRequest,
    AdminResponse,
    Answer,
    PageLayout,
    Route,
    not_there,
    page_layout,
)
from node.app.admin import AdminService
from node.app.admin_history import SeriesHistory
from node.history.series import SERIES
from node.plots.bar_plot import bar_plot
from node.plots.hour_calendar import hour_calendar
from node.plots.line_plot import line_plot
from node.plots.plot import STYLE, WIDTH, Plot
from node.plots.plot_words import PlotTexts, moment_text, sentences
from node.plots.point_table import PointRow, point_rows, points_csv
from node.plots.time_scale import time_scale
from node.translator import LazyText, Translator, gettext_lazy, isolated, translate
from node.web.language_choice import Language

PATH = "/history"
PICTURE, TABLE = f"{PATH}/plot.svg", f"{PATH}/points.csv"
HOUR_S, DAY_S = 3600, 86_400
PERIODS: tuple[tuple[str, LazyText], ...] = (
    ("1h", gettext_lazy("The last hour")),
    ("1d", gettext_lazy("The last day")),
    ("30d", gettext_lazy("The last 30 days")),
    ("3y", gettext_lazy("The last three years")),
)
LONGEST_S = 3 * 366 * DAY_S
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
class HistoryReader:
    """How a series is shown to the person who reads the page."""

    found: SeriesHistory
    zone: tzinfo | None
    words: Translator
    language: Language

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
class HistoryPage:
    """One series in one period. Its methods draw: they are called in the thread that renders the page."""

    template = "history.html"
    style = STYLE
    frame: PageLayout
    reader: HistoryReader
    last: str
    series: tuple[tuple[str, LazyText], ...] = tuple((each.name, each.title) for each in SERIES)
    periods: tuple[tuple[str, LazyText], ...] = PERIODS

    @property
    def name(self) -> str:
        return self.reader.found.series.name

    @property
    def title(self) -> LazyText:
        return self.reader.found.series.title

    @property
    def csv(self) -> str:
        """Address of the file."""
        return f"{TABLE}?series={self.name}&last={self.last}"

    def sentences(self) -> tuple[str, ...]:
        return self.reader.texts().sentences

    def plots(self) -> tuple[DrawnPlot, ...]:
        texts = self.reader.texts()
        return tuple(
            DrawnPlot(
                heading,
                kind,
                self.reader.plot(kind, texts).part(kind),
                f"{PICTURE}?series={self.name}&last={self.last}&plot={kind}",
            )
            for kind, heading in _kinds(self.reader.found)
        )

    def rows(self) -> tuple[PointRow, ...]:
        return point_rows(self.reader.found.window, self.reader.zone, self.reader.words)


class HistoryViews:
    """Views for the history of the node."""

    def __init__(self, backend: AdminService) -> None:
        self._backend = backend

    def routes(self) -> tuple[Route, ...]:
        return (
            Route("GET", PATH, self._show),
            Route("GET", PICTURE, self._picture, is_open=True),
            Route("GET", TABLE, self._table),
        )

    async def _show(self, request: AdminRequest) -> Answer:
        last = request.query.get("last", "")
        last = last if seconds_of(last) else PERIODS[1][0]
        reader = await self._reader(request, last)
        if reader is None:
            return _no_series()
        layout = page_layout(request, self._backend.site(), "/")
        return AdminResponse(HistoryPage(layout, reader, last), is_heavy=True)

    async def _picture(self, request: AdminRequest) -> Answer:
        """The same picture for as long as its newest step lasts."""
        last, kind = request.query.get("last", PERIODS[1][0]), request.query.get("plot", "line")
        if kind not in KINDS or not seconds_of(last):
            return _no_period()
        reader = await self._reader(request, last)
        if reader is None:
            return _no_series()
        node, width = self._backend.site().node, _width(request.query.get("width", ""))

        def draw() -> bytes:
            below = f"{isolated(node)} · {reader.span()}"
            return reader.plot(kind, reader.texts()).alone(below, reader.language.tag, width).encode()

        return AdminPicture(draw, "image/svg+xml", min(reader.found.window.step_s, HOUR_S))

    async def _table(self, request: AdminRequest) -> Answer:
        last = request.query.get("last", PERIODS[1][0])
        if not seconds_of(last):
            return _no_period()
        reader = await self._reader(request, last)
        if reader is None:
            return _no_series()
        text = points_csv(reader.found.window, reader.zone)
        return AdminDownload(f"{reader.found.series.name}.csv", io.BytesIO(text.encode()), "text/csv")

    async def _reader(self, request: AdminRequest, last: str) -> HistoryReader | None:
        history, name = self._backend.history, request.query.get("series", SERIES[0].name)
        found = await history.last(name, seconds_of(last))
        return (
            None
            if found is None
            else HistoryReader(found, history.zone, request.translations, request.language)
        )


def seconds_of(last: str) -> int:
    """Of a text such as ``24h``, ``30d`` or ``3y``; 0 for any other one, or for more than is kept."""
    match = _LAST.fullmatch(last)
    seconds = int(match[1]) * _UNITS_S[match[2]] if match else 0
    return seconds if seconds <= LONGEST_S else 0


def _kinds(found: SeriesHistory) -> tuple[tuple[str, LazyText], ...]:
    """Plots of it with their headings: those of days and hours only where there are enough of them."""
    length_s = found.window.step_s * len(found.window.points)
    kinds = [("line", gettext_lazy("Over time"))]
    if length_s >= DAYS_FROM_S:
        is_long = length_s > HOURS_UP_TO_S
        kinds.append(("days", gettext_lazy("By month") if is_long else gettext_lazy("By day")))
    if HOURS_FROM_S <= length_s <= HOURS_UP_TO_S and found.window.step_s <= HOUR_S:
        kinds.append(("hours", gettext_lazy("By hour of the week")))
    return tuple(kinds)


def _width(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 4 else WIDTH


def _no_series() -> AdminResponse:
    return not_there(
        gettext_lazy("There is no such series."), gettext_lazy("Choose one on the page about the history.")
    )


def _no_period() -> AdminResponse:
    return not_there(
        gettext_lazy("There is no such picture or time."),
        gettext_lazy(
            "Write last=24h, last=30d or last=3y, at most three years, and plot=line, plot=days or plot=hours."
        ),
    )

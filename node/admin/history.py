"""How the network is and was: one series drawn and in words, as a table and as files, and its picture by address."""

import io
from dataclasses import dataclass

from node.admin.routes import (
    ADMINS,
    NOBODY,
    AdminDownload,
    AdminPicture,
    AdminRequest,
    AdminResponse,
    Answer,
    PageLayout,
    Route,
    SignInPage,
    not_allowed,
    not_there,
    page_layout,
)
from node.admin.series_plots import (
    KINDS,
    LINE,
    PATH,
    PERIODS,
    PICTURE,
    TABLE,
    DrawnPlot,
    SeriesReader,
    kinds_of,
    reader_of,
    seconds_of,
)
from node.app.admin import AdminService
from node.history.roll_ups import HOUR_S
from node.history.series import OPEN_SERIES
from node.plots.plot import STYLE, WIDTH
from node.plots.plot_words import PlotTexts
from node.plots.point_table import PointRow, point_rows, points_csv
from node.translator import LazyText, gettext_lazy, isolated


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """One series in one period. Its methods draw: they are called in the thread that renders the page."""

    template = "history.html"
    style = STYLE
    frame: PageLayout
    reader: SeriesReader
    last: str
    series: tuple[tuple[str, LazyText], ...]
    periods: tuple[tuple[str, LazyText], ...] = PERIODS

    @property
    def csv(self) -> str:
        """Address of the file."""
        return f"{TABLE}?series={self.reader.name}&last={self.last}"

    def plots(self, texts: PlotTexts) -> tuple[DrawnPlot, ...]:
        return tuple(
            DrawnPlot(
                heading,
                kind,
                self.reader.plot(kind, texts).part(kind),
                f"{PICTURE}?series={self.reader.name}&last={self.last}&plot={kind}",
            )
            for kind, heading in kinds_of(self.reader.found)
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
        every = tuple((each.name, each.title) for each in self._backend.history.series())
        return AdminResponse(HistoryPage(layout, reader, last, every), is_heavy=True)

    async def _picture(self, request: AdminRequest) -> Answer:
        """The same picture for as long as its newest step lasts."""
        last, kind = request.query.get("last", PERIODS[1][0]), request.query.get("plot", "line")
        if kind not in KINDS or not seconds_of(last):
            return _no_period()
        if not self._may_see(request):
            return AdminResponse(SignInPage(), 401) if request.signed is NOBODY else not_allowed()
        reader = await self._reader(request, last)
        if reader is None:
            return _no_series()
        node, width = self._backend.site().node, _width(request.query.get("width", ""))

        def draw() -> bytes:
            below = f"{isolated(node)} · {reader.span()}"
            return reader.plot(kind, reader.texts()).alone(below, reader.language.tag, width).encode()

        return AdminPicture(
            draw,
            "image/svg+xml",
            min(reader.found.window.step_s, HOUR_S),
            is_open=reader.name in OPEN_SERIES,
        )

    async def _table(self, request: AdminRequest) -> Answer:
        last = request.query.get("last", PERIODS[1][0])
        if not seconds_of(last):
            return _no_period()
        reader = await self._reader(request, last)
        if reader is None:
            return _no_series()
        window, zone = reader.found.window, reader.zone

        def write() -> io.BytesIO:
            return io.BytesIO(points_csv(window, zone).encode())

        return AdminDownload(f"{reader.name}.csv", write, "text/csv")

    def _may_see(self, request: AdminRequest) -> bool:
        """The picture; nothing is read for those who may not. That there is no such series is said to all."""
        name = request.query.get("series", LINE)
        is_closed = name not in OPEN_SERIES and any(
            each.name == name for each in self._backend.history.series()
        )
        return not is_closed or request.signed.role in ADMINS

    async def _reader(self, request: AdminRequest, last: str) -> SeriesReader | None:
        return await reader_of(self._backend.history, request, request.query.get("series", LINE), last)


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

"""The page with the history: what its addresses say, and what it offers."""

from types import SimpleNamespace
from typing import Any, cast

from node.admin.history import HistoryPage, HistoryViews
from node.admin.routes import AdminDownload, AdminRequest, PageLayout
from node.admin.series_plots import PERIODS, reader_of
from node.app.admin_history import AdminHistoryService
from node.app.admin_sessions import ADMIN
from node.config.model import AdminSection, SiteInfo
from node.history.series import SERIES
from tests.fakes.history_windows import VillageHistory

SETTINGS = AdminSection("127.0.0.1", 2081, lan=False, https_port=2444, open_plots=False, events_days=90)


async def test_every_series_has_a_page_with_its_plots_its_rows_and_its_file() -> None:
    history, request = (
        AdminHistoryService(VillageHistory(), SETTINGS),
        AdminRequest("/history", {}, {}, "", ADMIN),
    )
    layout = PageLayout(SiteInfo("Vall Alta", "library", "", "", (), ()), ADMIN, "", "/")
    every = tuple((each.name, each.title) for each in history.series())
    for series in history.series():
        reader = await reader_of(history, request, series.name, "30d")
        assert reader is not None
        page = HistoryPage(layout, reader, "30d", every)
        assert page.csv == f"/history/points.csv?series={series.name}&last=30d"
        assert [f"{series.name}&last=30d&plot={kind}" for kind in ("line", "days", "hours")] == [
            each.address.partition("series=")[2] for each in page.plots(reader.texts())
        ]
        assert len(page.rows()) in {30, 31}
        assert reader.texts().sentences
    assert len(page.series) == len(SERIES) + 2
    assert page.periods == PERIODS


async def test_the_file_is_written_in_the_thread_that_calls_for_it() -> None:
    views = HistoryViews(cast(Any, SimpleNamespace(history=AdminHistoryService(VillageHistory(), SETTINGS))))
    answer = await views._table(AdminRequest("/history", {"last": "3y"}, {}, "", ADMIN))
    assert isinstance(answer, AdminDownload)
    assert callable(answer.content)
    assert answer.content().read().startswith(b"begin,series,unit")

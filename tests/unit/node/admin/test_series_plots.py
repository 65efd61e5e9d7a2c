"""How a series is shown: which times an address can name, which plots there are, and what holds without a history."""

import pytest

from node.admin.routes import AdminRequest
from node.admin.series_plots import PERIODS, kinds_of, line_plots, seconds_of
from node.app.admin_history import AdminHistoryService
from node.app.admin_sessions import ADMIN
from node.config.model import AdminSection
from node.errors import StorageTrouble
from node.history.window import LONGEST_S, HistoryWindow
from tests.fakes.history_windows import VillageHistory

SETTINGS = AdminSection("127.0.0.1", 2081, lan=False, https_port=2444, open_plots=False, events_days=90)
REQUEST = AdminRequest("/", {}, {}, "", ADMIN)


class BrokenDisk(VillageHistory):
    """Nothing can be read of it."""

    async def last(self, name: str, seconds: int) -> HistoryWindow:
        raise StorageTrouble("the disk has not answered", "try again")


@pytest.mark.parametrize(
    ("last", "seconds"),
    [("1h", 3600), ("24h", 86_400), ("30d", 2_592_000), ("3y", 94_608_000), ("1098d", LONGEST_S)],
)
def test_hours_days_and_years(last: str, seconds: int) -> None:
    assert seconds == seconds_of(last)


@pytest.mark.parametrize("last", ["", "0h", "30", "d", "4y", "1099d", "-1d", "1.5h", "٣d", "1h ", "99999h"])
def test_nothing_else(last: str) -> None:
    assert seconds_of(last) == 0


def test_every_period_of_the_page_is_a_time() -> None:
    assert all(seconds_of(last) for last, _ in PERIODS)


@pytest.mark.parametrize(
    ("last", "kinds"),
    [("1h", ["line"]), ("1d", ["line"]), ("30d", ["line", "days", "hours"]), ("3y", ["line", "days"])],
)
async def test_days_and_hours_are_drawn_where_there_are_enough_of_them(last: str, kinds: list[str]) -> None:
    history = AdminHistoryService(VillageHistory(), SETTINGS)
    found = await history.last("line_down", seconds_of(last))
    assert found is not None
    assert kinds == [kind for kind, _ in kinds_of(found)]


async def test_the_line_is_drawn_for_three_periods() -> None:
    plots = await line_plots(AdminHistoryService(VillageHistory(), SETTINGS), REQUEST)
    assert ["1h", "1d", "30d"] == [each.last for each in plots]
    assert len({each.svg(each.reader.texts()) for each in plots}) == 3
    assert all(each.reader.texts().sentences for each in plots)
    assert plots[0].address == "/history?series=line_down&last=1h"


async def test_a_history_that_cannot_be_read_draws_nothing() -> None:
    assert () == await line_plots(AdminHistoryService(BrokenDisk(), SETTINGS), REQUEST)

"""A series for admins: with the use of the line comes what the line carries."""

from datetime import UTC

from node.app.admin_history import AdminHistoryService
from node.config.model import AdminSection
from node.history.series import SERIES, Series
from node.history.window import HistoryWindow, Point

CLOSED = AdminSection("127.0.0.1", 2081, lan=False, https_port=2444, open_plots=False, events_days=90)


class RecordedPoints:
    """The same points for every series."""

    zone = UTC

    def __init__(self, points: tuple[Point | None, ...]) -> None:
        self.points = points
        self.asked: list[tuple[str, int]] = []

    def series(self) -> tuple[Series, ...]:
        return SERIES

    async def last(self, name: str, seconds: int) -> HistoryWindow:
        self.asked.append((name, seconds))
        return HistoryWindow(name, "bit_per_s", 0, 10, self.points)


async def test_the_use_of_the_line_has_the_rate_of_the_line() -> None:
    recorded = RecordedPoints((Point(1, 4, 9), None, Point(1, 6, 9)))
    history = AdminHistoryService(recorded, CLOSED)
    found = await history.last("line_down", 20)
    assert found is not None
    assert (5, "line_down") == (found.full_at, found.window.series)
    assert [("line_down", 20), ("line_rate_down", 20)] == recorded.asked
    other = await history.last("devices", 20)
    assert other is not None
    assert other.full_at is None
    assert await history.last("people", 20) is None


async def test_a_line_of_which_nothing_is_known_is_never_full() -> None:
    found = await AdminHistoryService(RecordedPoints((None,)), CLOSED).last("line_up", 20)
    assert found is not None
    assert found.full_at is None

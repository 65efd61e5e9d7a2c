"""The node's history for its admins: windows of a series up to now, and with the use of the line the rate that it has."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import tzinfo

from node.config.model import AdminSection
from node.history.series import BY_NAME, Series
from node.history.window import HistoryWindow, Point

type ReadWindow = Callable[[str, int], Awaitable[HistoryWindow]]
"""The series of this name in the last so many seconds. Can raise NodeError."""
RATES = {"line_down": "line_rate_down", "line_up": "line_rate_up"}
"""What the line carries, for the use of it."""


@dataclass(frozen=True, slots=True)
class SeriesHistory:
    """One series in a stretch of time."""

    series: Series
    window: HistoryWindow
    full_at: int | None = None
    """What the line carried in that time, if the series is its use and this is known."""


class AdminHistoryService:
    """`zone`: the node's; None is that of the machine."""

    def __init__(self, read: ReadWindow, zone: tzinfo | None, settings: AdminSection) -> None:
        self._read, self.zone, self.is_open = read, zone, settings.open_plots
        """`is_open`: whether everybody may see pictures of series."""

    async def last(self, name: str, last_s: int) -> SeriesHistory | None:
        """None if there is no series of this name. Can raise NodeError."""
        series = BY_NAME.get(name)
        if series is None:
            return None
        window = await self._read(name, last_s)
        rate = RATES.get(name)
        if rate is None:
            return SeriesHistory(series, window)
        return SeriesHistory(series, window, _mean((await self._read(rate, last_s)).points))


def _mean(points: tuple[Point | None, ...]) -> int | None:
    known = [each.mean for each in points if each is not None]
    return sum(known) // len(known) if known else None

"""The node's history for its admins: windows of a series up to now, and with the use of the line the rate that it has."""

from dataclasses import dataclass
from datetime import tzinfo
from typing import Protocol

from node.config.model import AdminSection
from node.history.series import BY_NAME, Series
from node.history.window import HistoryWindow, Point

RATES = {"line_down": "line_rate_down", "line_up": "line_rate_up"}
"""What the line carries, for the use of it."""


@dataclass(frozen=True, slots=True)
class SeriesHistory:
    """One series in a stretch of time."""

    series: Series
    window: HistoryWindow
    full_at: int | None = None
    """What the line carried in that time, if the series is its use and this is known."""


class HistoryReader(Protocol):
    """What the node recorded."""

    @property
    def zone(self) -> tzinfo:
        """The node's."""

    async def last(self, name: str, seconds: int, /) -> HistoryWindow:
        """The series of this name in the last so many seconds. Raises NodeError."""


class AdminHistoryService:
    """The history, as admins see it."""

    def __init__(self, recorded: HistoryReader, settings: AdminSection) -> None:
        self._recorded, self.zone, self.is_open = recorded, recorded.zone, settings.open_plots
        """`is_open`: whether everybody may see pictures of series."""

    async def last(self, name: str, last_s: int) -> SeriesHistory | None:
        """None if there is no series of this name. Can raise NodeError."""
        series = BY_NAME.get(name)
        if series is None:
            return None
        window = await self._recorded.last(name, last_s)
        rate = RATES.get(name)
        if rate is None:
            return SeriesHistory(series, window)
        return SeriesHistory(series, window, _mean((await self._recorded.last(rate, last_s)).points))


def _mean(points: tuple[Point | None, ...]) -> int | None:
    known = [each.mean for each in points if each is not None]
    return sum(known) // len(known) if known else None

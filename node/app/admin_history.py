"""The node's history for its admins: windows of a series up to now, and with the use of the line the rate that it has."""

from dataclasses import dataclass
from datetime import tzinfo
from typing import Protocol

from node.config.model import AdminSection
from node.history.series import LINE_RATES, Series
from node.history.window import HistoryWindow


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

    def series(self) -> tuple[Series, ...]: ...

    async def last(self, name: str, seconds: int, /) -> HistoryWindow:
        """The series of this name in the last so many seconds. Raises NodeError."""


class AdminHistoryService:
    """The history, as admins see it."""

    def __init__(self, recorded: HistoryReader, settings: AdminSection) -> None:
        self._recorded, self.zone, self.is_open = recorded, recorded.zone, settings.open_plots
        """`is_open`: whether everybody may see pictures of series."""

    def series(self) -> tuple[Series, ...]:
        """All that there are, with those of the rules in force."""
        return self._recorded.series()

    async def last(self, name: str, last_s: int) -> SeriesHistory | None:
        """None if there is no series of this name. Can raise NodeError."""
        series = next((each for each in self.series() if each.name == name), None)
        if series is None:
            return None
        window = await self._recorded.last(name, last_s)
        rate = LINE_RATES.get(name)
        if rate is None:
            return SeriesHistory(series, window)
        return SeriesHistory(series, window, (await self._recorded.last(rate, last_s)).mean)

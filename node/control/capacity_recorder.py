"""Records what a measured uplink carried, second by second, and keeps the record in the database."""

import asyncio
import logging
from datetime import date

from node.accounting.periods import DAY_UNKNOWN
from node.control.ports import Clock, StateArchive
from node.control.uplink_rate_control import UplinkRateControl
from node.errors import StorageTrouble
from node.units import BitsPerSecond, Microseconds, Milliseconds
from node.uplink.autorate import Direction
from node.uplink.capacity_log import NOTHING_LOGGED, counted, from_text, low, merged, to_text
from node.uplink.known_capacity import UNKNOWN_CAPACITY, KnownCapacity, follow
from node.uplink.line import LineState

log = logging.getLogger(__name__)

STATE = "line_capacity"
"""Name of the record in the node state."""
SECOND_S = 1.0
SAVE_EVERY_MS = Milliseconds(3_600_000)
"""What a power cut can lose; a stop loses nothing. A record of two weeks is some kilobytes."""


class CapacityRecorder:
    """`run` may be called again. While the database cannot be used, the record goes on in memory."""

    def __init__(
        self,
        archive: StateArchive,
        clock: Clock,
        uplink: UplinkRateControl,
        *,
        second_s: float = SECOND_S,
    ) -> None:
        self._archive, self._clock, self._uplink, self._second_s = archive, clock, uplink, second_s
        self._log = self._saved = NOTHING_LOGGED
        self._is_loaded = False
        self._day: date | None = None
        self._known: dict[Direction, KnownCapacity] = {}
        self._trouble = ""

    async def run(self) -> None:
        """Runs until cancelled; then it saves."""
        try:
            await self._save()
            due = self._clock.monotonic() + SAVE_EVERY_MS
            while True:
                await asyncio.sleep(self._second_s)
                self._count(self._uplink.measured_line)
                if self._clock.monotonic() >= due:
                    due = self._clock.monotonic() + SAVE_EVERY_MS
                    await self._save()
        finally:
            await self._save()

    def _count(self, line: LineState | None) -> None:
        now, rates = Microseconds(self._clock.monotonic() * 1000), dict[Direction, BitsPerSecond]()
        for way in () if line is None else (line.down, line.up):
            known = follow(self._known.get(way.direction, UNKNOWN_CAPACITY), way, now)
            self._known[way.direction] = known
            if known.now is not None:
                rates[way.direction] = known.now
        today = self._today()
        self._log = counted(self._log, today, rates)
        if today != self._day:
            self._tell(today)

    async def _save(self) -> None:
        """Reads the record first, if that was not possible before. Writes nothing when nothing was counted."""
        try:
            if not self._is_loaded:
                self._saved = from_text(await self._archive.state(STATE))
                self._log, self._is_loaded = merged(self._saved, self._log), True
            self._tell(self._today())
            if self._log != self._saved:
                written = self._log
                await self._archive.save_state(STATE, to_text(written))
                self._saved = written
            self._trouble = ""
        except StorageTrouble as trouble:
            if not self._trouble:
                log.warning("what the line carried is not stored, and is tried again each hour: %s", trouble)
            self._trouble = str(trouble)

    def _tell(self, today: date | None) -> None:
        self._day, self._uplink.slowest = today, low(self._log, today)

    def _today(self) -> date | None:
        day = self._clock.today()
        return None if day == DAY_UNKNOWN else date.fromisoformat(day)

"""Records the history of the node, stores it once an hour, and reads windows of it."""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import tzinfo
from typing import Protocol

from node.control.ports import Clock
from node.errors import NodeError, StorageSlow, StorageTrouble
from node.history.buffer import HistoryBuffer
from node.history.packing import Sheet, pack_sheet
from node.history.reading import KEPT_S, chunk_days, recent_window, step_for, stored_window
from node.history.roll_ups import DAY_S, HOUR_S, HOUR_STEPS, RECENT_S
from node.history.series import SERIES, Series
from node.history.steps import Steps
from node.history.window import HistoryWindow
from node.translator import gettext_lazy
from node.units import Monotonic

log = logging.getLogger(__name__)

SECOND_MS, STEP_MS = 900, RECENT_S * 1_000
"""A little less than a second: ticks can be early."""
SAVE_EVERY_MS, SAVE_LEAST_MS = HOUR_S * 1_000, 600_000
"""An hour is stored when it is over; a clock that is set again and again makes it write at most once in ten minutes."""
READ_S = 3.0
"""How long a page waits for a slow disk."""
SENSORS_S = 0.5
"""How long a step waits for sensors; what they say later belongs to a later step."""


class StoredHistory(Protocol):
    """Chunks of one series by the number of their first day, and hours that are in none."""

    @property
    def chunks(self) -> Mapping[int, Steps]: ...

    @property
    def hours(self) -> Mapping[int, Sheet]: ...


class HistoryArchive(Protocol):
    """Every method blocks, and raises StorageTrouble. They may be called from several threads."""

    def load(self, hours: Collection[int]) -> Mapping[int, Sheet]:
        """The sheets of these hours, as far as they are in no chunk."""

    def store(self, sheets: Mapping[int, bytes], present: Collection[int], today: int, zone: tzinfo) -> None:
        """Replaces these hours in one transaction. `present`: hours that will be stored again; `today`: number of the
        present day since 1970."""

    def read(self, series: str, step_s: int, days: Collection[int]) -> StoredHistory:
        """Chunks of steps of this length that begin on these days."""


class HistoryRecorder:
    """`run` may be called again. It wakes with the ticks of the control loop, and has no timer of its own. While the clock
    is not known, nothing is recorded; while the disk takes nothing, the last day stays in memory."""

    def __init__(
        self,
        archive: HistoryArchive,
        clock: Clock,
        *,
        zone: tzinfo,
        each_second: Callable[[], Iterable[tuple[str, int]]],
        each_step: Callable[[int], Iterable[tuple[str, int]]],
        read_machine: Callable[[], Mapping[str, int]],
        rules: Callable[[], tuple[Series, ...]] = tuple,
    ) -> None:
        """`each_step`: with the seconds since its last call. `read_machine` blocks. `rules`: the series of the rules in
        force."""
        self._archive, self._clock, self.zone = archive, clock, zone
        self._rules = rules
        self._each_second, self._each_step, self._read_machine = each_second, each_step, read_machine
        self._buffer = HistoryBuffer()
        self._ticked, self._disk = asyncio.Event(), asyncio.Lock()
        self._sensing: asyncio.Future[Mapping[str, int]] | None = None
        self._reading: asyncio.Future[StoredHistory] | None = None
        """Threads that have not answered: no second one waits for the same."""
        self._second: Monotonic | None = None
        self._stepped: Monotonic | None = None
        self._saved, self._saved_hour = clock.monotonic(), self._hour()
        self._trouble = ""

    def tick(self) -> None:
        """About once a second."""
        self._ticked.set()

    async def run(self) -> None:
        """Runs until cancelled; then it stores what it has."""
        try:
            while True:
                await self._ticked.wait()
                self._ticked.clear()
                await self._look()
        finally:
            await self._save()

    def warnings(self) -> tuple[str, ...]:
        """What prevents that the history is stored."""
        if not self._trouble:
            return ()
        return (gettext_lazy("the history is not stored: {reason}", reason=self._trouble),)

    def series(self) -> tuple[Series, ...]:
        """Also those of the rules in force."""
        return (*SERIES, *self._rules())

    def _named(self, name: str) -> Series:
        """Raises NodeError."""
        for each in self.series():
            if each.name == name:
                return each
        names = ", ".join(each.name for each in self.series())
        raise NodeError(f"there is no series {name!r:.40}", f"choose one of {names}")

    def now_s(self) -> int | None:
        """Unix time; None while the clock is not known."""
        return None if self._clock.state() == "unknown" else int(self._clock.civil().timestamp())

    async def last(self, name: str, seconds: int) -> HistoryWindow:
        """The last so many seconds of a series, in the shortest steps that reach so far back. Raises NodeError."""
        now_s = self.now_s()
        if now_s is None:
            raise NodeError("the node does not know what time it is", "wait until its clock is set")
        return await self.window(name, now_s - seconds, now_s + 1)

    async def window(self, name: str, begin_s: int, end_s: int, step_s: int | None = None) -> HistoryWindow:
        """A stretch of a series by Unix time. `step_s`: 10, 300, 3600 or 86400; None for the shortest that reach so far
        back. Raises NodeError for a series that there is not, StorageTrouble while the disk does not answer."""
        series = self._named(name)
        step_s = step_s or step_for(begin_s, self.now_s() or end_s)
        if step_s not in KEPT_S:
            raise NodeError(
                f"there are no steps of {step_s} s", f"choose one of {', '.join(map(str, KEPT_S))}"
            )
        if step_s == RECENT_S:
            return self.recent(name, begin_s, end_s)
        try:
            async with asyncio.timeout(READ_S), self._disk:
                days = chunk_days(step_s, begin_s, end_s, self.zone)
                stored = await self._read(name, step_s, days)
                return stored_window(
                    series,
                    step_s,
                    (begin_s, end_s),
                    self.zone,
                    chunks=stored.chunks,
                    hours=self._hours(stored.hours, name),
                )
        except TimeoutError as error:
            raise StorageSlow("the disk has not answered", "try again in a minute") from error

    def recent(self, name: str, begin_s: int, end_s: int) -> HistoryWindow:
        """Ten-second steps of a stretch, of which the last hour is known, from memory. Raises NodeError for a series that
        there is not."""
        span = max(begin_s, end_s - HOUR_S), end_s
        return recent_window(self._named(name), span, self.zone, lambda at: self._buffer.recent(name, at))

    async def _read(self, name: str, step_s: int, days: Collection[int]) -> StoredHistory:
        """Raises TimeoutError while the disk has not answered the one before."""
        if self._reading is not None and not self._reading.done():
            raise TimeoutError
        loop = asyncio.get_running_loop()
        self._reading = loop.run_in_executor(None, self._archive.read, name, step_s, days)
        self._reading.add_done_callback(_look_at_error)
        await asyncio.wait({self._reading})  # goes on without us when our time is over
        return self._reading.result()

    def _hours(self, stored: Mapping[int, Sheet], name: str) -> Mapping[int, Sheet]:
        """Of one series, those of the disk and those in memory, which have what is on the disk as soon as they are whole."""
        hours = {hour_s: [sheet] for hour_s, sheet in stored.items()}
        parts = set(self._buffer.parts)
        for hour_s, sheet in self._buffer.hours.items():
            hours[hour_s] = [*hours.get(hour_s, ()), sheet] if hour_s in parts else [sheet]
        return {hour_s: _together(name, sheets) for hour_s, sheets in hours.items()}

    async def _look(self) -> None:
        now = self._clock.monotonic()
        if self._second is None or now - self._second >= SECOND_MS:
            self._second = now
            self._record(self._each_second())
        if self._stepped is None or now - self._stepped >= STEP_MS:
            await self._step(now)
        waited = now - self._saved
        if waited >= SAVE_EVERY_MS or (waited >= SAVE_LEAST_MS and self._hour() != self._saved_hour):
            await self._save()

    async def _step(self, now: Monotonic) -> None:
        # The first step has no beginning: what happened before it is not known.
        before, self._stepped = self._stepped, now
        values = tuple(self._each_step(RECENT_S if before is None else min(60, (now - before + 500) // 1000)))
        if before is not None:
            self._record(values)
        self._record((await self._sensed()).items())

    async def _sensed(self) -> Mapping[str, int]:
        """Nothing while a sensor hangs: then everything else is recorded all the same."""
        if self._sensing is None:
            self._sensing = asyncio.get_running_loop().run_in_executor(None, self._read_machine)
        await asyncio.wait({self._sensing}, timeout=SENSORS_S)
        if not self._sensing.done():
            return {}
        sensed, self._sensing = self._sensing, None
        return sensed.result()

    def _record(self, values: Iterable[tuple[str, int]]) -> None:
        moment_s = self.now_s()
        for name, value in values:
            if moment_s is not None:
                self._buffer.add(name, value, moment_s)

    async def _save(self) -> None:
        """What could not be stored is stored the next time."""
        self._saved, self._saved_hour = self._clock.monotonic(), self._hour()
        self._buffer.keep_recent({each.name for each in self.series()})
        async with self._disk:
            try:
                await self._make_whole()
                await self._store()
            except StorageTrouble as trouble:
                if not self._trouble:
                    log.warning("the history is not stored, and is tried again each hour: %s", trouble)
                self._trouble = gettext_lazy("{trouble} ({fix})", trouble=trouble.message, fix=trouble.fix)
            else:
                self._trouble = ""

    async def _make_whole(self) -> None:
        if parts := self._buffer.parts:
            stored = await asyncio.to_thread(self._archive.load, parts)
            for hour_s in parts:
                self._buffer.make_whole(hour_s, stored.get(hour_s, {}))

    async def _store(self) -> None:
        taken = {hour_s: pack_sheet(sheet) for hour_s, sheet in self._buffer.to_store().items()}
        if not taken:
            return
        present, now_s = tuple(self._buffer.hours), self.now_s()
        today = (max(taken) if now_s is None else now_s) // DAY_S
        try:
            await asyncio.to_thread(self._archive.store, taken, present, today, self.zone)
        except BaseException:
            self._buffer.not_stored(taken)
            raise
        self._buffer.stored(now_s)

    def _hour(self) -> int | None:
        now_s = self.now_s()
        return None if now_s is None else now_s // HOUR_S


def _look_at_error(read: asyncio.Future[StoredHistory]) -> None:
    """Of a reading for which nobody waits any longer."""
    if not read.cancelled():
        read.exception()


def _together(name: str, sheets: Iterable[Sheet]) -> Sheet:
    joined = Steps(HOUR_STEPS)
    for sheet in sheets:
        joined.join_all(0, sheet.get(name, Steps(0)))
    return {name: joined}

"""What is recorded, when it is stored, and what is there after a stop, a crash and a full disk."""

import asyncio
import threading
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from node.app import history_recorder
from node.app.history_recorder import HistoryRecorder
from node.errors import NodeError, StorageSlow, StorageTrouble
from node.history.roll_ups import DAY_S, HOUR_S
from node.history.series import rule_series
from node.history.window import Point
from node.storage.history_file import FILE, HistoryFile, StoredSeries
from node.units import Milliseconds
from tests.fakes.repository import FakeClock

NOON_S = int(datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp())


class WatchedRecorder(HistoryRecorder):
    """Says whether it looks, or stores, just now."""

    is_busy = False

    async def _look(self) -> None:
        self.is_busy = True
        await super()._look()
        self.is_busy = False


class RecordedNode:
    """A node whose line carries as many bits as it has ticked, and which lets one device in each step."""

    def __init__(self, folder: Path, clock: FakeClock | None = None) -> None:
        self.clock = clock or FakeClock()
        self.archive, self.ticks, self.steps = HistoryFile(folder), 0, 0
        self.reads: dict[str, int] = {"processor": 250}
        self.recorder = WatchedRecorder(
            self.archive,
            self.clock,
            zone=ZoneInfo("UTC"),
            each_second=self._second,
            each_step=self._step,
            read_machine=lambda: self.reads,
        )

    def _second(self) -> Iterator[tuple[str, int]]:
        self.ticks += 1
        yield "line_down", self.ticks

    def _step(self, seconds: int) -> Iterator[tuple[str, int]]:
        self.steps += 1
        yield "admissions", 1
        yield "bound_share", seconds

    async def runs(self, seconds: int, each: int = 1) -> None:
        for _ in range(seconds // each):
            self.clock.pass_time(Milliseconds(each * 1000))
            self.recorder.tick()
            await self.settles()

    async def settles(self) -> None:
        """Threads take a moment."""
        for _ in range(3):
            await asyncio.sleep(0)
        while self.recorder.is_busy:
            await asyncio.sleep(0.001)

    async def point(self, name: str, begin_s: int, end_s: int, step_s: int) -> tuple[Point | None, ...]:
        return (await self.recorder.window(name, begin_s, end_s, step_s)).points


@asynccontextmanager
async def running(node: RecordedNode) -> AsyncIterator[RecordedNode]:
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(node.recorder.run())
        yield node
        task.cancel()


async def test_each_second_counts_in_steps_of_ten_seconds(tmp_path: Path) -> None:
    async with running(RecordedNode(tmp_path)) as node:
        await node.runs(25)
        found = await node.recorder.last("line_down", 24)
        assert (NOON_S, 10) == (found.begin_s, found.step_s)
        assert (Point(1, 5, 9), Point(10, 15, 19), Point(20, 23, 25)) == found.points[:3]
        # What happened before the first step is not known, and a gap is no zero.
        assert (None, Point(1, 1, 1), Point(1, 1, 1)) == (await node.recorder.last("admissions", 24)).points[
            :3
        ]
        assert Point(250, 250, 250) == (await node.recorder.last("processor", 24)).points[0]
        assert (None,) * 3 == (await node.recorder.last("battery", 24)).points[:3]


async def test_rules_that_come_and_go_take_no_more_memory_than_those_in_force(tmp_path: Path) -> None:
    async with running(RecordedNode(tmp_path)) as node:
        for number in range(3):
            node.recorder._rules = lambda name=f"version-{number}": rule_series([name])
            node.reads = {f"rule_version-{number}": 5}
            await node.runs(20)
            await node.recorder._save()
        kept = {name for name in node.recorder._buffer._recent if name.startswith("rule_")}
        assert kept == {"rule_version-2"}
        assert (await node.recorder.last("rule_version-2", 10)).mean == 5


async def test_hurried_ticks_do_not_count_twice(tmp_path: Path) -> None:
    async with running(RecordedNode(tmp_path)) as node:
        for _ in range(5):
            await node.runs(1)
            node.clock.pass_time(Milliseconds(20))
            node.recorder.tick()
            await node.settles()
        assert 5 == node.ticks


async def test_an_hour_is_stored_when_it_is_over_and_not_before(tmp_path: Path) -> None:
    node = RecordedNode(tmp_path)
    node.clock.pass_time(Milliseconds(30 * 60_000))
    async with running(node):
        await node.runs(29 * 60, each=30)
        assert not (tmp_path / FILE).exists()
        await node.runs(120, each=30)
        assert (tmp_path / FILE).exists()
        assert {NOON_S} <= node.archive.load([NOON_S]).keys()


async def test_a_stop_loses_nothing_and_a_start_in_the_same_step_goes_on(tmp_path: Path) -> None:
    clock = FakeClock()
    for _ in range(3):
        async with running(RecordedNode(tmp_path, clock)) as node:
            await node.runs(50)
    node = RecordedNode(tmp_path, clock)
    async with running(node):
        await node.runs(1)
        (point,) = await node.point("line_down", NOON_S, NOON_S + 300, 300)
        assert Point(1, round((3 * sum(range(51)) + 1) / 151), 50) == point
        # Four steps of ten seconds in each run: the first has no beginning.
        assert (Point(12, 12, 12),) == await node.point("admissions", NOON_S, NOON_S + HOUR_S, HOUR_S)
    assert (Point(12, 12, 12),) == await node.point("admissions", NOON_S, NOON_S + 1, DAY_S)


async def test_a_power_cut_costs_only_the_present_hour(tmp_path: Path) -> None:
    node = RecordedNode(tmp_path)
    async with running(node):
        await node.runs(2 * HOUR_S + 600, each=30)
        later = RecordedNode(tmp_path, node.clock)  # nothing was said to the first one
        hours = await later.point("admissions", NOON_S, NOON_S + 3 * HOUR_S, HOUR_S)
        assert [True, True, False] == [point is not None and point.mean >= 118 for point in hours]


async def test_nothing_is_recorded_while_the_time_is_not_known_and_nothing_is_invented(
    tmp_path: Path,
) -> None:
    node = RecordedNode(tmp_path)
    node.clock.trust = "unknown"
    async with running(node):
        await node.runs(20)
        with pytest.raises(NodeError, match="what time it is"):
            await node.recorder.last("line_down", 60)
        node.clock.trust = "synced"
        await node.runs(11)
        assert sum(p is not None for p in (await node.recorder.last("line_down", 60)).points) in {2, 3}
    assert (Point(2, 2, 2),) == await node.point("admissions", NOON_S, NOON_S + 1, HOUR_S)


async def test_a_clock_that_goes_back_ten_years_and_forth_costs_nothing(tmp_path: Path) -> None:
    node = RecordedNode(tmp_path)
    async with running(node):
        await node.runs(HOUR_S, each=30)
        true = node.clock.wall
        for years in (-10, 70, 0):
            node.clock.wall = true + timedelta(days=365 * years)
            await node.runs(900, each=30)
        hours = await node.point("admissions", NOON_S, NOON_S + HOUR_S, HOUR_S)
        ahead = NOON_S + 70 * 365 * DAY_S
        far = await node.point("admissions", ahead, ahead + 2 * HOUR_S, HOUR_S)
    assert (Point(118, 118, 118),) == hours
    assert 30 == sum(point.mean for point in far if point is not None)


class FailingArchive:
    """A disk that is full."""

    def __init__(self, archive: HistoryFile) -> None:
        self.archive, self.is_full = archive, True

    def load(self, hours: Collection[int]) -> Mapping[int, object]:
        return self.archive.load(hours)

    def read(self, series: str, step_s: int, days: Collection[int]) -> object:
        return self.archive.read(series, step_s, days)

    def store(self, *all_: object) -> None:
        if self.is_full:
            raise StorageTrouble("the disk is full", "make room")
        self.archive.store(*all_)  # type: ignore[arg-type]


async def test_a_full_disk_is_told_and_what_waits_is_stored_when_there_is_room(tmp_path: Path) -> None:
    node = RecordedNode(tmp_path)
    disk = FailingArchive(node.archive)
    node.recorder._archive = disk  # type: ignore[assignment]
    async with running(node):
        await node.runs(2 * HOUR_S + 60, each=30)
        assert ("the history is not stored: the disk is full (make room)",) == node.recorder.warnings()
        assert (Point(118, 118, 118),) == await node.point("admissions", NOON_S, NOON_S + 1, HOUR_S)
        disk.is_full = False
        await node.runs(HOUR_S, each=30)
        assert () == node.recorder.warnings()
    assert {NOON_S + hour * HOUR_S for hour in range(4)} == node.archive.load(
        [NOON_S + hour * HOUR_S for hour in range(5)]
    ).keys()


async def test_an_unknown_series_is_refused_with_the_list(tmp_path: Path) -> None:
    node = RecordedNode(tmp_path)
    with pytest.raises(NodeError, match="no series 'ana'") as refused:
        await node.recorder.window("ana", 0, 1)
    assert "line_down" in refused.value.fix
    with pytest.raises(NodeError, match="no steps of 60 s"):
        await node.recorder.window("line_down", 0, 1, 60)


async def test_a_sensor_that_hangs_stops_nothing_else_and_takes_one_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_recorder, "SENSORS_S", 0.01)
    answers, asked = threading.Event(), []

    def hang() -> Mapping[str, int]:
        asked.append(1)
        answers.wait(60)
        return {"processor": 250}

    node = RecordedNode(tmp_path)
    node.recorder._read_machine = hang
    try:
        async with running(node):
            await node.runs(35)
            assert 35 == node.ticks
            assert 1 == len(asked)
            answers.set()
            await node.runs(10)
            assert Point(250, 250, 250) in (await node.recorder.last("processor", 60)).points
    finally:
        answers.set()


async def test_a_disk_that_hangs_takes_one_thread_however_many_ask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_recorder, "READ_S", 0.05)
    answers, asked, node = threading.Event(), [], RecordedNode(tmp_path)
    read = node.archive.read

    def hang(series: str, step_s: int, days: Collection[int]) -> StoredSeries:
        asked.append(1)
        answers.wait(60)
        return read(series, step_s, days)

    monkeypatch.setattr(node.archive, "read", hang)
    try:
        for _ in range(5):
            with pytest.raises(StorageSlow):
                await node.recorder.last("line_down", DAY_S)
        assert 1 == len(asked)
        answers.set()
        await asyncio.sleep(0.02)
        assert (await node.recorder.last("line_down", DAY_S)).is_empty
    finally:
        answers.set()

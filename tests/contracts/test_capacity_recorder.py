"""What is recorded of a measured line, and that it is there after a stop, on a full disk and beside a lost database."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from node.control.capacity_recorder import SAVE_EVERY_MS, STATE, CapacityRecorder
from node.control.ports import StateArchive
from node.storage.database import Store
from node.storage.repository import StoredArchive
from node.units import BitsPerSecond, Microseconds, Monotonic, Rates
from node.uplink import line
from node.uplink.autorate import Direction, UplinkRange
from node.uplink.capacity_log import ENOUGH_S, bucket_of, edge_of, from_text, to_text
from node.uplink.line import LineState
from tests.contracts.test_uplink_rate_control import BUSY, MeasuredLine, members, ruleset
from tests.fakes.reconciler_fixture import RULES
from tests.fakes.repository import FakeArchive, FakeClock, FakeRepository

FAST, SLOW = BitsPerSecond(30_000_000), BitsPerSecond(6_000_000)
STATED = Rates(FAST, FAST)


@dataclass
class FakeUplink:
    """A line that carries what the test says; each look is a second later. It stands still while nobody waits for it."""

    clock: FakeClock
    down: BitsPerSecond | None = FAST
    seconds: int = 0
    slowest: Mapping[Direction, BitsPerSecond] = field(default_factory=dict)
    left: int = 0

    @property
    def measured_line(self) -> LineState | None:
        if not self.left:
            return None
        self.left, self.seconds = self.left - 1, self.seconds + 1
        self.clock.now = Monotonic(self.clock.now + 1000)
        now = Microseconds(self.clock.now * 1000)
        state = line.begin(UplinkRange(STATED, STATED, STATED), now)
        if self.down is None:
            return state
        return replace(state, down=replace(state.down, unclipped=self.down, found=now))

    async def carries(self, rate: BitsPerSecond | None, seconds: int) -> None:
        self.down, self.left = rate, seconds
        async with asyncio.timeout(20):
            while self.left:
                await asyncio.sleep(0)
        await asyncio.sleep(0.01)

    async def knows(self, slowest: Mapping[Direction, BitsPerSecond]) -> None:
        """The database may take a while."""
        async with asyncio.timeout(10):
            while self.slowest != slowest:
                await asyncio.sleep(0.001)


@dataclass
class Recorded:
    archive: StateArchive
    clock: FakeClock = field(default_factory=FakeClock)

    def __post_init__(self) -> None:
        self.uplink = FakeUplink(self.clock)

    @asynccontextmanager
    async def life(self) -> AsyncIterator[FakeUplink]:
        """One run of the daemon."""
        self.uplink = FakeUplink(self.clock)
        recorder = CapacityRecorder(self.archive, self.clock, self.uplink, second_s=0.0)  # type: ignore[arg-type]
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(recorder.run())
            await asyncio.sleep(0.01)
            yield self.uplink
            running.cancel()

    async def stored(self) -> Mapping[int, int]:
        """Seconds of today by bucket."""
        log = from_text(await self.archive.state(STATE))
        return log.days[self.clock.wall.date()].down if log.days else {}


class CountingArchive(FakeArchive):
    """Counts what is written."""

    def __init__(self, repository: FakeRepository) -> None:
        super().__init__(repository)
        self.saved = 0

    async def save_state(self, name: str, value: str) -> None:
        await super().save_state(name, value)
        self.saved += 1


@pytest.fixture(params=["fake", "stored"])
def recorded(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Recorded]:
    if request.param == "fake":
        yield Recorded(FakeArchive(FakeRepository()))
        return
    store = Store(tmp_path / "data" / "procomu.db")
    try:
        yield Recorded(StoredArchive(store))
    finally:
        store.close()


async def test_a_stop_loses_nothing_and_the_next_run_goes_on(recorded: Recorded) -> None:
    async with recorded.life() as uplink:
        await uplink.carries(FAST, 100)
    assert {bucket_of(FAST): 100} == await recorded.stored()
    async with recorded.life() as uplink:
        await uplink.carries(FAST, 50)
        await uplink.carries(SLOW, 5)
    assert {bucket_of(FAST): 150, bucket_of(SLOW): 5} == await recorded.stored()


async def test_after_an_hour_the_slowest_tenth_is_known_and_still_is_after_a_start(
    recorded: Recorded,
) -> None:
    async with recorded.life() as uplink:
        await uplink.carries(FAST, ENOUGH_S - 400)
        assert {} == uplink.slowest
        await uplink.carries(SLOW, 400)
        await uplink.knows({"down": edge_of(bucket_of(SLOW))})
    async with recorded.life() as uplink:
        await uplink.knows({"down": edge_of(bucket_of(SLOW))})


async def test_it_is_written_each_hour_and_only_when_something_was_counted() -> None:
    archive = CountingArchive(FakeRepository())
    recorded = Recorded(archive)
    hour = SAVE_EVERY_MS // 1000
    async with recorded.life() as uplink:
        await uplink.carries(FAST, hour - 1)
        assert 0 == archive.saved
        await uplink.carries(FAST, 1)
        assert 1 == archive.saved
        await uplink.carries(FAST, hour)
        assert 2 == archive.saved
        await uplink.carries(None, 3 * hour)
        assert 2 == archive.saved
    assert 2 == archive.saved, "nothing is new at the stop"


async def test_while_the_day_is_unknown_nothing_is_counted(recorded: Recorded) -> None:
    async with recorded.life() as uplink:
        await uplink.carries(FAST, ENOUGH_S)
        recorded.clock.trust = "unknown"
        await uplink.carries(SLOW, ENOUGH_S)
        await uplink.knows({})
        recorded.clock.trust = "synced"
        await uplink.carries(FAST, 1)
        await uplink.knows({"down": edge_of(bucket_of(FAST))})
    assert {bucket_of(FAST): ENOUGH_S + 1} == await recorded.stored()


async def test_each_day_has_its_own_seconds(recorded: Recorded) -> None:
    async with recorded.life() as uplink:
        await uplink.carries(FAST, 7)
        recorded.clock.wall += timedelta(days=1)
        await uplink.carries(FAST, 3)
    assert {bucket_of(FAST): 3} == await recorded.stored()
    recorded.clock.wall -= timedelta(days=1)
    assert {bucket_of(FAST): 7} == await recorded.stored()


async def test_a_full_disk_loses_nothing_but_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    repository = FakeRepository()
    recorded = Recorded(FakeArchive(repository))
    async with recorded.life() as uplink:
        await uplink.carries(FAST, 10)
    repository.full = True
    with caplog.at_level(logging.WARNING):
        async with recorded.life() as uplink:
            await uplink.carries(FAST, 3 * SAVE_EVERY_MS // 1000)
            (said,) = [each.message for each in caplog.records]
            assert "what the line carried is not stored, and is tried again each hour" in said
            assert "make room" in said
            repository.full = False
            await uplink.carries(FAST, SAVE_EVERY_MS // 1000)
    assert {bucket_of(FAST): 10 + 4 * SAVE_EVERY_MS // 1000} == await recorded.stored()


@pytest.mark.parametrize("text", ["", "{", '{"2026-11-24": "x"}'])
async def test_a_damaged_record_begins_again(text: str) -> None:
    archive = FakeArchive(FakeRepository())
    await archive.save_state(STATE, text)
    recorded = Recorded(archive)
    async with recorded.life() as uplink:
        await uplink.carries(FAST, 4)
    assert {bucket_of(FAST): 4} == await recorded.stored()


async def test_the_control_shows_the_line_while_its_rate_is_measured() -> None:
    """With a stated rate there is nothing to record, and what was recorded before is still known."""
    measured = MeasuredLine(carried=BUSY)
    clock, archive = measured.clock, FakeArchive(FakeRepository())
    async with measured.life() as control, asyncio.TaskGroup() as tasks:
        recorder = CapacityRecorder(archive, clock, control, second_s=0.002)
        running = tasks.create_task(recorder.run())
        await measured.seconds(2)
        measured.carried, measured.down_us = Rates(BitsPerSecond(9_000_000), BUSY.up), 60_000
        await measured.until(lambda: control.knowledge == "known")
        await asyncio.sleep(0.02)
        assert control.measured_line is not None
        measured.policy.adopt(ruleset(RULES), members())
        await measured.until(lambda: control.measured_line is None)
        running.cancel()
    stored = from_text(await archive.state(STATE))
    assert stored.days
    (day,) = stored.days.values()
    assert day.down
    assert not day.up
    assert to_text(stored) == await archive.state(STATE)

"""What must never be lost or invented: the reconciliation loop at its worst moments, with a fake kernel and clock."""

import asyncio
import threading
import time
from collections.abc import Iterable
from datetime import timedelta

import pytest

from node.accounting.ledger import UsageBucket, UsageKey
from node.accounting.meter import Reading
from node.accounts.changes import Change
from node.control import applier
from node.control.persistence import FORGET_EVERY_MS
from node.errors import KernelRefused
from node.governance.members import parse_members
from node.sessions import state as session_state
from node.sessions.stored import SavedSession
from node.task_supervision import Parts, supervise
from node.units import NO_USAGE, AccountId, Bytes, MacAddress, Monotonic, NodeId, Usage
from tests.fakes.kernel import FakeKernel
from tests.fakes.reconciler_fixture import ANA, BEN, HOUR_MS, ReconcilerFixture, until, used
from tests.fakes.repository import FakeRepository


class SlowMemory(FakeRepository):
    """A disk whose writes wait while `server` is clear."""

    def __init__(self) -> None:
        super().__init__()
        self.server = asyncio.Event()
        self.server.set()
        self.knocked, self._queue = asyncio.Event(), asyncio.Lock()

    async def save_sessions(
        self,
        sessions: Iterable[SavedSession],
        minors: Iterable[tuple[AccountId, int]],
        day: str,
        changes: Iterable[Change] = (),
    ) -> None:
        kept = tuple(sessions)
        self.knocked.set()
        async with self._queue:
            await self.server.wait()
            await super().save_sessions(kept, minors, day, changes)


class BlockingKernel(FakeKernel):
    """A kernel whose readings and plans can be delayed, or fail in a way no real plan should."""

    def __init__(self) -> None:
        super().__init__()
        self.bug: Exception | None = None
        self.reading_s = 0.0
        self.readings_begun = 0

    def read(self) -> Reading:
        self.readings_begun += 1
        found = super().read()
        if self.reading_s:
            time.sleep(self.reading_s)
        return found

    def apply(self, plan: object, now: Monotonic) -> None:
        if self.bug is not None:
            bug, self.bug = self.bug, None
            raise bug
        super().apply(plan, now)  # type: ignore[arg-type]


async def test_leaving_while_the_admission_is_being_stored_ends_the_session() -> None:
    repository = SlowMemory()
    village = ReconcilerFixture(lambda: repository)
    async with village.life() as loop, asyncio.TaskGroup() as people:
        repository.server.clear()
        people.create_task(loop.admit(ANA, "1"))
        await repository.knocked.wait()
        people.create_task(loop.block(ANA, "for a reason"))
        await asyncio.sleep(0)
        repository.server.set()
    assert "removed" == repository.sessions[ANA].session.state


async def test_a_kill_after_a_device_left_loses_none_of_its_bytes() -> None:
    repository = FakeRepository()
    village = ReconcilerFixture(lambda: repository)
    async with village.life(killed=True) as loop:
        await loop.admit(ANA, "1")
        village.kernel.send(ANA, down=1000)
        await loop.leave(ANA)
        await until(lambda: used(loop) == 1000)
        readings = loop.persistence.baseline
        await until(lambda: loop.persistence.baseline is not readings)
    assert {} == repository.rows
    async with village.life() as loop:
        await until(lambda: used(loop) == 1000)


async def test_a_start_without_the_data_folder_keeps_all_sessions_and_counts_nothing_twice() -> None:
    repository = FakeRepository()
    village = ReconcilerFixture(lambda: repository)
    async with village.life() as loop:
        await loop.admit(ANA, "1")
        await loop.admit(BEN, "1")
        await loop.leave(BEN)
        village.kernel.send(ANA, down=1000)
        await until(lambda: used(loop) == 1000)
    village.kernel.send(ANA, down=30)  # while the daemon is dead
    repository.full = True
    async with village.life() as loop:
        assert village.kernel.send(ANA, down=7)
        await loop.admit(BEN, "1")
        village.kernel.send(BEN, down=2)
        await until(lambda: used(loop) == 7)
        await until(lambda: used(loop, "guest-0b") == 2)
        repository.full = False
        await until(lambda: used(loop) == 1037)
        assert used(loop, "guest-0b") == 2
        assert 2 == len(
            {session_entry.mark for mac, session_entry in loop.session_table.session_entries.items()}
        )
    async with village.life() as loop:
        await until(lambda: loop._rated_ms is not None)
        assert (1037, 2) == (used(loop), used(loop, "guest-0b"))
        assert village.kernel.send(ANA, down=1)
        assert village.kernel.send(BEN, down=1)


async def test_a_device_that_joined_while_the_disk_was_full_is_still_admitted_after_a_kill() -> None:
    repository = FakeRepository()
    village = ReconcilerFixture(lambda: repository)
    repository.full = True
    async with village.life(killed=True) as loop:
        await loop.admit(ANA, "1")
        village.kernel.send(ANA, down=1000)
        await until(lambda: used(loop) == 1000)
    repository.full = False
    async with village.life() as loop:
        assert village.kernel.send(ANA, down=1)
        await until(lambda: used(loop) == 1001)


async def test_no_blocked_device_comes_back_through_what_the_kernel_still_holds() -> None:
    repository = FakeRepository()
    village = ReconcilerFixture(lambda: repository)
    async with village.life(killed=True) as loop:
        await loop.admit(ANA, "1")
        standing = village.kernel.plan
        await loop.block(ANA, "for a reason")
    village.kernel.plan = standing
    async with village.life():
        assert not village.kernel.send(ANA, down=1)


async def test_a_reading_under_way_at_a_crash_is_booked_once() -> None:
    """The loop's own supervised restart: the ledger survives, so usage booked by a thread must be known as booked."""
    village = ReconcilerFixture(lambda: repository)
    repository, kernel = FakeRepository(), BlockingKernel()
    village.kernel = kernel
    reconciler = village.loop()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(
            supervise("reconcile", reconciler.run, Parts(), sleep=lambda _s: asyncio.sleep(0))
        )
        await reconciler.ready.wait()
        await reconciler.admit(ANA, "1")
        kernel.send(ANA, down=1000)
        kernel.reading_s = 0.1
        begun = kernel.readings_begun
        await until(lambda: kernel.readings_begun > begun)
        kernel.bug = OSError("a bug")
        await reconciler.admit(BEN, "1")
        kernel.reading_s = 0.0
        begun = kernel.readings_begun
        await until(lambda: kernel.readings_begun > begun + 2)
        assert 1000 == used(reconciler)
        running.cancel()
    assert 1000 == sum(bucket.uplink.total for bucket in repository.rows.values())


async def test_a_join_that_waits_while_the_loop_crashes_is_completed_by_the_restarted_loop() -> None:
    village = ReconcilerFixture(lambda: repository)
    repository, kernel = FakeRepository(), BlockingKernel()
    village.kernel = kernel
    reconciler = village.loop()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(
            supervise("reconcile", reconciler.run, Parts(), sleep=lambda _s: asyncio.sleep(0))
        )
        await reconciler.ready.wait()
        kernel.bug = OSError("a bug")
        async with asyncio.timeout(5):
            await reconciler.admit(ANA, "1")
        assert kernel.send(ANA, up=1)
        running.cancel()


async def test_no_request_waits_without_end_while_the_loop_cannot_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(applier, "STAND_S", 0.05)
    village = ReconcilerFixture(FakeRepository)
    reconciler = village.loop()
    with pytest.raises(KernelRefused, match="try again"):
        await reconciler.admit(ANA, "1")


async def test_a_clock_that_jumps_a_year_ahead_deletes_nothing() -> None:
    repository = FakeRepository()
    buckets = UsageBucket(Usage(Bytes(5), Bytes(0)), NO_USAGE)
    repository.rows[UsageKey(NodeId("m" * 52), "x", AccountId("ana"), "2026-01-01")] = buckets
    village = ReconcilerFixture(lambda: repository)
    async with village.life() as loop:
        for _ in range(3):
            village.clock.pass_time(FORGET_EVERY_MS // 2)
            stored = [loop.persistence.baseline]
            await until(lambda stored=stored: loop.persistence.baseline is not stored[0])  # type: ignore[misc]
        village.clock.wall += timedelta(days=800)
        village.clock.pass_time(40_000)
        await asyncio.sleep(0.1)
        village.clock.wall -= timedelta(days=800)
        village.clock.pass_time(40_000)
        await asyncio.sleep(0.1)
    assert 1 == len([key for key in repository.rows if key.incarnation == "x"])


async def test_a_month_that_is_long_over_is_deleted_by_a_clock_that_runs_steadily() -> None:
    repository = FakeRepository()
    buckets = UsageBucket(Usage(Bytes(5), Bytes(0)), NO_USAGE)
    repository.rows[UsageKey(NodeId("m" * 52), "x", AccountId("ana"), "2025-01-01")] = buckets
    village = ReconcilerFixture(lambda: repository)
    async with village.life():
        for _ in range(3):
            await asyncio.sleep(0.05)
            village.clock.pass_time(FORGET_EVERY_MS // 2 + 1)
        await until(lambda: not repository.rows)


async def test_a_device_that_changed_households_while_the_node_was_off_counts_for_the_new_one() -> None:
    repository = FakeRepository()
    village = ReconcilerFixture(lambda: repository)
    async with village.life() as loop:
        await loop.admit(BEN, "1")
    member_directory = parse_members('[[account]]\nid = "ben"\ndevices = ["02:00:00:00:00:0b"]\n')[0]
    assert member_directory is not None
    reconciler = village.loop()
    reconciler.effective_policy.member_directory = member_directory
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(reconciler.run())
        await reconciler.ready.wait()
        assert village.kernel.send(BEN, down=9)
        await until(lambda: used(reconciler, "ben") == 9)
        running.cancel()


async def test_a_node_that_has_seen_more_accounts_than_classes_still_admits_people(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("node.sessions.table.CLASS_MINOR_MAX", 4)  # one is the guests' pool
    village = ReconcilerFixture(FakeRepository)
    async with village.life() as loop:
        for number in range(7):
            mac = MacAddress(f"02:00:00:00:01:{number:02x}")
            await loop.admit(mac, "1")
            await loop.leave(mac)
            async with asyncio.timeout(5):
                while loop.session_table.retiring:
                    village.clock.pass_time(56_000)
                    await asyncio.sleep(0.01)
        for number in (1, 2, 3):
            await loop.admit(MacAddress(f"02:00:00:00:01:{number:02x}"), "1")
        with pytest.raises(KernelRefused, match="as many accounts as it can take"):
            await loop.admit(MacAddress("02:00:00:00:01:09"), "1")
        assert isinstance(
            loop.session_table.state(MacAddress("02:00:00:00:01:09")), session_state.Unauthorized
        )
        assert 3 == len({a.class_minor for a in loop.session_table.admitted().values()})


async def test_after_two_power_cuts_without_a_clock_nobody_gets_more_than_a_whole_session() -> None:
    repository = FakeRepository()
    village = ReconcilerFixture(lambda: repository)
    village.clock.trust = "unknown"
    village.clock.now = Monotonic(100 * HOUR_MS)
    async with village.life(killed=True) as loop:
        await loop.admit(ANA, "1")
    for _ in range(2):
        village.kernel.vanish()
        village.clock.reboot()
        village.kernel.now = village.clock.now
        async with village.life(killed=True):
            assert village.kernel.plan is not None
            left = (village.kernel.plan.admitted[ANA].ends or 0) - village.clock.now
            assert 0 < left <= HOUR_MS


class HeldKernel(FakeKernel):
    """A kernel whose next reading is taken at once and returned only when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.hold, self.held, self.go = False, threading.Event(), threading.Event()

    def read(self) -> Reading:
        found = super().read()
        if self.hold:
            self.hold = False
            self.held.set()
            assert self.go.wait(5)
        return found


async def test_a_reading_taken_before_a_device_came_back_is_not_its_last() -> None:
    """A device leaves, and while a later reading is on its way it comes back, sends and leaves again: its
    counter stays until it has been read again.
    """
    repository, kernel = FakeRepository(), HeldKernel()
    village = ReconcilerFixture(lambda: repository)
    village.kernel = kernel
    async with village.life() as loop:
        await loop.admit(ANA, "1")
        kernel.send(ANA, down=1000)
        await until(lambda: used(loop) == 1000)
        await loop.leave(ANA)
        kernel.hold = True
        village.clock.pass_time(56_000)  # what this tick reads is stored as soon as it arrives
        await until(kernel.held.is_set)
        await loop.admit(ANA, "1")
        assert kernel.send(ANA, down=7)
        await loop.leave(ANA)
        kernel.go.set()
        await until(lambda: used(loop) == 1007)

"""The reconciliation loop with a fake kernel and clock and both repositories: what survives a restart, a crash,
a reboot and a full disk.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta, timezone

import pytest

from node.accounting.ledger import UsageBucket, UsageKey
from node.accounting.meter import Reading
from node.control.active_ruleset import consider
from node.control.ports import Repository
from node.control.reconciler import Reconciler
from node.enforcement.plan import IDLE_MINOR, NO_LIMIT, TrafficPlan
from node.errors import KernelRefused
from node.governance.members import parse_members
from node.sessions.table import CLASS_IDLE_MS, IDLE_OF_GUEST, LOOK_EVERY
from node.units import AccountId, Bytes, MacAddress, Monotonic, NodeId, Usage
from tests.fakes.kernel import FakeKernel
from tests.fakes.reconciler_fixture import (
    ANA,
    BEN,
    HOUR_MS,
    MEMBER_DIRECTORY,
    RULES,
    ReconcilerFixture,
    until,
    used,
)
from tests.fakes.repository import FakeRepository


@pytest.fixture
def village(memories: Callable[[], Repository]) -> ReconcilerFixture:
    return ReconcilerFixture(memories)


async def test_a_device_may_pass_when_admit_returns(village: ReconcilerFixture) -> None:
    async with village.life() as loop:
        assert not village.kernel.send(ANA, up=1)
        await loop.admit(ANA, "1")
        assert village.kernel.send(ANA, up=1)


async def test_a_person_who_leaves_is_answered_although_the_entry_is_discarded_meanwhile(
    village: ReconcilerFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last bytes were stored, and its retention was over, while the kernel applied the change."""
    async with village.life() as loop:
        await loop.admit(ANA, "1")
        applied = loop._after_change

        async def slowly(macs: Iterable[MacAddress]) -> None:
            await applied(macs)
            loop.session_table.forget_marks([loop.session_table.session_entries[ANA].mark])
            loop.session_table.forget_ended([ANA], loop._clock.monotonic())

        monkeypatch.setattr(loop, "_after_change", slowly)
        await loop.leave(ANA)
        assert ANA not in loop.session_table.session_entries


async def test_the_watchdog_is_served_on_each_tick_unless_the_kernel_hangs(
    village: ReconcilerFixture,
) -> None:
    answers, read = threading.Event(), village.kernel.read
    async with village.life():
        await until(lambda: village.reports > 3)
        village.kernel.read = lambda: answers.wait(20) and read()  # type: ignore[assignment, method-assign, return-value]
        await asyncio.sleep(0.1)
        before = village.reports
        await asyncio.sleep(0.1)
        assert before == village.reports
        answers.set()
        await until(lambda: village.reports > before)


async def test_after_a_kill_nobody_joins_again_and_no_byte_is_lost_or_booked_twice(
    village: ReconcilerFixture,
) -> None:
    async with village.life(killed=True) as loop:
        await loop.admit(ANA, "1")
        village.kernel.send(ANA, down=1000, up=10)
        await until(lambda: used(loop) == 1010)
    assert village.kernel.send(ANA, down=500)
    async with village.life(killed=True) as loop:
        assert village.kernel.send(ANA, down=90)
        await until(lambda: used(loop) == 1600)
    async with village.life() as loop:
        await until(lambda: loop._rated_ms is not None)
        assert 1600 == used(loop)


async def test_an_orderly_restart_books_everything_once(village: ReconcilerFixture) -> None:
    async with village.life() as loop:
        await loop.admit(ANA, "1")
        village.kernel.send(ANA, down=1000)
        await until(lambda: used(loop) == 1000)
    village.kernel.send(ANA, down=1)
    async with village.life() as loop:
        await until(lambda: used(loop) == 1001)


async def test_a_session_that_ended_while_the_daemon_was_dead_is_over(village: ReconcilerFixture) -> None:
    async with village.life(killed=True) as loop:
        await loop.admit(ANA, "1")
    village.clock.pass_time(HOUR_MS - 1_000)
    village.kernel.pass_time(HOUR_MS - 1_000)
    assert village.kernel.send(ANA, down=77)
    village.clock.pass_time(2_000)
    village.kernel.pass_time(2_000)
    assert not village.kernel.send(ANA, down=1)
    async with village.life() as loop:
        assert not village.kernel.send(ANA, down=1)
        await until(lambda: used(loop) == 77)


async def test_a_session_ends_by_itself_and_its_last_bytes_are_booked(village: ReconcilerFixture) -> None:
    async with village.life() as loop:
        await loop.admit(ANA, "1")
        flush, may_store = loop.persistence.flush, asyncio.Event()

        async def flush_later(now: Monotonic, *, is_all: bool = True) -> None:
            await may_store.wait()
            await flush(now, is_all=is_all)

        loop.persistence.flush = flush_later  # type: ignore[method-assign]
        village.kernel.send(ANA, down=500)
        village.clock.pass_time(HOUR_MS + 1)
        village.kernel.pass_time(HOUR_MS + 1)
        await until(lambda: used(loop) == 500)
        cycles = village.reports
        await until(lambda: village.reports > cycles + 3)
        assert loop.session_table.retiring, "the counter stays until its bytes are stored"
        may_store.set()
        village.clock.pass_time(55_000)
        async with asyncio.timeout(20):
            while loop.session_table.retiring:  # until usage booked after the end is stored, each minute
                village.clock.pass_time(56_000)
                await asyncio.sleep(0.01)
        assert village.kernel.plan is not None
        assert {} == dict(village.kernel.plan.admitted)


async def test_after_a_reboot_sessions_keep_their_remaining_time(
    village: ReconcilerFixture,
) -> None:
    async with village.life() as loop:
        await loop.admit(ANA, "1")
    village.kernel.vanish()
    village.clock.reboot(off_ms=HOUR_MS // 2)
    village.kernel.now = village.clock.now
    async with village.life():
        assert village.kernel.plan is not None
        left = (village.kernel.plan.admitted[ANA].ends or 0) - village.clock.now
        assert abs(left - HOUR_MS // 2) <= 1_000


async def test_leaving_ends_the_session_at_once(village: ReconcilerFixture) -> None:
    async with village.life() as loop:
        await loop.admit(ANA, "1")
        await loop.leave(ANA)
        assert not village.kernel.send(ANA, up=1)
        await loop.admit(ANA, "1")
        assert village.kernel.send(ANA, up=1)


def class_of(village: ReconcilerFixture, mac: MacAddress) -> int:
    assert village.kernel.plan is not None
    return village.kernel.plan.admitted[mac].class_minor


async def become_idle(village: ReconcilerFixture, mac: MacAddress) -> None:
    village.clock.pass_time(CLASS_IDLE_MS)
    village.kernel.pass_time(CLASS_IDLE_MS)
    await until(lambda: class_of(village, mac) == IDLE_MINOR)


async def test_an_account_that_is_idle_for_ten_minutes_has_no_class_until_it_is_counted_again(
    village: ReconcilerFixture,
) -> None:
    async with village.life() as loop:
        await loop.admit(ANA, "1")
        await loop.admit(BEN, "1")
        own = class_of(village, ANA)
        await become_idle(village, ANA)
        await until(lambda: class_of(village, BEN) == IDLE_MINOR)
        classes = village.kernel.classes()
        assert own not in classes
        assert classes[IDLE_MINOR].rate >= 256_000, "the first of them has a lifeline at once"
        assert village.kernel.send(ANA, down=1000)
        await until(lambda: class_of(village, ANA) == own)
        assert village.kernel.classes()[own].rate >= 256_000
        assert class_of(village, BEN) == IDLE_MINOR
        await until(lambda: used(loop) == 1000)


async def test_a_device_that_joins_again_while_idle_has_a_class_at_once(village: ReconcilerFixture) -> None:
    async with village.life() as loop:
        await loop.admit(ANA, "1")
        own = class_of(village, ANA)
        await become_idle(village, ANA)
        await loop.admit(ANA, "1")
        await until(lambda: class_of(village, ANA) == own)


async def test_after_a_restart_an_idle_account_does_not_keep_the_class_that_all_of_them_share(
    village: ReconcilerFixture,
) -> None:
    async with village.life(killed=True) as loop:
        await loop.admit(BEN, "1")
        await become_idle(village, BEN)
    async with village.life() as loop:
        await until(lambda: village.kernel.plan is not None and class_of(village, BEN) != IDLE_MINOR)
        assert IDLE_MINOR not in loop.session_table.minors.values()
        assert village.kernel.send(BEN, up=1)


async def test_many_changes_by_other_programs_do_not_delay_the_next_reading(
    village: ReconcilerFixture,
) -> None:
    """Each change hurries a turn; the pause after them is one interval, not one for each of them."""
    async with village.life() as loop:
        loop._tick_s = 0.2
        for _ in range(50):
            before = village.kernel.read_count
            loop._hurry.set()
            await until(lambda: village.kernel.read_count > before)  # noqa: B023
        before = village.kernel.read_count
        async with asyncio.timeout(2):
            while village.kernel.read_count < before + 3:
                await asyncio.sleep(0.01)


async def test_a_flushed_table_is_restored_within_a_tick(village: ReconcilerFixture) -> None:
    async with village.life() as loop:
        await loop.admit(ANA, "1")
        village.kernel.vanish()
        await until(lambda: village.kernel.plan is not None)
        assert village.kernel.send(ANA, up=1)
        await until(lambda: loop.troubles.kernel == "")


async def test_a_refused_plan_is_reported_and_retried(village: ReconcilerFixture) -> None:
    async with village.life() as loop:
        village.kernel.refusing = "no memory"
        with pytest.raises(KernelRefused):
            await loop.admit(ANA, "1")
        assert "no memory" in loop.troubles.kernel
        village.kernel.refusing = ""
        await until(lambda: village.kernel.send(ANA, up=1))


async def test_usage_of_another_node_outlives_a_loop_that_failed(
    village: ReconcilerFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mesh does not send it again, and waits until it is stored."""
    loop, elsewhere = village.loop(), Usage(Bytes(900), Bytes(0))

    def fails() -> Reading:
        raise OSError("the kernel's answer is cut off")

    async with asyncio.TaskGroup() as tasks:
        failing = tasks.create_task(_fails(loop))
        await asyncio.wait_for(loop.ready.wait(), 60)
        bucket = UsageBucket(elsewhere, elsewhere)
        loop.merge(UsageKey(NodeId("m" * 52), "x", AccountId("ana"), "2026-11-24"), bucket)
        stored = tasks.create_task(loop.kept())
        with monkeypatch.context() as broken:
            broken.setattr(village.kernel, "read", fails)
            await failing
        running = tasks.create_task(loop.run())
        village.clock.pass_time(56_000)
        await asyncio.wait_for(stored, 5)
        assert 900 == used(loop)
        running.cancel()


async def _fails(loop: Reconciler) -> None:
    with pytest.RaisesGroup(OSError):
        await loop.run()


async def test_usage_at_another_node_counts_here(village: ReconcilerFixture) -> None:
    """A quota used up elsewhere takes effect here at the next tick."""
    async with village.life() as loop:
        await loop.admit(ANA, "1")
        elsewhere = Usage(Bytes(900_000), Bytes(200_000))
        loop.merge(
            UsageKey(NodeId("m" * 52), "x", AccountId("ana"), "2026-11-24"), UsageBucket(elsewhere, elsewhere)
        )
        await until(lambda: loop.effective_policy.allowances[AccountId("ana")].share.value == 50)
        assert village.kernel.plan is not None
        await until(lambda: [50] == [c.weight for c in village.kernel.plan.classes.values()])


async def test_all_devices_of_a_household_share_one_class(village: ReconcilerFixture) -> None:
    async with village.life() as loop:
        await loop.admit(ANA, "1")
        await loop.admit(MacAddress("02:00:00:00:00:1a"), "1")
        assert village.kernel.plan is not None
        assert 1 == len(village.kernel.plan.classes)
        assert 1 == len({a.class_minor for a in village.kernel.plan.admitted.values()})


async def test_a_bad_rule_file_changes_nothing_and_the_reason_is_kept(village: ReconcilerFixture) -> None:
    async with village.life() as loop:
        await loop.admit(ANA, "1")
        assert MEMBER_DIRECTORY is not None
        await loop.adopt(
            consider(loop.active_ruleset, RULES.replace("share = 100", "shore = 100"), MEMBER_DIRECTORY),
            MEMBER_DIRECTORY,
        )
        assert 100 == loop.effective_policy.allowances[AccountId("ana")].share.value
        assert loop.active_ruleset.rejected
        await loop.adopt(
            consider(loop.active_ruleset, RULES.replace("share = 100", "share = 80"), MEMBER_DIRECTORY),
            MEMBER_DIRECTORY,
        )
        assert 80 == loop.effective_policy.allowances[AccountId("ana")].share.value
        assert not loop.active_ruleset.rejected


async def test_when_the_data_folder_is_full_people_still_join_and_all_is_stored_later() -> None:
    repository = FakeRepository()
    village = ReconcilerFixture(lambda: repository)
    repository.full = True
    async with village.life() as loop:
        await loop.admit(ANA, "1")
        assert village.kernel.send(ANA, down=1000)
        await until(lambda: used(loop) == 1000)
        assert "full" in loop.troubles.storage
        repository.full = False
        await until(lambda: ANA in repository.sessions)
        await until(lambda: loop.troubles.storage == "")
    assert 1000 == sum(bucket.uplink.total for bucket in repository.rows.values())


async def test_a_database_that_could_not_be_read_at_the_start_books_nothing_twice() -> None:
    """The kernel's counters held bytes that the previous run had booked, and some that it had not."""
    repository = FakeRepository()
    village = ReconcilerFixture(lambda: repository)
    async with village.life() as loop:
        await loop.admit(ANA, "1")
        village.kernel.send(ANA, down=900)
        await until(lambda: used(loop) == 900)
    village.kernel.send(ANA, down=70)
    repository.full = True
    async with village.life() as loop:
        assert village.kernel.plan is not None
        await loop.admit(ANA, "1")
        village.kernel.send(ANA, down=5)
        await until(lambda: used(loop) == 5)
        repository.full = False
        await until(lambda: loop.troubles.storage == "")
        await until(lambda: used(loop) == 975)
    assert 975 == sum(bucket.uplink.total for bucket in repository.rows.values())


async def test_a_device_that_joins_during_a_reading_keeps_its_class(
    village: ReconcilerFixture,
) -> None:
    """A tick that began before does not know the device; its result must not remove the device's class."""
    async with village.life() as loop:
        slow = asyncio.Event()
        read = village.kernel.read

        def reading() -> object:
            loop_of_test.call_soon_threadsafe(slow.set)
            time.sleep(0.05)
            return read()

        loop_of_test = asyncio.get_running_loop()
        village.kernel.read = reading  # type: ignore[method-assign, assignment]
        await slow.wait()
        await loop.admit(ANA, "1")
        for _ in range(20):
            assert village.kernel.plan is not None
            assert 1 == len(village.kernel.plan.classes)
            await asyncio.sleep(0.005)


async def test_a_full_uplink_is_busy_and_usage_then_is_counted_separately(
    village: ReconcilerFixture,
) -> None:
    """Readings become rates, and rates a busy uplink: a quota that counts "uplink while busy" depends on it."""
    member_directory = MEMBER_DIRECTORY
    assert member_directory is not None
    async with village.life() as loop:
        await loop.adopt(
            consider(loop.active_ruleset, RULES.replace('"uplink"', '"uplink while busy"'), member_directory),
            member_directory,
        )
        await loop.admit(ANA, "1")
        month = lambda: loop.ledger.total(AccountId("ana"), "2026-11")  # noqa: E731
        village.kernel.send(ANA, down=2_000_000)
        await until(lambda: month().uplink.total == 2_000_000)
        assert 0 == month().busy.total
        assert 100 == loop.effective_policy.allowances[AccountId("ana")].share.value
        async with asyncio.timeout(120):
            while not loop.load.busy:  # 34 of 36 Mbit/s down
                read = loop.persistence.baseline
                village.kernel.send(ANA, down=34_000_000 // 8 * 10)
                village.clock.pass_time(10_000)
                await until(lambda read=read: loop.persistence.baseline is not read)  # type: ignore[misc]
        assert loop.rates[AccountId("ana")].down > 30_000_000
        assert loop.uplink_rate.down > 30_000_000
        village.kernel.send(ANA, down=2_000_000)
        await until(lambda: month().busy.total >= 2_000_000)
        await until(lambda: loop.effective_policy.allowances[AccountId("ana")].share.value == 50)


BUSY_RULES = (
    RULES.replace("max_weight_ratio = 4", 'max_weight_ratio = 4\nbusy_after = "1 minute"')
    + """
[[rule]]
id = "evening"
ceiling = "3 Mbit/s down, 1 Mbit/s up"
while = "busy"
who = "tier:member"
by = "D-1"
"""
)


async def test_a_ceiling_of_a_busy_line_reaches_the_kernel_within_two_seconds_and_stays(
    village: ReconcilerFixture,
) -> None:
    """With it the line carries 3 of 36 Mbit/s: it is lifted when the download is over, not before."""

    def top() -> int | None:
        assert village.kernel.plan is not None
        return max((each.ceiling.down for each in village.kernel.plan.classes.values()), default=None)

    async def reading(loop: Reconciler, megabits: int, *, until_busy: bool | None = None) -> None:
        read = loop.persistence.baseline
        village.kernel.send(ANA, down=megabits * 1_000_000 // 8 * 10)
        village.clock.pass_time(10_000)
        await until(lambda: loop.persistence.baseline is not read or loop.load.busy is until_busy)

    async with village.life() as loop:
        member_directory = loop.member_directory
        await loop.adopt(consider(loop.active_ruleset, BUSY_RULES, member_directory), member_directory)
        await loop.admit(ANA, "1")
        free = top()
        async with asyncio.timeout(120):
            while not loop.load.busy:
                await reading(loop, 34, until_busy=True)
        since = time.monotonic()
        await until(lambda: top() == 3_000_000)
        busy_to_kernel_s = time.monotonic() - since
        assert busy_to_kernel_s < 2
        assert "While the line is busy, members never have more" in (
            loop.allowance(AccountId("ana")).ceiling.sentence  # type: ignore[union-attr]
        )
        for _ in range(20):
            await reading(loop, 3)
            assert loop.load.busy
        async with asyncio.timeout(120):
            while loop.load.busy:
                await reading(loop, 1, until_busy=False)
        await until(lambda: top() == free)
        assert loop.allowance(AccountId("ana")).ceiling is None


class SlowKernel(FakeKernel):
    """While `firewall` is clear, applying a plan waits until it is set."""

    def __init__(self) -> None:
        super().__init__()
        self.firewall = threading.Event()
        self.firewall.set()
        self.at_once = self.at_once_max = 0

    def apply(self, plan: TrafficPlan, now: Monotonic) -> None:
        self.at_once += 1
        self.at_once_max = max(self.at_once_max, self.at_once)
        self.firewall.wait(10)
        super().apply(plan, now)
        self.at_once -= 1


async def test_leaving_while_a_plan_is_applied_blocks_nobody_and_the_next_run_waits_for_it(
    village: ReconcilerFixture,
) -> None:
    """Before, the loop itself waited for the thread: with a kernel that hangs, portal and mesh stood still. Two
    runs must never talk to one kernel at the same time.
    """
    kernel = village.kernel = SlowKernel()
    loop = village.loop()
    gaps, noise, is_over = [0.0], [0.0], threading.Event()

    def listen() -> None:
        """How long the machine keeps a thread waiting that has nothing to do with the loop."""
        while not is_over.is_set():
            before = time.monotonic()
            time.sleep(0.01)
            noise.append(time.monotonic() - before)

    async def watch() -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.01)
            gaps.append(time.monotonic() - before)

    async with asyncio.TaskGroup() as tasks:
        listening = tasks.create_task(asyncio.to_thread(listen))
        watching = tasks.create_task(watch())
        first = tasks.create_task(loop.run())
        await asyncio.wait_for(loop.ready.wait(), 60)
        kernel.firewall.clear()
        coming = tasks.create_task(_let_in(loop))
        await until(lambda: kernel.at_once == 1)
        first.cancel()
        await asyncio.sleep(0.3)
        again = tasks.create_task(loop.run())
        await until(lambda: "has not answered" in loop.troubles.kernel)
        await asyncio.sleep(0.3)
        assert max(gaps) < 0.2 + max(noise)
        assert (1, 1) == (kernel.at_once, kernel.at_once_max)
        kernel.firewall.set()
        assert await coming
        await until(lambda: not loop.troubles.kernel)
        assert kernel.send(ANA, up=1)
        assert 1 == kernel.at_once_max
        again.cancel()
        watching.cancel()
        is_over.set()
        await listening


async def _let_in(loop: Reconciler) -> bool:
    """Repeated, as a person would."""
    for _ in range(20):
        try:
            await loop.admit(ANA, "1")
        except KernelRefused:
            await asyncio.sleep(0.1)
        else:
            return True
    return False


async def test_silent_guests_are_evicted_when_there_are_many_and_leave_no_trace_in_memory(
    village: ReconcilerFixture,
) -> None:
    """A phone that changes its address each day left an entry behind until the end of the session."""
    guests = [MacAddress(f"02:99:00:00:00:{number:02x}") for number in range(4)]
    async with village.life() as loop:
        loop.session_table.guests_max = 4
        for mac in guests:
            await loop.admit(mac, "1")
        for mac in guests[1:]:
            village.clock.pass_time(IDLE_OF_GUEST // 4)
            # Sent again while waiting: a reading may have begun before the time passed.
            await until(
                lambda mac=mac: (
                    village.kernel.send(mac, up=100)
                    and loop.session_table.idle_ms(mac, village.clock.monotonic()) == 0
                )
            )
        village.clock.pass_time(IDLE_OF_GUEST // 4 + LOOK_EVERY)
        await until(lambda: not loop.session_table.is_admitted(guests[0]))
        assert all(loop.session_table.is_admitted(mac) for mac in guests[1:])
        await until(lambda: not village.kernel.send(guests[0], up=1))
        async with asyncio.timeout(20):
            while (
                guests[0] in loop.session_table.session_entries
            ):  # until its last bytes are stored, each minute
                village.clock.pass_time(60_000)
                await asyncio.sleep(0.002)
        assert guests[0] not in loop.session_table.guests
        await loop.admit(guests[0], "1")
        assert village.kernel.send(guests[0], up=1), "who comes back is let in again"


async def test_the_kernels_classes_change_at_the_midnight_of_a_rules_first_and_last_day(
    village: ReconcilerFixture,
) -> None:
    """Midnight of local civil time: after the first one the node's time zone is another."""
    top = '[[rule]]\nid = "top"\nceiling = "{} Mbit/s down, 1 Mbit/s up"\nwho = "tier:member"\nby = "D-1"\n'
    rules = (
        f'{RULES}{top.format(9)}from = "2026-11-25"\nexpires = "2026-11-26"\n'
        f"{top.format(5).replace('top', 'day')}"
        'when = "daily 00:00-24:00 except market"\nfrom = "2026-11-26"\n[calendar]\nmarket = "2026-11-27"\n'
    )
    assert MEMBER_DIRECTORY is not None
    directory = MEMBER_DIRECTORY

    def ceilings() -> list[int]:
        return [each.ceiling.down for each in village.kernel.plan.classes.values()]

    async with village.life() as loop:
        await loop.adopt(consider(loop.active_ruleset, rules, directory), directory)
        assert not loop.active_ruleset.rejected
        await loop.admit(ANA, "1")
        village.clock.wall = datetime(2026, 11, 24, 23, 59, 59, tzinfo=UTC)
        ticks = village.reports
        await until(lambda: village.reports > ticks + 3)
        assert [NO_LIMIT] == ceilings()
        for wall, ceiling in (
            (datetime(2026, 11, 25, tzinfo=UTC), 9_000_000),
            (datetime(2026, 11, 25, 23, 59, tzinfo=UTC), 9_000_000),
            (datetime(2026, 11, 25, 23, 59, tzinfo=UTC).astimezone(timezone(timedelta(hours=1))), 5_000_000),
            (datetime(2026, 11, 27, tzinfo=UTC), NO_LIMIT),
            (datetime(2026, 11, 28, tzinfo=UTC), 5_000_000),
        ):
            village.clock.wall = wall
            await until(lambda ceiling=ceiling: [ceiling] == ceilings())  # type: ignore[misc]


async def test_the_last_days_are_read_from_the_database_and_leave_the_count_at_midnight(
    village: ReconcilerFixture,
) -> None:
    """In November days of October count, although the ledger had closed them."""
    rules, ana = RULES.replace("1 MB per month", "1 MB per 31 days"), AccountId("ana")
    assert MEMBER_DIRECTORY is not None
    directory = MEMBER_DIRECTORY

    def weights() -> list[int]:
        assert village.kernel.plan is not None
        return [each.weight for each in village.kernel.plan.classes.values()]

    village.clock.wall = datetime(2026, 10, 28, 12, tzinfo=UTC)
    async with village.life() as loop:
        await loop.admit(ANA, "1")
        village.kernel.send(ANA, down=2_000_000)
        await until(lambda: weights() == [50])
    village.clock.wall = datetime(2026, 11, 24, 12, tzinfo=UTC)
    async with village.life() as loop:
        await until(lambda: weights() == [100])
        await until(lambda: loop.ledger.open_since == "2026-11-01")
        await loop.adopt(consider(loop.active_ruleset, rules, directory), directory)
        await until(lambda: weights() == [50])
        await until(lambda: loop.ledger.open_since == "2026-10-25")
        allowance = loop.allowance(ana)
        assert datetime(2026, 11, 28, tzinfo=UTC) == allowance.share.until == allowance.quotas[0].resets
        village.clock.wall = datetime(2026, 11, 27, 23, 59, 59, tzinfo=UTC)
        ticks = village.reports
        await until(lambda: village.reports > ticks + 3)
        assert [50] == weights()
        village.clock.wall = datetime(2026, 11, 28, tzinfo=UTC)
        await until(lambda: weights() == [100])
        await loop.adopt(consider(loop.active_ruleset, RULES, directory), directory)
        await until(lambda: loop.ledger.open_since == "2026-11-01")


async def test_the_kernels_classes_change_when_dues_become_late(village: ReconcilerFixture) -> None:
    """On the day after the grace, and back when they are paid; without a clock nobody is late."""
    rules = (
        f'{RULES}[dues]\ngrace_days = 10\n[[rule]]\nid = "late"\nceiling = "2 Mbit/s down, 1 Mbit/s up"\n'
        'who = "dues:late"\nby = "D-1"\n'
    )
    late = '[[account]]\nid = "ana"\npaid_until = "{}"\ndevices = ["02:00:00:00:00:0a"]\n'
    unpaid, paid = (parse_members(late.format(day))[0] for day in ("2026-11-14", "2026-12-31"))
    assert unpaid is not None
    assert paid is not None

    def ceilings() -> list[int]:
        return [each.ceiling.down for each in village.kernel.plan.classes.values()]

    async with village.life() as loop:
        await loop.adopt(consider(loop.active_ruleset, rules, unpaid), unpaid)
        assert not loop.active_ruleset.rejected
        await loop.admit(ANA, "1")
        assert [NO_LIMIT] == ceilings()
        village.clock.wall = datetime(2026, 11, 25, tzinfo=UTC)
        await until(lambda: ceilings() == [2_000_000])
        village.clock.trust = "unknown"
        await until(lambda: ceilings() == [NO_LIMIT])
        village.clock.trust = "synced"
        await until(lambda: ceilings() == [2_000_000])
        await loop.adopt(consider(loop.active_ruleset, rules, paid), paid)
        await until(lambda: ceilings() == [NO_LIMIT])

"""The write-behind queue: pending changes wait as long as the data folder is unusable, and are never booked twice."""

import asyncio
from typing import Any

import pytest

from node.accounting.ledger import Ledger, UsageBucket, UsageKey, incarnation_machine
from node.accounting.meter import Baseline, Reading
from node.accounting.periods import DAY_UNKNOWN
from node.accounts.device_bindings import Binding
from node.control.persistence import FORGET_EVERY_MS, PersistenceQueue
from node.control.ports import Troubles
from node.control.write_buffer import OTHERS_EVERY_MS
from node.enforcement.plan import KernelState
from node.sessions import state as session_state
from node.sessions.stored import SavedSession, Session
from node.sessions.table import SessionTable
from node.units import NO_USAGE, AccountId, Bytes, MacAddress, Milliseconds, Monotonic, NodeId, Usage
from tests.fakes.members import make_registry
from tests.fakes.registry_repository import FakeRegistryRepository
from tests.fakes.repository import FakeClock, FakeRepository

ANA = MacAddress("02:00:00:00:00:0a")
NODE = NodeId("n" * 52)


class PersistenceFixture:
    """A persistence queue with everything that it reads and writes."""

    def __init__(self, repository: FakeRepository, machine: str = "") -> None:
        self.repository, self.clock, self.ledger = repository, FakeClock(), Ledger()
        self.registry = make_registry()
        self.session_table = SessionTable(lambda _mac: AccountId("ana"))
        self.troubles = Troubles()
        self.reports: list[str] = []
        self.persistence = PersistenceQueue(
            repository,
            self.clock,
            node=NODE,
            session_table=self.session_table,
            ledger=self.ledger,
            registry=self.registry,
            troubles=self.troubles,
            new_name=lambda: "new incarnation",
            report=self.reports.append,
            machine=machine,
        )

    def use(self, down: int) -> None:
        key = UsageKey(NODE, self.persistence.writer.incarnation, AccountId("ana"), self.clock.today())
        self.persistence.keep([(key, self.ledger.add(key, Usage(Bytes(down), Bytes(0)), busy=False))])


async def test_changes_queued_during_a_full_disk_are_stored_once_there_is_room() -> None:
    fixture = PersistenceFixture(FakeRepository())
    await fixture.persistence.recall(Monotonic(0))
    fixture.use(100)
    fixture.repository.full = True
    await fixture.persistence.flush(Monotonic(1))
    fixture.use(10)
    fixture.repository.full = False
    await fixture.persistence.flush(Monotonic(2))
    assert [110] == [bucket.uplink.down for bucket in fixture.repository.rows.values()]
    assert ["the data folder is full (make room)", "the data folder can be written again"] == fixture.reports


async def test_a_session_is_queued_like_everything_else() -> None:
    fixture = PersistenceFixture(FakeRepository())
    await fixture.persistence.recall(Monotonic(0))
    fixture.session_table.handle(ANA, session_state.SessionGranted("1", Milliseconds(1000)), Monotonic(0))
    fixture.repository.full = True
    await fixture.persistence.save()
    assert fixture.persistence.is_due(Monotonic(0), every_ms=30_000)
    fixture.repository.full = False
    await fixture.persistence.save()
    assert {ANA} == set(fixture.repository.sessions)
    assert not fixture.session_table.unsaved


async def test_an_ended_session_is_not_stored_again_at_each_start() -> None:
    """It would be kept for thirty days after the last start instead of after its end."""
    repository = FakeRepository()
    ended = Session(ANA, 1, AccountId("ana"), "expired", "1", Monotonic(5_000), Monotonic(9_000))
    repository.sessions[ANA] = SavedSession(ended, "another boot", None)
    fixture = PersistenceFixture(repository)
    await fixture.persistence.recall(Monotonic(0))
    assert isinstance(fixture.session_table.guests[ANA], session_state.Expired)
    assert not fixture.session_table.unsaved


async def test_a_replaced_database_is_written_again_from_memory() -> None:
    fixture = PersistenceFixture(FakeRepository())
    await fixture.persistence.recall(Monotonic(0))
    fixture.use(100)
    await fixture.persistence.flush(Monotonic(1))
    fixture.repository.rows.clear()
    fixture.repository.generation += 1
    await fixture.persistence.flush(Monotonic(2))
    assert [100] == [bucket.uplink.down for bucket in fixture.repository.rows.values()]


async def test_counting_that_started_without_a_database_starts_with_the_kernels_counters_and_catches_up_later() -> (
    None
):
    repository = FakeRepository()
    repository.baseline = Baseline("life", {1: Usage(Bytes(900), Bytes(0))})
    repository.facts = {"counters_id": "life", "incarnation": "old incarnation"}
    repository.marks = {(ANA, AccountId("ana")): 1}
    repository.full = True
    fixture = PersistenceFixture(repository)
    standing = Reading("life", {1: Usage(Bytes(970), Bytes(0))})
    await fixture.persistence.recall(Monotonic(0), KernelState(True, standing, {}, {1: 1}))
    assert fixture.persistence.baseline == Baseline("life", standing.counted)
    repository.full = False
    await fixture.persistence.flush(Monotonic(1))
    assert 70 == fixture.ledger.total(AccountId("ana"), "2026-11").uplink.total


async def test_buckets_of_before_are_restored() -> None:
    repository = FakeRepository()
    key = UsageKey(NODE, "old incarnation", AccountId("ana"), "2026-11-24")
    repository.rows = {key: UsageBucket(Usage(Bytes(7), Bytes(0)), NO_USAGE)}
    repository.facts = {"incarnation": "old incarnation"}
    repository.baseline = Baseline("life", {})
    fixture = PersistenceFixture(repository)
    await fixture.persistence.recall(Monotonic(0), KernelState(True, Reading("life", {}), {}, {}))
    assert "old incarnation" == fixture.persistence.writer.incarnation
    assert 7 == fixture.ledger.total(AccountId("ana"), "2026-11").uplink.total


async def test_counters_lost_with_the_machine_begin_another_incarnation_of_the_ledger() -> None:
    """Neighbours may have received bytes that were never stored: those buckets are not continued."""
    repository = FakeRepository()
    repository.facts = {"incarnation": "7-old"}
    fixture = PersistenceFixture(repository)
    await fixture.persistence.recall(Monotonic(0))
    assert "8-new incarnation" == fixture.persistence.writer.incarnation


async def test_the_ledger_is_told_once_what_to_delete_when_the_clock_has_run_steadily() -> None:
    fixture = PersistenceFixture(FakeRepository())
    await fixture.persistence.recall(Monotonic(0))
    assert "" == fixture.persistence.days_to_forget()
    for _ in range(2):
        await fixture.persistence.forget(fixture.clock.now)
        fixture.clock.pass_time(FORGET_EVERY_MS)
    assert "2025-10-20" == fixture.persistence.days_to_forget()
    assert "" == fixture.persistence.days_to_forget()


def binding(name: str = "") -> Binding:
    return Binding(ANA, AccountId("ana"), "card", "2026-11-24", name)


async def test_registry_changes_are_queued_too_and_the_last_one_counts() -> None:
    fixture = PersistenceFixture(FakeRepository())
    await fixture.persistence.recall(Monotonic(0))
    fixture.repository.full = True
    for name in ("phone", "old phone"):
        fixture.persistence.pending.add([binding(name)])
        await fixture.persistence.save()
    fixture.repository.full = False
    await fixture.persistence.flush(Monotonic(1))
    assert (binding("old phone"),) == fixture.repository.registry.kept.bindings
    assert not fixture.persistence.pending


async def test_a_replaced_database_gets_the_registry_again() -> None:
    fixture = PersistenceFixture(FakeRepository())
    await fixture.persistence.recall(Monotonic(0))
    fixture.persistence.pending.add(fixture.registry.bindings.bind(binding()))
    await fixture.persistence.save()
    fixture.repository.registry = FakeRegistryRepository()
    fixture.repository.generation += 1
    await fixture.persistence.flush(Monotonic(1))
    assert (binding(),) == fixture.repository.registry.kept.bindings


async def test_many_waiters_on_a_failing_disk_do_not_retry_one_after_another() -> None:
    repository = CountingMemory()
    fixture = PersistenceFixture(repository)
    await fixture.persistence.recall(Monotonic(0))
    repository.full = True
    async with asyncio.TaskGroup() as tasks:
        for number in range(20):
            fixture.persistence.pending.add([binding(str(number))])
            tasks.create_task(fixture.persistence.save())
    assert 1 == repository.tried
    repository.full = False
    await fixture.persistence.save()
    assert (binding("19"),) == repository.registry.kept.bindings


async def test_a_queued_erasure_is_carried_out_once_the_disk_can_be_written() -> None:
    fixture = PersistenceFixture(FakeRepository())
    await fixture.persistence.recall(Monotonic(0))
    fixture.persistence.pending.add([binding()])
    await fixture.persistence.save()
    fixture.repository.full = True
    fixture.persistence.erase(ANA, AccountId("ana"), "2026-11-24")
    await fixture.persistence.save()
    assert ((AccountId("ana"), "2026-11-01", ""),) == fixture.persistence.accounts_to_erase()
    assert () == fixture.persistence.accounts_to_erase()
    fixture.repository.full = False
    await fixture.persistence.save()
    assert () == fixture.repository.registry.kept.bindings


async def test_an_erasure_removes_only_one_accounts_earlier_months_from_the_queue() -> None:
    fixture = PersistenceFixture(FakeRepository())
    await fixture.persistence.recall(Monotonic(0))
    days = ("2026-10-31", "2026-11-01", DAY_UNKNOWN)
    keys = [UsageKey(NODE, "new incarnation", AccountId(who), day) for who in ("ana", "ben") for day in days]
    fixture.persistence.keep([(key, UsageBucket(Usage(Bytes(5), Bytes(0)), NO_USAGE)) for key in keys])
    fixture.persistence.erase(None, AccountId("ana"), "2026-11-24")
    await fixture.persistence.flush(Monotonic(1))
    kept = {(key.account, key.day) for key in fixture.repository.rows}
    assert {("ana", "2026-11-01"), *(("ben", day) for day in days)} == kept


def waiting_buckets(fixture: PersistenceFixture, *days: str) -> None:
    keys = [UsageKey(NODE, "new incarnation", AccountId("ana"), day) for day in days]
    fixture.persistence.keep([(key, UsageBucket(Usage(Bytes(5), Bytes(0)), NO_USAGE)) for key in keys])


async def days_pass(fixture: PersistenceFixture, days: float) -> None:
    await fixture.persistence.forget(fixture.clock.now)
    fixture.clock.pass_time(int(days * 24 * 3_600_000))
    await fixture.persistence.forget(fixture.clock.now)


async def month_ends(fixture: PersistenceFixture) -> None:
    await days_pass(fixture, 10)


def comes_late(day: str) -> UsageKey:
    return UsageKey(NodeId("m" * 52), "9-m", AccountId("ana"), day)


async def test_when_the_month_of_an_erasure_is_over_its_days_leave_the_queue_and_the_ledger() -> None:
    fixture = PersistenceFixture(FakeRepository())
    await fixture.persistence.recall(Monotonic(0))
    fixture.persistence.erase(None, AccountId("ana"), "2026-11-24")
    await fixture.persistence.save()
    waiting_buckets(fixture, "2026-11-24", "2026-11-25", DAY_UNKNOWN)
    fixture.persistence.accounts_to_erase()
    await month_ends(fixture)
    assert ((AccountId("ana"), "2026-11-25", ""),) == fixture.persistence.accounts_to_erase()
    waiting_buckets(fixture, "2026-11-24", "2026-12-04")
    assert {"2026-11-25", "2026-12-04"} == {key.day for key in await fixture.persistence.stored_buckets("")}
    await fixture.persistence.flush(Monotonic(1))
    assert {"2026-11-25", "2026-12-04"} == {key.day for key in fixture.repository.rows}


async def test_an_erased_account_that_joins_again_counts_from_the_next_day_on() -> None:
    fixture = PersistenceFixture(FakeRepository())
    await fixture.persistence.recall(Monotonic(0))
    fixture.persistence.erase(None, AccountId("ana"), "2026-11-24")
    assert [True, False] == [
        fixture.persistence.erased.bars_late(comes_late(day)) for day in ("2026-10-31", "2026-11-24")
    ]
    await fixture.persistence.save()
    await month_ends(fixture)
    assert [True, False] == [
        fixture.persistence.erased.bars_late(comes_late(day)) for day in ("2026-11-24", "2026-11-25")
    ]
    waiting_buckets(fixture, "2026-12-04", DAY_UNKNOWN)
    await fixture.persistence.flush(Monotonic(1))
    for _ in range(2):
        await month_ends(fixture)
    assert {"2026-12-04", DAY_UNKNOWN} == {key.day for key in fixture.repository.rows}, "unknown days go once"


async def test_an_erasure_known_late_removes_what_pages_brought_meanwhile() -> None:
    repository = FakeRepository()
    await repository.erase(None, AccountId("ana"), "2026-11-24")
    repository.full = True
    fixture = PersistenceFixture(repository)
    await fixture.persistence.recall(Monotonic(0))
    for day in ("2026-10-31", "2026-11-24"):
        bucket = UsageBucket(Usage(Bytes(5), Bytes(0)), NO_USAGE)
        fixture.persistence.keep([(comes_late(day), fixture.ledger.merge(comes_late(day), bucket))])
    assert () == fixture.persistence.accounts_to_erase()
    repository.full = False
    await fixture.persistence.flush(Monotonic(1))
    new = fixture.persistence.writer.incarnation
    assert ((AccountId("ana"), "2026-11-01", new),) == fixture.persistence.accounts_to_erase()
    assert {"2026-11-24"} == {key.day for key in repository.rows}


async def test_usage_counted_before_an_erasure_was_known_stays_without_a_day_the_erasure_keeps_out() -> None:
    repository = FakeRepository()
    await repository.erase(None, AccountId("ana"), "2027-12-29")
    repository.full = True
    fixture = PersistenceFixture(repository)
    await fixture.persistence.recall(Monotonic(0))
    fixture.use(100)
    fixture.clock.trust = "unknown"
    fixture.use(7)
    repository.full = False
    await fixture.persistence.flush(Monotonic(1))
    assert [(DAY_UNKNOWN, 107)] == [(key.day, bucket.uplink.down) for key, bucket in repository.rows.items()]
    ((account, day, later),) = fixture.persistence.accounts_to_erase()
    assert repository.rows == fixture.ledger.erase(account, day, later) == dict(fixture.ledger.buckets())


async def test_of_two_erasures_the_one_of_the_later_day_is_in_force_also_after_the_clock_was_set_back() -> (
    None
):
    fixture = PersistenceFixture(FakeRepository())
    await fixture.persistence.recall(Monotonic(0))
    for day in ("2026-11-24", "2026-06-14"):
        fixture.persistence.erase(None, AccountId("ana"), day)
    assert fixture.persistence.erased.bars_late(comes_late("2026-10-31"))
    people = [AccountId("ana"), AccountId("ben")]
    assert [{"ana"}, set()] == [
        fixture.persistence.erased.undated(people, d) for d in ("2026-06-14", "2026-11-01")
    ]
    await fixture.persistence.save()
    assert ["2026-11-24"] == [note.until_day for note in fixture.repository.erasures.values()]


async def test_a_replaced_database_gets_the_erasures_again() -> None:
    fixture = PersistenceFixture(FakeRepository())
    await fixture.persistence.recall(Monotonic(0))
    people = [AccountId(f"guest-{number}") for number in range(600)]
    for account in people:
        fixture.persistence.erase(None, account, "2026-11-24")
    await fixture.persistence.flush(Monotonic(1))
    fixture.repository.erasures.clear()
    fixture.repository.generation += 1
    await fixture.persistence.flush(Monotonic(2))
    assert people == list(fixture.repository.erasures)


async def test_usage_kept_out_by_a_wrong_clock_after_an_erasure_is_stored_when_the_clock_is_right() -> None:
    fixture = PersistenceFixture(FakeRepository())
    await fixture.persistence.recall(Monotonic(0))
    fixture.persistence.erase(None, AccountId("ana"), "2027-12-29")
    await fixture.persistence.save()
    fixture.use(100)
    await fixture.persistence.flush(Monotonic(1))
    assert {} == fixture.repository.rows
    await days_pass(fixture, 0.5)
    await fixture.persistence.flush(Monotonic(2))
    assert {"2026-11-24"} == {key.day for key in fixture.repository.rows}, (
        "in the month of the erasure its days stay"
    )


async def test_erasures_are_forgotten_after_thirteen_months() -> None:
    fixture = PersistenceFixture(FakeRepository())
    await fixture.persistence.recall(Monotonic(0))
    fixture.persistence.erase(None, AccountId("ana"), "2026-11-24")
    await fixture.persistence.save()
    for _ in range(40):
        await month_ends(fixture)
        assert fixture.persistence.erased.bars_late(comes_late("2026-10-31"))
    await month_ends(fixture)
    assert not fixture.persistence.erased.bars_late(comes_late("2026-10-31"))
    assert {} == fixture.repository.erasures


class CountingMemory(FakeRepository):
    """Counts attempts to write."""

    tried = 0

    async def save_sessions(self, *args: Any) -> None:
        self.tried += 1
        await asyncio.sleep(0)
        await super().save_sessions(*args)


HILL = NodeId("h" * 52)


def told(account: str, day: str, down: int = 5) -> dict[UsageKey, UsageBucket]:
    return {
        UsageKey(HILL, "1-a", AccountId(account), day): UsageBucket(Usage(Bytes(down), Bytes(0)), NO_USAGE)
    }


async def test_usage_withdrawn_by_another_node_is_no_longer_stored() -> None:
    """Also when it was withdrawn while the disk was full, and again during a write."""
    fixture = PersistenceFixture(FakeRepository())
    await fixture.persistence.recall(Monotonic(0))
    fixture.persistence.keep({**told("ana", "2026-11-24"), **told("ana", "2026-11-23")}.items())
    await fixture.persistence.flush(Monotonic(1))
    fixture.persistence.keep(told("ben", "2026-11-24").items())
    fixture.repository.full = True
    fixture.persistence.recount({(HILL, "2026-11-24"): told("cem", "2026-11-24")})
    assert not await fixture.persistence.flush(Monotonic(2))
    fixture.repository.full = False
    assert {"ana", "cem"} == {key.account for key in await fixture.persistence.stored_buckets("")}
    booking = fixture.repository.book

    async def meanwhile(found: Any) -> None:
        await booking(found)
        fixture.repository.book = booking  # type: ignore[method-assign]
        fixture.persistence.recount({(HILL, "2026-11-24"): told("cem", "2026-11-24", 3)})

    fixture.repository.book = meanwhile  # type: ignore[method-assign]
    assert await fixture.persistence.flush(Monotonic(3))
    assert {**told("cem", "2026-11-24"), **told("ana", "2026-11-23")} == fixture.repository.rows
    assert await fixture.persistence.flush(Monotonic(4))
    assert {**told("cem", "2026-11-24", 3), **told("ana", "2026-11-23")} == fixture.repository.rows


async def test_a_closed_day_whose_pages_were_evicted_stays_stored() -> None:
    fixture = PersistenceFixture(FakeRepository())
    await fixture.persistence.recall(Monotonic(0))
    fixture.persistence.keep({**told("ana", "2026-10-01"), **told("ana", "2026-11-24")}.items())
    await fixture.persistence.flush(Monotonic(1))
    fixture.ledger.close_before("2026-11-01")
    fixture.persistence.recount({(HILL, "2026-10-01"): {}, (HILL, "2026-11-24"): {}})
    await fixture.persistence.flush(Monotonic(2))
    assert told("ana", "2026-10-01") == fixture.repository.rows


async def test_a_waiter_is_notified_when_the_change_is_stored_and_not_before() -> None:
    fixture = PersistenceFixture(FakeRepository())
    await fixture.persistence.recall(Monotonic(0))
    told: list[str] = []
    fixture.persistence.write_buffer.waiting.append(lambda: told.append("stored"))
    fixture.repository.full = True
    await fixture.persistence.flush(Monotonic(1))
    assert [] == told
    fixture.repository.full = False
    await fixture.persistence.flush(Monotonic(2))
    await fixture.persistence.flush(Monotonic(3))
    assert ["stored"] == told


async def test_a_writing_that_is_cancelled_is_done_by_the_next_one() -> None:
    """The loop runs again after a failure: what was to be taken back is, and who waits for it is told."""
    fixture, told_to = PersistenceFixture(FakeRepository()), list[str]()
    await fixture.persistence.recall(Monotonic(0))
    fixture.repository.rows = dict(told("ana", "2026-11-24"))
    fixture.persistence.recount({(HILL, "2026-11-24"): told("cem", "2026-11-24")})
    fixture.persistence.write_buffer.waiting.append(lambda: told_to.append("stored"))
    book, stuck = fixture.repository.book, asyncio.Event()

    async def never(_booking: object) -> None:
        stuck.set()
        await asyncio.Event().wait()

    fixture.repository.book = never  # type: ignore[method-assign]
    async with asyncio.TaskGroup() as tasks:
        flushing = tasks.create_task(fixture.persistence.flush(Monotonic(1)))
        await stuck.wait()
        flushing.cancel()
    fixture.repository.book = book  # type: ignore[method-assign]
    assert await fixture.persistence.flush(Monotonic(2))
    assert ({"cem"}, ["stored"]) == ({key.account for key in fixture.repository.rows}, told_to)


async def test_what_is_counted_while_pages_are_being_kept_is_not_taken_for_stored() -> None:
    """Stored counters that are ahead of the stored cells would cost the bytes between them after a crash."""
    fixture = PersistenceFixture(FakeRepository())
    await fixture.persistence.recall(Monotonic(0))
    fixture.persistence.keep(told("ana", "2026-11-24").items())
    before, after = (Baseline("life", {1: Usage(Bytes(down), Bytes(0))}) for down in (100, 150))
    fixture.persistence.counted(before, "2026-11-24")
    fixture.use(100)

    async def meanwhile() -> None:
        fixture.use(50)
        fixture.persistence.counted(after, "2026-11-24")

    fixture.persistence._keep_pages = meanwhile
    assert await fixture.persistence.flush(Monotonic(1))
    assert before == fixture.repository.baseline
    assert {5, 100} == {bucket.uplink.down for bucket in fixture.repository.rows.values()}


@pytest.mark.parametrize(
    ("before", "after", "is_other"),
    [("a" * 16, "a" * 16, False), ("a" * 16, "b" * 16, True), ("", "b" * 16, False), ("a" * 16, "", False)],
)
async def test_a_copied_disk_begins_another_incarnation_although_its_counters_stand(
    before: str, after: str, is_other: bool
) -> None:
    """A machine that nothing identifies, and a database of an earlier version, are taken for the same."""
    repository, standing = FakeRepository(), KernelState(True, Reading("counters", {}), {}, {})
    original = PersistenceFixture(repository, before)
    await original.persistence.recall(Monotonic(0), standing)
    await original.persistence.flush(Monotonic(1))
    copy = PersistenceFixture(repository, after)
    await copy.persistence.recall(Monotonic(2), standing)
    lives = original.persistence.writer.incarnation, copy.persistence.writer.incarnation
    assert is_other == (lives[0] != lives[1])
    assert after[:6] == incarnation_machine(lives[1]) or not is_other
    await copy.persistence.flush(Monotonic(3))
    again = PersistenceFixture(repository, after)
    await again.persistence.recall(Monotonic(4), standing)
    assert lives[1] == again.persistence.writer.incarnation


async def test_usage_of_other_nodes_is_stored_every_two_hours_and_own_usage_each_time() -> None:
    fixture = PersistenceFixture(FakeRepository())
    await fixture.persistence.recall(Monotonic(0))
    assert await fixture.persistence.flush(Monotonic(1))
    fixture.persistence.keep(told("ana", "2026-11-24").items())
    fixture.use(100)
    fixture.persistence.counted(Baseline("life", {1: Usage(Bytes(100), Bytes(0))}), "2026-11-24")
    kept = list[str]()

    async def keep_pages() -> None:
        kept.append("pages")

    fixture.persistence._keep_pages = keep_pages
    assert await fixture.persistence.flush(Monotonic(55_000), is_all=False)
    assert ([], {100}) == (kept, {bucket.uplink.down for bucket in fixture.repository.rows.values()})
    assert await fixture.persistence.flush(Monotonic(OTHERS_EVERY_MS + 1), is_all=False)
    assert (["pages"], {5, 100}) == (
        kept,
        {bucket.uplink.down for bucket in fixture.repository.rows.values()},
    )

"""What is still to be stored waits, however long the data folder cannot be used, and is never booked twice."""

import asyncio
from typing import Any

from captive_portal import guests
from node.accounting.ledger import Cell, CellKey, Ledger
from node.accounting.meter import Baseline, Reading
from node.accounting.periods import DAY_UNKNOWN
from node.accounting.sessions import SavedSession, Session
from node.enforcement.plan import KernelState
from node.membership.bindings import Binding
from node.reconcile.keeper import FORGET_EVERY_MS, Keeper, Troubles
from node.reconcile.presence import Presence
from node.units import NO_USAGE, AccountId, Bytes, MacAddress, Milliseconds, Monotonic, NodeId, Usage
from tests.fakes.members import make_register
from tests.fakes.memory import FakeClock, FakeMemory
from tests.fakes.register_memory import FakeRegisterMemory

ANA = MacAddress("02:00:00:00:00:0a")
NODE = NodeId("n" * 52)


class Desk:
    """A keeper with everything around it."""

    def __init__(self, memory: FakeMemory) -> None:
        self.memory, self.clock, self.ledger = memory, FakeClock(), Ledger()
        self.register = make_register()
        self.presence = Presence(lambda _mac: AccountId("ana"))
        self.troubles = Troubles()
        self.reports: list[str] = []
        self.keeper = Keeper(
            memory,
            self.clock,
            node=NODE,
            presence=self.presence,
            ledger=self.ledger,
            register=self.register,
            troubles=self.troubles,
            new_name=lambda: "new life",
            report=self.reports.append,
        )

    def use(self, down: int) -> None:
        key = CellKey(NODE, self.keeper.writer.incarnation, AccountId("ana"), self.clock.today())
        self.keeper.keep([(key, self.ledger.add(key, Usage(Bytes(down), Bytes(0)), busy=False))])


async def test_what_waited_for_a_full_disk_is_stored_once_there_is_room() -> None:
    desk = Desk(FakeMemory())
    await desk.keeper.recall(Monotonic(0))
    desk.use(100)
    desk.memory.full = True
    await desk.keeper.flush(Monotonic(1))
    desk.use(10)
    desk.memory.full = False
    await desk.keeper.flush(Monotonic(2))
    assert [110] == [cell.uplink.down for cell in desk.memory.rows.values()]
    assert ["the data folder is full (make room)", "the data folder can be written again"] == desk.reports


async def test_a_session_waits_like_everything_else() -> None:
    desk = Desk(FakeMemory())
    await desk.keeper.recall(Monotonic(0))
    desk.presence.handle(ANA, guests.TermsAccepted("1", Milliseconds(1000)), Monotonic(0))
    desk.memory.full = True
    await desk.keeper.save()
    assert desk.keeper.is_due(Monotonic(0), every_ms=30_000)
    desk.memory.full = False
    await desk.keeper.save()
    assert {ANA} == set(desk.memory.sessions)
    assert not desk.presence.unsaved


async def test_a_session_that_is_over_is_not_stored_again_at_each_start() -> None:
    """It would be kept for thirty days after the last start, and not after its end."""
    memory = FakeMemory()
    ended = Session(ANA, 1, AccountId("ana"), "expired", "1", Monotonic(5_000), Monotonic(9_000))
    memory.sessions[ANA] = SavedSession(ended, "another boot", None)
    desk = Desk(memory)
    await desk.keeper.recall(Monotonic(0))
    assert isinstance(desk.presence.guests[ANA], guests.Expired)
    assert not desk.presence.unsaved


async def test_a_database_that_was_taken_away_is_written_again_from_what_we_know() -> None:
    desk = Desk(FakeMemory())
    await desk.keeper.recall(Monotonic(0))
    desk.use(100)
    await desk.keeper.flush(Monotonic(1))
    desk.memory.rows.clear()
    desk.memory.life += 1
    await desk.keeper.flush(Monotonic(2))
    assert [100] == [cell.uplink.down for cell in desk.memory.rows.values()]


async def test_counting_begun_blind_starts_with_what_stands_and_catches_up_later() -> None:
    memory = FakeMemory()
    memory.baseline = Baseline("life", {1: Usage(Bytes(900), Bytes(0))})
    memory.facts = {"counters_id": "life", "incarnation": "old life"}
    memory.marks = {(ANA, AccountId("ana")): 1}
    memory.full = True
    desk = Desk(memory)
    standing = Reading("life", {1: Usage(Bytes(970), Bytes(0))})
    await desk.keeper.recall(Monotonic(0), KernelState(True, standing, {}, {1: 1}))
    assert desk.keeper.baseline == Baseline("life", standing.counted)
    memory.full = False
    await desk.keeper.flush(Monotonic(1))
    assert 70 == desk.ledger.total(AccountId("ana"), "2026-11").uplink.total


async def test_cells_of_before_come_back() -> None:
    memory = FakeMemory()
    key = CellKey(NODE, "old life", AccountId("ana"), "2026-11-24")
    memory.rows = {key: Cell(Usage(Bytes(7), Bytes(0)), NO_USAGE)}
    memory.facts = {"incarnation": "old life"}
    memory.baseline = Baseline("life", {})
    desk = Desk(memory)
    await desk.keeper.recall(Monotonic(0), KernelState(True, Reading("life", {}), {}, {}))
    assert "old life" == desk.keeper.writer.incarnation
    assert 7 == desk.ledger.total(AccountId("ana"), "2026-11").uplink.total


async def test_counters_that_went_with_the_machine_begin_another_life_of_the_books() -> None:
    """Neighbours may have been told of bytes that nobody stored: those cells are not counted on."""
    memory = FakeMemory()
    memory.facts = {"incarnation": "7-old"}
    desk = Desk(memory)
    await desk.keeper.recall(Monotonic(0))
    assert "8-new life" == desk.keeper.writer.incarnation


async def test_the_ledger_is_told_once_what_to_forget_when_the_clock_has_run_steadily() -> None:
    desk = Desk(FakeMemory())
    await desk.keeper.recall(Monotonic(0))
    assert "" == desk.keeper.days_to_forget()
    for _ in range(2):
        await desk.keeper.forget(desk.clock.now)
        desk.clock.pass_time(FORGET_EVERY_MS)
    assert "2025-10-20" == desk.keeper.days_to_forget()
    assert "" == desk.keeper.days_to_forget()


def binding(name: str = "") -> Binding:
    return Binding(ANA, AccountId("ana"), "card", "2026-11-24", name)


async def test_what_changed_in_the_register_waits_too_and_the_last_word_counts() -> None:
    desk = Desk(FakeMemory())
    await desk.keeper.recall(Monotonic(0))
    desk.memory.full = True
    for name in ("phone", "old phone"):
        desk.keeper.pending.add([binding(name)])
        await desk.keeper.save()
    desk.memory.full = False
    await desk.keeper.flush(Monotonic(1))
    assert (binding("old phone"),) == desk.memory.register.kept.bindings
    assert not desk.keeper.pending


async def test_a_database_that_was_taken_away_gets_the_register_again() -> None:
    desk = Desk(FakeMemory())
    await desk.keeper.recall(Monotonic(0))
    desk.keeper.pending.add(desk.register.bindings.bind(binding()))
    await desk.keeper.save()
    desk.memory.register = FakeRegisterMemory()
    desk.memory.life += 1
    await desk.keeper.flush(Monotonic(1))
    assert (binding(),) == desk.memory.register.kept.bindings


async def test_many_who_wait_for_a_disk_that_fails_do_not_try_it_one_after_another() -> None:
    memory = CountingMemory()
    desk = Desk(memory)
    await desk.keeper.recall(Monotonic(0))
    memory.full = True
    async with asyncio.TaskGroup() as tasks:
        for number in range(20):
            desk.keeper.pending.add([binding(str(number))])
            tasks.create_task(desk.keeper.save())
    assert 1 == memory.tried
    memory.full = False
    await desk.keeper.save()
    assert (binding("19"),) == memory.register.kept.bindings


async def test_who_asked_to_be_forgotten_is_once_the_disk_takes_it() -> None:
    desk = Desk(FakeMemory())
    await desk.keeper.recall(Monotonic(0))
    desk.keeper.pending.add([binding()])
    await desk.keeper.save()
    desk.memory.full = True
    desk.keeper.erase(ANA, AccountId("ana"), "2026-11-24")
    await desk.keeper.save()
    assert ((AccountId("ana"), "2026-11-01"),) == desk.keeper.accounts_to_erase()
    assert () == desk.keeper.accounts_to_erase()
    desk.memory.full = False
    await desk.keeper.save()
    assert () == desk.memory.register.kept.bindings


async def test_an_erasure_takes_what_one_account_used_in_earlier_months_out_of_what_waits_and_nothing_else() -> (
    None
):
    desk = Desk(FakeMemory())
    await desk.keeper.recall(Monotonic(0))
    days = ("2026-10-31", "2026-11-01", DAY_UNKNOWN)
    keys = [CellKey(NODE, "new life", AccountId(who), day) for who in ("ana", "ben") for day in days]
    desk.keeper.keep([(key, Cell(Usage(Bytes(5), Bytes(0)), NO_USAGE)) for key in keys])
    desk.keeper.erase(None, AccountId("ana"), "2026-11-24")
    await desk.keeper.flush(Monotonic(1))
    kept = {(key.account, key.day) for key in desk.memory.rows}
    assert {("ana", "2026-11-01"), *(("ben", day) for day in days)} == kept


def waiting_cells(desk: Desk, *days: str) -> None:
    keys = [CellKey(NODE, "new life", AccountId("ana"), day) for day in days]
    desk.keeper.keep([(key, Cell(Usage(Bytes(5), Bytes(0)), NO_USAGE)) for key in keys])


async def days_pass(desk: Desk, days: float) -> None:
    await desk.keeper.forget(desk.clock.now)
    desk.clock.pass_time(int(days * 24 * 3_600_000))
    await desk.keeper.forget(desk.clock.now)


async def month_ends(desk: Desk) -> None:
    await days_pass(desk, 10)


def comes_late(day: str) -> CellKey:
    return CellKey(NodeId("m" * 52), "a life", AccountId("ana"), day)


async def test_when_the_month_of_an_erasure_is_over_its_days_leave_what_waits_and_the_ledger() -> None:
    desk = Desk(FakeMemory())
    await desk.keeper.recall(Monotonic(0))
    desk.keeper.erase(None, AccountId("ana"), "2026-11-24")
    await desk.keeper.save()
    waiting_cells(desk, "2026-11-24", "2026-11-25", DAY_UNKNOWN)
    desk.keeper.accounts_to_erase()
    await month_ends(desk)
    assert ((AccountId("ana"), "2026-11-25"),) == desk.keeper.accounts_to_erase()
    waiting_cells(desk, "2026-11-24", "2026-12-04")
    assert {"2026-11-25", "2026-12-04"} == {key.day for key in await desk.keeper.stored_cells("")}
    await desk.keeper.flush(Monotonic(1))
    assert {"2026-11-25", "2026-12-04"} == {key.day for key in desk.memory.rows}


async def test_who_is_erased_and_comes_again_counts_from_the_next_day_on() -> None:
    desk = Desk(FakeMemory())
    await desk.keeper.recall(Monotonic(0))
    desk.keeper.erase(None, AccountId("ana"), "2026-11-24")
    assert [True, False] == [desk.keeper.is_erased(comes_late(day)) for day in ("2026-10-31", "2026-11-24")]
    await desk.keeper.save()
    await month_ends(desk)
    assert [True, False] == [desk.keeper.is_erased(comes_late(day)) for day in ("2026-11-24", "2026-11-25")]
    waiting_cells(desk, "2026-12-04", DAY_UNKNOWN)
    await desk.keeper.flush(Monotonic(1))
    for _ in range(2):
        await month_ends(desk)
    assert {"2026-12-04", DAY_UNKNOWN} == {key.day for key in desk.memory.rows}, "unknown days go once"


async def test_an_erasure_that_is_known_late_takes_out_what_pages_brought_meanwhile() -> None:
    memory = FakeMemory()
    await memory.erase(None, AccountId("ana"), "2026-11-24")
    memory.full = True
    desk = Desk(memory)
    await desk.keeper.recall(Monotonic(0))
    for day in ("2026-10-31", "2026-11-24"):
        cell = Cell(Usage(Bytes(5), Bytes(0)), NO_USAGE)
        desk.keeper.keep([(comes_late(day), desk.ledger.merge(comes_late(day), cell))])
    assert () == desk.keeper.accounts_to_erase()
    memory.full = False
    await desk.keeper.flush(Monotonic(1))
    assert ((AccountId("ana"), "2026-11-01"),) == desk.keeper.accounts_to_erase()
    assert {"2026-11-24"} == {key.day for key in memory.rows}


async def test_a_database_that_was_taken_away_is_told_again_who_was_erased() -> None:
    desk = Desk(FakeMemory())
    await desk.keeper.recall(Monotonic(0))
    people = [AccountId(f"guest-{number}") for number in range(600)]
    for account in people:
        desk.keeper.erase(None, account, "2026-11-24")
    await desk.keeper.flush(Monotonic(1))
    desk.memory.erasures.clear()
    desk.memory.life += 1
    await desk.keeper.flush(Monotonic(2))
    assert people == list(desk.memory.erasures)


async def test_what_a_wrong_clock_kept_out_after_an_erasure_is_stored_when_it_is_right() -> None:
    desk = Desk(FakeMemory())
    await desk.keeper.recall(Monotonic(0))
    desk.keeper.erase(None, AccountId("ana"), "2027-12-29")
    await desk.keeper.save()
    desk.use(100)
    await desk.keeper.flush(Monotonic(1))
    assert {} == desk.memory.rows
    await days_pass(desk, 0.5)
    await desk.keeper.flush(Monotonic(2))
    assert {"2026-11-24"} == {key.day for key in desk.memory.rows}, (
        "in the month of the erasure its days stay"
    )


async def test_after_thirteen_months_nobody_knows_who_was_erased() -> None:
    desk = Desk(FakeMemory())
    await desk.keeper.recall(Monotonic(0))
    desk.keeper.erase(None, AccountId("ana"), "2026-11-24")
    await desk.keeper.save()
    for _ in range(40):
        await month_ends(desk)
        assert desk.keeper.is_erased(comes_late("2026-10-31"))
    await month_ends(desk)
    assert not desk.keeper.is_erased(comes_late("2026-10-31"))
    assert {} == desk.memory.erasures


class CountingMemory(FakeMemory):
    """Counts how often somebody tried to write."""

    tried = 0

    async def save_sessions(self, *args: Any) -> None:
        self.tried += 1
        await asyncio.sleep(0)
        await super().save_sessions(*args)

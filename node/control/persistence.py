"""Write-behind queue between the control loop and the database; also restores the state at start."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Container, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice

from node.accounting.intervals import kept_times
from node.accounting.ledger import (
    BOOKED_DAY,
    NOTHING_IS_OPEN,
    Booking,
    ErasureNote,
    ErasureNotes,
    Ledger,
    Recounts,
    UsageBucket,
    UsageKey,
    chance_on,
    incarnation_name,
    incarnation_number,
    of_unknown_day,
)
from node.accounting.meter import Baseline, Reading, Tally, baseline, deltas, goes_on_from, is_behind
from node.accounting.periods import DAY_UNKNOWN, first_open_day
from node.accounting.undated import UndatedUsage
from node.accounts.changes import Change, Forgotten
from node.accounts.registry import AccountRegistry
from node.control.ports import Clock, Repository, StoredState, Troubles
from node.control.steady_clock import SteadyClock
from node.control.usage_booking import LedgerWriter
from node.control.write_buffer import OTHERS_EVERY_MS, UnsavedChanges, WriteBuffer, joined
from node.enforcement.plan import KernelState
from node.errors import StorageTrouble
from node.sessions import state as session_state
from node.sessions.stored import SavedSession, Session, prolonged, rebased
from node.sessions.table import SessionTable
from node.units import AccountId, MacAddress, Monotonic, NodeId, Now

FORGET_EVERY_MS = 6 * 3_600_000
KEEP_USED_DAYS, KEEP_ENDED_DAYS = 400, 30
CLOCK_SLIP = timedelta(minutes=1)
"""A clock that moved so far has been corrected: ends stored in civil time are stored again."""
INCARNATION, SAVED_AT, BOOT, TRIED, MACHINE = "incarnation", "saved_at_ms", "boot", "tried_at_ms", "machine"
BOOKINGS = "bookings"
"""Key of the node state: how many times the current counters were booked."""
ERASE_TOGETHER = 256
"""Erasures sent to the database at once, so that they share a few commits."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """A requested erasure: of the device (None: not), and of the account's usage until a day (empty: not)."""

    mac: MacAddress | None
    account: AccountId
    until_day: str


async def nothing_to_keep() -> None:
    """The default of `keep_pages` for a node without a mesh."""


class PersistenceQueue:
    """Owned by the control loop. Nothing is lost while the data folder cannot be used: it is queued here."""

    def __init__(
        self,
        repository: Repository,
        clock: Clock,
        *,
        node: NodeId,
        session_table: SessionTable,
        ledger: Ledger,
        registry: AccountRegistry,
        troubles: Troubles,
        new_name: Callable[[], str],
        report: Callable[[str], None],
        keep_pages: Callable[[], Awaitable[None]] = nothing_to_keep,
        sliding_days: Callable[[], int] = lambda: 1,
        keeps_intervals: Callable[[], bool] = lambda: False,
        machine: str = "",
    ) -> None:
        """`keep_pages` stores the pages from which other nodes' usage buckets were taken. `sliding_days`: how many last
        days the rules in force count; `keeps_intervals`: whether they say that usage in intervals is kept. `machine`: as
        `node.machine.machine_id`."""
        self._repository, self._clock, self._session_table, self._ledger = (
            repository,
            clock,
            session_table,
            ledger,
        )
        self._registry = registry
        self._troubles, self._new_name, self._report = troubles, new_name, report
        self._keep_pages, self._sliding_days = keep_pages, sliding_days
        self._keeps_intervals = keeps_intervals
        self._machine = machine
        self.writer = LedgerWriter(node, "")
        self.undated = UndatedUsage(clock.monotonic())
        self.baseline: Baseline | None = None
        self._noted = ""
        """Id of the counters last passed to `Repository.begin_counters`."""
        self._stored = Tally("", 0)
        """How many times the current counters were stored."""
        self._tally: Tally | None = None
        """The note beside the database at start: counting goes on from it, or a database put back later seems newest."""
        self._stored_incarnation, self._incarnation_number = "", 0
        self.stored_day, self._booked_day, self._goes_on_day = "", "", ""
        self.pending = UnsavedChanges()
        self._erasures: deque[Erasure] = deque()
        self._to_erase: list[tuple[AccountId, str, str]] = []
        self.erased = ErasureNotes()
        """Includes erasures that are not yet stored."""
        self._saving, self._failures = asyncio.Lock(), 0
        self._stored_ms = self._all_stored_ms = Monotonic(0)
        self.write_buffer = WriteBuffer()
        self.recalled = False
        """True once the database has been read; until then no voucher and no device binding is known."""
        self._generation: int | None = None
        self._is_unsure = False
        """The database may have removed rows that are still known here, so everything is to be stored again."""
        self._found: Reading | None = None
        """Counters found when the database could not be read: how much of them is already booked is not known."""
        self._has_news = False
        self._is_undated = False
        """Something was stored while the clock was not known."""
        self._steady_clock = SteadyClock(clock)
        self._dated: tuple[Monotonic, datetime] | None = None
        """Both clocks at the last check of the ends that are stored in civil time."""
        self._days_to_forget = ""

    def instant(self) -> Now:
        """The current time in the form that the account registry needs."""
        is_known = self._clock.state() != "unknown"
        self._is_undated |= not is_known
        wall = int(self._clock.civil().timestamp()) if is_known else None
        return Now(self._clock.monotonic(), self._clock.boot, wall, self._clock.today() if is_known else "")

    def keep(self, buckets: Iterable[tuple[UsageKey, UsageBucket]]) -> None:
        """Queues usage buckets for the next flush, except erased ones."""
        for key, bucket in buckets:
            if not self.erased.bars(key.account, key.day):
                self.write_buffer.keep(key, bucket)

    def recount(self, said: Recounts) -> None:
        """Queues complete days of other nodes, which replace what is stored of these days if they are open."""
        is_dated = self._clock.today() != DAY_UNKNOWN
        self.write_buffer.recount(said, self._ledger.is_open, is_dated=is_dated)
        for buckets in said.values():
            self.keep(buckets.items())

    def opens_since(self) -> str:
        """The first day that the ledger needs today."""
        today = self._clock.today()
        return NOTHING_IS_OPEN if today == DAY_UNKNOWN else first_open_day(today, self._sliding_days())

    async def stored_buckets(
        self, since: str, *, node: NodeId | None = None, account: AccountId | None = None
    ) -> dict[UsageKey, UsageBucket]:
        """Usage buckets of that day, later days and unknown days, both stored and queued. Raises StorageTrouble."""
        waiting = dict(self.write_buffer.buckets)
        stored = await self._repository.buckets(since=since, node=node, account=account)
        found = self.write_buffer.without_recounted(stored)
        return joined(found, (*waiting.items(), *self.write_buffer.buckets.items()), since, node, account)

    async def buckets(
        self, since: str, *, node: NodeId | None = None, account: AccountId | None = None
    ) -> dict[UsageKey, UsageBucket]:
        """As `stored_buckets`; while the database cannot be read, only those of open days."""
        try:
            found = await self.stored_buckets(since, node=node, account=account)
        except StorageTrouble as trouble:
            self.note(trouble)
            found = {}
        return joined(found, self._ledger.buckets(node=node), since, node, account)

    async def recall(self, now: Monotonic, standing: KernelState | None = None) -> None:
        """Restores the stored state and joins it with the kernel's, once; if that fails, the next flush tries again."""
        if self.recalled:
            return
        try:
            remembered = await self._repository.recall(self.opens_since())
        except StorageTrouble as trouble:
            self.note(trouble)
            self._begin_ledger(None, standing)
        else:
            self.note(None)
            self.recalled = True
            self._take(remembered, now, standing)
        for admission in standing.admitted.values() if standing is not None else ():
            self._session_table.recognise(admission, now)

    def has_news(self) -> bool:
        """Returns True once after the account data was loaded or its expiry times changed."""
        news, self._has_news = self._has_news, False
        return news

    @property
    def booked_at(self) -> Monotonic:
        """When usage was stored last; 0 before the first time."""
        return self._stored_ms

    def is_due(self, now: Monotonic, every_ms: int) -> bool:
        """True when the interval has passed, an earlier write failed, or the database file was replaced."""
        is_other = self.recalled and self._generation != self._repository.generation
        # New counters have no history until they are stored: a crash before that would lose their bytes. Usage of a new
        # day is not sent to neighbours before some of that day is stored.
        is_new = self.baseline is not None and self.baseline.counters_id != self._stored.counters_id
        is_new |= self.recalled and self.writer.incarnation != self._stored_incarnation
        is_new |= self._booked_day not in {"", self.stored_day} or self.write_buffer.is_full
        return now - self._stored_ms >= every_ms or bool(self._troubles.storage) or is_other or is_new

    def day_to_book(self, today: str) -> str:
        """The day to book the next reading to. The first reading after a start belongs to the last stored day, because
        neighbours may already have those bytes under that day."""
        return self._goes_on_day or today

    def counted(self, up_to: Baseline, day: str) -> None:
        """Records that a reading was booked, up to this baseline and on this day."""
        self.baseline, self._booked_day, self._goes_on_day = up_to, day, ""

    async def _note_counters(self) -> None:
        counters = self.baseline.counters_id if self.baseline is not None else ""
        if counters != self._noted:
            self._noted = counters
            await self._repository.begin_counters(counters)

    def _next_tally(self) -> Tally:
        counters = self.baseline.counters_id if self.baseline is not None else ""
        known = (self._stored, self._tally or self._stored)
        before = max((tally.bookings for tally in known if tally.counters_id == counters), default=0)
        return Tally(counters, before + 1 if counters else 0)

    def may_be_published(self, key: UsageKey) -> bool:
        """Whether neighbours may get the usage bucket: it has its date, and would be the same again after a crash."""
        if key.day == DAY_UNKNOWN and self.undated.is_pending and key.incarnation == self.writer.incarnation:
            return False
        is_same = key.day == self.stored_day and key.incarnation == self._stored_incarnation
        return is_same or key not in self.write_buffer.buckets

    def outlive(self, incarnation: str) -> None:
        """Starts a new incarnation, numbered above this one; what is counted from now on belongs to it."""
        self._incarnation_number = max(
            self._incarnation_number,
            incarnation_number(incarnation),
            incarnation_number(self.writer.incarnation),
        )
        self.writer = replace(self.writer, incarnation=self._new_incarnation())

    def _new_incarnation(self) -> str:
        self._incarnation_number += 1
        return incarnation_name(self._incarnation_number, chance_on(self._machine, self._new_name()))

    def erase(self, mac: MacAddress | None, account: AccountId, until_day: str) -> None:
        """Queues an erasure for the next save; see `Repository.erase`."""
        self._erasures.append(Erasure(mac, account, until_day))
        if until_day:
            self._keep_out([self.erased.requested(account, until_day)])

    def _keep_out(self, notes: Collection[ErasureNote], *, later: str = "") -> None:
        """Removes the erased usage of these accounts from the ledger and from the queue, except what was counted in the
        incarnation `later`, as `Ledger.erase` does."""
        for note in notes:
            self.erased.take(note)
            self._to_erase.append((note.account, note.kept_since, later))
            if not later:
                self.write_buffer.interval_meter.erase(note.account)
        accounts = {note.account for note in notes}
        gone = self.write_buffer.drop(lambda key: key.account in accounts and self.erased.bars_late(key))
        self.write_buffer.buckets |= of_unknown_day(
            item for item in gone.items() if item[0].incarnation == later
        )

    async def save(self) -> bool:
        """Stores all changed sessions and registry rows together; calls made while the disk is busy wait and share the
        next write. True when they are on the disk; otherwise they stay queued."""
        failures = self._failures
        async with self._saving:
            if failures == self._failures:  # or all waiting tasks would try the same failing disk again
                await self._save()
            return self.recalled and failures == self._failures

    def why_unstored(self, changes: Iterable[Change]) -> str:
        """For after the save that included these changes: why they are not on the disk; empty when they are."""
        return (self._troubles.storage or "the disk is busy") if self.pending.holds(changes) else ""

    async def why_unwritable(self) -> str:
        """Why nothing can be stored now, by a test write; empty when it succeeded. For use before important changes."""
        try:
            note = {TRIED: str(self._clock.monotonic())}
            await self._repository.book(Booking((), None, note))
        except StorageTrouble as trouble:
            self.note(trouble)
            return str(trouble)
        return ""

    async def _save(self) -> None:
        if not self.recalled:
            return  # rows on the disk, such as blocked devices, are read before they are overwritten
        session_table, changes = self._session_table, self.pending.take()
        saving = tuple(session_table.unsaved)
        if not saving and not changes and not self._erasures:
            return
        session_table.unsaved.clear()  # sessions that change during the write are saved again
        is_saved = False
        session_entries = [
            session_table.session_entries[mac] for mac in saving if mac in session_table.session_entries
        ]
        accounts = {session_entry.account for session_entry in session_entries}
        minors = {
            account: session_table.minors[account] for account in accounts if account in session_table.minors
        }
        saved = tuple(self._saved(session_entry.mac) for session_entry in session_entries)
        try:
            while self._erasures:  # first, so that a device that has come back since is not erased again
                await self._erase_some()
            await self._repository.save_sessions(saved, tuple(minors.items()), self._clock.today(), changes)
            is_saved = True
            self.note(None)
        except StorageTrouble as trouble:
            self._failures += 1
            self.note(trouble)
        finally:
            if not is_saved:
                session_table.unsaved.update(saving)
                self.pending.give_back(changes)

    async def _erase_some(self) -> None:
        together = tuple(islice(self._erasures, ERASE_TOGETHER))
        async with asyncio.TaskGroup() as tasks:
            tried = [tasks.create_task(self._erase_one(each)) for each in together]
        for trouble in (each.result() for each in tried):
            if trouble is not None:
                raise trouble
            self._erasures.popleft()

    async def _erase_one(self, erasure: Erasure) -> StorageTrouble | None:
        try:
            await self._repository.erase(erasure.mac, erasure.account, erasure.until_day)
        except StorageTrouble as trouble:
            return trouble
        return None

    async def flush(self, now: Monotonic, *, is_all: bool = True) -> bool:
        """Stores sessions, then booked usage with its baseline; without `is_all` others' only if wanted, or after
        OTHERS_EVERY_MS. True when it is on the disk."""
        await self._note_counters()
        await self.recall(now)
        if not self.recalled:
            return False
        self._date(now)
        # Sessions first: they need times of this boot before the note that it was the last to write.
        if not await self.save():
            return False
        facts = {INCARNATION: self.writer.incarnation, SAVED_AT: str(now), BOOT: self._clock.boot}
        facts |= {BOOKED_DAY: self._booked_day or self.stored_day, MACHINE: self._machine}
        read_last = frozenset(self._session_table.read_last)
        tally = self._next_tally()
        facts[BOOKINGS] = str(tally.bookings)
        is_all |= self.write_buffer.is_wanted or now - self._all_stored_ms >= OTHERS_EVERY_MS
        try:
            with self.write_buffer.storing(None if is_all else self.writer.node) as taken:
                # Made now: the counters may go on while the pages are being stored.
                booking = taken.booking(self.baseline, facts, tally)
                if any(key.node != self.writer.node for key in taken.buckets):
                    # Pages first: a usage bucket whose page is lost here and at its author could not be sent to any node.
                    await self._keep_pages()
                await self._repository.book(booking)
        except StorageTrouble as trouble:
            self.note(trouble)
            return False
        self.note(None)
        self._stored, self.stored_day = tally, facts[BOOKED_DAY]
        self._stored_incarnation = facts[INCARNATION]
        self._stored_ms, self._all_stored_ms = now, now if is_all else self._all_stored_ms
        is_other = self._is_other_database()
        if is_other or self._is_unsure:
            self._store_all(is_other=is_other)
            return await self.flush(now)
        self._session_table.forget_marks(read_last & self._session_table.read_last)
        return True

    async def forget(self, now: Monotonic) -> None:
        """Retention. Runs only with a synchronized clock that has been steady for a whole interval, because data that a
        wrong clock made old would be lost."""
        if self._steady_clock.steady_ms(now) >= FORGET_EVERY_MS:
            self._steady_clock.count_again(now)
            await self._forget_before(self._clock.civil())

    async def _forget_before(self, civil: datetime) -> None:
        today, at = civil.date(), int(civil.timestamp())
        intervals = kept_times(at) if self._keeps_intervals() else None
        ended, used = (
            (today - timedelta(days=days)).isoformat() for days in (KEEP_ENDED_DAYS, KEEP_USED_DAYS)
        )
        try:
            forgotten = await self._repository.forget(
                ended_before=ended, used_before=used, today=today.isoformat(), intervals=intervals
            )
            self.pending.add(self._registry.forget(forgotten, self.instant()))
            self._take_erased(forgotten.erased)
        except StorageTrouble as trouble:
            self.note(trouble)
            self._is_unsure = True
        self.erased.forget_before(used)
        self._days_to_forget = used
        self._session_table.forget_ended(tuple(self._session_table.guests), self._clock.monotonic())

    def _take_erased(self, changed: Iterable[ErasureNote]) -> None:
        """Takes over changed erasures. If a wrong clock set the day of one, too much was removed."""
        waiting = {each.account for each in self._erasures if each.until_day}
        taken = [note for note in changed if note.account not in waiting]
        self._keep_out([note for note in taken if note.is_over])
        for note in taken:
            if not note.is_over:
                self.erased.take(note)
                self._is_unsure = True

    def _recall_erased(self, notes: Iterable[ErasureNote], *, is_late: bool) -> None:
        """`is_late`: pages were merged, and usage was counted in a new incarnation, before the list of erasures could be
        read."""
        waiting = {each.account for each in self._erasures if each.until_day}
        taken = [note for note in notes if note.account not in waiting]
        for note in taken:
            self.erased.take(note)
        if is_late:
            counted = {*self.write_buffer.buckets, *(key for key, _ in self._ledger.buckets())}
            accounts = {key.account for key in counted if self.erased.bars_late(key)}
            later = self.writer.incarnation
            self._keep_out([note for note in taken if note.account in accounts], later=later)

    def days_to_forget(self) -> str:
        """Returned once, to the caller that may change the ledger: earlier days are to leave it; empty for none."""
        day, self._days_to_forget = self._days_to_forget, ""
        return day

    def accounts_to_erase(self) -> tuple[tuple[AccountId, str, str], ...]:
        """Returned once: arguments of `Ledger.erase`."""
        accounts, self._to_erase = tuple(self._to_erase), []
        return accounts

    def _take(self, remembered: StoredState, now: Monotonic, standing: KernelState | None) -> None:
        facts, self._tally = dict(remembered.facts), remembered.tally
        self._recall_erased(remembered.erased, is_late=bool(self.writer.incarnation))
        self._ledger.open(remembered.buckets_since, remembered.buckets)
        self._session_table.remember_marks(remembered.marks)
        self._session_table.remember_minors(remembered.minors)
        self._generation = self._repository.generation
        if self.writer.incarnation:
            self._book_found(remembered)
        else:
            self._begin_ledger(remembered, standing)
        self._has_news = True
        kept, at = remembered.registry, self.instant()
        boots = {each.lease.boot for each in kept.vouchers if each.lease is not None}
        is_of_last = SAVED_AT in facts and boots <= {facts.get(BOOT), self._clock.boot}
        saved_at = Monotonic(int(facts[SAVED_AT])) if is_of_last else None
        self.pending.add(self._registry.take(kept, at, saved_at))
        is_of_boot = SAVED_AT in facts and facts.get(BOOT) == self._clock.boot
        read_ms = Monotonic(int(facts[SAVED_AT])) if is_of_boot else None
        self.write_buffer.interval_meter.go_on_from(read_ms, remembered.intervals)
        self._restore_sessions(remembered, facts, now, standing)
        self._date(now)

    def _begin_ledger(self, remembered: StoredState | None, standing: KernelState | None) -> None:
        if self.writer.incarnation:
            return
        facts = dict(remembered.facts) if remembered is not None else {}
        known = facts.get(INCARNATION)
        all_incarnations = remembered.incarnations if remembered is not None else ()
        incarnations = [incarnation for node, incarnation in all_incarnations if node == self.writer.node]
        self._incarnation_number = max(map(incarnation_number, (*incarnations, known or "")), default=0)
        self.writer = replace(self.writer, incarnation=known or self._new_incarnation())
        self._stored_incarnation = known or ""
        reading = standing.reading if standing is not None and standing.stands else None
        last = standing.reading if standing is not None and standing.reading.counters_id else None
        self._noted = reading.counters_id if reading is not None else ""
        if remembered is None:
            # Usage is counted from here on; earlier bytes are booked once the database says up to where they were.
            self._found = last
            self.baseline = baseline(reading) if reading is not None else None
            return
        bookings, tally = int(facts.get(BOOKINGS, "0")), remembered.tally
        is_elsewhere = "" not in {self._machine, facts.get(MACHINE, "")} and facts[MACHINE] != self._machine
        if known and (is_elsewhere or reading is None or is_behind(bookings, tally, reading)):
            # Neighbours may have usage of this incarnation that the database lacks: it is an old copy, or in another
            # machine, or the counters were lost in a reboot before the last of them was stored.
            self.writer = replace(self.writer, incarnation=self._new_incarnation())
        self.baseline = goes_on_from(remembered.baseline, reading, bookings, tally)
        self.stored_day = facts.get(BOOKED_DAY, "")
        if self.baseline is not None and self.baseline is remembered.baseline:
            self._stored = Tally(self.baseline.counters_id, bookings)
            self._goes_on_day = self.stored_day if reading is not None else ""
        if reading is None:  # an older version's counters were removed with its table
            self._found = last
            self._book_found(remembered)

    def _book_found(self, remembered: StoredState) -> None:
        """Books counters found at start in the stored incarnation and day: neighbours may already have these bytes."""
        found, self._found = self._found, None
        facts = dict(remembered.facts)
        incarnation = facts.get(INCARNATION) or self.writer.incarnation
        if found is None:
            return
        day = facts.get(BOOKED_DAY) or self._clock.today()
        owners = {mark: (mac, account) for mark, mac, account in remembered.marks}
        bookings = int(facts.get(BOOKINGS, "0"))
        before = goes_on_from(remembered.baseline, found, bookings, remembered.tally)
        for mark, usage in deltas(before, found).items():
            session_entry = self._session_table.by_mark.get(mark)
            mac, account = owners.get(mark, (None, None))
            if session_entry is not None and session_entry.mac != mac:
                account = session_entry.account  # the mark was reused while nothing could be read
            if account is not None:
                day_of = DAY_UNKNOWN if self.erased.bars(account, day) else day
                key = UsageKey(self.writer.node, incarnation, account, day_of)
                self.write_buffer.buckets[key] = self._ledger.add(key, usage, busy=False)

    def _restore_sessions(
        self, remembered: StoredState, facts: dict[str, str], now: Monotonic, standing: KernelState | None
    ) -> None:
        wall = None if self._clock.state() == "unknown" else int(self._clock.civil().timestamp())
        removed = {each.session.mac for each in remembered.sessions if each.session.state == "removed"}
        # A device that an admin blocked stays blocked even if its owner requests erasure.
        self._erasures = deque(replace(e, mac=None) if e.mac in removed else e for e in self._erasures)
        erased = {each.mac for each in self._erasures if each.mac is not None}
        self._registry.forget(Forgotten(bindings=tuple(erased)), self.instant())
        for saved in remembered.sessions:
            if self._is_settled(saved.session, erased, now):
                continue
            saved_at = Monotonic(int(facts.get(SAVED_AT, "0"))) if facts.get(BOOT) == saved.boot else None
            session = rebased(saved, boot=self._clock.boot, now=now, wall_s=wall, saved_at=saved_at)
            session = prolonged(session, standing)
            self._session_table.restore(session, now)
            # A session that is over is not stored again: its retention counts from the day it was stored as such.
            is_same = session == saved.session or saved.session.state == "expired"
            if not is_same or self._session_table.session_entries[session.mac].mark != session.mark:
                self._session_table.unsaved.add(session.mac)

    def _is_settled(self, session: Session, erased: Container[MacAddress], now: Monotonic) -> bool:
        """Whether the device signed in or was erased before the database was read. Blocks
        it again if it was blocked."""
        mac = session.mac
        if mac in self._session_table.session_entries and session.state == "removed" and mac not in erased:
            self._session_table.handle(mac, session_state.BlockedByAdmin(session.because, session.ends), now)
        return mac in self._session_table.session_entries or mac in erased

    def _date(self, now: Monotonic) -> None:
        """Stores ends in civil time again if the clock was unknown or wrong when they were stored."""
        if self._clock.state() == "unknown":
            return
        civil, before = self._clock.civil(), self._dated
        self._dated = now, civil
        slip = (
            timedelta(0) if before is None else (civil - before[1]) - timedelta(milliseconds=now - before[0])
        )
        if not self._is_undated and abs(slip) < CLOCK_SLIP:
            return
        at, vouchers = self.instant(), self._registry.vouchers
        self.pending.add(vouchers.clock_known(at) if self._is_undated else vouchers.clock_corrected(at))
        self._is_undated, self._has_news = False, True
        self._session_table.unsaved.update(self._session_table.session_entries)

    def _saved(self, mac: MacAddress) -> SavedSession:
        session = self._session_table.session(mac)
        wall: int | None = None
        if session.ends is not None and self._clock.state() != "unknown":
            left = timedelta(milliseconds=session.ends - self._clock.monotonic())
            wall = int((self._clock.civil() + left).timestamp())
        return SavedSession(session, self._clock.boot, wall)

    def _is_other_database(self) -> bool:
        """True once after the database file was replaced: everything has to be stored again."""
        if self._generation == self._repository.generation:
            return False
        self._generation = self._repository.generation
        self._report("the database is another file than before; everything that is known is stored again")
        return True

    def _store_all(self, *, is_other: bool) -> None:
        """Queues everything again. `is_other`: for a replaced file, which may lack the list of erasures."""
        self._is_unsure = False
        if is_other:
            self._erasures.extend(Erasure(None, each.account, each.until_day) for each in self.erased)
        self.keep(self._ledger.buckets())
        self._session_table.unsaved.update(self._session_table.session_entries)
        self.pending.add(self._registry.rows())

    def note(self, trouble: StorageTrouble | None) -> None:
        """Records the result of a database call; None for success. Reports only when it changes."""
        text = str(trouble) if trouble is not None else ""
        if text != self._troubles.storage:
            self._report(text or "the data folder can be written again")
        self._troubles.storage = text

"""A repository in dicts that outlives the loop, and a clock that tests set by hand."""

import asyncio
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from node.accounting.intervals import IntervalUsage
from node.accounting.intervals import highest as highest_usage
from node.accounting.ledger import BOOKED_DAY, Booking, ErasureNote, UsageBucket, UsageKey
from node.accounting.meter import Baseline, Tally
from node.accounting.periods import day_name, is_since
from node.accounts.changes import Change, Forgotten, Unbound
from node.accounts.events import Event, EventFound, EventQuery
from node.control.ports import StoredState
from node.errors import StorageTrouble
from node.governance.account_classes import AccountClasses
from node.governance.adoption import AdoptionRecord, LogCheck, sealed
from node.governance.allowance import ClockState
from node.governance.rule_history import RuleHistory
from node.sessions.stored import SavedSession
from node.storage import event_tables
from node.storage.migrations import migrate
from node.units import NO_USAGE, AccountId, MacAddress, Monotonic, NodeId, Usage
from tests.fakes.registry_repository import FakeRegistryRepository


class FakeRepository:
    """Implements `node.control.ports.Repository`."""

    def __init__(self) -> None:
        self.full = False
        """While true, nothing can be read or written."""
        self.generation = 0
        self.rows: dict[UsageKey, UsageBucket] = {}
        self.baseline: Baseline | None = None
        self.tally: Tally | None = None
        """Not in the data folder: it survives the loss of that folder, and is lost with the machine."""
        self.facts: dict[str, str] = {}
        self.minors: dict[AccountId, int] = {}
        self.sessions: dict[MacAddress, SavedSession] = {}
        self.marks: dict[tuple[MacAddress, AccountId], int] = {}
        self.registry = FakeRegistryRepository()
        self.erasures: dict[AccountId, ErasureNote] = {}
        self.intervals: dict[int, dict[AccountId, IntervalUsage]] = {}
        self.preview_classes: dict[str, dict[AccountId, int]] = {}

    async def recall(self, buckets_since: str = "") -> StoredState:
        self._use()
        since = min(buckets_since, self.facts.get(BOOKED_DAY) or buckets_since)
        return StoredState(
            buckets=tuple((key, bucket) for key, bucket in self.rows.items() if is_since(key.day, since)),
            buckets_since=since,
            incarnations=tuple({(key.node, key.incarnation) for key in self.rows}),
            baseline=self.baseline,
            tally=self.tally,
            facts=tuple(self.facts.items()),
            minors=tuple(self.minors.items()),
            marks=tuple((mark, mac, account) for (mac, account), mark in self.marks.items()),
            sessions=tuple(self.sessions.values()),
            registry=self.registry.kept,
            erased=tuple(self.erasures.values()),
            intervals={begun: dict(self.intervals[begun]) for begun in sorted(self.intervals)[-1:]},
        )

    async def buckets(
        self, *, since: str, node: NodeId | None = None, account: AccountId | None = None
    ) -> tuple[tuple[UsageKey, UsageBucket], ...]:
        self._use()
        return tuple(
            (key, bucket)
            for key, bucket in self.rows.items()
            if node in {None, key.node} and account in {None, key.account} and is_since(key.day, since)
        )

    async def begin_counters(self, counters_id: str) -> None:
        self.tally = Tally(counters_id, 0)

    async def book(self, booking: Booking) -> None:
        self._use()
        self.rows = {k: c for k, c in self.rows.items() if (k.node, k.day) not in booking.recounted}
        for key, bucket in booking.buckets:
            if key.account in self.erasures and self.erasures[key.account].bars(key.day):
                continue
            known = self.rows.get(key, UsageBucket(NO_USAGE, NO_USAGE))
            self.rows[key] = UsageBucket(
                _highest(known.uplink, bucket.uplink), _highest(known.busy, bucket.busy)
            )
        for begun, usage in booking.intervals.items():
            known_usage = self.intervals.setdefault(begun, {})
            for account, more in usage.items():
                before = known_usage.get(account)
                known_usage[account] = more if before is None else highest_usage(before, more)
        self.baseline = booking.baseline or self.baseline
        self.facts.update(booking.facts)
        self.tally = booking.tally or self.tally

    async def save_sessions(
        self,
        sessions: Iterable[SavedSession],
        minors: Iterable[tuple[AccountId, int]],
        day: str,
        changes: Iterable[Change] = (),
    ) -> None:
        self._use()
        self.registry.save(changes)
        self.minors.update(minors)
        for saved in sessions:
            self.sessions[saved.session.mac] = saved
            self.marks[saved.session.mac, saved.session.account] = saved.session.mark

    async def erase(self, mac: MacAddress | None, account: AccountId, until_day: str) -> None:
        self._use()
        if mac is not None:
            self.sessions.pop(mac, None)
            self.marks = {key: mark for key, mark in self.marks.items() if key[0] != mac}
            self.registry.save([Unbound(mac)])
        if until_day:
            for usage in self.intervals.values():
                usage.pop(account, None)
            for classes in self.preview_classes.values():
                classes.pop(account, None)
            note = ErasureNote(account, until_day)
            self._drop(note)
            known = self.erasures.get(account, note)
            self.erasures[account] = known if known.until_day >= until_day else note

    async def forget(
        self, *, ended_before: str, used_before: str, today: str, intervals: tuple[int, int] | None = None
    ) -> Forgotten:
        self._use()
        since, until = intervals or (0, 0)
        self.intervals = {begun: usage for begun, usage in self.intervals.items() if since <= begun < until}
        first, last = (datetime.fromtimestamp(each, UTC).date() for each in (since, until))
        self.preview_classes = {
            day: classes
            for day, classes in self.preview_classes.items()
            if intervals and first - timedelta(1) <= date.fromisoformat(day) <= last + timedelta(1)
        }
        self.rows = {k: c for k, c in self.rows.items() if k.day >= used_before}
        notes = tuple(self.erasures.values())
        early = tuple(replace(n, until_day=today, is_over=False) for n in notes if n.until_day > today)
        month = f"{today[:7]}-01"
        over = tuple(replace(n, is_over=True) for n in notes if n.until_day < month and not n.is_over)
        for note in over:
            self._drop(note)
        self.erasures.update({note.account: note for note in (*early, *over)})
        self.erasures = {a: n for a, n in self.erasures.items() if n.until_day >= used_before}
        return Forgotten(erased=(*early, *over))

    def _drop(self, note: ErasureNote) -> None:
        self.rows = {
            k: c for k, c in self.rows.items() if k.account != note.account or not note.bars_late(k.day)
        }

    def _use(self) -> None:
        if self.full:
            raise StorageTrouble("the data folder is full", "make room")


class FakeArchive:
    """Implements `node.app.admin.Archive` on the rows of a `FakeRepository`."""

    def __init__(self, repository: FakeRepository) -> None:
        self._repository = repository
        self.losses: tuple[str, ...] = ()
        self.log: list[AdoptionRecord] = []
        self.disk_is_free = asyncio.Event()
        """While it is not set, what is saved waits."""
        self.disk_is_free.set()

    async def append(self, record: AdoptionRecord, events: Iterable[Event] = ()) -> AdoptionRecord:
        await self.disk_is_free.wait()
        self._use()
        self._repository.registry.save(events)
        prev = self.log[-1].hash if self.log else ""
        self.log.append(sealed(record, len(self.log) + 1, prev))
        return self.log[-1]

    async def history(self) -> tuple[RuleHistory, int]:
        self._use()
        history, check = RuleHistory(), LogCheck()
        damaged = [check.add(record) for record in self.log if history.add(record) is None]
        return history, next(filter(None, damaged), 0)

    async def version_text(self, number: int) -> str | None:
        self._use()
        found = [record.text for record in self.log if record.number == number and record.fingerprint]
        return found[0] if found else None

    async def state(self, name: str) -> str:
        self._use()
        return self._repository.facts.get(name, "")

    async def states(self, beginning: str) -> dict[str, str]:
        self._use()
        return {name: value for name, value in self._repository.facts.items() if name.startswith(beginning)}

    async def save_state(self, name: str, value: str, events: Iterable[Event] = ()) -> None:
        await self.disk_is_free.wait()
        self._use()
        self._repository.registry.save(events)
        self._repository.facts[name] = value

    async def events(self, query: EventQuery) -> tuple[EventFound, ...]:
        self._use()
        return await asyncio.to_thread(self._events, tuple(self._repository.registry.events.values()), query)

    @staticmethod
    def _events(events: tuple[Event, ...], query: EventQuery) -> tuple[EventFound, ...]:
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
            migrate(db)
            for event in events:
                db.execute(*event_tables.statement(event))
            return event_tables.find_events(db, query)

    async def preview_classes(self) -> dict[str, dict[AccountId, int]]:
        self._use()
        kept = self._repository.preview_classes
        return {day: dict(kept[day]) for day in sorted(kept) if kept[day]}

    async def save_preview_classes(self, day: str, classes: AccountClasses) -> None:
        await self.disk_is_free.wait()
        self._use()
        erased = {each for each, note in self._repository.erasures.items() if note.until_day >= day}
        kept = {account: number for account, number in classes.items() if account not in erased}
        self._repository.preview_classes[day] = kept

    async def acknowledge_losses(self) -> None:
        self._use()
        self.losses = ()

    def _use(self) -> None:
        if self._repository.full:
            raise StorageTrouble("the data folder is full", "make room")


class FakeClock:
    """Implements `node.control.ports.Clock`."""

    def __init__(self) -> None:
        self.boot = "boot-1"
        self.now = Monotonic(1_000_000)
        self.wall = datetime(2026, 11, 24, 12, tzinfo=UTC)
        self.trust: ClockState = "synced"

    def pass_time(self, milliseconds: int) -> None:
        self.now = Monotonic(self.now + milliseconds)
        self.wall += timedelta(milliseconds=milliseconds)

    def reboot(self, off_ms: int = 0) -> None:
        self.boot, self.now = f"{self.boot}+", Monotonic(5_000)
        self.wall += timedelta(milliseconds=off_ms)

    def monotonic(self) -> Monotonic:
        return self.now

    def civil(self) -> datetime:
        return self.wall

    def state(self) -> ClockState:
        return self.trust

    def today(self) -> str:
        return day_name(None if self.trust == "unknown" else self.wall)


def _highest(a: Usage, b: Usage) -> Usage:
    return Usage(max(a.down, b.down), max(a.up, b.up))

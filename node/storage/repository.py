"""The database as the repository of the control loop, the archive of the admin pages and the page cache of
the mesh."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from sqlite3 import Connection

from node.accounting.intervals import AccountUsage, IntervalUsage
from node.accounting.ledger import BOOKED_DAY, Booking, UsageBucket, UsageKey
from node.accounting.meter import Tally
from node.accounts.changes import Change, Forgotten
from node.accounts.events import EVENTS_DAYS, Event, EventFound, EventQuery
from node.control.ports import StoredState
from node.errors import StorageTrouble
from node.governance.account_classes import AccountClasses
from node.governance.adoption import AdoptionRecord, LogCheck, sealed
from node.governance.rule_history import RuleHistory, is_full, removable
from node.sessions.stored import SavedSession
from node.storage import account_tables, durable_changes, event_tables, session_tables, usage_tables
from node.storage.copies import open_to_read
from node.storage.database import ReadOnly, Store
from node.storage.durable_changes import HashedDevices
from node.storage.integrity import UNREADABLE
from node.storage.interval_tables import forget_intervals, load_intervals, load_last_interval
from node.storage.journal import Change as JournalChange
from node.storage.opening import forget_set_aside
from node.storage.preview_tables import forget_classes, load_classes, save_classes
from node.storage.tables import storable
from node.storage.usage_tables import BOOKED, forget_booked
from node.units import AccountId, MacAddress, NodeId

log = logging.getLogger(__name__)

NAMES_TOGETHER = 1_000
"""Names of pages that are loaded at once."""
STORE_S = 3600.0
"""How often a booking is stored in the database itself; those between wait in a file beside it."""


class StoredRepository:
    """Implements `node.control.ports.Repository`."""

    def __init__(self, store: Store, tally: Path | None = None, events_days: int = EVENTS_DAYS) -> None:
        """`tally` is the tally file, in a folder that is cleared at boot like the kernel's counters; None
        puts it next to the database. `events_days`: how long events are kept."""
        self._events_days = events_days
        self._store, self._tally = store, TallyFile(tally or store.path.with_name("bookings"))
        self._merged_at: float | None = None
        """Monotonic seconds of the last time that bookings were put into the table of usage."""
        self._stored_at: float | None = None
        """And of the last one that was stored in the database itself."""

    @property
    def generation(self) -> int:
        return self._store.generation

    async def recall(self, buckets_since: str = "") -> StoredState:
        return await self._store.run(lambda db: self._recall(db, buckets_since))

    async def buckets(
        self, *, since: str, node: NodeId | None = None, account: AccountId | None = None
    ) -> tuple[tuple[UsageKey, UsageBucket], ...]:
        return tuple(await self._store.run(lambda db: usage_tables.load_buckets(db, since, node, account)))

    async def begin_counters(self, counters_id: str) -> None:
        await asyncio.to_thread(self._tally.write, Tally(counters_id, 0))

    async def book(self, booking: Booking) -> None:
        now_s = time.monotonic()
        if self._may_be_kept(booking, now_s):
            await self._store.keep(booking)
        else:
            await self._save_booking(booking, now_s)
        if booking.tally is not None:
            await asyncio.to_thread(self._tally.write, booking.tally)

    def _may_be_kept(self, booking: Booking, now_s: float) -> bool:
        """Whether a file beside the database is enough. What is no count is to show that the database can be written; and
        what is read by interval is read from the database."""
        is_plain = booking.tally is not None and not (
            booking.recounted or booking.outlived or booking.intervals
        )
        return is_plain and self._stored_at is not None and now_s - self._stored_at < STORE_S

    async def _save_booking(self, booking: Booking, now_s: float) -> None:
        is_merging = self._merged_at is None or now_s - self._merged_at >= usage_tables.MERGE_MS / 1000
        await self._store.run(lambda db: usage_tables.save_booking(db, booking, is_merging=is_merging))
        self._stored_at = now_s
        if is_merging:
            self._merged_at = now_s

    async def save_sessions(
        self,
        saved: Iterable[SavedSession],
        minors: Iterable[tuple[AccountId, int]],
        day: str,
        changes: Iterable[Change] = (),
    ) -> None:
        kept, kept_sessions = tuple(changes), tuple(saved)

        def work(db: Connection) -> bool:
            erased = account_tables.erased_texts(db, kept)
            if erased:
                self._store.leave_no_traces(*erased)
            account_tables.save_changes(db, kept)
            session_tables.save_sessions(db, kept_sessions, dict(minors), day)
            return bool(erased)

        def noting(db: Connection, devices: HashedDevices) -> list[JournalChange]:
            return [
                *durable_changes.of_registry(db, kept, devices),
                *durable_changes.of_sessions(db, kept_sessions, day, devices),
            ]

        if await self._store.run(work, noting):
            await self._store.looked_for_traces()

    async def erase(self, mac: MacAddress | None, account: AccountId, until_day: str) -> None:
        def work(db: Connection) -> None:
            if mac is not None:
                session_tables.erase(db, mac)
            if until_day:
                usage_tables.erase(db, account, until_day)
            self._store.leave_no_traces(*(() if mac is None else (mac,)))

        await self._store.run(
            work, lambda _db, devices: [durable_changes.of_erasure(mac, account, until_day, devices)]
        )
        await self._store.looked_for_traces()

    async def forget(
        self, *, ended_before: str, used_before: str, today: str, intervals: tuple[int, int] | None = None
    ) -> Forgotten:
        def work(db: Connection) -> Forgotten:
            usage_tables.date_unknown_days(db, today)
            forgotten = account_tables.forget_before(
                db, ended=ended_before, used=used_before, today=today, events_days=self._events_days
            )
            session_tables.forget_ended_before(db, ended_before)
            usage_tables.forget_before(db, used_before)
            forget_intervals(db, intervals)
            forget_classes(db, intervals)
            forget_set_aside(db, self._store.path, today, ended_before)
            return replace(
                forgotten, erased=usage_tables.forget_erased(db, used_before=used_before, today=today)
            )

        return await self._store.run(work)

    def _recall(self, db: Connection, buckets_since: str) -> StoredState:
        marks, facts = session_tables.load_marks(db), usage_tables.load_facts(db)
        # After a start in another month, counting may continue on the day last booked.
        since = min(buckets_since, facts.get(BOOKED_DAY) or buckets_since)
        return StoredState(
            buckets=usage_tables.load_table(db, since),
            buckets_since=since,
            incarnations=tuple(usage_tables.load_incarnations(db)),
            baseline=usage_tables.load_baseline(db),
            tally=self._tally.read(),
            facts=tuple(facts.items()),
            minors=tuple(session_tables.load_minors(db).items()),
            marks=tuple((mark, mac, account) for mark, (mac, account) in marks.items()),
            sessions=tuple(session_tables.load_sessions(db)),
            registry=account_tables.load_kept(db),
            erased=tuple(usage_tables.load_erased(db)),
            intervals=load_last_interval(db),
        )


class StoredArchive:
    """The log of adoptions and node state. Implements `node.app.admin.Archive`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def devices(self) -> tuple[MacAddress, ...]:
        """All devices with a row; none while the database cannot be read."""
        rows = "SELECT mac FROM devices UNION SELECT mac FROM sessions UNION SELECT mac FROM bindings"
        with suppress(StorageTrouble):
            return tuple(
                MacAddress(mac) for (mac,) in await self._store.read(lambda db: db.execute(rows).fetchall())
            )
        return ()

    async def append(self, record: AdoptionRecord, events: Iterable[Event] = ()) -> AdoptionRecord:
        """Appends to the log of adoptions, with its events in the same transaction; it is on the disk when this returns.
        Returns the record as it stands there. A full log loses its oldest records."""
        kept = tuple(events)

        def work(db: Connection) -> AdoptionRecord:
            account_tables.save_changes(db, kept)
            return append_record(db, record)

        return await self._store.run(work, lambda db, devices: durable_changes.of_registry(db, kept, devices))

    async def events(self, query: EventQuery) -> tuple[EventFound, ...]:
        """The newest first. Read on a connection of its own: a search takes longer than other reads."""
        return await asyncio.to_thread(self._events, query)

    def _events(self, query: EventQuery) -> tuple[EventFound, ...]:
        try:
            with closing(open_to_read(self._store.path)) as db:
                return event_tables.find_events(db, query)
        except UNREADABLE as error:
            raise StorageTrouble(
                f"the database {self._store.path} cannot be read: {error}",
                "make the data folder readable; the node tries again by itself",
            ) from error

    async def history(self) -> tuple[RuleHistory, int]:
        """What the log says, and the number of its first damaged record; 0 if it is whole."""
        return await self._store.read(load_history)

    async def version_text(self, number: int) -> str | None:
        """The text of a version; None if there is none."""
        return await self._store.read(lambda db: load_version_text(db, number))

    def last_rules(self) -> str | None:
        """Text of the rules confirmed last, for the start; None if there are none or they cannot be read."""
        try:
            return self._store.run_blocking(ReadOnly(load_last_rules))
        except StorageTrouble:
            return None

    async def state(self, name: str) -> str:
        """A value of the node state; empty if it is not set."""
        return (await self._store.read(usage_tables.load_facts)).get(name, "")

    async def states(self, beginning: str) -> dict[str, str]:
        """All values of the node state whose names begin so."""
        facts = await self._store.read(usage_tables.load_facts)
        return {name: value for name, value in facts.items() if name.startswith(beginning)}

    async def acknowledge_losses(self) -> None:
        await self._store.acknowledge()

    async def preview_classes(self) -> Mapping[str, AccountClasses]:
        return await self._store.read(load_classes)

    async def save_preview_classes(self, day: str, classes: AccountClasses) -> None:
        await self._store.run(lambda db: save_classes(db, day, classes))

    async def save_state(self, name: str, value: str, events: Iterable[Event] = ()) -> None:
        kept = tuple(events)

        def work(db: Connection) -> None:
            account_tables.save_changes(db, kept)
            usage_tables.save_facts(db, [(name, value)])

        await self._store.run(work, lambda db, devices: durable_changes.of_registry(db, kept, devices))


class IntervalArchive:
    """Usage in intervals of five minutes, read on a connection of its own: a preview takes longer than other reads."""

    def __init__(self, database: Path) -> None:
        self._database = database

    def read(self, since: int, until: int) -> Iterator[tuple[int, AccountUsage]]:
        """Intervals that begin between these Unix times, oldest first. Blocks. Raises StorageTrouble."""
        try:
            with closing(open_to_read(self._database)) as db:
                yield from load_intervals(db, since, until)
        except UNREADABLE as error:
            raise StorageTrouble(
                f"the database {self._database} cannot be read: {error}",
                "run it as root; if there is none yet, start the node once",
            ) from error

    def read_local(self, since: int, until: int) -> Iterator[tuple[datetime, AccountUsage]]:
        """As `read`, with the beginnings in local time."""
        for begun, usage in self.read(since, until):
            yield datetime.fromtimestamp(begun, UTC).astimezone(), usage

    async def of_account(
        self, account: AccountId, since: int, until: int
    ) -> tuple[tuple[int, IntervalUsage], ...]:
        """Those in which the account was active, oldest first; none while the database cannot be read."""
        with suppress(StorageTrouble):
            return await asyncio.to_thread(self._of_account, account, since, until)
        return ()

    def _of_account(
        self, account: AccountId, since: int, until: int
    ) -> tuple[tuple[int, IntervalUsage], ...]:
        found = ((begun, usage.get(account)) for begun, usage in self.read(since, until))
        return tuple((begun, used) for begun, used in found if used is not None)


class StoredPageCache:
    """Implements `mesh.ports.PageCache`."""

    def __init__(self, store: Store, today: Callable[[], str]) -> None:
        self._store, self._today = store, today
        self._loaded_from: int | None = None
        """Generation of the store when the record of booked pages was read."""

    @property
    def generation(self) -> int:
        return self._store.generation

    async def names(self, after: str = "") -> list[str]:
        return await self._store.read(lambda db: load_names(db, after))

    async def read(self, names: Iterable[str]) -> dict[str, bytes]:
        wanted = tuple(names)
        return await self._store.read(lambda db: self._load(db, wanted))

    async def save(self, pages: Iterable[tuple[str, bytes]], gone: Iterable[str] = ()) -> None:
        kept, left, day = tuple(pages), tuple(gone), self._today()
        await self._store.run(lambda db: self._save(db, kept, left, day))

    def _load(self, db: Connection, names: tuple[str, ...]) -> dict[str, bytes]:
        if BOOKED in names:
            self._loaded_from = self._store.generation
        return load_pages(db, names)

    def _save(
        self, db: Connection, pages: tuple[tuple[str, bytes], ...], gone: tuple[str, ...], day: str
    ) -> None:
        save_pages(db, pages, gone, day)
        if self._store.generation != self._loaded_from:
            forget_booked(db)


class StoredStatements:
    """Implements `mesh.ports.StatementStore`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def load(self) -> Iterable[bytes]:
        return self._store.run_blocking(ReadOnly(load_statements))

    async def save(self, rows: Iterable[tuple[str, bytes]], gone: Iterable[str]) -> None:
        kept, left = tuple(rows), tuple(gone)
        await self._store.run(lambda db: save_statements(db, kept, left))


def load_statements(db: Connection) -> list[bytes]:
    return [row for (row,) in db.execute("SELECT statement FROM community_records ORDER BY name")]


def save_statements(db: Connection, rows: Iterable[tuple[str, bytes]], gone: Iterable[str]) -> None:
    db.executemany("DELETE FROM community_records WHERE name = ?", ((name,) for name in gone))
    db.executemany("INSERT OR REPLACE INTO community_records VALUES (?, ?)", rows)


# Tables of other nodes' signed pages, and of rule files that were in force.


def load_names(db: Connection, after: str) -> list[str]:
    rows = db.execute("SELECT name FROM pages WHERE name > ? ORDER BY name LIMIT ?", [after, NAMES_TOGETHER])
    return [name for (name,) in rows]


def load_pages(db: Connection, names: Iterable[str]) -> dict[str, bytes]:
    find = "SELECT page FROM pages WHERE name = ?"
    found = ((name, db.execute(find, [name]).fetchone()) for name in names)
    return {name: row[0] for name, row in found if row is not None}


def save_pages(db: Connection, pages: Iterable[tuple[str, bytes]], gone: Iterable[str], day: str) -> None:
    for name in gone:
        db.execute("DELETE FROM pages WHERE name = ?", [name])
    db.executemany(
        "INSERT OR REPLACE INTO pages VALUES (?, ?, ?)", ((name, page, day) for name, page in pages)
    )


_RECORD = (
    "kind",
    "adopted",
    "by",
    "fingerprint",
    "text",
    "subject",
    "reason",
    "due",
    "trial_s",
    "objections",
    "accounts",
    "meaning",
    "waits_s",
    "number",
    "prev",
    "hash",
)
"""Columns in the order of the fields of `AdoptionRecord`."""


def append_record(db: Connection, record: AdoptionRecord) -> AdoptionRecord:
    last = db.execute("SELECT number, hash FROM rule_versions ORDER BY number DESC LIMIT 1").fetchone()
    number, prev = last or (0, "")
    made = sealed(replace(record, by=storable(record.by), text=storable(record.text)), number + 1, prev)
    marks = ", ".join("?" * len(_RECORD))
    db.execute(
        f"INSERT INTO rule_versions ({', '.join(_RECORD)}) VALUES ({marks})",  # noqa: S608 - own names only
        [getattr(made, name) for name in _RECORD],
    )
    if is_full(*db.execute("SELECT count(*), sum(length(text)) FROM rule_versions").fetchone()):
        _shorten(db)
    return made


def _shorten(db: Connection) -> None:
    """Puts a checkpoint in the place of the oldest records. A damaged log stays as it is."""
    history, damaged = load_history(db)
    sizes = db.execute("SELECT number, length(text) FROM rule_versions ORDER BY number").fetchall()
    last = 0 if damaged else removable(history, sizes)
    if not last:
        return
    db.execute("DELETE FROM rule_versions WHERE number < ?", [last])
    db.execute(
        """UPDATE rule_versions SET kind = 'checkpoint', adopted = '', by = '', fingerprint = '', text = '', subject = 0,
           reason = '', due = '', trial_s = 0, objections = 0, accounts = 0, meaning = '', waits_s = 0 WHERE number = ?""",
        [last],
    )


def load_records(db: Connection) -> Iterator[AdoptionRecord]:
    """All records with their texts, oldest first."""
    for row in db.execute(f"SELECT {', '.join(_RECORD)} FROM rule_versions ORDER BY number"):  # noqa: S608
        yield AdoptionRecord(*row)


def load_history(db: Connection) -> tuple[RuleHistory, int]:
    history, chain, damaged = RuleHistory(), LogCheck(), 0
    for record in load_records(db):
        history.add(record)
        damaged = damaged or chain.add(record)
    return history, damaged


def load_version_text(db: Connection, number: int) -> str | None:
    row = db.execute(
        "SELECT text FROM rule_versions WHERE number = ? AND fingerprint != ''", [number]
    ).fetchone()
    return None if row is None else str(row[0])


def load_last_rules(db: Connection) -> str | None:
    history, _ = load_history(db)
    return load_version_text(db, history.state.active)


# Tally file: how many bookings of the kernel's current counters were stored, outside the database.
#
# It is in a folder that is cleared at boot (such as /run), like the counters themselves. It distinguishes a
# database that lacks the last booking (an old copy, or a new one) from counters that were never booked.

TALLY_BYTES_MAX = 200


class TallyFile:
    """One line: the counters id, a space, the number of stored bookings."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Tally | None:
        """None if there is none or it cannot be read; counters unknown to the database are then taken as
        booked."""
        try:
            with self._path.open("rb") as file:
                counters_id, _, bookings = file.read(TALLY_BYTES_MAX).decode().strip().partition(" ")
            return Tally(counters_id, int(bookings))
        except (OSError, ValueError):
            return None

    def write(self, tally: Tally) -> None:
        """Replace the file atomically. If that fails, it is deleted, because an outdated one would
        mislead."""
        new = self._path.with_name(self._path.name + ".new")
        try:
            new.write_text(f"{tally.counters_id} {tally.bookings}\n")
            new.replace(self._path)
        except OSError as error:
            log.warning("%s cannot be written: %s", self._path, error)
            with suppress(OSError):
                self._path.unlink(missing_ok=True)

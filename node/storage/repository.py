"""The database as the repository of the control loop, the archive of the admin pages and the page cache of
the mesh."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from sqlite3 import Connection

from node.accounting.ledger import BOOKED_DAY, Booking, UsageBucket, UsageKey
from node.accounting.meter import Tally
from node.accounts.changes import Change, Forgotten
from node.control.ports import StoredState
from node.errors import StorageTrouble
from node.sessions.stored import SavedSession
from node.storage import account_tables, durable_changes, session_tables, usage_tables
from node.storage.database import Store
from node.storage.durable_changes import HashedDevices
from node.storage.journal import Change as JournalChange
from node.storage.opening import forget_set_aside
from node.units import AccountId, MacAddress, NodeId

log = logging.getLogger(__name__)


class StoredRepository:
    """Implements `node.control.ports.Repository`."""

    def __init__(self, store: Store, tally: Path | None = None) -> None:
        """`tally` is the tally file, in a folder that is cleared at boot like the kernel's counters; None
        puts it next to the database."""
        self._store, self._tally = store, TallyFile(tally or store.path.with_name("bookings"))

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
        await self._store.run(lambda db: usage_tables.save_booking(db, booking))
        if booking.tally is not None:
            await asyncio.to_thread(self._tally.write, booking.tally)

    async def save_sessions(
        self,
        saved: Iterable[SavedSession],
        minors: Iterable[tuple[AccountId, int]],
        day: str,
        changes: Iterable[Change] = (),
    ) -> None:
        kept, kept_sessions = tuple(changes), tuple(saved)

        def work(db: Connection) -> None:
            account_tables.save_changes(db, kept)
            session_tables.save_sessions(db, kept_sessions, dict(minors), day)

        def noting(db: Connection, devices: HashedDevices) -> list[JournalChange]:
            return [
                *durable_changes.of_registry(db, kept, devices),
                *durable_changes.of_sessions(db, kept_sessions, day, devices),
            ]

        await self._store.run(work, noting)

    async def erase(self, mac: MacAddress | None, account: AccountId, until_day: str) -> None:
        def work(db: Connection) -> None:
            if mac is not None:
                session_tables.erase(db, mac)
            if until_day:
                usage_tables.erase(db, account, until_day)
            self._store.leave_no_traces()

        await self._store.run(
            work, lambda _db, devices: [durable_changes.of_erasure(mac, account, until_day, devices)]
        )

    async def forget(self, *, ended_before: str, used_before: str, today: str) -> Forgotten:
        def work(db: Connection) -> Forgotten:
            usage_tables.date_unknown_days(db, today)
            forgotten = account_tables.forget_before(db, ended=ended_before, used=used_before)
            session_tables.forget_ended_before(db, ended_before)
            usage_tables.forget_before(db, used_before)
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
            buckets=tuple(usage_tables.load_buckets(db, since)),
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
        )


class StoredArchive:
    """Rule versions and node state. Implements `node.app.admin.Archive`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def save_rules(self, adopted: str, by: str, fingerprint: str, text: str) -> None:
        await self._store.run(lambda db: save_rule_version(db, adopted, by, fingerprint, text))

    async def rule_versions(self) -> list[tuple[int, str, str, str, str]]:
        """(number, adopted, by, fingerprint, text), newest first."""
        return await self._store.run(load_rule_versions)

    def last_rules(self) -> str | None:
        """Text of the newest version, for the start; None if there is none or it cannot be read."""
        try:
            versions = self._store.run_blocking(load_rule_versions)
        except StorageTrouble:
            return None
        return versions[0][-1] if versions else None

    async def state(self, name: str) -> str:
        """A value of the node state; empty if it is not set."""
        return (await self._store.run(usage_tables.load_facts)).get(name, "")

    async def acknowledge_losses(self) -> None:
        await self._store.acknowledge()

    async def save_state(self, name: str, value: str) -> None:
        await self._store.run(lambda db: usage_tables.save_facts(db, [(name, value)]))


class StoredPageCache:
    """Implements `mesh.ports.PageCache`."""

    def __init__(self, store: Store, today: Callable[[], str]) -> None:
        self._store, self._today = store, today

    def load(self) -> Iterable[bytes]:
        return self._store.run_blocking(load_pages)

    async def save(self, pages: Iterable[tuple[str, bytes]], gone: Iterable[str] = ()) -> None:
        kept, left, day = tuple(pages), tuple(gone), self._today()
        await self._store.run(lambda db: save_pages(db, kept, left, day))


# Tables of other nodes' signed pages, and of rule files that were in force.


def load_pages(db: Connection) -> list[bytes]:
    return [page for (page,) in db.execute("SELECT page FROM pages ORDER BY name")]


def save_pages(db: Connection, pages: Iterable[tuple[str, bytes]], gone: Iterable[str], day: str) -> None:
    for name in gone:
        db.execute("DELETE FROM pages WHERE name = ?", [name])
    db.executemany(
        "INSERT OR REPLACE INTO pages VALUES (?, ?, ?)", ((name, page, day) for name, page in pages)
    )


def save_rule_version(db: Connection, adopted: str, by: str, fingerprint: str, text: str) -> None:
    """Store a rule file that came into force, unless it equals the last one stored."""
    last = db.execute("SELECT fingerprint FROM rule_versions ORDER BY number DESC LIMIT 1").fetchone()
    if last is None or last[0] != fingerprint:
        db.execute(
            "INSERT INTO rule_versions (adopted, by, fingerprint, text) VALUES (?, ?, ?, ?)",
            [adopted, by, fingerprint, text],
        )


def load_rule_versions(db: Connection) -> list[tuple[int, str, str, str, str]]:
    """(number, adopted, by, fingerprint, text), newest first."""
    return db.execute(
        "SELECT number, adopted, by, fingerprint, text FROM rule_versions ORDER BY number DESC LIMIT 50"
    ).fetchall()


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

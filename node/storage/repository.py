"""The database as the repository of the control loop, the archive of the admin pages and the page cache of
the mesh."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from sqlite_utils import Database

from node.accounting.booking import BOOKED_DAY, Booking
from node.accounting.ledger import UsageBucket, UsageKey
from node.accounting.meter import Tally
from node.accounts.ports import Change, Forgotten
from node.control.ports import StoredState
from node.errors import StorageTrouble
from node.sessions.stored import SavedSession
from node.storage import account_tables, archive_tables, durable_changes, session_tables, usage_tables
from node.storage.aside import forget_set_aside
from node.storage.database import Store
from node.storage.durable_changes import HashedDevices
from node.storage.journal import Change as JournalChange
from node.storage.tally_file import TallyFile
from node.units import AccountId, MacAddress, NodeId


class StoredRepository:
    """Implements `node.control.ports.Repository`."""

    def __init__(self, store: Store, tally: Path | None = None) -> None:
        """`tally` is the tally file, in a folder that is cleared at boot like the kernel's counters; None
        puts it next to the database."""
        self._store, self._tally = store, TallyFile(tally or store.path.with_name("bookings"))

    @property
    def life(self) -> int:
        return self._store.life

    async def recall(self, cells_since: str = "") -> StoredState:
        return await self._store.run(lambda db: self._recall(db, cells_since))

    async def cells(
        self, *, since: str, node: NodeId | None = None, account: AccountId | None = None
    ) -> tuple[tuple[UsageKey, UsageBucket], ...]:
        return tuple(await self._store.run(lambda db: usage_tables.load_cells(db, since, node, account)))

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

        def work(db: Database) -> None:
            account_tables.save_changes(db, kept)
            session_tables.save_sessions(db, kept_sessions, dict(minors), day)

        def noting(db: Database, devices: HashedDevices) -> list[JournalChange]:
            return [
                *durable_changes.of_register(db, kept, devices),
                *durable_changes.of_sessions(db, kept_sessions, day, devices),
            ]

        await self._store.run(work, noting)

    async def erase(self, mac: MacAddress | None, account: AccountId, until_day: str) -> None:
        def work(db: Database) -> None:
            if mac is not None:
                session_tables.erase(db, mac)
            if until_day:
                usage_tables.erase(db, account, until_day)
            self._store.leave_no_traces()

        await self._store.run(
            work, lambda _db, devices: [durable_changes.of_erasure(mac, account, until_day, devices)]
        )

    async def forget(self, *, ended_before: str, used_before: str, today: str) -> Forgotten:
        def work(db: Database) -> Forgotten:
            usage_tables.date_unknown_days(db, today)
            forgotten = account_tables.forget_before(db, ended=ended_before, used=used_before)
            session_tables.forget_ended_before(db, ended_before)
            usage_tables.forget_before(db, used_before)
            forget_set_aside(db, self._store.path, today, ended_before)
            return replace(
                forgotten, erased=usage_tables.forget_erased(db, used_before=used_before, today=today)
            )

        return await self._store.run(work)

    def _recall(self, db: Database, cells_since: str) -> StoredState:
        marks, facts = session_tables.load_marks(db), usage_tables.load_facts(db)
        # After a start in another month, counting may continue on the day last booked.
        since = min(cells_since, facts.get(BOOKED_DAY) or cells_since)
        return StoredState(
            cells=tuple(usage_tables.load_cells(db, since)),
            cells_since=since,
            lives=tuple(usage_tables.load_lives(db)),
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
    """Rule versions and node state. Implements `node.app.admin.Records`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def keep_rules(self, adopted: str, by: str, fingerprint: str, text: str) -> None:
        await self._store.run(lambda db: archive_tables.save_rule_version(db, adopted, by, fingerprint, text))

    async def rule_versions(self) -> list[tuple[int, str, str, str, str]]:
        """(number, adopted, by, fingerprint, text), newest first."""
        return await self._store.run(archive_tables.load_rule_versions)

    def last_rules(self) -> str | None:
        """Text of the newest version, for the start; None if there is none or it cannot be read."""
        try:
            versions = self._store.run_blocking(archive_tables.load_rule_versions)
        except StorageTrouble:
            return None
        return versions[0][-1] if versions else None

    async def fact(self, name: str) -> str:
        """A value of the node state; empty if it is not set."""
        return (await self._store.run(usage_tables.load_facts)).get(name, "")

    async def acknowledge_losses(self) -> None:
        await self._store.acknowledge()

    async def keep_fact(self, name: str, value: str) -> None:
        await self._store.run(lambda db: usage_tables.save_facts(db, [(name, value)]))


class StoredPageCache:
    """Implements `mesh.ports.PageCache`."""

    def __init__(self, store: Store, today: Callable[[], str]) -> None:
        self._store, self._today = store, today

    def load(self) -> Iterable[bytes]:
        return self._store.run_blocking(archive_tables.load_pages)

    async def save(self, pages: Iterable[tuple[str, bytes]], gone: Iterable[str] = ()) -> None:
        kept, left, day = tuple(pages), tuple(gone), self._today()
        await self._store.run(lambda db: archive_tables.save_pages(db, kept, left, day))

"""The database as the loop's memory and the mesh's shelf."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from sqlite_utils import Database

from node.accounting.booking import BOOKED_DAY, Booking
from node.accounting.ledger import Cell, CellKey
from node.accounting.meter import Tally
from node.accounting.sessions import SavedSession
from node.errors import StorageTrouble
from node.membership.ports import Change, Forgotten
from node.reconcile.ports import Remembered
from node.storage import books, lasting, membership, records, sessions
from node.storage.aside import forget_set_aside
from node.storage.database import Store
from node.storage.journal import Change as JournalChange
from node.storage.lasting import Devices
from node.storage.tally import TallyFile
from node.units import AccountId, MacAddress, NodeId


class StoredMemory:
    """Implements `node.reconcile.ports.Memory`."""

    def __init__(self, store: Store, tally: Path | None = None) -> None:
        """`tally` is a file in a folder that lives as long as the kernel's counters do; None for one beside the
        database."""
        self._store, self._tally = store, TallyFile(tally or store.path.with_name("bookings"))

    @property
    def life(self) -> int:
        return self._store.life

    async def recall(self, cells_since: str = "") -> Remembered:
        return await self._store.run(lambda db: self._recall(db, cells_since))

    async def cells(
        self, *, since: str, node: NodeId | None = None, account: AccountId | None = None
    ) -> tuple[tuple[CellKey, Cell], ...]:
        return tuple(await self._store.run(lambda db: books.load_cells(db, since, node, account)))

    async def begin_counters(self, counters_id: str) -> None:
        await asyncio.to_thread(self._tally.write, Tally(counters_id, 0))

    async def book(self, booking: Booking) -> None:
        await self._store.run(lambda db: books.save_booking(db, booking))
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
            membership.save_changes(db, kept)
            sessions.save_sessions(db, kept_sessions, dict(minors), day)

        def noting(db: Database, devices: Devices) -> list[JournalChange]:
            return [
                *lasting.of_register(db, kept, devices),
                *lasting.of_sessions(db, kept_sessions, day, devices),
            ]

        await self._store.run(work, noting)

    async def erase(self, mac: MacAddress | None, account: AccountId, until_day: str) -> None:
        def work(db: Database) -> None:
            if mac is not None:
                sessions.erase(db, mac)
            if until_day:
                books.erase(db, account, until_day)
            self._store.leave_no_traces()

        await self._store.run(
            work, lambda _db, devices: [lasting.of_erasure(mac, account, until_day, devices)]
        )

    async def forget(self, *, ended_before: str, used_before: str, today: str) -> Forgotten:
        def work(db: Database) -> Forgotten:
            books.date_unknown_days(db, today)
            forgotten = membership.forget_before(db, ended=ended_before, used=used_before)
            sessions.forget_ended_before(db, ended_before)
            books.forget_before(db, used_before)
            forget_set_aside(db, self._store.path, today, ended_before)
            return replace(forgotten, erased=books.forget_erased(db, used_before=used_before, today=today))

        return await self._store.run(work)

    def _recall(self, db: Database, cells_since: str) -> Remembered:
        marks, facts = sessions.load_marks(db), books.load_facts(db)
        # What was counted last may be counted on after a start in another month.
        since = min(cells_since, facts.get(BOOKED_DAY) or cells_since)
        return Remembered(
            cells=tuple(books.load_cells(db, since)),
            cells_since=since,
            lives=tuple(books.load_lives(db)),
            baseline=books.load_baseline(db),
            tally=self._tally.read(),
            facts=tuple(facts.items()),
            minors=tuple(sessions.load_minors(db).items()),
            marks=tuple((mark, mac, account) for mark, (mac, account) in marks.items()),
            sessions=tuple(sessions.load_sessions(db)),
            register=membership.load_kept(db),
            erased=tuple(books.load_erased(db)),
        )


class StoredRecords:
    """Rule versions and notes. Implements `node.answers.admin.Records`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def keep_rules(self, adopted: str, by: str, fingerprint: str, text: str) -> None:
        await self._store.run(lambda db: records.save_rule_version(db, adopted, by, fingerprint, text))

    async def rule_versions(self) -> list[tuple[int, str, str, str, str]]:
        """(number, adopted, by, fingerprint, text), the newest first."""
        return await self._store.run(records.load_rule_versions)

    def last_rules(self) -> str | None:
        """The text of the newest version, for a starting node; None when there is none or it cannot be read."""
        try:
            versions = self._store.run_blocking(records.load_rule_versions)
        except StorageTrouble:
            return None
        return versions[0][-1] if versions else None

    async def fact(self, name: str) -> str:
        """One of the node's own notes; empty when there is none."""
        return (await self._store.run(books.load_facts)).get(name, "")

    async def acknowledge_losses(self) -> None:
        await self._store.acknowledge()

    async def keep_fact(self, name: str, value: str) -> None:
        await self._store.run(lambda db: books.save_facts(db, [(name, value)]))


class StoredShelf:
    """Implements `mesh.ports.PageShelf`."""

    def __init__(self, store: Store, today: Callable[[], str]) -> None:
        self._store, self._today = store, today

    def load(self) -> Iterable[bytes]:
        return self._store.run_blocking(records.load_pages)

    async def save(self, pages: Iterable[tuple[str, bytes]]) -> None:
        kept, day = tuple(pages), self._today()
        await self._store.run(lambda db: records.save_pages(db, kept, day))

"""Shares facts of the account registry with the other nodes of the community.

Each kind of record is one module, which says what a change of the registry tells other nodes, and what a record of
another node does here:

    shared.register("passphrase", to_record, apply, absent=absent)

A change is put and its record stored with it, in one transaction. So a row that says something else than its record, at a
start, was changed while nothing was shared, and is put then.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from mesh.page_format import NUMBER_MAX
from mesh.ports import SharedBatches, SharedGateways, SharedNotices
from mesh.registry_kind import is_record_key, is_value
from mesh.registry_records import Join, RecordKey, RegistryRecords
from mesh.version_limit import VERSIONS_OF_A_DECISION
from node.accounting.periods import DAY_UNKNOWN
from node.accounts.changes import Change, RecordGone, RecordRow
from node.accounts.registry import AccountRegistry
from node.accounts.registry_record import RegistryRecord, Value, row_of_record
from node.control.persistence import PersistenceQueue
from node.control.ports import Clock
from node.control.steady_clock import SteadyClock
from node.identity import human_form
from node.translator import ngettext_lazy
from node.units import NodeId

LOOK_EVERY_S = 600.0
"""Between two looks whether records are over."""
STEADY_MS = 6 * 3_600_000
"""How long a synchronized clock has not been set when its day ends records, as for retention."""
EARLY_PUTS_MAX = 4_096
"""Kept until the database is read."""
TOGETHER = 256
"""Records applied before they are stored and other tasks run."""

type Said = tuple[str, Value, str]
"""Key, value and last day of a record."""
type ToRecord = Callable[[Change], Said | None]
type Apply = Callable[[RegistryRecord], Awaitable[None] | None]
type Absent = Callable[[RegistryRecord], tuple[Value, str] | None]
type IsSame = Callable[[Value, Value], bool]

_APPLYING: ContextVar[RecordKey | None] = ContextVar("applying", default=None)


@dataclass(frozen=True, slots=True)
class SharedKind:
    """How one kind of record and the registry go together."""

    to_record: ToRecord
    apply: Apply
    absent: Absent | None
    is_same: IsSame
    is_reapplied: bool


class SharedRegistry:
    """The records of this node. Implements `mesh.ports.SharedRecords`. Used only from the event loop's thread."""

    def __init__(
        self,
        own: NodeId,
        *,
        registry: AccountRegistry,
        persistence: PersistenceQueue,
        clock: Clock,
        version_max: Callable[[], int] = lambda: NUMBER_MAX,
    ) -> None:
        """`version_max`: as for `RegistryRecords.take`."""
        self._registry, self._persistence, self._clock = registry, persistence, clock
        self._kinds: dict[str, SharedKind] = {}
        self._joins: dict[str, Join | None] = {}
        self._plentiful: set[str] = set()
        self.records = RegistryRecords(own, self._joins, self._plentiful)
        self.woken: Callable[[], None] = lambda: None
        self.batches: SharedBatches | None = None
        self.gateways: SharedGateways | None = None
        self.notices: SharedNotices | None = None
        self.name_of_node: Callable[[NodeId], str] = human_form
        self.beside: list[Callable[[], Coroutine[None, None, None]]] = []
        """What else runs while this does."""
        self._version_max = version_max
        self._reads = 0
        """How many times all pages had to be read; 0 until the database is read."""
        self._day, self._latest_day = "", ""
        """Today when it was looked whether records are over, and the latest day on which pages were read since then."""
        self._early: list[Change] = []
        """Changes made before the records of before were read."""
        self._early_puts: dict[RecordKey, tuple[Value, str]] = {}
        self._unapplied: dict[RecordKey, None] = {}
        self._unstored: set[RecordKey] = set()
        """Records of other nodes whose row is not queued yet: it is, together with what they change."""
        self._has_news = asyncio.Event()
        self._steady_clock = SteadyClock(clock)
        registry.take_records, registry.records = self._recall, self.records.rows
        persistence.pending.further = self._further

    def register(
        self,
        kind: str,
        to_record: ToRecord,
        apply: Apply,
        *,
        join: Join | None = None,
        absent: Absent | None = None,
        is_same: IsSame = lambda one, other: one == other,
        is_plentiful: bool = False,
        is_reapplied: bool = False,
    ) -> None:
        """`to_record`: key, value and last day of the record that a change makes; None if it makes none of this kind.
        `apply`: do what a record of another node says; what it changes in the registry it passes to
        `PersistenceQueue.pending` (or `Reconciler.remember`, if it is a coroutine), and is not put again. `join`: as for
        `RegistryRecords`. `absent`: for a record without a row at a start, the value and last day to put; None: it stays.
        `is_same`: whether two values need no new version. `is_plentiful`: there may be as many as devices. `is_reapplied`:
        all records of the kind are applied again at each start, and when the day becomes known."""
        self._kinds[kind] = SharedKind(to_record, apply, absent, is_same, is_reapplied)
        self._joins[kind] = join
        if is_plentiful:
            self._plentiful.add(kind)

    @property
    def generation(self) -> int:
        """Another one when all pages have to be read again; 0 until the database is read."""
        return self._reads and self._reads + self._version_max() // VERSIONS_OF_A_DECISION

    @property
    def kinds(self) -> tuple[str, ...]:
        """Those that were registered."""
        return tuple(self._kinds)

    def put(self, kind: str, key: str, value: Value, until: str = "") -> None:
        """Tell other nodes what is no change of the registry's rows, and store it with the next save."""
        if self.generation:
            self._persistence.pending.add(self._put(kind, (key, value, until)))
        elif len(self._early_puts) < EARLY_PUTS_MAX:
            self._early_puts[kind, key] = value, until

    async def run(self) -> None:
        """Until cancelled: apply the records of other nodes, and forget those that are over."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._run_records())
            for run in self.beside:
                tasks.create_task(run())

    async def _run_records(self) -> None:
        while True:
            await self._apply_all()
            self._forget()
            try:
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._has_news.wait()
            except TimeoutError:
                continue

    # --- for the mesh -------------------------------------------------------------------------

    def take(self, author: NodeId, part: int, records: Iterable[RegistryRecord]) -> None:
        today = self.today()
        self._latest_day = max(self._latest_day, today)
        for record in self.records.take(author, part, records, today, self._version_max()):
            name = record.kind, record.key
            self._unapplied[name] = None
            self._unstored.add(name)
        if self._unapplied:
            self._has_news.set()
        if self.records.changed_parts(is_all=False):
            self.woken()

    def drop(self, author: NodeId) -> None:
        self.records.drop(author)

    def read_again(self) -> None:
        self.records.read_again()

    def changed_parts(self, *, is_all: bool) -> tuple[int, ...]:
        return self.records.changed_parts(is_all=is_all)

    def body(self, part: int) -> bytes | None:
        return self.records.body(part)

    def orphans(self) -> dict[int, frozenset[RecordKey]]:
        return self.records.orphans()

    def adopt(self, names: Iterable[RecordKey]) -> None:
        self.records.adopt(names, self.today())
        if self.records.changed_parts(is_all=False):
            self.woken()

    async def kept(self) -> None:
        await self._persistence.save()

    def warnings(self) -> tuple[str, ...]:
        unfit, held_up = self.records.unfit(), self.records.held_up(self._version_max())
        found = []
        if unfit:
            found.append(
                ngettext_lazy(
                    "{number} fact about people is not told to other nodes, because this node tells as much as it may: "
                    "remove what is not needed any longer.",
                    "{number} facts about people are not told to other nodes, because this node tells as much as it may: "
                    "remove what is not needed any longer.",
                    unfit,
                )
            )
        if held_up:
            found.append(
                ngettext_lazy(
                    "{number} change of what nodes tell about people is not taken in by other nodes: a node wrote the "
                    "greatest version that there is. 'procomu community told ACCOUNT' names it; when an admin removes it, "
                    "the change holds everywhere.",
                    "{number} changes of what nodes tell about people are not taken in by other nodes: a node wrote the "
                    "greatest version that there is. 'procomu community told ACCOUNT' names it; when an admin removes it, "
                    "the changes hold everywhere.",
                    held_up,
                )
            )
        return tuple(found)

    # --- what changes here --------------------------------------------------------------------

    def _further(self, change: Change) -> Iterable[Change]:
        if isinstance(change, RecordRow | RecordGone):
            return ()
        if not self.generation:
            self._early.append(change)
            return ()
        return tuple(self._rows_for(change))

    def _rows_for(self, change: Change) -> Iterator[RecordRow]:
        for kind, each in self._kinds.items():
            said = each.to_record(change)
            if said is not None:
                yield from self._put(kind, said)

    def _put(self, kind: str, said: Said) -> Iterator[RecordRow]:
        key, value, until = said
        name, before = (kind, key), self.records.effective(kind, key)
        if name != _APPLYING.get() and is_record_key(key) and is_value(value):
            is_known = before is not None and self._kinds[kind].is_same(before.value, value)
            made = self.records.put(kind, key, before.value if is_known and before else value, until)
            if made is not None:
                self._unapplied.pop(name, None)
                self._unstored.discard(name)
                self.woken()
                yield row_of_record(made)
                return
        yield from self._row_if_unstored(name)

    def _row_if_unstored(self, name: RecordKey) -> Iterator[RecordRow]:
        found = self.records.effective(*name)
        if name in self._unstored and found is not None:
            self._unstored.discard(name)
            yield row_of_record(found)

    def _recall(self, stored: Iterable[RecordRow]) -> Iterable[Change]:
        """The registry was loaded: put what changed while nothing was shared, and from here on what changes."""
        self.records.load(stored, self._version_max())
        self._reads += 1
        early, self._early = self._early, []
        rows: list[RecordRow] = []
        found: set[RecordKey] = set()
        for change in self._registry.rows():
            for kind, each in self._kinds.items():
                said = each.to_record(change)
                if said is not None:
                    found.add((kind, said[0]))
                    rows += self._put(kind, said)
        for kind, each in self._kinds.items():
            rows += self._put_absent(kind, each, found)
        for change in early:
            made = tuple(self._rows_for(change))
            self._unapplied |= dict.fromkeys(
                (each.kind, each.key) for each in made
            )  # memory has the stored rows now
            rows += made
        for (kind, key), (value, until) in self._early_puts.items():
            rows += self._put(kind, (key, value, until))
        self._early_puts = {}
        self._reapply()
        self.woken()
        return rows

    def _reapply(self) -> None:
        for kind, each in self._kinds.items():
            keys = (record.key for record in self.records.all(kind)) if each.is_reapplied else ()
            self._unapplied |= dict.fromkeys((kind, key) for key in keys)
        self._has_news.set()

    def _put_absent(self, kind: str, each: SharedKind, found: set[RecordKey]) -> Iterator[RecordRow]:
        if each.absent is None:
            return
        for record in tuple(self.records.all(kind)):
            said = each.absent(record) if (kind, record.key) not in found else None
            if said is not None:
                yield from self._put(kind, (record.key, *said))

    # --- what other nodes say -----------------------------------------------------------------

    async def _apply_all(self) -> None:
        self._has_news.clear()
        while self._unapplied:
            for name in list(self._unapplied)[:TOGETHER]:
                await self._apply(name)
            await self._persistence.save()

    async def _apply(self, name: RecordKey) -> None:
        if name not in self._unapplied:
            return  # while others were applied, this node put a newer one or forgot it
        # Last from now on: one that fails is tried again after the others.
        del self._unapplied[name]
        self._unapplied[name] = None
        record = self.records.effective(*name)
        if record is not None:
            with _applying(name):
                done = self._kinds[record.kind].apply(record)
                if done is not None:
                    await done
            self._persistence.pending.add(self._row_if_unstored(name))
        if record is None or record == self.records.effective(*name):
            self._unapplied.pop(name, None)

    # --- days ---------------------------------------------------------------------------------

    def today(self) -> str:
        """Empty while the day is not known."""
        today = self._clock.today()
        return "" if today == DAY_UNKNOWN else today

    def _forget(self) -> None:
        today = self.today()
        if today < max(self._day, self._latest_day) and self.generation:
            self._reads += 1  # what seemed over is read again
        if today and not self._day and self.generation:
            self._reapply()
        self._day, self._latest_day = today, ""
        steady_ms = self._steady_clock.steady_ms(self._clock.monotonic())
        if not self.generation or not today or steady_ms < STEADY_MS:
            return
        gone = self.records.forget(today)
        for name in gone:
            self._unapplied.pop(name, None)
        self._persistence.pending.add(RecordGone(*name) for name in gone)


@contextmanager
def _applying(name: RecordKey) -> Iterator[None]:
    token = _APPLYING.set(name)
    try:
        yield
    finally:
        _APPLYING.reset(token)

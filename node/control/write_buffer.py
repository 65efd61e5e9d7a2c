"""What is not stored yet: usage buckets with the stored days that they replace, and changes of the account registry."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from node.accounting.intervals import IntervalMeter, Intervals
from node.accounting.ledger import EMPTY_BUCKET, Booking, Recounts, UsageBucket, UsageKey, highest
from node.accounting.meter import Baseline, Tally
from node.accounting.periods import is_since
from node.accounts.appearance import APPEARANCE_ROW
from node.accounts.changes import (
    Appearance,
    Batch,
    Binding,
    CardsVoid,
    Change,
    Event,
    EventGone,
    EventsErased,
    LadderCase,
    LadderCaseGone,
    Message,
    MessageGone,
    Notice,
    NoticeGone,
    Objection,
    ObjectionGone,
    PassphraseGone,
    PassphraseHash,
    RecordGone,
    RecordRow,
    RuleObjection,
    RuleObjectionGone,
    SavedVoucher,
    Terms,
    Unbound,
)
from node.units import AccountId, NodeId

OTHERS_EVERY_MS = 7_200_000
"""Between two times that usage of other nodes is stored: what a crash loses of it, they send again."""
FULL_BUCKETS = 10_000
"""Usage buckets that are stored before their time, about 5 MB. Until then those of other nodes wait."""


@dataclass(frozen=True, slots=True)
class WriteBatch:
    """Stored in one transaction, or given back to the buffer."""

    buckets: dict[UsageKey, UsageBucket]
    recounted: frozenset[tuple[NodeId, str]]
    """Nodes and days whose stored buckets are deleted first."""
    outlived: frozenset[NodeId]
    """Nodes whose pages of a closed day are no longer kept."""
    waiting: tuple[Callable[[], None], ...]
    intervals: Intervals
    notes: dict[str, str]
    """Node state that says what of gateways' counters is in `buckets`."""

    def booking(self, baseline: Baseline | None, facts: Mapping[str, str], tally: Tally) -> Booking:
        """All of it, with the counters that it includes."""
        buckets = tuple(self.buckets.items())
        every = {**facts, **self.notes}
        return Booking(buckets, baseline, every, tally, self.recounted, self.outlived, self.intervals)


class WriteBuffer:
    """Usage buckets: everything stays until it is stored, however long the data folder cannot be used."""

    def __init__(self) -> None:
        self.buckets: dict[UsageKey, UsageBucket] = {}
        self._recounted: set[tuple[NodeId, str]] = set()
        self._outlived: set[NodeId] = set()
        self._being_stored: frozenset[tuple[NodeId, str]] = frozenset()
        self.waiting: list[Callable[[], None]] = []
        """Called when everything now in the buffer is stored."""
        self._notes: dict[str, str] = {}
        self.interval_meter = IntervalMeter()

    @property
    def is_full(self) -> bool:
        """Whether it is to be stored now. It takes more all the same."""
        return len(self.buckets) >= FULL_BUCKETS

    @property
    def is_wanted(self) -> bool:
        """Whether all of it is to be stored with the next booking: it is full, days are replaced, or somebody waits."""
        return self.is_full or bool(self._recounted or self._outlived or self.waiting)

    def keep(self, key: UsageKey, bucket: UsageBucket) -> None:
        self.buckets[key] = highest(self.buckets.get(key, EMPTY_BUCKET), bucket)

    def stored_with(self, waiting: Iterable[Callable[[], None]], notes: Mapping[str, str]) -> None:
        """Calls these when everything now in the buffer is stored; the node state is stored with the buckets."""
        self.waiting += waiting
        self._notes |= notes

    def drop(self, is_gone: Callable[[UsageKey], bool]) -> dict[UsageKey, UsageBucket]:
        """Returns the dropped buckets."""
        gone = {key: bucket for key, bucket in self.buckets.items() if is_gone(key)}
        self.buckets = {key: bucket for key, bucket in self.buckets.items() if key not in gone}
        return gone

    def recount(self, said: Recounts, is_open: Callable[[str], bool], *, is_dated: bool) -> None:
        """Drops the buffered buckets of these days; the caller then passes the new ones to `keep`. The buckets of a
        closed day stay, up to the limit for each node, because some of its pages may be no longer kept. While the clock
        is not known (`is_dated`), days may only seem closed: then only those without any page stay."""
        stay = {at for at, buckets in said.items() if not is_open(at[1]) and (is_dated or not buckets)}
        replaced = said.keys() - stay
        if replaced:
            self.drop(lambda key: (key.node, key.day) in replaced)
        self._recounted |= replaced
        self._outlived |= {node for node, _ in stay}

    def without_recounted(
        self, stored: Iterable[tuple[UsageKey, UsageBucket]]
    ) -> dict[UsageKey, UsageBucket]:
        """The stored buckets except those that are about to be replaced."""
        going = self._recounted | self._being_stored
        return {key: bucket for key, bucket in stored if (key.node, key.day) not in going}

    @contextmanager
    def storing(self, only: NodeId | None = None) -> Iterator[WriteBatch]:
        """Everything to be stored, or `only` the buckets of one node, for a block that stores it. Queued again if that fails
        or is cancelled, because the loop may run again after a failure."""
        taken, is_stored = self.take(only), False
        try:
            yield taken
            is_stored = True
        finally:
            if is_stored:
                self.stored(taken)
            else:
                self.give_back(taken)

    def take(self, only: NodeId | None = None) -> WriteBatch:
        """Returns everything to be stored, or `only` the buckets of one node; buckets stay buffered until `stored` is
        called."""
        if only is not None:
            own = {key: bucket for key, bucket in self.buckets.items() if key.node == only}
            return WriteBatch(
                own, frozenset(), frozenset(), (), self.interval_meter.unsaved(), dict(self._notes)
            )
        taken = WriteBatch(
            dict(self.buckets),
            frozenset(self._recounted),
            frozenset(self._outlived),
            tuple(self.waiting),
            self.interval_meter.unsaved(),
            dict(self._notes),
        )
        self._being_stored = taken.recounted
        self._recounted, self._outlived, self.waiting = set(), set(), []
        return taken

    def give_back(self, taken: WriteBatch) -> None:
        """Queues a batch again that could not be stored."""
        self._being_stored = frozenset()
        self._recounted |= taken.recounted
        self._outlived |= taken.outlived
        self.waiting += taken.waiting

    def stored(self, taken: WriteBatch) -> None:
        """Removes the stored buckets, except of days recounted during the write: the next one replaces those."""
        again, self._being_stored = self._recounted, frozenset()
        self.interval_meter.stored(taken.intervals)
        self._notes = {name: text for name, text in self._notes.items() if taken.notes.get(name) != text}
        self.buckets = {
            key: bucket
            for key, bucket in self.buckets.items()
            if taken.buckets.get(key) != bucket or (key.node, key.day) in again
        }
        for tell in taken.waiting:
            tell()


def joined(
    found: dict[UsageKey, UsageBucket],
    more: Iterable[tuple[UsageKey, UsageBucket]],
    since: str,
    node: NodeId | None,
    account: AccountId | None,
) -> dict[UsageKey, UsageBucket]:
    """`found`, merged by maximum with `more`, limited to that day and later, one node and one account (None: all)."""
    for key, bucket in more:
        if node in {None, key.node} and account in {None, key.account} and is_since(key.day, since):
            found[key] = highest(found.get(key, EMPTY_BUCKET), bucket)
    return found


class UnsavedChanges:
    """Changes of the account registry: only the latest of each row, however long the data folder cannot be used."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, Hashable], Change] = {}
        self.further: Callable[[Change], Iterable[Change]] = lambda _change: ()
        """What is to be stored together with a change, before it is added: what other nodes are told of it."""

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, changes: Iterable[Change]) -> None:
        for change in changes:
            for each in (*self.further(change), change):
                row = row_of(each)
                if isinstance(each, EventsErased):  # it comes after what it erases
                    self._rows.pop(row, None)
                self._rows[row] = each

    def holds(self, changes: Iterable[Change]) -> bool:
        """Whether any row of these is not yet stored."""
        return any(row_of(change) in self._rows for change in changes)

    def take(self) -> tuple[Change, ...]:
        """Removes and returns all changes; the caller passes what it could not store to `give_back`."""
        taken, self._rows = tuple(self._rows.values()), {}
        return taken

    def give_back(self, taken: Iterable[Change]) -> None:
        """Queues these changes again; rows that changed meanwhile keep the newer change."""
        before = {row_of(change): change for change in taken}
        again = {row for row, change in self._rows.items() if isinstance(change, EventsErased)}
        self._rows = {**{row: before[row] for row in before if row not in again}, **self._rows}


def row_of(change: Change) -> tuple[str, Hashable]:
    """Table and key of the row that a change writes or deletes."""
    match change:
        case Objection(number) | ObjectionGone(number):
            return "contest", number
        case RuleObjection(account, version) | RuleObjectionGone(account, version):
            return "rule objection", (account, version)
        case LadderCase(number) | LadderCaseGone(number):
            return "ladder case", number
        case Notice(number) | NoticeGone(number):
            return "notice", number
        case Terms(version):
            return "terms", version
        case Appearance():
            return "appearance", APPEARANCE_ROW
        case RecordRow(kind, key) | RecordGone(kind, key):
            return "registry record", (kind, key)
        case Event(key) | EventGone(key):
            return "event", key
        case EventsErased(account, until):
            return "events of", (account, until)
        case _:
            return _row_of_account(change)


def _row_of_account(
    change: Message
    | MessageGone
    | Binding
    | Unbound
    | PassphraseHash
    | PassphraseGone
    | SavedVoucher
    | Batch
    | CardsVoid,
) -> tuple[str, Hashable]:
    match change:
        case Message(account=account) | MessageGone(account):
            return "message", account
        case Binding(mac) | Unbound(mac):
            return "binding", mac
        case PassphraseHash(account) | PassphraseGone(account):
            return "passphrase", account
        case SavedVoucher(voucher):
            return "voucher", voucher.fingerprint
        case Batch(number):
            return "batch", number
        case CardsVoid(account):
            return "cards", account

"""Usage ledger: a grow-only counter (CRDT) for each node, account and day, merged by maximum, summed over
nodes.

Holds open days only: those in a day, week or month that includes today, and the last days that the rules count. Closed days
are only in the database.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import groupby
from typing import NamedTuple

from node.accounting.intervals import Intervals
from node.accounting.meter import Baseline, Tally
from node.accounting.packed_days import Counters, PackedDays
from node.accounting.periods import DAY_UNKNOWN, is_since, periods_of
from node.units import NO_USAGE, AccountId, Bytes, NodeId, Usage


class UsageKey(NamedTuple):
    """Key of one usage bucket. Only `node` increases it. A tuple for speed: ten thousand are looked up in
    each cycle."""

    node: NodeId
    incarnation: str
    """Random name of one incarnation of the node's usage records; a restored backup starts a new one."""
    account: AccountId
    day: str
    """Local civil day, as ``2026-11-24``; `periods.DAY_UNKNOWN` while the node's clock was not set."""


@dataclass(frozen=True, slots=True)
class UsageBucket:
    """Bytes over the uplink, and how many of them while it was busy."""

    uplink: Usage
    busy: Usage


EMPTY_BUCKET = UsageBucket(NO_USAGE, NO_USAGE)
NOTHING_IS_OPEN = "~"
"""Sorts after every day: the value of `Ledger.open_since` while today's date is not known."""

type Recounts = Mapping[tuple[NodeId, str], Mapping[UsageKey, UsageBucket]]
"""By node and day: the complete usage buckets of that node on that day."""


class BucketTable:
    """Usage buckets by key, packed: most are of other nodes and of days before today, and there are many."""

    def __init__(self, buckets: Iterable[tuple[UsageKey, UsageBucket]] = ()) -> None:
        self._accounts: dict[AccountId, dict[tuple[NodeId, str], PackedDays]] = {}
        """By account, then by node and incarnation."""
        self._writers: dict[tuple[NodeId, str], tuple[NodeId, str]] = {}
        """So that all buckets of one share its name."""
        for key, bucket in buckets:
            self.put(key, bucket)

    def __bool__(self) -> bool:
        return bool(self._accounts)

    def __iter__(self) -> Iterator[tuple[UsageKey, UsageBucket]]:
        return self.items()

    def get(self, key: UsageKey) -> UsageBucket | None:
        days = self._accounts.get(key.account, _NO_DAYS).get((key.node, key.incarnation))
        counters = days.get(key.day) if days is not None else None
        return _unpacked(counters) if counters is not None else None

    def put(self, key: UsageKey, bucket: UsageBucket) -> None:
        writer = self._writers.setdefault((key.node, key.incarnation), (key.node, key.incarnation))
        of_account = self._accounts.setdefault(key.account, {})
        if writer not in of_account:
            of_account[writer] = PackedDays()
        uplink, busy = bucket.uplink, bucket.busy
        of_account[writer].put(key.day, (uplink.down, uplink.up, busy.down, busy.up))

    def load(self, rows: Iterable[tuple[UsageKey, Counters]]) -> None:
        """Put many; those of one account, node and incarnation that follow each other are packed at once."""
        for (node, incarnation, account), group in groupby(rows, key=lambda row: row[0][:3]):
            writer = self._writers.setdefault((node, incarnation), (node, incarnation))
            of_account = self._accounts.setdefault(account, {})
            days = {key.day: counters for key, counters in group}
            of_account[writer] = PackedDays({**dict(of_account.get(writer, _EMPTY).items()), **days}.items())

    def pop(self, key: UsageKey) -> UsageBucket:
        """The bucket must be there."""
        found, writer = self.get(key), (key.node, key.incarnation)
        assert found is not None, key
        of_account = self._accounts[key.account]
        of_account[writer].remove(key.day)
        if not of_account[writer]:
            del of_account[writer]
        if not of_account:
            del self._accounts[key.account]
        return found

    def items(
        self, *, node: NodeId | None = None, account: AccountId | None = None
    ) -> Iterator[tuple[UsageKey, UsageBucket]]:
        """Those of one node and one account (None: of all)."""
        # Copied first: the counter thread may add a bucket meanwhile.
        for owner in tuple(self._accounts) if account is None else (account,):
            for (writer, incarnation), days in tuple(self._accounts.get(owner, _NO_DAYS).items()):
                if node in {None, writer}:
                    for day, counters in days.items():
                        yield UsageKey(writer, incarnation, owner, day), _unpacked(counters)


_EMPTY = PackedDays()
_NO_DAYS: dict[tuple[NodeId, str], PackedDays] = {}


def _unpacked(counters: Counters) -> UsageBucket:
    down, up, busy_down, busy_up = counters
    busy = Usage(Bytes(busy_down), Bytes(busy_up)) if busy_down or busy_up else NO_USAGE
    return UsageBucket(Usage(Bytes(down), Bytes(up)), busy)


class Ledger:
    """Buckets of open days of all nodes, with a running sum for each period of the accounts that are here."""

    def __init__(self, buckets: Iterable[tuple[UsageKey, UsageBucket]] = ()) -> None:
        self._buckets = BucketTable()
        self._sums: dict[AccountId, dict[str, UsageBucket]] = {}
        """By followed account, then by period; changed by the counter thread only."""
        self.open_since = ""
        """The first open day. An unknown day is always open."""
        for key, bucket in buckets:
            self.merge(key, bucket)

    def add(self, key: UsageKey, used: Usage, *, busy: bool) -> UsageBucket:
        """Add `used` to one of this node's buckets, which must be of an open day. Returns its new value."""
        assert self.is_open(key.day), f"{key.day} is closed: what its bucket holds is not known here"
        grown, known = UsageBucket(used, used if busy else NO_USAGE), self._buckets.get(key)
        return self._grow(key, grown if known is None else plus(known, grown), grown)

    def merge(self, key: UsageKey, bucket: UsageBucket) -> UsageBucket:
        """Raise each of the four numbers of the bucket to at least that of `bucket`; never lowers one. A bucket
        of a closed day is not kept here but returned, and the database merges it."""
        if not self.is_open(key.day):
            return bucket
        known = self._buckets.get(key)
        merged = highest(known, bucket) if known is not None else bucket
        return self._grow(key, merged, difference(merged, known or EMPTY_BUCKET))

    def _grow(self, key: UsageKey, merged: UsageBucket, grown: UsageBucket) -> UsageBucket:
        if grown != EMPTY_BUCKET:
            self._buckets.put(key, merged)
            sums = self._sums.get(key.account)
            if sums is not None:
                _raise(sums, key.day, grown)
        return merged

    def recount(self, said: Recounts) -> None:
        """Replace the buckets of these nodes and days; the given ones are complete."""
        for node in {node for node, _ in said}:
            self._drop(
                key
                for key, bucket in tuple(self._buckets.items(node=node))
                if (node, key.day) in said and said[node, key.day].get(key) != bucket
            )
        for of_day in said.values():
            for key, bucket in of_day.items():
                self.merge(key, bucket)

    def bucket(self, key: UsageKey) -> UsageBucket:
        """The value of a bucket of an open day."""
        return self._buckets.get(key) or EMPTY_BUCKET

    def follow(self, accounts: Iterable[AccountId]) -> None:
        """Keep running sums of these accounts, whose totals are asked for in each cycle, and of no others."""
        self._sums = {account: self._sums.get(account) or self._summed(account) for account in accounts}

    def total(self, account: AccountId, period: str) -> UsageBucket:
        """Usage of `account` on all nodes in an open `period`: a day, ISO week or month, named as in
        `periods`."""
        sums = self._sums.get(account)
        if sums is not None:
            return sums.get(period, EMPTY_BUCKET)
        found = EMPTY_BUCKET
        for key, bucket in self._buckets.items(account=account):
            if period in periods_of(key.day):
                found = plus(found, bucket)
        return found

    def _summed(self, account: AccountId) -> dict[str, UsageBucket]:
        sums: dict[str, UsageBucket] = {}
        for key, bucket in self._buckets.items(account=account):
            _raise(sums, key.day, bucket)
        return sums

    def is_open(self, day: str) -> bool:
        return is_since(day, self.open_since)

    def open(self, since: str, buckets: Iterable[tuple[UsageKey, UsageBucket]]) -> None:
        """Open the days from `since` on; `buckets` are all their stored buckets, and a table of them may become the
        ledger's own."""
        self.open_since = since
        if isinstance(buckets, BucketTable) and not self._buckets:
            self._buckets, self._sums = buckets, {}
            return
        for key, bucket in buckets:
            self.merge(key, bucket)

    def close_before(self, day: str) -> None:
        """Close the days before `day`: their buckets leave memory."""
        if day > self.open_since:
            self.forget_before(day)
            self.open_since = day

    def buckets(self, *, node: NodeId | None = None) -> Iterator[tuple[UsageKey, UsageBucket]]:
        """Buckets of open days of one node (None: of all)."""
        return self._buckets.items(node=node)

    def forget_before(self, day: str) -> None:
        """Retention: drop days before `day` from buckets and sums; an unknown day stays."""
        self._drop(key for key, _ in self._buckets.items() if key.day != DAY_UNKNOWN and key.day < day)
        self._sums = {}

    def erase(self, account: AccountId, day: str, later: str = "") -> dict[UsageKey, UsageBucket]:
        """Drop the account's usage before `day`, and that of unknown days. What was counted in the incarnation `later`,
        which began after the erasure, becomes usage of the unknown day; its bucket is returned."""
        gone = {
            key: bucket
            for key, bucket in self._buckets.items(account=account)
            if key.day < day or key.day == DAY_UNKNOWN
        }
        self._drop(gone)
        stays = of_unknown_day((key, bucket) for key, bucket in gone.items() if key.incarnation == later)
        return {key: self.merge(key, bucket) for key, bucket in stays.items()}

    def _drop(self, keys: Iterable[UsageKey]) -> None:
        for key in keys:
            self._buckets.pop(key)
            self._sums.pop(key.account, None)


def _raise(sums: dict[str, UsageBucket], day: str, by: UsageBucket) -> None:
    """Periods with the same sum share one object: of an account that came today all have."""
    raised: list[tuple[UsageBucket, UsageBucket]] = []
    for period in periods_of(day):
        before = sums.get(period, EMPTY_BUCKET)
        after = next((after for known, after in raised if known is before), None)
        if after is None:
            after = plus(before, by)
            raised.append((before, after))
        sums[period] = after


def of_unknown_day(buckets: Iterable[tuple[UsageKey, UsageBucket]]) -> dict[UsageKey, UsageBucket]:
    """The same usage, of the unknown day."""
    found: dict[UsageKey, UsageBucket] = {}
    for key, bucket in buckets:
        at = key._replace(day=DAY_UNKNOWN)
        found[at] = plus(found.get(at, EMPTY_BUCKET), bucket)
    return found


def highest(known: UsageBucket, bucket: UsageBucket) -> UsageBucket:
    """The maximum of each of the four numbers."""
    return UsageBucket(_highest(known.uplink, bucket.uplink), _highest(known.busy, bucket.busy))


def merge_all(known: dict[UsageKey, UsageBucket], more: Iterable[tuple[UsageKey, UsageBucket]]) -> None:
    """Raise each bucket of `known` to at least that of `more`."""
    for key, bucket in more:
        known[key] = highest(known[key], bucket) if key in known else bucket


def _highest(a: Usage, b: Usage) -> Usage:
    return Usage(max(a.down, b.down), max(a.up, b.up))


def lowest(a: UsageBucket, b: UsageBucket) -> UsageBucket:
    """The minimum of each of the four numbers."""
    return UsageBucket(_lowest(a.uplink, b.uplink), _lowest(a.busy, b.busy))


def _lowest(a: Usage, b: Usage) -> Usage:
    return Usage(min(a.down, b.down), min(a.up, b.up))


def difference(a: UsageBucket, b: UsageBucket) -> UsageBucket:
    """Precondition: no number of `b` is above that of `a`."""
    return UsageBucket(_minus(a.uplink, b.uplink), _minus(a.busy, b.busy))


def _minus(a: Usage, b: Usage) -> Usage:
    return Usage(Bytes(a.down - b.down), Bytes(a.up - b.up))


def plus(a: UsageBucket, b: UsageBucket) -> UsageBucket:
    """The sum of each of the four numbers."""
    if a is EMPTY_BUCKET:
        return b
    return UsageBucket(a.uplink + b.uplink, a.busy + b.busy)


# The result of an accounting cycle that must be stored atomically.

BOOKED_DAY = "booked_day"
"""Key of the node state that holds the day of the last stored usage. Buckets of that day only are sent to
other nodes before they are stored."""


@dataclass(frozen=True, slots=True)
class Booking:
    """Usage buckets, the counter baseline they include, and node state; stored in one transaction."""

    buckets: tuple[tuple[UsageKey, UsageBucket], ...]
    baseline: Baseline | None
    """None if the baseline has not changed."""
    facts: Mapping[str, str]
    tally: Tally | None = None
    """Written to the tally file after this is stored; None if nothing was counted."""
    recounted: frozenset[tuple[NodeId, str]] = frozenset()
    """Nodes and days for which `buckets` is complete: their stored buckets are deleted first."""
    outlived: frozenset[NodeId] = frozenset()
    """Nodes whose pages of closed days are no longer kept; their oldest stored buckets may be deleted."""
    intervals: Intervals = field(default_factory=dict)
    """What is counted of these intervals so far."""


# Names for the incarnations of a node's usage records: an increasing number and a random part, so that they
# are unique.
#
# An incarnation ends when the records are lost or older than what was counted. Two incarnations can have the
# same number if the later one did not know of the earlier; the random part distinguishes them.

DIGITS_MAX = 15
MACHINE_CHARS_OF_INCARNATION = 6
"""Characters of the machine's id in the name of an incarnation that began there."""
type Rank = tuple[int, str]


def incarnation_name(number: int, chance: str) -> str:
    """Name as used in pages and usage buckets; `chance` is ASCII letters and digits."""
    return f"{number}-{chance}"


def incarnation_number(name: str) -> int:
    """0 for a name without a number."""
    digits, dash, _ = name.partition("-")
    is_number = bool(dash) and digits.isascii() and digits.isdigit() and len(digits) <= DIGITS_MAX
    return int(digits) if is_number else 0


def chance_on(machine: str, chance: str) -> str:
    """The random part of a name, which says on which machine the incarnation began; `machine` may be empty."""
    return f"m{machine[:MACHINE_CHARS_OF_INCARNATION]}-{chance[:8]}" if machine else chance


def incarnation_machine(name: str) -> str:
    """The beginning of the id of the machine on which this incarnation began; empty for a name that does not say."""
    _, _, rest = name.partition("-")
    tag, dash, _ = rest.partition("-")
    is_tag = bool(dash) and len(tag) == 1 + MACHINE_CHARS_OF_INCARNATION and tag[0] == "m"
    return tag[1:] if is_tag else ""


def incarnation_rank(name: str) -> Rank:
    """Sort key of incarnations, the same on every node."""
    return incarnation_number(name), name


# Erasures of personal data: which usage of an erased account must not be stored again.

ERASED_MAX = 10_000
"""Number of erasures kept in memory, latest first. For older ones, only the database rejects late buckets."""


@dataclass(frozen=True, slots=True)
class ErasureNote:
    """Kept as long as a bucket from before the erasure could still arrive from another node or from a
    copy."""

    account: AccountId
    until_day: str
    """The day of the erasure."""
    is_over: bool = False
    """Whether the month of the erasure is over. Until then its days stay, because other people's shares
    depend on them."""

    @property
    def kept_since(self) -> str:
        """The first day whose usage is kept."""
        if self.is_over:
            return (date.fromisoformat(self.until_day) + timedelta(days=1)).isoformat()
        return f"{self.until_day[:7]}-01"

    def bars(self, day: str) -> bool:
        """Whether usage of this day is rejected. Usage counted here on an unknown day is kept."""
        return day != DAY_UNKNOWN and day < self.kept_since

    def bars_late(self, day: str) -> bool:
        """Whether a bucket of this day from another node is rejected. That of an unknown day is, because it
        may be from before the erasure."""
        return day == DAY_UNKNOWN or day < self.kept_since


class ErasureNotes:
    """The erasures that are in memory, by account, the latest last."""

    def __init__(self) -> None:
        self._notes: dict[AccountId, ErasureNote] = {}

    def __iter__(self) -> Iterator[ErasureNote]:
        return iter(self._notes.values())

    def take(self, note: ErasureNote) -> None:
        self._notes.pop(note.account, None)
        self._notes[note.account] = note
        if len(self._notes) > ERASED_MAX:
            del self._notes[next(iter(self._notes))]

    def requested(self, account: AccountId, day: str) -> ErasureNote:
        """The note that an erasure on this day leads to. One of a later day is known if the clock was set back since; it
        stays in force, as in the database."""
        known = self._notes.get(account)
        return known if known is not None and known.until_day >= day else ErasureNote(account, day)

    def is_known(self, account: AccountId, day: str) -> bool:
        """Whether an erasure on this day changes nothing."""
        known = self._notes.get(account)
        return known is not None and known.until_day >= day

    def forget_before(self, day: str) -> None:
        self._notes = {note.account: note for note in self if note.until_day >= day}

    def bars(self, account: AccountId, day: str) -> bool:
        """As `ErasureNote.bars`, for usage that was counted here."""
        note = self._notes.get(account)
        return note is not None and note.bars(day)

    def bars_late(self, key: UsageKey) -> bool:
        """As `ErasureNote.bars_late`, for a usage bucket from another node."""
        note = self._notes.get(key.account)
        return note is not None and note.bars_late(key.day)

    def undated(self, accounts: Iterable[AccountId], day: str) -> frozenset[AccountId]:
        """Those of these accounts that were erased on a later day: usage of `day` is not stored again, so the clock was
        wrong then or is wrong now, and what is counted now is of an unknown day."""
        return frozenset(account for account in accounts if self.bars(account, day))

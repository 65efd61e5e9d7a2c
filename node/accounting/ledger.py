"""Usage ledger: a grow-only counter (CRDT) for each node, account and day, merged by maximum, summed over
nodes.

Holds open days only: those in a day, week or month that includes today. Closed days are only in the database.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

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


class Ledger:
    """Buckets of open days of all nodes, with a running sum for each account and period."""

    def __init__(self, cells: Iterable[tuple[UsageKey, UsageBucket]] = ()) -> None:
        self._cells: dict[UsageKey, UsageBucket] = {}
        self._sums: dict[str, dict[AccountId, UsageBucket]] = {}
        """By period, then by account."""
        self.open_since = ""
        """The first open day. An unknown day is always open."""
        for key, cell in cells:
            self.merge(key, cell)

    def add(self, key: UsageKey, used: Usage, *, busy: bool) -> UsageBucket:
        """Add `used` to one of this node's buckets, which must be of an open day. Returns its new value."""
        assert self.is_open(key.day), f"{key.day} is closed: what its cell holds is not known here"
        return self.merge(
            key, _plus(self._cells.get(key, EMPTY_BUCKET), UsageBucket(used, used if busy else NO_USAGE))
        )

    def merge(self, key: UsageKey, cell: UsageBucket) -> UsageBucket:
        """Raise each of the four numbers of the bucket to at least that of `cell`; never lowers one. A bucket
        of a closed day is not kept here but returned, and the database merges it."""
        if not self.is_open(key.day):
            return cell
        known = self._cells.get(key, EMPTY_BUCKET)
        merged = highest(known, cell) if known is not EMPTY_BUCKET else cell
        if merged == known:
            return known
        self._cells[key] = merged
        # To save memory, bucket and sum share one object if they are equal, as most are.
        grown = merged if known is EMPTY_BUCKET else _difference(merged, known)
        for period in periods_of(key.day):
            sums = self._sums.setdefault(period, {})
            before = sums.get(key.account)
            sums[key.account] = grown if before is None else _plus(before, grown)
        return merged

    def recount(self, said: Mapping[tuple[NodeId, str], Mapping[UsageKey, UsageBucket]]) -> None:
        """Replace the buckets of these nodes and days; the given ones are complete."""
        cells = tuple(self._cells.items())
        gone = [
            key
            for key, cell in cells
            if (key.node, key.day) in said and said[key.node, key.day].get(key) != cell
        ]
        self._drop(gone)
        for of_day in said.values():
            for key, cell in of_day.items():
                self.merge(key, cell)

    def total(self, account: AccountId, period: str) -> UsageBucket:
        """Usage of `account` on all nodes in an open `period`: a day, ISO week or month, named as in
        `periods`."""
        return self._sums.get(period, {}).get(account, EMPTY_BUCKET)

    def is_open(self, day: str) -> bool:
        return is_since(day, self.open_since)

    def open(self, since: str, cells: Iterable[tuple[UsageKey, UsageBucket]]) -> None:
        """Open the days from `since` on; `cells` are all their stored buckets."""
        self.open_since = since
        for key, cell in cells:
            self.merge(key, cell)

    def close_before(self, day: str) -> None:
        """Close the days before `day`: their buckets leave memory."""
        if day > self.open_since:
            self.forget_before(day)
            self.open_since = day

    def cells(self) -> Iterator[tuple[UsageKey, UsageBucket]]:
        """Buckets of open days of all nodes."""
        # Copied first: the counter thread may add a bucket meanwhile.
        return iter(tuple(self._cells.items()))

    def forget_before(self, day: str) -> None:
        """Retention: drop days before `day` from buckets and sums; an unknown day stays."""
        self._drop([key for key in tuple(self._cells) if key.day != DAY_UNKNOWN and key.day < day])

    def erase(self, account: AccountId, day: str) -> None:
        """Drop the account's usage before `day`, and that of unknown days."""
        self._drop(
            [k for k in tuple(self._cells) if k.account == account and (k.day < day or k.day == DAY_UNKNOWN)]
        )

    def _drop(self, keys: Iterable[UsageKey]) -> None:
        for key in keys:
            cell = self._cells.pop(key)
            for period in periods_of(key.day):
                sums = self._sums[period]
                rest = _difference(sums[key.account], cell)
                if rest != EMPTY_BUCKET:
                    sums[key.account] = rest
                    continue
                del sums[key.account]
                if not sums:
                    del self._sums[period]


def highest(known: UsageBucket, cell: UsageBucket) -> UsageBucket:
    """The maximum of each of the four numbers."""
    return UsageBucket(_highest(known.uplink, cell.uplink), _highest(known.busy, cell.busy))


def _highest(a: Usage, b: Usage) -> Usage:
    return Usage(max(a.down, b.down), max(a.up, b.up))


def _difference(a: UsageBucket, b: UsageBucket) -> UsageBucket:
    return UsageBucket(_minus(a.uplink, b.uplink), _minus(a.busy, b.busy))


def _minus(a: Usage, b: Usage) -> Usage:
    return Usage(Bytes(a.down - b.down), Bytes(a.up - b.up))


def _plus(a: UsageBucket, b: UsageBucket) -> UsageBucket:
    return UsageBucket(a.uplink + b.uplink, a.busy + b.busy)

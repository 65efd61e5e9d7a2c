"""Usage cells that only grow, merged by maximum, summed for the total (a grow-only counter per node and day).

Only cells of open days are here: those that a period of today counts. Closed days are in the database alone.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from node.accounting.periods import DAY_UNKNOWN, is_since, periods_of
from node.units import NO_USAGE, AccountId, Bytes, NodeId, Usage


class UsageKey(NamedTuple):
    """One writer, one account, one day: only `node` ever raises this cell. A tuple, because ten thousand of them are
    looked up in every turn of the loop."""

    node: NodeId
    incarnation: str
    """Random name of one life of that node's books; a restored backup starts a new one."""
    account: AccountId
    day: str
    """Local civil day as ``2026-11-24``, or `periods.DAY_UNKNOWN` while the node had no clock."""


@dataclass(frozen=True, slots=True)
class UsageBucket:
    """What crossed the uplink, and the part of it that crossed while the uplink was busy."""

    uplink: Usage
    busy: Usage


EMPTY_BUCKET = UsageBucket(NO_USAGE, NO_USAGE)


NOTHING_IS_OPEN = "~"
"""Sorts after every day: what `Ledger.open_since` is while it is not known which day is today."""


class Ledger:
    """All cells of open days, of all nodes, with sums for each account and period kept as they change."""

    def __init__(self, cells: Iterable[tuple[UsageKey, UsageBucket]] = ()) -> None:
        self._cells: dict[UsageKey, UsageBucket] = {}
        self._sums: dict[str, dict[AccountId, UsageBucket]] = {}
        """By period and account."""
        self.open_since = ""
        """The first open day; bytes of an unknown day are always open."""
        for key, cell in cells:
            self.merge(key, cell)

    def add(self, key: UsageKey, used: Usage, *, busy: bool) -> UsageBucket:
        """Book `used` in our own cell, of an open day, and return its new value."""
        assert self.is_open(key.day), f"{key.day} is closed: what its cell holds is not known here"
        return self.merge(
            key, _plus(self._cells.get(key, EMPTY_BUCKET), UsageBucket(used, used if busy else NO_USAGE))
        )

    def merge(self, key: UsageKey, cell: UsageBucket) -> UsageBucket:
        """Raise the cell to at least `cell` in each of its four numbers; a lower number changes nothing. A cell of a
        closed day is not kept: what is returned is to be merged where it is stored."""
        if not self.is_open(key.day):
            return cell
        known = self._cells.get(key, EMPTY_BUCKET)
        merged = highest(known, cell) if known is not EMPTY_BUCKET else cell
        if merged == known:
            return known
        self._cells[key] = merged
        # One object where a cell is all of its sum: most are, and memory is short.
        grown = merged if known is EMPTY_BUCKET else _difference(merged, known)
        for period in periods_of(key.day):
            sums = self._sums.setdefault(period, {})
            before = sums.get(key.account)
            sums[key.account] = grown if before is None else _plus(before, grown)
        return merged

    def recount(self, said: Mapping[tuple[NodeId, str], Mapping[UsageKey, UsageBucket]]) -> None:
        """By node and day: these cells are all that there are of it, with these numbers."""
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
        """What `account` used on all nodes in `period` (a day, an ISO week or a month as in `periods`) that is open."""
        return self._sums.get(period, {}).get(account, EMPTY_BUCKET)

    def is_open(self, day: str) -> bool:
        return is_since(day, self.open_since)

    def open(self, since: str, cells: Iterable[tuple[UsageKey, UsageBucket]]) -> None:
        """Days from `since` on are open from now on; `cells` is all that is stored of them."""
        self.open_since = since
        for key, cell in cells:
            self.merge(key, cell)

    def close_before(self, day: str) -> None:
        """Days before `day` are closed: their cells leave memory."""
        if day > self.open_since:
            self.forget_before(day)
            self.open_since = day

    def cells(self) -> Iterator[tuple[UsageKey, UsageBucket]]:
        """Everything of open days, of all nodes."""
        return iter(tuple(self._cells.items()))

    def forget_before(self, day: str) -> None:
        """Retention: days before `day` go, with their sums; an unknown day stays."""
        self._drop([key for key in tuple(self._cells) if key.day != DAY_UNKNOWN and key.day < day])

    def erase(self, account: AccountId, day: str) -> None:
        """What the account used before `day`, and on days that are not known."""
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

    def cells_of(self, node: NodeId) -> Iterator[tuple[UsageKey, UsageBucket]]:
        """The cells that only this node writes, in all lives of its books."""
        # A copy first: the reading thread may add a cell meanwhile.
        cells = tuple(self._cells.items())
        return ((key, cell) for key, cell in cells if key.node == node)


def highest(known: UsageBucket, cell: UsageBucket) -> UsageBucket:
    """Of each of the four numbers the greater."""
    return UsageBucket(_highest(known.uplink, cell.uplink), _highest(known.busy, cell.busy))


def _highest(a: Usage, b: Usage) -> Usage:
    return Usage(max(a.down, b.down), max(a.up, b.up))


def _difference(a: UsageBucket, b: UsageBucket) -> UsageBucket:
    return UsageBucket(_minus(a.uplink, b.uplink), _minus(a.busy, b.busy))


def _minus(a: Usage, b: Usage) -> Usage:
    return Usage(Bytes(a.down - b.down), Bytes(a.up - b.up))


def _plus(a: UsageBucket, b: UsageBucket) -> UsageBucket:
    return UsageBucket(a.uplink + b.uplink, a.busy + b.busy)

"""Books one reading of the kernel's counters: a pure function from a reading to usage deltas."""

from collections.abc import Callable, Collection, Container, Iterator, Mapping
from dataclasses import dataclass, field

from node.accounting.ledger import Ledger, UsageBucket, UsageKey
from node.accounting.meter import Baseline, Reading, baseline, deltas
from node.accounting.periods import DAY_UNKNOWN
from node.units import NO_USAGE, AccountId, NodeId, Usage

NOTHING_METERED: Mapping[AccountId, Usage] = {}


@dataclass(frozen=True, slots=True)
class LedgerWriter:
    """Identifies the usage buckets that this node writes: its id and its incarnation."""

    node: NodeId
    incarnation: str


@dataclass(frozen=True, slots=True)
class UsageDelta:
    """Usage since the last reading (RFC 2866, Acct-Input-Octets)."""

    baseline: Baseline
    day: str
    by_account: Mapping[AccountId, Usage]
    by_mark: Mapping[int, Usage]
    changed: Mapping[UsageKey, UsageBucket]
    total: Usage
    metered: Mapping[AccountId, Usage] = field(default_factory=dict)
    """What gateways counted, which did not pass this node's uplink; not in the fields above, except in `changed`."""

    @property
    def of_accounts(self) -> Mapping[AccountId, Usage]:
        """All usage, over the uplink and at gateways."""
        if not self.metered:
            return self.by_account
        return dict(_sums(self.by_account, self.metered))


def book(
    ledger: Ledger,
    reading: Reading,
    before: Baseline | None,
    account_of: Callable[[int], AccountId | None],
    *,
    writer: LedgerWriter,
    day: str,
    busy: bool,
    undated: Container[AccountId] = (),
    metered: Mapping[AccountId, Usage] = NOTHING_METERED,
) -> UsageDelta:
    """Adds the usage since `before`, and what gateways `metered`, to this node's buckets of the day; that of `undated`
    accounts, to those of the unknown day. Bytes of an unknown ct mark stay unbooked: its session may have begun during the
    reading, and then the next reading books them."""
    used, by_account, unknown = dict(deltas(before, reading)), dict[AccountId, Usage](), []
    for mark, usage in used.items():
        account = account_of(mark)
        if account is None:
            unknown.append(mark)
        else:
            by_account[account] = by_account.get(account, NO_USAGE) + usage
    for mark in unknown:
        del used[mark]
    changed = {}
    total = NO_USAGE
    for account, usage in by_account.items():
        key = UsageKey(writer.node, writer.incarnation, account, DAY_UNKNOWN if account in undated else day)
        changed[key] = ledger.add(key, usage, busy=busy)
        total += usage
    for account, usage in metered.items():
        key = UsageKey(writer.node, writer.incarnation, account, DAY_UNKNOWN if account in undated else day)
        changed[key] = ledger.add(key, usage, busy=False)
    up_to = _booked_up_to(before, reading, unknown)
    return UsageDelta(up_to, day, by_account, used, changed, total, metered)


def _sums(
    one: Mapping[AccountId, Usage], other: Mapping[AccountId, Usage]
) -> Iterator[tuple[AccountId, Usage]]:
    for account in one.keys() | other.keys():
        yield account, one.get(account, NO_USAGE) + other.get(account, NO_USAGE)


def _booked_up_to(before: Baseline | None, reading: Reading, unknown: Collection[int]) -> Baseline:
    """As `baseline`, but unknown marks keep the value up to which they were booked before."""
    if not unknown:
        return baseline(reading)
    known = before.booked if before is not None and before.counters_id == reading.counters_id else {}
    kept = {mark: known[mark] for mark in unknown if mark in known}
    counted = {mark: usage for mark, usage in reading.counted.items() if mark not in unknown}
    return Baseline(reading.counters_id, counted | kept)

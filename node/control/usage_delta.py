"""One reading, booked: the pure middle of the loop between the kernel's counters and the rules."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from node.accounting.ledger import Ledger, UsageBucket, UsageKey
from node.accounting.meter import Baseline, Reading, baseline, deltas
from node.units import NO_USAGE, AccountId, NodeId, Usage


@dataclass(frozen=True, slots=True)
class LedgerWriter:
    """Whose cells we raise: this node, in this life of its books."""

    node: NodeId
    incarnation: str


@dataclass(frozen=True, slots=True)
class UsageDelta:
    """What one reading came to."""

    baseline: Baseline
    day: str
    by_account: Mapping[AccountId, Usage]
    by_mark: Mapping[int, Usage]
    changed: Mapping[UsageKey, UsageBucket]
    total: Usage


def book(
    ledger: Ledger,
    reading: Reading,
    before: Baseline | None,
    account_of: Callable[[int], AccountId | None],
    *,
    writer: LedgerWriter,
    day: str,
    busy: bool,
) -> UsageDelta:
    """Add what was used since `before` to our cells. Bytes of a mark that belongs to nobody known stay unbooked: its
    session may have begun while the counters were being read, and then the next reading books them."""
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
        key = UsageKey(writer.node, writer.incarnation, account, day)
        changed[key] = ledger.add(key, usage, busy=busy)
        total += usage
    return UsageDelta(_booked_up_to(before, reading, unknown), day, by_account, used, changed, total)


def _booked_up_to(before: Baseline | None, reading: Reading, unknown: Collection[int]) -> Baseline:
    """As `baseline`, but with what was booked before of the marks that are unknown."""
    if not unknown:
        return baseline(reading)
    known = before.booked if before is not None and before.counters_id == reading.counters_id else {}
    kept = {mark: known[mark] for mark in unknown if mark in known}
    counted = {mark: usage for mark, usage in reading.counted.items() if mark not in unknown}
    return Baseline(reading.counters_id, counted | kept)

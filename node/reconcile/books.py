"""One reading, booked: the pure middle of the loop between the kernel's counters and the rules."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from node.accounting.ledger import Cell, CellKey, Ledger
from node.accounting.meter import Baseline, Reading, baseline, deltas
from node.units import NO_RATES, NO_USAGE, AccountId, BitsPerSecond, NodeId, Rates, Usage


@dataclass(frozen=True, slots=True)
class Writer:
    """Whose cells we raise: this node, in this life of its books."""

    node: NodeId
    incarnation: str


@dataclass(frozen=True, slots=True)
class Booked:
    """What one reading came to."""

    baseline: Baseline
    day: str
    by_account: Mapping[AccountId, Usage]
    by_mark: Mapping[int, Usage]
    changed: Mapping[CellKey, Cell]
    total: Usage


def book(
    ledger: Ledger,
    reading: Reading,
    before: Baseline | None,
    account_of: Callable[[int], AccountId | None],
    *,
    writer: Writer,
    day: str,
    busy: bool,
) -> Booked:
    """Add what was used since `before` to our cells. Bytes of a mark that belongs to nobody known are dropped."""
    used = deltas(before, reading)
    by_account: dict[AccountId, Usage] = {}
    for mark, usage in used.items():
        account = account_of(mark)
        if account is not None:
            by_account[account] = by_account.get(account, NO_USAGE) + usage
    changed = {}
    total = NO_USAGE
    for account, usage in by_account.items():
        key = CellKey(writer.node, writer.incarnation, account, day)
        changed[key] = ledger.add(key, usage, busy=busy)
        total += usage
    return Booked(baseline(reading), day, by_account, used, changed, total)


def rates(used: Mapping[AccountId, Usage], elapsed_ms: int) -> dict[AccountId, Rates]:
    """Mean rate of each account over the last `elapsed_ms`."""
    return {account: rate(usage, elapsed_ms) for account, usage in used.items()}


def rate(usage: Usage, elapsed_ms: int) -> Rates:
    if elapsed_ms <= 0:
        return NO_RATES
    return Rates(BitsPerSecond(usage.down * 8000 // elapsed_ms), BitsPerSecond(usage.up * 8000 // elapsed_ms))

"""Mean rates of accounts, devices and the uplink, in bits per second, over intervals long enough to be meaningful;
and whether the uplink is busy."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from node.control.usage_booking import UsageDelta
from node.governance.rules import DEFAULT_BUSY_THRESHOLDS, BusyThresholds
from node.units import NO_RATES, NO_USAGE, AccountId, BitsPerSecond, Monotonic, Rates, Usage

RATES_OVER_MS = 500
"""Shortest interval: readings can follow each other at once, and over a few milliseconds
a full uplink may look idle."""


@dataclass(frozen=True, slots=True)
class Unrated:
    """Usage since rates were last computed."""

    by_account: Mapping[AccountId, Usage] = field(default_factory=dict)
    by_mark: Mapping[int, Usage] = field(default_factory=dict)
    total: Usage = NO_USAGE

    def plus(self, booked: UsageDelta) -> "Unrated":
        return Unrated(
            _sum(self.by_account, booked.by_account),
            _sum(self.by_mark, booked.by_mark),
            self.total + booked.total,
        )


@dataclass(frozen=True, slots=True)
class MeanRates:
    by_account: Mapping[AccountId, Rates]
    by_mark: Mapping[int, Rates]
    uplink: Rates


def mean_rates(used: Unrated, elapsed_ms: int) -> MeanRates | None:
    """None when `elapsed_ms` is too short; that usage then counts with the next reading."""
    if elapsed_ms < RATES_OVER_MS:
        return None
    return MeanRates(
        {account: _rate(usage, elapsed_ms) for account, usage in used.by_account.items()},
        {mark: _rate(usage, elapsed_ms) for mark, usage in used.by_mark.items()},
        _rate(used.total, elapsed_ms),
    )


def _rate(usage: Usage, elapsed_ms: int) -> Rates:
    return Rates(BitsPerSecond(usage.down * 8000 // elapsed_ms), BitsPerSecond(usage.up * 8000 // elapsed_ms))


def _sum[K](one: Mapping[K, Usage], other: Mapping[K, Usage]) -> dict[K, Usage]:
    return {key: one.get(key, NO_USAGE) + other.get(key, NO_USAGE) for key in one.keys() | other.keys()}


# Congestion state of the uplink: busy after some time above a threshold, until it has been below a lower one (RFC 6057).
#
# Rules may lower ceilings while the uplink is busy. With these its rate alone would say that it is not busy any more, they
# would be lifted, and it would fill again, over and over. So an account at such a ceiling counts with what it used before.

AT_CEILING_PERMILLE = 900
"""An account that uses so much of its ceiling may want more."""
MEAN_OF_READINGS = 32
"""Readings, about a second each, over which the rates of accounts before the uplink was busy are averaged."""


@dataclass(frozen=True, slots=True)
class BusyCeiling:
    """A ceiling that holds only while the uplink is busy, of one account or of several together; an account can have one of
    its own and one of its pool."""

    ceiling: Rates
    accounts: frozenset[AccountId]


@dataclass(frozen=True, slots=True)
class UplinkLoad:
    """Whether the uplink is busy, and since when its rate has been above or below the threshold that changes that."""

    busy: bool = False
    since: Monotonic | None = None
    before: Mapping[AccountId, Rates] = field(default_factory=dict)
    """Mean rates of the accounts that used it while its rate was high, before it counted as busy."""


def step(
    load: UplinkLoad,
    measured: MeanRates,
    capacity: Rates | None,
    now: Monotonic,
    *,
    thresholds: BusyThresholds = DEFAULT_BUSY_THRESHOLDS,
    ceilings: Iterable[BusyCeiling] = (),
) -> UplinkLoad:
    """State after one more measurement. An uplink without a configured capacity is never busy. `ceilings`: those that hold
    now because it is busy."""
    if capacity is None:
        return UplinkLoad()
    if load.busy:
        used = _permille(_without(ceilings, measured, load.before), capacity)
        if used >= thresholds.below:
            return load if load.since is None else replace(load, since=None)
        since = now if load.since is None else load.since
        return UplinkLoad() if now - since >= thresholds.ends_after else replace(load, since=since)
    if _permille(measured.uplink, capacity) < thresholds.above:
        return UplinkLoad()
    before = measured.by_account if load.since is None else _mean(load.before, measured.by_account)
    since = now if load.since is None else load.since
    is_busy = now - since >= thresholds.after
    return UplinkLoad(is_busy, None if is_busy else since, before)


def _permille(rate: Rates, capacity: Rates) -> int:
    return max(rate.down * 1000 // max(1, capacity.down), rate.up * 1000 // max(1, capacity.up))


def _without(
    ceilings: Iterable[BusyCeiling], measured: MeanRates, before: Mapping[AccountId, Rates]
) -> Rates:
    """About the rate of the uplink without these ceilings: accounts that are at one use what they used before."""
    down, up = measured.uplink.down, measured.uplink.up
    # Those of pools first: who is at the ceiling of the pool does not count again for an own ceiling.
    counted_down, counted_up = set[AccountId](), set[AccountId]()
    for each in sorted(ceilings, key=lambda each: -len(each.accounts)):
        now, then = _together(measured.by_account, each.accounts), _together(before, each.accounts)
        if counted_down.isdisjoint(each.accounts) and _is_at(now.down, each.ceiling.down):
            down = BitsPerSecond(down + max(0, then.down - now.down))
            counted_down |= each.accounts
        if counted_up.isdisjoint(each.accounts) and _is_at(now.up, each.ceiling.up):
            up = BitsPerSecond(up + max(0, then.up - now.up))
            counted_up |= each.accounts
    return Rates(down, up)


def is_at_ceiling(rates: Rates, ceiling: Rates) -> bool:
    """In either direction."""
    return (rates.down > 0 and _is_at(rates.down, ceiling.down)) or (
        rates.up > 0 and _is_at(rates.up, ceiling.up)
    )


def _is_at(rate: BitsPerSecond, ceiling: BitsPerSecond) -> bool:
    return rate * 1000 >= ceiling * AT_CEILING_PERMILLE


def _together(by_account: Mapping[AccountId, Rates], accounts: Iterable[AccountId]) -> Rates:
    rates = [by_account[account] for account in accounts if account in by_account]
    return Rates(BitsPerSecond(sum(r.down for r in rates)), BitsPerSecond(sum(r.up for r in rates)))


def _mean(before: Mapping[AccountId, Rates], now: Mapping[AccountId, Rates]) -> dict[AccountId, Rates]:
    """Exponentially weighted means with one more reading; of accounts that are gone nothing stays in the end."""
    means = {}
    for account in before.keys() | now.keys():
        old, new = before.get(account, NO_RATES), now.get(account, NO_RATES)
        mean = Rates(_moved(old.down, new.down), _moved(old.up, new.up))
        if mean != NO_RATES:
            means[account] = mean
    return means


def _moved(mean: BitsPerSecond, value: BitsPerSecond) -> BitsPerSecond:
    return BitsPerSecond(mean + (value - mean) // MEAN_OF_READINGS)

"""Mean rates of accounts, devices and the uplink, in bits per second, over intervals long enough to be meaningful;
and whether the uplink is busy."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from node.control.usage_booking import UsageDelta
from node.units import NO_USAGE, AccountId, BitsPerSecond, Monotonic, Rates, Usage

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


# Congestion state of the uplink: busy after some minutes above a threshold, until it falls below a lower one
# (RFC 6057).

BUSY_ABOVE_PERMILLE, QUIET_BELOW_PERMILLE = 800, 600
BUSY_AFTER_MS = 5 * 60_000


@dataclass(frozen=True, slots=True)
class UplinkLoad:
    """Whether the uplink is busy, and since when its rate has been above the threshold."""

    busy: bool = False
    high_since: Monotonic | None = None


def step(load: UplinkLoad, rate: Rates, capacity: Rates | None, now: Monotonic) -> UplinkLoad:
    """State after one more measurement. An uplink without a configured capacity is never busy."""
    if capacity is None:
        return UplinkLoad()
    permille = max(rate.down * 1000 // max(1, capacity.down), rate.up * 1000 // max(1, capacity.up))
    if load.busy:
        return load if permille >= QUIET_BELOW_PERMILLE else UplinkLoad()
    if permille < BUSY_ABOVE_PERMILLE:
        return UplinkLoad()
    since = load.high_since if load.high_since is not None else now
    return UplinkLoad(busy=now - since >= BUSY_AFTER_MS, high_since=since)

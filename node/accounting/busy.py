"""Congestion state of the uplink: busy after some minutes above a threshold, until it falls below a lower one
(RFC 6057)."""

from dataclasses import dataclass

from node.units import Monotonic, Rates

BUSY_ABOVE_PERMILLE = 800
QUIET_BELOW_PERMILLE = 600
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

"""When the uplink counts as busy: long enough above one mark, until it falls below a lower one (as in RFC 6057)."""

from dataclasses import dataclass

from node.units import Monotonic, Rates

BUSY_ABOVE_PERMILLE = 800
QUIET_BELOW_PERMILLE = 600
BUSY_AFTER_MS = 5 * 60_000


@dataclass(frozen=True, slots=True)
class UplinkLoad:
    """Busy or not, and since when the uplink has been above the mark without yet being busy."""

    busy: bool = False
    high_since: Monotonic | None = None


def step(load: UplinkLoad, rate: Rates, capacity: Rates | None, now: Monotonic) -> UplinkLoad:
    """The load after one more measurement; an uplink whose capacity nobody stated is never busy."""
    if capacity is None:
        return UplinkLoad()
    permille = max(rate.down * 1000 // max(1, capacity.down), rate.up * 1000 // max(1, capacity.up))
    if load.busy:
        return load if permille >= QUIET_BELOW_PERMILLE else UplinkLoad()
    if permille < BUSY_ABOVE_PERMILLE:
        return UplinkLoad()
    since = load.high_since if load.high_since is not None else now
    return UplinkLoad(busy=now - since >= BUSY_AFTER_MS, high_since=since)

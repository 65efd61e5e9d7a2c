"""How much an account can use beyond its allowance because nodes hear of each other's usage a moment later. Pure."""

from dataclasses import dataclass
from functools import reduce

from node.governance.allowance import Allowance
from node.units import BitsPerSecond, Bytes, Rates, lowest, show_rate, show_volume

SPREAD_S = 15
"""Until usage is known at all nodes: the bound of `deploy/bench mesh`, 99 of 100 in a community of 200 nodes."""


@dataclass(frozen=True, slots=True)
class Overspending:
    """The most that can be used at one other node after the allowance is used up here: rate times time."""

    rate: BitsPerSecond
    """Both directions together."""
    seconds: int
    bytes: Bytes

    @property
    def sentence(self) -> str:
        product = f"{show_rate(self.rate)} x {self.seconds} s = {show_volume(self.bytes)}"
        return f" Each other node hears within {self.seconds} s that it is used up, and lets at most {product} more pass."


def overspending(allowance: Allowance, line: Rates | None) -> Overspending | None:
    """None for an account without an open allowance, or where nothing limits its rate. `line`: what this node's uplink
    carries; that of another node may be faster."""
    if not any(quota.left and not quota.is_alert for quota in allowance.quotas):
        return None
    tops = [each.value for each in (allowance.ceiling, allowance.pool_ceiling) if each is not None]
    tops += [] if line is None else [line]
    if not tops:
        return None
    rates = reduce(lowest, tops)
    rate = BitsPerSecond(rates.down + rates.up)
    return Overspending(rate, SPREAD_S, Bytes(rate * SPREAD_S // 8))

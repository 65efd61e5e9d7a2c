"""How fast an openNDS router lets an account go: what the rules say, in the one number that the router keeps."""

from dataclasses import dataclass

from node.app.gateway_service import used_up
from node.governance.allowance import Allowance
from node.units import BitsPerSecond, Rates, highest

SLOWEST = Rates(BitsPerSecond(64_000), BitsPerSecond(64_000))
"""Of a person whose quota is used up."""


@dataclass(frozen=True, slots=True)
class DownwardLimit:
    """The ceiling of one account towards it."""

    bits_s: int | None
    is_slowed: bool
    """A quota is used up, so it is the lowest rate that the rules guarantee."""


def downward_limit(allowance: Allowance) -> DownwardLimit:
    """What the router is to keep now."""
    is_slowed = used_up(allowance.quotas) is not None
    return DownwardLimit(_slow(allowance) if is_slowed else _ceiling(allowance), is_slowed)


def _ceiling(allowance: Allowance) -> int | None:
    """The lowest ceiling that holds for the account."""
    bounds = (allowance.ceiling, allowance.pool_ceiling)
    return min((bound.value.down for bound in bounds if bound is not None), default=None)


def _slow(allowance: Allowance) -> int:
    """The ceiling that a used-up quota sets. Where it sets none, what the rules guarantee, and never nothing."""
    over = frozenset(quota.rule for quota in allowance.quotas if not quota.is_alert and quota.left == 0)
    ceiling = allowance.ceiling
    if ceiling is not None and ceiling.is_by(over):
        return ceiling.value.down
    guaranteed = highest(highest(allowance.floor.value, allowance.lifeline), SLOWEST).down
    return min(guaranteed, _ceiling(allowance) or guaranteed)

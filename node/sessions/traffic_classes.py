"""Turns the allowances of the authorized accounts into traffic classes (tc(8))."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce

from node.enforcement.htb_classes import ALL_GUARANTEED, GuaranteedParts
from node.enforcement.plan import IDLE_MINOR, NO_LIMIT, ShapedClass
from node.governance.allowance import Allowance
from node.governance.burst import Burst, highest_burst
from node.units import NO_RATES, POOL_PREFIX, AccountId, BitsPerSecond, Rates, highest

NO_FLOOR = NO_RATES
UNLIMITED = Rates(NO_LIMIT, NO_LIMIT)


def pool_account(rule: str) -> AccountId:
    """The account name that stands for a pool's own class."""
    return AccountId(POOL_PREFIX + rule)


@dataclass(slots=True)
class _Pool:
    """A pool's own class, summed up over its members in any order."""

    floor: Rates = NO_FLOOR
    ceiling: Rates = NO_FLOOR
    weight: int = 1
    lifeline: Rates = NO_FLOOR
    """Lifeline of all guests together, or of one household."""
    burst: Burst | None = None
    """Above `ceiling`."""
    own: Rates = NO_FLOOR
    """Sum of the floors that its members are each guaranteed."""
    seen: set[int] = field(default_factory=set)
    """Ids of the allowances already counted: accounts with equal rights share one object."""

    def take(self, allowance: Allowance, own: Rates) -> None:
        self.own = Rates(BitsPerSecond(self.own.down + own.down), BitsPerSecond(self.own.up + own.up))
        if id(allowance) in self.seen:
            return
        self.seen.add(id(allowance))
        self.floor = highest(self.floor, allowance.floor.value)
        self.weight = max(self.weight, allowance.share.value)
        top = UNLIMITED if allowance.pool_ceiling is None else allowance.pool_ceiling.value
        if self.burst or allowance.pool_burst:
            self.burst = highest_burst((self.ceiling, self.burst), (top, allowance.pool_burst))
        self.ceiling = highest(self.ceiling, top)
        self.lifeline = highest(self.lifeline, allowance.lifeline)

    def shaped(self, minor: int, *, shared: bool) -> ShapedClass:
        """The class is never smaller than its members' own floors together: the member directory may have grown
        since the rules were adopted."""
        ceiling, lifeline = highest(self.ceiling, self.own), highest(self.lifeline, self.own)
        if not shared:
            return ShapedClass(minor, None, NO_FLOOR, ceiling, self.weight, burst=self.burst)
        floor = highest(self.floor, self.own)
        return ShapedClass(minor, None, floor, ceiling, self.weight, lifeline, self.burst)


def shaped_classes(
    allowances: Iterable[tuple[AccountId, Allowance]], minors: Mapping[AccountId, int], *, shared: bool
) -> dict[int, ShapedClass]:
    """A class for each account, by class id. Accounts that share a pool are children of the pool's class, each with its
    own lifeline. When the uplink is not shared out (`shared` is false), only accounts with a ceiling get a class."""
    classes: dict[int, ShapedClass] = {}
    found: dict[int, _Pool] = {}
    for account, allowance in allowances:
        ceiling = allowance.ceiling.value if allowance.ceiling is not None else UNLIMITED
        minor, burst = minors[account], allowance.burst
        if allowance.pool is not None and (shared or allowance.pool_ceiling is not None):
            above = minors[pool_account(allowance.pool)]
            own = allowance.own_floor.value if allowance.own_floor is not None else NO_FLOOR
            found.setdefault(above, _Pool()).take(allowance, own)
            classes[minor] = ShapedClass(minor, above, own, ceiling, allowance.weight_in_pool, own, burst)
        elif shared:
            floor, weight = allowance.floor.value, allowance.share.value
            classes[minor] = ShapedClass(minor, None, floor, ceiling, weight, allowance.lifeline, burst)
        elif allowance.ceiling is not None:
            classes[minor] = ShapedClass(minor, None, NO_FLOOR, ceiling, allowance.share.value, burst=burst)
    return classes | {minor: pool.shaped(minor, shared=shared) for minor, pool in found.items()}


def class_of_idle_accounts(idle: Iterable[Allowance], awake: Iterable[Allowance]) -> dict[int, ShapedClass]:
    """The class that idle accounts share until they are counted again: the first of them has a lifeline at once, unless
    its pool has a class, which is guaranteed that lifeline already. Empty when there are none."""
    allowances = list(idle)
    if not allowances:
        return {}
    standing = {allowance.pool for allowance in awake if allowance.pool is not None}
    lifelines = [allowance.lifeline for allowance in allowances if allowance.pool not in standing]
    lifeline = reduce(highest, lifelines, NO_RATES)
    return {IDLE_MINOR: ShapedClass(IDLE_MINOR, None, lifeline, UNLIMITED, 100, lifeline)}


def as_kept(allowance: Allowance, kept: GuaranteedParts) -> Allowance:
    """The allowance with its floors reduced to what the uplink can guarantee, so that nobody is shown more."""
    if kept == ALL_GUARANTEED:
        return allowance
    lifelines, extras = kept.lifelines_permille, kept.extras_permille
    promised, floor = allowance.floor.value, allowance.floor
    if allowance.own_floor is None:
        floor = replace(floor, value=_left(promised, allowance.lifeline, lifelines, extras))
        permille = min(_permille(floor.value.down, promised.down), _permille(floor.value.up, promised.up))
        return replace(allowance, floor=floor, kept_permille=permille)
    # How much of a pool's floor is lifelines is not known here; this is a lower bound.
    floor = replace(floor, value=_left(promised, NO_FLOOR, lifelines, min(lifelines, extras)))
    own = _left(allowance.own_floor.value, allowance.lifeline, lifelines, extras)
    own_floor = replace(allowance.own_floor, value=own)
    return replace(allowance, floor=floor, own_floor=own_floor, kept_permille=lifelines)


def _left(floor: Rates, lifeline: Rates, lifelines_permille: int, extras_permille: int) -> Rates:
    def way(all_of_it: int, least: int) -> BitsPerSecond:
        least = min(least, all_of_it)
        return BitsPerSecond((least * lifelines_permille + (all_of_it - least) * extras_permille) // 1000)

    return Rates(way(floor.down, lifeline.down), way(floor.up, lifeline.up))


def _permille(part: int, whole: int) -> int:
    return part * 1000 // whole if whole else 1000


def pools(allowances: Iterable[Allowance]) -> frozenset[AccountId]:
    """The pools that need a class of their own."""
    return frozenset(pool_account(a.pool) for a in allowances if a.pool is not None)

"""Who is here and what the rules allow them, as one traffic plan."""

from collections.abc import Iterable, Mapping

from node.enforcement.plan import NO_LIMIT, ShapedClass
from node.governance.allowance import Allowance
from node.units import AccountId, BitsPerSecond, Rates

NO_FLOOR = Rates(BitsPerSecond(0), BitsPerSecond(0))
UNLIMITED = Rates(NO_LIMIT, NO_LIMIT)
POOL_PREFIX = "pool:"


def pool_account(rule: str) -> AccountId:
    """The name under which a pool's own class is kept."""
    return AccountId(POOL_PREFIX + rule)


def shaped_classes(
    allowances: Iterable[tuple[AccountId, Allowance]], minors: Mapping[AccountId, int], *, shared: bool
) -> dict[int, ShapedClass]:
    """A class for each account; people who count together hang below their pool. When the uplink is not shared out
    (`shared` is false), only accounts with a ceiling get a class."""
    classes: dict[int, ShapedClass] = {}
    for account, allowance in allowances:
        ceiling = allowance.ceiling.value if allowance.ceiling is not None else UNLIMITED
        top = allowance.pool_ceiling.value if allowance.pool_ceiling is not None else UNLIMITED
        minor, weight = minors[account], allowance.share.value
        floor = allowance.floor.value if shared else NO_FLOOR
        if allowance.pool is not None and (shared or allowance.pool_ceiling is not None):
            above = minors[pool_account(allowance.pool)]
            classes[above] = ShapedClass(above, None, floor, top, weight)
            classes[minor] = ShapedClass(minor, above, NO_FLOOR, ceiling, allowance.weight_in_pool)
        elif shared or allowance.ceiling is not None:
            classes[minor] = ShapedClass(minor, None, floor, ceiling, weight)
    return classes


def pools(allowances: Iterable[Allowance]) -> frozenset[AccountId]:
    """The pools that need a class of their own."""
    return frozenset(pool_account(a.pool) for a in allowances if a.pool is not None)

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
        minor = minors[account]
        if not shared:
            if allowance.ceiling is not None:
                classes[minor] = ShapedClass(minor, None, NO_FLOOR, ceiling, allowance.share.value)
            continue
        if allowance.pool is None:
            classes[minor] = ShapedClass(minor, None, allowance.floor.value, ceiling, allowance.share.value)
            continue
        above = minors[pool_account(allowance.pool)]
        top = allowance.pool_ceiling.value if allowance.pool_ceiling is not None else UNLIMITED
        classes[above] = ShapedClass(above, None, allowance.floor.value, top, allowance.share.value)
        classes[minor] = ShapedClass(minor, above, NO_FLOOR, ceiling, allowance.weight_in_pool)
    return classes


def pools(allowances: Iterable[Allowance]) -> frozenset[AccountId]:
    """The pools that need a class of their own."""
    return frozenset(pool_account(a.pool) for a in allowances if a.pool is not None)

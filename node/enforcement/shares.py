"""Allowances to traffic classes: weighted max-min sharing with floors and ceilings, in HTB's own terms.

A class is guaranteed `rate` and borrows what is free in proportion to `quantum`. Both parts follow the same
weights, so the sum does too. Guaranteed rates come from a grid: someone joining rarely changes
the class of anyone else, and their sum never passes the uplink.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from node.enforcement.plan import NO_LIMIT, ShapedClass
from node.units import BitsPerSecond, Rates

FRAME_BYTES = 1514
QUANTUM_BYTES_MAX = 200_000
ROUND_MS = 4
"""How much of the uplink's time one household's turn takes while it borrows."""
GRID_BITS = 4
"""Leading bits of a guaranteed rate that are kept: steps of 6 to 12 %. Coarser steps leave more to borrowing,
and HTB lends too little to pools (a class under a class loses its turn when its own rate comes due)."""
RATE_MIN = BitsPerSecond(8_000)
BURST_MS = 5
BURST_BYTES_MIN = 3 * FRAME_BYTES
BURST_BYTES_MAX = 16_000_000


@dataclass(frozen=True, slots=True)
class HtbClass:
    """One HTB class on one interface; rates in bit/s, the rest in bytes."""

    minor: int
    parent_minor: int | None
    rate: BitsPerSecond
    ceil: BitsPerSecond
    burst_bytes: int
    cburst_bytes: int
    quantum_bytes: int
    is_leaf: bool = True


UPLINK_MINOR = 0xFFFF


def htb_classes(
    classes: Mapping[int, ShapedClass], uplink: Rates | None, *, upwards: bool
) -> dict[int, HtbClass]:
    """Classes for one direction. Without an uplink rate each class stands alone, with its ceiling."""
    capacity = None if uplink is None else (uplink.up if upwards else uplink.down)
    by_parent: dict[int | None, list[ShapedClass]] = {}
    for each in classes.values():
        by_parent.setdefault(each.parent_minor, []).append(each)
    if capacity is None:
        return _ceilings_only(by_parent, upwards=upwards)
    root = HtbClass(
        UPLINK_MINOR,
        None,
        capacity,
        capacity,
        _burst(capacity),
        _burst(capacity),
        QUANTUM_BYTES_MAX,
        is_leaf=False,
    )
    rendered = {UPLINK_MINOR: root}
    _fill(rendered, by_parent, None, root, capacity, upwards=upwards)
    return rendered


def _ceilings_only(
    by_parent: Mapping[int | None, list[ShapedClass]], *, upwards: bool
) -> dict[int, HtbClass]:
    rendered: dict[int, HtbClass] = {}
    for each in by_parent.get(None, ()):
        leaf = each.minor not in by_parent
        own = _htb(each, None, _way(each.ceiling, upwards), NO_LIMIT, upwards=upwards, is_leaf=leaf)
        rendered[each.minor] = own
        if not leaf:
            _fill(rendered, by_parent, each.minor, own, own.ceil, upwards=upwards)
    return rendered


def floors_scaled_permille(classes: Iterable[ShapedClass], uplink: Rates | None) -> int:
    """1000 when all floors fit the uplink; else what is left of each promise, which people must be told."""
    if uplink is None:
        return 1000
    floors = [c.floor for c in classes if c.parent_minor is None]
    down, up = sum(f.down for f in floors), sum(f.up for f in floors)
    return min(1000, uplink.down * 1000 // down if down else 1000, uplink.up * 1000 // up if up else 1000)


def _fill(
    rendered: dict[int, HtbClass],
    by_parent: Mapping[int | None, list[ShapedClass]],
    parent: int | None,
    above: HtbClass,
    capacity: BitsPerSecond,
    *,
    upwards: bool,
) -> None:
    siblings = by_parent.get(parent, [])
    rates = guaranteed_rates(siblings, above.rate, upwards=upwards)
    for each in siblings:
        leaf = each.minor not in by_parent
        own = _htb(each, above.minor, rates[each.minor], capacity, upwards=upwards, is_leaf=leaf)
        rendered[each.minor] = own
        if not leaf:
            _fill(rendered, by_parent, each.minor, own, capacity, upwards=upwards)


def guaranteed_rates(
    siblings: list[ShapedClass], available: int, *, upwards: bool
) -> dict[int, BitsPerSecond]:
    """`rate` of each sibling: its floor, and beyond floors a part of what is left by weight; never more in all."""
    floors = {c.minor: _way(c.floor, upwards) for c in siblings}
    promised = sum(floors.values())
    if promised > available:
        return {m: BitsPerSecond(max(RATE_MIN, f * available // promised)) for m, f in floors.items()}
    weights = sum(c.weight for c in siblings) or 1
    unit = _grid(available // weights)
    rates = {c.minor: max(floors[c.minor], c.weight * unit) for c in siblings}
    while sum(rates.values()) > available and unit:
        unit //= 2
        rates = {c.minor: max(floors[c.minor], c.weight * unit) for c in siblings}
    return {
        c.minor: BitsPerSecond(max(RATE_MIN, min(rates[c.minor], _way(c.ceiling, upwards)))) for c in siblings
    }


def _htb(
    each: ShapedClass,
    parent: int | None,
    rate: BitsPerSecond,
    capacity: BitsPerSecond,
    *,
    upwards: bool,
    is_leaf: bool,
) -> HtbClass:
    ceil = BitsPerSecond(max(rate, min(capacity, _way(each.ceiling, upwards))))
    quantum = each.weight * capacity * ROUND_MS // (100 * 8 * 1000)
    smallest = FRAME_BYTES * max(1, each.weight) // 100
    return HtbClass(
        minor=each.minor,
        parent_minor=parent,
        rate=rate,
        ceil=ceil,
        burst_bytes=_burst(rate),
        cburst_bytes=_burst(ceil),
        quantum_bytes=max(FRAME_BYTES, smallest, min(QUANTUM_BYTES_MAX, quantum)),
        is_leaf=is_leaf,
    )


def _grid(unit: int) -> int:
    shift = max(0, unit.bit_length() - GRID_BITS)
    return unit >> shift << shift


def _burst(rate: int) -> int:
    return min(BURST_BYTES_MAX, max(BURST_BYTES_MIN, rate * BURST_MS // 8000))


def _way(rates: Rates, upwards: bool) -> BitsPerSecond:
    return rates.up if upwards else rates.down

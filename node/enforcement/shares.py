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
"""Guaranteed to who is promised nothing, where there is room for it."""
RATE_LEAST = BitsPerSecond(8)
"""One byte a second: HTB takes no class without a rate."""
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


@dataclass(frozen=True, slots=True)
class GuaranteedParts:
    """What is left of each promise, in the direction that has less room; people must be told when it is not all."""

    lifelines_permille: int
    extras_permille: int
    """Of what floors promise beyond lifelines."""


ALL_GUARANTEED = GuaranteedParts(1000, 1000)


def promises_kept(classes: Iterable[ShapedClass], uplink: Rates | None) -> GuaranteedParts:
    """Lifelines first, then what floors promise beyond them, as `guaranteed_rates` has it."""
    if uplink is None:
        return ALL_GUARANTEED
    down = up = lifelines_down = lifelines_up = 0
    for each in classes:
        if each.parent_minor is None:
            down, up = down + each.floor.down, up + each.floor.up
            lifelines_down += each.lifeline.down
            lifelines_up += each.lifeline.up
    ways = (_kept(down, lifelines_down, uplink.down), _kept(up, lifelines_up, uplink.up))
    return GuaranteedParts(min(k.lifelines_permille for k in ways), min(k.extras_permille for k in ways))


def _kept(floors: int, lifelines: int, available: int) -> GuaranteedParts:
    extras, left = floors - lifelines, max(0, available - lifelines)
    return GuaranteedParts(
        min(1000, available * 1000 // lifelines if lifelines else 1000),
        min(1000, left * 1000 // extras if extras > 0 else 1000),
    )


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
    """`rate` of each sibling: its floor, and beyond floors a part of what is left by weight; never more in all, as far
    as one byte a second for each leaves room. Floors that do not fit give way before lifelines do."""
    floors = {c.minor: _way(c.floor, upwards) for c in siblings}
    promised = sum(floors.values())
    if promised > available:
        return _shrunk(siblings, available, upwards=upwards)
    least = max(RATE_LEAST, min(RATE_MIN, (available - promised) // max(1, len(siblings))))
    weights = sum(c.weight for c in siblings) or 1
    unit = _grid(available // weights)
    rates = {c.minor: max(least, floors[c.minor], c.weight * unit) for c in siblings}
    while sum(rates.values()) > available and unit:
        unit //= 2
        rates = {c.minor: max(least, floors[c.minor], c.weight * unit) for c in siblings}
    return {
        c.minor: BitsPerSecond(max(least, min(rates[c.minor], _way(c.ceiling, upwards)))) for c in siblings
    }


def _shrunk(siblings: list[ShapedClass], available: int, *, upwards: bool) -> dict[int, BitsPerSecond]:
    """Floors that do not fit: what they promise beyond lifelines shrinks alike, and only when nothing is left of that do
    lifelines."""
    lifelines = {c.minor: min(_way(c.lifeline, upwards), _way(c.floor, upwards)) for c in siblings}
    extras = {c.minor: _way(c.floor, upwards) - lifelines[c.minor] for c in siblings}
    due, beyond = sum(lifelines.values()), sum(extras.values())
    if due > available:
        return {m: BitsPerSecond(max(RATE_LEAST, rate * available // due)) for m, rate in lifelines.items()}
    left = available - due
    return {
        m: BitsPerSecond(max(RATE_LEAST, rate + extras[m] * left // beyond)) for m, rate in lifelines.items()
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

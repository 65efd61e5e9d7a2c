"""Traffic classes to HTB classes: weighted max-min fairness with guaranteed rates and ceilings.

A class is guaranteed `rate` and borrows unused capacity in proportion to `quantum`. Both follow the same weights, so
their sum does too. Guaranteed rates are rounded to a grid, so that a new session rarely changes the classes of
others; their sum never exceeds the uplink.

HTB serves classes within their guaranteed rate before those that borrow. A household that uses less than that does not
wait for those who transfer at full rate, because these are mostly borrowing: where all siblings are leaves, half of a
share is guaranteed, and at least a call. Where there are pools it is the whole share, because in borrowing a pool has
as many turns as it has classes.

A class with a burst has one more above it. Its own `cburst` is what it may send beyond its ceiling, which the kernel fills
again at the rate of the ceiling; `ceil` of the one above is the rate of the burst. It begins full. A class that is alone
below another has as many turns as one that is not.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from node.enforcement.plan import (
    CLASS_MINOR_MAX,
    CONTROL_MINOR,
    DNS_MINOR,
    LAN_MINOR,
    NO_LIMIT,
    OWN_MINOR,
    TEST_MINOR,
    ShapedClass,
)
from node.governance.burst import Burst, saved_bits
from node.governance.fair_shares import Demand, equal_parts, fair_rates
from node.governance.rules import control_reserve
from node.units import NO_RATES, BitsPerSecond, Rates

FRAME_BYTES = 1514
QUANTUM_BYTES_MAX = 200_000
ROUND_US, ROUND_US_MAX = 1_000, 4_000
"""Uplink time that one household with share 100 may use per round while it borrows, and the most. It is more than the
first where a small weight needs it, because no quantum is smaller than a frame, and for two frames: HTB gives a class
whose packets are larger than its quantum one packet per round, whatever its weight."""
CALL = BitsPerSecond(256_000)
"""Guaranteed to a class with share 100 as far as its share allows: a call in both IP versions, names and a page."""
GRID_BITS = 4
"""Leading bits of a guaranteed rate that are kept: steps of 6 to 12 %. Coarser steps leave more to borrowing, and HTB
lends too little to pools (a child class loses its turn when its own rate comes due)."""
GRID_BITS_POOLS, GRID_CLASSES_MAX = 7, 64
"""Beside pools, what rounding leaves is lent in turns that do not follow the weights: a pool has a turn for each account.
There the steps are 0.8 to 1.6 %, as long as so few classes change with them, and on a line whose rate is stated."""
RATE_MIN = BitsPerSecond(8_000)
"""Guaranteed to classes without a floor, if there is capacity for it."""
RATE_LEAST = BitsPerSecond(8)
"""One byte per second: HTB accepts no class without a rate."""
BURST_MS = 5
BURST_BYTES_MIN = 3 * FRAME_BYTES
BURST_BYTES_MAX = 16_000_000
PRIO_LAST = 7
FREE_MINOR_TRIES = 64
OWN_BURST_BYTES = 20 * FRAME_BYTES
"""What control traffic and names may send at once on a line that is otherwise full: 300 queries."""


@dataclass(frozen=True, slots=True)
class HtbClass:
    """One HTB class on one interface; rates in bit/s, sizes in bytes."""

    minor: int
    parent_minor: int | None
    rate: BitsPerSecond
    ceil: BitsPerSecond
    burst_bytes: int
    cburst_bytes: int
    quantum_bytes: int
    is_leaf: bool = True
    share: BitsPerSecond = RATE_LEAST
    """What it gets while all its siblings transfer at full rate."""
    prio: int = 1
    """Of two classes within their guaranteed rates, or of two that borrow, the one with the lower number goes first."""
    peak: BitsPerSecond | None = None
    """The rate of its burst; None without one."""


UPLINK_MINOR = 0xFFFF


def htb_classes(
    classes: Mapping[int, ShapedClass], uplink: Rates | None, *, upwards: bool, measured: Rates | None = None
) -> dict[int, HtbClass]:
    """HTB classes for one direction, by minor. Without an uplink rate classes have no common root, only their
    ceilings; none where there is neither a rate nor a ceiling. `measured` is what the uplink carries now, where that is
    less: guarantees follow it in steps, so that most changes of it are one class; ceilings do not, because the root has
    it."""
    capacity = None if uplink is None else _way(uplink, upwards)
    by_parent: dict[int | None, list[ShapedClass]] = {}
    for each in classes.values():
        by_parent.setdefault(each.parent_minor, []).append(each)
    if capacity is None:
        return _with_bursts(_ceilings_only(by_parent, upwards=upwards), classes, None, upwards=upwards)
    present = capacity if measured is None else min(capacity, _way(measured, upwards))
    root = HtbClass(
        UPLINK_MINOR,
        None,
        present,
        present,
        _burst(present),
        _burst(present),
        QUANTUM_BYTES_MAX,
        is_leaf=False,
    )
    steady = capacity if measured is None else BitsPerSecond(_grid(present))
    reserve = control_reserve(steady)
    turns = replace(_round(classes.values(), steady), capacity=capacity)
    rendered = {UPLINK_MINOR: root}
    _fill(
        rendered,
        by_parent,
        None,
        replace(root, rate=BitsPerSecond(present - reserve)),
        turns,
        upwards=upwards,
        grid_bits=_grid_bits(by_parent, is_stated=measured is None),
    )
    rendered = _with_bursts(rendered, classes, capacity, upwards=upwards)
    return rendered | _own_classes(reserve, turns, upwards=upwards)


@dataclass(frozen=True, slots=True)
class BorrowingRound:
    """One round of borrowing: what a class with weight 100 may send in it."""

    capacity: BitsPerSecond
    bytes: int

    def quantum(self, weight: int) -> int:
        return max(FRAME_BYTES, min(QUANTUM_BYTES_MAX, weight * self.bytes // 100))


def _round(classes: Iterable[ShapedClass], capacity: BitsPerSecond) -> BorrowingRound:
    lightest = min((each.weight for each in classes), default=100)
    per_us = capacity / 8_000_000
    wanted = max(2 * FRAME_BYTES, 100 * FRAME_BYTES // lightest)
    return BorrowingRound(
        capacity, max(FRAME_BYTES, int(ROUND_US * per_us), min(wanted, int(ROUND_US_MAX * per_us)))
    )


def _own_classes(reserve: BitsPerSecond, turns: BorrowingRound, *, upwards: bool) -> dict[int, HtbClass]:
    """Classes of the node itself. Packets of the node to its LAN pass no line: there only services that are open to
    everyone have a class, and the responsiveness test, which fills the LAN: it has no limit, and goes after all others.
    What has no class waits for nobody.

    What keeps the line alive goes first and cannot take more than the reserve, whatever makes the node send it. Names go
    first as well, but may borrow: `dns_limits` bounds each device's queries, and on a slow line a few devices would
    otherwise take everyone's. The rest of the node's traffic borrows as an account with share 100 does.
    """
    one = BitsPerSecond(reserve // 4)
    own = HtbClass(
        OWN_MINOR,
        UPLINK_MINOR,
        one,
        turns.capacity,
        _burst(one),
        _burst(turns.capacity),
        turns.quantum(100),
        share=reserve,
    )
    if not upwards:
        return {OWN_MINOR: own, **_lan_classes()}
    names = replace(
        own, minor=DNS_MINOR, rate=BitsPerSecond(reserve // 2), burst_bytes=OWN_BURST_BYTES, prio=0
    )
    control = replace(
        own,
        minor=CONTROL_MINOR,
        ceil=reserve,
        burst_bytes=OWN_BURST_BYTES,
        cburst_bytes=OWN_BURST_BYTES,
        prio=0,
    )
    return {CONTROL_MINOR: control, DNS_MINOR: names, OWN_MINOR: own}


def _lan_classes() -> dict[int, HtbClass]:
    """The class of the responsiveness test below one that does not pass the uplink, and that no device's traffic is in."""
    burst = _burst(NO_LIMIT)
    lan = HtbClass(
        LAN_MINOR, None, NO_LIMIT, NO_LIMIT, burst, burst, QUANTUM_BYTES_MAX, is_leaf=False, prio=PRIO_LAST
    )
    # It always borrows: what is within its rate would go before those who borrow of the uplink.
    test = replace(
        lan, minor=TEST_MINOR, parent_minor=LAN_MINOR, rate=RATE_LEAST, burst_bytes=FRAME_BYTES, is_leaf=True
    )
    return {LAN_MINOR: lan, TEST_MINOR: test}


def _ceilings_only(
    by_parent: Mapping[int | None, list[ShapedClass]], *, upwards: bool
) -> dict[int, HtbClass]:
    rendered: dict[int, HtbClass] = {} if upwards or not by_parent else _lan_classes()
    for each in by_parent.get(None, ()):
        leaf = each.minor not in by_parent
        turns = _round((each,), NO_LIMIT)
        own = _htb(each, None, _way(each.ceiling, upwards), turns, upwards=upwards, is_leaf=leaf)
        rendered[each.minor] = own
        if not leaf:
            top = own.ceil if each.burst is None else max(own.ceil, _way(each.burst.rates, upwards))
            turns = _round(by_parent[each.minor], BitsPerSecond(top))
            _fill(rendered, by_parent, each.minor, own, turns, upwards=upwards)
    return rendered


def _with_bursts(
    rendered: Mapping[int, HtbClass],
    classes: Mapping[int, ShapedClass],
    capacity: BitsPerSecond | None,
    *,
    upwards: bool,
) -> dict[int, HtbClass]:
    """With one more class above each whose burst is above its ceiling. `capacity`: None without an uplink rate."""
    found: dict[int, HtbClass] = {}
    taken = set(classes)
    for minor, htb in rendered.items():
        burst = _burst_of(classes.get(minor), htb, upwards=upwards)
        rate = htb.ceil if burst is None else _way(burst.rates, upwards)
        peak = rate if capacity is None else min(rate, capacity)
        free = None if peak <= htb.ceil else _free_minor(minor, taken)
        if burst is None or free is None:
            found[minor] = htb
            continue
        taken.add(free)
        # Without an uplink there is nothing above from which it could borrow, except in a pool.
        guaranteed = peak if htb.parent_minor is None else htb.rate
        found[free] = replace(
            htb,
            minor=free,
            rate=guaranteed,
            ceil=peak,
            burst_bytes=_burst(guaranteed),
            cburst_bytes=_burst(peak),
            is_leaf=False,
        )
        saved = htb.cburst_bytes + saved_bits(htb.ceil, rate, burst.length) // 8
        found[minor] = replace(htb, parent_minor=free, cburst_bytes=saved, peak=peak)
    return found


def _burst_of(each: ShapedClass | None, htb: HtbClass, *, upwards: bool) -> Burst | None:
    """None also where what is above carries less than the ceiling."""
    return None if each is None or htb.ceil < _way(each.ceiling, upwards) else each.burst


def _free_minor(minor: int, taken: Collection[int]) -> int | None:
    """Of a class above this one: the same as long as no other has it."""
    first = minor + CLASS_MINOR_MAX // 2
    tried = ((first + step) % CLASS_MINOR_MAX + 1 for step in range(FREE_MINOR_TRIES))
    return next((each for each in tried if each not in taken), None)


@dataclass(frozen=True, slots=True)
class GuaranteedParts:
    """What fraction of the guarantees fits, in the direction with less capacity. Users are told when it is below
    1000."""

    lifelines_permille: int
    extras_permille: int
    """Of the floors, the part above the lifelines."""


ALL_GUARANTEED = GuaranteedParts(1000, 1000)


@dataclass(frozen=True, slots=True)
class Promises:
    """Sums over all accounts and pools."""

    floors: Rates = NO_RATES
    lifelines: Rates = NO_RATES

    def kept(self, guaranteeable: Rates | None) -> GuaranteedParts:
        """Lifelines are served first, then the rest of the floors, as in `guaranteed_rates`."""
        if guaranteeable is None:
            return ALL_GUARANTEED
        ways = (
            _kept(self.floors.down, self.lifelines.down, guaranteeable.down),
            _kept(self.floors.up, self.lifelines.up, guaranteeable.up),
        )
        return GuaranteedParts(min(k.lifelines_permille for k in ways), min(k.extras_permille for k in ways))


def promises(classes: Iterable[ShapedClass]) -> Promises:
    down = up = lifelines_down = lifelines_up = 0
    for each in classes:
        if each.parent_minor is None:
            down, up = down + each.floor.down, up + each.floor.up
            lifelines_down += each.lifeline.down
            lifelines_up += each.lifeline.up
    return Promises(
        Rates(BitsPerSecond(down), BitsPerSecond(up)),
        Rates(BitsPerSecond(lifelines_down), BitsPerSecond(lifelines_up)),
    )


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
    turns: BorrowingRound,
    *,
    upwards: bool,
    grid_bits: int = GRID_BITS,
) -> None:
    siblings = by_parent.get(parent, [])
    has_pools = len(by_parent) > 1
    shares = guaranteed_rates(siblings, above.rate, upwards=upwards, grid_bits=grid_bits)
    rates = shares if has_pools else guaranteed_rates(siblings, above.rate, upwards=upwards, borrows=True)
    for each in siblings:
        leaf = each.minor not in by_parent
        own = _htb(each, above.minor, rates[each.minor], turns, upwards=upwards, is_leaf=leaf)
        own = replace(own, share=shares[each.minor])
        rendered[each.minor] = own
        if not leaf:
            # Each has a whole quantum, because mostly one account of a pool transfers; several borrow more than one for it.
            _fill(rendered, by_parent, each.minor, own, turns, upwards=upwards)


def guaranteed_rates(
    siblings: list[ShapedClass],
    available: int,
    *,
    upwards: bool,
    borrows: bool = False,
    grid_bits: int = GRID_BITS,
) -> dict[int, BitsPerSecond]:
    """`rate` of each sibling: its floor, or its weighted part of what is available if that is more; with `borrows` half
    of that part, but a call at least. The sum does not exceed `available`, except for the minimum of one byte per second
    each. If floors do not fit, they shrink before lifelines do."""
    floors = {c.minor: _way(c.floor, upwards) for c in siblings}
    promised = sum(floors.values())
    if promised > available:
        demands = [Demand(c.weight, floors[c.minor], lifeline=_way(c.lifeline, upwards)) for c in siblings]
        shrunk = zip(siblings, fair_rates(demands, available), strict=True)
        return {c.minor: max(RATE_LEAST, rate) for c, rate in shrunk}
    least = max(RATE_LEAST, min(RATE_MIN, (available - promised) // max(1, len(siblings))))
    tops = {c.minor: _way(c.ceiling, upwards) for c in siblings}
    demands = [Demand(c.weight, max(least, floors[c.minor]), tops[c.minor]) for c in siblings]
    unit = _grid(_equal_unit(Counter(demands), available), grid_bits)
    if borrows:
        # Not less than floors that are below the share: what exceeds the guaranteed rates is shared by weight alone.
        within = [-(-floors[c.minor] // c.weight) for c in siblings if floors[c.minor] <= c.weight * unit]
        unit = min(unit, max(_grid(unit // 2), CALL // 100, *within))
    rates = {c.minor: max(floors[c.minor], c.weight * unit) for c in siblings}
    return {c.minor: BitsPerSecond(max(least, min(rates[c.minor], tops[c.minor]))) for c in siblings}


def _equal_unit(counts: Mapping[Demand, int], available: int) -> int:
    """The rate per weight of those whose rate is above their floor while all transfer."""
    rates = equal_parts(counts, available)
    return max((rate // each.weight for each, rate in rates.items() if rate > each.floor), default=0)


def _htb(
    each: ShapedClass,
    parent: int | None,
    rate: BitsPerSecond,
    turns: BorrowingRound,
    *,
    upwards: bool,
    is_leaf: bool,
) -> HtbClass:
    ceil = BitsPerSecond(max(rate, min(turns.capacity, _way(each.ceiling, upwards))))
    return HtbClass(
        minor=each.minor,
        parent_minor=parent,
        rate=rate,
        ceil=ceil,
        burst_bytes=_burst(rate),
        cburst_bytes=_burst(ceil),
        quantum_bytes=turns.quantum(each.weight),
        share=rate,
        is_leaf=is_leaf,
    )


def _grid_bits(by_parent: Mapping[int | None, list[ShapedClass]], *, is_stated: bool) -> int:
    is_fine = is_stated and len(by_parent) > 1 and len(by_parent.get(None, ())) <= GRID_CLASSES_MAX
    return GRID_BITS_POOLS if is_fine else GRID_BITS


def _grid(unit: int, bits: int = GRID_BITS) -> int:
    shift = max(0, unit.bit_length() - bits)
    return unit >> shift << shift


def _burst(rate: int) -> int:
    return min(BURST_BYTES_MAX, max(BURST_BYTES_MIN, rate * BURST_MS // 8000))


def _way(rates: Rates, upwards: bool) -> BitsPerSecond:
    return rates.up if upwards else rates.down

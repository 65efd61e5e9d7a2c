"""What each account could have of the uplink now if it began to transfer, given who transfers already. Pure.

An account transfers when it uses at least half of what it would have if everybody here did: who is held back by others
has all of that. What the others use is not divided, as far as the guarantees leave it to them.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping

from node.enforcement.plan import ShapedClass
from node.governance.fair_shares import Demand, equal_parts
from node.units import BitsPerSecond, Rates

Level = int | None
"""Classes that share one parent: that of a pool, or the uplink's own (None)."""


class PresentShares:
    """Of one plan and one reading. A question takes time by the number of different classes, not of accounts."""

    def __init__(
        self, classes: Mapping[int, ShapedClass], in_use: Mapping[int, Rates], uplink: Rates
    ) -> None:
        """`in_use`: what classes without children transferred lately, by minor; `uplink`: what can be shared."""
        self._down = _Way(classes, {minor: each.down for minor, each in in_use.items()}, uplink.down)
        self._up = _Way(
            classes, {minor: each.up for minor, each in in_use.items()}, uplink.up, is_upwards=True
        )

    def of(self, each: ShapedClass, pool: ShapedClass | None = None) -> Rates:
        """Never above the ceiling, the pool's or the line. Not below a lifeline while the line carries all of them; where
        floors do not fit, they shrink first. `pool`: its parent. Neither need be in the plan."""
        return Rates(self._down.of(each, pool), self._up.of(each, pool))


class _Way:
    """One direction."""

    def __init__(
        self,
        classes: Mapping[int, ShapedClass],
        in_use: Mapping[int, int],
        capacity: int,
        *,
        is_upwards: bool = False,
    ) -> None:
        self._classes, self._in_use, self._capacity = classes, in_use, capacity
        self._is_upwards = is_upwards
        self._others_use: dict[Level, int] = defaultdict(int)
        self._transferring: dict[Level, Counter[Demand]] = defaultdict(Counter)
        self._active: set[int] = set()
        self._known: dict[tuple[Level, Demand, bool, int], BitsPerSecond] = {}
        everybody = self._everybody()
        for minor, used in in_use.items():
            each = classes.get(minor)
            if each is None or not used or minor in everybody:
                continue
            demand = self._demand(each)
            if used * 2 >= everybody[each.parent_minor][demand]:
                self._active.add(minor)
                self._transferring[each.parent_minor][demand] += 1
            else:
                self._others_use[each.parent_minor] += used

    def of(self, each: ShapedClass, pool: ShapedClass | None) -> BitsPerSecond:
        demand, is_active = self._demand(each), each.minor in self._active
        own_use = 0 if is_active or each.minor not in self._classes else self._in_use.get(each.minor, 0)
        key = (each.parent_minor, demand, is_active, own_use)
        if key not in self._known:
            self._known[key] = self._part(pool, demand, own_use, is_active=is_active)
        return self._known[key]

    def _everybody(self) -> dict[Level, dict[Demand, BitsPerSecond]]:
        """What each would have if everybody transferred."""
        here: dict[Level, Counter[Demand]] = defaultdict(Counter)
        for each in self._classes.values():
            here[each.parent_minor][self._demand(each)] += 1
        alone = equal_parts(here[None], self._capacity)
        return {None: alone} | {
            pool: equal_parts(inside, alone[self._demand(self._classes[pool])])
            for pool, inside in here.items()
            if pool is not None
        }

    def _part(
        self, pool: ShapedClass | None, mine: Demand, own_use: int, *, is_active: bool
    ) -> BitsPerSecond:
        level = None if pool is None else pool.minor
        inside = self._transferring[level].copy()
        if not is_active:
            inside[mine] += 1
        tops = {
            each: self._of_pool(self._classes[each], children)
            for each, children in self._transferring.items()
            if each is not None and children
        }
        room, idle = self._capacity, self._others_use[level] - own_use
        if pool is not None and level is not None:
            tops[level] = self._of_pool(pool, inside)
            alone = self._transferring[None] + Counter(tops.values())
            room = self._divided(alone, room, self._idle_outside(tops))[tops[level]]
        else:
            inside += Counter(tops.values())
            idle = self._idle_outside(tops) - own_use
        return self._divided(inside, room, idle)[mine]

    def _divided(self, counts: Counter[Demand], room: int, idle: int) -> dict[Demand, BitsPerSecond]:
        """What others use is theirs as far as no guarantee is short of it."""
        promised = sum(demand.floor * count for demand, count in counts.items())
        return equal_parts(counts, max(room - idle, min(room, promised)))

    def _of_pool(self, pool: ShapedClass, children: Counter[Demand]) -> Demand:
        """A pool needs at most its accounts may have together."""
        own = self._demand(pool)
        most = sum((child.ceiling or 0) * count for child, count in children.items())
        ceiling = min(own.ceiling or 0, most + self._others_use[pool.minor])
        return Demand(own.weight, min(own.floor, ceiling), ceiling, min(own.lifeline, ceiling))

    def _idle_outside(self, pools: Mapping[int, Demand]) -> int:
        """What accounts use that transfer little, but for those inside a pool that transfers: it is part of the pool's."""
        return sum(used for level, used in self._others_use.items() if level is None or level not in pools)

    def _demand(self, each: ShapedClass) -> Demand:
        floor, ceiling, lifeline = (
            (rates.up if self._is_upwards else rates.down)
            for rates in (each.floor, each.ceiling, each.lifeline)
        )
        floor = min(floor, ceiling)
        return Demand(each.weight, floor, ceiling, min(floor, lifeline))

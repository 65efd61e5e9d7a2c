"""How a replay divides the line among accounts: as a running node does it, by their shares, floors and ceilings."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from node.governance.allowance import Allowance, Bound
from node.governance.fair_shares import Demand, equal_parts
from node.governance.rule_evaluation import DIRECTIONS, Direction, rate_in
from node.units import Rates

DIVISIONS_MAX = 4_096
"""Divisions of the line that are remembered."""


@dataclass(frozen=True, slots=True, eq=False)
class LineRights:
    """Those of an allowance on which rates depend. There is one object for equal rights, so that comparing is fast."""

    pool: str | None
    lifeline: Rates
    own: Mapping[Direction, Demand]
    """What one account demands of the line, or in a pool of the pool, that wants as much as it can get."""
    of_pool: Mapping[Direction, Demand]
    """What its pool demands of the line."""


def rights_of(allowance: Allowance, known: dict[tuple[object, ...], LineRights]) -> LineRights:
    """Those of an allowance; `known` has all that there are until now."""
    own = {each: _own(allowance, each) for each in DIRECTIONS}
    of_pool = {each: _of_line(allowance, allowance.pool_ceiling, each) for each in DIRECTIONS}
    key = (allowance.pool, allowance.lifeline, *own.values(), *of_pool.values())
    return known.setdefault(key, LineRights(allowance.pool, allowance.lifeline, own, of_pool))


type RightsChange = tuple[tuple[tuple[str, str, str], object], ...]
"""Parts of rights that change, each with what it becomes; empty for none."""
DEMAND_PARTS = ("weight", "floor", "ceiling", "lifeline")


def change_between(before: LineRights, after: LineRights) -> RightsChange:
    """What is another one in `after`."""
    if before is after:
        return ()
    known = dict(_parts(before))
    return tuple((name, part) for name, part in _parts(after) if part != known[name])


def with_change(
    rights: LineRights, change: RightsChange, known: dict[tuple[object, ...], LineRights]
) -> LineRights:
    """`rights` with these parts; a ceiling is at least the floor. `known` as for `rights_of`."""
    if not change:
        return rights
    parts = {**dict(_parts(rights)), **dict(change)}
    own, of_pool = (
        {direction: _demand(parts, name, direction) for direction in DIRECTIONS}
        for name in ("own", "of_pool")
    )
    pool, lifeline = parts["pool", "", ""], parts["lifeline", "", ""]
    key = (pool, lifeline, *own.values(), *of_pool.values())
    return known.setdefault(key, replace(rights, pool=pool, lifeline=lifeline, own=own, of_pool=of_pool))


def _parts(rights: LineRights) -> Iterable[tuple[tuple[str, str, str], Any]]:
    yield ("pool", "", ""), rights.pool
    yield ("lifeline", "", ""), rights.lifeline
    for name, demands in (("own", rights.own), ("of_pool", rights.of_pool)):
        for direction in DIRECTIONS:
            for part in DEMAND_PARTS:
                yield (name, direction, part), getattr(demands[direction], part)


def _demand(parts: Mapping[tuple[str, str, str], Any], name: str, direction: Direction) -> Demand:
    weight, floor, ceiling, lifeline = (parts[name, direction, part] for part in DEMAND_PARTS)
    return Demand(weight, floor, None if ceiling is None else max(floor, ceiling), lifeline)


def _own(allowance: Allowance, direction: Direction) -> Demand:
    if allowance.pool is None:
        return _of_line(allowance, allowance.ceiling, direction)
    own = _top(allowance.own_floor, direction) or 0
    return Demand(allowance.weight_in_pool, own, _top(allowance.ceiling, direction), own)


def _of_line(allowance: Allowance, ceiling: Bound[Rates] | None, direction: Direction) -> Demand:
    floor, lifeline = (rate_in(direction, each) for each in (allowance.floor.value, allowance.lifeline))
    return Demand(allowance.share.value, floor, _top(ceiling, direction), lifeline)


def _top(rates: Bound[Rates] | None, direction: Direction) -> int | None:
    return None if rates is None else rate_in(direction, rates.value)


def divide(
    wanting: Sequence[tuple[LineRights, int, int | None]], capacity: int, direction: Direction
) -> list[int]:
    """The rate of each of so many accounts with these rights who want so much each; None for all they can get."""
    inside: dict[str | None, Counter[Demand]] = defaultdict(Counter)
    pools: dict[str, Demand] = {}
    demands: list[Demand] = []
    for rights, count, wanted in wanting:
        demand = rights.own[direction]
        if wanted is not None:
            demand = Demand(demand.weight, demand.floor, _lowest(demand.ceiling, wanted), demand.lifeline)
        demands.append(demand)
        inside[rights.pool][demand] += count
        if rights.pool is not None:
            pools.setdefault(rights.pool, rights.of_pool[direction])
    pools = {name: _together(pool, inside[name]) for name, pool in pools.items()}
    inside[None].update(pools.values())
    alone = equal_parts(inside[None], capacity)
    parts = {name: equal_parts(inside[name], alone[pool]) for name, pool in pools.items()}
    return [
        alone[demand] if rights.pool is None else parts[rights.pool][demand]
        for (rights, _, _), demand in zip(wanting, demands, strict=True)
    ]


def _together(pool: Demand, inside: Mapping[Demand, int]) -> Demand:
    """A pool demands what its accounts may have and want together."""
    own = sum(each.floor * count for each, count in inside.items())
    wanted: int | None = 0
    for each, count in inside.items():
        wanted = None if wanted is None or each.ceiling is None else wanted + each.ceiling * count
    whole = pool.with_lifelines(own)
    return replace(whole, ceiling=_lowest(whole.ceiling, wanted))


def _lowest(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


@lru_cache(maxsize=DIVISIONS_MAX)
def greedy(
    counts: tuple[tuple[LineRights, int], ...], capacity: Rates
) -> tuple[dict[LineRights, tuple[int, int]], int]:
    """The rates of each account where everybody wants all they can get, and the lowest in permille of a lifeline."""
    wanting = [(rights, count, None) for rights, count in counts]
    both = [divide(wanting, rate_in(direction, capacity), direction) for direction in DIRECTIONS]
    rates = {rights: (down, up) for (rights, _), down, up in zip(counts, *both, strict=True)}
    return rates, min(_margins(counts, rates), default=0)


def _margins(
    counts: Sequence[tuple[LineRights, int]], rates: Mapping[LineRights, tuple[int, int]]
) -> Iterable[int]:
    pooled: dict[LineRights | str, tuple[int, int]] = {}
    lifelines: dict[LineRights | str, Rates] = {}
    for rights, count in counts:
        down, up = rates[rights]
        # Guests have one lifeline together, everybody else one of their own.
        together = rights.pool if not rights.own["down"].floor else None
        key, number = (rights, 1) if together is None else (together, count)
        before = pooled.get(key, (0, 0))
        pooled[key] = before[0] + down * number, before[1] + up * number
        lifelines[key] = rights.lifeline
    for key, (down, up) in pooled.items():
        least = lifelines[key]
        yield min(down * 1000 // max(1, least.down), up * 1000 // max(1, least.up))


def satisfied(
    rights: Sequence[LineRights], wanted: Sequence[int], capacity: int | None, direction: Direction
) -> list[int]:
    """The rate of each account that wants so much; `capacity`: of the line, None where its speed is not stated."""
    tops = {each: each.own[direction].ceiling for each in set(rights)}
    if any(top is not None for top in tops.values()):
        wanted = [
            want if (top := tops[each]) is None else min(want, top)
            for each, want in zip(rights, wanted, strict=True)
        ]
    if not _is_over(rights, wanted, capacity, direction):
        return list(wanted)
    wanting = [(each, 1, want) for each, want in zip(rights, wanted, strict=True)]
    # Without a stated speed only the ceilings of pools are divided.
    return divide(wanting, sum(wanted) if capacity is None else capacity, direction)


def _is_over(
    rights: Sequence[LineRights], wanted: Sequence[int], capacity: int | None, direction: Direction
) -> bool:
    if capacity is not None and sum(wanted) > capacity:
        return True
    ceilings = {each.pool: each.of_pool[direction].ceiling for each in set(rights) if each.pool is not None}
    if all(ceiling is None for ceiling in ceilings.values()):
        return False
    pools: dict[str | None, int] = {}
    for each, want in zip(rights, wanted, strict=True):
        pools[each.pool] = pools.get(each.pool, 0) + want
    return any(ceiling is not None and pools[pool] > ceiling for pool, ceiling in ceilings.items())

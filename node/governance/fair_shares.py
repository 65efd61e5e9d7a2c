"""Weighted max-min fairness: how a line is divided between those who would use as much as they can get."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from node.units import BitsPerSecond


@dataclass(frozen=True, slots=True)
class Demand:
    """One unit on a congested link that would use as much as it can get."""

    weight: int
    """1 and up."""
    floor: int
    ceiling: int | None = None
    """Or its demand, if that is lower; None for no limit."""
    lifeline: int = 0
    """Part of the floor that shrinks last."""

    def times(self, count: int) -> "Demand":
        """That of so many of them together."""
        ceiling = None if self.ceiling is None else self.ceiling * count
        return Demand(self.weight * count, self.floor * count, ceiling, self.lifeline * count)

    def with_lifelines(self, total: int) -> "Demand":
        """That of a pool whose members have lifelines of their own: together it has at least these."""
        ceiling = None if self.ceiling is None else max(self.ceiling, total)
        return Demand(self.weight, max(self.floor, total), ceiling, max(self.lifeline, total))


def fair_rates(demands: Sequence[Demand], capacity: int) -> tuple[BitsPerSecond, ...]:
    """Weighted max-min fairness in whole bit/s: the rate of each demand, in the same order: floor <= rate <= ceiling, and
    between these an equal rate per weight.

    The sum is exactly `capacity`, or less when all ceilings are reached. Floors that do not fit shrink in proportion,
    lifelines only when that is not enough; a floor above its ceiling counts as the ceiling.
    """
    floors = [d.floor if d.ceiling is None else min(d.floor, d.ceiling) for d in demands]
    if sum(floors) >= capacity:
        return _shrunk(demands, floors, capacity)
    rates: dict[int, int] = {}
    open_ = list(range(len(demands)))
    while open_:
        left, weight = capacity - sum(rates.values()), sum(demands[i].weight for i in open_)
        low = [i for i in open_ if demands[i].weight * left < floors[i] * weight]
        high = [i for i in open_ if _is_over(demands[i], left, weight)]
        if not low and not high:
            shares = _exact([demands[i].weight * left for i in open_], weight, left)
            rates.update(zip(open_, shares, strict=True))
            break
        # Fixing the side that moves the level more is safe: after that the level can only move further in the same
        # direction.
        lacking = sum(floors[i] * weight - demands[i].weight * left for i in low)
        passing = sum(demands[i].weight * left - (demands[i].ceiling or 0) * weight for i in high)
        if lacking >= passing:
            rates.update((i, floors[i]) for i in low)
        if passing >= lacking:
            rates.update((i, demands[i].ceiling or 0) for i in high)
        open_ = [i for i in open_ if i not in rates]
    return tuple(BitsPerSecond(rates[i]) for i in range(len(demands)))


def equal_parts(counts: Mapping[Demand, int], capacity: int) -> dict[Demand, BitsPerSecond]:
    """`fair_rates` of many units of which few differ: the rate of each unit with that demand, rounded down. It does not
    depend on their order: who used what must not show in the last bit of a sum."""
    ordered = sorted(counts.items(), key=_order)
    rates = fair_rates([demand.times(count) for demand, count in ordered], capacity)
    return {d: BitsPerSecond(rate // n) for (d, n), rate in zip(ordered, rates, strict=True)}


def _order(counted: tuple[Demand, int]) -> tuple[int, int, int, int]:
    demand, _ = counted
    return -demand.weight, demand.floor, -1 if demand.ceiling is None else demand.ceiling, demand.lifeline


def _shrunk(demands: Sequence[Demand], floors: Sequence[int], capacity: int) -> tuple[BitsPerSecond, ...]:
    lifelines = [min(d.lifeline, floor) for d, floor in zip(demands, floors, strict=True)]
    due = sum(lifelines)
    if due >= capacity:
        return _exact([each * capacity for each in lifelines], due or 1, capacity)
    extras, left = [floor - least for floor, least in zip(floors, lifelines, strict=True)], capacity - due
    parts = _exact([extra * left for extra in extras], sum(extras) or 1, left)
    return tuple(BitsPerSecond(least + part) for least, part in zip(lifelines, parts, strict=True))


def _is_over(demand: Demand, left: int, weight: int) -> bool:
    return demand.ceiling is not None and demand.weight * left > demand.ceiling * weight


def _exact(numerators: Sequence[int], denominator: int, total: int) -> tuple[BitsPerSecond, ...]:
    """Integer parts of the fractions; the remaining bits go to the first ones that were rounded down."""
    parts = [numerator // denominator for numerator in numerators]
    cut = [index for index, numerator in enumerate(numerators) if numerator % denominator]
    for index in cut[: max(0, total - sum(parts))]:
        parts[index] += 1
    return tuple(BitsPerSecond(part) for part in parts)

"""Sharing of a congested link: weighted max-min fairness with floors and ceilings, in whole bit/s."""

from collections.abc import Sequence
from dataclasses import dataclass

from node.units import BitsPerSecond


@dataclass(frozen=True, slots=True)
class Demand:
    """One unit that would use as much as it can get."""

    weight: int
    """1 and up."""
    floor: int
    ceiling: int | None = None
    """Or its demand, if that is lower; None for no limit."""


def fair_rates(demands: Sequence[Demand], capacity: int) -> tuple[BitsPerSecond, ...]:
    """The rate of each demand, in the same order: floor <= rate <= ceiling, and between these an equal rate per
    weight.

    The sum is exactly `capacity`, or less when all ceilings are reached. Floors that do not fit shrink in proportion;
    a floor above its ceiling counts as the ceiling.
    """
    floors = [d.floor if d.ceiling is None else min(d.floor, d.ceiling) for d in demands]
    if sum(floors) >= capacity:
        return _exact([floor * capacity for floor in floors], sum(floors) or 1, capacity)
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


def weighted_jain(rates: Sequence[int], weights: Sequence[int]) -> float:
    """Jain's index of rate per weight: 1.0 when all are served in proportion, 1/n when one unit has everything.

    J = (sum y)^2 / (n sum y^2) with y = rate / weight (Jain, Chiu and Hawe, DEC-TR-301). 1.0 for an empty list or all
    zeros.
    """
    shares = [rate / weight for rate, weight in zip(rates, weights, strict=True)]
    squares = sum(share * share for share in shares)
    return sum(shares) ** 2 / (len(shares) * squares) if squares else 1.0


def _is_over(demand: Demand, left: int, weight: int) -> bool:
    return demand.ceiling is not None and demand.weight * left > demand.ceiling * weight


def _exact(numerators: Sequence[int], denominator: int, total: int) -> tuple[BitsPerSecond, ...]:
    """Integer parts of the fractions; the remaining bits go to the first ones that were rounded down."""
    parts = [numerator // denominator for numerator in numerators]
    cut = [index for index, numerator in enumerate(numerators) if numerator % denominator]
    for index in cut[: max(0, total - sum(parts))]:
        parts[index] += 1
    return tuple(BitsPerSecond(part) for part in parts)

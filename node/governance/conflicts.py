"""Where the checks have to look: the slices of time in which rules conflict.

For a class of units, all slices are examined at once, and only rules that meet are compared. What is found here is then
evaluated by the same code as on a running node, which alone decides and words the findings: too many slices here cost time,
one too few would hide an error.
"""

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from node.governance.rule_evaluation import (
    CODE_LIFELINE,
    guest_lifeline,
    lifeline,
)
from node.governance.rule_selection import selects
from node.governance.rules import (
    GUEST_TIER,
    ONLY_GUESTS,
    SHARE_DEFAULT,
    Ceiling,
    Credit,
    Effect,
    Floor,
    Rule,
    Ruleset,
    Share,
    Who,
    limit_of,
)
from node.governance.slices import ClassSlices, SliceSums, in_turn, mask_of, union
from node.governance.value_syntax import SHARE_MAX
from node.units import BitsPerSecond, Rates

GUEST_POOL = -1
"""In place of the rule that creates a pool."""
GUESTS_ALONE = 0
"""Number of the `who` that selects all guests and no others."""

Slices = Mapping[int, int]
"""Sets of slices by the index of a rule."""
Conflict = tuple[tuple[str, str], int]
"""Code and subject of a finding, and the slices with it."""


class RuleIndex:
    """What is needed of a ruleset for every class, computed once."""

    def __init__(self, ruleset: Ruleset, households: Callable[[Rule], int]) -> None:
        """`households`: how many of the directory a rule is for."""
        self.rules, self.charter = ruleset.rules, ruleset.charter
        self.cap, self.share_default = ruleset.share_cap, ruleset.share_default
        self.by_id = sorted(range(len(self.rules)), key=lambda index: self.rules[index].id)
        self.rank = {index: rank for rank, index in enumerate(self.by_id)}
        numbers: dict[Who, int] = {ONLY_GUESTS: GUESTS_ALONE}
        self.people = [numbers.setdefault(rule.who, len(numbers)) for rule in self.rules]
        """A number for the `who` of each rule."""
        self._with_guests = [selects(who, GUEST_TIER, frozenset()) for who in numbers]
        index = {rule.id: number for number, rule in enumerate(self.rules)}
        self.first = [_first_of_chain(number, self.rules, index) for number in range(len(self.rules))]
        """The rule at the beginning of each rule's chain of exceptions."""
        self.weights = [
            rule.effect.weight if isinstance(rule.effect, Share | Credit) else 0 for rule in self.rules
        ]
        self.limits = [limit_of(rule) for rule in self.rules]
        self.rivals: dict[str, list[int]] = {}
        """The exceptions to each rule, where there are several; by id."""
        for number in self.by_id:
            if (base := self.rules[number].exception_to) is not None:
                self.rivals.setdefault(base, []).append(number)
        self.rivals = {base: each for base, each in self.rivals.items() if len(each) > 1}
        self._households = households
        self._pool_lifelines: dict[int, Rates] = {}

    def of(self, kind: type[Effect], slices: Slices) -> list[int]:
        """The rules with this effect, by id."""
        return [
            index for index in self.by_id if index in slices and isinstance(self.rules[index].effect, kind)
        ]

    def at(self, number: int, slices: Slices) -> list[int]:
        """The rules that have this slice, by id."""
        there = [index for index, each in slices.items() if each >> number & 1]
        return sorted(there, key=self.rank.__getitem__)

    def mask(self, names: Collection[str]) -> int:
        """The rules with these ids, as bit mask."""
        return mask_of(index for index in self.by_id if self.rules[index].id in names)

    def people_of(self, pool: int) -> int:
        return GUESTS_ALONE if pool == GUEST_POOL else self.people[pool]

    def has_guests(self, pool: int) -> bool:
        return self._with_guests[self.people_of(pool)]

    def least_floor(self, people: int | None) -> Rates:
        """The lifeline of a pool of these people, or of a unit outside pools (None)."""
        return (
            guest_lifeline(self.charter)
            if people is not None and self._with_guests[people]
            else lifeline(self.charter)
        )

    def pool_lifeline(self, pool: int) -> Rates:
        """Of all units in the pool together."""
        if self.has_guests(pool):
            return guest_lifeline(self.charter)
        known = self._pool_lifelines.get(self.people[pool])
        if known is None:
            each, count = lifeline(self.charter), max(1, self._households(self.rules[pool]))
            known = self._pool_lifelines[self.people[pool]] = Rates(
                BitsPerSecond(each.down * count), BitsPerSecond(each.up * count)
            )
        return known


def _first_of_chain(number: int, rules: Sequence[Rule], index: Mapping[str, int]) -> int:
    seen: set[int] = set()
    while (base := rules[number].exception_to) in index and number not in seen:
        seen.add(number)
        number = index[base or ""]
    return number


@dataclass(frozen=True, slots=True)
class PoolSlices:
    """In which slices the units of a class belong to which pool."""

    by_pool: Slices
    """By the index of the rule that creates the pool, or `GUEST_POOL`."""
    by_people: Slices
    """By the number of the pool's `who`."""
    pooled: int
    """All of them."""
    with_guests: int

    def fitting(self, index: int, rules: RuleIndex) -> int:
        """Where a rule is for the whole pool (`rule_evaluation.is_of_pool`)."""
        rule, fits = rules.rules[index], 0
        if isinstance(rule.effect, Floor):
            fits = self.by_people.get(GUESTS_ALONE, 0)
        return fits | self.by_people.get(rules.people[index], 0) if rule.together else fits


def pool_slices(
    rules: RuleIndex, shares: Iterable[tuple[int, int]], everywhere: int, *, guest: bool
) -> PoolSlices:
    """`shares`: rules in order of precedence, of which the first in each slice creates the pool if it is `together`."""
    by_pool: dict[int, int] = {}
    for index, slices in in_turn(shares):
        if rules.rules[index].together:
            first = rules.first[index]
            by_pool[first] = by_pool.get(first, 0) | slices
    pooled = union(by_pool.values())
    if guest and pooled != everywhere:
        by_pool[GUEST_POOL] = everywhere & ~pooled
        pooled = everywhere
    by_people: dict[int, int] = {}
    for pool, slices in by_pool.items():
        people = rules.people_of(pool)
        by_people[people] = by_people.get(people, 0) | slices
    return PoolSlices(by_pool, by_people, pooled, union(s for p, s in by_pool.items() if rules.has_guests(p)))


# --- contradictions ----------------------------------------------------------------------------


def conflicts(rules: RuleIndex, slices: ClassSlices, everywhere: int, *, guest: bool) -> Iterator[Conflict]:
    """Every finding about a single situation that this class meets, as `checks` names it."""
    in_force = slices.in_force
    shares = [(index, in_force[index]) for index in rules.of(Share, in_force)]
    yield from _both(rules, shares)
    for rivals in rules.rivals.values():
        applying = [(index, slices.applying[index]) for index in rivals if index in slices.applying]
        yield from _both(rules, applying)
    together = [(index, each) for index, each in shares if rules.rules[index].together]
    pools = pool_slices(rules, together, everywhere, guest=guest)
    yield from _credits_over_the_ratio(rules, pools, in_force, everywhere)
    floors = rules.of(Floor, in_force)
    limits = [index for index in rules.by_id if index in in_force and rules.limits[index] is not None]
    yield from _outside_pools(rules, pools, in_force)
    yield from _pools_without_lifelines(rules, pools, in_force, floors)
    yield from _below_lifeline(rules, pools, in_force, limits)
    for is_own in (True, False):
        level = [_at_level(rules, pools, in_force, each, is_own=is_own) for each in (floors, limits)]
        yield from _floors_above(rules, *level)


def _both(rules: RuleIndex, ordered: Iterable[tuple[int, int]]) -> Iterator[Conflict]:
    """E06: the first rule of each slice with each further one."""
    taken, firsts = 0, list[tuple[int, int]]()
    for index, slices in ordered:
        yield from _with_firsts(rules, firsts, index, slices & taken)
        if own := slices & ~taken:
            firsts.append((index, own))
            taken |= own


def _with_firsts(
    rules: RuleIndex, firsts: Iterable[tuple[int, int]], index: int, shared: int
) -> Iterator[Conflict]:
    for first, own in firsts:
        if not shared:
            return
        if slices := shared & own:
            early, late = sorted(
                (rules.rules[first], rules.rules[index]), key=lambda rule: (rule.line, rule.id)
            )
            yield ("E06", f"{early.id} {late.id}"), slices
            shared &= ~own


def _credits_over_the_ratio(
    rules: RuleIndex, pools: PoolSlices, in_force: Slices, everywhere: int
) -> Iterator[Conflict]:
    """W04: a share with its credits is more than the charter allows; named by the first of the credits."""
    credits_ = [(index, in_force[index]) for index in rules.of(Credit, in_force)]
    if not credits_:
        return
    own = everywhere & ~pools.pooled
    total = share_weights(rules, in_force, own)
    total.add(pools.pooled, SHARE_DEFAULT)
    for index, slices in credits_:
        total.add(slices, rules.weights[index])
    over = total.above(rules.cap, own) | total.above(
        SHARE_DEFAULT * rules.charter.max_weight_ratio, pools.pooled
    )
    for index, slices in in_turn(credits_):
        yield ("W04", rules.rules[index].id), slices & over


def share_weights(rules: RuleIndex, in_force: Slices, own: int, most: int = SHARE_MAX) -> SliceSums:
    """The share in each of the `own` slices, without credits and at most `most`: of the largest rule."""
    found = SliceSums()
    heaviest = sorted(rules.of(Share, in_force), key=lambda index: -rules.weights[index])
    for index, slices in in_turn((index, in_force[index] & own) for index in heaviest):
        found.add(slices, min(most, rules.weights[index]))
    found.add(own & ~union(in_force[index] for index in heaviest), rules.share_default)
    return found


def _outside_pools(rules: RuleIndex, pools: PoolSlices, in_force: Slices) -> Iterator[Conflict]:
    """E02: for a pool that is not there, or for one unit inside a pool."""
    for index, slices in in_force.items():
        rule = rules.rules[index]
        if isinstance(rule.effect, Floor | Ceiling) and (rule.together or isinstance(rule.effect, Floor)):
            wrong = slices & ~pools.fitting(index, rules)
            yield ("E02", rule.id), wrong if rule.together else wrong & pools.pooled


def _pools_without_lifelines(
    rules: RuleIndex, pools: PoolSlices, in_force: Slices, floors: Sequence[int]
) -> Iterator[Conflict]:
    """E03: a pool of households whose floor is less than their lifelines."""
    least = lifeline(rules.charter)
    for pool, slices in pools.by_pool.items():
        if rules.has_guests(pool):
            continue
        needed, down, up = rules.pool_lifeline(pool), 0, 0
        for index in floors:
            effect = rules.rules[index].effect
            if (
                rules.people[index] == rules.people[pool]
                and rules.rules[index].together
                and isinstance(effect, Floor)
            ):
                down |= in_force[index] if effect.rates.down >= needed.down else 0
                up |= in_force[index] if effect.rates.up >= needed.up else 0
        down = slices if least.down >= needed.down else down
        up = slices if least.up >= needed.up else up
        yield ("E03", rules.rules[pool].id), slices & ~(down & up)


def _below_lifeline(
    rules: RuleIndex, pools: PoolSlices, in_force: Slices, limits: Iterable[int]
) -> Iterator[Conflict]:
    """E03: a ceiling, or the consequence of a quota, below the lifeline that applies."""
    least = lifeline(rules.charter)
    for index in limits:
        rates, slices = rules.limits[index], in_force[index]
        fits = pools.fitting(index, rules) & slices
        low = 0
        if rates is not None and _is_below(rates, least):
            low |= slices & ~fits & ~pools.with_guests
        if rates is not None and _is_below(rates, CODE_LIFELINE):
            low |= slices & ~fits & pools.with_guests
        for pool, each in pools.by_pool.items() if fits else ():
            if fits & each and rates is not None and _is_below(rates, rules.pool_lifeline(pool)):
                low |= fits & each
        yield ("E03", rules.rules[index].id), low


def _is_below(rates: Rates, least: Rates) -> bool:
    return rates.down < least.down or rates.up < least.up


def _at_level(
    rules: RuleIndex, pools: PoolSlices, in_force: Slices, indexes: Iterable[int], *, is_own: bool
) -> dict[int, int]:
    """Where these rules are for each unit (`is_own`), or for its whole pool."""
    found = {}
    for index in indexes:
        fits = pools.fitting(index, rules)
        if left := in_force[index] & (~fits if is_own else fits):
            found[index] = left
    return found


def _floors_above(rules: RuleIndex, floors: Slices, limits: Slices) -> Iterator[Conflict]:
    """E05: a floor above a ceiling or above the consequence of a quota."""
    if not floors or not limits:
        return
    each = [(rates, slices) for index, slices in limits.items() if (rates := rules.limits[index]) is not None]
    down = Thresholds((rates.down, slices) for rates, slices in each)
    up = Thresholds((rates.up, slices) for rates, slices in each)
    for index, slices in floors.items():
        effect = rules.rules[index].effect
        if not isinstance(effect, Floor) or not slices & (
            down.below(effect.rates.down) | up.below(effect.rates.up)
        ):
            continue
        for other, theirs in limits.items():
            top = rules.limits[other]
            if theirs & slices and top is not None and _is_below(top, effect.rates):
                yield ("E05", f"{rules.rules[index].id} {rules.rules[other].id}"), theirs & slices


class Thresholds:
    """Sets of slices by a number each, and the union of those below a number."""

    def __init__(self, each: Iterable[tuple[int, int]]) -> None:
        ordered = sorted(each)
        self._numbers = [number for number, _ in ordered]
        self._unions = [0]
        for _, slices in ordered:
            self._unions.append(self._unions[-1] | slices)

    def below(self, number: int) -> int:
        return self._unions[bisect_left(self._numbers, number)]

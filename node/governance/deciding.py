"""In which slices of time a rule decides what a class of units gets, for all slices at once.

This says where `rule_evaluation.binding_rules` names the rule; the checks warn of a rule that decides nowhere (W02). A quota
decides if its consequence does, once it is used up. An effect unknown here counts as deciding wherever it is in force.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby

from node.governance.burst import Burst, peak
from node.governance.conflicts import GUESTS_ALONE, RuleIndex, Slices, Thresholds, pool_slices, share_weights
from node.governance.rule_evaluation import CODE_LIFELINE, Direction, lifeline, rate_in
from node.governance.rule_selection import kindness
from node.governance.rules import (
    SHARE_DEFAULT,
    Ceiling,
    Credit,
    DevicesLimit,
    Effect,
    Floor,
    Quota,
    Reserve,
    Rule,
    SessionLimit,
    Share,
    Who,
)
from node.governance.slices import ClassSlices, SliceSums, in_turn, union
from node.units import Rates, highest


@dataclass(frozen=True, slots=True)
class RateClaim:
    """Rule, rates, and the slices in which it claims them."""

    index: int
    rates: Rates
    slices: int
    burst: Burst | None = None


@dataclass(frozen=True, slots=True)
class Attained:
    """Where the rates of rules are the lowest, or highest, of all claims: in one direction at least, and in both."""

    one: Slices
    both: Slices

    def deciding(self) -> Slices:
        """If some rule sets both directions, the first of these decides, otherwise each that sets one."""
        set_by_one = union(self.both.values())
        first = dict(in_turn(self.both.items()))
        return {index: first.get(index, 0) | (slices & ~set_by_one) for index, slices in self.one.items()}


class ClassValues:
    """What one class of units gets in each slice of time, and which rules decide it."""

    def __init__(self, rules: RuleIndex, slices: ClassSlices, everywhere: int, *, guest: bool) -> None:
        self._rules, self._in_force, self._everywhere = rules, slices.in_force, everywhere
        heaviest = sorted(rules.of(Share, self._in_force), key=lambda index: -rules.weights[index])
        self._shares = dict(in_turn((index, self._in_force[index]) for index in heaviest))
        self.pools = pool_slices(rules, self._shares.items(), everywhere, guest=guest)
        self._least = lifeline(rules.charter)

    def deciding(self, wanted: Collection[int]) -> dict[int, int]:
        """The slices in which each of these rules decides."""
        groups: Mapping[type[Effect], Callable[[], Slices]] = {
            Share: lambda: self._shares,
            Credit: self._of_credits,
            Floor: self._of_floors,
            Reserve: self._of_floors,
            Ceiling: self._of_ceilings,
            SessionLimit: lambda: self._smallest((i, e.length) for i, e in self._with(SessionLimit)),
            DevicesLimit: lambda: self._smallest((i, e.count) for i, e in self._with(DevicesLimit)),
            Quota: lambda: self._of_quotas(wanted),
        }
        found: dict[int, int] = {}
        for kind in {type(self._rules.rules[index].effect) for index in wanted}:
            found |= groups[kind]() if kind in groups else self._in_force
        return {index: found.get(index, 0) for index in wanted}

    def _with[E: (Share, Credit, Floor, Ceiling, Quota, SessionLimit, DevicesLimit)](
        self, kind: type[E]
    ) -> list[tuple[int, E]]:
        """Rules with such an effect, by id."""
        found = ((index, self._rules.rules[index].effect) for index in self._rules.of(kind, self._in_force))
        return [(index, effect) for index, effect in found if isinstance(effect, kind)]

    def _smallest(self, limits: Iterable[tuple[int, int]]) -> Slices:
        ordered = sorted(limits, key=lambda each: each[1])
        return dict(in_turn((index, self._in_force[index]) for index, _ in ordered))

    # --- floors ---

    def _of_floors(self) -> Slices:
        pools, found = self.pools, dict[int, int]()
        floors = [RateClaim(i, effect.rates, self._in_force[i]) for i, effect in self._with(Floor)]
        where = [(None, self._everywhere & ~pools.pooled), *pools.by_people.items()]
        for people, slices in where:
            claims = [each for each in _within(floors, slices) if self._is_of(each.index, people)]
            for index, deciding in highest_of(claims, self._rules.least_floor(people)).deciding().items():
                found[index] = found.get(index, 0) | deciding
        for each in floors:
            # `binding_rules` has a floor that its pool cannot have; the checks refuse it.
            unfit = each.slices & pools.pooled & ~pools.fitting(each.index, self._rules)
            found[each.index] = found.get(each.index, 0) | unfit
        return found

    def floors(self, direction: Direction, people: int | None, within: int) -> Iterator[tuple[int, int]]:
        """The guaranteed rates, each with its slices, of units outside pools, or of the whole of a pool of these
        `people`; `within` slices where the class is there."""
        least = rate_in(direction, self._rules.least_floor(people))
        tops = [
            (max(least, rate_in(direction, each.rates)), each.slices)
            for each in self._ceilings(together=people is not None)
            if people in (None, self._rules.people[each.index])
        ]
        lower = Thresholds(tops)
        for rate, slices in self._highest(direction, people, within):
            cut = slices & lower.below(rate)
            if slices != cut:
                yield rate, slices & ~cut
            if cut:
                yield from (
                    (top, each)
                    for top, each in in_turn((top, each & cut) for top, each in sorted(tops))
                    if each
                )

    def _highest(self, direction: Direction, people: int | None, within: int) -> Iterator[tuple[int, int]]:
        """The highest floors, and the lifeline where there is none above it."""
        least = rate_in(direction, self._rules.least_floor(people))
        floors = [
            (rate, self._in_force[index] & within)
            for index, effect in self._with(Floor)
            if self._is_of(index, people) and (rate := rate_in(direction, effect.rates)) > least
        ]
        return in_turn([*sorted(floors, reverse=True), (least, within)])

    def _is_of(self, index: int, people: int | None) -> bool:
        """Whether a floor is for the whole of a pool of these people; of no pool (None) every floor is."""
        rule = self._rules.rules[index]
        return people in (None, GUESTS_ALONE) or (rule.together and self._rules.people[index] == people)

    # --- ceilings, and quotas that are used up ---

    def _of_ceilings(self) -> Slices:
        found = {i: self._in_force[i] for i, effect in self._with(Ceiling) if effect.rates is None}
        own, together = self._ceilings(together=False), self._ceilings(together=True)
        fitting = [replace(each, slices=each.slices & self._fitting(each.index)) for each in together]
        for claims, of_pools in ((own, False), (fitting, True)):
            raised, limiting = self._raised(claims, of_pools=of_pools), limiting_burst(claims)
            for index, deciding in lowest_of(claims).deciding().items():
                found[index] = (deciding | limiting.get(index, 0)) & ~raised
        # As with floors: beside a ceiling of the pool, `binding_rules` names one of another pool too.
        beside = union(each.slices for each in fitting)
        for each in together:
            found[each.index] |= each.slices & ~self._fitting(each.index) & beside
        return found

    def _ceilings(self, *, together: bool) -> list[RateClaim]:
        return [
            RateClaim(i, effect.rates, self._in_force[i], effect.burst)
            for i, effect in self._with(Ceiling)
            if effect.rates is not None and self._rules.rules[i].together == together
        ]

    def _fitting(self, index: int) -> int:
        return self.pools.fitting(index, self._rules)

    def _raised(self, ceilings: Sequence[RateClaim], *, of_pools: bool = False) -> int:
        """Where ceilings are below the lifeline in both directions: then none of them decides."""
        down = Thresholds((each.rates.down, each.slices) for each in ceilings)
        up = Thresholds((each.rates.up, each.slices) for each in ceilings)
        guests = self._rules.least_floor(GUESTS_ALONE) if of_pools else CODE_LIFELINE
        with_guests = down.below(guests.down) & up.below(guests.up) & self.pools.with_guests
        others = down.below(self._least.down) & up.below(self._least.up) & ~self.pools.with_guests
        return with_guests | others

    def _of_quotas(self, wanted: Collection[int]) -> Slices:
        own = self._ceilings(together=False)
        slowed = _Slowed(own, self._rules)
        found: dict[int, int] = {}
        for index, effect in self._with(Quota):
            if index not in wanted:
                continue
            slices = self._in_force[index]
            if isinstance(effect.then, Share):
                slices &= self._lowered_by(effect.then.weight)
            elif isinstance(effect.then, Ceiling) and effect.then.rates is not None:
                claim = RateClaim(index, effect.then.rates, slices)
                slices = slowed.by(claim) & ~self._raised([*own, claim])
            found[index] = slices
        return found

    # --- shares, and quotas that lower them ---

    @cached_property
    def _own(self) -> int:
        """The slices in which a unit has a share of its own."""
        return self._everywhere & ~self.pools.pooled

    @cached_property
    def _base(self) -> SliceSums:
        """The share without credits; in a pool the weight in it."""
        found = share_weights(self._rules, self._in_force, self._own, self._rules.cap)
        found.add(self.pools.pooled, SHARE_DEFAULT)
        return found

    @cached_property
    def _credited(self) -> SliceSums:
        """With credits, of which the charter may allow less."""
        found = SliceSums(self._base.planes)
        for index, effect in self._with(Credit):
            found.add(self._in_force[index], effect.weight)
        return found

    def _below_ratio(self, weight: int) -> int:
        """Where the charter allows more than this weight."""
        allowed = self._own if weight < self._rules.cap else 0
        if weight < SHARE_DEFAULT * self._rules.charter.max_weight_ratio:
            allowed |= self.pools.pooled
        return allowed

    def _of_credits(self) -> Slices:
        full = self._base.above(self._rules.cap - 1, self._own)
        if self._rules.charter.max_weight_ratio == 1:
            full |= self.pools.pooled
        return {index: self._in_force[index] & ~full for index, _ in self._with(Credit)}

    def _lowered_by(self, weight: int) -> int:
        """Where a used-up quota that leaves this weight lowers a share."""
        allowed = self._below_ratio(weight)
        return self._base.above(weight, self._everywhere) | self._credited.above(weight, allowed)


class _Slowed:
    """Where one more ceiling, the consequence of a quota, decides beside others."""

    def __init__(self, own: Sequence[RateClaim], rules: RuleIndex) -> None:
        self._rank = rules.rank
        self._down = Thresholds((each.rates.down, each.slices) for each in own)
        self._up = Thresholds((each.rates.up, each.slices) for each in own)
        self._bursts = union(each.slices for each in own if each.burst is not None)
        peaks = [(peak(each.rates, each.burst), each.slices) for each in own]
        self._peaks_down = Thresholds((rates.down, slices) for rates, slices in peaks)
        self._peaks_up = Thresholds((rates.up, slices) for rates, slices in peaks)
        self._equal: dict[Rates, list[RateClaim]] = {}
        # Where one of the others sets both directions, by its rate in one of them.
        self._both_down: dict[int, int] = {}
        self._both_up: dict[int, int] = {}
        both = lowest_of(own).both
        for each in own:
            self._equal.setdefault(each.rates, []).append(each)
            self._both_down[each.rates.down] = self._both_down.get(each.rates.down, 0) | both[each.index]
            self._both_up[each.rates.up] = self._both_up.get(each.rates.up, 0) | both[each.index]

    def by(self, claim: RateClaim) -> int:
        down = claim.slices & ~self._down.below(claim.rates.down)
        up = claim.slices & ~self._up.below(claim.rates.up)
        rank = self._rank[claim.index]
        before = union(e.slices for e in self._equal.get(claim.rates, ()) if self._rank[e.index] < rank)
        alone_down = down & ~up & ~self._both_down.get(claim.rates.down, 0)
        alone_up = up & ~down & ~self._both_up.get(claim.rates.up, 0)
        return (down & up & ~before) | alone_down | alone_up | self._less_burst(claim)

    def _less_burst(self, claim: RateClaim) -> int:
        """Where one of the others has a burst, of which this claim leaves nothing above its own rate."""
        down = ~self._peaks_down.below(claim.rates.down)
        up = ~self._peaks_up.below(claim.rates.up)
        return claim.slices & self._bursts & (down | up)


def lowest_of(claims: Sequence[RateClaim]) -> Attained:
    """The rates that no other claim is below."""
    down = _attained(claims, lambda each: each.rates.down)
    up = _attained(claims, lambda each: each.rates.up)
    return Attained(
        {each.index: down[each.index] | up[each.index] for each in claims},
        {each.index: down[each.index] & up[each.index] for each in claims},
    )


def limiting_burst(claims: Sequence[RateClaim]) -> Slices:
    """Where one of the ceilings has a burst: those with the lowest rate in a direction while it lasts, or with the
    shortest."""
    bursts = union(each.slices for each in claims if each.burst is not None)
    if not bursts:
        return {}
    peaks = lowest_of([replace(each, rates=peak(each.rates, each.burst)) for each in claims]).one
    lengths = [(each, each.burst.length) for each in claims if each.burst is not None]
    shorter, shortest = 0, dict[int, int]()
    for _, equal in groupby(sorted(lengths, key=lambda each: each[1]), lambda each: each[1]):
        here = [each for each, _ in equal]
        shortest |= {each.index: each.slices & ~shorter for each in here}
        shorter |= union(each.slices for each in here)
    return {index: bursts & (slices | shortest.get(index, 0)) for index, slices in peaks.items()}


def highest_of(claims: Sequence[RateClaim], least: Rates) -> Attained:
    """The rates that no other claim and not `least` is above."""
    down = _attained(claims, lambda each: -each.rates.down)
    up = _attained(claims, lambda each: -each.rates.up)
    one: dict[int, int] = {}
    both: dict[int, int] = {}
    for each in claims:
        index, rates = each.index, each.rates
        one[index] = (down[index] if rates.down > least.down else 0) | (
            up[index] if rates.up > least.up else 0
        )
        is_enough = rates == highest(rates, least) != least
        both[index] = down[index] & up[index] if is_enough else 0
    return Attained(one, both)


def _attained(claims: Sequence[RateClaim], rate: Callable[[RateClaim], int]) -> dict[int, int]:
    """Where no other claim has a lower rate."""
    found: dict[int, int] = {}
    lower = 0
    for _, equal in groupby(sorted(claims, key=rate), rate):
        each = list(equal)
        found |= {claim.index: claim.slices & ~lower for claim in each}
        lower |= union(claim.slices for claim in each)
    return found


def _within(claims: Iterable[RateClaim], slices: int) -> list[RateClaim]:
    return [replace(each, slices=each.slices & slices) for each in claims if each.slices & slices]


def deciding_instead(rule: Rule, rules: Iterable[Rule]) -> Rule | None:
    """The strictest rule with the same effect and a wider scope, which leaves `rule` without effect unless that is an
    exception to it; None without one, and for a rule that is an exception already."""
    if rule.exception_to is not None or isinstance(rule.effect, Quota | Share | Credit):
        return None
    scope = (rule.who, rule.when, rule.while_busy, rule.at)
    wider = [
        other
        for other in rules
        if type(other.effect) is type(rule.effect)
        and (other.who in {rule.who, Who(everyone=True)} and other.together == rule.together)
        and (other.when in {None, rule.when} and other.while_busy in {False, rule.while_busy})
        and other.at in {"", rule.at}
        and (other.who, other.when, other.while_busy, other.at) != scope
    ]
    if isinstance(rule.effect, Floor):
        found = max(wider, key=lambda other: (kindness(other), other.id), default=None)
        return found if found is not None and kindness(found) >= kindness(rule) else None
    found = min(wider, key=lambda other: (kindness(other), other.id), default=None)
    return found if found is not None and kindness(found) <= kindness(rule) else None

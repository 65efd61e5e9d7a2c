"""Runs the tests of a rule file, also those of everyone and of all times: ``given = "everyone, always, everyone busy"``.

Such a test is of every kind of person (`coverage.kinds`, and guests with a voucher of each group) in every slice of
time, the quotas that it names used up, and the uplink busy or not as it says. The values of a class of people are computed
for all slices at once; where one is not what the test expects, the evaluator of a running node decides, and gives the
example.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

from node.errors import Finding
from node.governance.allowance import Unit
from node.governance.burst import peak
from node.governance.conflicts import RuleIndex, share_weights
from node.governance.coverage import UnitKind, kinds, situation_words
from node.governance.deciding import ClassValues
from node.governance.fair_shares import Demand, fair_rates
from node.governance.ladders import with_steps
from node.governance.rule_evaluation import (
    CODE_LIFELINE,
    SESSION_MIN,
    Direction,
    Evaluator,
    rate_in,
)
from node.governance.rule_selection import RuleSelectors
from node.governance.rule_tests import (
    ALWAYS_TESTED,
    EVERYONE,
    Expectation,
    Given,
    ParsedTest,
    Tested,
    broken_claims,
    parse_test,
)
from node.governance.rules import (
    GUEST_TIER,
    LATE_DUES,
    Ceiling,
    Credit,
    DevicesLimit,
    Effect,
    Example,
    Floor,
    Quota,
    Rule,
    Ruleset,
    SessionLimit,
    Share,
    ShareLimit,
    burst_of,
    groups_of_the_roll,
)
from node.governance.slices import ClassSlices, SliceSums, TimeSlices, first_of, in_turn, members_of, union
from node.translator import LazyText, gettext_lazy
from node.units import AccountId, BitsPerSecond, Rates

STEPS_MAX = 500_000
"""Of all tests of a file together; some tenths of a second. Hundreds of rules at hundreds of hours can have more."""

_EFFECTS: Mapping[str, tuple[type[Effect], ...]] = {"session": (SessionLimit,), "devices": (DevicesLimit,)}
_OF_RATES: tuple[type[Effect], ...] = (Share, ShareLimit, Credit, Floor, Ceiling)

Values = list[tuple[int | None, int]]
"""Values, each with its slices; together all slices of a class. None: no limit."""
Selecting = tuple[int, bool]
"""A class of units: the rules that select them, as bit mask, and whether they are guests."""


class TooManySituations(Exception):
    """A test has more situations than are tested."""


class ExampleRun:
    """The tests of one ruleset; what several of them need is computed once."""

    def __init__(
        self,
        ruleset: Ruleset,
        units: Sequence[Unit],
        *,
        whole: Ruleset | None = None,
        steps_max: int = STEPS_MAX,
    ) -> None:
        """`units`: the member directory; empty when there is none. `whole`: all rules of the file, which tests may name,
        where the ruleset is of one of several lines."""
        self._ruleset, self._units, self._whole = ruleset, units, whole or ruleset
        self._evaluator = Evaluator(ruleset, lists_not_binding=False)
        self._kinds = (*kinds(ruleset, units), *_guests_with_vouchers(ruleset))
        self._steps = _Steps(steps_max)
        self._spaces: dict[tuple[type[Effect], ...], _Space] = {}

    def failure(self, example: Example) -> tuple[LazyText, LazyText] | None:
        """Why the test fails, and the fix; None when it passes."""
        test = parse_test(example, self._whole, self._units)
        if not isinstance(test, ParsedTest):
            return test
        given = test.given
        if given.uplink not in (None, self._ruleset.uplink_name):
            return None
        if given.unit is None or given.minute is None:
            return self._failure_among_many(test)
        broken = broken_claims(
            given.situation(given.unit, given.minute, given.node or ""),
            test.claims,
            self._evaluator,
            self._units,
        )
        if broken is None:
            return None
        message = gettext_lazy(
            "{given} does not get {expect}: {found}.",
            given=repr(example.given),
            expect=repr(example.expect),
            found=broken[0],
        )
        return message, broken[1]

    def _failure_among_many(self, test: ParsedTest) -> tuple[LazyText, LazyText] | None:
        given, example = test.given, test.example
        try:
            for kind, minute, node in self._failing(test):
                broken = broken_claims(
                    given.situation(kind.unit, minute, node), test.claims, self._evaluator, self._units
                )
                if broken is not None:
                    message = gettext_lazy(
                        "{given} does not get {expect}: {found} ({situation}).",
                        given=repr(example.given),
                        expect=repr(example.expect),
                        found=broken[0],
                        situation=partial(situation_words, kind, minute, given.busy, node=node),
                    )
                    return message, broken[1]
        except TooManySituations:
            message = gettext_lazy("{given} has more situations than are tested.", given=repr(example.given))
            fix = gettext_lazy(
                "write a day and an hour instead of {always}, or a tier or a group instead of {everyone}",
                always=ALWAYS_TESTED,
                everyone=EVERYONE,
            )
            return message, fix
        return None

    def _failing(self, test: ParsedTest) -> Iterator[tuple[UnitKind, int, str]]:
        for claim in test.claims:
            effects = _EFFECTS.get(claim.what, _OF_RATES)
            if effects not in self._spaces:
                rules = tuple(rule for rule in with_steps(self._ruleset).rules if _matters(rule, effects))
                self._steps.take(sum(10 * len(rule.when.spans) for rule in rules if rule.when is not None))
                ruleset = replace(self._ruleset, rules=rules)
                self._spaces[effects] = _Space(ruleset, self._kinds, self._units, self._steps)
            yield from self._spaces[effects].failing(claim, test.given)


def example_findings(ruleset: Ruleset, units: Sequence[Unit], whole: Ruleset | None = None) -> list[Finding]:
    """E12: a test in the file that fails or cannot be parsed; arguments as those of `ExampleRun`."""
    if not ruleset.examples:
        return []
    run = ExampleRun(ruleset, units, whole=whole)
    findings = []
    for example in ruleset.examples:
        failed = run.failure(example)
        if failed is not None:
            findings.append(Finding("E12", example.line, *failed))
    return findings


def _guests_with_vouchers(ruleset: Ruleset) -> Iterator[UnitKind]:
    """A voucher can have one group."""
    named = {name for rule in ruleset.rules for name in rule.who.groups | rule.who.excluded_groups}
    for group in sorted(named - {LATE_DUES}):
        yield UnitKind(Unit(AccountId(GUEST_TIER), GUEST_TIER, frozenset({group})), 0)


def _matters(rule: Rule, effects: tuple[type[Effect], ...]) -> bool:
    """Whether the rule has one of these effects, at once or when its quota is used up."""
    effect = rule.effect.then if isinstance(rule.effect, Quota) else rule.effect
    return isinstance(effect, effects)


class _Steps:
    """How much work is left."""

    def __init__(self, left: int) -> None:
        self._left = left

    def take(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise TooManySituations


@dataclass(frozen=True, slots=True)
class _Tested:
    """Kinds of units that the same rules select, and that take the place of the same others of the directory."""

    kind: UnitKind
    selecting: Selecting
    replacing: Selecting | None
    """Of which one less is on the uplink beside it."""


@dataclass(frozen=True, slots=True)
class _InSlice:
    """What a unit, or its pool, demands of the uplink."""

    demand: Demand
    pool: int | None
    lifeline: int
    """In a pool the one that each unit has of its own, or 0."""

    def together(self, count: int) -> Demand:
        """Of so many units in the pool."""
        return self.demand.with_lifelines(self.lifeline * count)


@dataclass(frozen=True)  # no slots: the hash is computed once
class _Others:
    """All others that use the uplink."""

    alone: frozenset[tuple[Demand, int]]
    """Demands, and how many have each."""
    pools: frozenset[tuple[_InSlice, int]]
    """How many are in each pool."""

    @cached_property
    def _hash(self) -> int:
        return hash((self.alone, self.pools))

    def __hash__(self) -> int:
        return self._hash


NO_OTHERS = _Others(frozenset(), frozenset())


class _Space:
    """All situations of the rules that matter for some claims."""

    def __init__(
        self, ruleset: Ruleset, among: Sequence[UnitKind], units: Sequence[Unit], steps: _Steps
    ) -> None:
        self._ruleset, self._kinds, self._steps = ruleset, among, steps
        self._numbers = {rule.id: index for index, rule in enumerate(ruleset.rules)}
        self._selectors = RuleSelectors(ruleset.rules)
        self._times = TimeSlices(ruleset.rules)
        self._index = RuleIndex(ruleset, lambda _: 1)
        self._there = {(unit.tier, unit.groups) for unit in units}
        self._counts: dict[Selecting, int] = {self._selecting(GUEST_TIER, frozenset()): 1}
        for unit in units:
            key = self._selecting(unit.tier, unit.groups)
            self._counts[key] = self._counts.get(key, 0) + 1
        self._rights: dict[tuple[Selecting, frozenset[int]], _ClassRights] = {}
        self._demands: dict[tuple[Selecting, frozenset[int], Direction], dict[int, _InSlice]] = {}
        self._others: dict[tuple[int, Direction], _Others] = {}
        self._distinct: dict[_Others, _Others] = {}
        self._rates: dict[tuple[_Others, Direction, _InSlice, _InSlice | None], BitsPerSecond] = {}

    def failing(self, claim: Expectation, given: Given) -> Iterator[tuple[UnitKind, int, str]]:
        """The kinds of units for which the claim is not met, each with the first such minute and node."""
        wanted = self._times.under(busy=given.busy, node=given.node)
        if given.minute is not None:
            wanted = self._times.at(given.minute, busy=given.busy, node=given.node or "")
        used = frozenset(self._numbers[name] for name in given.used if name in self._numbers)
        for tested in self._tested(given):
            failing = self._failing(claim, tested, used, wanted, busy=given.busy)
            if failing:
                number = first_of(failing)
                minute = self._times.moment(number)[0] if given.minute is None else given.minute
                yield tested.kind, minute, self._times.node(number) if given.node is None else given.node

    def _tested(self, given: Given) -> Iterable[_Tested]:
        among = self._kinds if given.unit is None else (UnitKind(given.unit, 1),)
        self._steps.take(len(among))
        found: dict[tuple[Selecting, Selecting | None], _Tested] = {}
        for kind in sorted(among, key=lambda kind: not (kind.count or kind.may_be)):
            selecting = self._selecting(kind.unit.tier, kind.unit.groups)
            paid = kind.unit.tier, groups_of_the_roll(kind.unit.groups)
            replacing = self._selecting(*paid) if paid in self._there else None
            found.setdefault((selecting, replacing), _Tested(kind, selecting, replacing))
        return found.values()

    def _selecting(self, tier: str, groups: frozenset[str]) -> Selecting:
        return self._selectors[tier, groups], tier == GUEST_TIER

    def _failing(
        self, claim: Expectation, tested: _Tested, used: frozenset[int], wanted: int, *, busy: bool
    ) -> int:
        """The slices in which the claim is not met; of rates at least the first of them."""
        if claim.what == "rate":
            return self._failing_rate(claim, tested, used, wanted, busy=busy)
        values = self._rights_of(tested.selecting, used).of_claim(claim)
        return union(slices for value, slices in values if not claim.is_met(value)) & wanted

    def _failing_rate(
        self, claim: Expectation, tested: _Tested, used: frozenset[int], wanted: int, *, busy: bool
    ) -> int:
        shaped, direction = self._ruleset.shaped, claim.direction or "down"
        if shaped is None:
            return wanted
        demands = self._demands_of(tested.selecting, direction, used)
        for number in members_of(wanted):
            self._steps.take(1)
            own, replaced = demands[number], None
            if busy and tested.replacing is not None:
                replaced = self._demands_of(tested.replacing, direction)[number]
            others = self._others_in(number, direction) if busy else NO_OTHERS
            key = (others, direction, own, replaced)
            if key not in self._rates:
                self._rates[key] = self._rate(others, own, replaced, rate_in(direction, shaped))
            if not claim.is_met(self._rates[key]):
                return 1 << number
        return 0

    def _rate(
        self, others: "_Others", own: _InSlice, replaced: _InSlice | None, capacity: BitsPerSecond
    ) -> BitsPerSecond:
        """Of one more unit, or of its pool, with one less of those that demand `replaced`."""
        counts = dict(others.alone)
        if replaced is not None and replaced.pool is None:
            counts[replaced.demand] -= 1
        beside = 0
        for each, in_pool in others.pools:
            count = in_pool - (replaced is not None and replaced.pool == each.pool)
            if each.pool == own.pool:
                beside = count
            elif count:
                demand = each.together(count)
                counts[demand] = counts.get(demand, 0) + 1
        self._steps.take(4 * len(counts))
        mine = own.together(beside + 1)
        return fair_rates([mine, *(d.times(n) for d, n in counts.items() if n)], capacity)[0]

    def _others_in(self, number: int, direction: Direction) -> "_Others":
        """What all of the directory and the guests demand in this slice."""
        key = (number, direction)
        if key not in self._others:
            self._steps.take(len(self._counts))
            alone: dict[Demand, int] = {}
            pools: dict[int, tuple[_InSlice, int]] = {}
            for selecting, count in self._counts.items():
                each = self._demands_of(selecting, direction)[number]
                if each.pool is None:
                    alone[each.demand] = alone.get(each.demand, 0) + count
                else:
                    pools[each.pool] = each, count + pools.get(each.pool, (each, 0))[1]
            found = _Others(frozenset(alone.items()), frozenset(pools.values()))
            self._others[key] = self._distinct.setdefault(found, found)
        return self._others[key]

    def _demands_of(
        self, selecting: Selecting, direction: Direction, used: frozenset[int] = frozenset()
    ) -> dict[int, _InSlice]:
        used = frozenset(index for index in used if selecting[0] >> index & 1)
        key = (selecting, used, direction)
        if key not in self._demands:
            self._steps.take(self._times.all.bit_length())
            found: dict[int, _InSlice] = {}
            for each, slices in self._rights_of(selecting, used).demands(direction):
                found |= dict.fromkeys(members_of(slices), each)
            self._demands[key] = found
        return self._demands[key]

    def _rights_of(self, selecting: Selecting, used: frozenset[int]) -> "_ClassRights":
        mask, guest = selecting
        used = frozenset(index for index in used if mask >> index & 1)
        if (selecting, used) not in self._rights:
            cost = 6 * (mask.bit_count() + 1) * (1 + self._times.all.bit_length() // 2048)
            self._steps.take(cost)
            slices = self._times.of_class(mask)
            used_up = {index: slices.in_force.get(index, 0) for index in used}
            self._rights[selecting, used] = _ClassRights(
                self._index, slices, self._times.all, used_up, lambda: self._steps.take(cost), guest=guest
            )
        return self._rights[selecting, used]


class _ClassRights:
    """What one class of units gets in each slice of time, with some quotas used up."""

    def __init__(
        self,
        rules: RuleIndex,
        slices: ClassSlices,
        everywhere: int,
        used: Mapping[int, int],
        count: Callable[[], None],
        *,
        guest: bool,
    ) -> None:
        """`used`: by the index of a used-up quota, the slices in which it has its consequence; `count` is called before
        each computation."""
        self._count, self._known = count, dict[tuple[str, Direction], Values]()
        self._rules, self._in_force, self._everywhere, self._used = rules, slices.in_force, everywhere, used
        self._values = ClassValues(rules, slices, everywhere, guest=guest)
        self._pools = self._values.pools
        self._alone = everywhere & ~self._pools.pooled

    def of_claim(self, claim: Expectation) -> Values:
        direction = claim.direction or "down"
        key = (claim.what, direction)
        if key not in self._known:
            self._count()
            self._known[key] = self._of(claim.what, direction)
        return self._known[key]

    def _of(self, what: Tested, direction: Direction) -> Values:
        if what == "share":
            return self._shares()
        if what == "floor":
            return self._floors(direction)
        if what in ("ceiling", "burst"):
            return self._own_ceilings(direction, self._everywhere, of_bursts=what == "burst")
        if what == "session":
            return self._smallest(SessionLimit, SESSION_MIN)
        return self._smallest(DevicesLimit, 1)

    def demands(self, direction: Direction) -> Iterator[tuple[_InSlice, int]]:
        self._count()
        shares, floors = self._shares(), self._floors(direction)
        tops: list[tuple[int | None, Values]] = [(None, self._own_ceilings(direction, self._alone))]
        tops += [(pool, self._pool_ceilings(direction, pool, at)) for pool, at in self._pools.by_pool.items()]
        for pool, ceilings in tops:
            people = None if pool is None else self._rules.people_of(pool)
            least = rate_in(direction, self._rules.least_floor(people))
            own = 0 if pool is None or self._rules.has_guests(pool) else least
            for ceiling, at in ceilings:
                for share, of_share in shares:
                    for floor, of_floor in floors if at & of_share else ():
                        if slices := at & of_share & of_floor:
                            demand = Demand(share or 1, floor or 0, ceiling, least)
                            yield _InSlice(demand, pool, own), slices

    def _shares(self) -> Values:
        rules = self._rules
        sums = share_weights(rules, self._in_force, self._alone, rules.cap)
        for index in rules.of(Credit, self._in_force):
            sums.add(self._in_force[index] & self._alone, rules.weights[index])
        values: Values = [(min(rules.cap, value), at) for value, at in _values_of(sums, self._alone)]
        for index, at in self._used.items():
            effect = rules.rules[index].effect
            if isinstance(effect, Quota) and isinstance(effect.then, Share):
                values = _at_most(values, max(1, effect.then.weight), at)
        for index in rules.of(ShareLimit, self._in_force):
            effect = rules.rules[index].effect
            if isinstance(effect, ShareLimit):
                values = _at_most(values, effect.weight, self._in_force[index])
        of_pools = share_weights(rules, self._in_force, self._pools.pooled, rules.cap)
        values += _values_of(of_pools, self._pools.pooled)
        return values

    def _floors(self, direction: Direction) -> Values:
        values: Values = list(self._values.floors(direction, None, self._alone))
        least = rate_in(direction, self._rules.least_floor(None))
        for rates, at in self._consequences():
            values = _at_most(values, max(least, rate_in(direction, rates)), at)
        for pool, at in self._pools.by_pool.items():
            values += self._values.floors(direction, self._rules.people_of(pool), at)
        return values

    def _own_ceilings(self, direction: Direction, within: int, *, of_bursts: bool = False) -> Values:
        """Of the units themselves, also in a pool; with `of_bursts` what they have for the first seconds."""
        claimed = (*self._ceilings(None, of_bursts=of_bursts), *self._consequences())
        tops = [(rates, at & within) for rates, at in claimed]
        with_guests = self._pools.with_guests
        values = _lowest(tops, direction, self._rules.least_floor(None), within & ~with_guests)
        return [*values, *_lowest(tops, direction, CODE_LIFELINE, within & with_guests)]

    def _pool_ceilings(self, direction: Direction, pool: int, within: int) -> Values:
        people = self._rules.people_of(pool)
        least = self._rules.least_floor(people)
        return _lowest(list(self._ceilings(people)), direction, least, within)

    def _ceilings(self, people: int | None, *, of_bursts: bool = False) -> Iterator[tuple[Rates, int]]:
        """Of the whole pool of these people, or of each unit (None)."""
        for index in self._rules.of(Ceiling, self._in_force):
            rule, rates = self._rules.rules[index], self._rules.limits[index]
            is_meant = not rule.together if people is None else rule.together
            if rates is not None and is_meant and people in (None, self._rules.people[index]):
                yield peak(rates, burst_of(rule) if of_bursts else None), self._in_force[index]

    def _consequences(self) -> Iterator[tuple[Rates, int]]:
        for index, at in self._used.items():
            rates = self._rules.limits[index]
            if rates is not None:
                yield rates, at

    def _smallest(self, kind: type[SessionLimit | DevicesLimit], least: int) -> Values:
        limits = []
        for index in self._rules.of(kind, self._in_force):
            effect = self._rules.rules[index].effect
            if isinstance(effect, SessionLimit | DevicesLimit):
                limits.append((effect.length if isinstance(effect, SessionLimit) else effect.count, index))
        values: Values = [
            (max(least, limit), at)
            for limit, at in in_turn((limit, self._in_force[index]) for limit, index in sorted(limits))
        ]
        return [*values, (None, self._everywhere & ~union(at for _, at in values))]


def _lowest(tops: Sequence[tuple[Rates, int]], direction: Direction, least: Rates, within: int) -> Values:
    """The lowest of these ceilings in each of the slices, but at least `least`."""
    ordered = sorted((rate_in(direction, rates), at & within) for rates, at in tops)
    bottom = rate_in(direction, least)
    values: Values = [(max(bottom, rate), at) for rate, at in in_turn(ordered)]
    return [*values, (None, within & ~union(at for _, at in values))]


def _at_most(values: Values, most: int, slices: int) -> Values:
    """The same values, but at most `most` in these slices."""
    lowered = union(at & slices for value, at in values if value is not None and value > most)
    return [*((value, at & ~lowered) for value, at in values), (most, lowered)]


def _values_of(sums: SliceSums, slices: int) -> list[tuple[int, int]]:
    found = [(0, slices)] if slices else []
    for place, plane in enumerate(sums.planes):
        found = [
            (value | bit << place, part)
            for value, at in found
            for bit, part in ((0, at & ~plane), (1, at & plane))
            if part
        ]
    return found

"""What each account may use now, and why: one function for enforcement, previews, tests and ``why``.

Units that the same rules are for, with the same exhausted quotas, have the same rights: they form one class. Rules are
evaluated once per class and time slice (`PolicySlice`); for each further account only its quotas are compared. Several
rules with the same effect are combined into one value with its reason; their order does not matter.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from operator import attrgetter
from typing import Literal

from node.accounting.ledger import Ledger, UsageBucket
from node.accounting.periods import SlidingDays, last_days, period_end, period_name
from node.governance.allowance import Allowance, Bound, Moment, QuotaLeft, Unit
from node.governance.combination import (
    Claim,
    WeightInPool,
    base_share,
    burst_above,
    credited_share,
    earliest,
    highest_floor,
    lowered_share,
    lowest_ceiling,
    smallest_limit,
    weight_in_pool,
)
from node.governance.ladders import with_steps
from node.governance.rule_selection import CLASSES_MAX, RuleSelectors, grounded, holding, in_force, selects
from node.governance.rules import (
    EQUAL_SHARE,
    EQUAL_SHARE_IN_CODE,
    GUEST_LIFELINE,
    GUEST_TIER,
    GUESTS,
    LIFELINE,
    LIFELINE_IN_CODE,
    ONLY_GUESTS,
    Ceiling,
    Charter,
    Counts,
    Credit,
    DevicesLimit,
    Effect,
    Floor,
    Quota,
    Rule,
    Ruleset,
    SessionLimit,
    Share,
    ShareLimit,
    UsageAlert,
)
from node.governance.sentences import (
    BUILT_IN,
    code_lifeline_sentence,
    equal_share_sentence,
    guest_lifeline_sentence,
    guests_share_sentence,
    lifeline_sentence,
    sentence,
)
from node.governance.slices import mask_of, members_of
from node.governance.times import MINUTES_PER_WEEK, civil_minute
from node.units import KILO, AccountId, BitsPerSecond, Bytes, Milliseconds, Rates, highest

Direction = Literal["down", "up"]

DIRECTIONS: tuple[Direction, ...] = ("down", "up")
CODE_LIFELINE = Rates(BitsPerSecond(64 * KILO), BitsPerSecond(32 * KILO))
"""No charter can go below this: enough for messages, mail and public services."""
SESSION_MIN = Milliseconds(30 * 60_000)
"""No rule can go below this: long enough to write a letter, and not to join again and again."""
_NONE: frozenset[str] = frozenset()


NO_DAYS: Mapping[str, date] = {}
COUNTED: Mapping[Counts, Callable[[UsageBucket], Bytes]] = {
    "uplink": attrgetter("uplink.total"),
    "uplink while busy": attrgetter("busy.total"),
}
"""What a quota counts of a usage bucket."""


@dataclass(frozen=True, slots=True)
class QuotaCounter:
    """A quota of a class: when it resets (None for the last days), and whether it has a consequence in this slice."""

    rule: Rule
    quota: Quota
    resets: datetime | None
    holds: bool


@dataclass(frozen=True, slots=True)
class CompiledRuleset:
    """A ruleset with everything that is computed from it once."""

    ruleset: Ruleset
    sentences: dict[str, str]
    cap: int
    selectors: RuleSelectors
    by_id: Mapping[str, Rule]
    lists_not_binding: bool
    has_quotas: bool
    lifeline: Bound[Rates]
    guest_lifeline: Bound[Rates]
    equal_share: Bound[int]
    guests_share: Bound[int]


class PolicySlice:
    """A part of one day in which no rule starts or ends, with the uplink busy or not, at one node. Cached values depend only
    on the arguments, so it is thread-safe."""

    def __init__(
        self, agreed: CompiledRuleset, minute: int | None, at: datetime, *, busy: bool, node: str = ""
    ) -> None:
        """`minute`: a civil minute; None while the clock is unknown."""
        self._agreed = agreed
        self.minute, self.at, self.busy = minute, at, busy
        # By the rules for the units of a class; guests are apart.
        self._counted: dict[int, tuple[QuotaCounter, ...]] = {}
        self._known: dict[tuple[int, bool, frozenset[str]], Allowance] = {}
        rules = agreed.ruleset.rules
        now = {rule.id for rule in holding(rules, minute, busy=busy, node=node)}
        self._here = mask_of(index for index, rule in enumerate(rules) if rule.at in ("", node))
        self._holding = mask_of(index for index, rule in enumerate(rules) if rule.id in now)
        self._ends: dict[str, datetime | None] = {}

    @property
    def rules_key(self) -> tuple[int, int, bool]:
        """Slices with the same one give the same unit the same rights and quotas, whose ends and resets may differ."""
        return self._here, self._holding, self.minute is None

    def allowance(self, unit: Unit, exhausted: frozenset[str]) -> Allowance:
        """What the class of `unit` may use when these quotas are exhausted; `quotas` is left empty."""
        key = (self._agreed.selectors[unit.tier, unit.groups], unit.tier == GUEST_TIER, exhausted)
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= CLASSES_MAX:
                self._known.clear()
            known = self._known[key] = self._combine(unit, exhausted)
        return known

    def counted(self, unit: Unit) -> tuple[QuotaCounter, ...]:
        """The quotas of the class of `unit`, by id, including those that only apply at other hours."""
        if not self._agreed.has_quotas:
            return ()
        key = self._agreed.selectors[unit.tier, unit.groups]
        known = self._counted.get(key)
        if known is None:
            if len(self._counted) >= CLASSES_MAX:
                self._counted.clear()
            known = self._counted[key] = self._count(unit)
        return known

    def until(self, rule: Rule) -> datetime | None:
        """When the rule's times, or its quota's period, end."""
        if rule.id not in self._ends:
            self._ends[rule.id] = self._end(rule)
        return self._ends[rule.id]

    def _end(self, rule: Rule) -> datetime | None:
        if self.minute is None:
            return None
        ends: list[datetime | None] = [self.resets(rule.effect)] if isinstance(rule.effect, Quota) else []
        if rule.when is not None and (left := rule.when.minutes_left(self.minute)) is not None:
            ends.append(self.at + timedelta(minutes=left))
        return earliest(ends)

    def resets(self, quota: Quota) -> datetime | None:
        """None while the clock is unknown, and for the last days: there it depends on the usage of each account."""
        if self.minute is None or isinstance(quota.period, SlidingDays):
            return None
        return period_end(quota.period, self.at)

    def _count(self, unit: Unit) -> tuple[QuotaCounter, ...]:
        selected, timely = self._selected(unit)
        now = {rule.id for rule in in_force(timely)}
        replaced = {rule.id for rule in timely} - now
        return tuple(
            QuotaCounter(
                rule, rule.effect, self.resets(rule.effect), rule.id in now and self.minute is not None
            )
            for rule in sorted(selected, key=lambda rule: rule.id)
            if isinstance(rule.effect, Quota)
            and (rule.id in now or (rule.exception_to is None and rule.id not in replaced))
        )

    def _selected(self, unit: Unit) -> tuple[list[Rule], tuple[Rule, ...]]:
        """The rules for the class of `unit` at this node, and those of them that apply now."""
        rules, selecting = (
            self._agreed.ruleset.rules,
            self._agreed.selectors[unit.tier, unit.groups],
        )
        selected = [rules[index] for index in members_of(selecting & self._here)]
        return selected, grounded(rules[index] for index in members_of(selecting & self._holding))

    def _combine(self, unit: Unit, exhausted: frozenset[str]) -> Allowance:
        selected, timely = self._selected(unit)
        rules = in_force(timely)
        used_up = [rule for rule in rules if rule.id in exhausted]
        base = self._base(unit, rules)
        pool = self._pool(unit, base)
        steps = [rule for rule in rules if isinstance(rule.effect, ShareLimit)]
        thens = self._claims([*used_up, *steps], _lowered_to)
        credits_ = self._claims(rules, lambda effect: effect.weight if isinstance(effect, Credit) else None)
        own = self._ceilings([r for r in rules if not r.together]) + self._consequences(used_up)
        inside = weight_in_pool(credits_, thens, self._agreed.ruleset.charter.max_weight_ratio)
        lifeline = self._agreed.lifeline
        if pool is None:
            ceiling = lowest_ceiling(own, lifeline)
            floor = highest_floor(self._floors(rules), lifeline, ceiling)
            share = lowered_share(credited_share(base, credits_, self._agreed.cap), thens)
            allowance = Allowance(share, floor, ceiling, lifeline=lifeline.value)
        elif pool_has_guests(pool):
            ceiling = lowest_ceiling(own, code_lifeline_bound())
            allowance = self._pooled(pool, base, inside, rules, ceiling)
        else:
            ceiling = lowest_ceiling(own, lifeline)
            allowance = self._pooled(pool, base, inside, rules, ceiling)
            allowance = replace(allowance, own_floor=lifeline)
        alerts = tuple(rule.id for rule in used_up if _is_alert(rule.effect))
        session, devices = self._session(rules), self._devices(rules)
        burst = burst_above(own, allowance.ceiling)
        allowance = replace(allowance, session=session, devices=devices, alerts=alerts, burst=burst)
        if not self._agreed.lists_not_binding:
            return allowance
        binding = binding_rules(rules, exhausted, allowance)
        silent = _silent(selected, binding)
        sentences = tuple(self._agreed.sentences[name] for name in silent)
        return replace(allowance, not_binding=sentences, not_binding_rules=silent)

    def _session(self, rules: Iterable[Rule]) -> Bound[Milliseconds] | None:
        claims = self._claims(
            rules, lambda effect: effect.length if isinstance(effect, SessionLimit) else None
        )
        return smallest_limit(claims, SESSION_MIN)

    def _devices(self, rules: Iterable[Rule]) -> Bound[int] | None:
        claims = self._claims(
            rules, lambda effect: effect.count if isinstance(effect, DevicesLimit) else None
        )
        return smallest_limit(claims, 1)

    def _base(self, unit: Unit, rules: Iterable[Rule]) -> Bound[int]:
        """The base share; without a share rule members are equal, and all guests together are one household."""
        agreed = self._agreed
        default = agreed.guests_share if unit.tier == GUEST_TIER else agreed.equal_share
        claims = self._claims(rules, lambda effect: effect.weight if isinstance(effect, Share) else None)
        return base_share(claims, default, agreed.cap)

    def _pool(self, unit: Unit, base: Bound[int]) -> Rule | str | None:
        """The rule that creates the unit's pool (the first in its chain of exceptions), `GUESTS`, or None."""
        by_id = self._agreed.by_id
        rule = by_id.get(base.rule)
        if rule is None or not rule.together:
            return GUESTS if unit.tier == GUEST_TIER else None
        while rule.exception_to is not None:
            rule = by_id[rule.exception_to]
        return rule

    def _pooled(
        self,
        pool: Rule | str,
        base: Bound[int],
        inside: "WeightInPool",
        rules: Iterable[Rule],
        ceiling: Bound[Rates] | None,
    ) -> Allowance:
        """A pool counts as one household, with a share, floor and ceiling of its own."""
        of_pool = [rule for rule in rules if is_of_pool(rule, pool)]
        lifeline = self._pool_lifeline(pool)
        ceilings = self._ceilings(of_pool)
        pool_ceiling = lowest_ceiling(ceilings, lifeline)
        reasons = inside.reasons
        share = Bound(
            base.value,
            base.rule,
            base.decision,
            " ".join([base.sentence, *(claim.sentence for claim in reasons)]),
            earliest([base.until, *(claim.until for claim in reasons)]),
            tuple(sorted({*base.also, *inside.also})),
            (*(base.reasons or (base.rule,)), *(claim.rule.id for claim in reasons)),
        )
        floor = highest_floor(self._floors(of_pool), lifeline, pool_ceiling)
        name = pool if isinstance(pool, str) else pool.id
        return Allowance(
            share,
            floor,
            ceiling,
            (),
            name,
            pool_ceiling,
            pool_burst=burst_above(ceilings, pool_ceiling),
            weight_in_pool=inside.weight,
            lifeline=lifeline.value,
        )

    def _pool_lifeline(self, pool: Rule | str) -> Bound[Rates]:
        """That of all guests, or of one household; each household of a pool also has its own (`Allowance.own_floor`)."""
        if pool_has_guests(pool):
            return self._agreed.guest_lifeline
        return self._agreed.lifeline

    def _ceilings(self, rules: Iterable[Rule]) -> list[Claim[Rates]]:
        return self._claims(rules, lambda effect: effect.rates if isinstance(effect, Ceiling) else None)

    def _consequences(self, used_up: Iterable[Rule]) -> list[Claim[Rates]]:
        return self._claims(used_up, _slowed_to)

    def _floors(self, rules: Iterable[Rule]) -> list[Claim[Rates]]:
        return self._claims(rules, lambda effect: effect.rates if isinstance(effect, Floor) else None)

    def _claims[V](self, rules: Iterable[Rule], says: Callable[[Effect], V | None]) -> list[Claim[V]]:
        """One claim for each rule for which `says` returns a value."""
        said = ((rule, says(rule.effect)) for rule in rules)
        return [
            Claim(rule, value, self._agreed.sentences[rule.id], self.until(rule))
            for rule, value in said
            if value is not None
        ]


class Evaluator:
    """Evaluates one ruleset for many accounts; caches the current time slice. Thread-safe."""

    def __init__(self, ruleset: Ruleset, *, lists_not_binding: bool = True) -> None:
        """Without `lists_not_binding`, allowances do not name the rules that change nothing: it takes less time."""
        self.ruleset = ruleset
        self._agreed = compile_ruleset(with_steps(ruleset), lists_not_binding=lists_not_binding)
        self._quotas = [(rule.id, rule.effect) for rule in ruleset.rules if isinstance(rule.effect, Quota)]
        self.depends_on_load = any(rule.while_busy for rule in ruleset.rules)
        """Whether any rule applies only while the uplink is busy."""
        self._edges = sorted({m for rule in ruleset.rules if rule.when for m in rule.when.boundaries()})
        # One tuple, replaced as a whole: threads with different moments never mix two slices.
        self._present: tuple[Moment | None, tuple[object, ...], PolicySlice | None] = (None, (), None)

    def evaluate(
        self,
        unit: Unit,
        moment: Moment,
        used: Mapping[str, Bytes],
        free_on: Mapping[str, date] = NO_DAYS,
    ) -> Allowance:
        """Everything about one account, including the usage of each quota. `used`: bytes counted in the current period, by
        the id of the quota rule; `free_on`: as the method of this name found."""
        cell = self._cell(moment)
        counted = cell.counted(unit)
        allowance = cell.allowance(unit, _exhausted(counted, used))
        if not counted:
            return allowance
        midnight = moment.at.replace(hour=0, minute=0, second=0, microsecond=0)
        free = {name: midnight + (day - midnight.date()) for name, day in free_on.items()}
        quotas = tuple(_quota_left(c, used, free) for c in counted)
        return replace(
            allowance,
            quotas=quotas,
            share=_until_free(allowance.share, free),
            ceiling=None if allowance.ceiling is None else _until_free(allowance.ceiling, free),
        )

    def policy_for(self, unit: Unit, moment: Moment, used: Mapping[str, Bytes]) -> Allowance:
        """As `evaluate` without `quotas`: the same object for all accounts of a class."""
        cell = self._cell(moment)
        return cell.allowance(unit, _exhausted(cell.counted(unit), used) if used else _NONE)

    def quotas_used(self, ledger: Ledger, account: AccountId, day: str) -> dict[str, Bytes]:
        """Usage in the period of `day`, in bytes, by the id of each quota rule; empty while the day is not known."""
        used: dict[str, Bytes] = {}
        for name, quota in self._quotas:
            if isinstance(quota.period, SlidingDays):
                periods = last_days(quota.period.days, day)
            else:
                periods = () if (period := period_name(quota.period, day)) is None else (period,)
            if periods:
                used[name] = Bytes(
                    sum([COUNTED[quota.counts](ledger.total(account, each)) for each in periods])
                )
        return used

    def free_on(self, ledger: Ledger, account: AccountId, day: str) -> dict[str, date]:
        """For each used-up quota of the last days: the first day on which enough is free again if nothing more is used."""
        free: dict[str, date] = {}
        for name, quota in self._quotas:
            if not isinstance(quota.period, SlidingDays):
                continue
            days = last_days(quota.period.days, day)
            used = [COUNTED[quota.counts](ledger.total(account, each)) for each in days]
            if days and sum(used) >= quota.volume:
                gone = next(n for n in range(1, len(days) + 1) if sum(used[n:]) < quota.volume)
                free[name] = date.fromisoformat(day) + timedelta(days=gone)
        return free

    @property
    def sliding_days(self) -> int:
        """How many last days the quotas and the triggers of ladders count at most; 1 where none does."""
        periods = [quota.period for _, quota in self._quotas]
        periods += [each.trigger.period for each in self.ruleset.ladders if each.trigger is not None]
        return max((period.days for period in periods if isinstance(period, SlidingDays)), default=1)

    def slice_at(self, moment: Moment) -> PolicySlice:
        """The same object as for the moment before while the same rules apply."""
        return self._cell(moment)

    def _cell(self, moment: Moment) -> PolicySlice:
        """The slice of `moment`, which depends on the hour, the day, the node, and the state of clock and uplink."""
        before, key_before, cell = self._present
        if moment is before and cell is not None:
            return cell
        at = moment.at.replace(second=0, microsecond=0)
        minute = None if moment.clock == "unknown" else civil_minute(at)
        busy = moment.busy and self.depends_on_load
        node = moment.node if moment.node in self.ruleset.nodes else ""
        key: tuple[object, ...] = (busy, node)
        if minute is not None:
            number = bisect_right(self._edges, minute % MINUTES_PER_WEEK)
            key = (busy, node, at.date(), number, at.tzinfo, at.utcoffset())
        if cell is None or key != key_before:
            cell = PolicySlice(self._agreed, minute, at, busy=busy, node=node)
        self._present = (moment, key, cell)
        return cell

    @property
    def slice_key(self) -> tuple[object, ...]:
        """Of the slice given last; slices with the same key have the same rules."""
        return self._present[1]


def _quota_left(counter: QuotaCounter, used: Mapping[str, Bytes], free: Mapping[str, datetime]) -> QuotaLeft:
    name, quota = counter.rule.id, counter.quota
    return QuotaLeft(
        name,
        quota.volume,
        used.get(name, Bytes(0)),
        counter.resets or free.get(name),
        isinstance(quota.then, UsageAlert),
        quota.period.days if isinstance(quota.period, SlidingDays) else None,
    )


def _until_free[V](bound: Bound[V], free: Mapping[str, datetime]) -> Bound[V]:
    """A limit by used-up quotas of the last days ends when enough is free again."""
    ends = [free[name] for name in bound.reasons or (bound.rule,) if name in free]
    return replace(bound, until=earliest([bound.until, *ends])) if ends else bound


def _exhausted(counted: tuple[QuotaCounter, ...], used: Mapping[str, Bytes]) -> frozenset[str]:
    """Ids of the quotas that are used up and have a consequence now."""
    if not counted:
        return _NONE
    return frozenset([c.rule.id for c in counted if c.holds and used.get(c.rule.id, 0) >= c.quota.volume])


def compile_ruleset(ruleset: Ruleset, *, lists_not_binding: bool = True) -> CompiledRuleset:
    sentences = {rule.id: sentence(rule, ruleset) for rule in ruleset.rules}
    return CompiledRuleset(
        ruleset,
        sentences,
        ruleset.share_cap,
        RuleSelectors(ruleset.rules),
        by_id={rule.id: rule for rule in ruleset.rules},
        lists_not_binding=lists_not_binding,
        has_quotas=any(isinstance(rule.effect, Quota) for rule in ruleset.rules),
        lifeline=lifeline_bound(ruleset),
        guest_lifeline=guest_lifeline_bound(ruleset),
        equal_share=equal_share_bound(ruleset),
        guests_share=guests_share_bound(ruleset),
    )


def _lowered_to(effect: Effect) -> int | None:
    """The share after a quota is exhausted, or in a step of a ladder."""
    if isinstance(effect, ShareLimit):
        return effect.weight
    return effect.then.weight if isinstance(effect, Quota) and isinstance(effect.then, Share) else None


def _slowed_to(effect: Effect) -> Rates | None:
    """The ceiling after a quota is exhausted."""
    return effect.then.rates if isinstance(effect, Quota) and isinstance(effect.then, Ceiling) else None


def _is_alert(effect: Effect) -> bool:
    """Whether it is a quota that limits nothing."""
    return isinstance(effect, Quota) and isinstance(effect.then, UsageAlert)


def _silent(selected: Iterable[Rule], binding: frozenset[str]) -> tuple[str, ...]:
    """Ids of rules that select the unit but do not affect its allowance; quotas are reported separately."""
    return tuple(sorted({r.id for r in selected if r.id not in binding and not isinstance(r.effect, Quota)}))


def binding_rules(rules: Iterable[Rule], exhausted: frozenset[str], found: Allowance) -> frozenset[str]:
    """Ids of the applying rules that affect `found`."""
    return frozenset(rule.id for rule in rules if _binds(rule, exhausted, found))


def _binds(rule: Rule, exhausted: frozenset[str], found: Allowance) -> bool:
    effect = rule.effect
    if isinstance(effect, Quota):
        if rule.id not in exhausted or isinstance(effect.then, UsageAlert):
            return rule.id in exhausted
        effect = effect.then
    if isinstance(effect, Share | ShareLimit | Credit):
        return rule.id not in found.share.also
    if isinstance(effect, Floor):
        return rule.id not in found.floor.also
    if isinstance(effect, SessionLimit):
        return found.session is not None and rule.id not in found.session.also
    if isinstance(effect, DevicesLimit):
        return found.devices is not None and rule.id not in found.devices.also
    if effect.rates is None:
        return True
    ceiling = found.pool_ceiling if rule.together else found.ceiling
    return ceiling is not None and rule.id not in ceiling.also


def pool_has_guests(pool: Rule | str) -> bool:
    """Whether all guests are in the pool."""
    return isinstance(pool, str) or selects(pool.who, GUEST_TIER, frozenset())


def is_of_pool(rule: Rule, pool: Rule | str) -> bool:
    """Whether a floor or ceiling is for the whole pool: same people, `together`.

    A floor for guests is always for all of them together: no uplink could guarantee one for any number of guests.
    """
    only_guests = isinstance(pool, str) or pool.who == ONLY_GUESTS
    if only_guests and isinstance(rule.effect, Floor):
        return True
    people = ONLY_GUESTS if isinstance(pool, str) else pool.who
    return rule.together and rule.who == people


def lifeline(charter: Charter) -> Rates:
    """The lifeline of a household: the charter's, but at least the one in code."""
    return highest(charter.lifeline, CODE_LIFELINE)


def guest_lifeline(charter: Charter) -> Rates:
    """The lifeline of all guests together: the charter's, but at least the one in code."""
    return highest(charter.guest_lifeline, CODE_LIFELINE)


def lifeline_bound(ruleset: Ruleset) -> Bound[Rates]:
    rates = lifeline(ruleset.charter)
    return Bound(rates, LIFELINE, ruleset.decision, lifeline_sentence(ruleset, rates))


def guest_lifeline_bound(ruleset: Ruleset) -> Bound[Rates]:
    rates = guest_lifeline(ruleset.charter)
    return Bound(
        rates, LIFELINE, ruleset.decision, guest_lifeline_sentence(ruleset, rates), reasons=(GUEST_LIFELINE,)
    )


def code_lifeline_bound() -> Bound[Rates]:
    return Bound(CODE_LIFELINE, LIFELINE, BUILT_IN, code_lifeline_sentence(), reasons=(LIFELINE_IN_CODE,))


def equal_share_bound(ruleset: Ruleset) -> Bound[int]:
    sentence_ = equal_share_sentence(ruleset)
    return Bound(ruleset.share_default, EQUAL_SHARE, BUILT_IN, sentence_, reasons=(EQUAL_SHARE_IN_CODE,))


def guests_share_bound(ruleset: Ruleset) -> Bound[int]:
    return Bound(
        ruleset.share_default, EQUAL_SHARE, BUILT_IN, guests_share_sentence(ruleset), reasons=(GUESTS,)
    )


def rate_in(direction: Direction, rates: Rates) -> BitsPerSecond:
    return rates.down if direction == "down" else rates.up

"""What each account may use now, and why: one function for enforcement, previews, tests and ``why``.

Units with the same tier, groups and exhausted quotas have the same rights: they form one class. Rules are evaluated
once per class and time slice (`PolicySlice`); for each further account only its quotas are compared. Several rules with
the same effect are combined into one value with its reason; their order does not matter.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from node.accounting.ledger import Ledger
from node.accounting.periods import period_end, period_name
from node.governance.allowance import Allowance, Bound, Moment, QuotaLeft, Unit
from node.governance.rules import (
    EQUAL_SHARE,
    EQUAL_SHARE_IN_CODE,
    GUEST_LIFELINE,
    GUEST_TIER,
    GUESTS,
    LIFELINE,
    LIFELINE_IN_CODE,
    ONLY_GUESTS,
    SHARE_DEFAULT,
    Ceiling,
    Charter,
    DevicesLimit,
    Effect,
    Floor,
    Quota,
    Rule,
    Ruleset,
    SessionLimit,
    Share,
    applying,
    in_force,
    is_meant_for,
    selects,
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
from node.governance.times import minute_of_week
from node.units import KILO, AccountId, BitsPerSecond, Bytes, Milliseconds, Rates, highest, lowest

Direction = Literal["down", "up"]

DIRECTIONS: tuple[Direction, ...] = ("down", "up")
CODE_LIFELINE = Rates(BitsPerSecond(64 * KILO), BitsPerSecond(32 * KILO))
"""No charter can go below this: enough for messages, mail and public services."""
SESSION_MIN = Milliseconds(30 * 60_000)
"""No rule can go below this: long enough to write a letter, and not to join again and again."""
CLASSES_MAX = 4096
"""Cached classes per slice; when there are more, the cache is cleared."""
_NONE: frozenset[str] = frozenset()


def evaluate(unit: Unit, moment: Moment, used: Mapping[str, Bytes], ruleset: Ruleset) -> Allowance:
    """What `unit` may use at `moment`. `used`: quota rule id to bytes counted in the current period."""
    return Evaluator(ruleset).evaluate(unit, moment, used)


def next_change(moment: Moment, ruleset: Ruleset) -> datetime | None:
    """When an allowance can next change because of time alone; None for never, and while the clock is unknown."""
    if moment.clock == "unknown":
        return None
    minute, at = minute_of_week(moment.at), moment.at.replace(second=0, microsecond=0)
    ends: list[datetime | None] = []
    for rule in ruleset.rules:
        if rule.when is not None and (left := rule.when.minutes_left(minute)) is not None:
            ends.append(at + timedelta(minutes=left))
        if isinstance(rule.effect, Quota):
            ends.append(period_end(rule.effect.period, at))
    return earliest(ends)


@dataclass(frozen=True, slots=True)
class QuotaCounter:
    """A quota of a class: when it resets, and whether it has a consequence in this slice."""

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


@dataclass(frozen=True, slots=True)
class Claim[V]:
    """The value of one rule for a ceiling, floor, share, session duration or number of devices."""

    rule: Rule
    value: V
    sentence: str
    until: datetime | None


class PolicySlice:
    """A part of one day in which no rule starts or ends. Cached values depend only on the arguments, so it is
    thread-safe."""

    def __init__(self, agreed: CompiledRuleset, minute: int | None, at: datetime) -> None:
        """`minute` of the week; None while the clock is unknown."""
        self._agreed = agreed
        self.minute, self.at = minute, at
        self._counted: dict[tuple[str, frozenset[str]], tuple[QuotaCounter, ...]] = {}
        self._known: dict[tuple[str, frozenset[str], frozenset[str]], Allowance] = {}

    def allowance(self, unit: Unit, exhausted: frozenset[str]) -> Allowance:
        """What the class of `unit` may use when these quotas are exhausted; `quotas` is left empty."""
        key = (unit.tier, unit.groups, exhausted)
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= CLASSES_MAX:
                self._known.clear()
            known = self._known[key] = self._combine(unit, exhausted)
        return known

    def counted(self, unit: Unit) -> tuple[QuotaCounter, ...]:
        """The quotas of the class of `unit`, by id, including those that only apply at other hours."""
        key = (unit.tier, unit.groups)
        known = self._counted.get(key)
        if known is None:
            if len(self._counted) >= CLASSES_MAX:
                self._counted.clear()
            known = self._counted[key] = self._count(unit)
        return known

    def until(self, rule: Rule) -> datetime | None:
        """When the rule's times, or its quota's period, end."""
        if self.minute is None:
            return None
        ends: list[datetime | None] = [self.resets(rule.effect)] if isinstance(rule.effect, Quota) else []
        if rule.when is not None and (left := rule.when.minutes_left(self.minute)) is not None:
            ends.append(self.at + timedelta(minutes=left))
        return earliest(ends)

    def resets(self, quota: Quota) -> datetime | None:
        return None if self.minute is None else period_end(quota.period, self.at)

    def _count(self, unit: Unit) -> tuple[QuotaCounter, ...]:
        selected = self._selected(unit)
        timely = applying(selected, self.minute)
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

    def _selected(self, unit: Unit) -> list[Rule]:
        return [rule for rule in self._agreed.ruleset.rules if is_meant_for(rule, unit.tier, unit.groups)]

    def _combine(self, unit: Unit, exhausted: frozenset[str]) -> Allowance:
        selected = self._selected(unit)
        rules = in_force(applying(selected, self.minute))
        used_up = [rule for rule in rules if rule.id in exhausted]
        base = self._base(unit, rules)
        pool = self._pool(unit, base)
        thens = self._claims(used_up, _lowered_to)
        own = self._ceilings([r for r in rules if not r.together]) + self._consequences(used_up)
        lifeline = lifeline_bound(self._agreed.ruleset)
        if pool is None:
            ceiling = lowest_ceiling(own, lifeline)
            floor = highest_floor(self._floors(rules), lifeline, ceiling)
            share = lowered_share(base, thens)
            allowance = Allowance(share, floor, ceiling, lifeline=lifeline.value)
        elif pool_has_guests(pool):
            ceiling = lowest_ceiling(own, code_lifeline_bound())
            allowance = self._pooled(pool, base, thens, rules, ceiling)
        else:
            ceiling = lowest_ceiling(own, lifeline)
            allowance = replace(self._pooled(pool, base, thens, rules, ceiling), own_floor=lifeline)
        allowance = replace(allowance, session=self._session(rules), devices=self._devices(rules))
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
        default = guests_share_bound if unit.tier == GUEST_TIER else equal_share_bound
        claims = self._claims(rules, lambda effect: effect.weight if isinstance(effect, Share) else None)
        return base_share(claims, default(self._agreed.ruleset), self._agreed.cap)

    def _pool(self, unit: Unit, base: Bound[int]) -> Rule | str | None:
        """The rule that creates the unit's pool (the first in its chain of exceptions), `GUESTS`, or None."""
        by_id = {rule.id: rule for rule in self._agreed.ruleset.rules}
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
        thens: list[Claim[int]],
        rules: Iterable[Rule],
        ceiling: Bound[Rates] | None,
    ) -> Allowance:
        """A pool counts as one household, with a share, floor and ceiling of its own."""
        of_pool = [rule for rule in rules if is_of_pool(rule, pool)]
        lifeline = self._pool_lifeline(pool)
        pool_ceiling = lowest_ceiling(self._ceilings(of_pool), lifeline)
        weight = min([SHARE_DEFAULT, *(claim.value for claim in thens)])
        reasons = [claim for claim in thens if claim.value == weight < SHARE_DEFAULT][:1]
        share = Bound(
            base.value,
            base.rule,
            base.decision,
            " ".join([base.sentence, *(claim.sentence for claim in reasons)]),
            earliest([base.until, *(claim.until for claim in reasons)]),
            tuple(sorted({*base.also, *(c.rule.id for c in thens)} - {c.rule.id for c in reasons})),
            (*(base.reasons or (base.rule,)), *(claim.rule.id for claim in reasons)),
        )
        floor = highest_floor(self._floors(of_pool), lifeline, pool_ceiling)
        name = pool if isinstance(pool, str) else pool.id
        return Allowance(share, floor, ceiling, (), name, pool_ceiling, weight, lifeline=lifeline.value)

    def _pool_lifeline(self, pool: Rule | str) -> Bound[Rates]:
        """That of all guests, or of one household; each household of a pool also has its own (`Allowance.own_floor`)."""
        if pool_has_guests(pool):
            return guest_lifeline_bound(self._agreed.ruleset)
        return lifeline_bound(self._agreed.ruleset)

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

    def __init__(self, ruleset: Ruleset) -> None:
        self.ruleset = ruleset
        self._agreed = compile_ruleset(ruleset)
        self._quotas = [(rule.id, rule.effect) for rule in ruleset.rules if isinstance(rule.effect, Quota)]
        self._edges = sorted({m for rule in ruleset.rules if rule.when for m in rule.when.boundaries()})
        # One tuple, replaced as a whole: threads with different moments never mix two slices.
        self._present: tuple[Moment | None, tuple[object, ...], PolicySlice | None] = (None, (), None)

    def evaluate(self, unit: Unit, moment: Moment, used: Mapping[str, Bytes]) -> Allowance:
        """Everything about one account, including the usage of each quota."""
        cell = self._cell(moment)
        counted = cell.counted(unit)
        allowance = cell.allowance(unit, _exhausted(counted, used))
        if not counted:
            return allowance
        none = Bytes(0)
        quotas = [QuotaLeft(c.rule.id, c.quota.volume, used.get(c.rule.id, none), c.resets) for c in counted]
        return replace(allowance, quotas=tuple(quotas))

    def policy_for(self, unit: Unit, moment: Moment, used: Mapping[str, Bytes]) -> Allowance:
        """As `evaluate` without `quotas`: the same object for all accounts of a class."""
        cell = self._cell(moment)
        return cell.allowance(unit, _exhausted(cell.counted(unit), used))

    def quotas_used(self, ledger: Ledger, account: AccountId, day: str) -> dict[str, Bytes]:
        """Usage in the period of `day`, in bytes, by the id of each quota rule; empty while the day is not known."""
        used: dict[str, Bytes] = {}
        for name, quota in self._quotas:
            period = period_name(quota.period, day)
            if period is not None:
                bucket = ledger.total(account, period)
                counted = bucket.busy if quota.counts == "uplink while busy" else bucket.uplink
                used[name] = counted.total
        return used

    def _cell(self, moment: Moment) -> PolicySlice:
        """The slice of `moment`, which depends on the hour, the day and the state of the clock."""
        before, key_before, cell = self._present
        if moment is before and cell is not None:
            return cell
        at = moment.at.replace(second=0, microsecond=0)
        minute = None if moment.clock == "unknown" else minute_of_week(at)
        key: tuple[object, ...] = ()
        if minute is not None:
            key = (at.date(), bisect_right(self._edges, minute), at.tzinfo, at.utcoffset())
        if cell is None or key != key_before:
            cell = PolicySlice(self._agreed, minute, at)
        self._present = (moment, key, cell)
        return cell


def _exhausted(counted: tuple[QuotaCounter, ...], used: Mapping[str, Bytes]) -> frozenset[str]:
    """Ids of the quotas that are used up and have a consequence now."""
    if not counted:
        return _NONE
    return frozenset([c.rule.id for c in counted if c.holds and used.get(c.rule.id, 0) >= c.quota.volume])


def compile_ruleset(ruleset: Ruleset) -> CompiledRuleset:
    return CompiledRuleset(ruleset, {r.id: sentence(r, ruleset) for r in ruleset.rules}, share_cap(ruleset))


def _lowered_to(effect: Effect) -> int | None:
    """The share after a quota is exhausted."""
    return effect.then.weight if isinstance(effect, Quota) and isinstance(effect.then, Share) else None


def _slowed_to(effect: Effect) -> Rates | None:
    """The ceiling after a quota is exhausted."""
    return effect.then.rates if isinstance(effect, Quota) and isinstance(effect.then, Ceiling) else None


def _silent(selected: Iterable[Rule], binding: frozenset[str]) -> tuple[str, ...]:
    """Ids of rules that select the unit but do not affect its allowance; quotas are reported separately."""
    return tuple(sorted({r.id for r in selected if r.id not in binding and not isinstance(r.effect, Quota)}))


def binding_rules(rules: Iterable[Rule], exhausted: frozenset[str], found: Allowance) -> frozenset[str]:
    """Ids of the applying rules that affect `found`."""
    return frozenset(rule.id for rule in rules if _binds(rule, exhausted, found))


def _binds(rule: Rule, exhausted: frozenset[str], found: Allowance) -> bool:
    effect = rule.effect
    if isinstance(effect, Quota):
        if rule.id not in exhausted:
            return False
        effect = effect.then
    if isinstance(effect, Share):
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
    return Bound(
        SHARE_DEFAULT, EQUAL_SHARE, BUILT_IN, equal_share_sentence(ruleset), reasons=(EQUAL_SHARE_IN_CODE,)
    )


def guests_share_bound(ruleset: Ruleset) -> Bound[int]:
    return Bound(SHARE_DEFAULT, EQUAL_SHARE, BUILT_IN, guests_share_sentence(ruleset), reasons=(GUESTS,))


def share_cap(ruleset: Ruleset) -> int:
    """The largest share that the charter's ratio allows: a multiple of the smallest, which is at most 100.

    A pool is one household of many people, so a small share of a pool does not lower the cap.
    """
    weights = [r.effect.weight for r in ruleset.rules if isinstance(r.effect, Share) and not r.together]
    return min([SHARE_DEFAULT, *weights]) * ruleset.charter.max_weight_ratio


def base_share(claims: Sequence[Claim[int]], default: Bound[int], cap: int) -> Bound[int]:
    """The one base share; of two, which the checks would refuse, the larger."""
    if not claims:
        return default
    first, *others = sorted(claims, key=lambda claim: (-claim.value, claim.rule.id))
    value = max(1, min(first.value, cap))
    return Bound(
        value, first.rule.id, first.rule.by, first.sentence, first.until, tuple(c.rule.id for c in others)
    )


def lowered_share(base: Bound[int], consequences: Sequence[Claim[int]]) -> Bound[int]:
    """The base share, or the smallest consequence of an exhausted quota if that is lower."""
    lowering = sorted((c for c in consequences if c.value < base.value), key=lambda c: (c.value, c.rule.id))
    if not lowering:
        return replace(base, also=_also(base, consequences))
    first, *others = lowering
    also = tuple(sorted({base.rule, *base.also, *(claim.rule.id for claim in others)} - {first.rule.id}))
    return Bound(max(1, first.value), first.rule.id, first.rule.by, first.sentence, first.until, also)


def lowest_ceiling(claims: Sequence[Claim[Rates]], least: Bound[Rates]) -> Bound[Rates] | None:
    """The lowest rate in each direction, but at least `least`; None without a limit."""
    if not claims:
        return None
    down, up = min(c.value.down for c in claims), min(c.value.up for c in claims)
    kept = Rates(max(down, least.value.down), max(up, least.value.up))
    setting = [c for c in claims if c.value.down == down or c.value.up == up]
    if kept.down != down and kept.up != up:
        also = tuple(sorted(claim.rule.id for claim in claims))
        return Bound(kept, least.rule, least.decision, least.sentence, None, also, least.reasons)
    return _bound(kept, setting, claims, lambda claim: claim.value == Rates(down, up))


def highest_floor(
    claims: Sequence[Claim[Rates]], lifeline: Bound[Rates], ceiling: Bound[Rates] | None
) -> Bound[Rates]:
    """The highest rate in each direction, at least the lifeline and at most the ceiling."""
    down = max([lifeline.value.down, *(c.value.down for c in claims)])
    up = max([lifeline.value.up, *(c.value.up for c in claims)])
    kept = Rates(down, up) if ceiling is None else lowest(Rates(down, up), ceiling.value)
    setting = [
        c
        for c in claims
        if (c.value.down == down > lifeline.value.down) or (c.value.up == up > lifeline.value.up)
    ]
    if not setting:
        also = tuple(sorted(claim.rule.id for claim in claims))
        return Bound(kept, lifeline.rule, lifeline.decision, lifeline.sentence, None, also, lifeline.reasons)
    return _bound(kept, setting, claims, lambda claim: claim.value == Rates(down, up))


def smallest_limit[N: int](claims: Sequence[Claim[N]], least: N) -> Bound[N] | None:
    """The smallest limit, but at least `least`; None without a limit."""
    if not claims:
        return None
    first, *others = sorted(claims, key=lambda claim: (claim.value, claim.rule.id))
    also = tuple(claim.rule.id for claim in others)
    return Bound(max(first.value, least), first.rule.id, first.rule.by, first.sentence, first.until, also)


def rate_in(direction: Direction, rates: Rates) -> BitsPerSecond:
    return rates.down if direction == "down" else rates.up


def earliest(ends: Sequence[datetime | None]) -> datetime | None:
    return min((end for end in ends if end is not None), default=None)


def _also(base: Bound[int], consequences: Sequence[Claim[int]]) -> tuple[str, ...]:
    return tuple(sorted({*base.also, *(claim.rule.id for claim in consequences)}))


def _bound(
    value: Rates,
    setting: list[Claim[Rates]],
    claims: Sequence[Claim[Rates]],
    sets_both: Callable[[Claim[Rates]], bool],
) -> Bound[Rates]:
    """If one rule sets both directions, it is the whole reason; otherwise the sentence names the rule of each
    direction."""
    ordered = sorted(setting, key=lambda claim: (not sets_both(claim), claim.rule.id))
    if sets_both(ordered[0]):
        ordered = ordered[:1]
    first = ordered[0]
    sentence = " ".join(claim.sentence for claim in ordered)
    until = earliest([claim.until for claim in ordered])
    also = tuple(sorted({claim.rule.id for claim in claims} - {claim.rule.id for claim in ordered}))
    reasons = tuple(claim.rule.id for claim in ordered)
    return Bound(value, first.rule.id, first.rule.by, sentence, until, also, reasons)

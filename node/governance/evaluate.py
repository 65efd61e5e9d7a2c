"""What each account may use now, and why: one function for enforcement, previews, tests and ``why``.

Units of the same tier and groups that have used up the same quotas have equal rights, so the rules are gone
through once for each such class; for every further account only its quotas are compared.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from node.accounting.periods import period_end
from node.governance import combine
from node.governance.allowance import Allowance, Bound, Moment, QuotaLeft, Unit
from node.governance.combine import Claim, WeightClaim
from node.governance.rules import (
    GUEST_TIER,
    GUESTS,
    SHARE_DEFAULT,
    Ceiling,
    Floor,
    Quota,
    Rule,
    Ruleset,
    Share,
)
from node.governance.selection import ONLY_GUESTS, applying, in_force, selects
from node.governance.sentences import sentence
from node.governance.times import minute_of_week
from node.units import Bytes, Rates

CLASSES_MAX = 4096
"""Classes remembered at one moment; with more of them the oldest are worked out anew."""

Counted = tuple[Rule, Quota, datetime | None, bool]
"""A quota of a class: rule, effect, when it resets, and whether its consequence holds at this hour."""
_ClassKey = tuple[str, frozenset[str]]


def evaluate(unit: Unit, moment: Moment, used: Mapping[str, Bytes], ruleset: Ruleset) -> Allowance:
    """What `unit` may use at `moment`. `used`: quota rule id to bytes in its current period, as it counts."""
    return Evaluator(ruleset).evaluate(unit, moment, used)


def next_change(moment: Moment, ruleset: Ruleset) -> datetime | None:
    """When an allowance may next change by time alone; None for never, and while the clock is unknown."""
    if moment.clock == "unknown":
        return None
    minute, at = minute_of_week(moment.at), _whole_minute(moment.at)
    ends: list[datetime | None] = []
    for rule in ruleset.rules:
        if rule.when is not None and (left := rule.when.minutes_left(minute)) is not None:
            ends.append(at + timedelta(minutes=left))
        if isinstance(rule.effect, Quota):
            ends.append(period_end(rule.effect.period, at))
    return combine.earliest(ends)


@dataclass(frozen=True, slots=True)
class _Cell:
    """A stretch of time in which no rule begins or ends: one day's part of one time cell of the week."""

    minute: int | None
    """None while the clock is unknown."""
    at: datetime

    def until(self, rule: Rule) -> datetime | None:
        """When the rule's own time, or its quota's period, ends."""
        if self.minute is None:
            return None
        ends: list[datetime | None] = [self.resets(rule.effect)] if isinstance(rule.effect, Quota) else []
        if rule.when is not None and (left := rule.when.minutes_left(self.minute)) is not None:
            ends.append(self.at + timedelta(minutes=left))
        return combine.earliest(ends)

    def resets(self, quota: Quota) -> datetime | None:
        return None if self.minute is None else period_end(quota.period, self.at)


class Evaluator:
    """Evaluates one ruleset for many accounts; remembers what it worked out for the present time cell."""

    def __init__(self, ruleset: Ruleset) -> None:
        self.ruleset = ruleset
        self._sentences = {rule.id: sentence(rule, ruleset) for rule in ruleset.rules}
        self._cap = combine.share_cap(ruleset)
        edges = {m for rule in ruleset.rules if rule.when for m in rule.when.boundaries()}
        self._edges = sorted(edges)
        self._moment: Moment | None = None
        self._cell_key: tuple[object, ...] = ()
        self._cell = _Cell(None, datetime.min)  # noqa: DTZ901 - never shown: the first call replaces it
        self._counted: dict[_ClassKey, tuple[Counted, ...]] = {}
        self._known: dict[tuple[str, frozenset[str], frozenset[str]], Allowance] = {}

    def evaluate(self, unit: Unit, moment: Moment, used: Mapping[str, Bytes]) -> Allowance:
        """Everything about one account, with what it has used of each quota."""
        allowance = self.standing(unit, moment, used)
        counted = self._counted[unit.tier, unit.groups]
        if not counted:
            return allowance
        quotas = tuple(
            QuotaLeft(r.id, q.volume, used.get(r.id, Bytes(0)), resets) for r, q, resets, _ in counted
        )
        return replace(allowance, quotas=quotas)

    def standing(self, unit: Unit, moment: Moment, used: Mapping[str, Bytes]) -> Allowance:
        """As `evaluate` without `quotas`: one and the same object for all accounts of equal standing."""
        if moment is not self._moment:
            self._turn_to(moment)
        counted = self._counted.get((unit.tier, unit.groups))
        if counted is None:
            counted = self._count(unit)
        exhausted = _NONE
        if counted:
            exhausted = frozenset(
                [r.id for r, quota, _, holds in counted if holds and used.get(r.id, 0) >= quota.volume]
            )
        known = self._known.get((unit.tier, unit.groups, exhausted))
        return known if known is not None else self._work_out(unit, exhausted)

    def _turn_to(self, moment: Moment) -> None:
        """Forget what was worked out when the time cell, the day or the trust in the clock is another one."""
        at = _whole_minute(moment.at)
        minute = None if moment.clock == "unknown" else minute_of_week(at)
        key: tuple[object, ...] = ()
        if minute is not None:
            key = (at.date(), bisect_right(self._edges, minute), at.tzinfo, at.utcoffset())
        if self._moment is None or key != self._cell_key:
            self._cell_key, self._cell = key, _Cell(minute, at)
            self._counted.clear()
            self._known.clear()
        self._moment = moment

    def _count(self, unit: Unit) -> tuple[Counted, ...]:
        if len(self._counted) >= CLASSES_MAX:
            self._counted.clear()
        selected = self._selected(unit)
        now = {rule.id for rule in in_force(applying(selected, self._cell.minute))}
        replaced = {rule.id for rule in applying(selected, self._cell.minute)} - now
        counted = tuple(
            (
                rule,
                rule.effect,
                self._cell.resets(rule.effect),
                rule.id in now and self._cell.minute is not None,
            )
            for rule in sorted(selected, key=lambda rule: rule.id)
            if isinstance(rule.effect, Quota)
            and (rule.id in now or (rule.exception_to is None and rule.id not in replaced))
        )
        self._counted[unit.tier, unit.groups] = counted
        return counted

    def _work_out(self, unit: Unit, exhausted: frozenset[str]) -> Allowance:
        if len(self._known) >= CLASSES_MAX:
            self._known.clear()
        allowance = self._combine(unit, exhausted)
        self._known[unit.tier, unit.groups, exhausted] = allowance
        return allowance

    def _selected(self, unit: Unit) -> list[Rule]:
        return [rule for rule in self.ruleset.rules if selects(rule.who, unit.tier, unit.groups)]

    def _combine(self, unit: Unit, exhausted: frozenset[str]) -> Allowance:
        selected = self._selected(unit)
        rules = in_force(applying(selected, self._cell.minute))
        used_up = [rule for rule in rules if rule.id in exhausted]
        base = self._base(unit, rules)
        pool = self._pool(unit, base)
        thens = [
            WeightClaim(r, r.effect.then.weight, self._sentences[r.id], self._cell.until(r))
            for r in used_up
            if isinstance(r.effect, Quota) and isinstance(r.effect.then, Share)
        ]
        own = self._ceilings([r for r in rules if not r.together]) + self._consequences(used_up)
        if pool is None:
            lifeline = combine.lifeline_bound(self.ruleset)
            ceiling = combine.lowest_ceiling(own, lifeline)
            floor = combine.highest_floor(self._floors(rules), lifeline, ceiling)
            allowance = Allowance(combine.lowered_share(base, thens), floor, ceiling)
        else:
            ceiling = combine.lowest_ceiling(own, combine.code_lifeline_bound())
            allowance = self._pooled(pool, base, thens, rules, ceiling)
        binding = binding_rules(rules, exhausted, allowance)
        return replace(allowance, not_binding=self._not_binding(selected, binding))

    def _base(self, unit: Unit, rules: Iterable[Rule]) -> Bound[int]:
        """The base share; people without a share rule are equal, guests without one are one household."""
        default = combine.guests_share_bound if unit.tier == GUEST_TIER else combine.equal_share_bound
        claims = [
            WeightClaim(rule, rule.effect.weight, self._sentences[rule.id], self._cell.until(rule))
            for rule in rules
            if isinstance(rule.effect, Share)
        ]
        return combine.base_share(claims, default(self.ruleset), self._cap)

    def _pool(self, unit: Unit, base: Bound[int]) -> Rule | str | None:
        """The rule that makes the unit's pool (the first in its chain of exceptions), `GUESTS`, or None."""
        by_id = {rule.id: rule for rule in self.ruleset.rules}
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
        thens: list[WeightClaim],
        rules: Iterable[Rule],
        ceiling: Bound[Rates] | None,
    ) -> Allowance:
        """A pool counts as one household: share, floor and one ceiling are its own."""
        of_pool = [rule for rule in rules if is_of_pool(rule, pool)]
        lifeline = self._pool_lifeline(pool)
        pool_ceiling = combine.lowest_ceiling(self._ceilings(of_pool), lifeline)
        weight = min([SHARE_DEFAULT, *(claim.weight for claim in thens)])
        reasons = [claim for claim in thens if claim.weight == weight < SHARE_DEFAULT][:1]
        share = Bound(
            base.value,
            base.rule,
            base.decision,
            " ".join([base.sentence, *(claim.sentence for claim in reasons)]),
            combine.earliest([base.until, *(claim.until for claim in reasons)]),
            tuple(sorted({*base.also, *(c.rule.id for c in thens)} - {c.rule.id for c in reasons})),
        )
        floor = combine.highest_floor(self._floors(of_pool), lifeline, pool_ceiling)
        name = pool if isinstance(pool, str) else pool.id
        return Allowance(share, floor, ceiling, (), name, pool_ceiling, weight)

    def _pool_lifeline(self, pool: Rule | str) -> Bound[Rates]:
        """The guests', or a household's; `checks` sees to it that a pool of households has one for each."""
        if pool_has_guests(pool):
            return combine.guest_lifeline_bound(self.ruleset)
        return combine.lifeline_bound(self.ruleset)

    def _ceilings(self, rules: Iterable[Rule]) -> list[Claim]:
        return [
            Claim(rule, rule.effect.rates, self._sentences[rule.id], self._cell.until(rule))
            for rule in rules
            if isinstance(rule.effect, Ceiling) and rule.effect.rates is not None
        ]

    def _consequences(self, used_up: Iterable[Rule]) -> list[Claim]:
        return [
            Claim(rule, rule.effect.then.rates, self._sentences[rule.id], self._cell.until(rule))
            for rule in used_up
            if isinstance(rule.effect, Quota)
            and isinstance(rule.effect.then, Ceiling)
            and rule.effect.then.rates is not None
        ]

    def _floors(self, rules: Iterable[Rule]) -> list[Claim]:
        return [
            Claim(rule, rule.effect.rates, self._sentences[rule.id], self._cell.until(rule))
            for rule in rules
            if isinstance(rule.effect, Floor)
        ]

    def _not_binding(self, selected: Iterable[Rule], binding: frozenset[str]) -> tuple[str, ...]:
        """Sentences of rules that select the unit and have no part in what it gets; quotas show themselves."""
        silent = {r.id for r in selected if r.id not in binding and not isinstance(r.effect, Quota)}
        return tuple(self._sentences[name] for name in sorted(silent))


def binding_rules(rules: Iterable[Rule], exhausted: frozenset[str], found: Allowance) -> frozenset[str]:
    """Ids of the rules in force that have a part in `found`."""
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
    if effect.rates is None:
        return True
    ceiling = found.pool_ceiling if rule.together else found.ceiling
    return ceiling is not None and rule.id not in ceiling.also


def pool_has_guests(pool: Rule | str) -> bool:
    """Whether all guests are in the pool."""
    return isinstance(pool, str) or selects(pool.who, GUEST_TIER, frozenset())


def is_of_pool(rule: Rule, pool: Rule | str) -> bool:
    """Whether a floor or ceiling is for the whole pool: it selects the same people, together.

    A floor for guests is always for all of them together: no line has one for any number of guests.
    """
    only_guests = isinstance(pool, str) or pool.who == ONLY_GUESTS
    if only_guests and isinstance(rule.effect, Floor):
        return True
    people = ONLY_GUESTS if isinstance(pool, str) else pool.who
    return rule.together and rule.who == people


_NONE: frozenset[str] = frozenset()


def _whole_minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)

"""What a change of the rules changes, for which people and when: both rulesets are evaluated in every situation.

The situations are finite. People who have the same rules form one class, and minutes of the week with the same
rules one slot, while the uplink is busy or not, at each node that a rule names and at one that none does; a node that does
not know the time is one more slot. Used-up quotas need no situations of their own: what they leave depends only on the
quotas in force and on what the account has otherwise, and both are compared. So if no difference is found, there is none.

Names, decisions and reasons of rules, comments, tests and order change nothing that anybody can do.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal, get_args

from node.governance.agreement_terms import Term, changed_terms
from node.governance.allowance import Allowance, Bound, Moment, Unit
from node.governance.burst import Burst
from node.governance.coverage import is_in_variant, variants
from node.governance.people import Group, People, PeopleKind
from node.governance.rule_evaluation import Evaluator, guest_lifeline, lifeline
from node.governance.rule_selection import RuleSelectors, applying, in_force
from node.governance.rule_tests import moment_at
from node.governance.rules import GUEST_TIER, Ceiling, Quota, Rule, Ruleset, essence
from node.governance.slices import mask_of
from node.governance.timeline import NEVER, Span, Timeline, example_minute
from node.governance.times import ALWAYS, Times
from node.governance.uplink_changes import on_each_uplink
from node.units import AccountId, BitsPerSecond, Milliseconds, Rates

EVALUATIONS_MAX = 3_000
"""Of both rulesets together; two files of 200 unrelated rules each can need more, and then the comparison is incomplete."""
COMPARISONS_MAX = 60_000
"""Of what one class of people has in one slot, before and after: rules with hundreds of different dates can need more."""


SLOTS_MAX = 40_000
"""Times with different rules, at each node that rules name; two files with hundreds of times and different nodes can have
more."""

Aspect = Literal[
    "ceiling", "burst", "pool_ceiling", "pool_burst", "guarantee", "share", "weight", "quotas", "session", "devices"
]  # fmt: skip
ASPECTS: tuple[Aspect, ...] = get_args(Aspect)
_SHARED: frozenset[Aspect] = frozenset({"share", "guarantee", "pool_ceiling", "pool_burst"})
"""Guests have these all together, whatever their groups."""


@dataclass(frozen=True, slots=True)
class PoolShare:
    """A weight, and the people who share it; None for an account that has it alone."""

    weight: int
    pool: Group | None


@dataclass(frozen=True, slots=True)
class Direct:
    """Rates in the directions that differ; None in one that is the same before and after."""

    down: BitsPerSecond | None
    up: BitsPerSecond | None
    together: bool = False
    """Of all people of the pool together."""


Value = PoolShare | Direct | Burst | frozenset[Quota] | Milliseconds | int | None


@dataclass(frozen=True, slots=True)
class EntitlementChange:
    """One value that differs, for all people and times for which it differs in the same way."""

    aspect: Aspect
    before: Value
    after: Value
    people: Group
    accounts: int
    """How many of the member directory."""
    times: Times | None
    """None: always."""
    is_on_some_days: bool
    """Whether it differs on some of the days of `times` only, too many to list."""
    clock_unknown: bool
    """Whether it also differs while the node does not know the time."""
    busy: bool | None
    """True: only while the uplink is busy; False: only while it is not; None: then and then."""
    nodes: tuple[str, ...] | None
    """Names of the only nodes at which it differs, empty for those that no rule names; None: at all."""
    uplinks: tuple[str, ...] | None
    """Names of the only lines on which it differs; None: on all."""
    account: AccountId | None
    """One of the accounts, as an example; None for guests, and when there is none."""
    minute: int | None
    """A civil minute, as an example; None when it differs only while the node does not know the time."""
    rules_before: tuple[str, ...]
    """Ids of the rules that set the value."""
    rules_after: tuple[str, ...]

    @property
    def is_of_rates(self) -> bool:
        """Whether only the rates differ, not whether there is a limit or guarantee, and of which people."""
        old, new = self.before, self.after
        return isinstance(old, Direct) and isinstance(new, Direct) and old.together == new.together

    @property
    def has_guests(self) -> bool:
        return any(tier == GUEST_TIER for tier, _ in self.people.combinations)


@dataclass(frozen=True, slots=True)
class ChangeImpact:
    """The complete difference of two rulesets in what people have."""

    before: Ruleset
    after: Ruleset
    terms: tuple[Term, ...]
    """Parts of the agreement that differ for everybody."""
    changes: tuple[EntitlementChange, ...]
    accounts: int
    """In the member directory."""
    is_complete: bool = True
    """False when there are more situations than are compared."""

    @property
    def is_nothing(self) -> bool:
        """Nobody has anything else than before, at no time."""
        return self.is_complete and not self.terms and not self.changes

    @property
    def is_for_nobody_now(self) -> bool:
        """Only people would have anything else who are not in the member directory, and who are no guests."""
        is_certain = self.is_complete and self.accounts > 0 and not self.terms
        return is_certain and not any(each.accounts or each.has_guests for each in self.changes)


def change_impact(
    before: Ruleset,
    after: Ruleset,
    units: Sequence[Unit] = (),
    *,
    evaluations_max: int = EVALUATIONS_MAX,
    comparisons_max: int = COMPARISONS_MAX,
    slots_max: int = SLOTS_MAX,
) -> ChangeImpact:
    """Compares two rulesets. `units`: the member directory; empty when it is not known."""
    limits = evaluations_max, comparisons_max, slots_max
    lines, is_complete = on_each_uplink(before, after, lambda old, new: _changes(old, new, units, limits))
    changes = tuple(sorted((replace(each, uplinks=names) for each, names in lines.items()), key=_place))
    terms = changed_terms(before, after)
    return ChangeImpact(before, after, terms, changes, len(units), is_complete)


def _changes(
    before: Ruleset, after: Ruleset, units: Sequence[Unit], limits: tuple[int, int, int]
) -> tuple[tuple[EntitlementChange, ...], bool]:
    """All changes, and whether they are complete."""
    essences = [set(map(essence, ruleset.rules)) for ruleset in (before, after)]
    if essences[0] == essences[1] and _rights(before) == _rights(after):
        return (), True
    evaluations_max, comparisons_max, slots_max = limits
    comparison = _Comparison(before, after, units, slots_max)
    differences = comparison.differences(evaluations_max, comparisons_max)
    changes = [change for each in differences for change in comparison.changes(each)]
    return tuple(changes), comparison.is_complete


def _place(change: EntitlementChange) -> tuple[int, int, str]:
    return ASPECTS.index(change.aspect), change.minute or 0, str(change.people)


@dataclass(frozen=True, slots=True)
class _Class:
    """Kinds of people who have the same rules of both rulesets."""

    unit: Unit
    selected: int
    """Bit mask of these rules."""
    kinds: frozenset[int]
    accounts: tuple[AccountId, ...]
    examples: tuple[AccountId, ...]
    """Those of `accounts` that are of these kinds without late dues."""
    exists: bool
    is_late: bool
    """Whether the dues of all these people are late."""

    @property
    def is_guest(self) -> bool:
        return self.unit.tier == GUEST_TIER


@dataclass(frozen=True, slots=True)
class _Slot:
    """All minutes in which the same rules hold; no minute while the time is unknown."""

    holding: int
    """Bit mask of these rules."""
    moment: Moment
    minute: int | None
    """The first of these civil minutes."""
    spans: frozenset[Span]
    busy: bool | None
    """Whether the uplink is busy; None where no rule depends on it."""
    node: str
    """Empty for one that no rule names."""


@dataclass(frozen=True, slots=True)
class _Entitlement:
    """What one class has in one slot, and the rules behind each value."""

    share: int
    weight_in_pool: int
    pool: str | None
    guarantee: Rates | None
    """None: the lifeline only."""
    ceiling: Rates | None
    pool_ceiling: Rates | None
    burst: Burst | None
    pool_burst: Burst | None
    quotas: frozenset[Quota]
    session: Milliseconds | None
    devices: int | None
    rules: Mapping[Aspect, tuple[str, ...]]


@dataclass(slots=True)
class _Difference:
    """A value that differs in one way, and the slots in which it does, by class."""

    aspect: Aspect
    before: Value
    after: Value
    slots_of: dict[int, set[int]]


class _Side:
    """One of the two rulesets, evaluated once for each set of applying rules."""

    def __init__(self, ruleset: Ruleset, bits: Mapping[Rule, int]) -> None:
        """`bits`: the bit of each rule of both rulesets that is not the same in all that matters."""
        self.ruleset, self.evaluator = ruleset, Evaluator(ruleset, lists_not_binding=False)
        self.mask = mask_of(bits[essence(rule)] for rule in ruleset.rules)
        self._rules = [(rule, 1 << bits[essence(rule)]) for rule in ruleset.rules]
        self._known: dict[tuple[bool, bool, bool | None, int], _Entitlement] = {}
        pools = [rule for rule in ruleset.rules if rule.together and rule.who.tiers != {GUEST_TIER}]
        self.has_pools = bool(pools)
        """Whether others than guests can share together."""

    @property
    def evaluations(self) -> int:
        return len(self._known)

    def entitlement(self, people: _Class, slot: _Slot) -> _Entitlement:
        applying_rules = people.selected & slot.holding & self.mask
        key = (people.is_guest, slot.minute is None, slot.busy, applying_rules)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._evaluated(people, slot, applying_rules)
        return known

    def _evaluated(self, people: _Class, slot: _Slot, mask: int) -> _Entitlement:
        found = self.evaluator.policy_for(people.unit, slot.moment, {})
        selected = [rule for rule, bit in self._rules if mask & bit]
        rules = in_force(applying(selected, slot.minute, busy=slot.moment.busy, node=slot.node))
        # While the time is unknown, quotas have no consequence.
        quotas = [rule for rule in rules if isinstance(rule.effect, Quota) and slot.minute is not None]
        return _Entitlement(
            share=found.share.value,
            weight_in_pool=found.weight_in_pool,
            pool=found.pool,
            guarantee=None if found.floor.value == found.lifeline else found.floor.value,
            ceiling=_value(found.ceiling),
            pool_ceiling=_value(found.pool_ceiling),
            burst=found.burst,
            pool_burst=found.pool_burst,
            quotas=frozenset(rule.effect for rule in quotas if isinstance(rule.effect, Quota)),
            session=_value(found.session),
            devices=_value(found.devices),
            rules=self._reasons(found, rules),
        )

    def _reasons(self, found: Allowance, rules: Sequence[Rule]) -> Mapping[Aspect, tuple[str, ...]]:
        named = {rule.id for rule in self.ruleset.rules}
        bounds: dict[Aspect, Bound[int] | Bound[Rates] | Bound[Milliseconds] | None] = {
            "share": found.share,
            "weight": found.share,
            "guarantee": found.floor,
            "ceiling": found.ceiling,
            "pool_ceiling": found.pool_ceiling,
            "burst": found.ceiling,
            "pool_burst": found.pool_ceiling,
            "session": found.session,
            "devices": found.devices,
        }
        quotas = tuple(rule.id for rule in rules if isinstance(rule.effect, Quota))
        lifted = tuple(rule.id for rule in rules if rule.effect == Ceiling(None))
        reasons: dict[Aspect, tuple[str, ...]] = {"quotas": quotas}
        for aspect, bound in bounds.items():
            names = () if bound is None else bound.reasons or (bound.rule,)
            reasons[aspect] = tuple(name for name in names if name in named)
        if found.ceiling is None:
            reasons["ceiling"] = lifted
        return reasons


class _Comparison:
    """Both rulesets in every situation."""

    def __init__(self, before: Ruleset, after: Ruleset, units: Sequence[Unit], slots_max: int) -> None:
        rules = [*before.rules, *after.rules]
        bits = {rule: bit for bit, rule in enumerate(dict.fromkeys(map(essence, rules)))}
        self._before, self._after = _Side(before, bits), _Side(after, bits)
        self._people = People(before, after, units)
        self._classes = _classes(self._people.kinds, bits)
        self._timeline = Timeline([rule.when for rule in bits])
        self._slots = tuple(islice(_slots(bits, self._timeline), slots_max))
        self._nodes = len({slot.node for slot in self._slots})
        self._pools: dict[tuple[bool, int, str], frozenset[int]] = {}
        self._groups: dict[tuple[frozenset[int], bool], Group] = {}
        self._own_differences: dict[tuple[int, int], tuple[tuple[Aspect, Value, Value], ...]] = {}
        """By the identities of two entitlements, which both sides keep."""
        self._is_settled_by_rules = _rights(before) == _rights(after) and not (
            self._before.has_pools or self._after.has_pools
        )
        self.is_complete = self._timeline.is_complete and len(self._slots) < slots_max

    def differences(self, evaluations_max: int, comparisons_max: int) -> list[_Difference]:
        found: dict[tuple[Aspect, Value, Value], _Difference] = {}
        comparisons = 0
        for slot in range(len(self._slots)):
            evaluations = self._before.evaluations + self._after.evaluations
            if evaluations > evaluations_max or comparisons > comparisons_max:
                self.is_complete = False
                break
            for number in self._unsettled(self._slots[slot]):
                comparisons += 1
                for key in self._differing(number, slot):
                    difference = found.setdefault(key, _Difference(*key, {}))
                    difference.slots_of.setdefault(number, set()).add(slot)
        return list(found.values())

    def _unsettled(self, slot: _Slot) -> Iterable[int]:
        """The classes that could differ: not those with the same rules, unless others may have left their pool. Nobody is
        late while the time is unknown."""
        for number, people in enumerate(self._classes):
            if people.is_late and slot.minute is None:
                continue
            now = people.selected & slot.holding
            if not self._is_settled_by_rules or now & self._before.mask != now & self._after.mask:
                yield number

    def _differing(self, number: int, slot: int) -> Iterable[tuple[Aspect, Value, Value]]:
        old, new = self._entitlements(number, slot)
        # Many classes have the same in many slots.
        known = self._own_differences.get((id(old), id(new)))
        if known is None:
            known = self._own_differences[id(old), id(new)] = _own_differences(old, new)
        yield from known
        if old.pool is None is new.pool and old.share == new.share:
            return
        first, second = self._share(self._before, old, slot), self._share(self._after, new, slot)
        if first != second:
            yield ("share", first, second)

    def _entitlements(self, number: int, slot: int) -> tuple[_Entitlement, _Entitlement]:
        people, when = self._classes[number], self._slots[slot]
        return self._before.entitlement(people, when), self._after.entitlement(people, when)

    def _share(self, side: _Side, found: _Entitlement, slot: int) -> PoolShare:
        return PoolShare(found.share, None if found.pool is None else self._pool(side, slot, found.pool))

    def _pool(self, side: _Side, slot: int, name: str) -> Group:
        """The people who share in this pool; hypothetical people only where there are no others."""
        key = (side is self._before, slot, name)
        members = self._pools.get(key)
        if members is None:
            if side.has_pools:
                found = [each for each in range(len(self._classes)) if self._is_in(side, each, slot, name)]
            else:
                found = [each for each, people in enumerate(self._classes) if people.is_guest]
            real = [each for each in found if self._classes[each].exists]
            members = self._pools[key] = frozenset(real or found)
        return self._group(members, is_shared=True)

    def _is_in(self, side: _Side, number: int, slot: int, name: str) -> bool:
        return side.entitlement(self._classes[number], self._slots[slot]).pool == name

    # --- from differences to changes ----------------------------------------------------

    def changes(self, difference: _Difference) -> Iterable[EntitlementChange]:
        """The fewest sentences: people together who have the same times, or times together that have the same people."""
        by_slots: dict[frozenset[int], set[int]] = {}
        by_people: dict[frozenset[int], set[int]] = {}
        people_of: dict[int, set[int]] = {}
        for number, slots in difference.slots_of.items():
            by_slots.setdefault(frozenset(slots), set()).add(number)
            for slot in slots:
                people_of.setdefault(slot, set()).add(number)
        for slot, people in people_of.items():
            by_people.setdefault(frozenset(people), set()).add(slot)
        parts = [(frozenset(people), slots) for slots, people in by_slots.items()]
        if len(by_people) < len(parts):
            parts = [(people, frozenset(slots)) for people, slots in by_people.items()]
        for classes, differing in parts:
            for nodes, at_these in self._by_node(differing):
                for busy, same in self._by_load(at_these):
                    yield from self._change(difference, classes, same, busy=busy, nodes=nodes)

    def _by_node(self, slots: frozenset[int]) -> Iterable[tuple[tuple[str, ...] | None, frozenset[int]]]:
        """The slots that differ at every node, and those that only do at some."""
        nodes: dict[tuple[frozenset[Span], bool | None], set[str]] = {}
        for number in slots:
            slot = self._slots[number]
            nodes.setdefault((slot.spans, slot.busy), set()).add(slot.node)
        found: dict[tuple[str, ...] | None, set[int]] = {}
        for number in slots:
            slot = self._slots[number]
            at = nodes[slot.spans, slot.busy]
            key = None if len(at) == self._nodes else tuple(sorted(at, key=lambda node: (not node, node)))
            found.setdefault(key, set()).add(number)
        return ((key, frozenset(numbers)) for key, numbers in found.items())

    def _by_load(self, slots: frozenset[int]) -> Iterable[tuple[bool | None, frozenset[int]]]:
        """The slots that differ whether the uplink is busy or not, and those that only do while it is, or is not."""
        loads: dict[frozenset[Span], set[bool | None]] = {}
        for number in slots:
            loads.setdefault(self._slots[number].spans, set()).add(self._slots[number].busy)
        found: dict[bool | None, set[int]] = {}
        for number in slots:
            states = loads[self._slots[number].spans]
            found.setdefault(None if len(states) > 1 else min(states, key=str), set()).add(number)
        return ((busy, frozenset(numbers)) for busy, numbers in found.items())

    def _change(
        self,
        difference: _Difference,
        people: frozenset[int],
        slots: frozenset[int],
        *,
        busy: bool | None,
        nodes: tuple[str, ...] | None,
    ) -> Iterable[EntitlementChange]:
        classes = [self._classes[number] for number in sorted(people)]
        accounts = {account for each in classes for account in each.accounts}
        examples = {account for each in classes for account in each.examples}
        pairs = [self._entitlements(number, slot) for number in people for slot in slots]
        aspect = difference.aspect
        spans = frozenset(span for slot in slots for span in self._slots[slot].spans)
        minutes = self._timeline.minutes(spans)
        unknown = any(self._slots[slot].minute is None for slot in slots)
        pieces = self._timeline.times(spans)
        for number, (times, is_on_some_days) in enumerate(pieces or [(NEVER, False)]):
            yield EntitlementChange(
                aspect,
                difference.before,
                difference.after,
                self._group(people, is_shared=aspect in _SHARED),
                len(accounts),
                None if times == ALWAYS else times,
                is_on_some_days,
                unknown and number == 0,
                busy,
                nodes,
                None,
                min(examples, default=None),
                example_minute(times, minutes),
                tuple(sorted({name for old, _ in pairs for name in old.rules[aspect]})),
                tuple(sorted({name for _, new in pairs for name in new.rules[aspect]})),
            )

    def _group(self, classes: frozenset[int], *, is_shared: bool) -> Group:
        known = self._groups.get((classes, is_shared))
        if known is None:
            kinds = frozenset(kind for number in classes for kind in self._classes[number].kinds)
            known = self._groups[classes, is_shared] = self._people.group(kinds, is_shared=is_shared)
        return known


def _value[V](bound: Bound[V] | None) -> V | None:
    return None if bound is None else bound.value


def _rights(ruleset: Ruleset) -> tuple[object, ...]:
    """What everybody's values depend on, apart from the rules that are meant for them."""
    return lifeline(ruleset.charter), guest_lifeline(ruleset.charter), ruleset.share_cap


def _own_differences(old: _Entitlement, new: _Entitlement) -> tuple[tuple[Aspect, Value, Value], ...]:
    """What differs, apart from the share, which depends on who else is in the pool."""
    pairs: tuple[tuple[Aspect, Value, Value], ...] = (
        ("ceiling", *_direct(old.ceiling, new.ceiling)),
        ("burst", old.burst, new.burst),
        ("pool_ceiling", *_direct(old.pool_ceiling, new.pool_ceiling)),
        ("pool_burst", old.pool_burst, new.pool_burst),
        ("guarantee", *_direct(old.guarantee, new.guarantee, (old.pool is not None, new.pool is not None))),
        ("weight", old.weight_in_pool, new.weight_in_pool),
        ("quotas", old.quotas - new.quotas, new.quotas - old.quotas),
        ("session", old.session, new.session),
        ("devices", old.devices, new.devices),
    )
    return tuple(pair for pair in pairs if pair[1] != pair[2])


def _direct(
    old: Rates | None, new: Rates | None, together: tuple[bool, bool] = (False, False)
) -> tuple[Direct | None, Direct | None]:
    """Both rates, without a direction in which they are the same."""
    if old is None or new is None or together[0] != together[1]:
        return _both(old, together[0]), _both(new, together[1])
    down, up = old.down != new.down, old.up != new.up
    first, second = (
        Direct(rates.down if down else None, rates.up if up else None, together[0]) for rates in (old, new)
    )
    return first, second


def _both(rates: Rates | None, together: bool) -> Direct | None:
    return None if rates is None else Direct(rates.down, rates.up, together)


def _classes(among: Sequence[PeopleKind], bits: Mapping[Rule, int]) -> tuple[_Class, ...]:
    found: dict[tuple[bool, int], list[int]] = {}
    selectors = RuleSelectors(list(bits))
    for number, kind in enumerate(among):
        unit = kind.unit
        found.setdefault((unit.tier == GUEST_TIER, selectors[unit.tier, unit.groups]), []).append(number)
    return tuple(
        _Class(
            among[numbers[0]].unit,
            mask,
            frozenset(numbers),
            tuple(account for number in numbers for account in among[number].accounts),
            tuple(
                account
                for number in numbers
                if not among[number].is_late
                for account in among[number].accounts
            ),
            any(among[number].exists for number in numbers),
            all(among[number].is_late for number in numbers),
        )
        for (_, mask), numbers in found.items()
    )


def _slots(bits: Mapping[Rule, int], timeline: Timeline) -> Iterator[_Slot]:
    depends_on_load = any(rule.while_busy for rule in bits)
    for busy, node in variants(tuple(bits)):
        load = busy if depends_on_load else None
        others = mask_of(bit for rule, bit in bits.items() if is_in_variant(rule, busy, node))
        for mask, (minute, spans) in timeline.spans.items():
            moment = moment_at(minute, busy=busy, node=node)
            yield _Slot(mask & others, moment, minute, frozenset(spans), load, node)
        unknown = replace(moment_at(0, busy=busy, node=node), clock="unknown")
        yield _Slot(others, unknown, None, frozenset(), load, node)

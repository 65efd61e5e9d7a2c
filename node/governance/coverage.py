"""All situations that the rules can meet: kinds of units, times of the week, exhausted quotas.

Their number is finite, so checks go through all of them. Values are combined by minimum and maximum, so it is enough
to look at no exhausted quota and at each one alone: a set of quotas gives the minimum of its members.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from node.governance.allowance import Unit
from node.governance.rules import (
    GUEST_TIER,
    MEMBER_TIER,
    Quota,
    Rule,
    Ruleset,
    applying,
    in_force,
    is_meant_for,
)
from node.governance.times import DAYS, MINUTES_PER_DAY, clock_text
from node.units import AccountId


@dataclass(frozen=True, slots=True)
class UnitKind:
    """All units with the same tier and groups."""

    unit: Unit
    """One of them; made up when rules name a tier or group that the directory does not have."""
    count: int
    """Number in the directory; 0 for a made-up unit and for guests."""

    @property
    def exists(self) -> bool:
        return self.count > 0 or self.unit.tier == GUEST_TIER

    @property
    def words(self) -> str:
        return " ".join([self.unit.tier, *(f"in {group}" for group in sorted(self.unit.groups))])


@dataclass(frozen=True, slots=True)
class Situation:
    """One kind of unit at one minute of the week, representing all minutes with the same rules."""

    kind: UnitKind
    minute: int
    applying: tuple[Rule, ...]
    rules: tuple[Rule, ...]
    """Those of `applying` that no exception replaces."""

    @property
    def words(self) -> str:
        return f"{self.kind.words}, {minute_words(self.minute)}"

    def exhaustions(self) -> Iterator[frozenset[str]]:
        """The sets of exhausted quotas that matter."""
        quotas = [rule.id for rule in self.rules if isinstance(rule.effect, Quota)]
        yield frozenset()
        for name in quotas:
            yield frozenset({name})


def minute_words(minute: int) -> str:
    return f"{DAYS[minute // MINUTES_PER_DAY]} {clock_text(minute % MINUTES_PER_DAY)}"


def kinds(ruleset: Ruleset, units: Sequence[Unit]) -> tuple[UnitKind, ...]:
    """Every combination of tier and groups in the directory, guests, and each tier and group named by a rule."""
    counts: dict[tuple[str, frozenset[str]], int] = {}
    for unit in units:
        key = (unit.tier, unit.groups)
        counts[key] = counts.get(key, 0) + 1
    named = [(GUEST_TIER, frozenset[str]()), (MEMBER_TIER, frozenset[str]())]
    for rule in ruleset.rules:
        named += [(tier, frozenset[str]()) for tier in rule.who.tiers]
        named += [(MEMBER_TIER, frozenset({group})) for group in rule.who.groups]
    for key in named:
        counts.setdefault(key, 0)
    ordered = sorted(counts.items(), key=lambda item: (item[0][0], sorted(item[0][1])))
    return tuple(UnitKind(Unit(AccountId(tier), tier, groups), count) for (tier, groups), count in ordered)


def stretches(rules: Sequence[Rule]) -> tuple[tuple[int, int], ...]:
    """(minute, bit mask of the applying rules) for each distinct set of `rules` in the week, at its first minute."""
    turns: dict[int, int] = {}
    mask = 0
    for index, rule in enumerate(rules):
        if rule.when is None or rule.when.holds(0):
            mask |= 1 << index
        for minute in rule.when.boundaries() - {0} if rule.when else ():
            turns[minute] = turns.get(minute, 0) ^ (1 << index)
    found = {mask: 0}
    for minute in sorted(turns):
        mask ^= turns[minute]
        found.setdefault(mask, minute)
    return tuple((minute, mask) for mask, minute in found.items())


def situations(ruleset: Ruleset, among: Sequence[UnitKind]) -> Iterator[Situation]:
    """One situation for each set of rules that can apply to a kind; kinds in the directory come first."""
    met: set[tuple[int, bool, bool]] = set()
    seen: set[tuple[int, bool]] = set()
    moments = stretches(ruleset.rules)
    for kind in sorted(among, key=lambda kind: not kind.exists):
        unit, is_guest = kind.unit, kind.unit.tier == GUEST_TIER
        chosen = [is_meant_for(rule, unit.tier, unit.groups) for rule in ruleset.rules]
        mask = sum(1 << index for index, is_chosen in enumerate(chosen) if is_chosen)
        if (mask, is_guest, kind.exists) in met:
            continue
        met.add((mask, is_guest, kind.exists))
        for minute, holding in moments:
            if (holding & mask, is_guest) in seen:
                continue
            seen.add((holding & mask, is_guest))
            # Rules outside their times would be left out there too, and there may be hundreds of them.
            now = applying(
                [rule for i, rule in enumerate(ruleset.rules) if (mask & holding) >> i & 1], minute
            )
            yield Situation(kind, minute, now, in_force(now))

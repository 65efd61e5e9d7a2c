"""Kinds of people that rulesets can meet, and the shortest selector of the rule language for some of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from node.governance.allowance import Unit
from node.governance.coverage import accounts_by_kind
from node.governance.rules import GUEST_TIER, LATE_DUES, Ruleset, Who
from node.governance.slices import mask_of, union
from node.governance.value_syntax import SELECTORS_MAX
from node.units import AccountId

Names = tuple[frozenset[str], frozenset[str]]
"""Tiers and groups of some kinds of people."""


@dataclass(frozen=True, slots=True)
class Group:
    """People, as a selector of the rule language; where it has none for them, as the combinations of tier and groups."""

    who: Who | None
    combinations: tuple[tuple[str, frozenset[str]], ...]


@dataclass(frozen=True, slots=True)
class PeopleKind:
    """People with the same tier and groups."""

    unit: Unit
    accounts: tuple[AccountId, ...]

    @property
    def is_late(self) -> bool:
        return LATE_DUES in self.unit.groups

    @property
    def exists(self) -> bool:
        return bool(self.accounts) or (self.unit.tier == GUEST_TIER and not self.unit.groups)


class People:
    """All kinds of people of a directory and of two rulesets, each named by its index."""

    def __init__(self, before: Ruleset, after: Ruleset, units: Sequence[Unit]) -> None:
        by_kind = accounts_by_kind((before, after), units)
        self.kinds = tuple(PeopleKind(unit, accounts) for unit, accounts in by_kind.items())
        # Kinds as bit masks: there can be hundreds, and a selector is looked for among hundreds.
        self._everyone = (1 << len(self.kinds)) - 1
        self._real = mask_of(number for number, kind in enumerate(self.kinds) if kind.exists)
        self._of_tier, self._of_group = dict[str, int](), dict[str, int]()
        for number, kind in enumerate(self.kinds):
            self._of_tier[kind.unit.tier] = self._of_tier.get(kind.unit.tier, 0) | 1 << number
            for name in kind.unit.groups:
                self._of_group[name] = self._of_group.get(name, 0) | 1 << number
        self._whos = {rule.who: self._selected(rule.who) for rule in (*before.rules, *after.rules)}
        self._groups: dict[tuple[frozenset[int], bool], Group] = {}

    def group(self, chosen: frozenset[int], *, is_shared: bool) -> Group:
        """These kinds. `is_shared`: for a value that no guest has through a group, so that guests in groups need not be left
        out."""
        known = self._groups.get((chosen, is_shared))
        if known is None:
            who = self._selector(mask_of(chosen))
            if who and is_shared and who.groups and not who.tiers and who.excluded_tiers == {GUEST_TIER}:
                who = replace(who, excluded_tiers=frozenset())
            known = self._groups[chosen, is_shared] = Group(who, self._combinations(chosen))
        return known

    def _selector(self, chosen: int) -> Who | None:
        """The shortest selector for these kinds of people: in the rules, or made from their tiers and groups. One that is
        only exact for the people there are will do."""
        names = self._names(chosen)
        made = {who: self._selected(who) for who in self._made(chosen, names) if _can_be_written(who)}
        narrowed = {
            who: self._selected(who)
            for base, selected in {**self._whos, **made}.items()
            if chosen != selected == chosen | selected
            for who in self._narrowed(base, names, selected & ~chosen)
            if _can_be_written(who)
        }
        candidates = {**self._whos, **made, **narrowed}
        for scope in (self._everyone, self._real) if chosen & self._real else (self._everyone,):
            fits = [who for who, selected in candidates.items() if selected & scope == chosen & scope]
            if fits:
                return min(fits, key=_length)
        return None

    def _made(self, chosen: int, names: Names) -> Iterable[Who]:
        tiers, groups = names
        other_tiers, other_groups = self._names(self._everyone & ~chosen)
        yield Who(everyone=True)
        yield Who(tiers=tiers)
        yield Who(groups=groups)
        yield Who(tiers=tiers - other_tiers, groups=groups - other_groups)

    def _narrowed(self, who: Who, names: Names, others: int) -> Iterable[Who]:
        """The same selector without the tiers, the groups, or both, that only `others` have."""
        tiers, groups = names
        other_tiers, other_groups = self._names(others)
        excluded_tiers = who.excluded_tiers | (other_tiers - tiers)
        excluded_groups = who.excluded_groups | (other_groups - groups)
        yield replace(who, excluded_tiers=excluded_tiers)
        yield replace(who, excluded_groups=excluded_groups)
        yield replace(who, excluded_tiers=excluded_tiers, excluded_groups=excluded_groups)

    def _names(self, numbers: int) -> Names:
        tiers = frozenset(name for name, kinds in self._of_tier.items() if kinds & numbers)
        return tiers, frozenset(name for name, kinds in self._of_group.items() if kinds & numbers)

    def _selected(self, who: Who) -> int:
        """The kinds that the selector selects."""
        found = self._everyone if who.everyone else _any_of(self._of_tier, who.tiers)
        excluded = _any_of(self._of_tier, who.excluded_tiers) | _any_of(self._of_group, who.excluded_groups)
        return (found | _any_of(self._of_group, who.groups)) & ~excluded

    def _combinations(self, chosen: frozenset[int]) -> tuple[tuple[str, frozenset[str]], ...]:
        real = [self.kinds[number] for number in sorted(chosen) if self.kinds[number].exists]
        among = real or [self.kinds[number] for number in sorted(chosen)]
        return tuple((kind.unit.tier, kind.unit.groups) for kind in among)


def _any_of(kinds: Mapping[str, int], names: Iterable[str]) -> int:
    return union(kinds.get(name, 0) for name in names)


def _can_be_written(who: Who) -> bool:
    return _names_in(who) <= SELECTORS_MAX


def _length(who: Who) -> tuple[int, str]:
    names = (who.tiers, who.groups, who.excluded_tiers, who.excluded_groups)
    return _names_in(who), str([sorted(each) for each in names])


def _names_in(who: Who) -> int:
    return who.everyone + sum(map(len, (who.tiers, who.groups, who.excluded_tiers, who.excluded_groups)))

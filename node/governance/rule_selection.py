"""Which rules apply to a unit at a minute of the week, and which of them an exception replaces."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from node.governance.burst import Burst, favours_burst, peak
from node.governance.rules import (
    GUEST_TIER,
    SHARE_DEFAULT,
    Ceiling,
    Credit,
    DevicesLimit,
    Floor,
    Quota,
    Rule,
    SessionLimit,
    Share,
    ShareLimit,
    Who,
    covers,
)
from node.units import Rates

CLASSES_MAX = 4096
"""Cached classes of units; when there are more, the cache is cleared."""


def selects(who: Who, tier: str, groups: frozenset[str]) -> bool:
    """Whether `who` selects a unit with this tier and these groups."""
    if tier in who.excluded_tiers or not groups.isdisjoint(who.excluded_groups):
        return False
    return who.everyone or tier in who.tiers or not groups.isdisjoint(who.groups)


def is_meant_for(rule: Rule, tier: str, groups: frozenset[str]) -> bool:
    """Whether the rule applies to such a unit. Pool shares, floors and limits are the same for all guests: a group
    that comes with a voucher neither creates a second guest pool nor removes a guest from the first."""
    if tier == GUEST_TIER and is_same_for_guests(rule):
        return selects(rule.who, tier, frozenset())
    return selects(rule.who, tier, groups)


def is_same_for_guests(rule: Rule) -> bool:
    """Whether the rule applies to all guests or to none of them."""
    return rule.together or isinstance(rule.effect, Share | Floor)


class RuleSelectors(dict[tuple[str, frozenset[str]], int]):
    """`is_meant_for` of all rules at once: by tier and groups of a unit, the rules for it, as bit mask of their indexes.
    Computed when it is looked up first. Values depend only on the key, so it is thread-safe."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        super().__init__()
        self._everyone = sum(1 << index for index, rule in enumerate(rules) if rule.who.everyone)
        self._tiers = _masks([rule.who.tiers for rule in rules])
        self._groups = _masks([rule.who.groups for rule in rules])
        self._tiers_excluded = _masks([rule.who.excluded_tiers for rule in rules])
        self._groups_excluded = _masks([rule.who.excluded_groups for rule in rules])
        self._same_for_guests = sum(
            1 << index for index, rule in enumerate(rules) if is_same_for_guests(rule)
        )

    def __missing__(self, unit: tuple[str, frozenset[str]]) -> int:
        if len(self) >= CLASSES_MAX:
            self.clear()
        found = self[unit] = self._selecting(*unit)
        return found

    def _selecting(self, tier: str, groups: frozenset[str]) -> int:
        found = self._of(tier, groups)
        if tier != GUEST_TIER or not groups:
            return found
        same = self._same_for_guests
        return (found & ~same) | (self._of(tier, frozenset()) & same)

    def _of(self, tier: str, groups: frozenset[str]) -> int:
        found, excluded = self._everyone | self._tiers.get(tier, 0), self._tiers_excluded.get(tier, 0)
        for group in groups:
            found |= self._groups.get(group, 0)
            excluded |= self._groups_excluded.get(group, 0)
        return found & ~excluded


def _masks(named: Sequence[frozenset[str]]) -> dict[str, int]:
    """For each name, the indexes of the sets that have it, as bit mask."""
    found: dict[str, int] = {}
    for index, names in enumerate(named):
        for name in names:
            found[name] = found.get(name, 0) | 1 << index
    return found


def applying(rules: Iterable[Rule], minute: int | None, *, busy: bool, node: str = "") -> tuple[Rule, ...]:
    """Of the rules that select a unit, those within their times, including replaced ones; sorted by id.

    `minute`: a civil minute (`times`); None means that the clock is unknown: then a rule with times applies only if it
    favours the users. `busy`: whether the uplink is busy. `node`: the name of this node; empty for one that no rule names.
    An exception applies only where the rule it replaces applies.
    """
    rules = tuple(rules)
    return grounded(holding(rules, minute, busy=busy, node=node))


def holding(rules: Sequence[Rule], minute: int | None, *, busy: bool, node: str = "") -> tuple[Rule, ...]:
    """The rules within their times; arguments as those of `applying`."""
    by_id = {rule.id: rule for rule in rules}
    return tuple(
        rule
        for rule in rules
        if rule.at in ("", node) and (busy or not rule.while_busy) and is_timely(rule, minute, by_id)
    )


def grounded(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """Of the rules that select a unit and are within their times, those whose replaced rules are too; sorted by id."""
    by_id = {rule.id: rule for rule in rules}
    return tuple(by_id[name] for name in sorted(by_id) if _has_ground(by_id[name], by_id, by_id.keys()))


def in_force(applying_rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """The rules left after exceptions have replaced theirs; of two exceptions to one rule, the more generous stays."""
    kept: dict[str, Rule] = {}
    for rule in applying_rules:
        if rule.exception_to is not None:
            rival = kept.get(rule.exception_to)
            if rival is None or kindness(rule) > kindness(rival):
                kept[rule.exception_to] = rule
    if not kept:
        return tuple(applying_rules)
    losers = {r.id for r in applying_rules if r.exception_to is not None and kept[r.exception_to] is not r}
    return tuple(r for r in applying_rules if r.id not in kept and not _falls(r, losers, applying_rules))


def exception_chains(rules: Sequence[Rule]) -> tuple[str, ...]:
    """The tree of exceptions, one line for each path from a rule to the last exception: ``guest-top <- guest-night``."""
    replacing: dict[str | None, list[str]] = {}
    for rule in rules:
        replacing.setdefault(rule.exception_to, []).append(rule.id)

    def below(name: str) -> Iterator[str]:
        if name not in replacing:
            yield name
        for exception in replacing.get(name, ()):
            for path in below(exception):
                yield f"{name} <- {path}"

    firsts = [name for name in replacing.get(None, ()) if name in replacing]
    return tuple(path for name in firsts for path in below(name))


def kindness(rule: Rule) -> tuple[int, ...]:
    """Sort key of rules with the same effect: how much they allow."""
    match rule.effect:
        case Share(weight) | ShareLimit(weight) | Credit(weight):
            return (weight, 0, 0)
        case Floor(rates):
            return (rates.down, rates.up, 0)
        case Ceiling(rates, burst):
            return (
                (1, 0, 0) if rates is None else (0, rates.down, rates.up, *_kindness_of_burst(rates, burst))
            )
        case Quota(volume):
            return (volume, 0, 0)
        case SessionLimit(length):
            return (length, 0, 0)
        case DevicesLimit(count):
            return (count, 0, 0)


def _kindness_of_burst(ceiling: Rates, burst: Burst | None) -> tuple[int, ...]:
    most = peak(ceiling, burst)
    return most.down, most.up, 0 if burst is None else burst.length


def favours(rule: Rule, replaced: Rule | None) -> bool:
    """Whether the rule can only benefit those it selects, compared with the rule it replaces."""
    effect, before = rule.effect, replaced.effect if replaced else None
    match effect:
        case Share(weight):
            return weight >= (before.weight if isinstance(before, Share) else SHARE_DEFAULT)
        case ShareLimit():
            return False
        case Credit(weight):
            return not isinstance(before, Credit) or weight >= before.weight
        case Floor(rates):
            return not isinstance(before, Floor) or covers(rates, before.rates)
        case Ceiling(rates, burst):
            if rates is None or not isinstance(before, Ceiling) or before.rates is None:
                return rates is None
            return covers(rates, before.rates) and favours_burst(burst, rates, before.burst, before.rates)
        case Quota(volume):
            return isinstance(before, Quota) and volume >= before.volume
        case SessionLimit(length):
            return isinstance(before, SessionLimit) and length >= before.length
        case DevicesLimit(count):
            return isinstance(before, DevicesLimit) and count >= before.count


def is_timely(rule: Rule, minute: int | None, by_id: Mapping[str, Rule]) -> bool:
    """Whether the minute is within the rule's times; while the clock is unknown (None), whether it favours people, if it or
    a rule that it replaces has times."""
    if minute is not None:
        return rule.when is None or rule.when.holds(minute)
    return not _depends_on_times(rule, by_id) or favours(rule, by_id.get(rule.exception_to or ""))


def _depends_on_times(rule: Rule, by_id: Mapping[str, Rule]) -> bool:
    """Whether the rule, or one up its chain of exceptions, has times."""
    seen: set[str] = set()
    link: Rule | None = rule
    while link is not None and link.when is None and link.id not in seen:
        seen.add(link.id)
        link = by_id.get(link.exception_to or "")
    return link is not None and link.when is not None


def _has_ground(rule: Rule, by_id: Mapping[str, Rule], timely: Collection[str]) -> bool:
    """Whether every rule up the chain of exceptions applies; False for a cycle."""
    seen = {rule.id}
    while rule.exception_to is not None:
        if rule.exception_to not in timely or rule.exception_to in seen:
            return False
        seen.add(rule.exception_to)
        rule = by_id[rule.exception_to]
    return True


def _falls(rule: Rule, losers: set[str], applying_rules: Sequence[Rule]) -> bool:
    """Whether the rule, or a rule up its chain, lost to a more generous exception to the same rule."""
    by_id = {r.id: r for r in applying_rules}
    while True:
        if rule.id in losers:
            return True
        if rule.exception_to is None:
            return False
        rule = by_id[rule.exception_to]

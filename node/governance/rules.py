"""The rule model as frozen values: a closed list of effects, and no selector for what people do online; and which rules
apply to a unit at a minute of the week, and which of them an exception replaces."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from node.accounting.periods import PeriodKind
from node.errors import Finding
from node.governance.times import Times
from node.units import KILO, BitsPerSecond, Bytes, Milliseconds, Rates

SHARE_DEFAULT = 100
GUEST_TIER = "guest"
MEMBER_TIER = "member"

LIFELINE = "lifeline"
EQUAL_SHARE = "equal-share"
GUESTS = "guests"
"""Pool of all guests when no share rule of theirs has ``together``: guests never count as many households."""

# Rights and defaults defined in code, as named in `Bound.reasons`; rule ids cannot contain a colon.
GUEST_LIFELINE = "lifeline:guests"
LIFELINE_IN_CODE = "lifeline:code"
EQUAL_SHARE_IN_CODE = "equal-share:code"

Counts = Literal["uplink", "uplink while busy"]


@dataclass(frozen=True, slots=True)
class Who:
    """Selector of a rule: the union of tiers and groups, or everyone, minus `excluded`."""

    everyone: bool = False
    tiers: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    excluded_tiers: frozenset[str] = frozenset()
    excluded_groups: frozenset[str] = frozenset()


ONLY_GUESTS = Who(tiers=frozenset({GUEST_TIER}))


@dataclass(frozen=True, slots=True)
class Share:
    """Weight in sharing the uplink; 100 is one household."""

    weight: int


@dataclass(frozen=True, slots=True)
class Floor:
    """Guaranteed rate."""

    rates: Rates


@dataclass(frozen=True, slots=True)
class Ceiling:
    """Maximum rate; None removes the ceiling to which this rule is an exception."""

    rates: Rates | None


@dataclass(frozen=True, slots=True)
class Quota:
    """Volume in a period, and the consequence when it is used up. It never disconnects an account."""

    volume: Bytes
    period: PeriodKind
    counts: Counts
    then: Share | Ceiling


@dataclass(frozen=True, slots=True)
class SessionLimit:
    """Duration of one session; after it the user joins again."""

    length: Milliseconds


@dataclass(frozen=True, slots=True)
class DevicesLimit:
    """How many devices of one account may be online at once."""

    count: int


Effect = Share | Floor | Ceiling | Quota | SessionLimit | DevicesLimit


@dataclass(frozen=True, slots=True)
class Rule:
    """One decision of the community: its selector, its effect, its times, and the decision's id."""

    id: str
    who: Who
    effect: Effect
    by: str
    """Id of the decision that adopted it."""
    when: Times | None = None
    """None means always."""
    exception_to: str | None = None
    together: bool = False
    """The selected accounts count as one household."""
    why: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Charter:
    """What only a large majority can change, within limits that no vote can change."""

    lifeline: Rates
    guest_lifeline: Rates
    """Of all guests together."""
    max_weight_ratio: int


@dataclass(frozen=True, slots=True)
class Example:
    """A test in the rule file: what an account must get at a given time; see `rule_tests`."""

    given: str
    expect: str
    line: int = 0


Way = Literal["terms", "voucher", "passphrase", "card", "introduction"]
"""``terms``: accept the terms, no identity. ``voucher``: a printed code. ``passphrase``: of a member. ``card``: a
signed membership card. ``introduction``: a member approves a guest."""
WAYS: tuple[Way, ...] = ("terms", "voucher", "passphrase", "card", "introduction")
WAYS_OF_MEMBERS: frozenset[Way] = frozenset({"passphrase", "card", "introduction"})
"""Methods that need at least one member in the directory."""
WhenFull = Literal["oldest", "ask"]
"""When an account has reached its number of devices: the longest idle device is removed, or the user is asked."""
WHEN_FULL: tuple[WhenFull, ...] = ("oldest", "ask")


@dataclass(frozen=True, slots=True)
class JoinMethods:
    """The methods by which people may join this community, in the order in which the page shows them."""

    ways: tuple[Way, ...] = WAYS
    when_full: WhenFull = "oldest"
    by: str = ""
    """The decision behind it; empty for the default without an entry in the file."""


DEFAULT_JOIN_METHODS = JoinMethods()


@dataclass(frozen=True, slots=True)
class MeasuredUplink:
    """The uplink's rate follows what it carries, between these; at first, and while nothing can be measured, the usable
    part of the stated rate is shared."""

    least: Rates
    most: Rates


@dataclass(frozen=True)  # no slots: `shaped` is computed once
class Ruleset:
    """All active rules of one community, and the uplink they share."""

    community: str
    version: int
    decision: str
    uplink: Rates | None
    """Measured capacity; None when the community has not stated it: then only ceilings are shaped."""
    usable_permille: int
    charter: Charter
    rules: tuple[Rule, ...]
    unit: str = "household"
    """The unit for sharing and voting."""
    examples: tuple[Example, ...] = ()
    joining: JoinMethods = DEFAULT_JOIN_METHODS
    measured: MeasuredUplink | None = None
    """None: the stated rate is shared whatever the uplink carries."""

    @cached_property
    def shaped(self) -> Rates | None:
        """The rate that is shared: the usable part of the uplink as stated."""
        if self.uplink is None:
            return None
        return Rates(
            _permille(self.uplink.down, self.usable_permille), _permille(self.uplink.up, self.usable_permille)
        )

    @cached_property
    def guaranteeable(self) -> Rates | None:
        """What lifelines and floors can have."""
        return None if self.shaped is None else without_reserve(self.shaped)

    @property
    def may_carry_less(self) -> bool:
        """Whether the uplink is expected to carry less at times than the rate that all promises fit."""
        if self.measured is None or self.shaped is None:
            return False
        return not _covers(self.measured.least, self.shaped)


CONTROL_PERMILLE, CONTROL_MIN, CONTROL_PERMILLE_MAX = 20, BitsPerSecond(32_000), 250
"""Part of a shared rate, the least in bit/s, and the most that this least may be."""


def control_reserve(shared: BitsPerSecond) -> BitsPerSecond:
    """Of a rate that is shared in one direction, what is guaranteed to the node's own traffic: neighbour discovery, DHCP,
    DNS, the mesh, and services open to everyone. Without it a full line loses its addresses and names."""
    return min(_permille(shared, CONTROL_PERMILLE_MAX), max(CONTROL_MIN, _permille(shared, CONTROL_PERMILLE)))


def without_reserve(shared: Rates) -> Rates:
    """Of a rate that is shared, what lifelines and floors can have: all but the reserve for control traffic."""
    return Rates(
        BitsPerSecond(shared.down - control_reserve(shared.down)),
        BitsPerSecond(shared.up - control_reserve(shared.up)),
    )


def shared_for(promised: BitsPerSecond) -> BitsPerSecond:
    """The least rate in whole kbit/s that is enough to share for these lifelines and floors, in one direction."""
    enough = (
        promised * 1000 // (1000 - CONTROL_PERMILLE_MAX),
        promised + CONTROL_MIN,
        promised * 1000 // (1000 - CONTROL_PERMILLE),
    )
    rounded = [BitsPerSecond(-(-each // KILO) * KILO) for each in enough]
    rounded += [BitsPerSecond(each + KILO) for each in rounded]
    return min(each for each in rounded if each - control_reserve(each) >= promised)


def _permille(rate: BitsPerSecond, permille: int) -> BitsPerSecond:
    return BitsPerSecond(rate * permille // 1000)


@dataclass(frozen=True, slots=True)
class ActiveRuleset:
    """The rules in force, and the state of the rule file if it differs from them."""

    ruleset: Ruleset
    text: str
    fingerprint: str
    warnings: tuple[Finding, ...] = ()
    strained: tuple[Finding, ...] = ()
    """Rules in force that no longer fit the members, each with its fix."""
    rejected: tuple[Finding, ...] = ()
    """Why the current file is not in force; empty when it is."""
    rejected_fingerprint: str = ""

    @property
    def seen(self) -> str:
        """Fingerprint of the file read last, valid or not."""
        return self.rejected_fingerprint or self.fingerprint


def selects(who: Who, tier: str, groups: frozenset[str]) -> bool:
    """Whether `who` selects a unit with this tier and these groups."""
    if tier in who.excluded_tiers or not groups.isdisjoint(who.excluded_groups):
        return False
    return who.everyone or tier in who.tiers or not groups.isdisjoint(who.groups)


def is_meant_for(rule: Rule, tier: str, groups: frozenset[str]) -> bool:
    """Whether the rule applies to such a unit. Pool shares, floors and limits are the same for all guests: a group
    that comes with a voucher neither creates a second guest pool nor removes a guest from the first."""
    if tier == GUEST_TIER and (rule.together or isinstance(rule.effect, Share | Floor)):
        return selects(rule.who, tier, frozenset())
    return selects(rule.who, tier, groups)


def applying(rules: Iterable[Rule], minute: int | None) -> tuple[Rule, ...]:
    """Of the rules that select a unit, those within their times, including replaced ones; sorted by id.

    `minute` None means that the clock is unknown: then a rule with times applies only if it favours the users. An
    exception applies only where the rule it replaces applies.
    """
    by_id = {rule.id: rule for rule in rules}
    timely = {rule.id for rule in by_id.values() if _is_timely(rule, minute, by_id)}
    return tuple(by_id[name] for name in sorted(timely) if _has_ground(by_id[name], by_id, timely))


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


def kindness(rule: Rule) -> tuple[int, int, int]:
    """Sort key of rules with the same effect: how much they allow."""
    match rule.effect:
        case Share(weight):
            return (weight, 0, 0)
        case Floor(rates):
            return (rates.down, rates.up, 0)
        case Ceiling(rates):
            return (1, 0, 0) if rates is None else (0, rates.down, rates.up)
        case Quota(volume):
            return (volume, 0, 0)
        case SessionLimit(length):
            return (length, 0, 0)
        case DevicesLimit(count):
            return (count, 0, 0)


def favours(rule: Rule, replaced: Rule | None) -> bool:
    """Whether the rule can only benefit those it selects, compared with the rule it replaces."""
    effect, before = rule.effect, replaced.effect if replaced else None
    match effect:
        case Share(weight):
            return weight >= (before.weight if isinstance(before, Share) else SHARE_DEFAULT)
        case Floor(rates):
            return not isinstance(before, Floor) or _covers(rates, before.rates)
        case Ceiling(rates):
            if rates is None:
                return True
            return isinstance(before, Ceiling) and before.rates is not None and _covers(rates, before.rates)
        case Quota(volume):
            return isinstance(before, Quota) and volume >= before.volume
        case SessionLimit(length):
            return isinstance(before, SessionLimit) and length >= before.length
        case DevicesLimit(count):
            return isinstance(before, DevicesLimit) and count >= before.count


def _covers(rates: Rates, others: Rates) -> bool:
    return rates.down >= others.down and rates.up >= others.up


def _is_timely(rule: Rule, minute: int | None, by_id: Mapping[str, Rule]) -> bool:
    if rule.when is None:
        return True
    if minute is None:
        return favours(rule, by_id.get(rule.exception_to or ""))
    return rule.when.holds(minute)


def _has_ground(rule: Rule, by_id: Mapping[str, Rule], timely: set[str]) -> bool:
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

"""The rule model as frozen values: a closed list of effects, and no selector for what people do online."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

from node.accounting.periods import Period
from node.errors import Finding
from node.governance.burst import Burst
from node.governance.minutes import Minutes
from node.governance.times import NamedDays, Times
from node.units import KILO, BitsPerSecond, Bytes, Milliseconds, Rates

SHARE_DEFAULT = 100
GRACE_DAYS = 14
RESERVE_MAX_PERCENT = 50
GUEST_TIER = "guest"
MEMBER_TIER = "member"

LATE_DUES = "dues:late"
"""Group of all whose dues are late: no group of a members' file has a colon. Nobody else can be in it."""

LADDER = "ladder"
"""Prefix of the groups of people in a step of a ladder, and of the rules for these; see `ladders`."""

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
class Credit:
    """Weight that is added to the share, as for those who contribute to the network; several add up."""

    weight: int


@dataclass(frozen=True, slots=True)
class Floor:
    """Guaranteed rate."""

    rates: Rates


@dataclass(frozen=True, slots=True)
class Reserve(Floor):
    """A floor that is a part of the uplink, for people together; what they do not use is lent to others."""

    percent: int


@dataclass(frozen=True, slots=True)
class Ceiling:
    """Maximum rate; None removes the ceiling to which this rule is an exception."""

    rates: Rates | None
    burst: Burst | None = None


@dataclass(frozen=True, slots=True)
class UsageAlert:
    """Consequence of a used-up quota that limits nothing: the person is asked to use less, and admins see it."""


Consequence = Share | Ceiling | UsageAlert


@dataclass(frozen=True, slots=True)
class Quota:
    """Volume in a period, and the consequence when it is used up. It never disconnects an account."""

    volume: Bytes
    period: Period
    counts: Counts
    then: Consequence


@dataclass(frozen=True, slots=True)
class SessionLimit:
    """Duration of one session; after it the user joins again."""

    length: Milliseconds


@dataclass(frozen=True, slots=True)
class DevicesLimit:
    """How many devices of one account may be online at once."""

    count: int


@dataclass(frozen=True, slots=True)
class ShareLimit:
    """The most that a share with its credits can be: a step of a ladder."""

    weight: int


Effect = Share | ShareLimit | Credit | Floor | Reserve | Ceiling | Quota | SessionLimit | DevicesLimit


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
    while_busy: bool = False
    """Applies only while the uplink is busy."""
    at: str = ""
    """Name of the only node at which it applies; empty for all nodes."""
    is_emergency: bool = False
    """By an emergency order: it limits for some days, and ends by itself."""
    proposed_by: Who | None = None
    """The people who proposed it."""
    uplinks: tuple[str, ...] = ()
    """Names of the only lines on which it holds, sorted; empty for all lines."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """The usage from which an admin may open a case without another reason."""

    volume: Bytes
    period: Period
    counts: Counts


@dataclass(frozen=True, slots=True)
class LadderStep:
    """What a case brings, and for how many days."""

    effect: Consequence
    days: int = 0
    """0: the person is only told."""


@dataclass(frozen=True, slots=True)
class Ladder:
    """Graduated sanctions: each case of an account brings the step after that of its last case, which ends by itself."""

    id: str
    who: Who
    steps: tuple[LadderStep, ...]
    by: str
    """Id of the decision that adopted it."""
    trigger: Trigger | None = None
    """None: an admin says the reason of each case."""
    decay_days: int = 90
    """Without a case for so long the next one begins at the first step."""
    why: str = ""
    line: int = 0


STEP_DAYS_MAX, ANSWER_DAYS = 30, 7

BUSY_AFTER, BUSY_ENDS_AFTER_MAX = Milliseconds(5 * 60_000), Milliseconds(60_000)


@dataclass(frozen=True, slots=True)
class BusyThresholds:
    """When the uplink counts as busy (RFC 6057): in permille of the rate that is shared, in either direction."""

    above: int = 800
    below: int = 600
    after: Milliseconds = BUSY_AFTER
    """It is busy when its rate has been at least `above` for so long, until it has been less than `below` for as long, or
    for a minute."""

    @property
    def ends_after(self) -> Milliseconds:
        return min(self.after, BUSY_ENDS_AFTER_MAX)


DEFAULT_BUSY_THRESHOLDS = BusyThresholds()


NO_WAITING = Milliseconds(0)


@dataclass(frozen=True, slots=True)
class Charter:
    """What only a large majority can change, within limits that no vote can change."""

    lifeline: Rates
    guest_lifeline: Rates
    """Of all guests together."""
    max_weight_ratio: int
    busy: BusyThresholds = DEFAULT_BUSY_THRESHOLDS
    overbook_percent: int = 100
    """Floors may promise up to so much of what can be guaranteed, because people seldom need theirs all at once."""
    reserve_max_percent: int = RESERVE_MAX_PERCENT
    """All reserves together."""
    approvals: int = 1
    """How many different admins must approve rules, with the one who proposes them; 1 for a caretaker."""
    charter_approvals: int = 1
    """The same for a change of the charter; never fewer."""
    step_max_days: int = STEP_DAYS_MAX
    """The longest step of a ladder."""
    answer_days: int = ANSWER_DAYS
    """An objection to a step lifts it if nobody answers for so long."""
    waiting: Milliseconds = NO_WAITING
    """For how long rules wait at least that admins adopt without minutes of an assembly."""
    minutes_attested_by: int = 1
    """How many different admins must approve rules that come with new minutes, with the one who wrote these."""


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


MAIN_UPLINK = "main"


@dataclass(frozen=True, slots=True)
class NamedUplink:
    """One of several lines towards the Internet, of which some nodes of the community are the gateway."""

    name: str
    rates: Rates
    """Measured capacity."""
    usable_permille: int
    measured: MeasuredUplink | None = None
    usable_up_permille: int | None = None
    """Of the upload; None: as of the download."""

    @property
    def shaped(self) -> Rates:
        """The rate that is shared."""
        return usable(self.rates, self.usable_permille, self.usable_up_permille)


@dataclass(frozen=True)  # no slots: `shaped` is computed once
class Ruleset:
    """All active rules of one community, and the uplink they share; or of a community with several uplinks
    (`is_of_several`), from which `of_uplink` makes the rules of one."""

    community: str
    version: int
    decision: str
    uplink: Rates | None
    """Measured capacity; None when the community has not stated it: then only ceilings are shaped. None for several."""
    usable_permille: int
    charter: Charter
    rules: tuple[Rule, ...]
    """Those in force."""
    unit: str = "household"
    """The unit for sharing and voting."""
    examples: tuple[Example, ...] = ()
    joining: JoinMethods = DEFAULT_JOIN_METHODS
    measured: MeasuredUplink | None = None
    """None: the stated rate is shared whatever the uplink carries."""
    calendar: tuple[NamedDays, ...] = ()
    """By name."""
    grace_days: int = GRACE_DAYS
    """After the last day for which dues are paid, in which they are not late."""
    minutes: tuple[Minutes, ...] = ()
    """Of the decisions that have them."""
    preview_by: str = ""
    """The decision to keep usage in intervals of five minutes for 14 days, for previews; empty for none."""
    usage_by_day_by: str = ""
    """The decision that admins may see what an account used on each of the last days; empty for none."""
    observed: tuple[Rule, ...] = ()
    """Rules that are not in force: they limit and give nobody anything, and what they would do is counted."""
    uplink_name: str = MAIN_UPLINK
    """Empty for several."""
    uplinks: tuple[NamedUplink, ...] = ()
    """All uplinks of a community with several, by name; also in the rules of one of them."""
    ladders: tuple[Ladder, ...] = ()
    """Their steps are rules for people with a case; see `ladders`."""
    usable_up_permille: int | None = None
    """Of the upload; None: as of the download."""

    @property
    def is_of_several(self) -> bool:
        """Whether these are the rules of several uplinks, which nothing can be evaluated from."""
        return bool(self.uplinks) and not self.uplink_name

    @cached_property
    def uplink_names(self) -> tuple[str, ...]:
        """Of all lines whose speed the community states."""
        if self.uplinks:
            return tuple(each.name for each in self.uplinks)
        return () if self.uplink is None else (self.uplink_name,)

    @cached_property
    def by_uplink(self) -> Mapping[str, "Ruleset"]:
        """The rules of each uplink, by its name: these rules themselves where there are not several."""
        if not self.is_of_several:
            return {self.uplink_name: self}
        return {each.name: self._on(each) for each in self.uplinks}

    def of_uplink(self, name: str) -> "Ruleset":
        """The rules that hold on one uplink, `MAIN_UPLINK` where the name is empty; these rules themselves where there are
        not several. On a line that these rules do not name, those of all lines hold, and its speed is not stated."""
        if not self.is_of_several:
            return self
        return self.by_uplink.get(name or MAIN_UPLINK) or self._on_no_uplink

    def of_rule(self, rule: Rule) -> tuple["Ruleset", ...]:
        """The rules of each uplink on which this one holds."""
        return tuple(
            each for name, each in self.by_uplink.items() if not rule.uplinks or name in rule.uplinks
        )

    @cached_property
    def _on_no_uplink(self) -> "Ruleset":
        rules, observed = (
            tuple(rule for rule in each if not rule.uplinks) for each in (self.rules, self.observed)
        )
        return replace(self, rules=rules, observed=observed, uplinks=(), uplink_name=MAIN_UPLINK)

    def _on(self, uplink: NamedUplink) -> "Ruleset":
        shaped = uplink.shaped
        rules, observed = (
            tuple(_on_line(rule, shaped) for rule in each if not rule.uplinks or uplink.name in rule.uplinks)
            for each in (self.rules, self.observed)
        )
        return replace(
            self,
            uplink=uplink.rates,
            usable_permille=uplink.usable_permille,
            usable_up_permille=uplink.usable_up_permille,
            measured=uplink.measured,
            rules=rules,
            observed=observed,
            uplink_name=uplink.name,
        )

    @cached_property
    def shaped(self) -> Rates | None:
        """The rate that is shared: the usable part of the uplink as stated."""
        if self.uplink is None:
            return None
        return usable(self.uplink, self.usable_permille, self.usable_up_permille)

    @cached_property
    def every_rule(self) -> tuple[Rule, ...]:
        """Those in force and those only observed, in the order of the file."""
        return tuple(sorted((*self.rules, *self.observed), key=lambda rule: rule.line))

    def as_if_in_force(self, observed: Iterable[Rule]) -> "Ruleset":
        """The rules in force and these observed ones, without any that are only observed."""
        return replace(self, rules=(*self.rules, *observed), observed=())

    @cached_property
    def knows_dues(self) -> bool:
        """Whether a rule is for people whose dues are late, or leaves them out."""
        return any(LATE_DUES in rule.who.groups | rule.who.excluded_groups for rule in self.rules)

    @property
    def depends_on_load(self) -> bool:
        """Whether it matters for a rule in force, or for the trigger of a ladder, when the uplink counts as busy."""
        counted = {rule.effect.counts for rule in self.rules if isinstance(rule.effect, Quota)}
        counted |= {ladder.trigger.counts for ladder in self.ladders if ladder.trigger is not None}
        return "uplink while busy" in counted or any(rule.while_busy for rule in self.rules)

    @cached_property
    def nodes(self) -> tuple[str, ...]:
        """Names of the nodes that have rules of their own."""
        return nodes_of(self.rules)

    @cached_property
    def guaranteeable(self) -> Rates | None:
        """What lifelines and floors can have."""
        return None if self.shaped is None else without_reserve(self.shaped)

    @cached_property
    def share_cap(self) -> int:
        """The largest share that the charter's ratio allows: a multiple of the smallest, which is at most 100.

        A pool is one household of many people, so a small share of a pool does not lower the cap.
        """
        weights = [r.effect.weight for r in self.rules if isinstance(r.effect, Share) and not r.together]
        return min([SHARE_DEFAULT, *weights]) * self.charter.max_weight_ratio

    @property
    def share_default(self) -> int:
        """The share where no rule says otherwise: 100, or what the charter's ratio allows beside the smallest."""
        return min(SHARE_DEFAULT, self.share_cap)

    @property
    def may_carry_less(self) -> bool:
        """Whether the uplink, or one of several, is expected to carry less at times than the rate that all promises fit."""
        if self.is_of_several:
            return any(each.may_carry_less for each in self.by_uplink.values())
        if self.measured is None or self.shaped is None:
            return False
        return not covers(self.measured.least, self.shaped)

    @property
    def floors_may_shrink(self) -> bool:
        """Whether floors can be promised to more people than the uplink carries at once."""
        return self.may_carry_less or self.charter.overbook_percent > 100


def reserved(shaped: Rates, percent: int) -> Reserve:
    """So many percent of a line that is shared."""
    down, up = (BitsPerSecond(rate * percent // 100) for rate in (shaped.down, shaped.up))
    return Reserve(Rates(down, up), percent)


def _on_line(rule: Rule, shaped: Rates) -> Rule:
    """The rule on a line that is shared: a reserve is a part of each."""
    if not isinstance(rule.effect, Reserve) or rule.effect == (
        effect := reserved(shaped, rule.effect.percent)
    ):
        return rule
    return replace(rule, effect=effect)


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


def usable(uplink: Rates, permille: int, up_permille: int | None = None) -> Rates:
    """The part of a line that is shared; of both directions `permille` where nothing else is said about the upload."""
    up = permille if up_permille is None else up_permille
    return Rates(_permille(uplink.down, permille), _permille(uplink.up, up))


def _permille(rate: BitsPerSecond, permille: int) -> BitsPerSecond:
    return BitsPerSecond(rate * permille // 1000)


@dataclass(frozen=True, slots=True)
class ActiveRuleset:
    """The rules in force, and the state of the rule file if it differs from them."""

    ruleset: Ruleset
    """What the file says, for all lines."""
    text: str
    fingerprint: str
    warnings: tuple[Finding, ...] = ()
    strained: tuple[Finding, ...] = ()
    """Rules in force that no longer fit the members, each with its fix."""
    rejected: tuple[Finding, ...] = ()
    """Why the current file is not in force; empty when it is."""
    rejected_fingerprint: str = ""
    uplink_name: str = ""
    """The line of which this node is the gateway, as its settings say; empty where they do not."""
    own: Ruleset = field(init=False, repr=False, compare=False)
    """The rules that this node enforces: those of its line. The same object as long as `ruleset` is."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "own", self.ruleset.of_uplink(self.uplink_name))

    @property
    def seen(self) -> str:
        """Fingerprint of the file read last, valid or not."""
        return self.rejected_fingerprint or self.fingerprint


def nodes_of(rules: Iterable[Rule]) -> tuple[str, ...]:
    """Names of the nodes that these rules name, sorted."""
    return tuple(sorted({rule.at for rule in rules if rule.at}))


def groups_of_the_roll(groups: frozenset[str]) -> frozenset[str]:
    """Without those that the node computes, which have a colon."""
    return frozenset(group for group in groups if ":" not in group)


def essence(rule: Rule) -> Rule:
    """The rule without what nobody's rights depend on, on a line on which it holds."""
    return replace(rule, by="", why="", line=0, is_emergency=False, proposed_by=None, uplinks=())


def limit_of(rule: Rule) -> Rates | None:
    """The ceiling that the rule sets, at once or when its quota is used up."""
    effect = rule.effect.then if isinstance(rule.effect, Quota) else rule.effect
    return effect.rates if isinstance(effect, Ceiling) else None


def burst_of(rule: Rule) -> Burst | None:
    """That of its ceiling."""
    return rule.effect.burst if isinstance(rule.effect, Ceiling) else None


def covers(rates: Rates, others: Rates) -> bool:
    """Whether the rates are at least the others in both directions."""
    return rates.down >= others.down and rates.up >= others.up

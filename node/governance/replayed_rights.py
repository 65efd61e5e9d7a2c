"""Rights of accounts and their speeds under one ruleset, interval by interval: one side of a replay."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from node.governance.allowance import Moment, Unit
from node.governance.line_division import (
    LineRights,
    greedy,
    rights_of,
    satisfied,
)
from node.governance.replayed_usage import ReplayedUsage
from node.governance.rule_evaluation import Evaluator, PolicySlice
from node.governance.rules import Quota, Ruleset
from node.units import AccountId, Rates

type UnitOn = Callable[[AccountId, date, int], Unit]
"""An account on a day, when dues are late after so many days of grace."""

type AccountKind = tuple[str, frozenset[str], frozenset[str]]
"""Tier, groups, and quotas that are used up: accounts of one kind have the same rights."""


@dataclass(frozen=True, slots=True)
class ReplayedInterval:
    """What was used in one interval."""

    moment: Moment
    hour: datetime
    begins_hour: bool
    accounts: tuple[AccountId, ...]
    downs: Sequence[int]
    """Of each account, in bit/s."""
    ups: Sequence[int]


type AccountSpeeds = tuple[list[int], list[int]]
"""Of each account, down and up."""


type Entitlement = tuple[LineRights, tuple[tuple[Quota, bool], ...]]
"""The rights, and the quotas, each with whether it has a consequence now."""

type InternedRights = dict[tuple[object, ...], LineRights]


class LineUse:
    """How a line of this capacity is divided in an interval among accounts with these rights."""

    def __init__(self, capacity: Rates | None) -> None:
        self.capacity = capacity
        self.rights: list[LineRights] = []
        """Of each account of the interval."""
        self._low: AccountSpeeds | None = None
        self._high: AccountSpeeds | None = None
        self.margin: int | None = None

    def divide(self, rights: list[LineRights]) -> None:
        """The next interval."""
        self.rights = rights
        self._low = self._high = None

    def low(self, use: ReplayedInterval) -> AccountSpeeds:
        """If everybody wants what they used."""
        if self._low is None:
            down, up = (None, None) if self.capacity is None else (self.capacity.down, self.capacity.up)
            self._low = (
                satisfied(self.rights, use.downs, down, "down"),
                satisfied(self.rights, use.ups, up, "up"),
            )
        return self._low

    def high(self) -> AccountSpeeds:
        """If everybody wants as much as they can get, of a line whose speed is stated."""
        if self._high is None:
            assert self.capacity is not None, "stated"
            counts: dict[LineRights, int] = {}
            for each in self.rights:
                counts[each] = counts.get(each, 0) + 1
            found, margin = greedy(tuple(counts.items()), self.capacity)
            self.margin = margin if self.margin is None else min(self.margin, margin)
            both = [found[each] for each in self.rights]
            self._high = [down for down, _ in both], [up for _, up in both]
        return self._high


class RightsUnder(LineUse):
    """What accounts have under one ruleset, interval by interval."""

    def __init__(self, ruleset: Ruleset, unit_on: UnitOn, interned: InternedRights) -> None:
        super().__init__(ruleset.shaped)
        self._ruleset, self._unit_on, self._interned = ruleset, unit_on, interned
        self._evaluator = Evaluator(ruleset, lists_not_binding=False)
        self.quotas = {rule.id: rule.effect for rule in ruleset.rules if isinstance(rule.effect, Quota)}
        self._slice: PolicySlice | None = None
        self.has_others = False
        """Whether other rules apply than before."""
        self._known: dict[AccountKind, LineRights] = {}
        self._kinds: dict[AccountId, AccountKind] = {}
        """Since the hour began, for its quotas."""
        self._rights: dict[AccountId, LineRights] = {}
        """While the same rules apply."""
        self._entitled: dict[tuple[tuple[int, int, bool], AccountKind], Entitlement] = {}
        """By the rules that apply: most days have the same ones."""

    @property
    def slice_key(self) -> tuple[object, ...]:
        """What the rules that apply depend on."""
        return self._evaluator.slice_key

    def begin(self, moment: Moment) -> None:
        before, self._slice = self._slice, self._evaluator.slice_at(moment)
        self.has_others = self._slice is not before
        if self.has_others:
            self._known.clear()
            self._rights.clear()

    def take(self, use: ReplayedInterval, used: ReplayedUsage) -> None:
        """The next interval; `used` until then."""
        self.begin(use.moment)
        if use.begins_hour:
            self._kinds.clear()
            self._rights.clear()
        day, rights = use.moment.at.date(), self._rights
        for account in use.accounts:
            if account not in rights:
                kind = self._kinds.get(account)
                if kind is None:
                    kind = self._kinds[account] = self.kind(account, day, used)
                rights[account] = self.rights_of(kind)
        self.divide([rights[account] for account in use.accounts])

    def entitlement(self, kind: AccountKind) -> Entitlement:
        assert self._slice is not None, "begun"
        key = self._slice.rules_key, kind
        known = self._entitled.get(key)
        if known is None:
            tier, groups, _ = kind
            counted = self._slice.counted(Unit(AccountId(""), tier, groups))
            known = self.rights_of(kind), tuple((each.quota, each.holds) for each in counted)
            self._entitled[key] = known
        return known

    def kind(self, account: AccountId, day: date, used: ReplayedUsage) -> AccountKind:
        """With its own usage."""
        unit = self._unit_on(account, day, self._ruleset.grace_days)
        name = day.isoformat()
        exhausted = [
            each for each, quota in self.quotas.items() if used.total(account, quota, name) >= quota.volume
        ]
        return unit.tier, unit.groups, frozenset(exhausted)

    def rights_of(self, kind: AccountKind) -> LineRights:
        known = self._known.get(kind)
        if known is None:
            assert self._slice is not None, "begun"
            tier, groups, exhausted = kind
            allowance = self._slice.allowance(Unit(AccountId(""), tier, groups), exhausted)
            known = self._known[kind] = rights_of(allowance, self._interned)
        return known

"""The rule model as frozen values: a closed list of effects, no selector for what people do online."""

from dataclasses import dataclass
from typing import Literal

from node.accounting.periods import PeriodKind
from node.governance.join_methods import DEFAULT_JOIN_METHODS, JoinMethods
from node.governance.times import Times
from node.units import BitsPerSecond, Bytes, Milliseconds, Rates

SHARE_DEFAULT = 100
GUEST_TIER = "guest"
MEMBER_TIER = "member"

LIFELINE = "lifeline"
EQUAL_SHARE = "equal-share"
GUESTS = "guests"
"""Pool of all guests where no share rule of theirs says ``together``: guests are never many households."""

# Rights and defaults that stand in code, as `Bound.reasons` names them: no rule can have a colon in its id.
GUEST_LIFELINE = "lifeline:guests"
LIFELINE_IN_CODE = "lifeline:code"
EQUAL_SHARE_IN_CODE = "equal-share:code"

Counts = Literal["uplink", "uplink while busy"]


@dataclass(frozen=True, slots=True)
class Who:
    """Whom a rule selects: the union of tiers and groups, or everyone, less `excluded`."""

    everyone: bool = False
    tiers: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    excluded_tiers: frozenset[str] = frozenset()
    excluded_groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Share:
    """Weight in sharing the uplink; 100 is one household."""

    weight: int


@dataclass(frozen=True, slots=True)
class Floor:
    """Rate that is there whenever the person wants it."""

    rates: Rates


@dataclass(frozen=True, slots=True)
class Ceiling:
    """Rate that is never passed; None lifts the ceiling that this rule is an exception to."""

    rates: Rates | None


@dataclass(frozen=True, slots=True)
class Quota:
    """Volume in a period, and what happens when it is used up. It never cuts anyone off."""

    volume: Bytes
    period: PeriodKind
    counts: Counts
    then: Share | Ceiling


@dataclass(frozen=True, slots=True)
class SessionLimit:
    """How long one visit lasts; then the person comes in again."""

    length: Milliseconds


@dataclass(frozen=True, slots=True)
class DevicesLimit:
    """How many devices of one account are on at once."""

    count: int


Effect = Share | Floor | Ceiling | Quota | SessionLimit | DevicesLimit


@dataclass(frozen=True, slots=True)
class Rule:
    """One decision of the community: whom it is for, what it does, when, and who decided it."""

    id: str
    who: Who
    effect: Effect
    by: str
    """Id of the decision that adopted it."""
    when: Times | None = None
    """None means always."""
    exception_to: str | None = None
    together: bool = False
    """The people selected count as one household."""
    why: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Charter:
    """What only a large majority can change, inside what no vote can change."""

    lifeline: Rates
    guest_lifeline: Rates
    """All guests together."""
    max_weight_ratio: int


@dataclass(frozen=True, slots=True)
class Example:
    """A test that stands in the rule file itself: what somebody must get at some time; see `examples`."""

    given: str
    expect: str
    line: int = 0


@dataclass(frozen=True, slots=True)
class Ruleset:
    """All rules in force in one community, and the uplink they share."""

    community: str
    version: int
    decision: str
    uplink: Rates | None
    """Measured capacity; None while the community has not stated it: then only ceilings shape."""
    usable_permille: int
    charter: Charter
    rules: tuple[Rule, ...]
    unit: str = "household"
    """What counts as one, for sharing and for voting."""
    examples: tuple[Example, ...] = ()
    joining: JoinMethods = DEFAULT_JOIN_METHODS

    @property
    def shaped(self) -> Rates | None:
        """The rate that is shared out: what is usable of the uplink."""
        if self.uplink is None:
            return None
        return Rates(
            _permille(self.uplink.down, self.usable_permille), _permille(self.uplink.up, self.usable_permille)
        )


def _permille(rate: BitsPerSecond, permille: int) -> BitsPerSecond:
    return BitsPerSecond(rate * permille // 1000)

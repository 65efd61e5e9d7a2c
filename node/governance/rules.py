"""The rule model as frozen values: a closed list of effects, and no selector for what people do online."""

from dataclasses import dataclass
from typing import Literal

from node.accounting.periods import PeriodKind
from node.governance.times import Times
from node.units import BitsPerSecond, Bytes, Milliseconds, Rates

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


# The methods by which people may join: the part of the rule file that comes before shares and limits.

Way = Literal["terms", "voucher", "passphrase", "card", "introduction"]
"""``terms``: accept the terms, no identity. ``voucher``: a printed code. ``passphrase``: of a member. ``card``: a
signed membership card. ``introduction``: a member approves a guest."""


WAYS: tuple[Way, ...] = ("terms", "voucher", "passphrase", "card", "introduction")


WhenFull = Literal["oldest", "ask"]
"""When an account has reached its number of devices: the longest idle device is removed, or the user is asked."""


@dataclass(frozen=True, slots=True)
class JoinMethods:
    """The methods of this community, in the order in which the page shows them."""

    ways: tuple[Way, ...] = WAYS
    when_full: WhenFull = "oldest"
    by: str = ""
    """The decision behind it; empty for the default without an entry in the file."""


DEFAULT_JOIN_METHODS = JoinMethods()


@dataclass(frozen=True, slots=True)
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

    @property
    def shaped(self) -> Rates | None:
        """The rate that is shared: the usable part of the uplink."""
        if self.uplink is None:
            return None
        return Rates(
            _permille(self.uplink.down, self.usable_permille), _permille(self.uplink.up, self.usable_permille)
        )


def _permille(rate: BitsPerSecond, permille: int) -> BitsPerSecond:
    return BitsPerSecond(rate * permille // 1000)


WAYS_OF_MEMBERS: frozenset[Way] = frozenset({"passphrase", "card", "introduction"})
"""Methods that need at least one member in the directory."""


WHEN_FULL: tuple[WhenFull, ...] = ("oldest", "ask")

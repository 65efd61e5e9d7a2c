"""What one account may use now: each limit carries the rule that set it, and how to contest it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from node.units import NO_RATES, AccountId, Bytes, Milliseconds, Rates

ClockState = Literal["synced", "holdover", "unknown"]


@dataclass(frozen=True, slots=True)
class Unit:
    """Who is asking: one account as the roll knows it. Units of one tier and the same groups are equal."""

    account: AccountId
    tier: str
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Moment:
    """Local civil time and how far it is trusted; with clock ``unknown`` limits that have times sleep."""

    at: datetime
    clock: ClockState


@dataclass(frozen=True, slots=True)
class Bound[V]:
    """A value and its reason: the rule that set it, the decision behind the rule, and until when it holds."""

    value: V
    rule: str
    """Rule id; ``lifeline`` and ``equal-share`` are the rights and defaults that stand in code."""
    decision: str
    sentence: str
    """Plain language, as it was voted on."""
    until: datetime | None = None
    also: tuple[str, ...] = ()
    """Ids of rules that applied too but did not set the value."""
    reasons: tuple[str, ...] = ()
    """What `sentence` is made of, so that it can be said in any language; empty for `rule` alone."""


@dataclass(frozen=True, slots=True)
class QuotaLeft:
    """One quota of the account: what it allows in this period and what is left of it."""

    rule: str
    allowed: Bytes
    used: Bytes
    resets: datetime | None
    """None while the clock is unknown."""

    @property
    def left(self) -> Bytes:
        return Bytes(max(0, self.allowed - self.used))


@dataclass(frozen=True, slots=True)
class Allowance:
    """Everything that enforcement, the portal and ``procomu why`` need to know about one account now."""

    share: Bound[int]
    """Of the pool when there is one."""
    floor: Bound[Rates]
    """Of the pool when there is one: a promise to each of any number of guests could not be kept."""
    ceiling: Bound[Rates] | None
    """Always the account's own, also inside a pool."""
    quotas: tuple[QuotaLeft, ...] = ()
    pool: str | None = None
    """Rule id of the pool in which this account counts together with others; ``guests`` stands in code."""
    pool_ceiling: Bound[Rates] | None = None
    """What all of the pool together never pass."""
    weight_in_pool: int = 100
    """Relative to the others in the pool; meaningless without one."""
    session: Bound[Milliseconds] | None = None
    """How long one visit lasts; None where no rule says it."""
    devices: Bound[int] | None = None
    """How many devices of the account are on at once; None where no rule says it."""
    not_binding: tuple[str, ...] = ()
    """Sentences of rules that select this account but change nothing now."""
    not_binding_rules: tuple[str, ...] = ()
    """Their ids, in the same order."""
    own_floor: Bound[Rates] | None = None
    """What the account keeps for itself inside a pool of households; None where it is in no pool, and for guests,
    whose lifeline is for all of them together."""
    lifeline: Rates = NO_RATES
    """The part of the floors that no rule takes away and that shrinks last: the account's own, or all the guests'."""
    kept_permille: int = 1000
    """Less than 1000 while the line has no room for all that is promised to those who are here: what is left of the
    floors, which are then given as they are kept."""

"""What one account may use now: each limit carries the rule that set it, and how to contest it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Literal, TypeVar

from node.units import AccountId, Bytes, Rates

V = TypeVar("V")
ClockState = Literal["synced", "holdover", "unknown"]


@dataclass(frozen=True, slots=True)
class Unit:
    """Who is asking: one account as the roll knows it. Units of the same tier and groups have equal rights."""

    account: AccountId
    tier: str
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Moment:
    """Local civil time and how far it can be trusted; with clock ``unknown`` restricting rules with times sleep."""

    at: datetime
    clock: ClockState


@dataclass(frozen=True, slots=True)
class Bound(Generic[V]):
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
    floor: Bound[Rates]
    ceiling: Bound[Rates] | None
    quotas: tuple[QuotaLeft, ...] = ()
    pool: str | None = None
    """Rule id of the pool in which this account counts together with others."""
    not_binding: tuple[str, ...] = ()
    """Sentences of rules that select this account but change nothing now."""

"""What one account may use now. Each limit names the rule that set it and the decision behind that rule."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from node.governance.burst import Burst
from node.units import NO_RATES, AccountId, Bytes, Milliseconds, Rates

ClockState = Literal["synced", "holdover", "unknown"]


@dataclass(frozen=True, slots=True)
class Unit:
    """One account with its tier and groups. Units with the same tier and groups have the same rights."""

    account: AccountId
    tier: str
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Moment:
    """Local civil time, the state of the clock and of the uplink, and the node. With clock ``unknown``, limits that depend
    on times do not apply."""

    at: datetime
    clock: ClockState
    busy: bool = False
    """Whether the uplink is busy."""
    node: str = ""
    """Name of the node whose rules apply; empty for one that no rule names."""


@dataclass(frozen=True, slots=True)
class Bound[V]:
    """A value and its reason: the rule that set it, the decision behind the rule, and until when it applies."""

    value: V
    rule: str
    """Rule id; ``lifeline`` and ``equal-share`` are rights and defaults defined in code."""
    decision: str
    sentence: str
    """Plain language, as it was voted on."""
    until: datetime | None = None
    also: tuple[str, ...] = ()
    """Ids of rules that also applied but did not set the value."""
    reasons: tuple[str, ...] = ()
    """What `sentence` consists of, to say it in other languages; empty when `rule` is all."""

    def is_by(self, rules: frozenset[str]) -> bool:
        """Whether one of these rules is its reason, or one of its reasons."""
        return not rules.isdisjoint(self.reasons or (self.rule,))


@dataclass(frozen=True, slots=True)
class QuotaLeft:
    """One quota of the account: its volume in this period and what is left."""

    rule: str
    allowed: Bytes
    used: Bytes
    resets: datetime | None
    """When it starts again, or, for the last days, when enough of a used-up volume is free again if nothing more is used;
    None while the clock is unknown, and for the last days while some of it is left."""
    is_alert: bool = False
    """When it is used up nothing is limited: the person is asked to use less."""
    days: int | None = None
    """It counts so many last days; None for a day, week or month."""

    @property
    def left(self) -> Bytes:
        return Bytes(max(0, self.allowed - self.used))


@dataclass(frozen=True, slots=True)
class Allowance:
    """Everything that enforcement, the portal and ``procomu why`` need to know about one account now."""

    share: Bound[int]
    """The pool's, when there is one."""
    floor: Bound[Rates]
    """The pool's, when there is one: with any number of guests a floor for each could not be kept."""
    ceiling: Bound[Rates] | None
    """The account's own, also inside a pool."""
    quotas: tuple[QuotaLeft, ...] = ()
    pool: str | None = None
    """Rule id of the pool that this account belongs to; ``guests`` is defined in code."""
    pool_ceiling: Bound[Rates] | None = None
    """Maximum of all accounts of the pool together."""
    burst: Burst | None = None
    """What the account may have before its ceiling holds, by the rules of the ceiling; None where it holds at once."""
    pool_burst: Burst | None = None
    """The same of the pool and its ceiling."""
    weight_in_pool: int = 100
    """Relative to other members of the pool; meaningless without one."""
    session: Bound[Milliseconds] | None = None
    """Duration of one session; None without a limit."""
    devices: Bound[int] | None = None
    """Devices of the account that may be online at once; None without a limit."""
    not_binding: tuple[str, ...] = ()
    """Sentences of rules that select this account but change nothing now."""
    not_binding_rules: tuple[str, ...] = ()
    """Their ids, in the same order."""
    alerts: tuple[str, ...] = ()
    """Ids of the used-up quotas that limit nothing: the person is asked to use less."""
    own_floor: Bound[Rates] | None = None
    """Floor of the account itself inside a pool of households; None without a pool, and for guests, who share one
    lifeline."""
    lifeline: Rates = NO_RATES
    """Part of the floors that no rule can remove and that shrinks last: the account's own, or that of all guests."""
    kept_permille: int = 1000
    """Below 1000 while the uplink cannot carry all guarantees of those online: the part that is left; the floors
    above are already reduced."""


def binding(allowance: Allowance) -> tuple[str, str]:
    """The rule that limits the account most visibly now, and its sentence: a ceiling before a share."""
    bound = allowance.ceiling or allowance.share
    return bound.rule, bound.sentence

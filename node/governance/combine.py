"""Combines several rules with the same effect into one value with its reason. The order of rules does not matter."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from node.governance.allowance import Bound
from node.governance.rules import (
    EQUAL_SHARE,
    EQUAL_SHARE_IN_CODE,
    GUEST_LIFELINE,
    GUESTS,
    LIFELINE,
    LIFELINE_IN_CODE,
    SHARE_DEFAULT,
    Charter,
    Rule,
    Ruleset,
    Share,
)
from node.governance.sentences import (
    BUILT_IN,
    code_lifeline_sentence,
    equal_share_sentence,
    guest_lifeline_sentence,
    guests_share_sentence,
    lifeline_sentence,
)
from node.units import KILO, BitsPerSecond, Milliseconds, Rates

# Combines several rules with the same effect into one value with its reason. The order of rules does not matter.

Direction = Literal["down", "up"]


DIRECTIONS: tuple[Direction, ...] = ("down", "up")


CODE_LIFELINE = Rates(BitsPerSecond(64 * KILO), BitsPerSecond(32 * KILO))
"""No charter can go below this: enough for messages, mail and public services."""


SESSION_MIN = Milliseconds(30 * 60_000)
"""No rule can go below this: long enough to write a letter, and not to join again and again."""


@dataclass(frozen=True, slots=True)
class Claim[V]:
    """The value of one rule for a ceiling, floor, share, session duration or number of devices."""

    rule: Rule
    value: V
    sentence: str
    until: datetime | None


def lifeline(charter: Charter) -> Rates:
    """The lifeline of a household: the charter's, but at least the one in code."""
    return highest(charter.lifeline, CODE_LIFELINE)


def guest_lifeline(charter: Charter) -> Rates:
    """The lifeline of all guests together: the charter's, but at least the one in code."""
    return highest(charter.guest_lifeline, CODE_LIFELINE)


def lifeline_bound(ruleset: Ruleset) -> Bound[Rates]:
    rates = lifeline(ruleset.charter)
    return Bound(rates, LIFELINE, ruleset.decision, lifeline_sentence(ruleset, rates))


def guest_lifeline_bound(ruleset: Ruleset) -> Bound[Rates]:
    rates = guest_lifeline(ruleset.charter)
    return Bound(rates, LIFELINE, ruleset.decision, guest_lifeline_sentence(rates), reasons=(GUEST_LIFELINE,))


def code_lifeline_bound() -> Bound[Rates]:
    return Bound(CODE_LIFELINE, LIFELINE, BUILT_IN, code_lifeline_sentence(), reasons=(LIFELINE_IN_CODE,))


def equal_share_bound(ruleset: Ruleset) -> Bound[int]:
    return Bound(
        SHARE_DEFAULT, EQUAL_SHARE, BUILT_IN, equal_share_sentence(ruleset), reasons=(EQUAL_SHARE_IN_CODE,)
    )


def guests_share_bound(ruleset: Ruleset) -> Bound[int]:
    return Bound(SHARE_DEFAULT, EQUAL_SHARE, BUILT_IN, guests_share_sentence(ruleset), reasons=(GUESTS,))


def share_cap(ruleset: Ruleset) -> int:
    """The largest share that the charter's ratio allows: a multiple of the smallest, which is at most 100.

    A pool is one household of many people, so a small share of a pool does not lower the cap.
    """
    weights = [r.effect.weight for r in ruleset.rules if isinstance(r.effect, Share) and not r.together]
    return min([SHARE_DEFAULT, *weights]) * ruleset.charter.max_weight_ratio


def base_share(claims: Sequence[Claim[int]], default: Bound[int], cap: int) -> Bound[int]:
    """The one base share; of two, which the checks would refuse, the larger."""
    if not claims:
        return default
    first, *others = sorted(claims, key=lambda claim: (-claim.value, claim.rule.id))
    value = max(1, min(first.value, cap))
    return Bound(
        value, first.rule.id, first.rule.by, first.sentence, first.until, tuple(c.rule.id for c in others)
    )


def lowered_share(base: Bound[int], consequences: Sequence[Claim[int]]) -> Bound[int]:
    """The base share, or the smallest consequence of an exhausted quota if that is lower."""
    lowering = sorted((c for c in consequences if c.value < base.value), key=lambda c: (c.value, c.rule.id))
    if not lowering:
        return replace(base, also=_also(base, consequences))
    first, *others = lowering
    also = tuple(sorted({base.rule, *base.also, *(claim.rule.id for claim in others)} - {first.rule.id}))
    return Bound(max(1, first.value), first.rule.id, first.rule.by, first.sentence, first.until, also)


def lowest_ceiling(claims: Sequence[Claim[Rates]], least: Bound[Rates]) -> Bound[Rates] | None:
    """The lowest rate in each direction, but at least `least`; None without a limit."""
    if not claims:
        return None
    down, up = min(c.value.down for c in claims), min(c.value.up for c in claims)
    kept = Rates(max(down, least.value.down), max(up, least.value.up))
    setting = [c for c in claims if c.value.down == down or c.value.up == up]
    if kept.down != down and kept.up != up:
        also = tuple(sorted(claim.rule.id for claim in claims))
        return Bound(kept, least.rule, least.decision, least.sentence, None, also, least.reasons)
    return _bound(kept, setting, claims, lambda claim: claim.value == Rates(down, up))


def highest_floor(
    claims: Sequence[Claim[Rates]], lifeline: Bound[Rates], ceiling: Bound[Rates] | None
) -> Bound[Rates]:
    """The highest rate in each direction, at least the lifeline and at most the ceiling."""
    down = max([lifeline.value.down, *(c.value.down for c in claims)])
    up = max([lifeline.value.up, *(c.value.up for c in claims)])
    kept = Rates(down, up) if ceiling is None else lowest(Rates(down, up), ceiling.value)
    setting = [
        c
        for c in claims
        if (c.value.down == down > lifeline.value.down) or (c.value.up == up > lifeline.value.up)
    ]
    if not setting:
        also = tuple(sorted(claim.rule.id for claim in claims))
        return Bound(kept, lifeline.rule, lifeline.decision, lifeline.sentence, None, also, lifeline.reasons)
    return _bound(kept, setting, claims, lambda claim: claim.value == Rates(down, up))


def smallest_limit[N: int](claims: Sequence[Claim[N]], least: N) -> Bound[N] | None:
    """The smallest limit, but at least `least`; None without a limit."""
    if not claims:
        return None
    first, *others = sorted(claims, key=lambda claim: (claim.value, claim.rule.id))
    also = tuple(claim.rule.id for claim in others)
    return Bound(max(first.value, least), first.rule.id, first.rule.by, first.sentence, first.until, also)


def rate_in(direction: Direction, rates: Rates) -> BitsPerSecond:
    return rates.down if direction == "down" else rates.up


def highest(a: Rates, b: Rates) -> Rates:
    return Rates(max(a.down, b.down), max(a.up, b.up))


def lowest(a: Rates, b: Rates) -> Rates:
    return Rates(min(a.down, b.down), min(a.up, b.up))


def earliest(ends: Sequence[datetime | None]) -> datetime | None:
    return min((end for end in ends if end is not None), default=None)


def _also(base: Bound[int], consequences: Sequence[Claim[int]]) -> tuple[str, ...]:
    return tuple(sorted({*base.also, *(claim.rule.id for claim in consequences)}))


def _bound(
    value: Rates,
    setting: list[Claim[Rates]],
    claims: Sequence[Claim[Rates]],
    sets_both: Callable[[Claim[Rates]], bool],
) -> Bound[Rates]:
    """If one rule sets both directions, it is the whole reason; otherwise the sentence names the rule of each
    direction."""
    ordered = sorted(setting, key=lambda claim: (not sets_both(claim), claim.rule.id))
    if sets_both(ordered[0]):
        ordered = ordered[:1]
    first = ordered[0]
    sentence = " ".join(claim.sentence for claim in ordered)
    until = earliest([claim.until for claim in ordered])
    also = tuple(sorted({claim.rule.id for claim in claims} - {claim.rule.id for claim in ordered}))
    reasons = tuple(claim.rule.id for claim in ordered)
    return Bound(value, first.rule.id, first.rule.by, sentence, until, also, reasons)

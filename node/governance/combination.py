"""Several rules with one effect become one value with its reason; their order does not matter."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from node.governance.allowance import Bound
from node.governance.burst import Burst, least_burst, peak
from node.governance.rules import (
    SHARE_DEFAULT,
    Rule,
    burst_of,
)
from node.units import Rates, lowest


@dataclass(frozen=True, slots=True)
class Claim[V]:
    """The value of one rule for a ceiling, floor, share, session duration or number of devices."""

    rule: Rule
    value: V
    sentence: str
    until: datetime | None


@dataclass(frozen=True, slots=True)
class WeightInPool:
    """Weight of one account among those of its pool, the rules that set it, and others that do not."""

    weight: int
    reasons: tuple[Claim[int], ...]
    also: frozenset[str]


def base_share(claims: Sequence[Claim[int]], default: Bound[int], cap: int) -> Bound[int]:
    """The one base share; of two, which the checks would refuse, the larger."""
    if not claims:
        return default
    first, *others = sorted(claims, key=lambda claim: (-claim.value, claim.rule.id))
    value = max(1, min(first.value, cap))
    return Bound(
        value, first.rule.id, first.rule.by, first.sentence, first.until, tuple(c.rule.id for c in others)
    )


def credited_share(base: Bound[int], credits_: Sequence[Claim[int]], cap: int) -> Bound[int]:
    """The base share with all credits, at most `cap`."""
    if not credits_ and not base.also:
        return base
    value = min(max(cap, base.value), base.value + sum(claim.value for claim in credits_))
    ids = [claim.rule.id for claim in credits_]
    if value == base.value:
        return replace(base, also=tuple(sorted({*base.also, *ids})))
    sentence_ = " ".join([base.sentence, *(claim.sentence for claim in credits_)])
    until = earliest([base.until, *(claim.until for claim in credits_)])
    return replace(
        base, value=value, sentence=sentence_, until=until, reasons=(*(base.reasons or (base.rule,)), *ids)
    )


def weight_in_pool(
    credits_: Sequence[Claim[int]], consequences: Sequence[Claim[int]], max_weight_ratio: int
) -> WeightInPool:
    """Credits add to the weight that all accounts of a pool have, and a used-up quota lowers it."""
    own = min(SHARE_DEFAULT * max_weight_ratio, SHARE_DEFAULT + sum(claim.value for claim in credits_))
    weight = min([own, *(claim.value for claim in consequences)])
    reasons = tuple(claim for claim in consequences if claim.value == weight < own)[:1]
    if not reasons and own > SHARE_DEFAULT:
        reasons = tuple(credits_)
    also = {claim.rule.id for claim in (*consequences, *credits_)} - {claim.rule.id for claim in reasons}
    return WeightInPool(weight, reasons, frozenset(also))


def lowered_share(base: Bound[int], consequences: Sequence[Claim[int]]) -> Bound[int]:
    """The base share, or the smallest consequence of an exhausted quota if that is lower."""
    if not consequences and not base.also:
        return base
    lowering = sorted((c for c in consequences if c.value < base.value), key=lambda c: (c.value, c.rule.id))
    if not lowering:
        return replace(base, also=_also(base, consequences))
    first, *others = lowering
    credited = base.reasons[1:]
    also = {base.rule, *credited, *base.also, *(claim.rule.id for claim in others)} - {first.rule.id}
    return Bound(
        max(1, first.value), first.rule.id, first.rule.by, first.sentence, first.until, tuple(sorted(also))
    )


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
    limiting = _limiting_burst(claims)
    return _bound(kept, setting, claims, lambda claim: claim.value == Rates(down, up), limiting)


def burst_above(claims: Sequence[Claim[Rates]], ceiling: Bound[Rates] | None) -> Burst | None:
    """The burst of several ceilings, of which `ceiling` is the lowest; None without one."""
    if ceiling is None:
        return None
    return least_burst([(claim.value, burst_of(claim.rule)) for claim in claims], ceiling.value)


def _limiting_burst(claims: Sequence[Claim[Rates]]) -> list[Claim[Rates]]:
    """Where one of them has a burst: those with the lowest rate in a direction while it lasts, or with the shortest."""
    lengths = [burst.length for claim in claims if (burst := burst_of(claim.rule)) is not None]
    if not lengths:
        return []
    peaks = [peak(claim.value, burst_of(claim.rule)) for claim in claims]
    down, up, shortest = min(each.down for each in peaks), min(each.up for each in peaks), min(lengths)
    return [
        claim
        for claim, each in zip(claims, peaks, strict=True)
        if each.down == down
        or each.up == up
        or ((burst := burst_of(claim.rule)) is not None and burst.length == shortest)
    ]


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


def earliest(ends: Sequence[datetime | None]) -> datetime | None:
    return min((end for end in ends if end is not None), default=None)


def _also(base: Bound[int], consequences: Sequence[Claim[int]]) -> tuple[str, ...]:
    return tuple(sorted({*base.also, *(claim.rule.id for claim in consequences)}))


def _bound(
    value: Rates,
    setting: list[Claim[Rates]],
    claims: Sequence[Claim[Rates]],
    sets_both: Callable[[Claim[Rates]], bool],
    others: Sequence[Claim[Rates]] = (),
) -> Bound[Rates]:
    """If one rule sets both directions, it is the whole reason; otherwise the sentence names the rule of each
    direction. `others` are reasons as well."""
    ordered = sorted(setting, key=lambda claim: (not sets_both(claim), claim.rule.id))
    if sets_both(ordered[0]):
        ordered = ordered[:1]
    named = {claim.rule.id for claim in ordered}
    ordered += sorted((each for each in others if each.rule.id not in named), key=lambda each: each.rule.id)
    first = ordered[0]
    sentence = " ".join(claim.sentence for claim in ordered)
    until = earliest([claim.until for claim in ordered])
    also = tuple(sorted({claim.rule.id for claim in claims} - {claim.rule.id for claim in ordered}))
    reasons = tuple(claim.rule.id for claim in ordered)
    return Bound(value, first.rule.id, first.rule.by, sentence, until, also, reasons)

"""The answer to "why is my speed what it is?", line by line."""

from node.governance.allowance import Allowance, Bound, QuotaLeft
from node.governance.burst import Burst
from node.governance.expressions import burst_words, date_words, duration_words, rates_words
from node.governance.rules import LIFELINE, SHARE_DEFAULT
from node.governance.sentences import BUILT_IN
from node.units import Milliseconds, Rates, show_volume


def explain(allowance: Allowance) -> tuple[str, ...]:
    """Lines for ``procomu why``: each limit, its rule and decision, until when it applies, and how to object."""
    lines = [_summary(allowance)]
    lines += _reason(f"share {allowance.share.value}", allowance.share)
    if allowance.own_floor is not None:
        lines += _reason("your own floor", allowance.own_floor)
        lines += _reason("floor together", allowance.floor)
    else:
        lines += _reason("floor", allowance.floor)
    if allowance.ceiling is not None:
        lines += _reason("ceiling", allowance.ceiling)
        lines += _burst(allowance.burst)
    if allowance.pool_ceiling is not None:
        lines += _reason("ceiling together", allowance.pool_ceiling)
        lines += _burst(allowance.pool_burst)
    if allowance.session is not None:
        lines += _reason(f"session {duration_words(allowance.session.value)}", allowance.session)
    if allowance.devices is not None:
        lines += _reason(f"devices {allowance.devices.value}", allowance.devices)
    if allowance.kept_permille < 1000:
        lines.append(
            f" The line is too slow for everything that was promised to the people here now. Floors are cut to "
            f"{allowance.kept_permille // 10} %."
        )
    lines += [_used(quota) for quota in allowance.quotas]
    lines += [f" not limiting now: {text}" for text in allowance.not_binding]
    lines.append(
        "To object to a limit, tell the people who run this network, or bring it to the next assembly, "
        "and name the rule. You keep your lifeline in any case."
    )
    return tuple(lines)


def _summary(allowance: Allowance) -> str:
    weight = allowance.share.value
    share = "an equal share (100)" if weight == SHARE_DEFAULT else f"a share of {weight}"
    top = "no ceiling"
    if allowance.ceiling is not None:
        top = f"at most {rates_words(allowance.ceiling.value)}"
    if allowance.pool is None:
        return f"You have {share} of the line, at least {rates_words(allowance.floor.value)}, {top}."
    floor = rates_words(allowance.floor.value)
    if allowance.own_floor is not None:
        top = f"at least {rates_words(allowance.own_floor.value)}, {top}"
    return f"You and others together have {share} of the line and at least {floor}; for yourself {top}."


def _reason(label: str, bound: Bound[int] | Bound[Milliseconds] | Bound[Rates]) -> list[str]:
    value = "" if isinstance(bound.value, int) else f" {rates_words(bound.value)}"
    decided = f"decision {bound.decision}" if bound.decision != BUILT_IN else "built into the node"
    if bound.rule == LIFELINE:
        decided += ", no rule can go below it"
    until = f", until {date_words(bound.until)}" if bound.until is not None else ""
    return [f" {label}{value}: by {bound.rule} ({decided}{until})", f"   {bound.sentence}"]


def _burst(burst: Burst | None) -> list[str]:
    if burst is None:
        return []
    return [f"   up to {burst_words(burst)}, and again after a while below the ceiling"]


def _used(quota: QuotaLeft) -> str:
    resets = f", starts again on {date_words(quota.resets)}" if quota.resets is not None else ""
    if quota.days is not None:
        resets = f" of the last {quota.days} days"
        if quota.resets is not None:
            resets += f", enough is free again on {date_words(quota.resets)} if nothing more is used"
    used = f"{show_volume(quota.used)} used of {show_volume(quota.allowed)}"
    alert = "" if not quota.is_alert else ". Nothing is limited"
    if quota.is_alert and not quota.left:
        alert += ", and you are asked to use less"
    return f" {quota.rule}: {used}, {show_volume(quota.left)} left{resets}{alert}"

"""Rules in plain English, as people vote on them, and the answer to "why is my speed what it is?"."""

from collections.abc import Sequence
from datetime import datetime

from node.governance.allowance import Allowance, Bound, QuotaLeft
from node.governance.rules import (
    GUEST_TIER,
    LIFELINE,
    SHARE_DEFAULT,
    Ceiling,
    Floor,
    Quota,
    Rule,
    Ruleset,
    Share,
    Who,
)
from node.governance.selection import ONLY_GUESTS, selects
from node.governance.times import Times, to_text
from node.units import GIGA, KILO, MEGA, BitsPerSecond, Rates, format_rate, format_volume, show_volume

BUILT_IN = "built in"
"""Stands in `Bound.decision` where no decision was needed: the node's own defaults and rights."""

_DAY_NAMES = {
    "mon": "Monday", "tue": "Tuesday", "wed": "Wednesday", "thu": "Thursday",
    "fri": "Friday", "sat": "Saturday", "sun": "Sunday",
}  # fmt: skip
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_SMALL = {1: "one", 2: "two", 3: "three", 4: "four", 5: "five", 6: "six"}


def sentence(rule: Rule, ruleset: Ruleset) -> str:
    """The rule as people vote on it: whom, what, when, in place of what, why, and who decided it."""
    parts = [_capital(_times(rule.when) + _effect(rule, ruleset))]
    if rule.exception_to is not None:
        parts.append(f"This replaces {rule.exception_to} {'in those hours' if rule.when else 'for them'}.")
    if rule.why:
        parts.append(f"Why: {rule.why.rstrip('.')}.")
    parts.append(f"Decided in {rule.by}.")
    return " ".join(parts)


def lifeline_sentence(ruleset: Ruleset, lifeline: Rates) -> str:
    return f"Every {ruleset.unit} always has at least {rates_words(lifeline)}. No rule can take this away."


def guest_lifeline_sentence(lifeline: Rates) -> str:
    return f"All guests together always have at least {rates_words(lifeline)}. No rule can take this away."


def equal_share_sentence(ruleset: Ruleset) -> str:
    return f"Where no rule says otherwise, every {ruleset.unit} has an equal share (100) of the line."


def guests_share_sentence(ruleset: Ruleset) -> str:
    return f"All guests together count as one {ruleset.unit}."


def describe(ruleset: Ruleset) -> tuple[str, ...]:
    """All that is agreed, one sentence each: the line, the charter, then the rules as in the file."""
    charter = ruleset.charter
    first = "The speed of the line is not stated, so only ceilings hold."
    if (shaped := ruleset.shaped) is not None:
        first = f"The line is shared out as {rates_words(shaped)}."
    return (
        first,
        lifeline_sentence(ruleset, charter.lifeline),
        guest_lifeline_sentence(charter.guest_lifeline),
        f"Nobody's share is more than {charter.max_weight_ratio} times another's.",
        *(sentence(rule, ruleset) for rule in ruleset.rules),
    )


def explain(allowance: Allowance) -> tuple[str, ...]:
    """Lines for ``procomu why``: what holds, by which rule and decision, until when, how to contest it."""
    lines = [_summary(allowance)]
    lines += _reason(f"share {allowance.share.value}", allowance.share)
    lines += _reason("floor", allowance.floor)
    if allowance.ceiling is not None:
        lines += _reason("ceiling", allowance.ceiling)
    if allowance.pool_ceiling is not None:
        lines += _reason("ceiling together", allowance.pool_ceiling)
    lines += [_used(quota) for quota in allowance.quotas]
    lines += [f" not binding now: {text}" for text in allowance.not_binding]
    lines.append(
        "To contest a limit: tell the people who look after this network, or bring it to the next assembly, "
        "and name the rule. You keep your lifeline whatever comes of it."
    )
    return tuple(lines)


def rates_words(rates: Rates) -> str:
    return f"{rate_words(rates.down)} down and {rate_words(rates.up)} up"


def rate_words(rate: BitsPerSecond) -> str:
    """Exact, with up to three decimals where that reads better: ``36.8 Mbit/s``, not ``36800 kbit/s``."""
    units = (("Gbit/s", GIGA), ("Mbit/s", MEGA), ("kbit/s", KILO))
    name, scale = next((unit for unit in units if rate >= unit[1]), ("bit/s", 1))
    if scale == 1 or rate % (scale // 1000):
        return format_rate(rate)
    return f"{rate // scale}.{rate % scale * 1000 // scale:03}".rstrip("0").rstrip(".") + f" {name}"


def date_words(at: datetime) -> str:
    """``1 April 2026`` for midnight, else ``20 March 2026, 23:00``."""
    day = f"{at.day} {_MONTHS[at.month - 1]} {at.year}"
    return day if (at.hour, at.minute) == (0, 0) else f"{day}, {at.hour:02}:{at.minute:02}"


def who_words(who: Who) -> str:
    """``members and people in the group school, but not guests``."""
    names = [*map(_tier_words, sorted(who.tiers)), *(f"people in the group {g}" for g in sorted(who.groups))]
    text = "all people" if who.everyone else _joined(names)
    left_out = [*map(_tier_words, sorted(who.excluded_tiers))]
    left_out += [f"people in the group {group}" for group in sorted(who.excluded_groups)]
    return f"{text}, but not {_joined(left_out)}," if left_out else text


def _effect(rule: Rule, ruleset: Ruleset) -> str:
    who = who_words(rule.who)
    together = f"all {who.removeprefix('all ')} together" if rule.together else who
    match rule.effect:
        case Share(weight):
            return _share(weight, rule, together, ruleset)
        case Floor(rates):
            return f"{together} have at least {rates_words(rates)} whenever they want it."
        case Ceiling(rates):
            if rates is None:
                return f"{together} have no speed ceiling."
            return f"{together} never have more than {rates_words(rates)}."
        case Quota() as quota:
            return _quota(quota, rule.who, ruleset.unit)


def _share(weight: int, rule: Rule, together: str, ruleset: Ruleset) -> str:
    each = "" if rule.together else " each"
    text = (
        f"{together}{each} count as {_households(weight, ruleset.unit)} (share {weight}) in sharing the line."
    )
    if (
        not rule.together
        and rule.who != Who(groups=rule.who.groups)
        and selects(rule.who, GUEST_TIER, frozenset())
    ):
        return f"{text} Guests count so all together."
    return text


def _households(weight: int, unit: str) -> str:
    whole, rest = divmod(weight, SHARE_DEFAULT)
    if rest == 0:
        return f"{_SMALL.get(whole, str(whole))} {unit}{'' if whole == 1 else 's'}"
    if weight * 2 == SHARE_DEFAULT:
        return f"half a {unit}"
    return f"{weight} percent of a {unit}"


def _quota(quota: Quota, who: Who, unit: str) -> str:
    whoever = "whoever" if who == ONLY_GUESTS else f"a {unit} that"
    busy = quota.counts == "uplink while busy"
    while_busy = " while the line is busy" if busy else ""
    if isinstance(quota.then, Share):
        part = "half a share" if quota.then.weight * 2 == SHARE_DEFAULT else f"a share of {quota.then.weight}"
        then = f"has at most {part}"
    else:
        assert quota.then.rates is not None, "a consequence lifts nothing"
        then = f"has at most {rates_words(quota.then.rates)}"
    free = "Local services and quiet hours do" if busy else "Local services do"
    volume = f"{format_volume(quota.volume)} a {quota.period}"
    return (
        f"among {who_words(who)}, {whoever} uses more than {volume}{while_busy} {then} "
        f"until the {quota.period} ends. {free} not count. It is never cut off."
    )


def _tier_words(tier: str) -> str:
    return tier if tier.endswith("s") else f"{tier}s"


def _times(when: Times | None) -> str:
    if when is None:
        return ""
    return " and ".join(_part_words(part) for part in to_text(when).split("; ")) + " "


def _part_words(part: str) -> str:
    days, _, hours = part.rpartition(" ")
    start, _, end = hours.partition("-")
    if days == "daily":
        return f"every day from {start} to {end}"
    names = [" to ".join(_DAY_NAMES[day] for day in run.split("-")) for run in days.split(",")]
    return f"{_joined(names)} from {start} to {end}"


def _joined(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _summary(allowance: Allowance) -> str:
    weight = allowance.share.value
    share = "an equal share (100)" if weight == SHARE_DEFAULT else f"a share of {weight}"
    top = "no ceiling"
    if allowance.ceiling is not None:
        top = f"at most {rates_words(allowance.ceiling.value)}"
    if allowance.pool is None:
        return f"You have {share} of the line, at least {rates_words(allowance.floor.value)}, {top}."
    floor = rates_words(allowance.floor.value)
    return f"You and others together have {share} of the line and at least {floor}; for yourself {top}."


def _reason(label: str, bound: Bound[int] | Bound[Rates]) -> list[str]:
    value = "" if isinstance(bound.value, int) else f" {rates_words(bound.value)}"
    decided = f"decision {bound.decision}" if bound.decision != BUILT_IN else "built into the node"
    if bound.rule == LIFELINE:
        decided += ", no rule can go below it"
    until = f", until {date_words(bound.until)}" if bound.until is not None else ""
    return [f" {label}{value}: by {bound.rule} ({decided}{until})", f"   {bound.sentence}"]


def _used(quota: QuotaLeft) -> str:
    resets = f", starts again on {date_words(quota.resets)}" if quota.resets is not None else ""
    used = f"{show_volume(quota.used)} used of {show_volume(quota.allowed)}"
    return f" {quota.rule}: {used}, {show_volume(quota.left)} left{resets}"

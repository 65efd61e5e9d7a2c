"""Rules as whole sentences, as people vote on them, and the answer to "why is my speed what it is?".

The English text is what is voted on; a `Translator` gives every sentence in another language.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from node.accounting.periods import PeriodKind
from node.governance.allowance import Allowance, Bound, QuotaLeft
from node.governance.rules import (
    EQUAL_SHARE,
    GUEST_LIFELINE,
    GUEST_TIER,
    GUESTS,
    LIFELINE,
    LIFELINE_IN_CODE,
    MEMBER_TIER,
    ONLY_GUESTS,
    SHARE_DEFAULT,
    Ceiling,
    DevicesLimit,
    Floor,
    JoinMethods,
    Quota,
    Rule,
    Ruleset,
    SessionLimit,
    Share,
    Way,
    Who,
    selects,
)
from node.governance.times import Times, to_text
from node.governance.translator import ENGLISH, Translator, amount_words
from node.units import (
    GIGA,
    KILO,
    MEGA,
    BitsPerSecond,
    Bytes,
    Milliseconds,
    Rates,
    format_rate,
    format_volume,
    show_volume,
)

BUILT_IN = "built in"
"""`Bound.decision` of the node's own defaults and rights, which need no decision."""
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def sentence(rule: Rule, ruleset: Ruleset, words: Translator = ENGLISH) -> str:
    """The rule as people vote on it: selector, effect, times, the rule it replaces, reason, and decision."""
    parts = [_timed(rule, _effect(rule, ruleset, words), words)]
    if rule.exception_to is not None:
        hours, people = (
            words.gettext("In those hours it replaces this rule: “{rule}”"),
            words.gettext("For them it replaces this rule: “{rule}”"),
        )
        replaced = next((each for each in ruleset.rules if each.id == rule.exception_to), None)
        text = (
            rule.exception_to
            if replaced is None
            else _timed(replaced, _effect(replaced, ruleset, words), words)
        )
        parts.append((hours if rule.when else people).format(rule=text))
    if rule.why:
        parts.append(words.gettext("Why: {reason}.").format(reason=rule.why.rstrip(".")))
    parts.append(words.gettext("Decided in {decision}.").format(decision=rule.by))
    return " ".join(parts)


def lifeline_sentence(ruleset: Ruleset, lifeline: Rates, words: Translator = ENGLISH) -> str:
    text = words.gettext("{every} always has at least {rates}. No rule can take this away.")
    if ruleset.may_carry_less:
        text = words.gettext(
            "{every} has at least {rates} while the line carries it. No rule can take this away."
        )
    return capital(text.format(every=every_unit(ruleset.unit, words), rates=rates_words(lifeline, words)))


def guest_lifeline_sentence(ruleset: Ruleset, lifeline: Rates, words: Translator = ENGLISH) -> str:
    text = words.gettext("All guests together always have at least {rates}. No rule can take this away.")
    if ruleset.may_carry_less:
        text = words.gettext(
            "All guests together have at least {rates} while the line carries it. No rule can take this away."
        )
    return text.format(rates=rates_words(lifeline, words))


def code_lifeline_sentence(words: Translator = ENGLISH) -> str:
    return words.gettext("No speed limit can go below what messages and mail need.")


def equal_share_sentence(ruleset: Ruleset, words: Translator = ENGLISH) -> str:
    text = words.gettext("Where no rule says otherwise, {every} has an equal share (100) of the line.")
    return text.format(every=every_unit(ruleset.unit, words))


def guests_share_sentence(ruleset: Ruleset, words: Translator = ENGLISH) -> str:
    return words.gettext("All guests together count as {one}.").format(one=one_unit(ruleset.unit, words))


def describe(ruleset: Ruleset, words: Translator = ENGLISH) -> tuple[str, ...]:
    """The whole agreement, one sentence each: the uplink, the charter, then the rules in file order."""
    charter = ruleset.charter
    first = words.gettext("The speed of the line is not stated, so only speed limits apply.")
    if (shaped := ruleset.shaped) is not None:
        first = words.gettext("People share {rates} of the line.").format(rates=rates_words(shaped, words))
    if ruleset.measured is not None:
        first = words.gettext(
            "People share what the line carries at the moment: at least {least}, at most {most}."
        ).format(
            least=rates_words(ruleset.measured.least, words), most=rates_words(ruleset.measured.most, words)
        )
    ratio = words.gettext("Nobody’s share is more than {ratio} times someone else’s.")
    return (
        first,
        lifeline_sentence(ruleset, charter.lifeline, words),
        guest_lifeline_sentence(ruleset, charter.guest_lifeline, words),
        ratio.format(ratio=charter.max_weight_ratio),
        joining_sentence(ruleset.joining, words),
        *(sentence(rule, ruleset, words) for rule in ruleset.rules),
    )


def joining_sentence(joining: JoinMethods, words: Translator = ENGLISH) -> str:
    """How people join, what happens when an account has too many devices, and the decision."""
    ways: dict[Way, str] = {
        "terms": words.gettext("by accepting the terms"),
        "voucher": words.gettext("with a voucher"),
        "passphrase": words.gettext("with a member’s passphrase"),
        "card": words.gettext("with a membership card"),
        "introduction": words.gettext("when a member vouches for them"),
    }
    listed = one_of([ways[way] for way in joining.ways], words)
    room = words.gettext(
        "When an account has too many devices online, the one that has been idle for longest is disconnected."
    )
    if joining.when_full == "ask":
        room = words.gettext(
            "When an account has too many devices online, the person chooses which one to disconnect."
        )
    parts = [words.gettext("People can join {ways}.").format(ways=listed), room]
    if joining.by:
        parts.append(words.gettext("Decided in {decision}.").format(decision=joining.by))
    return " ".join(parts)


# --- the sentence of a limit, in any language -------------------------------------------


def sentence_of(ruleset: Ruleset, reason: str, words: Translator = ENGLISH) -> str:
    """The sentence behind a limit: the rule with that id, or a right defined in code, as named in `Bound.reasons`.

    For a reason that is no longer in the ruleset, only its name.
    """
    for rule in ruleset.rules:
        if rule.id == reason:
            return sentence(rule, ruleset, words)
    if reason == LIFELINE:
        return lifeline_sentence(ruleset, ruleset.charter.lifeline, words)
    if reason == GUEST_LIFELINE:
        return guest_lifeline_sentence(ruleset, ruleset.charter.guest_lifeline, words)
    if reason == LIFELINE_IN_CODE:
        return code_lifeline_sentence(words)
    if reason.partition(":")[0] == EQUAL_SHARE:
        return equal_share_sentence(ruleset, words)
    return guests_share_sentence(ruleset, words) if reason == GUESTS else reason


def said[V](bound: Bound[V], ruleset: Ruleset, words: Translator) -> str:
    """`bound.sentence` in another language."""
    return " ".join(sentence_of(ruleset, reason, words) for reason in bound.reasons or (bound.rule,))


def allowance_in(words: Translator, allowance: Allowance, ruleset: Ruleset) -> Allowance:
    """The same allowance with every sentence in another language. `ruleset`: the one it was evaluated from."""

    def translated[W](bound: Bound[W]) -> Bound[W]:
        return replace(bound, sentence=said(bound, ruleset, words))

    return replace(
        allowance,
        share=translated(allowance.share),
        floor=translated(allowance.floor),
        own_floor=None if allowance.own_floor is None else translated(allowance.own_floor),
        ceiling=None if allowance.ceiling is None else translated(allowance.ceiling),
        pool_ceiling=None if allowance.pool_ceiling is None else translated(allowance.pool_ceiling),
        session=None if allowance.session is None else translated(allowance.session),
        devices=None if allowance.devices is None else translated(allowance.devices),
        not_binding=tuple(sentence_of(ruleset, rule, words) for rule in allowance.not_binding_rules),
    )


# --- effects ----------------------------------------------------------------------------


def _timed(rule: Rule, text: str, words: Translator) -> str:
    if rule.when is None:
        return capital(text)
    return capital(words.gettext("{times} {text}").format(times=times_words(rule.when, words), text=text))


def _effect(rule: Rule, ruleset: Ruleset, words: Translator) -> str:
    who = together_words(rule.who, words) if rule.together else who_words(rule.who, words)
    match rule.effect:
        case Share(weight):
            return _share(weight, rule, who, ruleset, words)
        case Floor(rates):
            text = words.gettext("{who} have at least {rates} whenever they need it.")
            if ruleset.may_carry_less:
                text = words.gettext("{who} have at least {rates} when they need it and the line carries it.")
            return text.format(who=who, rates=rates_words(rates, words))
        case Ceiling(rates):
            if rates is None:
                return words.gettext("{who} have no speed limit.").format(who=who)
            text = words.gettext("{who} never have more than {rates}.")
            return text.format(who=who, rates=rates_words(rates, words))
        case Quota() as quota:
            return _quota(quota, rule.who, ruleset.unit, words)
        case SessionLimit(length):
            text = words.gettext(
                "{who} can stay online for at most {time} at a time, and can then connect again."
            )
            return text.format(who=who, time=duration_words(length, words))
        case DevicesLimit(count):
            text = words.ngettext(
                "{who} can each have at most {number} device online at once.",
                "{who} can each have at most {number} devices online at once.",
                count,
            )
            return text.format(who=who, number=count)


def _share(weight: int, rule: Rule, who: str, ruleset: Ruleset, words: Translator) -> str:
    if rule.together:
        text = words.gettext("{who} count as {households} (share {weight}) when the line is shared.")
    else:
        text = words.gettext("{who} each count as {households} (share {weight}) when the line is shared.")
    text = text.format(who=who, households=share_words(weight, ruleset.unit, words), weight=weight)
    if (
        not rule.together
        and rule.who != Who(groups=rule.who.groups)
        and selects(rule.who, GUEST_TIER, frozenset())
    ):
        text = f"{text} {words.gettext('Guests count like this all together.')}"
    return text


def _quota(quota: Quota, who: Who, unit: str, words: Translator) -> str:
    busy = quota.counts == "uplink while busy"
    text = _quota_text(busy, who == ONLY_GUESTS, words).format(
        people=among_words(who, words),
        unit=a_unit(unit, words),
        volume=_volume_words(quota.volume, quota.period, words),
        most=_consequence(quota.then, words),
        until=_until_words(quota.period, words),
    )
    if busy:
        free = words.gettext("Local services and quiet hours do not count.")
    else:
        free = words.gettext("Local services do not count.")
    return f"{text} {free} {words.gettext('Nobody is cut off.')}"


def _quota_text(busy: bool, only_guests: bool, words: Translator) -> str:
    if only_guests and busy:
        return words.gettext(
            "among {people}, anyone who uses more than {volume} while the line is busy gets at most {most} {until}."
        )
    if only_guests:
        return words.gettext(
            "among {people}, anyone who uses more than {volume} gets at most {most} {until}."
        )
    if busy:
        return words.gettext(
            "among {people}, {unit} that uses more than {volume} while the line is busy gets at most {most} {until}."
        )
    return words.gettext("among {people}, {unit} that uses more than {volume} gets at most {most} {until}.")


def _consequence(then: Share | Ceiling, words: Translator) -> str:
    if isinstance(then, Ceiling):
        assert then.rates is not None, "a consequence lifts nothing"
        return rates_words(then.rates, words)
    if then.weight * 2 == SHARE_DEFAULT:
        return words.gettext("half a share")
    return words.gettext("a share of {weight}").format(weight=then.weight)


def _volume_words(volume: Bytes, period: PeriodKind, words: Translator) -> str:
    texts: dict[PeriodKind, str] = {
        "day": words.gettext("{volume} a day"),
        "week": words.gettext("{volume} a week"),
        "month": words.gettext("{volume} a month"),
    }
    return texts[period].format(volume=amount_words(format_volume(volume), words))


def _until_words(period: PeriodKind, words: Translator) -> str:
    texts: dict[PeriodKind, str] = {
        "day": words.gettext("until the day ends"),
        "week": words.gettext("until the week ends"),
        "month": words.gettext("until the month ends"),
    }
    return texts[period]


# --- explanation ------------------------------------------------------------------------


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
    if allowance.pool_ceiling is not None:
        lines += _reason("ceiling together", allowance.pool_ceiling)
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


def _used(quota: QuotaLeft) -> str:
    resets = f", starts again on {date_words(quota.resets)}" if quota.resets is not None else ""
    used = f"{show_volume(quota.used)} used of {show_volume(quota.allowed)}"
    return f" {quota.rule}: {used}, {show_volume(quota.left)} left{resets}"


# --- rates, dates and durations -----------------------------------------------------------


def rates_words(rates: Rates, words: Translator = ENGLISH) -> str:
    return words.gettext("{down} download and {up} upload").format(
        down=amount_words(rate_words(rates.down), words), up=amount_words(rate_words(rates.up), words)
    )


def rate_words(rate: BitsPerSecond) -> str:
    """Exact, with up to three decimals when that is shorter: ``36.8 Mbit/s``, not ``36800 kbit/s``."""
    units = (("Gbit/s", GIGA), ("Mbit/s", MEGA), ("kbit/s", KILO))
    name, scale = next((unit for unit in units if rate >= unit[1]), ("bit/s", 1))
    if scale == 1 or rate % (scale // 1000):
        return format_rate(rate)
    return f"{rate // scale}.{rate % scale * 1000 // scale:03}".rstrip("0").rstrip(".") + f" {name}"


def date_words(at: datetime) -> str:
    """``1 April 2026`` for midnight, otherwise ``20 March 2026, 23:00``."""
    day = f"{at.day} {_MONTHS[at.month - 1]} {at.year}"
    return day if (at.hour, at.minute) == (0, 0) else f"{day}, {at.hour:02}:{at.minute:02}"


def duration_words(length: Milliseconds, words: Translator = ENGLISH) -> str:
    """Exact, in the largest unit that fits: ``4 hours``, ``90 minutes``. `length` must be whole minutes."""
    minutes = length // 60_000
    days, hours = minutes // 1440, minutes // 60
    if minutes % 1440 == 0:
        return words.ngettext("{number} day", "{number} days", days).format(number=days)
    if minutes % 60 == 0:
        return words.ngettext("{number} hour", "{number} hours", hours).format(number=hours)
    return words.ngettext("{number} minute", "{number} minutes", minutes).format(number=minutes)


# --- people -----------------------------------------------------------------------------


def who_words(who: Who, words: Translator = ENGLISH) -> str:
    """``members and people in the group school, but not guests,``"""
    people = words.gettext("all people") if who.everyone else _names(who.tiers, who.groups, words)
    others = _names(who.excluded_tiers, who.excluded_groups, words)
    if not others:
        return people
    return words.gettext("{people}, but not {others},").format(people=people, others=others)


def among_words(who: Who, words: Translator) -> str:
    """The same people within a sentence, after a comma: ``members, but not people in the group school``"""
    people = who_words(replace(who, excluded_tiers=frozenset(), excluded_groups=frozenset()), words)
    others = _names(who.excluded_tiers, who.excluded_groups, words)
    return (
        words.gettext("{people}, but not {others}").format(people=people, others=others) if others else people
    )


def together_words(who: Who, words: Translator) -> str:
    """``all guests together``"""
    others = _names(who.excluded_tiers, who.excluded_groups, words)
    if who.everyone:
        if not others:
            return words.gettext("all people together")
        return words.gettext("all people, but not {others}, together").format(others=others)
    people = _names(who.tiers, who.groups, words)
    if not others:
        return words.gettext("all {people} together").format(people=people)
    text = words.gettext("all {people}, but not {others}, together")
    return text.format(people=people, others=others)


def _names(tiers: frozenset[str], groups: frozenset[str], words: Translator) -> str:
    names = [_tier_words(tier, words) for tier in sorted(tiers)]
    names += [words.gettext("people in the group {group}").format(group=group) for group in sorted(groups)]
    return _listed(names, words) if names else ""


def _tier_words(tier: str, words: Translator) -> str:
    if tier == GUEST_TIER:
        return words.gettext("guests")
    if tier == MEMBER_TIER:
        return words.gettext("members")
    if tier.endswith("s"):
        # Translators: people of a tier by the community's own name, which is in the plural already.
        return words.gettext("{tiers}").format(tiers=tier)
    # Translators: people of a tier by the community's own name.
    return words.gettext("{tier}s").format(tier=tier)


def _in_a_row(names: Sequence[str], at_last: str, words: Translator) -> str:
    """`at_last` is the message that adds the last of several names."""
    text = names[0]
    for name in names[1:-1]:
        text = words.gettext("{some}, {more}").format(some=text, more=name)
    return text if len(names) == 1 else at_last.format(some=text, last=names[-1])


def _listed(names: Sequence[str], words: Translator) -> str:
    """``members, guests and people in the group school``"""
    return _in_a_row(names, words.gettext("{some} and {last}"), words)


def one_of(names: Sequence[str], words: Translator) -> str:
    """``accepting the terms, a voucher or a membership card``"""
    return _in_a_row(names, words.gettext("{some} or {last}"), words)


# --- times ------------------------------------------------------------------------------


def times_words(when: Times, words: Translator) -> str:
    """``Saturday and Sunday from 10:00 to 14:00``"""
    text, *others = [_part_words(part, words) for part in to_text(when).split("; ")]
    for other in others:
        text = words.gettext("{some} and {last}").format(some=text, last=other)
    return text


def _part_words(part: str, words: Translator) -> str:
    days, _, hours = part.rpartition(" ")
    start, _, end = hours.partition("-")
    if days == "daily":
        return words.gettext("every day from {start} to {end}").format(start=start, end=end)
    names = _listed([_run_words(run, words) for run in days.split(",")], words)
    return words.gettext("{days} from {start} to {end}").format(days=names, start=start, end=end)


def _run_words(run: str, words: Translator) -> str:
    first, _, last = run.partition("-")
    if not last:
        return _day_words(first, words)
    text = words.gettext("{first} to {last}")
    return text.format(first=_day_words(first, words), last=_day_words(last, words))


def _day_words(day: str, words: Translator) -> str:
    names = {
        "mon": words.gettext("Monday"),
        "tue": words.gettext("Tuesday"),
        "wed": words.gettext("Wednesday"),
        "thu": words.gettext("Thursday"),
        "fri": words.gettext("Friday"),
        "sat": words.gettext("Saturday"),
        "sun": words.gettext("Sunday"),
    }
    return names[day]


# --- units ------------------------------------------------------------------------------


def _of_unit(unit: str, household: str, person: str, other: str) -> str:
    """Households and persons have whole phrases of their own: other languages inflect the words around them."""
    return {"household": household, "person": person}.get(unit, other)


def every_unit(unit: str, words: Translator) -> str:
    texts = words.gettext("every household"), words.gettext("every person"), words.gettext("every {unit}")
    return _of_unit(unit, *texts).format(unit=unit)


def one_unit(unit: str, words: Translator) -> str:
    texts = words.gettext("one household"), words.gettext("one person"), words.gettext("one {unit}")
    return _of_unit(unit, *texts).format(unit=unit)


def a_unit(unit: str, words: Translator) -> str:
    texts = words.gettext("a household"), words.gettext("a person"), words.gettext("a {unit}")
    return _of_unit(unit, *texts).format(unit=unit)


def share_words(weight: int, unit: str, words: Translator) -> str:
    """A share in units: ``two households``, ``half a household``."""
    whole, rest = divmod(weight, SHARE_DEFAULT)
    if rest == 0:
        return one_unit(unit, words) if whole == 1 else _many(whole, unit, words)
    if weight * 2 == SHARE_DEFAULT:
        return _half(unit, words)
    return _percent(weight, unit, words)


def _many(number: int, unit: str, words: Translator) -> str:
    if unit == "household":
        text = words.ngettext("{number} household", "{number} households", number)
    elif unit == "person":
        text = words.ngettext("{number} person", "{number} people", number)
    else:
        # In digits: a number word may have to agree with the gender of a word that the community chose.
        return words.ngettext("{number} {unit}", "{number} {unit}s", number).format(number=number, unit=unit)
    return text.format(number=_number_words(number, words))


def _number_words(number: int, words: Translator) -> str:
    small = {
        2: words.gettext("two"),
        3: words.gettext("three"),
        4: words.gettext("four"),
        5: words.gettext("five"),
        6: words.gettext("six"),
    }
    return small.get(number, str(number))


def _half(unit: str, words: Translator) -> str:
    texts = (
        words.gettext("half a household"),
        words.gettext("half a person"),
        words.gettext("half a {unit}"),
    )
    return _of_unit(unit, *texts).format(unit=unit)


def _percent(percent: int, unit: str, words: Translator) -> str:
    texts = (
        words.gettext("{percent} percent of a household"),
        words.gettext("{percent} percent of a person"),
        words.gettext("{percent} percent of a {unit}"),
    )
    return _of_unit(unit, *texts).format(percent=percent, unit=unit)


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]

"""Rules as whole sentences, as people vote on them.

The English text is what is voted on; a `Translator` gives every sentence in another language.
"""

from collections.abc import Sequence
from dataclasses import replace

from node.accounting.periods import Period, PeriodKind, SlidingDays
from node.governance.allowance import Allowance, Bound
from node.governance.expressions import (
    a_unit,
    among_words,
    approvals_sentence,
    burst_words,
    busy_sentence,
    capital,
    duration_words,
    every_unit,
    grace_sentence,
    lines_words,
    listed,
    minutes_attested_sentence,
    most_words,
    nodes_words,
    one_of,
    one_unit,
    overbook_sentence,
    preview_sentence,
    rates_words,
    share_words,
    step_max_sentence,
    together_words,
    usage_by_day_sentence,
    volume_words,
    waiting_sentence,
    weekday_words,
    who_words,
)
from node.governance.ladder_sentences import ladder_sentences
from node.governance.ladders import step_of, with_steps
from node.governance.minutes import Minutes
from node.governance.rule_selection import selects
from node.governance.rules import (
    EQUAL_SHARE,
    GUEST_LIFELINE,
    GUEST_TIER,
    GUESTS,
    LIFELINE,
    LIFELINE_IN_CODE,
    ONLY_GUESTS,
    Ceiling,
    Credit,
    DevicesLimit,
    Floor,
    JoinMethods,
    Quota,
    Reserve,
    Rule,
    Ruleset,
    SessionLimit,
    Share,
    ShareLimit,
    UsageAlert,
    Way,
    Who,
)
from node.governance.times import (
    NamedDays,
    Times,
    span_parts,
    window_parts,
)
from node.translator import ENGLISH, Translator, day_words
from node.units import (
    NO_RATES,
    Rates,
)

BUILT_IN = "built in"
"""`Bound.decision` of the node's own defaults and rights, which need no decision."""


def sentence(rule: Rule, ruleset: Ruleset, words: Translator = ENGLISH) -> str:
    """The rule as people vote on it: selector, effect, times, the rule it replaces, reason, decision, and whether it is only
    observed."""
    text = _sentence(rule, ruleset, words)
    if rule not in ruleset.observed:
        return text
    observed = words.gettext("Observed only; nobody has more or less by it: {sentence}")
    return observed.format(sentence=text)


def _sentence(rule: Rule, ruleset: Ruleset, words: Translator) -> str:
    parts = [_timed(rule, _effect(rule, ruleset, words), words)]
    if rule.exception_to is not None:
        text = words.gettext("For them it replaces this rule: “{rule}”")
        if rule.at or rule.uplinks:
            text = words.gettext("There it replaces this rule: “{rule}”")
        if rule.when is not None:
            text = words.gettext("In those hours it replaces this rule: “{rule}”")
            if rule.when.is_whole_week:
                text = words.gettext("In that time it replaces this rule: “{rule}”")
        replaced = next((each for each in ruleset.every_rule if each.id == rule.exception_to), None)
        named = (
            rule.exception_to
            if replaced is None
            else _timed(replaced, _effect(replaced, ruleset, words), words)
        )
        if rule.while_busy:
            text = words.gettext("While it is busy this replaces another rule: “{rule}”")
        parts.append(text.format(rule=named))
    if rule.why:
        parts.append(words.gettext("Why: {reason}.").format(reason=rule.why.rstrip(".")))
    if rule.proposed_by is not None:
        people = among_words(rule.proposed_by, words)
        parts.append(words.gettext("Proposed by {people}.").format(people=people))
    parts.append(_decided(rule, ruleset, words))
    return " ".join(parts)


def _decided(rule: Rule, ruleset: Ruleset, words: Translator) -> str:
    if rule.is_emergency:
        return words.gettext("By emergency order {decision}.").format(decision=rule.by)
    held = next((each for each in ruleset.minutes if each.decision == rule.by), None)
    if held is None:
        return words.gettext("Decided in {decision}.").format(decision=rule.by)
    text = words.gettext("Decided in {decision} on {day}, with {yes} yes and {no} no.")
    return text.format(decision=rule.by, day=day_words(held.day, words), yes=held.yes, no=held.no)


def minutes_sentence(minutes: Minutes, words: Translator = ENGLISH) -> str:
    """When, where and by how many something was decided, and who signed the minutes."""
    where = words.gettext("{day}, {place}")
    day = day_words(minutes.day, words)
    text = words.gettext("{decision} ({when}): {present} present, {yes} yes, {no} no. Signed by {names}.")
    return text.format(
        decision=minutes.decision,
        when=where.format(day=day, place=minutes.place) if minutes.place else day,
        present=minutes.present,
        yes=minutes.yes,
        no=minutes.no,
        names=listed(minutes.signers, words),
    )


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
    text = words.gettext("Where no rule says otherwise, {every} has an equal share ({weight}) of the line.")
    return text.format(every=every_unit(ruleset.unit, words), weight=ruleset.share_default)


def guests_share_sentence(ruleset: Ruleset, words: Translator = ENGLISH) -> str:
    return words.gettext("All guests together count as {one}.").format(one=one_unit(ruleset.unit, words))


def describe(ruleset: Ruleset, words: Translator = ENGLISH) -> tuple[str, ...]:
    """The whole agreement, one sentence each: the uplinks, the charter, then the rules in file order."""
    whole = ruleset.as_if_in_force(ruleset.observed)
    return (
        *line_sentences(ruleset, words),
        *_limits_of_rules(ruleset, words),
        joining_sentence(ruleset.joining, words),
        *_busy(ruleset, words),
        *([grace_sentence(ruleset.grace_days, words)] if whole.knows_dues else []),
        *([preview_sentence(ruleset.preview_by, words)] if ruleset.preview_by else []),
        *([usage_by_day_sentence(ruleset.usage_by_day_by, words)] if ruleset.usage_by_day_by else []),
        *(named_days_sentence(named, words) for named in ruleset.calendar),
        *(sentence(rule, ruleset, words) for rule in ruleset.every_rule),
        *_longest_step(ruleset, words),
        *ladder_sentences(ruleset, words),
        *(minutes_sentence(each, words) for each in ruleset.minutes),
    )


def charter_sentences(ruleset: Ruleset, words: Translator = ENGLISH) -> tuple[str, ...]:
    """Those of `describe` that say what the charter says."""
    return (*_limits_of_rules(ruleset, words), *_busy(ruleset, words), *_longest_step(ruleset, words))


def _limits_of_rules(ruleset: Ruleset, words: Translator) -> tuple[str, ...]:
    charter = ruleset.charter
    of_rules, of_charter = charter.approvals, charter.charter_approvals
    attested_by = charter.minutes_attested_by
    return (
        lifeline_sentence(ruleset, charter.lifeline, words),
        guest_lifeline_sentence(ruleset, charter.guest_lifeline, words),
        ratio_sentence(ruleset, words),
        *([overbook_sentence(charter.overbook_percent, words)] if charter.overbook_percent > 100 else []),
        *([approvals_sentence(of_rules, of_charter, words)] if of_charter > 1 else []),
        *([minutes_attested_sentence(attested_by, words)] if attested_by > 1 else []),
        *([waiting_sentence(charter.waiting, words)] if charter.waiting else []),
    )


def _busy(ruleset: Ruleset, words: Translator) -> tuple[str, ...]:
    whole = ruleset.as_if_in_force(ruleset.observed)
    return (busy_sentence(ruleset.charter.busy, words),) if whole.depends_on_load else ()


def _longest_step(ruleset: Ruleset, words: Translator) -> tuple[str, ...]:
    return (step_max_sentence(ruleset.charter.step_max_days, words),) if ruleset.ladders else ()


def named_days_sentence(named: NamedDays, words: Translator = ENGLISH) -> str:
    """The days of one entry of the calendar."""
    ranges = []
    for first, last in named.ranges:
        text = day_words(first, words)
        if last != first:
            until = day_words(last, words)
            text = words.gettext("{first} to the end of {last}").format(first=text, last=until)
        ranges.append(text)
    return words.gettext("Days called {name}: {days}.").format(name=named.name, days="; ".join(ranges))


def line_sentences(ruleset: Ruleset, words: Translator = ENGLISH, *, stated: bool = False) -> tuple[str, ...]:
    """What people share, on each of several lines; or with `stated`, while nothing has been measured."""
    say = stated_line_sentence if stated else line_sentence
    if not ruleset.is_of_several:
        return (say(ruleset, words),)
    text = words.gettext("On the line {name}: {sentence}")
    return tuple(
        text.format(name=name, sentence=say(each, words)) for name, each in ruleset.by_uplink.items()
    )


def line_sentence(ruleset: Ruleset, words: Translator = ENGLISH) -> str:
    """What people share."""
    if ruleset.measured is not None:
        return words.gettext(
            "People share what the line carries at the moment: at least {least}, at most {most}."
        ).format(
            least=rates_words(ruleset.measured.least, words), most=rates_words(ruleset.measured.most, words)
        )
    return stated_line_sentence(ruleset, words)


def stated_line_sentence(ruleset: Ruleset, words: Translator = ENGLISH) -> str:
    """What people share while nothing has been measured."""
    if ruleset.shaped is None:
        return words.gettext("The speed of the line is not stated, so only speed limits apply.")
    text = words.gettext("People share {rates} of the line.")
    return text.format(rates=rates_words(ruleset.shaped, words))


def ratio_sentence(ruleset: Ruleset, words: Translator = ENGLISH) -> str:
    text = words.gettext("Nobody’s share is more than {ratio} times someone else’s.")
    return text.format(ratio=ruleset.charter.max_weight_ratio)


def joining_sentence(joining: JoinMethods, words: Translator = ENGLISH, *, with_decision: bool = True) -> str:
    """How people join, what happens when an account has too many devices, and the decision."""
    ways: dict[Way, str] = {
        "terms": words.gettext("by accepting the terms"),
        "voucher": words.gettext("with a voucher"),
        "passphrase": words.gettext("with a member’s passphrase"),
        "card": words.gettext("with a membership card"),
        "introduction": words.gettext("when a member vouches for them"),
    }
    methods = one_of([ways[way] for way in joining.ways], words)
    room = words.gettext(
        "When an account has too many devices online, the one that has been idle for longest is disconnected."
    )
    if joining.when_full == "ask":
        room = words.gettext(
            "When an account has too many devices online, the person chooses which one to disconnect."
        )
    parts = [words.gettext("People can join {ways}.").format(ways=methods), room]
    if joining.by and with_decision:
        parts.append(words.gettext("Decided in {decision}.").format(decision=joining.by))
    return " ".join(parts)


# --- the sentence of a limit, in any language -------------------------------------------


def sentence_of(ruleset: Ruleset, reason: str, words: Translator = ENGLISH) -> str:
    """The sentence behind a limit: the rule with that id, or a right defined in code, as named in `Bound.reasons`.

    For a reason that is no longer in the ruleset, only its name.
    """
    for rule in ruleset.rules if step_of(reason) is None else with_steps(ruleset).rules:
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
    text = _at_its_time(rule, text, words)
    if rule.uplinks:
        text = words.gettext("{place}, {text}").format(place=lines_words(rule.uplinks, words), text=text)
    return capital(text)


def _at_its_time(rule: Rule, text: str, words: Translator) -> str:
    if rule.at:
        text = words.gettext("{place}, {text}").format(place=nodes_words([rule.at], words), text=text)
    if rule.while_busy:
        text = words.gettext("while the line is busy, {text}").format(text=text)
    if rule.when is None:
        return text
    if not rule.when.is_whole_week:
        weekly = week_words(rule.when, words)
        text = words.gettext("{times} {text}").format(times=weekly, text=text)
    if dates := dates_words(rule.when, words):
        text = words.gettext("{dates}, {text}").format(dates=dates, text=text)
    return text


def _effect(rule: Rule, ruleset: Ruleset, words: Translator) -> str:
    who = together_words(rule.who, words) if rule.together else who_words(rule.who, words)
    match rule.effect:
        case Share(weight):
            return _share(weight, rule, who, ruleset, words)
        case Credit(weight):
            text = words.gettext(
                "{who} each count as {households} more (share +{weight}) when the line is shared."
            )
            households = share_words(weight, ruleset.unit, words)
            return text.format(who=who, households=households, weight=weight)
        case ShareLimit() as most:
            text = words.gettext("{who} have at most {most} when the line is shared.")
            return text.format(who=who, most=most_words(most, words))
        case Floor() as floor:
            return _floor(floor, who, ruleset.of_rule(rule), words)
        case Ceiling() as ceiling:
            return _ceiling(ceiling, who, words)
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


def _ceiling(ceiling: Ceiling, who: str, words: Translator) -> str:
    if ceiling.rates is None:
        return words.gettext("{who} have no speed limit.").format(who=who)
    rates = rates_words(ceiling.rates, words)
    if ceiling.burst is None:
        return words.gettext("{who} never have more than {rates}.").format(who=who, rates=rates)
    text = words.gettext("{who} have at most {rates}; up to {burst}.")
    return text.format(who=who, rates=rates, burst=burst_words(ceiling.burst, words))


def _floor(floor: Floor, who: str, lines: Sequence[Ruleset], words: Translator) -> str:
    """`lines`: the rules of those on which it is guaranteed."""
    rates = rates_words(floor.rates, words)
    if isinstance(floor, Reserve):
        if floor.rates == NO_RATES:
            text = words.gettext(
                "{who} have {percent} percent of each line reserved. What they do not use, others use."
            )
            return text.format(who=who, percent=floor.percent)
        text = words.gettext(
            "{who} have {percent} percent of the line reserved, {rates}. What they do not use, others use."
        )
        return text.format(who=who, percent=floor.percent, rates=rates)
    text = words.gettext("{who} have at least {rates} whenever they need it.")
    if any(each.floors_may_shrink for each in lines):
        text = words.gettext("{who} have at least {rates} when they need it and the line carries it.")
    return text.format(who=who, rates=rates)


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
    if isinstance(quota.then, UsageAlert):
        return _alert(quota, who, unit, words)
    text = _quota_text(busy, who == ONLY_GUESTS, words).format(
        people=among_words(who, words),
        unit=a_unit(unit, words),
        volume=volume_words(quota.volume, quota.period, words),
        most=most_words(quota.then, words),
        until=_until_words(quota.period, words),
    )
    if busy:
        free = words.gettext("Local services and quiet hours do not count.")
    else:
        free = words.gettext("Local services do not count.")
    return f"{text} {free} {words.gettext('Nobody is cut off.')}"


def _alert(quota: Quota, who: Who, unit: str, words: Translator) -> str:
    """A quota that limits nothing."""
    busy = quota.counts == "uplink while busy"
    text = _alert_text(busy, who == ONLY_GUESTS, words).format(
        people=among_words(who, words),
        unit=a_unit(unit, words),
        volume=volume_words(quota.volume, quota.period, words),
    )
    free = words.gettext("Local services do not count.")
    if busy:
        free = words.gettext("Local services and quiet hours do not count.")
    return f"{text} {free} {words.gettext('Nothing is limited.')}"


def _alert_text(busy: bool, only_guests: bool, words: Translator) -> str:
    if only_guests and busy:
        return words.gettext(
            "among {people}, anyone who uses more than {volume} while the line is busy is asked to use less."
        )
    if only_guests:
        return words.gettext("among {people}, anyone who uses more than {volume} is asked to use less.")
    if busy:
        return words.gettext(
            "among {people}, {unit} that uses more than {volume} while the line is busy is asked to use less."
        )
    return words.gettext("among {people}, {unit} that uses more than {volume} is asked to use less.")


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


def quota_words(quota: Quota, words: Translator = ENGLISH) -> str:
    """A volume and its consequence as a noun phrase: ``60 GB a month while the line is busy, then at most half a share``"""
    text = words.gettext("{volume}, then {consequence}")
    if quota.counts == "uplink while busy":
        text = words.gettext("{volume} while the line is busy, then {consequence}")
    if isinstance(quota.then, UsageAlert):
        consequence = words.gettext("a request to use less")
    else:
        consequence = words.gettext("at most {rates}").format(rates=most_words(quota.then, words))
    return text.format(volume=volume_words(quota.volume, quota.period, words), consequence=consequence)


def _until_words(period: Period, words: Translator) -> str:
    if isinstance(period, SlidingDays):
        text = words.ngettext(
            "until the last {number} day comes to less than that",
            "until the last {number} days come to less than that",
            period.days,
        )
        return text.format(number=period.days)
    texts: dict[PeriodKind, str] = {
        "day": words.gettext("until the day ends"),
        "week": words.gettext("until the week ends"),
        "month": words.gettext("until the month ends"),
    }
    return texts[period]


# --- times ------------------------------------------------------------------------------


def times_words(when: Times, words: Translator) -> str:
    """``from 1 December 2026 on, Saturday and Sunday from 10:00 to 14:00``"""
    dates = dates_words(when, words)
    if not dates:
        return week_words(when, words)
    if when.is_whole_week:
        return dates
    return words.gettext("{dates}, {text}").format(dates=dates, text=week_words(when, words))


def week_words(when: Times, words: Translator) -> str:
    """``Saturday and Sunday from 10:00 to 14:00``"""
    parts = [_part_words(part, words) for part in span_parts(when)]
    for part, left_out in window_parts(when):
        text = words.gettext("{times}, except on days called {names},")
        names = one_of([named.name for named in left_out], words)
        parts.append(text.format(times=_part_words(part, words), names=names))
    text, *others = parts
    for other in others:
        text = words.gettext("{some} and {last}").format(some=text, last=other)
    return text


def dates_words(when: Times, words: Translator) -> str:
    """``from 1 December 2026 to the end of 31 January 2027``; empty without dates."""
    first = "" if when.first is None else day_words(when.first, words)
    last = "" if when.last is None else day_words(when.last, words)
    if when.open_end is not None:
        months = when.open_end.months
        text = words.ngettext(
            "until {number} month after the decision {decision}",
            "until {number} months after the decision {decision}",
            months,
        )
        last = text.format(number=months, decision=when.open_end.decision)
        if first:
            return words.gettext("from {first} {until}").format(first=first, until=last)
        return last
    if first and last:
        return words.gettext("from {first} to the end of {last}").format(first=first, last=last)
    if first:
        return words.gettext("from {first} on").format(first=first)
    return words.gettext("until the end of {last}").format(last=last) if last else ""


def _part_words(part: str, words: Translator) -> str:
    days, _, hours = part.rpartition(" ")
    start, _, end = hours.partition("-")
    if days == "daily":
        return words.gettext("every day from {start} to {end}").format(start=start, end=end)
    names = listed([_run_words(run, words) for run in days.split(",")], words)
    return words.gettext("{days} from {start} to {end}").format(days=names, start=start, end=end)


def _run_words(run: str, words: Translator) -> str:
    first, _, last = run.partition("-")
    if not last:
        return weekday_words(first, words)
    text = words.gettext("{first} to {last}")
    return text.format(first=weekday_words(first, words), last=weekday_words(last, words))

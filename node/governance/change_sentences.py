"""What a change of the rules changes, in sentences that people can read before they decide, in every language."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from node.governance.agreement_terms import Term
from node.governance.allowance import Unit
from node.governance.burst import Burst
from node.governance.change_impact import (
    Aspect,
    ChangeImpact,
    Direct,
    EntitlementChange,
    PoolShare,
    Value,
)
from node.governance.expressions import (
    among_words,
    answer_sentence,
    approvals_sentence,
    burst_words,
    busy_sentence,
    capital,
    combinations_words,
    duration_words,
    grace_sentence,
    lines_words,
    listed,
    minutes_attested_sentence,
    moment_words,
    nodes_words,
    overbook_sentence,
    preview_sentence,
    rate_words,
    rates_words,
    share_words,
    step_max_sentence,
    usage_by_day_sentence,
    waiting_sentence,
)
from node.governance.ladder_sentences import ladder_sentences
from node.governance.people import Group
from node.governance.rule_evaluation import guest_lifeline, lifeline
from node.governance.rules import LATE_DUES, Quota, Ruleset, essence
from node.governance.sentences import (
    equal_share_sentence,
    guest_lifeline_sentence,
    joining_sentence,
    lifeline_sentence,
    line_sentences,
    quota_words,
    ratio_sentence,
    times_words,
)
from node.translator import ENGLISH, Translator, amount_words
from node.units import Milliseconds, Rates


@dataclass(frozen=True, slots=True)
class ChangeSentence:
    """One change as people read it."""

    what: Aspect | Term
    text: str
    """Which people, when, what from now on, and what until now."""
    counted: str = ""
    """How many accounts of the member directory it concerns; empty for guests, and without a directory."""
    example: str = ""
    """One account at one time."""
    rules: str = ""
    """The rules that decide from now on, and until now."""
    accounts: int = 0
    rules_before: tuple[str, ...] = ()
    rules_after: tuple[str, ...] = ()
    uplinks: tuple[str, ...] = ()
    """The only lines on which it differs; empty for all."""


def verdict_sentence(impact: ChangeImpact, words: Translator = ENGLISH) -> str:
    """The result in one sentence, and what is only observed from now on."""
    return " ".join([_verdict(impact, words), *_observed(impact, words)])


def _observed(impact: ChangeImpact, words: Translator) -> Iterable[str]:
    """Which rules are only observed, and were not so before, and the reverse."""
    before, after = (
        {replace(essence(rule), uplinks=rule.uplinks) for rule in each.observed}
        for each in (impact.before, impact.after)
    )
    for new, text in (
        (
            after - before,
            words.gettext("From now on only observed, so that nobody has more or less by it: {rules}."),
        ),
        (before - after, words.gettext("No longer observed: {rules}.")),
    ):
        if new:
            yield text.format(rules=listed(sorted(rule.id for rule in new), words))


def _verdict(impact: ChangeImpact, words: Translator) -> str:
    if impact.is_nothing:
        return words.gettext("Nothing changes for anybody.")
    if not impact.is_complete:
        return words.gettext(
            "There are more situations than can be compared, so this list is not complete. Change a few rules at a time."
        )
    if impact.is_for_nobody_now:
        return words.gettext("Nothing changes for anybody who is in the roll now.")
    number = len(impact.terms) + len(impact.changes)
    return words.ngettext("{number} thing changes.", "{number} things change.", number).format(number=number)


def change_sentences(impact: ChangeImpact, words: Translator = ENGLISH) -> tuple[ChangeSentence, ...]:
    """All changes, first those that are the same for everybody; empty when nothing changes."""
    terms = [ChangeSentence(term, _term(term, impact, words)) for term in impact.terms]
    return (*terms, *(_change(change, impact, words) for change in impact.changes))


def own_sentences(impact: ChangeImpact, unit: Unit, words: Translator = ENGLISH) -> tuple[str, ...]:
    """The changes for one account of the directory, or for a guest: what differs for these people, and nothing about
    others. What is the same for everybody is not repeated."""
    found = (_own(change, impact, unit, words) for change in impact.changes)
    return tuple(text for text in found if text)


def _own(change: EntitlementChange, impact: ChangeImpact, unit: Unit, words: Translator) -> str:
    """Empty if it is not for this account."""
    paid = (unit.tier, unit.groups - {LATE_DUES})
    if paid in change.people.combinations:
        people = words.gettext("You")
    elif (unit.tier, unit.groups | {LATE_DUES}) in change.people.combinations:
        people = words.gettext("You, while your dues are late")
    else:
        return ""
    when = when_words(change, words)
    text = _template(words, has_times=bool(when), is_long=change.aspect == "quotas").format(
        people=people,
        times=when,
        new=_own_value_words(change, impact.after, words),
        old=_own_value_words(change, impact.before, words, is_before=True),
    )
    return capital(text)


def _own_value_words(
    change: EntitlementChange, ruleset: Ruleset, words: Translator, *, is_before: bool = False
) -> str:
    """Without the people of a pool: who shares it is not said to each other."""
    value, other = (change.before, change.after) if is_before else (change.after, change.before)
    if not isinstance(value, PoolShare) or value.pool is None:
        return value_words(change, ruleset, words, is_before=is_before)
    if isinstance(other, PoolShare) and other.pool is not None and other.weight == value.weight:
        if is_before:
            return words.gettext("the people who share it until now")
        return words.gettext("the same share together with other people")
    return words.gettext("the share of {households} (share {weight}) together with others").format(
        households=share_words(value.weight, ruleset.unit, words), weight=value.weight
    )


def _change(change: EntitlementChange, impact: ChangeImpact, words: Translator) -> ChangeSentence:
    when = when_words(change, words)
    text = _template(words, has_times=bool(when), is_long=change.aspect == "quotas").format(
        people=people_words(change.people, words),
        times=when,
        new=value_words(change, impact.after, words),
        old=value_words(change, impact.before, words, is_before=True),
    )
    counted = ""
    if impact.accounts and (change.accounts or not change.has_guests):
        counted = words.gettext("Accounts concerned: {number} of {total}.").format(
            number=change.accounts, total=impact.accounts
        )
    return ChangeSentence(
        change.aspect,
        capital(text),
        counted,
        _example(change, words),
        _rules(change, words),
        change.accounts,
        change.rules_before,
        change.rules_after,
        change.uplinks or (),
    )


def _template(words: Translator, *, has_times: bool, is_long: bool) -> str:
    if is_long and has_times:
        return words.gettext("{people}, {times}: {new}. Until now: {old}.")
    if is_long:
        return words.gettext("{people}: {new}. Until now: {old}.")
    if has_times:
        return words.gettext("{people}, {times}: {new} instead of {old}.")
    return words.gettext("{people}: {new} instead of {old}.")


def people_words(people: Group, words: Translator = ENGLISH) -> str:
    if people.who is None:
        return combinations_words(people.combinations, words)
    return among_words(people.who, words)


def when_words(change: EntitlementChange, words: Translator = ENGLISH) -> str:
    """Empty for always."""
    parts = [_times_and_load_words(change, words)]
    parts += [] if change.nodes is None else [nodes_words(change.nodes, words)]
    parts += [] if change.uplinks is None else [lines_words(change.uplinks, words)]
    text, *more = [part for part in parts if part] or [""]
    for each in more:
        text = words.gettext("{times}, {load}").format(times=text, load=each)
    return text


def _times_and_load_words(change: EntitlementChange, words: Translator) -> str:
    times = _times_words(change, words)
    if change.busy is None:
        return times
    load = (
        words.gettext("while the line is busy")
        if change.busy
        else words.gettext("while the line is not busy")
    )
    return words.gettext("{times}, {load}").format(times=times, load=load) if times else load


def _times_words(change: EntitlementChange, words: Translator) -> str:
    unknown = words.gettext("while the node does not know the time")
    if change.times is None:
        return ""
    if not (change.times.spans or change.times.windows):
        return unknown
    times = times_words(change.times, words).rstrip(",،")
    if change.is_on_some_days:
        times = words.gettext("{times}, on some of these days").format(times=times)
    if not change.clock_unknown:
        return times
    return words.gettext("{some} and {last}").format(some=times, last=unknown)


def value_words(
    change: EntitlementChange, ruleset: Ruleset, words: Translator = ENGLISH, *, is_before: bool = False
) -> str:
    """What people have from now on, or had before, as a noun phrase; `ruleset` is the one it comes from."""
    value = change.before if is_before else change.after
    if is_before and isinstance(value, Direct) and change.is_of_rates:
        return _direct(value, words)
    match change.aspect:
        case "ceiling" | "pool_ceiling":
            return _limit(value, words, together=change.aspect == "pool_ceiling")
        case "burst" | "pool_burst":
            return _burst(value, words, together=change.aspect == "pool_burst")
        case "guarantee":
            return _guarantee(value, words)
        case "share" | "weight":
            assert isinstance(value, PoolShare | int), "a share has a weight"
            return _share(value, ruleset.unit, words)
        case "quotas":
            assert isinstance(value, frozenset), "quotas are a set"
            return _quotas(value, words)
        case "session":
            return _session(value, words)
        case "devices":
            if value is None:
                return words.gettext("any number of devices online at once")
            assert isinstance(value, int), "devices have a number"
            text = words.ngettext(
                "at most {number} device online at once", "at most {number} devices online at once", value
            )
            return text.format(number=value)


def _session(value: Value, words: Translator) -> str:
    if value is None:
        return words.gettext("visits as long as the node’s settings say")
    assert isinstance(value, int), "a session has a length"
    return words.gettext("visits of at most {time}").format(time=duration_words(Milliseconds(value), words))


def _limit(value: Value, words: Translator, *, together: bool) -> str:
    if not isinstance(value, Direct):
        if together:
            return words.gettext("no speed limit for all of them together")
        return words.gettext("no speed limit")
    text = words.gettext("at most {rates}")
    if together:
        text = words.gettext("at most {rates} for all of them together")
    return text.format(rates=_direct(value, words))


def _burst(value: Value, words: Translator, *, together: bool) -> str:
    if not isinstance(value, Burst):
        return words.gettext("nothing above the limit for the first seconds")
    text = words.gettext("up to {burst}")
    if together:
        text = words.gettext("up to {burst} for all of them together")
    return text.format(burst=burst_words(value, words))


def _guarantee(value: Value, words: Translator) -> str:
    if not isinstance(value, Direct):
        return words.gettext("only the lifeline guaranteed")
    text = words.gettext("at least {rates}")
    if value.together:
        text = words.gettext("at least {rates} for all of them together")
    return text.format(rates=_direct(value, words))


def _direct(value: Direct, words: Translator) -> str:
    if value.down is not None and value.up is not None:
        return rates_words(Rates(value.down, value.up), words)
    if value.down is not None:
        return words.gettext("{rate} download").format(rate=amount_words(rate_words(value.down), words))
    assert value.up is not None, "rates differ in a direction"
    return words.gettext("{rate} upload").format(rate=amount_words(rate_words(value.up), words))


def _share(value: PoolShare | int, unit: str, words: Translator) -> str:
    if isinstance(value, int):
        return words.gettext("a share of {weight} among those who share together").format(weight=value)
    households = share_words(value.weight, unit, words)
    if value.pool is None:
        return words.gettext("the share of {households} (share {weight})").format(
            households=households, weight=value.weight
        )
    return words.gettext("the share of {households} (share {weight}) for {people} together").format(
        households=households, weight=value.weight, people=people_words(value.pool, words)
    )


def _quotas(quotas: frozenset[Quota], words: Translator) -> str:
    if not quotas:
        return words.gettext("no quota")
    first, *others = sorted(quota_words(quota, words) for quota in quotas)
    for other in others:
        first = words.gettext("{some} and {last}").format(some=first, last=other)
    return first


def _term(term: Term, impact: ChangeImpact, words: Translator) -> str:
    new, old = (_term_words(term, ruleset, words) for ruleset in (impact.after, impact.before))
    if new == old and term == "line":
        new, old = (
            " ".join(line_sentences(ruleset, words, stated=True)) for ruleset in (impact.after, impact.before)
        )
    return words.gettext("{new} Until now: “{old}”").format(new=new, old=old)


def _term_words(term: Term, ruleset: Ruleset, words: Translator) -> str:
    charter = ruleset.charter
    match term:
        case "line":
            return " ".join(line_sentences(ruleset, words))
        case "lifeline":
            return lifeline_sentence(ruleset, lifeline(charter), words)
        case "guest_lifeline":
            return guest_lifeline_sentence(ruleset, guest_lifeline(charter), words)
        case (
            "max_weight_ratio"
            | "overbook_percent"
            | "approvals"
            | "minutes_attested_by"
            | "waiting"
            | "step_max_days"
            | "answer_days"
            | "ladders"
        ):
            return _number_or_ladders(term, ruleset, words)
        case "unit":
            return equal_share_sentence(ruleset, words)
        case "joining":
            return joining_sentence(ruleset.joining, words, with_decision=False)
        case "busy":
            return busy_sentence(charter.busy, words)
        case "grace_days":
            return grace_sentence(ruleset.grace_days, words)
        case "preview" | "usage_by_day":
            return _kept_usage(term, ruleset, words)


def _kept_usage(term: Term, ruleset: Ruleset, words: Translator) -> str:
    if term == "preview":
        return preview_sentence(ruleset.preview_by, words, with_decision=False)
    return usage_by_day_sentence(ruleset.usage_by_day_by, words, with_decision=False)


def _number_or_ladders(term: Term, ruleset: Ruleset, words: Translator) -> str:
    if term == "max_weight_ratio":
        return ratio_sentence(ruleset, words)
    charter = ruleset.charter
    if term == "ladders":
        texts = ladder_sentences(ruleset, words, with_decision=False)
        return " ".join(texts) or words.gettext("There is no ladder.")
    if term == "step_max_days":
        return step_max_sentence(charter.step_max_days, words)
    if term == "answer_days":
        return answer_sentence(charter.answer_days, words)
    if term == "approvals":
        return approvals_sentence(charter.approvals, charter.charter_approvals, words)
    if term == "minutes_attested_by":
        return minutes_attested_sentence(charter.minutes_attested_by, words)
    if term == "waiting":
        return waiting_sentence(charter.waiting, words)
    return overbook_sentence(charter.overbook_percent, words)


def _example(change: EntitlementChange, words: Translator) -> str:
    if change.minute is None:
        return ""
    is_dated = change.times is not None and change.times.is_dated
    moment = moment_words(change.minute, words, is_dated=is_dated)
    if change.account is None:
        return words.gettext("For example {moment}.").format(moment=moment)
    return words.gettext("For example {account}, {moment}.").format(account=change.account, moment=moment)


def _rules(change: EntitlementChange, words: Translator) -> str:
    new, old = (", ".join(names) for names in (change.rules_after, change.rules_before))
    if new == old:
        return words.gettext("Rule: {rules}.").format(rules=new) if new else ""
    none = words.gettext("none")
    return words.gettext("Rule: {new}; until now: {old}.").format(new=new or none, old=old or none)

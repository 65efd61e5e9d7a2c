"""Parts of sentences: speeds, dates, durations, people and shares, in every language."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from node.accounting.periods import Period, PeriodKind, SlidingDays
from node.governance.burst import SECOND_MS, Burst
from node.governance.ladders import step_of
from node.governance.rules import (
    GUEST_TIER,
    LATE_DUES,
    MEMBER_TIER,
    SHARE_DEFAULT,
    BusyThresholds,
    Ceiling,
    Share,
    ShareLimit,
    Who,
)
from node.governance.times import DAYS, MINUTES_PER_DAY, clock_text, day_of
from node.translator import ENGLISH, Translator, amount_words, day_words
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
)

COMBINATIONS_SHOWN_MAX = 4
"""Combinations of tier and groups that a sentence lists."""
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


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


def burst_words(burst: Burst, words: Translator = ENGLISH) -> str:
    """``20 Mbit/s download and 5 Mbit/s upload for the first 30 seconds``"""
    seconds = burst.length // SECOND_MS
    text = words.ngettext(
        "{rates} for the first {number} second", "{rates} for the first {number} seconds", seconds
    )
    return text.format(rates=rates_words(burst.rates, words), number=seconds)


def busy_sentence(busy: BusyThresholds, words: Translator = ENGLISH) -> str:
    """When the line counts as busy."""
    text = words.gettext(
        "The line counts as busy when at least {above} percent of it have been in use for {time}, until less than {below} "
        "percent are."
    )
    return text.format(above=busy.above // 10, below=busy.below // 10, time=duration_words(busy.after, words))


def overbook_sentence(percent: int, words: Translator = ENGLISH) -> str:
    """How much floors may promise."""
    if percent == 100:
        return words.gettext("Floors may promise at most what the line can carry for all at once.")
    text = words.gettext(
        "Floors may promise up to {percent} percent of what the line can carry. When too many people need theirs at once, "
        "all floors shrink alike, never below the lifeline."
    )
    return text.format(percent=percent)


def minutes_attested_sentence(admins: int, words: Translator = ENGLISH) -> str:
    """How many admins attest what an assembly decided."""
    if admins == 1:
        return words.gettext("Minutes of an assembly count when one admin has written them down.")
    text = words.ngettext(
        "Minutes of an assembly count when {number} admin has attested them.",
        "Minutes of an assembly count when {number} different admins have attested them.",
        admins,
    )
    return text.format(number=admins)


def approvals_sentence(approvals: int, of_charter: int, words: Translator = ENGLISH) -> str:
    """How many admins decide about rules, and about the charter."""
    if of_charter == 1:
        return words.gettext("One admin alone may change the rules.")
    every = words.ngettext(
        "New rules come into force when {number} admin approves them.",
        "New rules come into force when {number} different admins approve them.",
        approvals,
    )
    charter = words.ngettext(
        "To change the lifeline and the other basic terms, {number} admin must approve.",
        "To change the lifeline and the other basic terms, {number} different admins must approve.",
        of_charter,
    )
    parts = [every.format(number=approvals)] if approvals > 1 else []
    parts += [charter.format(number=of_charter)] if of_charter > approvals else []
    return " ".join(parts)


def waiting_sentence(waiting: Milliseconds, words: Translator = ENGLISH) -> str:
    """How long rules wait that admins adopt."""
    if not waiting:
        return words.gettext("Rules that admins adopt can start at once.")
    text = words.gettext(
        "Rules that admins adopt start after {time} at the earliest, unless minutes of an assembly decided them."
    )
    return text.format(time=duration_words(waiting, words))


def step_max_sentence(days: int, words: Translator = ENGLISH) -> str:
    """How long a step of a ladder can be."""
    text = words.ngettext(
        "No step of a ladder holds for longer than {number} day.",
        "No step of a ladder holds for longer than {number} days.",
        days,
    )
    return text.format(number=days)


def answer_sentence(days: int, words: Translator = ENGLISH) -> str:
    """How long an objection to a step waits for its answer."""
    text = words.ngettext(
        "An objection to a step of a ladder that nobody answers for {number} day lifts it.",
        "An objection to a step of a ladder that nobody answers for {number} days lifts it.",
        days,
    )
    return text.format(number=days)


def preview_sentence(by: str, words: Translator = ENGLISH, *, with_decision: bool = True) -> str:
    """Whether usage in intervals is kept, for previews of other rules; `by` is the decision, empty for no."""
    if not by:
        return words.gettext("What people use in each five minutes is not kept.")
    text = words.gettext(
        "What each account uses in each five minutes is kept for 14 days. It shows what other rules would change. Pages "
        "show it to that account only."
    )
    if not with_decision:
        return text
    return f"{text} {words.gettext('Decided in {decision}.').format(decision=by)}"


def usage_by_day_sentence(by: str, words: Translator = ENGLISH, *, with_decision: bool = True) -> str:
    """Whether admins may see the usage of an account by day; `by` is the decision, empty for no."""
    if not by:
        return words.gettext("Admins do not see what an account used on which day.")
    text = words.gettext(
        "Admins may see what an account used on each of the last 7 days, to help its people."
    )
    if not with_decision:
        return text
    return f"{text} {words.gettext('Decided in {decision}.').format(decision=by)}"


def grace_sentence(days: int, words: Translator = ENGLISH) -> str:
    """When dues are late."""
    text = words.ngettext(
        "Dues are late when the last day that is paid is more than {number} day ago.",
        "Dues are late when the last day that is paid is more than {number} days ago.",
        days,
    )
    return text.format(number=days)


def moment_words(minute: int, words: Translator = ENGLISH, *, is_dated: bool = False) -> str:
    """``Friday 21:00`` for a civil minute, or ``Friday 25 December 2026 21:00``"""
    day = weekday_words(DAYS[minute // MINUTES_PER_DAY % 7], words)
    time = clock_text(minute % MINUTES_PER_DAY)
    if not is_dated:
        return words.gettext("{day} {time}").format(day=day, time=time)
    return words.gettext("{day} {date} {time}").format(
        day=day, date=day_words(day_of(minute), words), time=time
    )


def weekday_words(day: str, words: Translator = ENGLISH) -> str:
    """``Friday`` for ``fri``."""
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


def combinations_words(combinations: Sequence[tuple[str, frozenset[str]]], words: Translator) -> str:
    """People who no selector of a rule is for: ``members only in the groups mast-host and school``"""
    texts = [
        _combination_words(tier, groups, words) for tier, groups in combinations[:COMBINATIONS_SHOWN_MAX]
    ]
    if len(combinations) > COMBINATIONS_SHOWN_MAX:
        texts.append(words.gettext("others"))
    return listed(texts, words)


def people_of_kind(tier: str, groups: frozenset[str], words: Translator = ENGLISH) -> str:
    """``members``, or ``members only in the group school``"""
    if not groups - {LATE_DUES}:
        people = _tier_words(tier, words)
        return words.gettext("{people} whose dues are late").format(people=people) if groups else people
    return _combination_words(tier, groups, words)


def _combination_words(tier: str, groups: frozenset[str], words: Translator) -> str:
    people, named = _tier_words(tier, words), sorted(groups - {LATE_DUES})
    if not named:
        people = words.gettext("{people} in no group").format(people=people)
    else:
        text = words.ngettext(
            "{people} only in the group {groups}", "{people} only in the groups {groups}", len(named)
        )
        people = text.format(people=people, groups=listed(named, words))
    if LATE_DUES in groups:
        return words.gettext("{people} whose dues are late").format(people=people)
    return people


def _names(tiers: frozenset[str], groups: frozenset[str], words: Translator) -> str:
    names = [_tier_words(tier, words) for tier in sorted(tiers)]
    names += [_group_words(group, words) for group in sorted(groups)]
    return listed(names, words) if names else ""


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


def _group_words(group: str, words: Translator) -> str:
    if group == LATE_DUES:
        return words.gettext("people whose dues are late")
    if (step := step_of(group)) is not None:
        text = words.gettext("people in step {number} of the ladder {ladder}")
        return text.format(ladder=step[0], number=step[1])
    return words.gettext("people in the group {group}").format(group=group)


def _in_a_row(names: Sequence[str], at_last: str, words: Translator) -> str:
    """`at_last` is the message that adds the last of several names."""
    text = names[0]
    for name in names[1:-1]:
        text = words.gettext("{some}, {more}").format(some=text, more=name)
    return text if len(names) == 1 else at_last.format(some=text, last=names[-1])


def listed(names: Sequence[str], words: Translator) -> str:
    """``members, guests and people in the group school``"""
    return _in_a_row(names, words.gettext("{some} and {last}"), words)


def one_of(names: Sequence[str], words: Translator) -> str:
    """``accepting the terms, a voucher or a membership card``"""
    return _in_a_row(names, words.gettext("{some} or {last}"), words)


def nodes_words(nodes: Sequence[str], words: Translator = ENGLISH) -> str:
    """At which nodes; an empty name stands for all those that no rule names."""
    named = [words.gettext("the node {node}").format(node=node) for node in nodes if node]
    if not named:
        return words.gettext("at the other nodes")
    text = words.gettext("at {nodes}").format(nodes=listed(named, words))
    if "" in nodes:
        return words.gettext("{some} and {last}").format(some=text, last=words.gettext("at the other nodes"))
    return text


def lines_words(uplinks: Sequence[str], words: Translator = ENGLISH) -> str:
    """On which lines towards the Internet: ``on the line mill``."""
    named = [words.gettext("the line {name}").format(name=name) for name in uplinks]
    return words.gettext("on {lines}").format(lines=listed(named, words))


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


def number_of_units(number: int, unit: str, words: Translator = ENGLISH) -> str:
    """``44 households``"""
    return _many(number, unit, words)


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


# --- amounts ----------------------------------------------------------------------------


def most_words(then: Share | ShareLimit | Ceiling, words: Translator) -> str:
    """``half a share``, or a speed."""
    if isinstance(then, Ceiling):
        assert then.rates is not None, "a consequence lifts nothing"
        return rates_words(then.rates, words)
    if then.weight * 2 == SHARE_DEFAULT:
        return words.gettext("half a share")
    return words.gettext("a share of {weight}").format(weight=then.weight)


def volume_words(volume: Bytes, period: Period, words: Translator) -> str:
    """``60 GB a month``"""
    if isinstance(period, SlidingDays):
        text = words.ngettext("{volume} in {number} day", "{volume} in {number} days", period.days)
        return text.format(volume=amount_words(format_volume(volume), words), number=period.days)
    texts: dict[PeriodKind, str] = {
        "day": words.gettext("{volume} a day"),
        "week": words.gettext("{volume} a week"),
        "month": words.gettext("{volume} a month"),
    }
    return texts[period].format(volume=amount_words(format_volume(volume), words))

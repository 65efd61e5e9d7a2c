"""Parts of sentences about rules: rates, people, times, and units."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from node.governance.rules import GUEST_TIER, MEMBER_TIER, SHARE_DEFAULT, Who
from node.governance.times import Times, to_text
from node.governance.translations import ENGLISH, N_, Translator
from node.units import GIGA, KILO, MEGA, BitsPerSecond, Milliseconds, Rates, format_rate

_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


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
    if minutes % 1440 == 0:
        number = minutes // 1440
        text = words.ngettext("{number} day", "{number} days", number)
    elif minutes % 60 == 0:
        number = minutes // 60
        text = words.ngettext("{number} hour", "{number} hours", number)
    else:
        number = minutes
        text = words.ngettext("{number} minute", "{number} minutes", number)
    return text.format(number=number)


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
# Households and persons have whole phrases of their own: other languages inflect the words around them.


def every_unit(unit: str, words: Translator) -> str:
    if unit == "household":
        return words.gettext("every household")
    if unit == "person":
        return words.gettext("every person")
    return words.gettext("every {unit}").format(unit=unit)


def one_unit(unit: str, words: Translator) -> str:
    if unit == "household":
        return words.gettext("one household")
    if unit == "person":
        return words.gettext("one person")
    return words.gettext("one {unit}").format(unit=unit)


def a_unit(unit: str, words: Translator) -> str:
    if unit == "household":
        return words.gettext("a household")
    if unit == "person":
        return words.gettext("a person")
    return words.gettext("a {unit}").format(unit=unit)


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
        text = words.ngettext("{number} {unit}", "{number} {unit}s", number)
        return text.format(number=number, unit=unit)
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
    if unit == "household":
        return words.gettext("half a household")
    if unit == "person":
        return words.gettext("half a person")
    return words.gettext("half a {unit}").format(unit=unit)


def _percent(percent: int, unit: str, words: Translator) -> str:
    if unit == "household":
        return words.gettext("{percent} percent of a household").format(percent=percent)
    if unit == "person":
        return words.gettext("{percent} percent of a person").format(percent=percent)
    return words.gettext("{percent} percent of a {unit}").format(percent=percent, unit=unit)


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


# Formats rates and volumes for each language.

_AMOUNTS = {
    "B": N_("{number} B"),
    "kB": N_("{number} kB"),
    "MB": N_("{number} MB"),
    "GB": N_("{number} GB"),
    "TB": N_("{number} TB"),
    "bit/s": N_("{number} bit/s"),
    "kbit/s": N_("{number} kbit/s"),
    "Mbit/s": N_("{number} Mbit/s"),
    "Gbit/s": N_("{number} Gbit/s"),
}


def amount_words(text: str, words: Translator = ENGLISH) -> str:
    """The output of `node.units`, such as ``36.8 Mbit/s`` or ``60 GB``, in another language: ``36,8 Mbit/s``, ``60
    Go``."""
    number, _, unit = text.partition(" ")
    return words.gettext(_AMOUNTS[unit]).format(number=number_words(number, words))


def number_words(number: str, words: Translator = ENGLISH) -> str:
    """A number in digits, with a decimal point."""
    whole, point, decimals = number.partition(".")
    if not point:
        return number
    # Translators: a number with decimals, as 1.5.
    return words.gettext("{whole}.{decimals}").format(whole=whole, decimals=decimals)

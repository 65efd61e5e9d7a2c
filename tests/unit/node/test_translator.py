"""Rules in another language than English."""

import copy
import pickle
import re
from dataclasses import replace
from datetime import date
from functools import partial

import pytest

from node.governance.expressions import duration_words
from node.governance.sentences import allowance_in, describe, sentence, sentence_of
from node.translator import (
    amount_lazy,
    as_sentence,
    day_words,
    gettext_lazy,
    in_a_row,
    ngettext_lazy,
    number_lazy,
    translate,
)
from node.web.translations import read_catalogues
from tests.fakes.rule_files import GUEST, MEMBER, evaluate, example, on, rule, rules_of, used

_PLACE = re.compile(r"(\{\w+\}|%\(\w+\)s)")


class Strange:
    """A language without any English word, with placeholders in another order."""

    def gettext(self, message: str) -> str:
        parts = _PLACE.split(message)
        strange = [part if _PLACE.fullmatch(part) else re.sub(r"[A-Za-z']+", "日", part) for part in parts]
        return "".join(reversed(strange))

    def ngettext(self, one: str, many: str, number: int) -> str:
        return self.gettext(many)


class Catalan:
    """A few messages of a real language."""

    MESSAGES = {  # noqa: RUF012 - never changed
        "guests": "les persones convidades",
        "{who} have no speed limit.": "{who} no tenen cap límit de velocitat.",
        "every day from {start} to {end}": "cada dia de {start} a {end}",
        "{times} {text}": "{times}, {text}",
        "{who} never have more than {rates}.": "{who} no tenen mai més de {rates}.",
        "{down} download and {up} upload": "{down} de baixada i {up} de pujada",
        "In those hours it replaces this rule: “{rule}”": "En aquestes hores substitueix aquesta norma: «{rule}»",
        "Decided in {decision}.": "Decidit a {decision}.",
        "one household": "una llar",
        "All guests together count as {one}.": "Totes les persones convidades compten com {one}.",
    }

    def gettext(self, message: str) -> str:
        return self.MESSAGES.get(message, message)

    def ngettext(self, one: str, many: str, number: int) -> str:
        return self.gettext(one if number == 1 else many)


def test_a_rule_reads_as_natural_language():
    ruleset = example()
    assert (
        "Cada dia de 00:00 a 06:00, les persones convidades no tenen cap límit de velocitat. "
        "En aquestes hores substitueix aquesta norma: «Les persones convidades no tenen mai més de "
        "3 Mbit/s de baixada i 1 Mbit/s de pujada.» Decidit a D-2025-019."
    ) == sentence_of(ruleset, "guest-night", Catalan())


def test_a_built_in_guarantee_reads_as_natural_language():
    assert "Totes les persones convidades compten com una llar." == sentence_of(
        rules_of(), "guests", Catalan()
    )


FORMS = (
    rule("a", "share = 150", '["tier:member", "tier:elders", "tier:youth", "group:school"]'),
    rule("b", "share = 50", '"group:clinic"'),
    rule("c", "share = 300\ntogether = true", '"tier:guest"'),
    rule("d", 'floor = "1 Mbit/s down, 1 Mbit/s up"\nwhen = "sat,sun 22:00-02:00; mon-fri 08:00-09:00"'),
    rule(
        "e", 'ceiling = "9 Mbit/s down, 9 Mbit/s up"\nexcept = ["group:school", "tier:guest"]', '"everyone"'
    ),
    rule("f", 'ceiling = "none"\nexception_to = "e"', ""),
    rule("g", 'quota = "9 GB per week"\nthen = "ceiling 2 Mbit/s down, 2 Mbit/s up until reset"'),
    rule("h", 'quota = "9 GB per day"\ncounts = "uplink"\nthen = "share 30 until reset"', '"tier:guest"'),
    rule("i", 'quota = "9 GB per month"\nthen = "share 50 until reset"', '"tier:guest"'),
)
OF_THE_FILE = {
    "D",
    "guest",
    "elders",
    "youth",
    "school",
    "clinic",
    "a",
    "b",
    "c",
    "d",
    "e",
    "f",
    "g",
    "h",
    "i",
}
UNITS = {"bit", "s", "kbit", "Mbit", "GB"}


def test_no_english_word_is_left_in_another_language():
    found = " ".join(describe(rules_of(*FORMS), Strange()))
    assert set() == set(re.findall(r"[A-Za-z]+", found)) - OF_THE_FILE - UNITS


@pytest.mark.parametrize("unit", ["household", "person", "casa"])
def test_what_counts_as_one_is_translated_too(unit):
    ruleset = replace(rules_of(*FORMS), unit=unit)
    found = [sentence(each, ruleset, Strange()) for each in ruleset.rules]
    assert not any("household" in line or "person" in line or " a " in line for line in found)
    assert (unit == "casa") == any("casa" in line for line in found)


@pytest.mark.parametrize("who", [MEMBER, GUEST])
def test_every_reason_of_an_allowance_is_translated(who):
    ruleset = example()
    found = allowance_in(Strange(), evaluate(who, on("fri 21:00"), used(61), ruleset), ruleset)
    bounds = [found.share, found.floor, found.ceiling, found.pool_ceiling]
    sentences = [bound.sentence for bound in bounds if bound is not None] + list(found.not_binding)
    assert len(sentences) > 2
    assert all("日" in text and "line" not in text and "least" not in text for text in sentences)


def test_texts_of_the_file_are_never_used_as_a_template():
    ruleset = rules_of(rule("a", 'share = 100\nwhy = "{who} and {0.__class__}"'))
    assert "Why: {who} and {0.__class__}." in sentence(ruleset.rules[0], ruleset)


# --- texts whose language is known later ------------------------------------------------


class CountingCatalan:
    """Plurals and other words, with the fields in another order."""

    MESSAGES = {  # noqa: RUF012 - never changed
        "Two of {name}": "{name}: dos",
        "{number} day": "{number} dia",
        "{number} days": "{number} dies",
        "{name} waits {time}": "{time} espera {name}",
        "look at the list": "mira la llista",
    }

    def gettext(self, message: str) -> str:
        return self.MESSAGES.get(message, message)

    def ngettext(self, one: str, many: str, number: int) -> str:
        return self.gettext(one if number == 1 else many)


DAYS = [ngettext_lazy("{number} day", "{number} days", number) for number in (1, 2)]


def test_a_lazy_text_is_its_english_text_until_it_is_translated():
    assert DAYS == ["1 day", "2 days"]
    assert [translate(text, CountingCatalan()) for text in DAYS] == ["1 dia", "2 dies"]


def test_fields_of_a_lazy_text_are_translated_too_and_names_are_not():
    text = gettext_lazy("{name} waits {time}", name="Two of {name}", time=DAYS[1])
    assert "Two of {name} waits 2 days" == text
    assert "2 dies espera Two of {name}" == translate(text, CountingCatalan())


def test_a_phrase_has_the_words_of_each_language():
    text = gettext_lazy("{name} waits {time}", name="Ana", time=partial(duration_words, 2 * 86_400_000))
    assert ("Ana waits 2 days", "2 dies espera Ana") == (text, translate(text, CountingCatalan()))
    assert {"name": "Ana", "time": "2 days"} == text.parameters


def test_any_other_text_stays_as_it_is():
    assert "look at the list" == translate("look at the list", CountingCatalan())
    assert "{x} {" == translate(gettext_lazy("{x} {"), CountingCatalan())


@pytest.mark.parametrize("text", ["look at the list", "look at the list.", "Look at the list."])
def test_a_fix_is_read_as_a_sentence(text):
    assert "Look at the list." == as_sentence(text)


def test_a_sentence_is_one_in_each_language():
    text = as_sentence(gettext_lazy("look at the list"))
    assert ("Look at the list.", "Mira la llista.") == (text, translate(text, CountingCatalan()))
    row = in_a_row(gettext_lazy("Two of {name}", name="Ana"), text)
    assert ("Two of Ana Look at the list.", "Ana: dos Mira la llista.") == (
        row,
        translate(row, CountingCatalan()),
    )
    assert "a, b" == in_a_row("a", "b", between=", ")


def test_a_copied_lazy_text_can_still_be_translated():
    for copied in (copy.deepcopy(DAYS[1]), pickle.loads(pickle.dumps(DAYS[1]))):
        assert ("2 days", "2 dies") == (copied, translate(copied, CountingCatalan()))


def test_amounts_and_numbers_are_shown_in_the_format_of_the_language():
    english = (amount_lazy("36.8 Mbit/s"), amount_lazy("60 GB"), number_lazy(999), number_lazy(1_065_036))
    assert ("36.8 Mbit/s", "60 GB", "999", "1,065,036") == english
    french = read_catalogues().translations["fr"]
    assert ["36,8 Mbit/s", "60 Go", "999", "1 065 036"] == [
        re.sub(r"\s", " ", translate(text, french)) for text in english
    ]


def test_no_english_word_is_left_of_dates_and_named_days():
    dates = [
        'from = "2026-12-01"\nwhen = "daily 08:00-09:00 except holidays"',
        'expires = "2026-12-01"',
        'from = "2026-12-01"\nexpires = "2026-12-01"',
        'expires = "D-7 + 12 months"\nfrom = "2026-12-01"',
        'exception_to = "r0"\nfrom = "2026-12-01"',
    ]
    rules = [rule(f"r{n}", f"devices = 2\n{text}") for n, text in enumerate(dates)]
    ruleset = rules_of(*rules, tail='[calendar]\nholidays = ["2026-12-25..2026-12-26"]\n')
    found = " ".join(describe(ruleset, Strange()))
    assert {"holidays"} == set(re.findall(r"[A-Za-z]+", found)) - OF_THE_FILE - UNITS


def test_a_day_in_words():
    assert "1 April 2026" == day_words(date(2026, 4, 1))

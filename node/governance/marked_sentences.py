"""The sentences of a draft, with a mark on those that the rules in force do not say."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from node.governance.rules import Ruleset
from node.governance.sentences import charter_sentences, describe, line_sentences, sentence
from node.governance.table_blanks import CHARTER, UPLINK, place_of_table
from node.translator import ENGLISH, Translator

Mark = Literal["same", "changed", "new", "removed", "unread"]
"""``unread``: the sentence in force, of a rule that cannot be read in the draft."""


@dataclass(frozen=True, slots=True)
class MarkedSentence:
    """One sentence of the agreement."""

    text: str
    """Empty for a new rule that cannot be read."""
    mark: Mark = "same"
    rule: str = ""
    """Id of the rule that it says; empty for what is not said by a rule."""
    before: str = ""
    """What a rule that changed said until now."""
    table: str = ""
    """What is not said by a rule, but by a line or the charter: the table, as ``[uplink.main]``."""


def marked_sentences(
    before: Ruleset, after: Ruleset, words: Translator = ENGLISH
) -> tuple[MarkedSentence, ...]:
    """The sentences of `after`, the rules after all others, and then those of rules that only `before` has."""
    stated, known = _general_and_rules(before, words)
    general, rules = (stated, known) if after is before else _general_and_rules(after, words)
    tables = tables_of_sentences(after, words)
    return (
        *(
            MarkedSentence(text, "same" if text in stated else "changed", table=tables.get(text, ""))
            for text in general
        ),
        *(_marked(name, text, known.get(name)) for name, text in rules.items()),
        *(MarkedSentence(text, "removed", name) for name, text in known.items() if name not in rules),
    )


def unread_sentences(
    before: Ruleset, names: Iterable[str], words: Translator = ENGLISH
) -> tuple[MarkedSentence, ...]:
    """Of a draft that cannot be read: the lines, the charter and the rules with these ids, as far as they are in force."""
    _, known = _general_and_rules(before, words)
    return (
        *(
            MarkedSentence(text, "unread", table=table)
            for text, table in tables_of_sentences(before, words).items()
        ),
        *(MarkedSentence(known.get(name, ""), "unread", name) for name in dict.fromkeys(names)),
    )


def tables_of_sentences(ruleset: Ruleset, words: Translator = ENGLISH) -> dict[str, str]:
    """The table behind each sentence about a line or the charter, which has a form of its own."""
    lines = zip(line_sentences(ruleset, words), ruleset.by_uplink, strict=True)
    return {
        **{text: place_of_table(f"{UPLINK}.{name}") for text, name in lines},
        **dict.fromkeys(charter_sentences(ruleset, words), place_of_table(CHARTER)),
    }


def _marked(name: str, text: str, before: str | None) -> MarkedSentence:
    if before is None:
        return MarkedSentence(text, "new", name)
    return (
        MarkedSentence(text, "same", name)
        if text == before
        else MarkedSentence(text, "changed", name, before)
    )


def _general_and_rules(ruleset: Ruleset, words: Translator) -> tuple[tuple[str, ...], dict[str, str]]:
    """What is said before and after the rules, and the sentence of each rule."""
    rules = {rule.id: sentence(rule, ruleset, words) for rule in ruleset.every_rule}
    said = set(rules.values())
    return tuple(text for text in describe(ruleset, words) if text not in said), rules

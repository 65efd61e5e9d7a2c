"""The sentences of a draft, with a mark on those that the rules in force do not say."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from node.governance.rules import Ruleset
from node.governance.sentences import describe, sentence
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


def marked_sentences(
    before: Ruleset, after: Ruleset, words: Translator = ENGLISH
) -> tuple[MarkedSentence, ...]:
    """The sentences of `after`, the rules after all others, and then those of rules that only `before` has."""
    known, stated = _by_rule(before, words), set(_general(before, words))
    rules = _by_rule(after, words)
    return (
        *(MarkedSentence(text, "same" if text in stated else "changed") for text in _general(after, words)),
        *(_marked(name, text, known.get(name)) for name, text in rules.items()),
        *(MarkedSentence(text, "removed", name) for name, text in known.items() if name not in rules),
    )


def unread_sentences(
    before: Ruleset, names: Iterable[str], words: Translator = ENGLISH
) -> tuple[MarkedSentence, ...]:
    """Of a draft that cannot be read: the rules with these ids, as far as they are in force."""
    known = _by_rule(before, words)
    return tuple(MarkedSentence(known.get(name, ""), "unread", name) for name in dict.fromkeys(names))


def _marked(name: str, text: str, before: str | None) -> MarkedSentence:
    if before is None:
        return MarkedSentence(text, "new", name)
    return (
        MarkedSentence(text, "same", name)
        if text == before
        else MarkedSentence(text, "changed", name, before)
    )


def _by_rule(ruleset: Ruleset, words: Translator) -> dict[str, str]:
    return {rule.id: sentence(rule, ruleset, words) for rule in ruleset.every_rule}


def _general(ruleset: Ruleset, words: Translator) -> tuple[str, ...]:
    """What is said before and after the rules."""
    of_rules = set(_by_rule(ruleset, words).values())
    return tuple(text for text in describe(ruleset, words) if text not in of_rules)

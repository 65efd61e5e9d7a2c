"""Minutes of the assembly in the rule file."""

import re
from datetime import date

import pytest

from node.governance.change_impact import change_impact
from node.governance.checks import check
from node.governance.minutes import Minutes
from node.governance.parse import SENTENCES_MAX, parse_ruleset
from node.governance.rules import Ruleset
from node.governance.sentences import describe, minutes_sentence, sentence
from node.web.translations import read_catalogues

HEAD = '[ruleset]\ncommunity = "Vall Baixa"\nversion = 1\ndecision = "D-1"\n'
RULE = '\n[[rule]]\nid = "top"\nceiling = "9 Mbit/s down, 9 Mbit/s up"\nwho = "tier:guest"\nby = "{}"\n'
HELD = """
[decisions]
"D-0" = "2025-03-09"

[decisions."D-1"]
day = "2026-03-08"
place = "School"
present = 31
yes = 27
no = 2
signers = ["Ana Pons", "Ben Riu"]
"""


def rules(text: str) -> Ruleset:
    ruleset, findings = parse_ruleset(text)
    assert ruleset is not None, findings
    return ruleset


def problems(text: str) -> list[tuple[str, int]]:
    ruleset, findings = parse_ruleset(HEAD + text)
    found = findings if ruleset is None else check(ruleset)
    return [(each.code, each.line) for each in found if each.is_error]


def test_minutes_are_read_beside_days_alone() -> None:
    found = rules(HEAD + HELD).minutes
    assert (Minutes("D-1", date(2026, 3, 8), "School", 31, 27, 2, ("Ana Pons", "Ben Riu"), 9),) == found


def test_people_read_who_decided_a_rule_and_the_minutes_once() -> None:
    ruleset = rules(HEAD + RULE.format("D-1") + RULE.replace("top", "too").format("D-1") + HELD)
    assert sentence(ruleset.rules[0], ruleset).endswith(
        "Decided in D-1 on 8 March 2026, with 27 yes and 2 no."
    )
    minutes = "D-1 (8 March 2026, School): 31 present, 27 yes, 2 no. Signed by Ana Pons and Ben Riu."
    assert 1 == describe(ruleset).count(minutes)
    (held,) = ruleset.minutes
    assert minutes == minutes_sentence(held)


@pytest.mark.parametrize("tag", ["ar", "ca", "es", "fr"])
def test_one_person_is_counted_as_one_in_every_language(tag: str) -> None:
    one = (
        HELD.replace("present = 31", "present = 1").replace("yes = 27", "yes = 1").replace("no = 2", "no = 0")
    )
    ruleset, words = rules(HEAD + RULE.format("D-1") + one), read_catalogues().translations[tag]
    said = (sentence(ruleset.rules[0], ruleset, words), minutes_sentence(ruleset.minutes[0], words))
    for text in said:
        assert not re.search(r"\b1 \w+s\b", text), text
        assert "{" not in text


def test_a_rule_whose_decision_was_voted_down_is_refused() -> None:
    lost = HELD.replace("yes = 27", "yes = 2").replace("no = 2\n", "no = 27\n")
    assert [("E07", 6)] == problems(RULE.format("D-1") + lost)
    assert [] == problems(RULE.format("D-0") + lost), "a record of it may stay in the file"
    tie = HELD.replace("yes = 27", "yes = 2")
    assert [("E07", 6)] == problems(RULE.format("D-1") + tie)


@pytest.mark.parametrize(
    "table",
    [
        '[preview]\nby = "{}"\n',
        '[usage_by_day]\nby = "{}"\n',
        '[joining]\nways = ["terms"]\nwhen_full = "ask"\nby = "{}"\n',
    ],
)
def test_usage_is_not_kept_and_joining_not_changed_by_a_decision_that_was_voted_down(table: str) -> None:
    lost = HELD.replace("yes = 27", "yes = 2")
    assert [("E07", 0)] == problems(table.format("D-1") + lost)
    assert [] == problems(table.format("D-1") + HELD)
    assert ["W19"] == [
        each.code for each in check(rules(HEAD + table.format("D-0") + HELD)) if each.code == "W19"
    ]


def test_decisions_from_before_there_were_minutes_are_named_once_and_never_refused() -> None:
    two = RULE.format("D-0") + RULE.replace("top", "too").format("D-0")
    assert ["W19"] == [each.code for each in check(rules(HEAD + two + HELD)) if each.code in {"W19", "E07"}]
    only_days = '[decisions]\n"D-1" = "2026-03-08"\n'
    codes = [each.code for each in check(rules(HEAD + RULE.format("D-9") + only_days))]
    assert "W19" not in codes, "a community that keeps no minutes here need not begin"


def test_pages_have_room_for_the_sentences_of_the_longest_file() -> None:
    minutes = "".join(HELD.partition("[decisions.")[1:]).replace('"D-1"', '"D-{}"')
    text = "".join(RULE.replace("top", f"top-{n}").format(f"D-{n}") + minutes.format(n) for n in range(200))
    said = describe(rules(HEAD + text))
    assert 400 < len(said) < SENTENCES_MAX
    assert said[-1].startswith("D-199 (8 March 2026, School)")


def test_minutes_change_nothing_that_anybody_can_do() -> None:
    with_them, without = (rules(HEAD + RULE.format("D-1") + text) for text in (HELD, ""))
    impact = change_impact(with_them, without)
    assert ((), (), True) == (impact.changes, impact.terms, impact.is_complete)

"""Which sentences of a draft are others than those in force."""

from node.governance.marked_sentences import MarkedSentence, marked_sentences, unread_sentences
from node.governance.parse import parse_ruleset
from node.governance.rules import Ruleset
from node.governance.sentences import describe
from tests.unit.node.governance.test_rule_edit import FILE


def ruleset_of(text: str) -> Ruleset:
    ruleset, findings = parse_ruleset(text)
    assert ruleset is not None, findings
    return ruleset


BEFORE = ruleset_of(FILE)


def marks(after: str) -> dict[str, str]:
    found = marked_sentences(BEFORE, ruleset_of(after))
    return {each.rule or each.text: each.mark for each in found if each.mark != "same"}


def test_the_same_rules_have_no_marks_and_all_their_sentences():
    found = marked_sentences(BEFORE, BEFORE)
    assert describe(BEFORE) == tuple(each.text for each in found)
    assert {"same"} == {each.mark for each in found}
    assert ["guest-top", "guest-night"] == [each.rule for each in found if each.rule]


def test_only_what_is_said_otherwise_is_marked():
    assert {"guest-night": "changed"} == marks(FILE.replace("00:00-06:00", "01:00-06:00"))
    assert {"guest-top": "changed", "guest-night": "changed"} == marks(FILE.replace("3 Mbit/s", "4 Mbit/s"))
    assert {} == marks(FILE.replace("# was 2", "# was 1"))
    assert {"guest-night": "removed", "nights": "new"} == marks(FILE.replace("guest-night", "nights"))
    observed = FILE.replace('when = "daily', 'observe = true\nwhen = "daily')
    assert {"guest-night": "changed"} == marks(observed)
    assert ["changed"] == list(marks(FILE.replace("40 Mbit/s", "50 Mbit/s")).values())


def test_minutes_of_decisions_are_no_sentences_of_rules():
    minutes = f"""{FILE}
[decisions."D-2025-002"]
day = "2025-03-08"
present = 31
yes = 27
no = 2
signers = ["Ana Pons", "Ben Riu"]
"""
    found = marked_sentences(BEFORE, ruleset_of(minutes))
    assert ["guest-top", "guest-night"] == [each.rule for each in found if each.rule]
    assert found[-2].text.startswith("Guests never have more than 3 Mbit/s")
    assert set(describe(ruleset_of(minutes))) == {each.text for each in found}
    assert ["", "guest-top"] == [each.rule for each in found if each.mark == "changed"], "27 yes and 2 no"


def test_a_rule_that_changed_has_what_it_said_until_now():
    after = ruleset_of(FILE.replace("00:00-06:00", "01:00-06:00"))
    *_, night = marked_sentences(BEFORE, after)
    assert (describe(after)[-1], describe(BEFORE)[-1]) == (night.text, night.before)
    assert {""} == {each.before for each in marked_sentences(BEFORE, BEFORE)}


def test_rules_that_cannot_be_read_are_shown_as_they_are_in_force():
    night = describe(BEFORE)[-1]
    found = unread_sentences(BEFORE, ("guest-night", "new", "new"))
    assert (MarkedSentence(night, "unread", "guest-night"), MarkedSentence("", "unread", "new")) == tuple(
        each for each in found if each.rule
    )
    tables = [each for each in found if not each.rule]
    assert {"[uplink.main]", "[charter]"} == {each.table for each in tables}
    assert {"unread"} == {each.mark for each in tables}


def test_every_sentence_of_the_line_and_the_charter_leads_to_their_forms():
    found = marked_sentences(BEFORE, BEFORE)
    assert {"", "[uplink.main]", "[charter]"} == {each.table for each in found}
    assert not [each for each in found if each.rule and each.table]
    assert list(describe(BEFORE)[:1]) == [each.text for each in found if each.table == "[uplink.main]"]

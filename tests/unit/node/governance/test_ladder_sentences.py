"""Ladders and their steps in sentences, in every language."""

from node.governance.expressions import busy_sentence
from node.governance.ladder_sentences import ladder_sentence, step_in, step_name, step_words, trigger_words
from node.governance.rules import Ceiling, LadderStep, Share, Trigger, UsageAlert
from node.governance.sentences import describe
from node.units import BitsPerSecond, Bytes, Rates
from node.web.translations import read_catalogues
from tests.fakes.rule_files import GB, rules_of

LADDER = """
[[ladder]]
id = "big-users"
by = "D-2"
who = "tier:member"
trigger = "120 GB per month while busy"
steps = ["tell", "share 50 for 7 days", "ceiling 1 Mbit/s for 14 days"]
"""


def test_each_language_says_the_whole_ladder() -> None:
    ruleset = rules_of(LADDER)
    (ladder,) = ruleset.ladders
    texts = {
        words.gettext("guests"): ladder_sentence(ladder, ruleset, words)
        for words in read_catalogues().translations.values()
    }
    assert len(texts) == len(set(texts.values())) == 5
    assert all(
        "big-users" in text and "D-2" in text and "14" in text and "90" in text for text in texts.values()
    )
    assert ladder_sentence(ladder, ruleset) in describe(ruleset)


def test_the_agreement_says_when_the_line_is_busy_where_only_a_trigger_counts_that() -> None:
    for trigger, is_said in ((" per month while busy", True), (" per month", False)):
        ruleset = rules_of(LADDER.replace(" per month while busy", trigger))
        assert is_said == (busy_sentence(ruleset.charter.busy) in describe(ruleset))


def test_without_a_trigger_the_admin_says_the_reason() -> None:
    ruleset = rules_of(LADDER.replace("trigger", "# trigger"))
    said = ladder_sentence(ruleset.ladders[0], ruleset)
    assert said.startswith(
        "Ladder big-users, among members: an admin can open a case of an account, and says the reason."
    )


def test_what_a_step_brings_and_for_how_long_is_said() -> None:
    slow = Rates(BitsPerSecond(2_000_000), BitsPerSecond(500_000))
    assert "a word with the person, and no limit" == step_words(LadderStep(UsageAlert()))
    assert "at most half a share for 7 days" == step_words(LadderStep(Share(50), 7))
    expected = "at most 2 Mbit/s download and 500 kbit/s upload for 1 day"
    assert expected == step_words(LadderStep(Ceiling(slow), 1))


def test_the_usage_of_a_trigger_is_said_as_in_a_quota() -> None:
    assert "20 GB a week" == trigger_words(Trigger(Bytes(20 * GB), "week", "uplink"))
    busy = Trigger(Bytes(20 * GB), "month", "uplink while busy")
    assert "20 GB a month while the line is busy" == trigger_words(busy)


def test_a_step_is_found_and_named_by_the_id_of_its_rule() -> None:
    ruleset = rules_of(LADDER)
    assert "step 2 of the ladder big-users" == step_name("ladder:big-users:2")
    assert "busy-volume" == step_name("busy-volume")
    assert LadderStep(Share(50), 7) == step_in(ruleset, "ladder:big-users:2")
    for other in ("ladder:big-users:0", "ladder:big-users:4", "ladder:x:1", "busy-volume"):
        assert step_in(ruleset, other) is None

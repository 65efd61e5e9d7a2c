"""What a change of the rules changes, where a community has several lines."""

from dataclasses import replace

from hypothesis import given

from node.governance.allowance import Unit
from node.governance.change_impact import change_impact
from node.governance.change_sentences import change_sentences, verdict_sentence
from node.governance.uplink_changes import on_each_uplink
from node.units import AccountId
from tests.fakes.rule_files import HEAD, file_with, rule, village
from tests.fakes.rule_texts import rolls
from tests.unit.node.governance.test_uplink_findings import FAST, SLOW, TEXTS, read


def test_lines_with_the_same_rules_are_compared_once():
    compared = []

    def compare(before, after):
        compared.append((before.uplink_name, after.uplink_name))
        return ("a", *(rule.id for rule in after.rules)), len(compared) < 2

    more = SLOW.replace("mill", "river")
    text = file_with(rule("t", 'devices = 2\nuplink = "mill"')) + FAST
    found, is_complete = on_each_uplink(read(text), read(text + more), compare)
    assert [("main", "main"), ("mill", "mill")] == compared, "river has the rules that main has"
    assert {"a": None, "t": ("mill",)} == found
    assert not is_complete, "one of them was not"
    compared.clear()
    before, after = file_with(), file_with(rule("t", "devices = 2"))
    assert ({"a": None, "t": None}, True) == on_each_uplink(read(before), read(after), compare)
    assert 1 == len(compared)


@given(TEXTS, rolls())
def test_a_file_of_several_lines_compared_with_itself_changes_nothing(text, units):
    ruleset = read(text + FAST)
    assert change_impact(ruleset, replace(ruleset, version=9), units).is_nothing


@given(TEXTS, rolls())
def test_a_line_more_changes_nothing_on_the_line_that_there_was(text, units):
    impact = change_impact(read(text), read(text + FAST), units)
    assert ("line",) == impact.terms
    assert {("mill",)} >= {each.uplinks for each in impact.changes}


def test_a_change_on_one_line_names_it():
    body = 'ceiling = "{} Mbit/s down, 1 Mbit/s up"\nuplink = ["main", "mill"]'
    texts = [file_with(rule("t", body.format(rate))) + FAST for rate in (2, 3)]
    everywhere = change_impact(*map(read, texts))
    assert [None] == [each.uplinks for each in everywhere.changes]
    there = [text.replace('["main", "mill"]', '"mill"') for text in texts]
    impact = change_impact(*map(read, there), village(3))
    assert [("mill",)] == [each.uplinks for each in impact.changes]
    (said,) = change_sentences(impact)
    assert "on the line mill: at most 3 Mbit/s download instead of 2 Mbit/s" in said.text


def test_a_rule_tied_to_a_line_is_a_change_on_the_others():
    before = file_with(rule("t", 'ceiling = "2 Mbit/s down, 1 Mbit/s up"')) + FAST
    impact = change_impact(read(before), read(before.replace("who", 'uplink = "main"\nwho')))
    assert [("mill",)] == [each.uplinks for each in impact.changes]
    assert "1 thing changes." == verdict_sentence(impact)


def test_a_line_with_another_name_is_another_line():
    impact = change_impact(
        read(HEAD + FAST), read(HEAD + FAST.replace("mill", "river")), [Unit(AccountId("a"), "member")]
    )
    assert ("line",) == impact.terms
    (said,) = change_sentences(impact)
    assert "On the line river: People share" in said.text

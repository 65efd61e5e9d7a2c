"""Warnings that depend on what a node knows beside the rules."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.governance.local_findings import ending, unknown_nodes
from tests.fakes.rule_files import rule, rules_of

LAST = date(2027, 3, 8)
DECIDED = '[decisions]\n"D-1" = "2026-03-08"\n'
QUOTA = '[[rule]]\nid = "a"\nby = "D-1"\nwho = "tier:member"\nquota = "60 GB per month"\nthen = "tell"\n'
LIMIT = "devices = 2\nexpires = {}"


def ends(text: str, today: date, tail: str = "") -> list[str]:
    return [finding.message for finding in ending(rules_of(text, tail=tail), today)]


@pytest.mark.parametrize(
    "text", [QUOTA, rule("a", LIMIT.format('"2027-03-08"')), rule("a", LIMIT.format('"D-1 + 12 months"'))]
)
def test_a_month_before_a_rule_ends_people_are_told_until_its_last_day(text: str) -> None:
    told = ["The last day of a is 8 March 2027."]
    expected = {date(2027, 2, 7): [], date(2027, 2, 8): told, LAST: told, LAST + timedelta(days=1): []}
    assert expected == {day: ends(text, day, DECIDED) for day in expected}


def test_a_rule_without_a_known_end_is_never_said_to_end() -> None:
    assert [] == ends(QUOTA, LAST)
    assert [] == ends(rule("a", "devices = 2"), LAST, DECIDED)


def test_a_rule_for_some_days_ends_without_a_word() -> None:
    days = 'devices = 2\nfrom = "{}"\nexpires = "2027-03-08"'
    assert [] == ends(rule("a", days.format("2027-02-08")), LAST)
    assert ["The last day of a is 8 March 2027."] == ends(rule("a", days.format("2027-02-07")), LAST)


@given(st.dates(date(2020, 1, 1), date(2040, 1, 1)), st.integers(-40, 80))
def test_people_are_told_in_the_last_four_weeks_and_not_before_the_last_month(last: date, ahead: int) -> None:
    told = ends(rule("a", LIMIT.format(f'"{last}"')), last - timedelta(days=ahead))
    if 0 <= ahead <= 28:
        assert told
    if ahead < 0 or ahead > 31:
        assert not told


AT = 'devices = 2\nat = "node:{}"'


def unknown(name: str, names: set[str]) -> list[tuple[str, str]]:
    found = unknown_nodes(rules_of(rule("a", AT.format(name)), rule("b", "devices = 3")), names)
    return [(finding.message, finding.fix) for finding in found]


def test_a_name_that_no_node_has_is_noticed_with_the_one_that_was_meant() -> None:
    message = "a is for node:libary, and no node of this community is called that."
    assert [(message, "did you mean node:library?")] == unknown("libary", {"library", "mill"})
    message = "a is for node:square, and no node of this community is called that."
    assert [(message, "use one of node:library, node:mill")] == unknown("square", {"mill", "library"})


@given(
    st.sampled_from(["library", "mill", "Mill 2"]), st.sets(st.sampled_from(["library", "mill", "Mill 2"]))
)
def test_it_is_noticed_only_where_all_names_are_known_and_it_is_none_of_them(
    name: str, names: set[str]
) -> None:
    assert bool(unknown(name, names)) == (bool(names) and name not in names)


def test_a_rule_that_is_only_observed_has_to_name_a_node_too() -> None:
    ceiling = rule("a", 'ceiling = "3 Mbit/s down, 1 Mbit/s up"\nobserve = true\nat = "node:mil"')
    assert ["W20"] == [each.code for each in unknown_nodes(rules_of(ceiling), {"mill"})]

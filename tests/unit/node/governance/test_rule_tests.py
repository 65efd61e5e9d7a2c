"""Tests that are part of the rule file."""

from dataclasses import replace

import pytest

from node.governance.rule_evaluation import Evaluator
from node.governance.rule_tests import failure, parse_given
from node.governance.rules import Example
from tests.fakes.rule_files import example, rule, rules_of, village


def outcome(given: str, expect: str, ruleset=None, households: int = 44) -> str:
    failed = failure(Example(given, expect), Evaluator(ruleset or example()), village(households))
    return "" if failed is None else failed[0]


@pytest.mark.parametrize(
    ("given", "expect"),
    [
        (
            "member with busy-volume used up, fri 21:00, everyone busy",
            "down >= 373 kbit/s and down <= 374 kbit/s",
        ),
        ("member, fri 21:00, everyone busy", "down >= 700 kbit/s and share = 100"),
        ("member, fri 21:00", "down <= 1 Mbit/s"),
        ("member, fri 21:00, alone", "down >= 34 Mbit/s and up >= 6800 kbit/s"),
        ("guest, fri 21:00, everyone busy", "down >= 1.4 Mbit/s and down <= 1.5 Mbit/s and share = 200"),
        ("tier:guest, sun 03:00", "ceiling = none"),
        ("guest, sun 07:00", "ceiling down = 3 Mbit/s and ceiling up <= 1 Mbit/s"),
        ("group:school, tue 10:00", "floor down >= 4 Mbit/s and down >= 4 Mbit/s"),
        ("school, sat 10:00", "floor down = 256 kbit/s"),
        ("member, fri 21:00", "ceiling down >= 1 Mbit/s"),
        ("guest, fri 21:00", "session = 4 hours and session <= 300 minutes and devices = 5"),
        ("member, fri 21:00", "session = none and session >= 9 hours and devices >= 2 and devices <= 5"),
    ],
)
def test_an_expectation_that_the_rules_meet_passes(given, expect):
    assert "" == outcome(given, expect)


@pytest.mark.parametrize(
    ("given", "expect", "instead"),
    [
        ("member with busy-volume used up, fri 21:00", "down >= 800 kbit/s", "down is 373.627 kbit/s"),
        ("member, fri 21:00", "share = 50", "the share is 100"),
        ("guest, fri 21:00", "ceiling = none", "there is a ceiling by guest-top"),
        ("member, fri 21:00", "ceiling down <= 5 Mbit/s", "there is no ceiling"),
        ("school, sat 10:00", "floor up >= 1 Mbit/s", "up is 96 kbit/s"),
        ("guest, fri 21:00", "session >= 1 day", "session is 4 hours by guest-visit"),
        ("guest, fri 21:00", "devices = none", "devices is 5 by devices-of-one"),
        ("member, fri 21:00", "session <= 4 hours", "no rule limits session"),
        ("guest, fri 21:00", "devices = many", "cannot be read"),
        ("member, fri 21:00, alone", "down <= 1 Mbit/s", "down is 34 Mbit/s"),
    ],
)
def test_an_expectation_that_the_rules_do_not_meet_fails_with_the_actual_value(given, expect, instead):
    assert instead in outcome(given, expect)


@pytest.mark.parametrize(
    "given",
    ["member", "member, friday 21:00", "member, fri 24:00", "member, fri 21:00, half busy", "nobody, fri 21:00",
     "port:443, fri 21:00", "member with x used up, fri 21:00", "member with busy-volume, fri 21:00", ", fri 21:00"],
)  # fmt: skip
def test_an_invalid_situation_is_reported_with_what_to_write(given):
    failed = failure(Example(given, "share = 100"), Evaluator(example()), village())
    assert "cannot be read" in failed[0]
    assert "write" in failed[1]


@pytest.mark.parametrize(
    "expect", ["fast", "down = 3 Mbit/s", "down >= 3M", "share >= many", "ceiling >= none", "up >= "]
)
def test_an_expectation_that_cannot_be_tested_is_reported(expect):
    failed = failure(Example("member, fri 21:00", expect), Evaluator(example()), village())
    assert "This test cannot be read" in failed[0]
    assert failed[1]


def test_speeds_cannot_be_tested_while_the_uplink_is_not_stated():
    ruleset = rules_of(rule("a", "share = 100"))
    without = replace(ruleset, uplink=None)
    assert "not stated" in outcome("member, fri 21:00", "down >= 1 Mbit/s", without)
    assert "" == outcome("member, fri 21:00", "share = 100", without)


def test_a_group_stands_for_one_of_its_members():
    situation = parse_given("mast-host, mon 00:05, alone", example(), village())
    assert ("member", frozenset({"mast-host"})) == (situation.unit.tier, situation.unit.groups)
    assert (0, 5, False) == (situation.moment.at.weekday(), situation.moment.at.minute, situation.busy)

"""Tests that are part of the rule file."""

from dataclasses import replace
from datetime import date

import pytest

from node.governance.exhaustive_tests import ExampleRun
from node.governance.rule_tests import moment_at, ordinary_day, parse_given
from node.governance.rules import LATE_DUES, Example
from tests.fakes.rule_files import example, rule, rules_of, village


def outcome(given: str, expect: str, ruleset=None, households: int = 44) -> str:
    failed = ExampleRun(ruleset or example(), village(households)).failure(Example(given, expect))
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


def test_with_everyone_busy_the_line_is_busy():
    busy = rules_of(rule("evening", 'ceiling = "3 Mbit/s down, 1 Mbit/s up"\nwhile = "busy"'))
    assert "" == outcome("member, fri 21:00, everyone busy", "ceiling down = 3 Mbit/s", busy)
    assert "" == outcome("member, fri 21:00, alone", "ceiling = none", busy)


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
    failed = ExampleRun(example(), village()).failure(Example(given, "share = 100"))
    assert "cannot be read" in failed[0]
    assert "write" in failed[1]


@pytest.mark.parametrize(
    "expect", ["fast", "down = 3 Mbit/s", "down >= 3M", "share >= many", "ceiling >= none", "up >= "]
)
def test_an_expectation_that_cannot_be_tested_is_reported(expect):
    failed = ExampleRun(example(), village()).failure(Example("member, fri 21:00", expect))
    assert "This test cannot be read" in failed[0]
    assert failed[1]


def test_speeds_cannot_be_tested_while_the_uplink_is_not_stated():
    ruleset = rules_of(rule("a", "share = 100"))
    without = replace(ruleset, uplink=None)
    assert "not stated" in outcome("member, fri 21:00", "down >= 1 Mbit/s", without)
    assert "" == outcome("member, fri 21:00", "share = 100", without)


def test_of_guarantees_that_do_not_fit_lifelines_shrink_last():
    """As on a running node: with `overbook_percent` floors may be more than the line."""
    ruleset = rules_of(rule("school", 'floor = "30 Mbit/s down, 1 Mbit/s up"', '"group:school"'))
    for given in ("member, fri 21:00", "everyone, always"):
        assert "" == outcome(given, "down >= 256 kbit/s", ruleset)
        assert outcome(given, "down >= 257 kbit/s", ruleset)
    assert "" == outcome("guest, fri 21:00", "down >= 1 Mbit/s and down <= 1 Mbit/s", ruleset)
    assert "" == outcome("school, fri 21:00", "down >= 24.79 Mbit/s and down <= 24.8 Mbit/s", ruleset)


def test_a_pool_has_the_lifelines_of_all_in_it():
    """As its class in the kernel, also where its share is less."""
    flats = tuple(
        replace(unit, groups=frozenset({"flats"}) if n < 10 else frozenset())
        for n, unit in enumerate(village())
    )
    ruleset = rules_of(rule("flats", "share = 100\ntogether = true", '"group:flats"'))
    for given in ("flats, fri 21:00", "everyone, fri 21:00"):
        run = ExampleRun(ruleset, flats)
        assert run.failure(Example(given, "down >= 900 kbit/s")) is None
        assert (run.failure(Example(given, "down >= 2560 kbit/s")) is None) == given.startswith("flats")
    assert "down is 2.56 Mbit/s" in run.failure(Example("flats, fri 21:00", "down >= 3 Mbit/s"))[0]


def test_a_group_stands_for_one_of_its_members():
    situation = parse_given("mast-host, mon 00:05, alone", example(), village())
    assert ("member", frozenset({"mast-host"})) == (situation.unit.tier, situation.unit.groups)
    at = moment_at(situation.minute).at
    assert (0, 5, False) == (at.weekday(), at.minute, situation.busy)


SCHOOL_YEAR = rules_of(
    rule(
        "school",
        'floor = "4 Mbit/s down, 1 Mbit/s up"\nwhen = "mon-fri 08:00-15:00 except holidays"',
        '"group:school"',
    ),
    rule("winter", 'ceiling = "9 Mbit/s down, 9 Mbit/s up"\nfrom = "2026-12-21"\nexpires = "2027-03-20"'),
    tail='[calendar]\nholidays = ["2026-12-21..2027-01-06"]\n',
)


@pytest.mark.parametrize(
    ("given", "expect"),
    [
        ("school, fri 2026-12-18 09:00", "floor down = 4 Mbit/s and ceiling = none"),
        ("school, fri 2026-12-25 09:00", "floor down = 256 kbit/s and ceiling down = 9 Mbit/s"),
        ("school, thu 2027-01-07 09:00", "floor down = 4 Mbit/s and ceiling down = 9 Mbit/s"),
        ("school, sun 2027-03-21 09:00", "ceiling = none"),
        ("school, fri 09:00", "floor down = 4 Mbit/s and ceiling down = 9 Mbit/s"),
    ],
)
def test_a_test_can_say_the_date(given, expect):
    assert "" == outcome(given, expect, SCHOOL_YEAR)


def test_a_date_of_another_weekday_is_reported():
    failed = ExampleRun(SCHOOL_YEAR, village()).failure(
        Example("school, thu 2026-12-25 09:00", "share = 100")
    )
    assert "2026-12-25 is a Friday" in failed[0]
    assert "write fri 2026-12-25" == failed[1]


def test_a_day_without_a_date_is_one_on_which_all_rules_are_within_their_dates_and_nothing_is_named():
    assert date(2027, 1, 8) == ordinary_day(SCHOOL_YEAR, 4)
    assert date(2026, 6, 5) == ordinary_day(example(), 4)
    past = rules_of(rule("a", 'devices = 2\nexpires = "2026-03-08"'))
    assert date(2026, 3, 6) == ordinary_day(past, 4)
    assert date(2026, 3, 8) == ordinary_day(past, 6)


def test_rules_that_never_meet_need_tests_with_a_date():
    ruleset = rules_of(
        rule("old", 'devices = 2\nexpires = "2026-12-31"'), rule("new", 'devices = 3\nfrom = "2027-01-01"')
    )
    assert "not all rules hold on one Friday" in outcome("member, fri 09:00", "devices = 2", ruleset)
    assert "" == outcome("member, fri 2027-01-01 09:00", "devices = 3", ruleset)


def test_a_test_can_be_of_people_whose_dues_are_late():
    ruleset = rules_of(rule("late", 'ceiling = "1 Mbit/s down, 1 Mbit/s up"', '"dues:late"'))
    assert "" == outcome("dues:late, fri 21:00", "ceiling down = 1 Mbit/s and down <= 1 Mbit/s", ruleset)
    assert "" == outcome("member, fri 21:00", "ceiling = none", ruleset)
    assert {LATE_DUES} <= parse_given("dues:late, fri 21:00", ruleset, village()).unit.groups

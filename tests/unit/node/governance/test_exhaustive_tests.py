"""Tests of everyone and of all times: compared with a test of each kind of person at each hour."""

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.governance.allowance import Unit
from node.governance.checks import check_file
from node.governance.coverage import kinds
from node.governance.exhaustive_tests import ExampleRun
from node.governance.rule_evaluation import Evaluator
from node.governance.rule_tests import ParsedTest, broken_claims, parse_test
from node.governance.rules import Example, Quota
from node.units import AccountId
from tests.fakes.rule_files import example, file_with, rule, rules_of, village
from tests.fakes.rule_texts import GROUPS, RULESETS, rolls
from tests.unit.node.governance.test_conflicts import hours

CLAIMS = [
    *(f"{what}{way} {sign} {rate} kbit/s" for what in ("", "floor ", "ceiling ") for way in ("down", "up")
      for sign in (">=", "<=") for rate in (64, 100, 256, 300, 900, 2_000, 5_000)),
    "ceiling = none", "session = none", "devices = none", "floor down = 256 kbit/s", "ceiling up = 300 kbit/s",
    *(f"share {sign} {weight}" for sign in (">=", "<=", "=") for weight in (1, 50, 100, 150, 300)),
    *(f"session {sign} {hours} hours" for sign in (">=", "<=") for hours in (1, 4, 9)),
    *(f"devices {sign} {count}" for sign in (">=", "<=") for count in (1, 4, 9)),
]  # fmt: skip
WHO, WHEN, LOAD = (
    ["everyone", "member", "guest"],
    ["always", "fri 21:00", "tue 09:00"],
    ["everyone busy", "alone"],
)


def everybody(ruleset, units) -> list[Unit]:
    vouchers = [Unit(AccountId("v"), "guest", frozenset({group})) for group in GROUPS]
    return [
        *(kind.unit for kind in kinds(ruleset, units)),
        *(v for v in vouchers if names(ruleset) >= v.groups),
    ]


def names(ruleset) -> set[str]:
    return {name for each in ruleset.rules for name in each.who.groups | each.who.excluded_groups}


def somebody_fails(test: ParsedTest, ruleset, units) -> bool:
    evaluator, about = Evaluator(ruleset), test.given
    people = [about.unit] if about.unit is not None else everybody(ruleset, units)
    when = hours(ruleset) if about.minute is None else [about.minute]
    where = ["", *ruleset.nodes] if about.node is None else [about.node]
    return any(
        broken_claims(about.situation(unit, minute, node), test.claims, evaluator, units) is not None
        for unit, minute, node in product(people, when, where)
    )


@given(RULESETS, rolls(), st.data())
def test_a_test_of_everyone_fails_exactly_if_it_fails_for_somebody_at_some_hour(ruleset, units, data):
    quotas = [each.id for each in ruleset.rules if isinstance(each.effect, Quota)]
    used = data.draw(st.lists(st.sampled_from(quotas), max_size=2, unique=True)) if quotas else []
    who = data.draw(st.sampled_from(WHO)) + (f" with {' and '.join(used)} used up" if used else "")
    when = data.draw(st.sampled_from(WHEN))
    claims = data.draw(st.lists(st.sampled_from(CLAIMS), min_size=1, max_size=2))
    place = data.draw(st.sampled_from(["", *(f", at node:{each}" for each in ruleset.nodes)]))
    text = Example(f"{who}, {when}, {data.draw(st.sampled_from(LOAD))}{place}", " and ".join(claims))
    test = parse_test(text, ruleset, units)
    found = ExampleRun(ruleset, units).failure(text)
    if isinstance(test, tuple):
        assert test == found
    else:
        assert somebody_fails(test, ruleset, units) == (found is not None), found


def outcome(ruleset, text: str, expect: str, units=None, **options) -> tuple[str, str]:
    run = ExampleRun(ruleset, village() if units is None else units, **options)
    return run.failure(Example(text, expect)) or ("", "")


def test_what_everybody_has_at_all_times_passes():
    rules = example()
    assert ("", "") == outcome(
        rules, "everyone, always, everyone busy", "down >= 256 kbit/s and up >= 96 kbit/s"
    )
    assert ("", "") == outcome(
        rules, "everyone with busy-volume used up, always", "floor down >= 256 kbit/s and devices = 5"
    )


@pytest.mark.parametrize(
    ("text", "expect", "message"),
    [
        ("everyone, always, everyone busy", "down >= 900 kbit/s",
         "down is 739.131 kbit/s (members, Monday 00:00, while the line is busy)"),
        ("everyone, always, everyone busy", "ceiling = none",
         "there is a ceiling by guest-top (guests, Monday 06:00, while the line is busy)"),
        ("guest, always, alone", "ceiling down <= 3 Mbit/s",
         "there is no ceiling (guests, Monday 00:00, while the line is not busy)"),
        ("everyone, tue 10:00", "floor down = 256 kbit/s",
         "down is 4 Mbit/s (members only in the group school, Tuesday 10:00, while the line is busy)"),
        ("everyone with busy-volume used up, always", "share >= 100",
         "the share is 50 (members, Monday 00:00, while the line is busy)"),
    ],
)  # fmt: skip
def test_a_failure_names_a_kind_of_person_and_a_time_as_an_example(text, expect, message):
    found = outcome(example(), text, expect)[0]
    assert found == f"{text!r} does not get {expect!r}: {message}."


BUSY_TOP = 'ceiling = "2 Mbit/s down, 1 Mbit/s up"\nwhile = "busy"\nwhen = "daily 18:00-23:00"'


def test_always_is_while_the_line_is_busy_or_while_it_is_not():
    ruleset = rules_of(rule("evening", BUSY_TOP))
    assert ("", "") == outcome(ruleset, "everyone, always, alone", "ceiling = none")
    assert "Monday 18:00, while the line is busy" in outcome(ruleset, "everyone, always", "ceiling = none")[0]


def test_always_is_also_on_the_days_of_the_calendar_and_between_dates():
    ruleset = rules_of(
        rule("fair", 'devices = 2\nfrom = "2026-12-24"\nexpires = "2026-12-26"'),
        rule("work", 'session = "2 hours"\nwhen = "daily 00:00-24:00 except holidays"'),
        tail='[calendar]\nholidays = ["2027-01-06"]\n',
    )
    assert (
        "members, Thursday 24 December 2026 00:00"
        in outcome(ruleset, "everyone, always", "devices = none")[0]
    )
    assert "6 January 2027" in outcome(ruleset, "member, always", "session = 2 hours")[0]


def test_everyone_includes_people_with_late_dues_and_in_groups_that_nobody_is_in():
    late = rules_of(rule("late", 'ceiling = "2 Mbit/s down, 1 Mbit/s up"', '"dues:late"'))
    assert "members whose dues are late" in outcome(late, "everyone, always, alone", "ceiling = none")[0]
    empty = rules_of(rule("clinic", "devices = 9", '"group:clinic"'))
    assert "members only in the group clinic" in outcome(empty, "everyone, always", "devices = none")[0]


def test_everyone_includes_guests_with_a_voucher_of_a_group():
    ruleset = rules_of(rule("pass", "devices = 9", '"group:day-pass"'), rule("m", "devices = 9"))
    assert "(guests, " in outcome(ruleset, "everyone, always", "devices = 9")[0]
    ruleset = rules_of(
        rule("all", "devices = 9", '"everyone"'), rule("pass", "devices = 3", '"group:day-pass"')
    )
    found = ExampleRun(ruleset, ()).failure(Example("everyone, always", "devices >= 9"))
    assert "in the group day-pass" in found[0]


def test_speeds_cannot_be_tested_for_everyone_while_the_line_is_not_stated():
    ruleset = replace(rules_of(rule("a", "share = 100")), uplink=None)
    assert "not stated" in outcome(ruleset, "everyone, always", "down >= 1 kbit/s")[0]
    assert ("", "") == outcome(ruleset, "everyone, always", "share = 100")


@pytest.mark.parametrize(
    "rules",
    [
        (
            rule("pool", "share = 50\ntogether = true", '"group:school"'),
            rule("late", "share = 100", '"dues:late"'),
        ),
        (
            rule("pool", "share = 50\ntogether = true", '"group:school"'),
            rule("alone", 'share = 100\nexcept = ["dues:late"]', '"group:school"'),
            rule(
                "top",
                'ceiling = "9 Mbit/s down, 9 Mbit/s up"\ntogether = true\nwhen = "sun 20:00-22:00"',
                '"group:school"',
            ),
        ),
    ],
    ids=["leave", "join"],
)
def test_people_with_late_dues_can_leave_or_join_a_pool(rules):
    """A pool that nobody is left in demands nothing."""
    ruleset = rules_of(*rules)
    for units, rate in product((village(1), village(3), village()), (64, 400, 700, 10_000)):
        for claim in (f"down >= {rate} kbit/s", f"down <= {rate} kbit/s"):
            about = Example("everyone, always", claim)
            test = parse_test(about, ruleset, units)
            assert isinstance(test, ParsedTest)
            found = ExampleRun(ruleset, units).failure(about)
            assert somebody_fails(test, ruleset, units) == (found is not None), (len(units), claim)


def test_a_test_with_more_situations_than_are_tested_fails_and_says_what_to_write():
    message, fix = outcome(example(), "everyone, always", "down >= 64 kbit/s", steps_max=20)
    assert "has more situations than are tested" in message
    assert "write a day and an hour instead of always" in fix


def test_the_work_for_all_tests_of_a_file_together_is_limited():
    tests = [Example("everyone, always", f"{way} >= 64 kbit/s") for way in ("down", "up")]
    enough = next(
        n
        for n in range(0, 10_000, 50)
        if ExampleRun(example(), village(), steps_max=n).failure(tests[0]) is None
    )
    run = ExampleRun(example(), village(), steps_max=enough)
    assert [None, True] == [run.failure(tests[0]), "more situations" in (run.failure(tests[1]) or ("",))[0]]


def test_a_file_whose_test_of_everyone_fails_is_refused_at_the_line_of_the_test():
    text = file_with(rule("top", 'ceiling = "2 Mbit/s down, 1 Mbit/s up"\nwhen = "sat,sun 20:00-22:00"'))
    text += '[[test]]\ngiven = "everyone, always, alone"\nexpect = "down >= 3 Mbit/s"\n'
    ruleset, findings = check_file(text, village(3))
    assert ruleset is None
    assert [("E12", text[: text.index("[[test]]")].count("\n") + 1)] == [(f.code, f.line) for f in findings]
    assert "Saturday 20:00" in findings[0].message


def test_always_is_at_every_node_and_at_one_that_the_file_does_not_name():
    ruleset = rules_of(rule("two", 'devices = 2\nat = "node:library"'))
    assert (
        "while the line is not busy, at the node library)"
        in outcome(ruleset, "everyone, always, alone", "devices = none")[0]
    )
    assert ("", "") == outcome(ruleset, "member, always, alone, at node:library", "devices = 2")
    assert ("", "") == outcome(ruleset, "member, fri 21:00", "devices = none")
    assert ("", "") == outcome(ruleset, "member, fri 21:00, at node:library", "devices = 2")
    assert ("", "") == outcome(ruleset, "everyone, always, at node:library", "session = none")


def test_a_test_at_a_node_that_no_rule_names_is_reported():
    ruleset = rules_of(rule("two", 'devices = 2\nat = "node:library"'))
    message, fix = outcome(ruleset, "member, fri 21:00, at node:libary", "devices = 2")
    assert "no rule is for 'node:libary'" in message
    assert "node:library" in fix
    assert "not a node" in outcome(ruleset, "member, fri 21:00, at library", "devices = 2")[0]

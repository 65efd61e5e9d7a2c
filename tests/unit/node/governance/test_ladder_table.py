"""Ladders in a rule file: what is read, E08 and the other errors, each in a file that triggers it alone."""

import pytest

from node.governance.checks import check_file
from node.governance.ladders import step_rules
from node.governance.rules import (
    Ceiling,
    Ladder,
    LadderStep,
    Share,
    ShareLimit,
    Trigger,
    UsageAlert,
    Who,
)
from node.units import BitsPerSecond, Bytes, Rates
from tests.fakes.rule_files import GB, HEAD, file_with, rule, rules_of, village

MBIT = Rates(BitsPerSecond(1_000_000), BitsPerSecond(1_000_000))
STEPS = '"tell", "share 50 for 7 days", "ceiling 1 Mbit/s for 14 days"'
TOP = "ceiling 1 Mbit/s for 14 days"


def ladder(steps: str | None = STEPS, more: str = "", who: str = 'who = "tier:member"') -> str:
    said = "" if steps is None else f"steps = [{steps}]\n"
    return f'[[ladder]]\nid = "big-users"\nby = "D-1"\n{who}\n{said}{more}\n'


def codes(text: str) -> list[str]:
    return [finding.code for finding in check_file(text, village())[1]]


def test_a_ladder_says_who_when_what_and_for_how_long():
    more = 'trigger = "120 GB per month while busy"\ndecay = "60 days"\nwhy = "too much"'
    ruleset = rules_of(ladder(more=more, who='who = "everyone"\nexcept = "group:school"'))
    steps = (LadderStep(UsageAlert()), LadderStep(Share(50), 7), LadderStep(Ceiling(MBIT), 14))
    who = Who(everyone=True, excluded_groups=frozenset({"school"}))
    trigger = Trigger(Bytes(120 * GB), "month", "uplink while busy")
    line = HEAD.count("\n") + 1
    assert (Ladder("big-users", who, steps, "D-1", trigger, 60, "too much", line),) == ruleset.ladders
    assert () == ruleset.rules


def test_the_steps_that_limit_are_rules_for_groups_that_nobody_else_can_be_in():
    (read,) = rules_of(ladder()).ladders
    assert [
        ("ladder:big-users:2", Who(groups=frozenset({"ladder:big-users:2"})), ShareLimit(50)),
        ("ladder:big-users:3", Who(groups=frozenset({"ladder:big-users:3"})), Ceiling(MBIT)),
    ] == [(each.id, each.who, each.effect) for each in step_rules(read)]
    assert ["E01"] == codes(file_with(rule("a", "devices = 2", '"group:ladder:big-users:2"')))


def test_without_a_word_about_the_line_a_trigger_counts_all_that_crosses_it():
    (read,) = rules_of(ladder(more='trigger = "10 GB per 7 days"')).ladders
    assert read.trigger is not None
    assert "uplink" == read.trigger.counts


@pytest.mark.parametrize(
    "steps",
    [
        None,
        "",
        '"share 50 for 7 days"',
        '"tell", "share 50"',
        '"tell", "ceiling 1 Mbit/s"',
        '"tell for 3 days", "share 50 for 7 days"',
        '"tell", "share 50 for 31 days"',
        '"tell", "share 50 for 0 days"',
        '"tell", "share 50 for 7 days", "share 60 for 7 days"',
        '"tell", "share 50 for 7 days", "share 50 for 6 days"',
        f'"tell", "{TOP}", "share 50 for 7 days"',
        f'"tell", "{TOP}", "ceiling 2 Mbit/s for 30 days"',
        f'"tell", "{TOP}", "ceiling 500 kbit/s down, 2 Mbit/s up for 30 days"',
        '"tell", "share 50 for 7 days", "tell"',
    ],
)
def test_a_ladder_that_skips_does_not_end_or_becomes_milder_is_refused_alone(steps):
    assert ["E08"] == codes(file_with(ladder(steps)))


@pytest.mark.parametrize("days", [1, 31, 90])
def test_the_charter_says_how_long_a_step_can_be(days):
    head = HEAD + f"step_max_days = {days}\n"
    assert [] == codes(head + ladder(f'"tell", "share 50 for {days} days"'))
    assert ["E08"] == codes(head + ladder(f'"tell", "share 50 for {days + 1} days"'))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (ladder('"tell", "cut off for 7 days"'), "E01"),
        (ladder('"tell", "floor 1 Mbit/s for 7 days"'), "E01"),
        (ladder('"tell", "share 0 for 7 days"'), "E01"),
        (ladder('"tell", "share 50 for \u0667 days"'), "E01"),
        (ladder('"tell", "share \u0665 for 7 days"'), "E01"),
        (ladder(f"{', '.join(['"tell"'] * 7)}"), "E01"),
        (ladder(more='trigger = "much"'), "E01"),
        (ladder(more='decay = "401 days"'), "E01"),
        (ladder(more="until = 3"), "E01"),
        (ladder(who=""), "E01"),
        (ladder(who='who = "unit:ana"'), "E01"),
        (ladder().replace("big-users", "b" * 31), "E01"),
        (ladder() + ladder(), "E01"),
        ("".join(ladder().replace("big-users", f"l{n}") for n in range(9)), "E01"),
        (ladder().replace('by = "D-1"\n', ""), "E07"),
        (ladder('"tell", "ceiling 200 kbit/s for 7 days"'), "E03"),
        (ladder(f'"tell", "{TOP}"', who='who = "tier:guest"').replace("1 Mbit/s", "60 kbit/s"), "E03"),
        (ladder() + rule("f", 'floor = "2 Mbit/s down, 96 kbit/s up"', '"group:mast-host"'), "E05"),
    ],
)
def test_other_errors_of_a_ladder_are_found_alone(text, code):
    assert [code] == codes(file_with(text))


def test_a_single_guest_keeps_what_no_rule_can_take_and_not_the_lifeline_of_all():
    top = '"tell", "ceiling 64 kbit/s down, 32 kbit/s up for 7 days"'
    assert [] == codes(file_with(ladder(top, who='who = "tier:guest"')))


def test_people_with_a_floor_can_be_left_out():
    school = rule("f", 'floor = "2 Mbit/s down, 96 kbit/s up"', '"group:school"')
    without = 'who = "tier:member"\nexcept = "group:school"'
    assert "E05" in codes(file_with(ladder() + school))
    assert "E05" not in codes(file_with(ladder(who=without) + school))


def test_the_charter_keys_have_limits():
    for key, most in (("step_max_days", 90), ("answer_days", 30)):
        assert [] == codes(f"{HEAD}{key} = {most}\n")
        for wrong in (0, most + 1, '"7"'):
            assert ["E01"] == codes(f"{HEAD}{key} = {wrong}\n")

"""The rule files of the bench are what they should be: bad in other ways than by a mistake, or refused with a reason."""

import pytest

from node.governance.checks import check_file
from node.governance.parse import parse_ruleset
from node.governance.rule_table import RULES_MAX
from tests.bench.rules import WORST, evaluation, hostile, ordinary_rules, roll, roll_of_all_different

HOSTILE = dict(hostile())


@pytest.mark.parametrize("name", WORST)
def test_the_worst_files_can_be_read_and_are_at_the_limits(name):
    ruleset, findings = parse_ruleset(WORST[name]())
    assert ruleset is not None, findings
    assert len(ruleset.rules) >= 150


@pytest.mark.parametrize("count", [25, RULES_MAX])
def test_the_ordinary_files_can_be_adopted(count):
    ruleset, findings = check_file(ordinary_rules(count), roll(50))
    assert ruleset is not None, findings
    assert count == len(ruleset.rules)


@pytest.mark.parametrize("name", HOSTILE)
def test_each_hostile_file_is_refused_with_a_reason_and_a_fix(name):
    ruleset, findings = check_file(HOSTILE[name])
    assert ruleset is None
    assert all(finding.message and finding.fix and finding.is_error for finding in findings)


@pytest.mark.parametrize("name", ["10,000 rules", "10,000 different rules"])
def test_too_many_rules_are_the_first_thing_that_is_said(name):
    _, findings = check_file(HOSTILE[name])
    assert f"There are 10000 tables [[rule]]; at most {RULES_MAX} are read." == findings[0].message


def test_no_two_accounts_have_the_same_groups():
    units = roll_of_all_different(200, [f"g{n}" for n in range(40)])
    assert 200 == len({unit.groups for unit in units})


def test_all_accounts_are_evaluated_each_time():
    once = evaluation()
    assert 1_000 == len(list(once())) == len(list(once()))

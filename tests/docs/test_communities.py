"""Complete files of seven communities pass the checks and their own tests, with warnings that people should know of."""

from pathlib import Path

import pytest

from node.governance.checks import check_file
from node.governance.members import parse_members
from node.governance.rules import Quota, UsageAlert
from node.governance.sentences import describe, sentence

FOLDER = Path(__file__).parents[2] / "deploy" / "communities"
WARNINGS = {
    "city-hotspots": [],
    "village": [],
    "guifi-zone": [],
    "school": ["W05", "W05"],
    "mesh": [],
    "emergency": [],
    "observing-first": [],
}


def test_the_community_that_observes_first_limits_nobody_yet():
    ruleset, _ = check_file((FOLDER / "observing-first.rules.toml").read_text())
    assert ruleset is not None
    assert ["busy-top"] == [rule.id for rule in ruleset.observed]
    assert ruleset.preview_by
    limits = [each for each in ruleset.rules if not isinstance(each.effect, Quota)]
    assert [] == limits
    assert {UsageAlert()} == {each.effect.then for each in ruleset.rules}


def test_each_community_has_its_rules_and_its_members():
    names = {path.name for path in FOLDER.glob("*.toml")}
    assert {f"{name}.{kind}.toml" for name in WARNINGS for kind in ("rules", "members")} == names


@pytest.mark.parametrize("name", WARNINGS)
def test_the_rules_of_a_community_pass_the_checks_and_their_own_tests(name):
    members, findings = parse_members((FOLDER / f"{name}.members.toml").read_text())
    assert () == findings
    ruleset, findings = check_file((FOLDER / f"{name}.rules.toml").read_text(), members.units)
    assert WARNINGS[name] == [finding.code for finding in findings], findings
    assert ruleset is not None
    assert name == ruleset.community
    assert ruleset.examples
    for rule in ruleset.every_rule:
        said = sentence(rule, ruleset)
        assert f"Decided in {rule.by}" in said
        assert said in describe(ruleset)

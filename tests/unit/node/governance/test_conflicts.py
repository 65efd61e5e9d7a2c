"""No contradiction is missed where only slices with one are visited: compared with every account at every hour."""

from itertools import product

from hypothesis import given

from node.errors import Finding
from node.governance.checks import check, contradictions
from node.governance.conflicts import Thresholds
from node.governance.coverage import Population, Situation, kinds
from node.governance.rule_selection import applying, in_force, is_meant_for
from node.governance.rules import Ruleset
from node.governance.times import MINUTES_PER_WEEK, midnight_of
from tests.fakes.rule_texts import RULESETS, rolls


def hours(ruleset: Ruleset) -> range:
    """All hours of a week, and of the days on which rules begin or end. Generated rules begin and end at whole hours."""
    days = [midnight_of(day) for rule in ruleset.rules if rule.when is not None for day in rule.when.days()]
    if not days:
        return range(0, MINUTES_PER_WEEK, 60)
    return range(min(days) - MINUTES_PER_WEEK, max(days) + MINUTES_PER_WEEK, 60)


def every_contradiction(ruleset: Ruleset, units) -> list[Finding]:
    found = {}
    population = Population(ruleset, units)
    for kind in sorted(kinds(ruleset, units), key=lambda kind: not kind.exists):
        chosen = [r for r in ruleset.rules if is_meant_for(r, kind.unit.tier, kind.unit.groups)]
        for minute, node, busy in product(hours(ruleset), ("", *ruleset.nodes), (False, True)):
            now = applying(chosen, minute, busy=busy, node=node)
            situation = Situation(kind, minute, busy, now, in_force(now), node)
            for key, finding in contradictions(situation, ruleset, population):
                found.setdefault((finding.code, key), finding)
    return sorted(found.values(), key=lambda finding: (not finding.is_error, finding.line, finding.code))


@given(RULESETS, rolls())
def test_each_contradiction_is_found_at_its_first_hour_with_the_same_message(ruleset, units):
    codes = ("E02", "E03", "E05", "E06", "W04")
    found = [
        each
        for each in check(ruleset, units)
        if each.code in codes and "times the smallest" not in each.message
    ]
    assert every_contradiction(ruleset, units) == found


def test_a_union_has_what_is_below_a_number():
    each = Thresholds([(3, 0b100), (1, 0b001), (2, 0b010)])
    assert [0, 0, 0b001, 0b011, 0b111] == [each.below(number) for number in (0, 1, 2, 3, 4)]

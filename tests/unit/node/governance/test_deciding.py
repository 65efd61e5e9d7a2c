"""Rules without an effect: compared with the evaluation of every account at every hour."""

from itertools import product

from hypothesis import given

from node.governance.checks import check
from node.governance.coverage import kinds
from node.governance.rule_evaluation import Evaluator, binding_rules
from node.governance.rule_selection import applying, in_force, is_meant_for
from node.governance.rule_tests import moment_at
from node.governance.rules import Quota, Ruleset
from tests.fakes.rule_texts import RULESETS, rolls
from tests.unit.node.governance.test_conflicts import hours


def reached_and_deciding(ruleset: Ruleset, units) -> tuple[set[str], set[str]]:
    """Ids of the rules that are in force at some time for somebody, and of those that change what somebody gets."""
    evaluator, reached, deciding = Evaluator(ruleset), set[str](), set[str]()
    loads = (False, True) if evaluator.depends_on_load else (False,)
    for kind in kinds(ruleset, units):
        if units and not kind.exists:
            continue
        chosen = [r for r in ruleset.rules if is_meant_for(r, kind.unit.tier, kind.unit.groups)]
        for minute, node, busy in product(hours(ruleset), ("", *ruleset.nodes), loads):
            rules = in_force(applying(chosen, minute, busy=busy, node=node))
            reached |= {rule.id for rule in rules}
            moment = moment_at(minute, busy=busy, node=node)
            deciding |= binding_rules(rules, frozenset(), evaluator.policy_for(kind.unit, moment, {}))
            for rule in rules:
                if isinstance(rule.effect, Quota) and rule.id not in deciding:
                    found = evaluator.policy_for(kind.unit, moment, {rule.id: rule.effect.volume})
                    deciding |= binding_rules(rules, frozenset({rule.id}), found) & {rule.id}
    return reached, deciding


@given(RULESETS, rolls())
def test_a_rule_is_without_effect_exactly_if_it_never_decides_anything_for_anybody(ruleset, units):
    reached, deciding = reached_and_deciding(ruleset, units)
    waiting = {
        rule.id
        for rule in ruleset.rules
        if ruleset.uplink is None
        and (
            rule.while_busy
            or "share" in repr(rule.effect).lower()
            or "floor" in repr(rule.effect).lower()
            or "credit" in repr(rule.effect).lower()
        )
    }
    by_line = {rule.line: rule.id for rule in ruleset.rules}
    found = check(ruleset, units)
    assert {rule.id for rule in ruleset.rules} - reached == {
        by_line[f.line] for f in found if f.code == "W01"
    }
    assert (reached - deciding) | (reached & waiting) == {by_line[f.line] for f in found if f.code == "W02"}

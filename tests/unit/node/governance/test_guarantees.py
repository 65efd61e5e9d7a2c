"""The sum of all guarantees in every hour: compared with adding up what the evaluator gives each account."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import product

from hypothesis import given

from node.governance.allowance import Allowance, Moment, Unit
from node.governance.conflicts import RuleIndex
from node.governance.coverage import Population, late
from node.governance.guarantees import Promised
from node.governance.rule_evaluation import Evaluator
from node.governance.rule_tests import moment_at
from node.governance.rules import GUEST_TIER, Ruleset
from node.governance.slices import TimeSlices
from node.units import AccountId
from tests.fakes.rule_texts import RULESETS, rolls
from tests.unit.node.governance.test_conflicts import hours

Giver = Callable[[Unit, Moment], Allowance]


def giver(ruleset: Ruleset) -> Giver:
    """What the evaluator gives to accounts that used nothing; each is asked once."""
    evaluator = Evaluator(ruleset)
    return cache(lambda unit, moment: evaluator.policy_for(unit, moment, {}))


def promised_to_all(gives: Giver, units, moment, direction: str, *, lifelines_only: bool) -> int:
    """Each household, with dues paid or late as it is promised more, and each pool once, with its households' lifelines if
    these are more."""
    alone = 0
    floors: dict[str, int] = {}
    inside: dict[str, int] = {}
    for unit in (*units, Unit(AccountId("guest"), GUEST_TIER)):
        allowance = gives(unit, moment)
        floor = getattr(allowance.lifeline if lifelines_only else allowance.floor.value, direction)
        if unit.tier != GUEST_TIER and not lifelines_only:
            floor = max(floor, getattr(gives(late(unit), moment).floor.value, direction))
        own = 0 if allowance.own_floor is None else getattr(allowance.own_floor.value, direction)
        if allowance.pool is None:
            alone += floor
        else:
            floors[allowance.pool] = max(floor, floors.get(allowance.pool, 0))
            inside[allowance.pool] = inside.get(allowance.pool, 0) + own
    return alone + sum(max(floors[pool], inside[pool]) for pool in floors)


@given(RULESETS, rolls().filter(bool))
def test_the_most_that_is_promised_is_that_of_the_fullest_hour(ruleset, units):
    week = TimeSlices(ruleset.rules)
    population = Population(ruleset, units)
    promised = Promised(RuleIndex(ruleset, population.accounts_of), population, week)
    loads = (False, True) if any(rule.while_busy for rule in ruleset.rules) else (False,)
    nodes = ("", *ruleset.nodes)
    moments = [
        moment_at(minute, busy=busy, node=node)
        for minute, node, busy in product(hours(ruleset), nodes, loads)
    ]
    gives = giver(ruleset)
    for direction in ("down", "up"):
        sums = [promised_to_all(gives, units, each, direction, lifelines_only=False) for each in moments]
        most, number = promised.floors(direction).most(week.all)
        minute, busy = week.moment(number)
        fullest = moment_at(minute, busy=busy, node=week.node(number))
        assert max(sums) == most
        assert moments[sums.index(most)] == fullest
        least = promised_to_all(gives, units, fullest, direction, lifelines_only=True)
        assert least == promised.lifelines(direction).at(number)


@given(RULESETS, rolls().filter(bool))
def test_while_the_clock_is_unknown_the_floors_of_all_hours_are_added(ruleset, units):
    population = Population(ruleset, units)
    week = TimeSlices(ruleset.rules, "unknown")
    promised = Promised(RuleIndex(ruleset, population.accounts_of), population, week)
    loads = (False, True) if any(rule.while_busy for rule in ruleset.rules) else (False,)
    moments = [
        replace(moment_at(0, busy=busy, node=node), clock="unknown")
        for node, busy in product(("", *ruleset.nodes), loads)
    ]
    gives = giver(ruleset)
    for direction in ("down", "up"):
        expected = max(
            promised_to_all(gives, units, each, direction, lifelines_only=False) for each in moments
        )
        assert expected == promised.floors(direction).most(week.all)[0]

"""A replay divides the line by shares, floors and ceilings: nobody has more than they want, and nothing is left over."""

from hypothesis import given
from hypothesis import strategies as st

from node.governance.allowance import Unit
from node.governance.line_division import LineRights, divide, greedy, rights_of, satisfied
from node.governance.rule_evaluation import DIRECTIONS, Evaluator, rate_in
from node.governance.rule_tests import moment_at
from node.governance.rules import Ruleset
from node.governance.times import MINUTES_PER_WEEK
from node.units import AccountId, BitsPerSecond, Rates
from tests.fakes.rule_files import rule
from tests.fakes.rule_texts import RULESETS
from tests.unit.node.governance.test_replay import HOMES, MEMBERS, ceiling, ruleset

KINDS = [
    Unit(AccountId("a"), "member"),
    Unit(AccountId("b"), "member", frozenset({"school"})),
    Unit(AccountId("c"), "service", frozenset({"crew"})),
    Unit(AccountId("d"), "guest"),
]
WANTED = st.lists(st.tuples(st.sampled_from(range(4)), st.integers(0, 30_000_000)), min_size=1, max_size=9)
CAPACITY = st.integers(100_000, 50_000_000)


def rights_under(rules: Ruleset, minute: int = 0, *, busy: bool = False) -> list[LineRights]:
    known: dict[tuple[object, ...], LineRights] = {}
    evaluator, moment = Evaluator(rules), moment_at(minute, busy=busy)
    return [rights_of(evaluator.policy_for(unit, moment, {}), known) for unit in KINDS]


def test_equal_rights_are_one_object():
    member, school, _, guest = rights_under(ruleset(rule("g", "share = 200", '"tier:guest"')))
    assert member is school
    assert member is not guest


def test_the_line_is_divided_by_weight_up_to_ceilings():
    heavy = rule("s", "share = 300", '"group:school"')
    member, school, *_ = rights_under(ruleset(heavy, ceiling(6, '"group:school"')))
    wanting = [(member, 2, None), (school, 1, None)]
    assert [4_000_000, 6_000_000] == divide(wanting, 14_000_000, "down")
    assert [2_000_000, 6_000_000] == divide(wanting, 10_000_000, "down")
    assert [1_000_000, 3_000_000] == divide(wanting, 5_000_000, "down")
    rates, margin = greedy(
        tuple((each, count) for each, count, _ in wanting), Rates(*[BitsPerSecond(5_000_000)] * 2)
    )
    assert {member: (1_000_000, 1_000_000), school: (3_000_000, 3_000_000)} == rates
    assert 1_000_000 * 1000 // 256_000 == margin, "in permille of the lifeline, download"


def test_what_is_wanted_is_had_where_it_fits():
    member, *_ = rights_under(ruleset(ceiling(2, MEMBERS)))
    rights = [member] * len(HOMES)
    assert [1_000_000] * 8 == satisfied(rights, [1_000_000] * 8, 20_000_000, "down")
    assert [2_000_000] * 8 == satisfied(rights, [3_000_000] * 8, 20_000_000, "down")
    assert [1_000_000] * 8 == satisfied(rights, [3_000_000] * 8, 8_000_000, "down")
    assert [2_000_000] * 8 == satisfied(rights, [3_000_000] * 8, None, "down")


@given(RULESETS, WANTED, CAPACITY, st.integers(0, MINUTES_PER_WEEK - 1), st.booleans())
def test_nobody_has_more_than_they_want_and_what_is_wanted_fills_the_line(
    rules, wanted, capacity, minute, busy
):
    rights = rights_under(rules, minute, busy=busy)
    own, wants = [rights[kind] for kind, _ in wanted], [want for _, want in wanted]
    for direction in DIRECTIONS:
        found = satisfied(own, wants, capacity, direction)
        assert sum(found) <= max(capacity, 0)
        tops = [each.own[direction].ceiling for each in own]
        for rate, want, top in zip(found, wants, tops, strict=True):
            assert 0 <= rate <= want
            assert top is None or rate <= top
        pooled = any(each.pool is not None for each in own)
        could = sum(want if top is None else min(want, top) for want, top in zip(wants, tops, strict=True))
        if not pooled:
            assert sum(found) >= min(capacity, could) - len(found), "a rounded bit for each"
        if could <= capacity and not pooled:
            assert could == sum(found)


@given(RULESETS, st.lists(st.integers(0, 3), min_size=1, max_size=9), CAPACITY)
def test_greedy_is_what_all_get_who_want_more_than_there_is(rules, kinds, capacity):
    rights = rights_under(rules)
    counts: dict[LineRights, int] = {}
    for kind in kinds:
        counts[rights[kind]] = counts.get(rights[kind], 0) + 1
    line = Rates(BitsPerSecond(capacity), BitsPerSecond(capacity))
    rates, margin = greedy(tuple(counts.items()), line)
    assert margin >= 0
    for number, direction in enumerate(DIRECTIONS):
        own = [rights[kind] for kind in kinds]
        everything = divide([(each, 1, None) for each in own], rate_in(direction, line), direction)
        assert [rates[each][number] for each in own] == everything

"""Several rules of one effect become one value with its reason."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.governance.allowance import Bound, Unit
from node.governance.checks import check
from node.governance.combination import (
    Claim,
    base_share,
    earliest,
    highest_floor,
    lowered_share,
    lowest_ceiling,
)
from node.governance.rule_evaluation import CODE_LIFELINE, Evaluator, lifeline_bound
from node.governance.rule_tests import moment_at
from node.units import AccountId, BitsPerSecond, Rates
from tests.fakes.rule_files import on, rule, rules_of

RULES = rules_of(
    rule("a", "share = 100"), rule("b", "share = 50", '"tier:x"'), rule("c", "share = 30", '"tier:y"')
)
LEAST = lifeline_bound(RULES)


def claim(index: int, down: int, up: int, until=None) -> Claim[Rates]:
    rule = RULES.rules[index]
    return Claim(
        rule, Rates(BitsPerSecond(down * 1000), BitsPerSecond(up * 1000)), f"Sentence {rule.id}.", until
    )


def weight(index: int, value: int) -> Claim[int]:
    return Claim(RULES.rules[index], value, f"Sentence {RULES.rules[index].id}.", None)


def told(bound: Bound) -> tuple[int, int, str, tuple[str, ...]]:
    return (bound.value.down // 1000, bound.value.up // 1000, bound.rule, bound.also)


def test_the_lowest_ceiling_in_each_direction_applies_in_any_order():
    claims = [claim(0, 900, 500), claim(1, 800, 600), claim(2, 950, 650)]
    found = {
        (told(bound), bound.sentence) for p in permutations(claims) if (bound := lowest_ceiling(p, LEAST))
    }
    assert {((800, 500, "a", ("c",)), "Sentence a. Sentence b.")} == found


def test_one_rule_that_sets_both_directions_is_the_whole_reason():
    bound = lowest_ceiling([claim(0, 800, 700), claim(1, 800, 500)], LEAST)
    assert ((800, 500, "b", ("a",)), "Sentence b.") == (told(bound), bound.sentence)


def test_no_claim_is_no_ceiling():
    assert lowest_ceiling([], LEAST) is None


def test_the_lifeline_is_the_minimum_in_each_direction():
    assert (256, 96, "lifeline", ("a",)) == told(lowest_ceiling([claim(0, 10, 10)], LEAST))
    assert (256, 500, "a", ()) == told(lowest_ceiling([claim(0, 10, 500)], LEAST))
    assert (300, 96, "a", ()) == told(lowest_ceiling([claim(0, 300, 10)], LEAST))


SPEED = st.sampled_from([10, 96, 100, 256, 300, 900])
CLAIMS = st.lists(st.tuples(SPEED, SPEED), min_size=1, max_size=3)


@given(CLAIMS)
def test_the_reason_is_the_rule_that_limits_and_the_lifeline_only_where_it_is_all_that_is_left(speeds):
    claims = [claim(n, down, up) for n, (down, up) in enumerate(speeds)]
    bound = lowest_ceiling(claims, LEAST)
    down, up = min(s[0] for s in speeds), min(s[1] for s in speeds)
    setting = {c.rule.id for c, s in zip(claims, speeds, strict=True) if s[0] == down or s[1] == up}
    if down < 256 and up < 96:
        assert ("lifeline", LEAST.sentence) == (bound.rule, bound.sentence)
        assert {c.rule.id for c in claims} == set(bound.also)
    else:
        assert bound.rule in setting
        assert f"Sentence {bound.rule}." in bound.sentence
        assert set(bound.reasons) <= setting
        assert {c.rule.id for c in claims} == {*bound.also, *bound.reasons}


@given(CLAIMS)
def test_the_reason_names_the_rule_that_gives_more_than_the_lifeline(speeds):
    claims = [claim(n, down, up) for n, (down, up) in enumerate(speeds)]
    bound = highest_floor(claims, LEAST, None)
    down, up = max(s[0] for s in speeds), max(s[1] for s in speeds)
    giving = {c.rule.id for c, s in zip(claims, speeds, strict=True) if s[0] == down > 256 or s[1] == up > 96}
    if not giving:
        assert ("lifeline", {c.rule.id for c in claims}) == (bound.rule, set(bound.also))
    else:
        assert bound.rule in giving
        assert set(bound.reasons) <= giving
        assert {c.rule.id for c in claims} == {*bound.also, *bound.reasons}


def test_the_highest_floor_applies_but_never_above_the_ceiling():
    top = lowest_ceiling([claim(2, 1000, 1000)], LEAST)
    assert (1000, 400, "a", ("b",)) == told(
        highest_floor([claim(0, 4000, 400), claim(1, 300, 200)], LEAST, top)
    )
    assert (4000, 400, "a", ()) == told(highest_floor([claim(0, 4000, 400)], LEAST, None))


def test_a_floor_below_the_lifeline_is_no_reason():
    assert (256, 96, "lifeline", ("a",)) == told(highest_floor([claim(0, 100, 50)], LEAST, None))
    assert (256, 200, "a", ()) == told(highest_floor([claim(0, 100, 200)], LEAST, None))


def test_a_speed_set_by_two_rules_holds_until_the_first_of_them_ends():
    evening, night = on("mon 20:00").at, on("mon 23:00").at
    bound = lowest_ceiling([claim(0, 900, 500, night), claim(1, 800, 600, evening)], LEAST)
    assert evening == bound.until
    assert earliest([None, None]) is None


def test_the_base_share_is_the_default_when_nobody_claims_one():
    default = Bound(100, "equal-share", "built in", "")
    assert default is base_share([], default, 400)


def test_a_used_up_quota_lowers_the_share_and_never_raises_it():
    base = Bound(100, "x", "D-1", "Base.")
    lowered = lowered_share(base, [weight(0, 50), weight(1, 30), weight(2, 200)])
    assert (30, "b", ("a", "x")) == (lowered.value, lowered.rule, lowered.also)
    same = lowered_share(base, [weight(2, 200)])
    assert (100, "x", ("c",)) == (same.value, same.rule, same.also)


def test_the_cap_is_a_multiple_of_the_smallest_share():
    assert 30 * 4 == RULES.share_cap
    assert 100 * 4 == rules_of(rule("a", "share = 300")).share_cap


@pytest.mark.parametrize(("smallest", "others"), [(10, 40), (24, 96), (25, 100), (300, 100)])
def test_people_without_a_share_rule_are_within_the_ratio_too(smallest: int, others: int):
    ruleset = rules_of(rule("a", f"share = {smallest}", '"group:new"'))
    evaluator = Evaluator(ruleset)
    member, guest = (Unit(AccountId("m"), tier) for tier in ("member", "guest"))
    found = [evaluator.evaluate(unit, moment_at(0), {}).share for unit in (member, guest)]
    assert [others, others] == [share.value for share in found]
    assert f"({others})" in found[0].sentence
    assert (others < 100) == any(finding.code == "W04" for finding in check(ruleset))


def test_no_charter_goes_below_the_built_in_lifeline():
    assert (64_000, 32_000) == (CODE_LIFELINE.down, CODE_LIFELINE.up)

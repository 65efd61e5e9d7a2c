"""What the steps of a ladder do to what people have: they only lower it, never below the lifeline."""

from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from node.governance.canonical_form import meaning_fingerprint
from node.governance.change_impact import change_impact
from node.governance.change_sentences import change_sentences
from node.governance.checks import check_file
from node.governance.explanation import explain
from node.governance.ladders import is_milder, step_group, step_groups, step_of
from node.governance.members import parse_members
from node.governance.parse import parse_ruleset
from node.governance.rule_evaluation import CODE_LIFELINE, Evaluator
from node.governance.rule_tests import moment_at
from node.governance.rules import GUEST_TIER, LadderStep, Share
from node.units import highest, lowest
from tests.examples import examples
from tests.fakes.communities import ACCEPTED, Community
from tests.fakes.rule_files import HEAD, MEMBER, SCHOOL, file_with, rule, rules_of, village

LADDER = """
[[ladder]]
id = "big-users"
by = "D-2"
who = "tier:member"
trigger = "120 GB per month while busy"
steps = ["tell", "share 50 for 7 days", "ceiling 1 Mbit/s for 14 days"]
"""
RATES = st.sampled_from(["600 kbit/s", "1 Mbit/s", "700 kbit/s down, 4 Mbit/s up", "20 Mbit/s"])
WEIGHTS = st.sampled_from([1, 20, 50, 99, 150])


@st.composite
def ladders(draw: st.DrawFn) -> str:
    """Of one share and one ceiling."""
    return (
        f'[[ladder]]\nid = "l"\nby = "D-1"\nwho = "everyone"\nsteps = ["tell", "share {draw(WEIGHTS)} for 3 days", '
        f'"ceiling {draw(RATES)} for 3 days"]\n'
    )


@settings(deadline=None, max_examples=examples(60), suppress_health_check=list(HealthCheck))
@given(ACCEPTED, ladders(), st.integers(0, 3))
def test_a_step_gives_nobody_more_and_nobody_less_than_the_lifeline(
    community: Community, ladder: str, step: int
) -> None:
    members, _ = parse_members(community.members)
    assert members is not None
    ruleset, _ = check_file(community.rules + ladder, members.units)
    plain, _ = check_file(community.rules, members.units)
    if ruleset is None or plain is None:
        return  # a floor of somebody is above the step
    with_ladder, without = Evaluator(ruleset), Evaluator(plain)
    for unit in (*members.units, replace(MEMBER, tier=GUEST_TIER)):
        used = {} if community.heavy.isdisjoint({unit.account}) else {r.id: 10**14 for r in plain.rules}
        moment = replace(moment_at(community.minute, busy=community.busy), clock="synced")
        before = without.policy_for(unit, moment, used)
        groups = unit.groups | ({step_group("l", step)} if step else frozenset())
        now = with_ladder.policy_for(replace(unit, groups=groups), moment, used)
        least = CODE_LIFELINE if unit.tier == GUEST_TIER else before.lifeline
        assert now.share.value <= before.share.value
        assert now.weight_in_pool <= before.weight_in_pool
        assert now.floor.value == lowest(now.floor.value, before.floor.value)
        if before.ceiling is not None:
            assert now.ceiling is not None
            assert now.ceiling.value == lowest(now.ceiling.value, before.ceiling.value)
        for rates in (now.floor.value, *([now.ceiling.value] if now.ceiling else [])):
            assert rates == highest(rates, least)
        if step < 2:
            assert (before.share, before.ceiling, before.floor) == (now.share, now.ceiling, now.floor)


def test_a_step_is_said_and_explained_as_the_reason_of_the_limit() -> None:
    ruleset = rules_of(LADDER)
    unit = replace(MEMBER, groups=frozenset({"ladder:big-users:3"}))
    text = "\n".join(explain(Evaluator(ruleset).evaluate(unit, moment_at(0), {})))
    assert "People in step 3 of the ladder big-users never have more than 1 Mbit/s download" in text
    assert "Decided in D-2." in text
    half = replace(MEMBER, groups=frozenset({"ladder:big-users:2"}))
    assert 50 == Evaluator(ruleset).policy_for(half, moment_at(0), {}).share.value


def test_steps_are_tested_in_the_file_by_their_names_at_one_hour_and_always() -> None:
    school = rule("f", 'floor = "4 Mbit/s down, 1 Mbit/s up"', '"group:school"')
    members = LADDER.replace("who", 'except = "group:school"\nwho')
    proofs = (
        ("ladder:big-users:2, fri 21:00", "share = 50 and ceiling = none", True),
        ("ladder:big-users:2, always, everyone busy", "share = 50 and down >= 256 kbit/s", True),
        ("ladder:big-users:3, always, alone", "down <= 1 Mbit/s and ceiling up <= 1 Mbit/s", True),
        ("ladder:big-users:1, always", "share = 100 and ceiling = none", True),
        ("ladder:big-users:3, fri 21:00", "ceiling = none", False),
        ("ladder:big-users:2, always", "share = 100", False),
        ("ladder:big-users:4, fri 21:00", "share = 100", False),
        ("everyone, always", "ceiling = none", True),
    )
    for given_, expect, passes in proofs:
        test = f'[[test]]\ngiven = "{given_}"\nexpect = "{expect}"\n'
        found = [each.code for each in check_file(file_with(school, members, test), village())[1]]
        assert ([] if passes else ["E12"]) == [code for code in found if code != "W05"], given_


def test_the_school_is_not_in_a_ladder_that_leaves_it_out() -> None:
    ruleset = rules_of(LADDER.replace("who", 'except = "group:school"\nwho'))
    allowance = Evaluator(ruleset).policy_for(SCHOOL, moment_at(0), {})
    assert (100, None) == (allowance.share.value, allowance.ceiling)


def test_a_ladder_is_in_the_fingerprint_of_what_the_file_says_whatever_the_order() -> None:
    other = LADDER.replace("big-users", "other")
    assert meaning_fingerprint(rules_of(LADDER)) != meaning_fingerprint(rules_of())
    assert meaning_fingerprint(rules_of(LADDER, other)) == meaning_fingerprint(rules_of(other, LADDER))
    changed = LADDER.replace("for 14 days", "for 15 days")
    assert meaning_fingerprint(rules_of(LADDER)) != meaning_fingerprint(rules_of(changed))


def test_a_changed_ladder_is_a_change_and_another_reason_is_none() -> None:
    before = rules_of(LADDER)
    for text in ("", LADDER.replace("for 14", "for 15"), LADDER.replace("120 GB", "130 GB")):
        impact = change_impact(before, rules_of(text), village())
        assert ("ladders",) == impact.terms
        (said,) = change_sentences(impact)
        assert "Until now: “Ladder big-users" in said.text
    assert change_impact(before, rules_of(LADDER.replace("D-2", "D-3")), village()).is_nothing


def test_the_numbers_of_the_charter_are_a_change_where_there_is_a_ladder() -> None:
    for key in ("step_max_days", "answer_days"):
        for text, terms in ((LADDER, (key,)), ("", ())):
            before, after = (parse_ruleset(HEAD + more + text)[0] for more in ("", f"{key} = 20\n"))
            assert before is not None
            assert after is not None
            impact = change_impact(before, after)
            assert terms == impact.terms
            assert bool(terms) == any("20 days" in each.text for each in change_sentences(impact))


def test_no_step_may_be_milder_than_another_in_one_order_and_the_other() -> None:
    half, less = LadderStep(Share(50), 7), LadderStep(Share(20), 3)
    assert not is_milder(less, half)
    assert is_milder(half, less)
    assert not is_milder(half, half)


def test_the_names_of_steps_are_read_back() -> None:
    ruleset = rules_of(LADDER)
    assert [("big-users", 1), ("big-users", 2), ("big-users", 3)] == [
        step_of(g) for g in step_groups(ruleset)
    ]
    for other in ("dues:late", "busy-volume", "ladder:x", "ladder::1", "ladder:x:-1", "ladder:x:²", ""):
        assert step_of(other) is None

"""The cached policy for one time slice, for each class of accounts."""

from collections import UserDict

from node.governance.allowance import Unit
from node.governance.rule_evaluation import (
    Evaluator,
    PolicySlice,
    binding_rules,
    compile_ruleset,
    is_of_pool,
    pool_has_guests,
)
from node.governance.rule_selection import CLASSES_MAX
from node.governance.rules import GUESTS
from node.governance.times import civil_minute
from node.units import AccountId
from tests.fakes.rule_files import GUEST, MEMBER, SCHOOL, evaluate, example, on, rule, rules_of, used

DAILY = 'quota = "1 GB per day"\nthen = "share 50 until reset"'


def cell(ruleset, at: str) -> PolicySlice:
    moment = on(at)
    return PolicySlice(compile_ruleset(ruleset), civil_minute(moment.at), moment.at, busy=False)


def test_a_class_is_computed_once():
    now = cell(example(), "fri 21:00")
    same = Unit(AccountId("household-3"), "member")
    assert now.allowance(MEMBER, frozenset()) is now.allowance(same, frozenset())


def test_a_quota_of_other_hours_is_listed_and_has_no_consequence():
    ruleset = rules_of(rule("evening", f'{DAILY}\nwhen = "daily 18:00-23:00"'), rule("all", DAILY))
    found = [(c.rule.id, c.holds) for c in cell(ruleset, "mon 10:00").counted(MEMBER)]
    assert [("all", True), ("evening", False)] == found


def test_a_quota_that_an_exception_replaces_is_not_listed_twice():
    ruleset = rules_of(rule("all", DAILY), rule("school", f'{DAILY}\nexception_to = "all"', '"group:school"'))
    now = cell(ruleset, "mon 10:00")
    assert ["school"] == [c.rule.id for c in now.counted(SCHOOL)]
    assert ["all"] == [c.rule.id for c in now.counted(MEMBER)]


def test_the_cache_is_bounded():
    ruleset = rules_of(*(rule(f"r{n}", DAILY, f'"group:g{n}"') for n in range(13)))
    now, agreed = cell(ruleset, "mon 10:00"), compile_ruleset(ruleset)
    for n in range(CLASSES_MAX + 50):
        unit = Unit(AccountId("a"), "member", frozenset(f"g{bit}" for bit in range(13) if n >> bit & 1))
        now.allowance(unit, frozenset())
        now.counted(unit)
        agreed.selectors[unit.tier, unit.groups]
    assert len(now._known) <= CLASSES_MAX
    assert len(now._counted) <= CLASSES_MAX
    assert len(agreed.selectors) <= CLASSES_MAX


def test_a_query_about_another_hour_during_an_evaluation_changes_nothing():
    """As when a thread runs `why --at` while another evaluates every account."""
    evaluator, night = Evaluator(example()), on("sun 03:00", "unknown")

    class Interrupting(UserDict):
        def get(self, key, default=None):
            evaluator.evaluate(GUEST, night, {})
            evaluator.evaluate(MEMBER, night, {})
            return super().get(key, default)

    expected = evaluate(MEMBER, on("fri 21:00"), used(61), example())
    assert expected == evaluator.evaluate(MEMBER, on("fri 21:00"), Interrupting(used(61)))
    assert expected == evaluator.evaluate(MEMBER, on("fri 21:00"), used(61))


def test_the_rules_that_decide_are_distinguished_from_those_that_do_not():
    ruleset = example()
    found = cell(ruleset, "tue 10:00").allowance(SCHOOL, frozenset({"busy-volume"}))
    rules = [r for r in ruleset.rules if r.id in ("equal-share", "school-hours", "busy-volume")]
    assert {"busy-volume", "school-hours"} == binding_rules(rules, frozenset({"busy-volume"}), found)
    assert {"equal-share", "school-hours"} == binding_rules(
        rules, frozenset(), cell(ruleset, "tue 10:00").allowance(SCHOOL, frozenset())
    )


def test_floors_for_guests_are_for_all_of_them_and_ceilings_only_when_the_rule_says_so():
    floor, each, together, others = rules_of(
        rule("f", 'floor = "2 Mbit/s down, 1 Mbit/s up"', '"everyone"'),
        rule("e", 'ceiling = "3 Mbit/s down, 1 Mbit/s up"', '"tier:guest"'),
        rule("t", 'ceiling = "9 Mbit/s down, 1 Mbit/s up"\ntogether = true', '"tier:guest"'),
        rule("o", 'ceiling = "9 Mbit/s down, 1 Mbit/s up"\ntogether = true', '"tier:kid"'),
    ).rules
    assert [True, False, True, False] == [is_of_pool(r, GUESTS) for r in (floor, each, together, others)]
    assert pool_has_guests(GUESTS)
    assert not pool_has_guests(others)

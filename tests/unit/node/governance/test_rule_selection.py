"""Which rules apply to an account, and which of them an exception replaces."""

from dataclasses import replace

from node.governance.rule_selection import applying, favours, in_force, is_meant_for, kindness, selects
from node.governance.rules import Ceiling, Floor, Rule, Share, Who
from node.units import BitsPerSecond, Rates
from tests.fakes.rule_files import rule, rules_of

NOBODY = frozenset()
RATES = Rates(BitsPerSecond(1_000_000), BitsPerSecond(1_000_000))


def ids(rules):
    return [r.id for r in rules]


def test_a_selection_is_a_union_without_its_exceptions():
    who = Who(tiers=frozenset({"member"}), groups=frozenset({"school"}), excluded_groups=frozenset({"away"}))
    assert selects(who, "member", NOBODY)
    assert selects(who, "guest", frozenset({"school"}))
    assert not selects(who, "guest", NOBODY)
    assert not selects(who, "member", frozenset({"away"}))


def test_an_exception_applies_only_where_its_rule_applies_too():
    ruleset = rules_of(
        rule("top", 'ceiling = "3 Mbit/s down, 1 Mbit/s up"\nwhen = "daily 18:00-23:00"'),
        rule("lift", 'ceiling = "none"\nexception_to = "top"', who=""),
    )
    assert [] == ids(applying(ruleset.rules, 0, busy=False))
    assert ["lift"] == ids(in_force(applying(ruleset.rules, 19 * 60, busy=False)))


def test_an_exception_to_an_exception_replaces_both():
    ruleset = rules_of(
        rule("a", "share = 100"),
        rule("b", 'share = 150\nexception_to = "a"', who=""),
        rule("c", 'share = 120\nexception_to = "b"\nwhen = "mon 00:00-12:00"', who=""),
    )
    assert ["c"] == ids(in_force(applying(ruleset.rules, 0, busy=False)))
    assert ["b"] == ids(in_force(applying(ruleset.rules, 13 * 60, busy=False)))


def test_of_two_overlapping_exceptions_the_more_generous_one_applies():
    ruleset = rules_of(
        rule("a", "share = 100"),
        rule("b", 'share = 150\nexception_to = "a"', who=""),
        rule("c", 'share = 200\nexception_to = "a"', who=""),
        rule("d", 'share = 400\nexception_to = "b"', who=""),
    )
    assert ["c"] == ids(in_force(applying(ruleset.rules, 0, busy=False)))


def test_without_a_clock_limits_with_hours_are_inactive_and_guarantees_with_hours_apply():
    ruleset = rules_of(
        rule("top", 'ceiling = "3 Mbit/s down, 1 Mbit/s up"'),
        rule("evening", 'ceiling = "2 Mbit/s down, 1 Mbit/s up"\nwhen = "daily 18:00-23:00"'),
        rule("night", 'ceiling = "none"\nwhen = "daily 00:00-06:00"\nexception_to = "top"', who=""),
        rule("school", 'floor = "4 Mbit/s down, 1 Mbit/s up"\nwhen = "mon 08:00-12:00"'),
        rule(
            "less",
            'floor = "1 Mbit/s down, 1 Mbit/s up"\nwhen = "mon 08:00-12:00"\nexception_to = "school"',
            who="",
        ),
    )
    assert ["night", "school"] == ids(in_force(applying(ruleset.rules, None, busy=False)))


def test_a_share_with_hours_is_a_benefit_only_when_it_is_more_than_what_it_replaces():
    ruleset = rules_of(
        rule("a", "share = 200"),
        rule("b", 'share = 150\nexception_to = "a"', who=""),
        rule("c", "share = 50"),
    )
    a, b, c = ruleset.rules
    assert favours(a, None)
    assert not favours(b, a)
    assert not favours(c, None)


def test_cyclic_exceptions_that_passed_the_checks_replace_nothing():
    a, b = rules_of(rule("a", "share = 100"), rule("b", 'share = 150\nexception_to = "a"', who="")).rules
    assert [] == ids(applying((replace(a, exception_to="b"), b), 0, busy=False))


def test_no_ceiling_is_more_generous_than_any_ceiling():
    ruleset = rules_of(
        rule("a", 'ceiling = "100 Gbit/s down, 100 Gbit/s up"'),
        rule("b", 'ceiling = "none"\nexception_to = "a"', who=""),
    )
    assert kindness(ruleset.rules[1]) > kindness(ruleset.rules[0])


def test_shares_and_floors_are_the_same_for_all_guests_and_other_limits_follow_the_group_of_a_voucher():
    group, guest = frozenset({"school"}), Who(tiers=frozenset({"guest"}))
    for effect, together in ((Share(100), False), (Floor(RATES), False), (Ceiling(RATES), True)):
        apart = Rule("a", Who(groups=group), effect, "D-1", together=together)
        ours = Rule("b", replace(guest, excluded_groups=group), effect, "D-1", together=together)
        assert not is_meant_for(apart, "guest", group)
        assert is_meant_for(apart, "member", group)
        assert is_meant_for(ours, "guest", group)
    assert is_meant_for(Rule("c", Who(groups=group), Ceiling(RATES), "D-1"), "guest", group)


AT_LIBRARY = rule(
    "library", 'ceiling = "9 Mbit/s down, 9 Mbit/s up"\nat = "node:library"\nexception_to = "all"', ""
)
AT_ALL = rule("all", 'ceiling = "2 Mbit/s down, 1 Mbit/s up"')


def test_a_rule_for_one_node_applies_there_alone():
    ruleset = rules_of(AT_ALL, AT_LIBRARY)
    assert ("library",) == ruleset.nodes
    for node, expected in (("library", ["library"]), ("mill", ["all"]), ("", ["all"])):
        assert expected == ids(in_force(applying(ruleset.rules, 0, busy=False, node=node)))


def test_an_exception_without_a_node_has_that_of_the_rule_it_replaces():
    base = rule("a", 'ceiling = "2 Mbit/s down, 1 Mbit/s up"\nat = "node:library"')
    ruleset = rules_of(base, rule("b", 'ceiling = "none"\nexception_to = "a"', ""))
    assert ["library", "library"] == [each.at for each in ruleset.rules]

"""Sets of slices of the week, and sums over them."""

from hypothesis import given
from hypothesis import strategies as st

from node.governance.coverage import Population
from node.governance.rule_selection import applying, in_force
from node.governance.slices import SliceSums, TimeSlices, first_of, in_turn, mask_of, members_of, union
from tests.fakes.rule_files import rule, rules_of, village
from tests.fakes.rule_texts import RULESETS, rolls

SLICES = st.integers(0, 2**9 - 1)


@given(RULESETS, rolls())
def test_each_slice_has_the_rules_that_are_in_force_at_its_moment(ruleset, units):
    week = TimeSlices(ruleset.rules)
    for each in Population(ruleset, units).classes:
        selected = [ruleset.rules[index] for index in members_of(each.selecting)]
        slices = week.of_class(each.selecting)
        for number in members_of(week.all):
            minute, busy = week.moment(number)
            now = applying(selected, minute, busy=busy, node=week.node(number))
            assert {rule.id for rule in now} == names(ruleset, slices.applying, number)
            assert {rule.id for rule in in_force(now)} == names(ruleset, slices.in_force, number)


@given(RULESETS)
def test_while_the_clock_is_unknown_there_is_one_moment(ruleset):
    week, everyone = TimeSlices(ruleset.rules, "unknown"), mask_of(range(len(ruleset.rules)))
    for number, node in enumerate(("", *ruleset.nodes)):
        now = applying(ruleset.rules, None, busy=False, node=node)
        first = number * len(list(members_of(week.all))) // (len(ruleset.nodes) + 1)
        assert {rule.id for rule in in_force(now)} == names(ruleset, week.of_class(everyone).in_force, first)


def names(ruleset, slices, number) -> set[str]:
    return {ruleset.rules[index].id for index, each in slices.items() if each >> number & 1}


def test_a_slice_is_all_times_with_the_same_rules_and_a_busy_line_has_its_own():
    hours = rule("a", 'ceiling = "9 Mbit/s down, 9 Mbit/s up"\nwhen = "mon 08:00-16:00"')
    week = TimeSlices(rules_of(hours).rules)
    assert [(0, False), (480, False)] == [week.moment(n) for n in members_of(week.all)]
    busy = rule("b", 'ceiling = "8 Mbit/s down, 8 Mbit/s up"\nwhile = "busy"')
    rules = rules_of(hours, busy)
    week = TimeSlices(rules.rules)
    assert [(0, False), (0, True), (480, False), (480, True)] == [
        week.moment(n) for n in members_of(week.all)
    ]
    member = next(each for each in Population(rules, village()).classes if not each.is_guest)
    assert {0: 0b1100, 1: 0b1010} == week.of_class(member.selecting).in_force


@given(st.lists(st.tuples(SLICES, st.integers(0, 10_000))), st.lists(st.tuples(SLICES, st.integers(0, 900))))
def test_sums_are_those_of_adding_up_slice_by_slice(mine, theirs):
    def total(each, number):
        return sum(amount for slices, amount in each if slices >> number & 1)

    a, b = SliceSums(), SliceSums()
    for slices, amount in mine:
        a.add(slices, amount)
    for slices, amount in theirs:
        b.add(slices, amount)
    highest, twice = a.highest(b), SliceSums()
    twice.add_all(a, 3)
    twice.add_all(b)
    for number in range(9):
        assert total(mine, number) == a.at(number)
        assert max(total(mine, number), total(theirs, number)) == highest.at(number)
        assert 3 * total(mine, number) + total(theirs, number) == twice.at(number)
    sums = [total(mine, number) for number in range(9)]
    assert (max(sums), sums.index(max(sums))) == a.most(0b111111111)
    assert (max(sums[4:]), 4 + sums[4:].index(max(sums[4:]))) == a.most(0b111110000)


def test_of_several_in_turn_each_has_what_is_left():
    assert [("a", 0b0110), ("c", 0b1001)] == list(in_turn([("a", 0b0110), ("b", 0b0010), ("c", 0b1111)]))


def test_a_set_has_members_and_a_first_one():
    assert [1, 4] == list(members_of(0b10010))
    assert 0b10010 == mask_of([1, 4]) == union([0b10, 0b10000])
    assert 1 == first_of(0b10010)

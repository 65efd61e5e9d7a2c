"""The selectors that sentences use for some of all people."""

from hypothesis import given
from hypothesis import strategies as st

from node.governance.allowance import Unit
from node.governance.people import People
from node.governance.rule_selection import selects
from node.governance.rules import Who
from node.governance.value_syntax import SELECTORS_MAX
from node.units import AccountId
from tests.fakes.rule_files import rule, rules_of, village

RULES = rules_of(
    rule("a", "devices = 3", '["tier:service", "group:clinic"]'),
    rule("b", "devices = 4", '"everyone"\nexcept = "group:school"'),
)
PEOPLE = People(RULES, RULES, village())
SCHOOL, CLINIC = frozenset({"school"}), frozenset({"clinic"})
GUEST, MEMBER = frozenset({"guest"}), frozenset({"member"})


def number(tier: str, *groups: str) -> int:
    return [(kind.unit.tier, kind.unit.groups) for kind in PEOPLE.kinds].index((tier, frozenset(groups)))


def test_people_of_the_directory_are_counted_and_others_are_those_that_rules_name():
    counts = {(kind.unit.tier, kind.unit.groups): len(kind.accounts) for kind in PEOPLE.kinds}
    assert 40 == counts["member", frozenset()]
    assert 1 == counts["member", SCHOOL]
    for tier, groups in (
        ("guest", frozenset()),
        ("guest", CLINIC),
        ("guest", SCHOOL),
        ("service", frozenset()),
    ):
        assert 0 == counts[tier, groups]
    assert PEOPLE.kinds[number("guest")].exists
    assert not PEOPLE.kinds[number("guest", "clinic")].exists


def test_people_are_named_by_the_shortest_selector():
    every = frozenset(range(len(PEOPLE.kinds)))
    schools = {number("member", "school"), number("guest", "school")}
    for chosen, who in (
        (every, Who(everyone=True)),
        (every - schools, Who(everyone=True, excluded_groups=SCHOOL)),
        (frozenset({number("service")}), Who(tiers=frozenset({"service"}))),
        (frozenset(schools), Who(groups=SCHOOL)),
        (frozenset({number("guest", "school")}), Who(groups=SCHOOL, excluded_tiers=MEMBER)),
    ):
        assert who == PEOPLE.group(chosen, is_shared=False).who


def test_what_guests_have_all_together_is_said_of_a_group_without_leaving_them_out():
    chosen = frozenset({number("member", "school")})
    assert Who(groups=SCHOOL, excluded_tiers=GUEST) == PEOPLE.group(chosen, is_shared=False).who
    assert Who(groups=SCHOOL) == PEOPLE.group(chosen, is_shared=True).who


@given(st.frozensets(st.integers(0, len(PEOPLE.kinds) - 1), min_size=1))
def test_a_selector_is_exact_for_the_people_there_are(chosen):
    group = PEOPLE.group(chosen, is_shared=False)
    real = {each for each, kind in enumerate(PEOPLE.kinds) if kind.exists}
    assert group.combinations
    if group.who is None:
        return
    selected = {
        each for each, kind in enumerate(PEOPLE.kinds) if selects(group.who, kind.unit.tier, kind.unit.groups)
    }
    assert selected == chosen or (chosen & real and selected & real == chosen & real)


def test_people_without_a_selector_are_named_by_their_combinations():
    nobody = rules_of()
    units = tuple(
        Unit(AccountId(str(n)), "member", frozenset(groups)) for n, groups in enumerate(("", "a", "b", "ab"))
    )
    people = People(nobody, nobody, units)
    numbers = {kind.unit.groups: each for each, kind in enumerate(people.kinds) if kind.unit.tier == "member"}
    group = people.group(frozenset({numbers[frozenset()], numbers[frozenset("ab")]}), is_shared=False)
    assert group.who is None
    assert (("member", frozenset()), ("member", frozenset("ab"))) == group.combinations


def test_a_selector_has_no_more_names_than_a_rule_can_have():
    nobody = rules_of()
    units = [Unit(AccountId(f"a{n}"), "member", frozenset({f"g{n}"})) for n in range(SELECTORS_MAX + 1)]
    people = People(nobody, nobody, units)
    numbers = [each for each, kind in enumerate(people.kinds) if kind.accounts]
    assert people.group(frozenset(numbers[:-1]), is_shared=False).who is not None
    # Neither all these groups can be named, nor all others be left out.
    units += [Unit(AccountId(f"b{n}"), "member", frozenset({f"h{n}"})) for n in range(SELECTORS_MAX + 1)]
    people = People(nobody, nobody, units)
    numbers = [each for each, kind in enumerate(people.kinds) if "g" in "".join(kind.unit.groups)]
    group = people.group(frozenset(numbers), is_shared=False)
    assert group.who is None
    assert SELECTORS_MAX + 1 == len(group.combinations)

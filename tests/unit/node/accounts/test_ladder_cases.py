"""Cases of ladders in the account registry: one open case an account, objections to it, export, erasure, restart."""

from dataclasses import replace

import pytest

from node.accounts.auth_result import Rejected
from node.accounts.ladder_cases import LadderCaseGone, LadderCases
from node.accounts.objections import OBJECTIONS_OPEN_MAX
from node.accounts.personal_data import erase, own_rows
from node.governance.ladder_case import HOUR_MS, LadderCase, Lifted
from node.units import AccountId, Monotonic, Now
from tests.fakes.registry_fixture import PHONE, RegistryFixture, at, guest_account

ANA = guest_account(PHONE)
GROUP = "ladder:big-users:2"
SAID = "share 50 for 7 days"
OPENED_S = 1_795_000_000


def case(number: int = 1, account: AccountId = ANA) -> LadderCase:
    return LadderCase(
        number, account, "big-users", 2, SAID, 7, "much", "admin Pere", OPENED_S, at().boot, at().now
    )


def later(hours: int) -> Now:
    return Now(Monotonic(at().now + hours * HOUR_MS), at().boot, OPENED_S + hours * 3_600, "2026-11-30")


@pytest.fixture
def town() -> RegistryFixture:
    return RegistryFixture()


def test_an_account_is_in_the_group_of_its_step_while_the_step_holds_and_the_rules_still_have_it():
    cases, steps = LadderCases(), {GROUP: SAID}
    cases.put(case())
    assert [None, GROUP, None] == [cases.group_of(ANA, later(hours), 7, steps) for hours in (1, 30, 200)]
    assert cases.group_of(AccountId("ben"), later(30), 7, steps) is None
    for other in ({}, {GROUP: "share 20 for 7 days"}):
        assert cases.group_of(ANA, later(30), 7, other) is None


def test_a_case_that_ended_is_kept_and_no_longer_open():
    cases = LadderCases()
    cases.put(case())
    (lifted,) = cases.handle(case(), Lifted("admin Ana"), later(3))
    assert (None, (lifted,), 2) == (cases.open_of(ANA), cases.of(ANA), cases.next_number)
    assert () == cases.handle(lifted, Lifted("admin Ana"), later(3))
    assert (LadderCaseGone(1),) == cases.forget([1, 7])
    assert 0 == len(cases)


@pytest.mark.parametrize(
    ("hours", "steps", "ending"),
    [
        (30, {GROUP: SAID}, None),
        (200, {GROUP: SAID}, "over"),
        (30, {}, "removed"),
        (30, {GROUP: "tell"}, "removed"),
    ],
)
def test_all_that_is_due_ends_together_and_once(hours, steps, ending):
    cases = LadderCases()
    for number, account in enumerate((ANA, AccountId("ben")), start=1):
        cases.put(case(number, account))
    ended = cases.check(later(hours), 7, steps)
    assert ([ending] * 2 if ending else []) == [each.ending for each in ended]
    assert (0 if ending else 2) == len(cases.all_open())
    assert () == cases.check(later(hours), 7, steps)


def test_an_objection_to_the_step_suspends_it_even_beside_as_many_others_as_are_allowed(town):
    registry = town.registry
    registry.ladder_cases.put(case())
    for _ in range(OBJECTIONS_OPEN_MAX):
        town.keep(registry.add_objection(ANA, "busy-top", "no", at()))
    assert Rejected("too-many-open") == registry.add_objection(ANA, "busy-top", "no", at())
    objection, suspended = registry.add_objection(ANA, GROUP, "It was a backup", later(30))
    assert (objection.number, True) == (suspended.objection, suspended.is_suspended)
    assert Rejected("too-many-open") == registry.add_objection(ANA, GROUP, "again", later(31))
    answered, resumed = registry.answer_objection(objection.number, "It stays", later(40))
    assert ("It stays", False) == (answered.answer, resumed.is_suspended)
    assert registry.ladder_cases.open_of(ANA) == resumed


def test_an_objection_to_another_step_or_of_another_account_suspends_nothing(town):
    registry = town.registry
    registry.ladder_cases.put(case())
    for account, rule in ((ANA, "ladder:big-users:3"), (ANA, "busy-top"), (AccountId("ben"), GROUP)):
        (objection,) = registry.add_objection(account, rule, "no", at())
        assert [objection.number] == [
            each.number for each in registry.answer_objection(objection.number, "x", at())
        ]
    assert registry.ladder_cases.open_of(ANA) == case()
    assert () == registry.answer_objection(99, "x", at())


@pytest.mark.parametrize(("account", "rule"), [(AccountId("ben"), GROUP), (ANA, "busy-top")])
def test_another_objection_with_the_number_of_one_that_was_lost_is_not_taken_for_it(town, account, rule):
    registry = town.registry
    suspended = replace(case(), objection=1)
    registry.ladder_cases.put(suspended)  # restored without the objection, of which the journal has nothing
    (other,) = registry.add_objection(account, rule, "I am ill", at())
    assert (1, None) == (other.number, registry.objection_of(suspended))
    registry.answer_objection(1, "Get well", at())
    assert registry.ladder_cases.open_of(ANA) == suspended, "nobody answered the objection to the step"


def test_cases_come_back_after_a_restart_with_the_time_that_the_node_ran(town):
    ended = replace(case(2), ending="over", ended_s=OPENED_S)
    cases, booted = LadderCases(), replace(later(0), boot="another", now=Monotonic(100))
    rows = cases.take([case(), ended], booted, Monotonic(at().now + 5 * HOUR_MS))
    assert [5 * HOUR_MS] == [row.ran_ms for row in rows]
    assert (rows[0], 3) == (cases.open_of(ANA), cases.next_number)
    assert () == LadderCases().take([case()], later(3), None)


def test_cases_are_in_the_export_and_erased_with_the_person(town):
    registry = town.registry
    registry.ladder_cases.put(case())
    registry.ladder_cases.put(case(2, AccountId("ben")))
    (row,) = own_rows(registry, ANA, PHONE, at())["ladder_cases"]
    assert ("much", "admin Pere", SAID) == (row["reason"], row["by"], row["said"])
    assert LadderCaseGone(1) in erase(registry, ANA, PHONE, at())
    assert [2] == [each.number for each in registry.ladder_cases.all()]

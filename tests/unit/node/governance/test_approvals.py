"""How many admins must approve rules."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.governance.approvals import (
    EMERGENCY_APPROVALS,
    approvals_needed,
    approver,
    missing_approvals,
    new_minutes,
)
from node.governance.parse import parse_ruleset
from node.governance.rules import Ruleset

HEAD = '[ruleset]\ncommunity = "Vall Alta"\nversion = 1\ndecision = "D-1"\n'
ORDER = """
[[rule]]
id = "flood"
ceiling = "1 Mbit/s down, 1 Mbit/s up"
who = "everyone"
emergency = true
from = "2026-12-01"
expires = "2026-12-03"
by = "D-9"
"""


def rules(approvals: int = 1, of_charter: int = 0, rest: str = "", charter: str = "") -> Ruleset:
    lines = f"approvals = {approvals}\n" + (f"charter_approvals = {of_charter}\n" if of_charter else "")
    ruleset, findings = parse_ruleset(f"{HEAD}\n[charter]\n{lines}{charter}{rest}")
    assert ruleset is not None, findings
    return ruleset


@given(st.integers(1, 10), st.integers(1, 10))
def test_the_charter_in_force_says_it_not_the_one_that_is_proposed(now: int, wanted: int) -> None:
    assert now == approvals_needed(rules(now), rules(now, rest=ORDER.replace("emergency = true\n", "")))
    assert now == approvals_needed(rules(now), rules(wanted)), "also to change how many it is"


@given(st.integers(1, 5), st.integers(0, 5))
def test_the_charter_can_need_more_and_never_fewer(now: int, more: int) -> None:
    before = rules(now, now + more)
    assert now + more == approvals_needed(before, rules(now, now + more, charter="max_weight_ratio = 2\n"))
    assert now == approvals_needed(before, before)


@given(st.integers(1, 10), st.integers(1, 10))
def test_one_admin_goes_back_to_the_rules_before_unless_the_charter_changed_since(
    now: int, before: int
) -> None:
    confirmed, earlier = rules(now, rest=ORDER), rules(before)
    assert (1 if now == before else now) == approvals_needed(confirmed, earlier, is_return=True)


def test_a_charter_that_is_easier_to_change_than_rules_is_refused() -> None:
    ruleset, (finding,) = parse_ruleset(f"{HEAD}\n[charter]\napprovals = 3\ncharter_approvals = 2\n")
    assert (None, "E01", 8) == (ruleset, finding.code, finding.line)
    assert "charter_approvals = 3" in finding.fix


def test_an_emergency_order_needs_two_admins_and_its_end_needs_no_second() -> None:
    calm, order = rules(), rules(rest=ORDER)
    assert EMERGENCY_APPROVALS == approvals_needed(calm, order)
    assert 1 == approvals_needed(order, calm)
    assert 1 == approvals_needed(order, rules(rest=f"\n# the same, further down\n{ORDER}"))
    assert EMERGENCY_APPROVALS == approvals_needed(
        order, rules(rest=ORDER.replace("1 Mbit/s up", "2 Mbit/s up"))
    )
    assert 3 == approvals_needed(rules(3), rules(3, rest=ORDER))


@given(st.text(max_size=20))
def test_spaces_and_capitals_make_no_second_admin(name: str) -> None:
    label, others = f"admin {name}", (f" ADMIN  {name} ", f"admin {name.casefold()}")
    assert all(approver(label) == approver(other) for other in others)
    assert missing_approvals((label, *others), 2) >= 1


def test_an_admin_without_a_name_is_nobody_unless_one_decides() -> None:
    assert (0, 2, 1, 0) == (
        missing_approvals(("admin",), 1),
        missing_approvals(("admin",), 2),
        missing_approvals(("admin", "admin Ana", "admin ana"), 2),
        missing_approvals(("admin Ana", "admin Ben", "admin Cora"), 2),
    )


MINUTES = """
[decisions."{decision}"]
day = "2026-03-08"
present = {present}
yes = 27
no = 2
signers = ["Ana Pons", "Ben Riu"]
"""


def minuted(
    attested_by: int, *decisions: str, present: int = 31, approvals: int = 1, of_charter: int = 0
) -> Ruleset:
    rest = "".join(MINUTES.format(decision=each, present=present) for each in decisions)
    return rules(approvals, of_charter, rest=rest, charter=f"minutes_attested_by = {attested_by}\n")


@given(st.integers(1, 10), st.integers(1, 10), st.sets(st.sampled_from(["D-1", "D-2", "D-3"])), st.booleans())
def test_new_minutes_need_as_many_admins_as_the_charter_in_force_says(
    attested_by: int, approvals: int, more: set[str], is_changed: bool
) -> None:
    confirmed = minuted(attested_by, "D-1", approvals=approvals)
    held = sorted({"D-1", *more})
    proposed = minuted(attested_by, *held, present=32 if is_changed else 31, approvals=approvals)
    new = new_minutes(confirmed, proposed)
    assert [each for each in held if is_changed or each != "D-1"] == [each.decision for each in new]
    assert (max(approvals, attested_by) if new else approvals) == approvals_needed(confirmed, proposed)
    assert approvals == approvals_needed(proposed, minuted(attested_by, approvals=approvals)), "taken out"


@given(st.integers(1, 10), st.integers(1, 10))
def test_fewer_who_attest_minutes_need_as_many_as_attest_them(now: int, then: int) -> None:
    before, after = minuted(now), minuted(then, "D-1")
    assert now == approvals_needed(before, after)
    assert (now if then < now else 1) == approvals_needed(before, minuted(then))


def test_minutes_further_down_in_the_file_are_the_same() -> None:
    confirmed = minuted(3, "D-1")
    moved = rules(
        rest="\n\n# a comment\n" + MINUTES.format(decision="D-1", present=31),
        charter="minutes_attested_by = 3\n",
    )
    assert () == new_minutes(confirmed, moved)
    assert 1 == approvals_needed(confirmed, moved)


@pytest.mark.parametrize("value", ["0", "11", '"2"', "true"])
def test_a_number_of_admins_that_cannot_be_is_refused(value: str) -> None:
    ruleset, (finding,) = parse_ruleset(f"{HEAD}\n[charter]\nminutes_attested_by = {value}\n")
    assert (None, "E01", 7) == (ruleset, finding.code, finding.line)

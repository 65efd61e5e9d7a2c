"""W22: more admins must approve than there are. W23: new minutes have to be attested."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.governance.admin_findings import minutes_to_attest, too_few_admins
from node.governance.parse import parse_ruleset
from node.governance.rules import Ruleset
from tests.fakes.admin_pages import RULES
from tests.fakes.rule_files import MINUTES


def ruleset(approvals: int, of_charter: int) -> Ruleset:
    text = f"{RULES}\n[charter]\napprovals = {approvals}\ncharter_approvals = {of_charter}\n"
    found, findings = parse_ruleset(text)
    assert found is not None, findings
    return found


@pytest.mark.parametrize(
    ("approvals", "of_charter", "admins", "key"),
    [
        (2, 2, 1, "approvals"),
        (1, 3, 2, "charter_approvals"),
        (2, 3, 3, ""),
        (2, 2, 0, "approvals"),
        (1, 1, 0, ""),
    ],
)
def test_it_names_what_nobody_could_reach(approvals: int, of_charter: int, admins: int, key: str) -> None:
    found = list(too_few_admins(ruleset(approvals, of_charter), admins))
    assert ([f"lower {key}"] if key else []) == [each.fix.rpartition(", or ")[2] for each in found]
    assert all(("W22", False) == (each.code, each.is_error) for each in found)


@given(st.integers(1, 10), st.integers(0, 9), st.integers(0, 12))
def test_it_is_silent_exactly_if_there_are_enough(approvals: int, more: int, admins: int) -> None:
    of_charter = min(10, approvals + more)
    is_reachable = of_charter <= max(1, admins)
    assert is_reachable == (not list(too_few_admins(ruleset(approvals, of_charter), admins)))


def attested(admins: int, rest: str = "") -> Ruleset:
    found, findings = parse_ruleset(f"{RULES}\n[charter]\nminutes_attested_by = {admins}\n{rest}")
    assert found is not None, findings
    return found


@pytest.mark.parametrize(("needed", "admins"), [(2, 1), (2, 0), (3, 2), (2, 2), (1, 0)])
def test_minutes_that_nobody_could_attest_are_warned_of(needed: int, admins: int) -> None:
    found = list(too_few_admins(attested(needed), admins))
    assert (needed > max(1, admins)) == bool(found)
    assert all("nobody could attest new minutes" in each.message for each in found)


def test_new_minutes_are_said_to_need_others_unless_one_admin_is_enough() -> None:
    (found,) = minutes_to_attest(attested(2), attested(2, MINUTES))
    assert ("W23", False, attested(2, MINUTES).minutes[0].line) == (found.code, found.is_error, found.line)
    assert "The minutes of D-9 are new: they count when 2 different admins" in found.message
    assert [] == list(minutes_to_attest(attested(2, MINUTES), attested(2, MINUTES)))
    assert [] == list(minutes_to_attest(attested(1), attested(2, MINUTES)))

"""W22: more admins must approve than there are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.governance.admin_findings import too_few_admins
from node.governance.parse import parse_ruleset
from node.governance.rules import Ruleset
from tests.fakes.admin_pages import RULES


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

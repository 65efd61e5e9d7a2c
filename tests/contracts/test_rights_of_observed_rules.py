"""Rules that are only observed change nothing in the kernel, and nothing that people read."""

from dataclasses import replace

from hypothesis import assume, given
from hypothesis import strategies as st

from node.governance.explanation import explain
from tests.contracts.test_rights import FEW, WAYS, tree
from tests.fakes.communities import ACCEPTED, CALENDAR, Community, effective_policy_of, is_accepted, plan_of


def observed_or_removed(rules: str, chosen: frozenset[int]) -> tuple[str, str]:
    """The file with the chosen rules only observed, together with all that replace them, and without these rules."""
    head, *tables = rules.removesuffix(CALENDAR).split("[[rule]]\n")
    ids: set[str] = set()
    observing, without = head, head
    for number, table in enumerate(tables):
        name, replaced = table.split('"')[1], table.partition('exception_to = "')[2].partition('"')[0]
        if number in chosen or replaced in ids:
            ids.add(name)
            observing += f"[[rule]]\nobserve = true\n{table}"
        else:
            observing += f"[[rule]]\n{table}"
            without += f"[[rule]]\n{table}"
    return observing + CALENDAR, without + CALENDAR


@FEW
@given(ACCEPTED, st.frozensets(st.integers(0, 9), min_size=1, max_size=4))
def test_a_rule_that_is_only_observed_is_in_nothing_that_reaches_the_kernel(
    community: Community, chosen: frozenset[int]
) -> None:
    observing, without = (
        replace(community, rules=each) for each in observed_or_removed(community.rules, chosen)
    )
    assume(is_accepted(observing) and is_accepted(without))
    standing, other = effective_policy_of(observing), effective_policy_of(without)
    assert "observe = true" not in observing.rules or standing.active_ruleset.ruleset.observed
    assert standing.allowances == other.allowances
    assert plan_of(standing) == plan_of(other)
    for upwards in WAYS:
        assert tree(standing, upwards=upwards) == tree(other, upwards=upwards)
    moment = standing.moment()
    for account in standing.session_table.accounts_here():
        told, expected = standing.allowance_at(account, moment), other.allowance_at(account, moment)
        assert explain(told) == explain(expected)

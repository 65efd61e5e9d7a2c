"""What a test of everybody in a rule file proves holds in the kernel's classes."""

from collections.abc import Callable
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from node.enforcement.htb_classes import HtbClass
from tests.contracts.test_rights import FEW, tree
from tests.fakes.communities import ACCEPTED, Community, effective_policy_of, is_accepted


@FEW
@given(ACCEPTED, st.sampled_from([64, 100, 256, 300]), st.sampled_from([300, 1_000, 4_000]))
def test_what_a_test_of_everyone_proves_is_so_in_the_kernels_classes(
    community: Community, least: int, most: int
) -> None:
    tests: dict[str, Callable[[HtbClass, int], bool]] = {
        f"floor down >= {least} kbit/s": lambda htb, _: htb.rate >= least * 1_000,
        "ceiling = none": lambda htb, line: htb.ceil == line,
        f"ceiling down <= {most} kbit/s": lambda htb, _: htb.ceil <= most * 1_000,
    }
    for expect, holds in tests.items():
        load = "everyone busy" if community.busy else "alone"
        proof = f'[[test]]\ngiven = "everyone, always, {load}"\nexpect = "{expect}"\n'
        proven = replace(community, rules=community.rules + proof, clock="synced", heavy=frozenset())
        if not is_accepted(proven):
            continue
        standing = effective_policy_of(proven)
        shaped, classes = standing.active_ruleset.ruleset.shaped, tree(standing, upwards=False)
        for account in standing.session_table.accounts_here():
            htb = classes.get(standing.session_table.minors[account])
            if htb is not None and shaped is not None and standing.allowances[account].pool is None:
                assert holds(htb, shaped.down), (account, expect)

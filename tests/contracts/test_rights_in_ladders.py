"""Steps of a ladder in the kernel's classes: nobody loses the lifeline, and nobody has more than before."""

from dataclasses import replace

from hypothesis import assume, given
from hypothesis import strategies as st

from node.governance.ladder_case import DAY_MS, DAY_S, CaseOpened, open_case
from node.units import Monotonic, Now
from tests.contracts.test_rights import FEW, WAYS, everybody_has_theirs, the_tree_holds, tree, way
from tests.fakes.communities import ACCEPTED, Community, effective_policy_of, is_accepted

LADDER = """
[[ladder]]
id = "l"
by = "D-1"
who = "everyone"
steps = ["tell", "share {0} for 9 days", "ceiling {1} for 9 days"]
"""


@FEW
@given(
    ACCEPTED,
    st.sampled_from([1, 20, 50]),
    st.sampled_from(["300 kbit/s", "600 kbit/s down, 150 kbit/s up", "2 Mbit/s"]),
    st.lists(st.sampled_from([0, 1, 2, 3]), min_size=16, max_size=16),
)
def test_no_step_of_a_ladder_takes_the_lifeline_from_the_kernels_classes_and_none_gives_more(
    community: Community, share: int, ceiling: str, steps: list[int]
) -> None:
    laddered = replace(community, rules=community.rules + LADDER.format(share, ceiling), clock="synced")
    assume(is_accepted(laddered))
    before, standing = effective_policy_of(replace(community, clock="synced")), effective_policy_of(laddered)
    ladder = standing.active_ruleset.ruleset.ladders[0]
    accounts = sorted(standing.session_table.accounts_here())
    for number, (account, step) in enumerate(zip(accounts, steps, strict=False), start=1):
        if step:
            opened = CaseOpened(account, ladder, step, "", "admin")
            opened_s = int(standing.moment().at.timestamp()) - 2 * DAY_S
            begun = Monotonic(standing._clock.monotonic() - 2 * DAY_MS)
            case = open_case(number, opened, Now(begun, standing._clock.boot, opened_s, ""))
            standing._registry.ladder_cases.put(case)
    standing.evaluate_all()
    for upwards in WAYS:
        classes = tree(standing, upwards=upwards)
        shaped = standing.active_ruleset.ruleset.shaped
        the_tree_holds(classes, None if shaped is None else way(shaped, upwards))
        everybody_has_theirs(standing, classes, upwards=upwards)
    for account, step in zip(accounts, steps, strict=False):
        old, new = before.allowances[account], standing.allowances[account]
        assert new.share.value <= old.share.value
        assert new.weight_in_pool <= old.weight_in_pool
        if step == 3:
            assert new.ceiling is not None
        assert (f"ladder:l:{step}" in standing.unit(account, standing.moment()).groups) == (step > 1)
        if not step:
            assert (new.share.value, new.floor.value) == (old.share.value, old.floor.value)

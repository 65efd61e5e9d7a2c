"""From a rule file to the classes that the kernel is given: nobody is under the lifeline, on any level of the tree."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from node.enforcement.shares import UPLINK_MINOR, HtbClass, htb_classes
from node.governance.rules import GUEST_TIER
from node.reconcile.standing import Standing
from node.units import Rates
from tests.fakes.communities import (
    ACCEPTED,
    TIERS,
    Community,
    guest_lifeline_of,
    lifeline_of,
    plan_of,
    standing_of,
)

WAYS = (False, True)
MANY = settings(max_examples=1_000, deadline=None, suppress_health_check=list(HealthCheck))
FEW = settings(deadline=None, suppress_health_check=list(HealthCheck))


def way(rates: Rates, upwards: bool) -> int:
    return rates.up if upwards else rates.down


def tree(standing: Standing, *, upwards: bool) -> dict[int, HtbClass]:
    plan = plan_of(standing)
    return htb_classes(plan.classes, plan.uplink, upwards=upwards)


def the_tree_holds(classes: dict[int, HtbClass], line: int | None) -> None:
    """What children are guaranteed fits into what their parent is, on every level up to the line."""
    if line is not None:
        assert line == classes[UPLINK_MINOR].rate == classes[UPLINK_MINOR].ceil
    for minor, htb in classes.items():
        children = [each for each in classes.values() if each.parent_minor == minor]
        assert sum(child.rate for child in children) <= htb.rate, (minor, children)
        assert htb.rate <= htb.ceil
        assert htb.is_leaf == (not children) or minor == UPLINK_MINOR
        assert htb.parent_minor is None or htb.parent_minor in classes


def everybody_has_theirs(standing: Standing, classes: dict[int, HtbClass], *, upwards: bool) -> None:
    """Each household's own class, and all guests together in theirs, are guaranteed the lifeline; while no speed of
    the line is stated nothing can be guaranteed, but no ceiling is under it."""
    ruleset = standing.rulebook.ruleset
    own, theirs = way(lifeline_of(ruleset), upwards), way(guest_lifeline_of(ruleset), upwards)
    guests: set[int] = set()
    for account in standing.presence.accounts_here():
        htb = classes.get(standing.presence.minors[account])
        if standing.unit(account).tier == GUEST_TIER:
            if htb is not None:
                guests.add(htb.parent_minor or 0)
                assert htb.ceil >= (32_000 if upwards else 64_000)
            continue
        if htb is None:
            assert ruleset.shaped is None
            continue
        assert htb.ceil >= own, account
        assert htb.rate >= own or ruleset.shaped is None, account
    assert len(guests) <= 1, "all guests are in one pool"
    for minor in guests - {0}:
        assert classes[minor].ceil >= theirs
        assert classes[minor].rate >= theirs or ruleset.shaped is None


def nobody_is_under_the_lifeline(community: Community) -> None:
    standing = standing_of(community)
    shaped = standing.rulebook.ruleset.shaped
    for upwards in WAYS:
        classes = tree(standing, upwards=upwards)
        the_tree_holds(classes, None if shaped is None else way(shaped, upwards))
        everybody_has_theirs(standing, classes, upwards=upwards)
    assert standing.kept().lifelines_permille == 1000


@FEW
@given(ACCEPTED)
def test_no_accepted_file_leaves_anybody_under_the_lifeline(community: Community) -> None:
    nobody_is_under_the_lifeline(community)


@pytest.mark.slow
@pytest.mark.parametrize("thousand", range(10))
@MANY
@given(community=ACCEPTED)
def test_no_accepted_file_of_ten_thousand_leaves_anybody_under_the_lifeline(
    community: Community, thousand: int
) -> None:
    """In parts, because what was tried is remembered."""
    nobody_is_under_the_lifeline(community)


JOINED = '[[account]]\nid = "late-{0}"\ntier = "{1}"\ndevices = ["02:00:00:00:04:{0:02x}"]\n'


@FEW
@given(ACCEPTED, st.lists(st.sampled_from(TIERS), min_size=1, max_size=40))
def test_whoever_joins_later_everybody_has_the_lifeline_or_the_same_part_of_it(
    community: Community, joined: list[str]
) -> None:
    """Rules were adopted before; more lifelines than the line has shrink alike, and the node says by how much."""
    members = community.members + "".join(JOINED.format(n, tier) for n, tier in enumerate(joined))
    standing = standing_of(community, members)
    ruleset = standing.rulebook.ruleset
    for upwards in WAYS:
        classes = tree(standing, upwards=upwards)
        the_tree_holds(classes, None if ruleset.shaped is None else way(ruleset.shaped, upwards))
        if ruleset.shaped is None:
            continue
        own, line = way(lifeline_of(ruleset), upwards), way(ruleset.shaped, upwards)
        households = [a for a in standing.presence.accounts_here() if standing.unit(a).tier != GUEST_TIER]
        has_guests = len(households) < len(standing.presence.accounts_here())
        due = own * len(households) + way(guest_lifeline_of(ruleset), upwards) * has_guests
        # In each pool a bit a second may be lost to whole numbers.
        least = min(own, own * line // due - 2)
        assert all(classes[standing.presence.minors[account]].rate >= least for account in households)
        if due > line:
            assert standing.kept().lifelines_permille <= line * 1000 // due

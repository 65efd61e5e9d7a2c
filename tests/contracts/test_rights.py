"""From a rule file to the kernel's classes: nobody gets less than the lifeline, on any level of the tree."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from node.control.effective_policy import EffectivePolicy
from node.enforcement.htb_classes import UPLINK_MINOR, HtbClass, htb_classes
from node.governance.rules import GUEST_TIER, control_reserve
from node.sessions.traffic_classes import pool_account
from node.units import AccountId, BitsPerSecond, Rates
from tests.fakes.communities import (
    ACCEPTED,
    TIERS,
    Community,
    effective_policy_of,
    guest_lifeline_of,
    lifeline_of,
    plan_of,
)

WAYS = (False, True)
MANY = settings(max_examples=1_000, deadline=None, suppress_health_check=list(HealthCheck))
FEW = settings(deadline=None, suppress_health_check=list(HealthCheck))


def way(rates: Rates, upwards: bool) -> int:
    return rates.up if upwards else rates.down


def tree(standing: EffectivePolicy, *, upwards: bool) -> dict[int, HtbClass]:
    plan = plan_of(standing)
    return htb_classes(plan.classes, plan.uplink, upwards=upwards)


def the_tree_holds(classes: dict[int, HtbClass], line: int | None) -> None:
    """The guaranteed rates of children fit into their parent's, on every level up to the uplink."""
    if line is not None:
        assert line == classes[UPLINK_MINOR].rate == classes[UPLINK_MINOR].ceil
    for minor, htb in classes.items():
        children = [each for each in classes.values() if each.parent_minor == minor]
        assert sum(child.rate for child in children) <= htb.rate, (minor, children)
        assert htb.rate <= htb.ceil
        assert htb.is_leaf == (not children) or minor == UPLINK_MINOR
        assert htb.parent_minor is None or htb.parent_minor in classes


def pool_of(htb: HtbClass, classes: dict[int, HtbClass]) -> int | None:
    """The class above it, and above that of its burst."""
    return htb.parent_minor if htb.peak is None else classes[htb.parent_minor or 0].parent_minor


def everybody_has_theirs(standing: EffectivePolicy, classes: dict[int, HtbClass], *, upwards: bool) -> None:
    """Each household's own class, and the class of all guests, are guaranteed the lifeline; with an unknown
    uplink speed nothing is guaranteed, but no ceiling is below it.
    """
    ruleset = standing.active_ruleset.ruleset
    own, theirs = way(lifeline_of(ruleset), upwards), way(guest_lifeline_of(ruleset), upwards)
    guests: set[int] = set()
    for account in standing.session_table.accounts_here():
        htb = classes.get(standing.session_table.minors[account])
        if standing.unit(account).tier == GUEST_TIER:
            if htb is not None:
                guests.add(pool_of(htb, classes) or 0)
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
    standing = effective_policy_of(community)
    shaped = standing.active_ruleset.ruleset.shaped
    for upwards in WAYS:
        classes = tree(standing, upwards=upwards)
        the_tree_holds(classes, None if shaped is None else way(shaped, upwards))
        everybody_has_theirs(standing, classes, upwards=upwards)
    assert standing.kept().lifelines_permille == 1000


@FEW
@given(ACCEPTED)
def test_no_accepted_file_leaves_anybody_below_the_lifeline(community: Community) -> None:
    nobody_is_under_the_lifeline(community)


@FEW
@given(ACCEPTED, st.lists(st.sampled_from([0, 10_000, 500_000, 5_000_000]), min_size=16, max_size=16))
def test_what_each_could_have_now_is_within_line_and_ceiling_and_not_below_the_lifeline(
    community: Community, used: list[int]
) -> None:
    standing = effective_policy_of(community)
    here = sorted(standing.session_table.accounts_here())
    plan_of(standing)
    shaped = standing.active_ruleset.ruleset.shaped
    standing.take_rates(
        {
            account: Rates(BitsPerSecond(each), BitsPerSecond(each))
            for account, each in zip(here, used, strict=False)
            if each
        }
    )
    for account in here:
        could_have, allowance = standing.present_share(account), standing.allowances[account]
        if could_have is None:
            assert shaped is None
            continue
        assert shaped is not None
        for upwards in WAYS:
            share = way(could_have, upwards)
            top = way(shaped, upwards)
            if allowance.ceiling is not None:
                top = min(top, way(allowance.ceiling.value, upwards))
            assert share <= top
            is_household = standing.unit(account).tier != GUEST_TIER
            assert share >= way(lifeline_of(standing.active_ruleset.ruleset), upwards) * is_household


def test_a_rule_for_one_node_reaches_the_kernels_classes_there_and_nowhere_else() -> None:
    rule = '[[rule]]\nid = "t"\nby = "D"\nwho = "tier:member"\nceiling = "2 Mbit/s down, 1 Mbit/s up"\nat = "node:mill"\n'
    head = '[ruleset]\ncommunity = "c"\nversion = 1\ndecision = "D-1"\n[uplink.main]\ndown = "10 Mbit/s"\nup = "10 Mbit/s"\n'
    members = '[[account]]\nid = "a0"\ndevices = ["02:00:00:00:01:00"]\n'
    community = Community(head + rule, members, ("a0",), 0, (), frozenset(), 0, "synced")
    for node, most in (("mill", 2_000_000), ("library", 8_500_000), ("", 8_500_000)):
        standing = effective_policy_of(replace(community, node=node))
        ana = tree(standing, upwards=False)[standing.session_table.minors[AccountId("a0")]]
        assert most == ana.ceil, node


def test_a_reserve_is_guaranteed_to_its_pool_and_the_whole_line_is_lent_to_others() -> None:
    head = '[ruleset]\ncommunity = "c"\nversion = 1\ndecision = "D-1"\n[uplink.main]\ndown = "10 Mbit/s"\nup = "10 Mbit/s"\n'
    share = '[[rule]]\nid = "s"\nby = "D-1"\nwho = "group:clinic"\nshare = 100\ntogether = true\n'
    reserve = share.replace("share = 100", 'reserve = "20 percent"').replace('"s"', '"r"')
    members = "".join(
        f'[[account]]\nid = "a{n}"\ndevices = ["02:00:00:00:01:0{n}"]\ngroups = {groups}\n'
        for n, groups in enumerate(('["clinic"]', "[]"))
    )
    community = Community(head + share + reserve, members, ("a0", "a1"), 0, (), frozenset(), 0, "synced")
    standing = effective_policy_of(community)
    classes, minors = tree(standing, upwards=False), standing.session_table.minors
    clinic, other = classes[minors[AccountId("a0")]], classes[minors[AccountId("a1")]]
    assert classes[clinic.parent_minor or 0].rate >= 1_700_000
    assert 8_500_000 == other.ceil


@pytest.mark.slow
@pytest.mark.parametrize("thousand", range(10))
@MANY
@given(community=ACCEPTED)
def test_no_accepted_file_of_ten_thousand_leaves_anybody_below_the_lifeline(
    community: Community, thousand: int
) -> None:
    """Split into parts, because hypothesis keeps all examples of a run in memory."""
    nobody_is_under_the_lifeline(community)


def told_floors(standing: EffectivePolicy, *, upwards: bool) -> list[int]:
    """Guaranteed rates as shown to people who are online: one for each household, one for each pool of guests."""
    own: list[int] = []
    pools: dict[str, int] = {}
    for account in standing.session_table.accounts_here():
        told = standing.allowance_at(account, standing.moment())
        if told.pool is not None and told.own_floor is None:
            pools[told.pool] = way(told.floor.value, upwards)
        else:
            own.append(way((told.own_floor or told.floor).value, upwards))
    return [*own, *pools.values()]


JOINED = '[[account]]\nid = "late-{0}"\ntier = "{1}"\ndevices = ["02:00:00:00:04:{0:02x}"]\n'


@FEW
@given(ACCEPTED, st.lists(st.sampled_from(TIERS), min_size=1, max_size=40))
def test_whichever_members_join_later_all_have_the_lifeline_or_the_same_part_of_it(
    community: Community, joined: list[str]
) -> None:
    """Rules were adopted before; lifelines that exceed the uplink shrink alike, and the node reports by how much."""
    members = community.members + "".join(JOINED.format(n, tier) for n, tier in enumerate(joined))
    standing = effective_policy_of(community, members)
    ruleset = standing.active_ruleset.ruleset
    for upwards in WAYS:
        classes = tree(standing, upwards=upwards)
        the_tree_holds(classes, None if ruleset.shaped is None else way(ruleset.shaped, upwards))
        if ruleset.shaped is None:
            continue
        assert ruleset.guaranteeable is not None
        own, line = way(lifeline_of(ruleset), upwards), way(ruleset.guaranteeable, upwards)
        households = [
            a for a in standing.session_table.accounts_here() if standing.unit(a).tier != GUEST_TIER
        ]
        has_guests = len(households) < len(standing.session_table.accounts_here())
        due = own * len(households) + way(guest_lifeline_of(ruleset), upwards) * has_guests
        # In each pool a bit a second may be lost to integer rounding.
        least = min(own, own * line // due - 2)
        assert all(classes[standing.session_table.minors[account]].rate >= least for account in households)
        assert sum(told_floors(standing, upwards=upwards)) <= line
        if due > line:
            assert standing.kept().lifelines_permille <= line * 1000 // due


# --- regressions --------------------------------------------------------------------------------

HEAD = """\
[ruleset]
community = "c"
version = 1
decision = "D-1"
[uplink.main]
down = "{line} kbit/s"
up = "{line} kbit/s"
usable_percent = 80
[charter]
lifeline = "256 kbit/s down, 96 kbit/s up"
guest_lifeline = "64 kbit/s down, 32 kbit/s up"
"""
CHOIR = """
[[rule]]
id = "choir"
share = 100
together = true
who = "tier:choir"
by = "D-1"
[[rule]]
id = "choir-room"
floor = "3072 kbit/s down, 1152 kbit/s up"
together = true
who = "tier:choir"
by = "D-1"
[[rule]]
id = "much"
quota = "1 GB per day"
counts = "uplink"
then = "share 1 until reset"
who = "tier:choir"
by = "D-1"
"""
HOURS = """
[[rule]]
id = "{name}"
floor = "{floor}"
who = "group:{name}"
when = "{when}"
by = "D-1"
"""


def here(count: int, tier: str, groups: dict[int, str] | None = None) -> str:
    row = '[[account]]\nid = "a{0}"\ntier = "{1}"\ngroups = [{2}]\ndevices = ["02:00:00:00:01:{0:02x}"]\n'
    named = groups or {}
    return "".join(row.format(n, tier, f'"{named[n]}"' if n in named else "") for n in range(count))


def rates_down(standing: EffectivePolicy) -> dict[str, int]:
    classes = tree(standing, upwards=False)
    return {a: classes[standing.session_table.minors[a]].rate for a in standing.session_table.accounts_here()}


def test_none_of_twelve_pooled_households_gets_only_a_few_of_its_256_kbit() -> None:
    """One of them has used up its quota and weighs a hundredth of the others: its part had been 2.8 kbit/s."""
    names = tuple(f"a{n}" for n in range(12))
    rules = HEAD.format(line=4_000) + CHOIR
    community = Community(rules, here(12, "choir"), names, 0, (), frozenset({"a0"}), 0, "synced")
    assert min(rates_down(effective_policy_of(community)).values()) >= 256_000


def test_while_the_hour_is_unknown_floors_of_all_hours_shrink_and_no_lifeline_does() -> None:
    """Two floors of different hours fit the uplink one after the other; both at once had left 179 of 256 kbit/s."""
    rules = HEAD.format(line=5_000)
    rules += HOURS.format(name="school", floor="2400 kbit/s down, 96 kbit/s up", when="daily 08:00-16:00")
    rules += HOURS.format(name="clinic", floor="2400 kbit/s down, 96 kbit/s up", when="daily 17:00-20:00")
    members, names = here(5, "member", {0: "school", 1: "clinic"}), tuple(f"a{n}" for n in range(5))
    standing = effective_policy_of(Community(rules, members, names, 0, (), frozenset(), 0, "unknown"))
    found = rates_down(standing)
    assert 256_000 == min(found.values())
    assert found["a0"] == found["a1"] > 1_500_000
    assert sum(found.values()) <= 4_000_000 - control_reserve(BitsPerSecond(4_000_000))
    for name, kept in (("a0", 656), ("a4", 1000)):
        told = standing.allowance_at(AccountId(name), standing.moment())
        assert (kept, True) == (told.kept_permille, told.floor.value.down <= found[name])


def test_a_voucher_of_the_schools_group_does_not_give_the_schools_floor_to_all_guests() -> None:
    rules = HEAD.format(line=10_000)
    rules += HOURS.format(name="school", floor="2 Mbit/s down, 96 kbit/s up", when="mon-sun 00:00-24:00")
    community = Community(
        rules, here(2, "member", {0: "school"}), ("a0", "a1"), 0, ("school",), frozenset(), 0, "synced"
    )
    standing = effective_policy_of(community)
    pool = standing.session_table.minors[pool_account("guests")]
    assert 64_000 == plan_of(standing).classes[pool].floor.down


def test_a_burst_within_a_pool_is_guaranteed_no_more_than_its_share_of_the_pool() -> None:
    """Where the uplink has no rate, a class can borrow of its pool only, and takes what it is guaranteed past it."""
    rules = HEAD.partition("[uplink")[0] + '[charter]\nlifeline = "64 kbit/s down, 32 kbit/s up"\n'
    rules += CHOIR.replace("3072 kbit/s down, 1152", "64 kbit/s down, 32")
    rules += '[[rule]]\nid = "top"\nby = "D-1"\nwho = "tier:choir"\ntogether = true\n'
    rules += 'ceiling = "64 kbit/s down, 32 kbit/s up"\nburst = "128 kbit/s down, 32 kbit/s up for 30 s"\n'
    rules += '[[rule]]\nid = "own"\nby = "D-1"\nwho = "tier:choir"\n'
    rules += 'ceiling = "64 kbit/s down, 64 kbit/s up"\nburst = "128 kbit/s down, 64 kbit/s up for 5 s"\n'
    community = Community(rules, here(1, "choir"), ("a0",), 0, (), frozenset(), 0, "synced")
    standing = effective_policy_of(community)
    classes = tree(standing, upwards=False)
    own = classes[standing.session_table.minors[AccountId("a0")]]
    assert own.peak == 128_000
    nobody_is_under_the_lifeline(community)

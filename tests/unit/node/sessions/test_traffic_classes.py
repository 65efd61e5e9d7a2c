"""Traffic classes computed from allowances."""

from dataclasses import replace

import pytest

from node.enforcement.htb_classes import ALL_GUARANTEED, GuaranteedParts
from node.enforcement.plan import NO_LIMIT, ShapedClass
from node.governance.allowance import Allowance, Bound
from node.sessions.traffic_classes import NO_FLOOR, as_kept, pool_account, pools, shaped_classes
from node.units import AccountId, BitsPerSecond, Rates

ANA, GUEST = AccountId("ana"), AccountId("guest-1")
LIFELINE = Rates(BitsPerSecond(256_000), BitsPerSecond(96_000))
TOP = Rates(BitsPerSecond(3_000_000), BitsPerSecond(1_000_000))
OPEN = Rates(NO_LIMIT, NO_LIMIT)


def allowance(
    share: int = 100, ceiling: Rates | None = None, pool: str | None = None, pool_ceiling: Rates | None = None
) -> Allowance:
    def top(rates: Rates | None) -> Bound[Rates] | None:
        return None if rates is None else Bound(rates, "top", "D-1", "")

    bound, floor = Bound(share, "equal-share", "D-1", ""), Bound(LIFELINE, "lifeline", "D-1", "")
    return Allowance(bound, floor, top(ceiling), pool=pool, pool_ceiling=top(pool_ceiling))


def test_an_account_becomes_one_class_with_its_floor_its_ceiling_and_its_weight() -> None:
    found = shaped_classes([(ANA, allowance(150, TOP))], {ANA: 7}, shared=True)
    assert {7: ShapedClass(7, None, LIFELINE, TOP, 150)} == found


def test_accounts_that_count_as_one_are_children_of_their_pool() -> None:
    minors = {GUEST: 7, pool_account("guests"): 8}
    found = shaped_classes([(GUEST, allowance(200, TOP, "guests"))], minors, shared=True)
    assert ShapedClass(8, None, LIFELINE, OPEN, 200) == found[8]
    assert ShapedClass(7, 8, NO_FLOOR, TOP, 100) == found[7]
    assert {pool_account("guests")} == pools([allowance(pool="guests"), allowance()])


def pooled(own: Rates, floor: Rates, top: Rates | None = None) -> Allowance:
    """One household in the pool of a choir."""
    made = allowance(pool="choir", pool_ceiling=top)
    bound = Bound(own, "lifeline", "D-1", "")
    return replace(made, floor=Bound(floor, "f", "D-1", ""), own_floor=bound, lifeline=own)


@pytest.mark.parametrize("shared", [True, False])
def test_a_pool_has_at_least_the_sum_of_its_households_guarantees_also_with_more_than_the_rules_knew(
    shared: bool,
) -> None:
    names = [AccountId(f"a{n}") for n in range(3)]
    minors = {name: n for n, name in enumerate(names, 1)} | {pool_account("choir"): 9}
    one = pooled(LIFELINE, LIFELINE, Rates(BitsPerSecond(300_000), BitsPerSecond(300_000)))
    found = shaped_classes([(name, one) for name in names], minors, shared=shared)
    three = Rates(BitsPerSecond(3 * 256_000), BitsPerSecond(3 * 96_000))
    assert Rates(BitsPerSecond(768_000), BitsPerSecond(300_000)) == found[9].ceiling
    assert (three if shared else NO_FLOOR) == found[9].floor
    assert (three if shared else NO_FLOOR) == found[9].lifeline
    assert {LIFELINE} == {found[minor].floor for minor in (1, 2, 3)}
    assert {9} == {found[minor].parent_minor for minor in (1, 2, 3)}


def test_a_pools_own_class_does_not_depend_on_the_order_of_accounts() -> None:
    names = [AccountId(f"a{n}") for n in range(2)]
    minors = {names[0]: 1, names[1]: 2, pool_account("choir"): 9}
    both = [(names[0], pooled(LIFELINE, LIFELINE)), (names[1], pooled(LIFELINE, TOP, TOP))]
    assert shaped_classes(both, minors, shared=True) == shaped_classes(both[::-1], minors, shared=True)


def test_without_a_stated_uplink_only_ceilings_are_shaped() -> None:
    found = shaped_classes(
        [(ANA, allowance()), (GUEST, allowance(ceiling=TOP))], {ANA: 1, GUEST: 2}, shared=False
    )
    assert {2: ShapedClass(2, None, NO_FLOOR, TOP, 100)} == found


def test_a_ceiling_for_all_guests_together_applies_without_a_stated_uplink_too() -> None:
    minors = {GUEST: 7, pool_account("guests"): 8}
    found = shaped_classes([(GUEST, allowance(pool="guests", pool_ceiling=TOP))], minors, shared=False)
    assert ShapedClass(8, None, NO_FLOOR, TOP, 100) == found[8]
    assert ShapedClass(7, 8, NO_FLOOR, OPEN, 100) == found[7]


def test_nobody_is_told_a_guarantee_larger_than_the_uplink_allows() -> None:
    school = replace(allowance(), floor=Bound(TOP, "school-hours", "D-1", ""), lifeline=LIFELINE)
    assert school is as_kept(school, ALL_GUARANTEED)
    half = as_kept(school, GuaranteedParts(1000, 500))
    assert Rates(BitsPerSecond(1_628_000), BitsPerSecond(548_000)) == half.floor.value
    assert 542 == half.kept_permille
    plain = replace(allowance(), lifeline=LIFELINE)
    assert plain == as_kept(plain, GuaranteedParts(1000, 500)), (
        "a lifeline is whole while there is anything else"
    )
    assert (
        Rates(BitsPerSecond(192_000), BitsPerSecond(72_000))
        == as_kept(plain, GuaranteedParts(750, 0)).floor.value
    )
    one = as_kept(pooled(LIFELINE, TOP), GuaranteedParts(750, 0))
    assert one.own_floor is not None
    assert (192_000, 750) == (one.own_floor.value.down, one.kept_permille)

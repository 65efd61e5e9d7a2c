"""Traffic classes computed from allowances."""

from collections.abc import Callable
from dataclasses import replace
from itertools import product

import pytest

from node.enforcement.htb_classes import ALL_GUARANTEED, GuaranteedParts, promises
from node.enforcement.plan import NO_LIMIT, ShapedClass
from node.governance.allowance import Allowance, Bound
from node.sessions.traffic_classes import (
    NO_FLOOR,
    as_kept,
    class_of_idle_accounts,
    pool_account,
    pools,
    shaped_classes,
)
from node.units import NO_RATES, AccountId, BitsPerSecond, Rates

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


def guest() -> Allowance:
    """Its lifeline is that of all guests together."""
    return replace(allowance(pool="guests"), lifeline=LIFELINE)


def household() -> Allowance:
    return replace(allowance(), lifeline=LIFELINE)


def member_of_choir() -> Allowance:
    return pooled(LIFELINE, Rates(BitsPerSecond(6 * 256_000), BitsPerSecond(6 * 96_000)))


def test_no_more_is_promised_while_some_accounts_are_idle_than_while_all_are_awake() -> None:
    """The rules were adopted because all of it fits: otherwise those who are awake would get less than promised."""
    kinds = [guest, household, member_of_choir]
    for counts in product(range(3), repeat=2 * len(kinds)):
        of_each = zip([*kinds, *kinds], [False] * 3 + [True] * 3, counts, strict=True)
        not_more_while_some_are_idle([(kind, idle) for kind, idle, count in of_each for _ in range(count)])


def not_more_while_some_are_idle(drawn: list[tuple[Callable[[], Allowance], bool]]) -> None:
    everybody = [(AccountId(f"a{n}"), make(), is_idle) for n, (make, is_idle) in enumerate(drawn)]
    minors = {account: n for n, (account, _, _) in enumerate(everybody, 1)}
    minors |= {pool_account("guests"): 90, pool_account("choir"): 91}
    all_awake = shaped_classes([(name, each) for name, each, _ in everybody], minors, shared=True)
    awake = [(name, each) for name, each, is_idle in everybody if not is_idle]
    some = shaped_classes(awake, minors, shared=True) | class_of_idle_accounts(
        [each for _, each, is_idle in everybody if is_idle], [each for _, each in awake]
    )
    now, most = promises(some.values()), promises(all_awake.values())
    assert now.lifelines.down <= most.lifelines.down
    assert now.floors.up <= most.floors.up


def test_the_first_idle_account_that_wakes_has_a_lifeline_unless_its_pool_has_one() -> None:
    def lifeline(idle: Allowance, *awake: Allowance) -> Rates:
        (made,) = class_of_idle_accounts([idle], awake).values()
        return made.lifeline

    assert LIFELINE == lifeline(household(), guest(), household())
    assert LIFELINE == lifeline(guest(), household())
    assert NO_RATES == lifeline(guest(), guest())
    assert {} == class_of_idle_accounts([], [guest()])

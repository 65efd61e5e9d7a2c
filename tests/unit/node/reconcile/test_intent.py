"""From allowances to classes."""

from node.enforcement.plan import NO_LIMIT, ShapedClass
from node.governance.allowance import Allowance, Bound
from node.reconcile.intent import NO_FLOOR, pool_account, pools, shaped_classes
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


def test_people_who_count_together_hang_below_their_pool() -> None:
    minors = {GUEST: 7, pool_account("guests"): 8}
    found = shaped_classes([(GUEST, allowance(200, TOP, "guests"))], minors, shared=True)
    assert ShapedClass(8, None, LIFELINE, OPEN, 200) == found[8]
    assert ShapedClass(7, 8, NO_FLOOR, TOP, 100) == found[7]
    assert {pool_account("guests")} == pools([allowance(pool="guests"), allowance()])


def test_without_a_stated_uplink_only_ceilings_are_shaped() -> None:
    found = shaped_classes(
        [(ANA, allowance()), (GUEST, allowance(ceiling=TOP))], {ANA: 1, GUEST: 2}, shared=False
    )
    assert {2: ShapedClass(2, None, NO_FLOOR, TOP, 100)} == found


def test_a_ceiling_for_all_guests_together_holds_without_a_stated_uplink_too() -> None:
    minors = {GUEST: 7, pool_account("guests"): 8}
    found = shaped_classes([(GUEST, allowance(pool="guests", pool_ceiling=TOP))], minors, shared=False)
    assert ShapedClass(8, None, NO_FLOOR, TOP, 100) == found[8]
    assert ShapedClass(7, 8, NO_FLOOR, OPEN, 100) == found[7]

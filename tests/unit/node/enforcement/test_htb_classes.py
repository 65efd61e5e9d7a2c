"""Shares of the uplink: guarantees fit, weights count, and a new device changes no other class without need."""

from dataclasses import replace

from hypothesis import assume, given
from hypothesis import strategies as st

from node.enforcement.htb_classes import (
    CALL,
    FRAME_BYTES,
    RATE_LEAST,
    RATE_MIN,
    UPLINK_MINOR,
    GuaranteedParts,
    guaranteed_rates,
    htb_classes,
    promises,
)
from node.enforcement.plan import (
    CONTROL_MINOR,
    DNS_MINOR,
    LAN_MINOR,
    NO_LIMIT,
    OWN_MINOR,
    TEST_MINOR,
    ShapedClass,
)
from node.governance.fair_shares import Demand, fair_rates
from node.governance.rules import control_reserve
from node.units import BitsPerSecond, Rates

OPEN = Rates(NO_LIMIT, NO_LIMIT)


def rates(down: int, up: int | None = None) -> Rates:
    return Rates(BitsPerSecond(down), BitsPerSecond(down if up is None else up))


def one(
    minor: int,
    weight: int = 100,
    floor: int = 0,
    ceiling: Rates = OPEN,
    parent: int | None = None,
    lifeline: int = 0,
) -> ShapedClass:
    return ShapedClass(minor, parent, rates(floor), ceiling, weight, rates(lifeline))


def classes(*each: ShapedClass, uplink: Rates | None = None) -> dict[int, object]:
    return htb_classes({c.minor: c for c in each}, uplink or rates(40_000_000, 8_000_000), upwards=False)


PEOPLE = st.lists(st.tuples(st.integers(1, 400), st.integers(0, 2_000_000)), min_size=1, max_size=60).map(
    lambda people: [one(i + 1, weight, floor) for i, (weight, floor) in enumerate(people)]
)


@given(PEOPLE, st.integers(1_000_000, 1_000_000_000))
def test_guarantees_never_exceed_the_uplink(people: list[ShapedClass], capacity: int) -> None:
    promised = guaranteed_rates(people, capacity, upwards=False)
    assert sum(promised.values()) <= capacity + RATE_LEAST * len(people)


@given(PEOPLE, st.integers(100_000_000, 1_000_000_000))
def test_a_floor_that_fits_is_guaranteed(people: list[ShapedClass], capacity: int) -> None:
    promised = guaranteed_rates(people, capacity, upwards=False)
    if sum(p.floor.down for p in people) <= capacity:
        assert all(promised[p.minor] >= p.floor.down for p in people)


TOPS = st.lists(st.none() | st.integers(100_000, 20_000_000), min_size=60, max_size=60)


@given(PEOPLE, TOPS, st.integers(1_000_000, 1_000_000_000))
def test_a_guaranteed_share_is_less_than_the_fair_rate_by_one_rounding_step_at_most(
    people: list[ShapedClass], tops: list[int | None], capacity: int
) -> None:
    """Also beside floors that are above the share: these take from all others alike, as in the evaluator."""
    people = [
        each if top is None else replace(each, ceiling=rates(max(top, each.floor.down)))
        for each, top in zip(people, tops, strict=False)
    ]
    assume(sum(each.floor.down for each in people) + RATE_MIN * len(people) <= capacity)
    found = guaranteed_rates(people, capacity, upwards=False)
    fair = fair_rates([Demand(p.weight, p.floor.down, p.ceiling.down) for p in people], capacity)
    for each, wanted in zip(people, fair, strict=True):
        assert found[each.minor] >= wanted * 7 // 8 - RATE_MIN - 2 * each.weight
        assert found[each.minor] <= max(wanted, RATE_MIN)


def test_floors_that_do_not_fit_shrink_alike_and_are_reported() -> None:
    people = [one(1, floor=6_000_000), one(2, floor=2_000_000)]
    promised = guaranteed_rates(people, 4_000_000, upwards=False)
    assert {1: 3_000_000, 2: 1_000_000} == promised
    assert GuaranteedParts(1000, 500) == promises(people).kept(rates(4_000_000))
    assert GuaranteedParts(1000, 1000) == promises(people).kept(rates(8_000_000))


def test_floors_above_the_lifelines_shrink_before_the_lifelines_do() -> None:
    people = [
        one(1, floor=6_000_000, lifeline=256_000),
        *(one(m, floor=256_000, lifeline=256_000) for m in (2, 3)),
    ]
    promised = guaranteed_rates(people, 1_768_000, upwards=False)
    assert {1: 1_256_000, 2: 256_000, 3: 256_000} == promised
    assert GuaranteedParts(1000, 174) == promises(people).kept(rates(1_768_000))
    assert GuaranteedParts(1000, 0) == promises(people).kept(rates(768_000))


def test_lifelines_that_do_not_fit_shrink_alike_when_nothing_else_is_left() -> None:
    people = [
        one(1, floor=6_000_000, lifeline=256_000),
        *(one(m, floor=256_000, lifeline=256_000) for m in (2, 3)),
    ]
    assert {1: 128_000, 2: 128_000, 3: 128_000} == guaranteed_rates(people, 384_000, upwards=False)
    assert GuaranteedParts(500, 0) == promises(people).kept(rates(384_000))


def test_a_thousand_people_without_a_floor_are_guaranteed_no_more_than_their_pool_has() -> None:
    pool = {1: one(1, floor=1_000_000, ceiling=rates(1_000_000))}
    found = htb_classes(
        pool | {m: one(m, parent=1) for m in range(2, 1_002)}, rates(40_000_000), upwards=False
    )
    assert 1_000_000 == found[1].rate
    assert sum(htb.rate for htb in found.values() if htb.parent_minor == 1) <= 1_000_000


def test_twice_the_weight_is_twice_the_rate_and_twice_the_quantum() -> None:
    found = htb_classes({1: one(1, 100), 2: one(2, 200)}, rates(30_000_000), upwards=False)
    assert 2 * found[1].rate == found[2].rate
    assert 2 * found[1].quantum_bytes == found[2].quantum_bytes


def test_one_more_account_changes_no_class_while_the_rounding_step_holds() -> None:
    before = htb_classes({m: one(m) for m in range(1, 19)}, rates(40_000_000), upwards=False)
    after = htb_classes({m: one(m) for m in range(1, 20)}, rates(40_000_000), upwards=False)
    assert before == {minor: htb for minor, htb in after.items() if minor in before}


def test_a_ceiling_holds_even_when_the_uplink_is_free() -> None:
    found = htb_classes({1: one(1, ceiling=rates(10_000_000))}, rates(40_000_000), upwards=False)
    assert 10_000_000 == found[1].ceil
    assert found[1].rate <= found[1].ceil


def test_no_quantum_is_smaller_than_a_frame() -> None:
    found = htb_classes({1: one(1, weight=1)}, rates(256_000), upwards=False)
    assert found[1].quantum_bytes >= FRAME_BYTES


def test_accounts_in_a_pool_share_what_the_pool_has() -> None:
    found = htb_classes(
        {9: one(9, 200), 1: one(1, parent=9), 2: one(2, parent=9)}, rates(40_000_000), upwards=False
    )
    assert 9 == found[1].parent_minor
    assert UPLINK_MINOR == found[9].parent_minor
    assert not found[9].is_leaf
    assert found[1].rate + found[2].rate <= found[9].rate


def test_one_account_of_a_large_pool_borrows_as_much_as_an_account_outside() -> None:
    """The others of its pool may transfer nothing, and then the pool has its turns alone."""
    pool = {1: one(1), 2: one(2)} | {minor: one(minor, parent=1) for minor in range(3, 40)}
    found = htb_classes(pool, rates(30_000_000), upwards=False)
    assert {found[2].quantum_bytes} == {found[minor].quantum_bytes for minor in range(3, 40)}


def test_where_nothing_is_shaped_there_are_no_classes() -> None:
    assert {} == htb_classes({}, None, upwards=True) == htb_classes({}, None, upwards=False)


def test_an_uplink_of_unknown_speed_shapes_only_ceilings() -> None:
    found = htb_classes({1: one(1, ceiling=rates(5_000_000))}, None, upwards=True)
    assert {1} == set(found)
    assert 5_000_000 == found[1].ceil
    assert None is found[1].parent_minor


def test_upload_has_its_own_figures() -> None:
    up = htb_classes({1: one(1)}, rates(40_000_000, 8_000_000), upwards=True)
    assert 8_000_000 == up[UPLINK_MINOR].rate


def test_a_pools_ceiling_is_for_all_of_it_when_the_uplinks_speed_is_unknown() -> None:
    people = {9: one(9, ceiling=rates(5_000_000)), 1: one(1, parent=9), 2: one(2, parent=9)}
    found = htb_classes(people, None, upwards=False)
    assert (5_000_000, None) == (found[9].ceil, found[9].parent_minor)
    assert (5_000_000, 9) == (found[1].ceil, found[1].parent_minor)
    assert found[1].rate + found[2].rate <= 5_000_000


def test_where_nobody_is_in_a_pool_half_of_a_share_is_guaranteed_but_a_call_at_least() -> None:
    """Households that transfer at full rate then borrow most of the time, and one that uses less does not wait for them."""
    few = classes(*(one(m) for m in range(1, 5)))
    assert {4_505_600} == {few[m].rate for m in range(1, 5)}
    many = classes(*(one(m) for m in range(1, 101)))
    assert {CALL} == {many[m].rate for m in range(1, 101)}
    crowded = classes(*(one(m) for m in range(1, 401)))
    assert {96_000} == {crowded[m].rate for m in range(1, 401)}
    pooled = classes(one(0x99), *(one(m, parent=0x99) for m in (5, 6)), *(one(m) for m in range(1, 4)))
    assert {9_728_000} == {pooled[m].rate for m in (0x99, 1, 2, 3)}
    assert {4_505_600} == {pooled[m].rate for m in (5, 6)}


@given(st.integers(1, 60), st.integers(1, 20), st.integers(10_000_000, 1_000_000_000))
def test_beside_pools_rounding_leaves_a_64th_to_borrowing_as_long_as_few_classes_change_with_it(
    households: int, guests: int, capacity: int
) -> None:
    """What is lent beside a pool does not follow the weights: the pool has a turn for each account."""
    people = [one(0x199), *(one(0x200 + g, parent=0x199) for g in range(guests))]
    people += [one(1 + h) for h in range(households)]
    found = htb_classes({c.minor: c for c in people}, rates(capacity), upwards=False)
    guaranteed = sum(found[c.minor].rate for c in people if c.parent_minor is None)
    without_reserve = capacity - control_reserve(BitsPerSecond(capacity))
    assert without_reserve * 63 // 64 - 1_000 * (households + 1) <= guaranteed <= without_reserve


@given(PEOPLE, st.integers(1_000_000, 1_000_000_000))
def test_guarantees_of_those_who_borrow_fit_and_follow_the_weights_above_the_floors(
    people: list[ShapedClass], capacity: int
) -> None:
    whole = guaranteed_rates(people, capacity, upwards=False)
    half = guaranteed_rates(people, capacity, upwards=False, borrows=True)
    for each in people:
        assert half[each.minor] <= whole[each.minor]
        assert half[each.minor] >= min(whole[each.minor], each.floor.down)
    within = [each for each in people if half[each.minor] > max(each.floor.down, RATE_MIN)]
    assert len({half[each.minor] // each.weight for each in within}) <= 1


def test_a_round_of_borrowing_is_short_and_small_weights_count_all_the_same() -> None:
    """24 accounts that borrow take 29 ms of a line of 20 Mbit/s, before 96 ms."""
    line = rates(20_000_000)
    equal = classes(*(one(m) for m in range(1, 25)), uplink=line)
    assert 2 * FRAME_BYTES == equal[1].quantum_bytes
    mixed = classes(one(1, 25), one(2, 100), one(3, 400), uplink=line)
    assert [FRAME_BYTES, 4 * FRAME_BYTES, 16 * FRAME_BYTES] == [mixed[m].quantum_bytes for m in (1, 2, 3)]
    throttled = classes(one(1, 1), one(2, 100), uplink=line)
    assert 10_000 == throttled[2].quantum_bytes


def test_a_class_knows_the_share_that_it_has_while_all_transfer() -> None:
    shares = classes(one(1, 100), one(2, 300), one(3, 100, ceiling=rates(2_000_000)))
    assert (9_011_200, 27_033_600, 2_000_000) == tuple(shares[m].share for m in (1, 2, 3))
    assert shares[1].rate < shares[1].share


@given(PEOPLE, st.integers(100_000, 1_000_000_000), st.booleans())
def test_beside_all_guarantees_the_nodes_own_traffic_has_its_reserve(
    people: list[ShapedClass], capacity: int, upwards: bool
) -> None:
    found = htb_classes({c.minor: c for c in people}, rates(capacity), upwards=upwards)
    reserve = control_reserve(BitsPerSecond(capacity))
    guaranteed = sum(each.rate for each in found.values() if each.parent_minor == UPLINK_MINOR)
    assert guaranteed <= capacity + RATE_LEAST * len(people)
    own = {minor: found[minor] for minor in (CONTROL_MINOR, DNS_MINOR, OWN_MINOR) if minor in found}
    assert sum(each.rate for each in own.values()) <= reserve
    assert upwards == (CONTROL_MINOR in own) == (DNS_MINOR in own)
    if upwards:
        assert reserve == own[CONTROL_MINOR].ceil
        assert max(own[CONTROL_MINOR].prio, own[DNS_MINOR].prio) < min(found[p.minor].prio for p in people)


@given(PEOPLE, st.none() | st.integers(100_000, 1_000_000_000))
def test_the_responsiveness_test_goes_after_all_others_and_takes_nothing_of_the_uplink(
    people: list[ShapedClass], capacity: int | None
) -> None:
    uplink, mine = None if capacity is None else rates(capacity), {c.minor: c for c in people}
    found = htb_classes(mine, uplink, upwards=False)
    test = found.pop(TEST_MINOR)
    lan = found.pop(LAN_MINOR)
    assert (LAN_MINOR, None, NO_LIMIT) == (test.parent_minor, lan.parent_minor, test.ceil)
    assert RATE_LEAST == test.rate, "it always borrows"
    assert all(each.prio < test.prio for each in found.values())
    assert not htb_classes(mine, uplink, upwards=True).keys() & {TEST_MINOR, LAN_MINOR}


def test_the_reserve_is_two_percent_of_the_shared_rate_but_at_least_a_few_queries() -> None:
    reserves = [control_reserve(BitsPerSecond(rate)) for rate in (17_000_000, 1_000_000, 64_000)]
    assert [340_000, 32_000, 16_000] == reserves


MEASURED = st.integers(100_000, 40_000_000)


@given(PEOPLE, MEASURED)
def test_classes_of_a_measured_uplink_fit_into_what_it_carries(
    people: list[ShapedClass], carries: int
) -> None:
    """HTB honours guarantees above its root's rate: lowering the root alone would change nothing."""
    found = htb_classes(
        {c.minor: c for c in people}, rates(40_000_000), upwards=False, measured=rates(carries)
    )
    root = found.pop(UPLINK_MINOR)
    assert carries == root.rate == root.ceil
    del found[TEST_MINOR], found[LAN_MINOR]  # which do not pass the uplink
    assert sum(each.rate for each in found.values()) <= carries + RATE_LEAST * len(people)
    if sum(p.floor.down for p in people) <= carries - control_reserve(BitsPerSecond(carries)):
        assert all(found[p.minor].rate >= p.floor.down for p in people)


@given(PEOPLE, MEASURED)
def test_lifelines_are_the_last_to_shrink_when_a_measured_uplink_carries_less(
    people: list[ShapedClass], carries: int
) -> None:
    people = [replace(p, lifeline=rates(p.floor.down // 2)) for p in people]
    found = htb_classes(
        {c.minor: c for c in people}, rates(40_000_000), upwards=False, measured=rates(carries)
    )
    if sum(p.lifeline.down for p in people) <= carries - control_reserve(BitsPerSecond(carries)):
        assert all(found[p.minor].rate >= p.lifeline.down for p in people)


def test_a_small_change_of_a_measured_uplink_changes_its_root_only() -> None:
    """It changes up to ten times a second."""
    people = {minor: one(minor) for minor in range(1, 25)}
    before, after = (
        htb_classes(people, rates(20_000_000), upwards=False, measured=rates(carries))
        for carries in (13_800_000, 14_600_000)
    )
    assert {UPLINK_MINOR} == {minor for minor in after if before[minor] != after[minor]}


def test_no_uplink_is_measured_to_carry_more_than_the_plan_shares() -> None:
    found = htb_classes({1: one(1)}, rates(20_000_000), upwards=False, measured=rates(90_000_000))
    assert 20_000_000 == found[UPLINK_MINOR].rate

"""What each account could have now: within the line, the ceiling and the pool, and never below a lifeline that fits."""

from hypothesis import given
from hypothesis import strategies as st

from node.enforcement.plan import NO_LIMIT, ShapedClass
from node.sessions.present_shares import PresentShares
from node.units import BitsPerSecond, Rates

MBIT = 1_000_000
OPEN = Rates(NO_LIMIT, NO_LIMIT)


def both(rate: int) -> Rates:
    return Rates(BitsPerSecond(rate), BitsPerSecond(rate))


def one(
    minor: int,
    weight: int = 100,
    floor: int = 0,
    ceiling: Rates = OPEN,
    lifeline: int = 0,
    parent: int | None = None,
) -> ShapedClass:
    return ShapedClass(minor, parent, both(floor), ceiling, weight, both(lifeline))


def could_have(minor: int, line: int, in_use: dict[int, int], *classes: ShapedClass) -> int:
    rates = {each: both(used) for each, used in in_use.items()}
    by_minor = {each.minor: each for each in classes}
    return of(PresentShares(by_minor, rates, both(line)), by_minor, minor).down


def of(shares: PresentShares, classes: dict[int, ShapedClass], minor: int) -> Rates:
    parent = classes[minor].parent_minor
    return shares.of(classes[minor], None if parent is None else classes[parent])


def test_alone_an_account_could_have_the_whole_line_or_its_ceiling() -> None:
    assert 20 * MBIT == could_have(1, 20 * MBIT, {}, one(1), one(2))
    assert 20 * MBIT == could_have(1, 20 * MBIT, {1: 19 * MBIT}, one(1), one(2))
    assert 3 * MBIT == could_have(1, 20 * MBIT, {}, one(1, ceiling=both(3 * MBIT)))


def test_beside_others_it_could_have_its_weighted_part() -> None:
    people = one(1, 100), one(2, 200), one(3, 100)
    assert 10 * MBIT == could_have(3, 30 * MBIT, {2: 25 * MBIT}, *people)
    assert 7_500_000 == could_have(3, 30 * MBIT, {1: 10 * MBIT, 2: 20 * MBIT}, *people)
    assert could_have(1, 30 * MBIT, {2: 25 * MBIT}, *people) == could_have(
        1, 30 * MBIT, {1: 8 * MBIT, 2: 17 * MBIT}, *people
    )


def test_an_account_that_uses_little_leaves_the_rest() -> None:
    """A call, beside 20 Mbit/s for two: the rest of its half is the other's."""
    assert 19_800_000 == could_have(1, 20 * MBIT, {2: 200_000}, one(1), one(2))
    assert 20 * MBIT == could_have(1, 20 * MBIT, {1: 200_000}, one(1), one(2)), "what it uses itself"


def test_an_account_that_others_hold_back_counts_as_transferring() -> None:
    """On a line that is much too narrow, everybody's part is small."""
    people = [one(n) for n in range(1, 41)]
    assert 100_000 == could_have(40, 4 * MBIT, dict.fromkeys(range(1, 40), 102_000), *people)


def test_a_ceiling_of_others_leaves_more() -> None:
    slow = one(2, ceiling=both(2 * MBIT))
    assert 18 * MBIT == could_have(1, 20 * MBIT, {2: 2 * MBIT}, one(1), slow)


def test_a_guest_has_a_part_of_what_all_guests_together_have() -> None:
    pool = one(9, 100, floor=MBIT, lifeline=MBIT)
    guests = [one(n, parent=9) for n in (10, 11)]
    assert 20 * MBIT == could_have(10, 20 * MBIT, {}, one(1), pool, *guests)
    assert 10 * MBIT == could_have(10, 20 * MBIT, {1: 20 * MBIT}, one(1), pool, *guests)
    assert 5 * MBIT == could_have(10, 20 * MBIT, {1: 10 * MBIT, 11: 10 * MBIT}, one(1), pool, *guests)
    assert 10 * MBIT == could_have(1, 20 * MBIT, {11: 20 * MBIT}, one(1), pool, *guests)


def test_a_pool_of_slow_accounts_leaves_what_it_cannot_use() -> None:
    pool, slow = one(9, floor=MBIT, lifeline=MBIT), both(2 * MBIT)
    guests = [one(n, parent=9, ceiling=slow) for n in (10, 11)]
    assert 16 * MBIT == could_have(1, 20 * MBIT, {10: 2 * MBIT, 11: 2 * MBIT}, one(1), pool, *guests)


def test_floors_shrink_before_lifelines() -> None:
    people = one(1, floor=6 * MBIT, lifeline=256_000), one(2, floor=256_000, lifeline=256_000)
    busy = {1: MBIT, 2: MBIT}
    assert (1_744_000, 256_000) == tuple(could_have(n, 2 * MBIT, busy, *people) for n in (1, 2))
    assert (128_000, 128_000) == tuple(could_have(n, 256_000, busy, *people) for n in (1, 2))


def test_an_account_without_a_class_of_its_own_is_answered_too() -> None:
    pool = one(9, floor=MBIT, lifeline=MBIT)
    guest = one(10, parent=9)
    shares = PresentShares({1: one(1)}, {1: both(20 * MBIT)}, both(20 * MBIT))
    assert both(10 * MBIT) == shares.of(one(2)) == shares.of(guest, pool)


AMOUNTS = st.sampled_from([0, 64_000, 256_000, MBIT, 4 * MBIT])
PEOPLE = st.lists(
    st.tuples(
        st.integers(1, 400),
        AMOUNTS,
        AMOUNTS,
        st.sampled_from([300_000, 2 * MBIT, NO_LIMIT]),
        st.sampled_from([None, None, 1, 2]),
        st.sampled_from([0, 0, 1_000, 100_000, 3 * MBIT, 50 * MBIT]),
    ),
    min_size=1,
    max_size=12,
)


@given(PEOPLE, st.integers(1, 60 * MBIT))
def test_within_line_and_ceiling_and_not_below_a_lifeline_that_fits(people: list, line: int) -> None:
    classes: dict[int, ShapedClass] = {}
    in_use: dict[int, Rates] = {}
    for minor, (weight, lifeline, extra, ceiling, pool, used) in enumerate(people, 10):
        top = max(ceiling, lifeline)
        floor = lifeline if pool else min(top, lifeline + extra)
        classes[minor] = one(minor, weight, floor, both(top), lifeline, pool)
        in_use[minor] = both(used)
    for pool in {each.parent_minor for each in classes.values()} - {None}:
        inside = [each for each in classes.values() if each.parent_minor == pool]
        own = sum(each.lifeline.down for each in inside)
        classes[pool] = one(pool, 100, own, both(max(own, 5 * MBIT)), own)
    shares = PresentShares(classes, in_use, both(line))
    accounts = [minor for minor in classes if minor in in_use]
    due = sum(each.lifeline.down for each in classes.values() if each.parent_minor is None)
    for minor in accounts:
        could = of(shares, classes, minor)
        assert could.down == could.up
        assert could.down <= min(line, classes[minor].ceiling.down)
        assert could.down >= classes[minor].lifeline.down or due > line
    active = [minor for minor in accounts if minor in shares._down._active]
    assert sum(of(shares, classes, minor).down for minor in active) <= line

"""Sharing a busy uplink: weighted max-min fairness."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from node.governance.fair_shares import Demand, equal_parts, fair_rates

AMOUNT = st.integers(0, 10**7)
DEMANDS = st.lists(
    st.builds(Demand, st.integers(1, 400), AMOUNT, st.one_of(st.none(), AMOUNT)), min_size=1, max_size=12
)


def bounds(demand: Demand, capacity: int) -> tuple[int, int]:
    top = capacity if demand.ceiling is None else demand.ceiling
    return min(demand.floor, top), top


@given(DEMANDS, st.integers(0, 10**8))
def test_the_whole_uplink_is_used_and_floors_and_ceilings_hold(demands, capacity):
    rates = fair_rates(demands, capacity)
    floors = sum(bounds(d, capacity)[0] for d in demands)
    tops = sum(bounds(d, capacity)[1] for d in demands)
    assert sum(rates) == (min(capacity, tops) if floors < capacity else capacity)
    for demand, rate in zip(demands, rates, strict=True):
        low, top = bounds(demand, capacity)
        assert rate <= top
        assert rate >= low or floors >= capacity


@given(DEMANDS, st.integers(0, 10**8))
def test_nobody_can_get_more_except_from_somebody_with_less(demands, capacity):
    """All between their floor and ceiling have the same rate per weight; those at a floor have at least that."""
    rates = fair_rates(demands, capacity)
    if sum(bounds(d, capacity)[0] for d in demands) >= capacity:
        return
    takers = [(d, r) for d, r in zip(demands, rates, strict=True) if r < bounds(d, capacity)[1]]
    givers = [(d, r) for d, r in zip(demands, rates, strict=True) if r > bounds(d, capacity)[0]]
    for taker, low in takers:
        for giver, high in givers:
            assert Fraction(high - 1, giver.weight) <= Fraction(low + 1, taker.weight)


def test_half_a_share_is_half_the_rate_and_the_lifeline_raises_it():
    demands = [Demand(100, 96_000), Demand(100, 96_000), Demand(50, 96_000)]
    assert (400, 400, 200) == tuple(r // 1000 for r in fair_rates(demands, 1_000_000))
    assert (152, 152, 96) == tuple(r // 1000 for r in fair_rates(demands, 400_000))


def test_floors_that_do_not_fit_shrink_in_proportion():
    assert (75, 25) == fair_rates([Demand(1, 300), Demand(9, 100)], 100)


def test_lifelines_shrink_only_when_nothing_else_is_left():
    demands = [Demand(100, 6_000, lifeline=256), Demand(100, 256, lifeline=256)]
    assert (1_744, 256) == fair_rates(demands, 2_000)
    assert (128, 128) == fair_rates(demands, 256)


@given(st.lists(st.tuples(DEMANDS.map(lambda each: each[0]), st.integers(1, 50)), max_size=6), AMOUNT)
def test_equal_units_have_equal_parts_of_what_each_would_have_alone(groups, capacity):
    counts = dict(groups)
    parts = equal_parts(counts, capacity)
    alone = fair_rates([demand for demand, count in counts.items() for _ in range(count)], capacity)
    assert sum(part * counts[demand] for demand, part in parts.items()) <= capacity
    expected = iter(alone)
    for demand, count in counts.items():
        assert all(abs(next(expected) - parts[demand]) <= 1 for _ in range(count))

"""A line is divided among accounts: nobody gets more than they want, and nothing is given that there is not."""

from hypothesis import given
from hypothesis import strategies as st

from node.governance.fair_shares import Demand
from node.governance.line_division import LineRights, divide, greedy_rates
from node.governance.rule_evaluation import DIRECTIONS
from node.units import BitsPerSecond, Rates

MEGABIT = 1_000_000
LIFELINE = Rates(BitsPerSecond(256_000), BitsPerSecond(256_000))


def rights(weight: int = 100, ceiling: int | None = None, pool: str | None = None) -> LineRights:
    own = Demand(weight, 256_000, ceiling, 256_000)
    whole = Demand(200, 256_000, None, 256_000)
    return LineRights(pool, LIFELINE, dict.fromkeys(DIRECTIONS, own), dict.fromkeys(DIRECTIONS, whole))


ALONE, TWICE, SLOW = rights(), rights(200), rights(ceiling=2 * MEGABIT)
POOLED = rights(pool="shared")
wants = st.integers(0, 30).map(lambda megabits: megabits * MEGABIT)


@given(
    st.lists(st.tuples(st.sampled_from([ALONE, TWICE, SLOW, POOLED]), wants), min_size=1, max_size=8),
    st.integers(5, 40).map(lambda megabits: megabits * MEGABIT),
)
def test_nobody_gets_more_than_they_want_and_all_together_no_more_than_the_line(wanting, capacity) -> None:
    given_rates = divide([(each, 1, wanted) for each, wanted in wanting], capacity, "down")
    for (each, wanted), rate in zip(wanting, given_rates, strict=True):
        top = each.own["down"].ceiling
        assert 0 <= rate <= (wanted if top is None else min(wanted, top))
    total = sum(
        wanted if (top := each.own["down"].ceiling) is None else min(wanted, top) for each, wanted in wanting
    )
    assert sum(given_rates) <= capacity
    if total <= capacity:
        assert sum(given_rates) == total, "the line carries all of it"


def test_greedy_accounts_share_by_weight_and_those_of_a_pool_share_one_part() -> None:
    line = Rates(BitsPerSecond(30 * MEGABIT), BitsPerSecond(30 * MEGABIT))
    rates, margin = greedy_rates(((ALONE, 1), (TWICE, 1)), line)
    assert ((10 * MEGABIT,) * 2, (20 * MEGABIT,) * 2) == (rates[ALONE], rates[TWICE])
    assert 10 * MEGABIT * 1000 // 256_000 == margin
    rates, _ = greedy_rates(((ALONE, 1), (POOLED, 4)), line)
    assert (10 * MEGABIT, 5 * MEGABIT) == (rates[ALONE][0], rates[POOLED][0])

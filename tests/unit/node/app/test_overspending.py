"""What other nodes let pass after an allowance is used up is at most rate times time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.app.overspending import SPREAD_S, overspending
from node.governance.allowance import Allowance, Bound, QuotaLeft
from node.units import NO_RATES, Rates
from tests.bench.table import ROWS

LINE = Rates(20_000_000, 4_000_000)
rates = st.builds(Rates, st.integers(1, 10**10), st.integers(1, 10**10))


def bound(value: object) -> Bound:
    return Bound(value, "rule", "D-1", "a rule")


def allowance(*quotas: QuotaLeft, ceiling: Rates | None = None, pool: Rates | None = None) -> Allowance:
    tops = [None if each is None else bound(each) for each in (ceiling, pool)]
    return Allowance(bound(100), bound(NO_RATES), tops[0], quotas, pool_ceiling=tops[1])


OPEN, USED_UP = QuotaLeft("month", 100, 99, None), QuotaLeft("month", 100, 100, None)
ALERT = QuotaLeft("month", 100, 5, None, is_alert=True)


def test_a_line_of_24_megabits_is_overspent_by_45_megabytes():
    found = overspending(allowance(OPEN), LINE)
    assert (
        " Each other node hears within 15 s that it is used up, and lets at most 24 Mbit/s x 15 s = 45 MB more pass."
        == found.sentence
    )


@pytest.mark.parametrize("quotas", [(), (USED_UP,), (ALERT,)])
def test_without_an_open_allowance_nothing_is_overspent(quotas):
    assert overspending(allowance(*quotas), LINE) is None


def test_where_nothing_limits_the_rate_nothing_is_said():
    assert overspending(allowance(OPEN), None) is None


@given(rates, rates, rates)
def test_it_is_never_more_than_the_lowest_rate_allows(line, ceiling, pool):
    found = overspending(allowance(OPEN, USED_UP, ceiling=ceiling, pool=pool), line)
    most = min(line.down, ceiling.down, pool.down) + min(line.up, ceiling.up, pool.up)
    assert found.rate == most
    assert found.bytes == most * SPREAD_S // 8


def test_the_time_is_what_the_benchmark_holds():
    (row,) = [row for row in ROWS if row.key == "spread_p99_s_200"]
    assert SPREAD_S == row.bound

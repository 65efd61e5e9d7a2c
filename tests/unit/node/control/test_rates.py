"""Rates are means over sufficiently long intervals, and every byte counts in exactly one of them."""

from hypothesis import given
from hypothesis import strategies as st

from node.accounting.meter import Baseline
from node.control.rates import RATES_OVER_MS, Unrated, mean_rates
from node.control.usage_booking import UsageDelta
from node.units import AccountId, Bytes, Usage

ANA = AccountId("ana")


def booked(down: int) -> UsageDelta:
    usage = Usage(Bytes(down), Bytes(0))
    return UsageDelta(Baseline("life", {}), "2026-11-28", {ANA: usage}, {1: usage}, {}, usage)


@given(st.lists(st.tuples(st.integers(0, 2 * RATES_OVER_MS), st.integers(0, 10**9)), min_size=1))
def test_each_byte_counts_in_one_rate_however_close_the_readings_are(
    readings: list[tuple[int, int]],
) -> None:
    unrated, elapsed_ms, rated_bytes, sent = Unrated(), 0, 0, 0
    for passed_ms, down in readings:
        elapsed_ms += passed_ms
        sent += down
        unrated = unrated.plus(booked(down))
        rates = mean_rates(unrated, elapsed_ms)
        assert (rates is None) == (elapsed_ms < RATES_OVER_MS)
        if rates is not None:
            assert rates.uplink == rates.by_account[ANA] == rates.by_mark[1]
            assert rates.uplink.down == unrated.total.down * 8000 // elapsed_ms
            rated_bytes += unrated.total.down
            unrated, elapsed_ms = Unrated(), 0
    assert sent == rated_bytes + unrated.total.down


def test_two_readings_at_once_do_not_make_a_full_uplink_look_unused() -> None:
    """Readings are taken early when the packet filter changes; after such a pair a busy uplink had counted as
    quiet.
    """
    assert mean_rates(Unrated().plus(booked(0)), 3) is None

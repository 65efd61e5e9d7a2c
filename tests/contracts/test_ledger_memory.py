"""Memory of the usage ledger over a year."""

import tracemalloc
from datetime import date, timedelta

import pytest

from node.accounting.ledger import Ledger, UsageKey
from node.accounting.periods import first_open_day
from node.units import AccountId, NodeId
from tests.unit.node.accounting.test_ledger import used


@pytest.mark.parametrize("account", ["guest", pytest.param("member", marks=pytest.mark.thorough)])
def test_a_year_of_a_hundred_new_guests_a_day_uses_the_memory_of_two_months(account: str) -> None:
    """It had grown by 66 MB in a year."""
    first = date(2026, 1, 1)
    tracemalloc.start()
    try:
        ledger, before = Ledger(), tracemalloc.get_traced_memory()[0]
        for number in range(400):
            day = (first + timedelta(days=number)).isoformat()
            for guest in range(100):
                name = AccountId(
                    f"guest-{number:04d}-{guest:04d}" if account == "guest" else f"member-{guest:04d}"
                )
                ledger.add(UsageKey(NodeId("square"), "1-a", name, day), used(1_000, 100), busy=False)
            ledger.close_before(first_open_day(day))
        took = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    print(f"{took / 1e6:.1f} MB at most")
    assert took < 8_000_000

"""Counters of many days, packed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.accounting.packed_days import PackedDays
from node.accounting.periods import DAY_UNKNOWN

DAYS = st.sampled_from(["2026-11-30", "2026-12-01", "0001-01-01", "9999-12-31", DAY_UNKNOWN])
NUMBERS = st.just(0) | st.integers(0, 2**63 - 1)
COUNTERS = st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS)
CHANGES = st.lists(st.tuples(DAYS, COUNTERS | st.none()), max_size=20)


@given(CHANGES)
def test_it_holds_what_a_dict_holds(changes: list[tuple[str, tuple[int, int, int, int] | None]]) -> None:
    days, expected = PackedDays(), dict[str, tuple[int, int, int, int]]()
    for day, counters in changes:
        if counters is not None:
            days.put(day, counters)
            expected[day] = counters
        elif day in expected:
            days.remove(day)
            del expected[day]
    assert expected == dict(days.items())
    assert len(expected) == len(days)
    assert dict(PackedDays(expected.items()).items()) == expected
    assert all(days.get(day) == expected.get(day) for day, _ in changes)


def test_a_reader_goes_on_with_the_days_that_it_began_with() -> None:
    days = PackedDays()
    for day in ("2026-11-29", "2026-11-30"):
        days.put(day, (1, 2, 3, 4))
    reading = days.items()
    first = next(reading)
    days.remove("2026-11-30")
    days.put("2026-12-01", (5, 6, 7, 8))
    assert [first, *reading] == [("2026-11-29", (1, 2, 3, 4)), ("2026-11-30", (1, 2, 3, 4))]
    with pytest.raises(KeyError):
        days.remove("2026-11-30")

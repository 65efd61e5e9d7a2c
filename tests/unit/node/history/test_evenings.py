"""Evenings on which the line was full."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from node.history.evenings import EVENING, full_evenings
from node.history.window import Point

BEGIN = datetime(2026, 11, 23, tzinfo=UTC)


def hours(values: dict[tuple[int, int], int]) -> list[tuple[datetime, Point]]:
    """By day and hour: the mean."""
    return [
        (BEGIN + timedelta(days=day, hours=hour), Point(0, mean, mean))
        for (day, hour), mean in values.items()
    ]


def test_one_full_hour_of_an_evening_is_enough_and_other_hours_do_not_count() -> None:
    assert (1, 2) == full_evenings(hours({(0, 19): 90, (0, 20): 10, (1, 20): 89, (2, 12): 100}), 100)
    assert (0, 0) == full_evenings([], 100)


def test_shorter_steps_count_in_the_mean_of_their_hour() -> None:
    at = BEGIN + timedelta(hours=20)
    steps = [(at + timedelta(minutes=5 * n), Point(0, 100 if n < 11 else 0, 100)) for n in range(12)]
    assert (1, 1) == full_evenings(steps, 100)
    assert (0, 1) == full_evenings([*steps[:10], *steps[11:], (at, Point(0, 0, 0))], 100)


@given(
    st.dictionaries(st.tuples(st.integers(0, 13), st.sampled_from(EVENING)), st.integers(0, 100), max_size=40)
)
def test_a_slower_line_is_full_at_least_as_often(values: dict[tuple[int, int], int]) -> None:
    fast, slow = full_evenings(hours(values), 100), full_evenings(hours(values), 50)
    assert fast[0] <= slow[0] <= slow[1] == fast[1] == len({day for day, _ in values})

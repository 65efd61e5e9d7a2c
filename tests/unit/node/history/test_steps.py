"""Steps of one length, and what several of them are together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.history.steps import COUNT_MAX, VALUE_MAX, Step, Steps, joined, step_of

VALUES = st.lists(st.tuples(st.integers(0, 11), st.integers(-VALUE_MAX, VALUE_MAX)), max_size=40)


def recorded(values: list[tuple[int, int]]) -> Steps:
    steps = Steps(12)
    for at, value in values:
        steps.join(at, step_of(value))
    return steps


@given(VALUES)
def test_steps_together_are_the_sum_the_least_and_the_most_of_all_values(
    values: list[tuple[int, int]],
) -> None:
    found, raw = recorded(values).together(), [value for _, value in values]
    assert found == (Step(len(raw), sum(raw), min(raw), max(raw)) if raw else None)


@given(VALUES, VALUES)
def test_steps_that_are_added_have_the_values_of_both(
    values: list[tuple[int, int]], others: list[tuple[int, int]]
) -> None:
    steps = recorded(values)
    steps.join_all(0, recorded(others))
    assert recorded(values + others) == steps


def test_a_step_without_values_is_a_gap_and_no_zero() -> None:
    steps = recorded([(0, 0), (2, -5)])
    assert [Step(1, 0, 0, 0), None, Step(1, -5, -5, -5)] == list(steps)[:3]
    assert Step(2, -5, -5, 0) == steps.together()
    assert None is steps.together(3, 12)


def test_the_mean_is_rounded_to_the_nearest_number() -> None:
    assert [1, 2, -1] == [Step(3, total, 0, 9).mean for total in (4, 5, -3)]


def test_a_value_out_of_range_is_the_greatest_one_and_a_full_step_takes_no_more() -> None:
    steps = Steps(1)
    steps.put(0, Step(COUNT_MAX, COUNT_MAX * VALUE_MAX, VALUE_MAX, VALUE_MAX))
    steps.join(0, step_of(10**30))
    assert Step(COUNT_MAX, COUNT_MAX * VALUE_MAX, VALUE_MAX, VALUE_MAX) == steps.get(0)
    assert -VALUE_MAX == step_of(-(10**30)).least


def test_a_step_too_full_to_be_added_leaves_the_other_as_it_is() -> None:
    full = Step(COUNT_MAX, 0, 0, 0)
    assert full == joined(full, step_of(1))
    both = Steps(2)
    both.put(0, full)
    both.put(1, step_of(1))
    assert full == both.together()


def test_columns_that_no_steps_can_have_are_refused() -> None:
    for field, value in ((0, -1), (0, COUNT_MAX + 1), (2, VALUE_MAX + 1), (3, -VALUE_MAX - 1)):
        columns = Steps(2).columns
        columns[field][1] = value
        with pytest.raises(ValueError, match="no steps"):
            Steps.of_columns(columns)

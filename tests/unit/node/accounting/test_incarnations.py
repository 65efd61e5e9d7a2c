"""Incarnations of a node's ledger, in the same order on every node."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.accounting.ledger import incarnation_name, incarnation_number, incarnation_rank


@pytest.mark.parametrize(
    ("name", "number"),
    [("7-3f9a", 7), ("0-x", 0), ("10-x", 10), ("life-1", 0), ("3f9ac04b11d2e5f6", 0), ("", 0), ("-1-x", 0), ("7", 0),
     ("1234567890123456-x", 0), ("\u0663-x", 0)],
)  # fmt: skip
def test_the_number_is_before_the_dash(name: str, number: int) -> None:
    assert number == incarnation_number(name)


@given(st.integers(0, 10**15 - 1), st.integers(0, 10**15 - 1))
def test_a_greater_number_is_a_later_incarnation(left: int, right: int) -> None:
    ranks = incarnation_rank(incarnation_name(left, "a")), incarnation_rank(incarnation_name(right, "b"))
    assert (ranks[0] < ranks[1]) == (left <= right)

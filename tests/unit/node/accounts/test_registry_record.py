"""Values of records, and how long they are kept."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.accounts.registry_record import RecordRow, RegistryRecord, last_day, row_of_record, value_text


@given(st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=3), max_size=4))
def test_equal_values_have_one_text(value: dict[str, int]) -> None:
    other = dict(reversed(value.items()))
    assert value_text(value) == value_text(other)
    assert value == json.loads(value_text(value))


def test_a_row_is_the_record_with_its_value_as_text() -> None:
    record = RegistryRecord("cards", "ana", 2, "2027-01-01", {"b": 1, "a": "é"})
    assert RecordRow("cards", "ana", 2, "2027-01-01", '{"a":"é","b":1}') == row_of_record(record)


@pytest.mark.parametrize(
    ("today", "last"), [("2026-11-30", "2028-01-04"), ("unknown", ""), ("", ""), ("9999-12-01", "")]
)
def test_what_ended_is_kept_for_thirteen_months(today: str, last: str) -> None:
    assert last == last_day(today)


def test_the_last_day_is_counted_over_months() -> None:
    assert "2027-03-02" == last_day("2027-02-28", 2)

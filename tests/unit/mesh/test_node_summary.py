"""What a summary may say, how large it is at most, and what is none."""

import json
from dataclasses import astuple, replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mesh.node_summary import (
    AGE_S_MAX,
    FEW_DEVICES,
    HOUR_STEPS,
    MOST,
    SUMMARY_BYTES_MAX,
    SUMMARY_KIND,
    NodeSummary,
    SignedSummary,
    SummaryValues,
    is_genuine,
    no_summary,
    read_summary,
    summary_text,
)
from mesh.page_format import NUMBER_MAX, Malformed, canonical
from node.identity import sign
from tests.fakes.neighbours import id_of, key_of

HILL = id_of("hill")


def signed_by(name: str, summary: NodeSummary) -> SignedSummary:
    text = summary_text(summary)
    return SignedSummary(summary, text, sign(key_of(name), SUMMARY_KIND, text))


def values_up_to(limits: tuple[int, ...]) -> st.SearchStrategy[SummaryValues]:
    people = st.integers(0, 1_999).map(lambda each: each * FEW_DEVICES)
    rest = (st.integers(0, most) for most in limits[2:])
    return st.tuples(*(st.none() | each for each in (people, people, *rest))).map(
        lambda each: SummaryValues(*each)
    )


hours = st.lists(st.none() | st.integers(0, 100), min_size=HOUR_STEPS, max_size=HOUR_STEPS).map(tuple)


@given(values_up_to(astuple(MOST)), hours, st.integers(0, 4_000_000_000), st.integers(0, 10_000))
@example(MOST, (100,) * HOUR_STEPS, 9_999_999_999, 10**9)
def test_every_summary_fits_into_400_bytes_and_is_read_as_it_was_written(
    values: SummaryValues, hour: tuple[int | None, ...], made_s: int, age_s: int
) -> None:
    summary = NodeSummary(HILL, values, hour, made_s)
    frame = signed_by("hill", summary).frame(age_s)
    assert len(frame) <= SUMMARY_BYTES_MAX == 400
    read = read_summary(frame)
    assert not isinstance(read, Malformed), read
    assert (summary, min(age_s, AGE_S_MAX)) == (read[0].summary, read[1])
    assert is_genuine(read[0])
    assert read[0].frame(age_s) == frame


def test_a_summary_signed_by_another_node_is_not_genuine() -> None:
    assert not is_genuine(signed_by("eve", NodeSummary(HILL, SummaryValues(devices=5))))


GOOD = signed_by("hill", NodeSummary(HILL, replace(MOST, devices=10), (5,) * HOUR_STEPS, 1_795_600_000))


def changed(**fields: Any) -> bytes:
    said = {**json.loads(GOOD.signed), **fields}
    return SignedSummary(GOOD.summary, canonical(said), GOOD.signature).frame(0)


VALUES = json.loads(GOOD.signed)["values"]


@pytest.mark.parametrize("at", range(len(VALUES)))
def test_each_value_out_of_range_is_refused(at: int) -> None:
    for value in (astuple(MOST)[at] + FEW_DEVICES, -2, 1.5, "1", None, True, [1], NUMBER_MAX):
        assert isinstance(read_summary(changed(values=[*VALUES[:at], value, *VALUES[at + 1 :]])), Malformed)


@pytest.mark.parametrize(
    "fields",
    [
        {"node": "eve"},
        {"made": -1},
        {"made": "x"},
        {"is": "summaries"},
        {"values": VALUES[:-1]},
        {"values": [*VALUES, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]},
        {"values": [*VALUES, -2]},
        {"values": {}},
        {"values": [3, *VALUES[1:]]},
        {"hour": [0] * 11},
        {"hour": [0] * 13},
        {"hour": [101] * 12},
        {"hour": 5},
    ],
)
def test_other_fields_that_are_wrong_are_refused(fields: dict[str, Any]) -> None:
    assert isinstance(read_summary(changed(**fields)), Malformed)


def test_a_later_version_may_say_more() -> None:
    assert not isinstance(read_summary(changed(values=[*VALUES, 3], x=1)), Malformed)


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        GOOD.signed,
        GOOD.frame(0) + b"\n",
        GOOD.frame(0)[:-1] + b"-1",
        GOOD.frame(0)[:-1] + b"01",
        GOOD.frame(0)[:-1] + b"601",
        GOOD.frame(0)[:-1] + b"1e2",
        GOOD.frame(0)[:-1] + "٣".encode(),
        GOOD.frame(0).replace(GOOD.signature.hex().encode(), GOOD.signature.hex().upper().encode()),
        GOOD.frame(0).replace(GOOD.signature.hex().encode(), b"00"),
        b" " * 401,
    ],
)
def test_a_frame_of_another_form_is_refused(frame: bytes) -> None:
    assert isinstance(read_summary(frame), Malformed)


@given(st.binary(max_size=500))
def test_no_bytes_raise(frame: bytes) -> None:
    assert isinstance(read_summary(frame), Malformed)


def test_a_node_that_knows_nothing_of_itself_says_so() -> None:
    values, hour = no_summary()
    read = read_summary(signed_by("hill", NodeSummary(HILL, values, hour)).frame(0))
    assert not isinstance(read, Malformed)
    assert all(each is None for each in astuple(read[0].summary.values))

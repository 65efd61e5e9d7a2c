"""Pages about gateways: what they say, and what is refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.gateway_kind import (
    GATEWAY_PARTS,
    GATEWAYS_KIND,
    HANDOVER_PART,
    PART_BYTES_MAX,
    QUESTIONS_MAX,
    CounterAnswer,
    CounterQuestion,
    GatewaySaid,
    GatewaysContent,
    gateway_part,
    gateways_body,
    gateways_by_part,
    gateways_content,
    gateways_label,
)
from mesh.page_format import LABEL, Malformed, canonical
from tests.fakes.mesh_exchange import an_other_page

SAID = GatewaySaid(
    "0123abcd", "wifidog", "the bakery", "001217DA42D2", 1, "a" * 32, "b" * 64, "c" * 16, ("10.1.2.0/24",)
)
QUESTION = CounterQuestion("abcdefghijklm/0123abcd", "d" * 16, "e" * 16, 1_000, 20)
CONTENT = GatewaysContent(
    "vall.example.org:2080",
    "berg.example.org:2080",
    "b" * 51 + "a",
    (SAID,),
    (QUESTION,),
    (CounterAnswer(QUESTION, (900, 20)),),
)
VECTOR = (
    b'{"answers":[["abcdefghijklm/0123abcd","dddddddddddddddd","eeeeeeeeeeeeeeee",1000,20,900,20]],'
    b'"gateways":[["0123abcd","wifidog","the bakery","001217DA42D2",1,"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",'
    b'"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","cccccccccccccccc",["10.1.2.0/24"]]],'
    b'"questions":[["abcdefghijklm/0123abcd","dddddddddddddddd","eeeeeeeeeeeeeeee",1000,20]],'
    b'"second":"berg.example.org:2080","second_node":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbba","serves":"vall.example.org:2080"}'
)


def test_the_vector_of_the_protocol():
    assert VECTOR == gateways_body(CONTENT)
    assert CONTENT == gateways_content(VECTOR)
    assert CONTENT == gateways_content(VECTOR.replace(b'"second"', b'"newer":[1],"second"'))
    assert LABEL.fullmatch(gateways_label(GATEWAY_PARTS - 1))


def test_an_empty_page_and_an_answer_of_nothing():
    assert GatewaysContent() == gateways_content(gateways_body(GatewaysContent()))
    nothing = GatewaysContent(answers=(CounterAnswer(QUESTION, None),))
    assert nothing == gateways_content(gateways_body(nothing))


def changed(name: str, place: int, value: object) -> bytes:
    fields = json.loads(VECTOR)
    fields[name][0][place] = value
    return canonical(fields)


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("gateways", 0, "0123ABCD"),
        ("gateways", 0, ""),
        ("gateways", 1, "openwrt"),
        ("gateways", 2, ""),
        ("gateways", 2, "x" * 61),
        ("gateways", 2, "line\nend"),
        ("gateways", 3, "with space"),
        ("gateways", 3, "x" * 201),
        ("gateways", 4, 0),
        ("gateways", 4, True),
        ("gateways", 4, 10**9),
        ("gateways", 5, "a" * 31),
        ("gateways", 6, "a" * 63),
        ("gateways", 7, None),
        ("gateways", 8, ["10.1.2.3/24"]),
        ("gateways", 8, ["all"]),
        ("gateways", 8, ["10.1.2.0/24"] * 9),
        ("questions", 0, "0123abcd"),
        ("questions", 1, "d" * 15),
        ("questions", 2, 1),
        ("questions", 3, -1),
        ("questions", 3, 2**63),
        ("questions", 4, 1.5),
        ("answers", 5, -1),
        ("answers", 6, "20"),
    ],
)
def test_a_row_that_is_wrong_makes_the_page_unreadable(name, place, value):
    assert isinstance(gateways_content(changed(name, place, value)), Malformed)


def test_rows_twice_or_too_many_are_refused():
    twice = json.loads(VECTOR)
    twice["questions"] *= 2
    assert isinstance(gateways_content(canonical(twice)), Malformed)
    rows = [[*QUESTION.row[:3], number, 0] for number in range(QUESTIONS_MAX + 1)]
    assert isinstance(gateways_content(canonical({"questions": rows})), Malformed)
    assert isinstance(gateways_content(canonical({"second": "a b:1"})), Malformed)
    for node in ("b" * 51, "b" * 53, "B" * 52, 7):
        assert isinstance(gateways_content(canonical({"second_node": node})), Malformed)


@given(st.binary(max_size=200) | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(repr))
def test_no_content_is_an_error(body):
    gateways_content(body if isinstance(body, bytes) else body.encode(errors="replace"))


def test_a_gateway_stands_in_its_own_part():
    part = gateway_part(SAID.id)
    own = GatewaysContent(gateways=(SAID,))
    right = an_other_page(kind="gateways", period="now", part=part, body=gateways_body(own), name="hill")
    assert own == GATEWAYS_KIND.read(right)
    for wrong in (HANDOVER_PART, GATEWAY_PARTS):
        page = an_other_page(kind="gateways", period="now", part=wrong, body=gateways_body(own), name="hill")
        assert isinstance(GATEWAYS_KIND.read(page), Malformed)


@given(st.sets(st.from_regex(r"[0-9a-f]{8}", fullmatch=True), max_size=400))
def test_as_many_gateways_are_told_as_fit(ids):
    every = [GatewaySaid(each, *SAID_OTHERS) for each in ids]
    parts, left_out = gateways_by_part(every)
    assert len(every) == left_out + sum(map(len, parts.values()))
    for part, listed in parts.items():
        body = gateways_body(GatewaysContent(gateways=listed))
        assert len(body) <= PART_BYTES_MAX + 100
        assert GatewaysContent(gateways=listed) == gateways_content(body)
        assert {part} == {gateway_part(each.id) for each in listed}


SAID_OTHERS = ("apfree", "é" * 60, "x" * 200, 1, "a" * 32, "b" * 64, "c" * 16, ("10.1.2.0/24",))

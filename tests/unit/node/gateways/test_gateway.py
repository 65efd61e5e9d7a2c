"""A gateway, its text form and its source limits."""

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from node.errors import InvalidValue
from node.gateways.gateway import Gateway, gateways_text, parse_sources, read_gateways

ROUTER = Gateway(
    "0a1b2c3d", "wifidog", "accepted", "the bakery", "001217DA42D2", "10.1.2.3", ("10.1.2.0/24",)
)


def test_what_is_stored_is_read_again():
    other = Gateway("ffffffff", "opennds", "asked", "", "Node%20x", "fd42::7", serial=3)
    assert (ROUTER, other) == read_gateways(gateways_text([ROUTER, other]))


def test_a_name_is_read_in_the_form_in_which_nodes_tell_it():
    (read,) = read_gateways(gateways_text([replace(ROUTER, name="el cafe\u0301")]))
    assert "el café" == read.name


@given(st.text() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(repr))
def test_damaged_text_is_no_gateway_and_no_error(text):
    assert () == read_gateways(text)


@given(
    st.sampled_from(["id", "kind", "phase", "serial", "sources"]),
    st.none() | st.integers(max_value=0) | st.just("x/") | st.lists(st.integers(), min_size=1),
)
def test_a_damaged_field_leaves_out_that_gateway_only(field, value):
    import json

    assume((field, value) != ("called", "x/"))

    rows = json.loads(gateways_text([ROUTER, Gateway("ffffffff", "apfree", "refused", "", "x", "")]))
    rows[0][field] = value
    assert ["ffffffff"] == [each.id for each in read_gateways(json.dumps(rows))]


@pytest.mark.parametrize(
    ("address", "may"),
    [("10.1.2.9", True), ("10.1.3.9", False), ("::ffff:10.1.2.9", True), ("fd42::1", False), ("no", False)],
)
def test_a_gateway_with_source_limits_speaks_from_these_only(address, may):
    assert may == ROUTER.may_speak_from(address)


def test_without_limits_it_speaks_from_everywhere():
    assert Gateway("0a1b2c3d", "wifidog", "accepted", "", "", "").may_speak_from("203.0.113.9")


def test_sources_are_networks_between_commas_or_lines():
    assert ("10.1.2.0/24", "fd42::7/128") == parse_sources("10.1.2.7/24,\nfd42::7")
    assert () == parse_sources(" \n")


@pytest.mark.parametrize("text", ["10.1.2", "localhost", "10.0.0.0/33", ",".join(["10.0.0.1"] * 9)])
def test_other_sources_are_refused(text):
    with pytest.raises(InvalidValue):
        parse_sources(text)


def test_people_call_it_by_the_name_that_an_admin_gave():
    assert "the bakery" == ROUTER.title
    assert "X1" == Gateway("0a1b2c3d", "wifidog", "asked", "", "X1", "").title

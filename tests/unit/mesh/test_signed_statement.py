"""Statements: canonical text, each key once, and signatures that hold for one kind only."""

import json
from dataclasses import replace

import pytest

from mesh.page_format import Malformed
from mesh.signed_statement import (
    SIGNATURES_MAX,
    TEXT_BYTES_MAX,
    SignedStatement,
    add_signatures,
    are_signatures_valid,
    as_json,
    make_statement,
    merged,
    only_of,
    read_statement,
)
from tests.fakes.neighbours import id_of, key_of

MADE = make_statement("use", {"node": "x", "community": "y"}, [key_of("rosa")])


def test_a_statement_is_read_as_it_was_made() -> None:
    assert MADE == read_statement(json.loads(json.dumps(as_json(MADE))))
    assert are_signatures_valid(MADE)


def test_signatures_change_the_name_and_not_the_hash() -> None:
    both = add_signatures(MADE, [key_of("pau")])
    assert (MADE.hash, True) == (both.hash, MADE.name != both.name)
    assert both == merged(MADE, only_of(both, frozenset({id_of("pau")})))
    assert merged(MADE, both) == merged(both, MADE)


def test_a_signature_of_one_kind_is_none_of_another() -> None:
    assert not are_signatures_valid(replace(MADE, kind="invite"))


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        {},
        {"text": MADE.text.decode(), "signatures": []},
        {"text": MADE.text.decode() + " ", "signatures": as_json(MADE)["signatures"]},
        {"text": '{"is":"vote","v":1}', "signatures": as_json(MADE)["signatures"]},
        {"text": MADE.text.decode().replace('"v":1', '"v":2'), "signatures": as_json(MADE)["signatures"]},
        {"text": MADE.text.decode(), "signatures": [["x", "00" * 64]]},
        {"text": MADE.text.decode(), "signatures": as_json(MADE)["signatures"] * 2},
        {"text": MADE.text.decode(), "signatures": as_json(MADE)["signatures"] * (SIGNATURES_MAX + 1)},
        {
            "text": '{"is":"use","x":"' + "x" * TEXT_BYTES_MAX + '"}',
            "signatures": as_json(MADE)["signatures"],
        },
        {"text": '{"is":"use","v":1,"x":NaN}', "signatures": as_json(MADE)["signatures"]},
        {"text": '{"is":"use","v":1,"x":"\\ud800"}', "signatures": as_json(MADE)["signatures"]},
    ],
)
def test_what_is_not_in_this_form_is_refused(wrong: object) -> None:
    assert isinstance(read_statement(wrong), Malformed)


def test_a_statement_that_is_read_is_one() -> None:
    assert isinstance(read_statement(as_json(MADE)), SignedStatement)

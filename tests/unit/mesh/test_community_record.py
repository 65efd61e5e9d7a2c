"""One version of the community record: its form and its limits."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.community_record import ADMINS_MAX, CommunityRecord, read_record, record_fields, refusal_of
from mesh.page_format import Malformed
from mesh.signed_statement import make_statement
from tests.fakes.community_statements import THREE_ADMINS as RECORD
from tests.fakes.neighbours import id_of, key_of

ADMINS = RECORD.admins


def read(**changed: Any) -> CommunityRecord | Malformed:
    return read_record(make_statement("community", record_fields(RECORD) | changed, [key_of("rosa")]))


def test_a_record_is_read_as_it_was_made() -> None:
    assert RECORD == read()


@pytest.mark.parametrize(
    "changed",
    [
        {"name": ""},
        {"name": "x" * 65},
        {"version": 0},
        {"version": 2},
        {"version": True},
        {"previous": "0" * 64},
        {"admins": []},
        {"admins": [[id_of("rosa"), 0, "rosa"]]},
        {"admins": [[id_of("rosa"), 2, "rosa"]] * 2},
        {"admins": [[each.key, each.votes, each.label] for each in ADMINS[::-1]]},
        {"admins": [["x" * 52, 1, "rosa"]]},
        {"threshold": 0},
        {"threshold": 7},
        {"recovery": [id_of("rosa")]},
        {"recovery": sorted(map(id_of, "abcd"))},
    ],
)
def test_what_is_not_in_this_form_is_refused(changed: dict[str, Any]) -> None:
    assert isinstance(read(**changed), Malformed)


def test_there_are_at_most_64_admins() -> None:
    many = sorted([id_of(str(number)), 1, "x"] for number in range(ADMINS_MAX + 1))
    assert isinstance(read(admins=many[:ADMINS_MAX]), CommunityRecord)
    assert isinstance(read(admins=many), Malformed)


@given(st.sets(st.sampled_from(["rosa", "pau", "nuria", "paper", "eve"])))
def test_a_change_is_never_valid_below_the_threshold(signers: set[str]) -> None:
    keys = frozenset(map(id_of, signers))
    admins = len(signers & {"rosa", "pau", "nuria"})
    assert ("paper" in signers or admins >= 2) == (refusal_of(RECORD, keys, None) == "")
    assert 2 * admins == RECORD.votes_of(keys)

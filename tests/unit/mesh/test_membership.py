"""Memberships: their form, and which of two holds."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.membership import (
    STATES,
    Membership,
    is_signed_by_enough,
    membership_fields,
    membership_rank,
    read_membership,
)
from mesh.page_format import Malformed
from mesh.signed_statement import SignedStatement, make_statement
from tests.fakes.community_statements import THREE_ADMINS as RECORD
from tests.fakes.neighbours import id_of, key_of

SAID = Membership("0" * 64, id_of("square"), "La plaça", "node", "active", 3)


def signed(said: Membership, *names: str, **changed: Any) -> SignedStatement:
    return make_statement("membership", membership_fields(said) | changed, map(key_of, names or ("rosa",)))


def test_a_membership_is_read_as_it_was_made() -> None:
    assert SAID == read_membership(signed(SAID))


@pytest.mark.parametrize(
    "changed",
    [
        {"community": "x"},
        {"node": "x"},
        {"label": "x" * 65},
        {"label": "a\u0007"},
        {"role": ""},
        {"role": "Node"},
        {"state": "gone"},
        {"number": -1},
        {"number": "3"},
    ],
)
def test_what_is_not_in_this_form_is_refused(changed: dict[str, Any]) -> None:
    assert isinstance(read_membership(signed(SAID, **changed)), Malformed)


@given(st.integers(0, 5), st.sampled_from(STATES), st.integers(0, 5), st.sampled_from(STATES))
def test_the_newer_number_holds_and_then_the_stricter_state(
    number: int, state: str, other_number: int, other_state: str
) -> None:
    one, other = (
        replace(SAID, number=number, state=state),
        replace(SAID, number=other_number, state=other_state),
    )
    ranks = membership_rank(one, signed(one)), membership_rank(other, signed(other))
    wanted = (number, STATES.index(state)), (other_number, STATES.index(other_state))
    if wanted[0] != wanted[1]:
        assert (wanted[0] < wanted[1]) == (ranks[0] < ranks[1])


def test_one_admin_is_enough_for_a_node_and_other_roles_need_the_threshold() -> None:
    assert is_signed_by_enough("node", signed(SAID, "pau"), RECORD)
    assert not is_signed_by_enough("gateway", signed(SAID, "pau"), RECORD)
    assert is_signed_by_enough("gateway", signed(SAID, "pau", "rosa"), RECORD)
    assert not is_signed_by_enough("node", signed(SAID, "paper"), RECORD)

"""What other nodes are told of revoked cards, and what they make of it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.accounts.card_records import KIND, apply_cards, card_record, join_cards
from node.accounts.changes import CardsVoid, PassphraseGone
from node.accounts.registry_record import RegistryRecord, value_text
from node.units import AccountId
from tests.fakes.members import make_registry

ANA = AccountId("ana")
values = st.fixed_dictionaries(
    {},
    optional={"below": st.integers(-2, 5) | st.none() | st.just("7") | st.just([1]), "x": st.integers(0, 1)},
)


def test_a_revocation_has_no_end() -> None:
    assert (ANA, {"below": 7}, "") == card_record(CardsVoid(ANA, 7))
    assert card_record(PassphraseGone(ANA)) is None


@given(values, values, values)
def test_of_two_revocations_the_one_that_revokes_more_holds_in_any_order(
    one: dict[str, Any], two: dict[str, Any], three: dict[str, Any]
) -> None:
    assert value_text(join_cards(one, two)) == value_text(join_cards(two, one))
    assert join_cards(join_cards(one, two), three) == join_cards(one, join_cards(two, three))
    assert join_cards(one, one) == one
    assert {"below": 7} == join_cards({"below": 7}, {"below": 3})


def test_a_card_that_was_revoked_is_never_valid_again() -> None:
    registry = make_registry()
    told = [apply_cards(RegistryRecord(KIND, ANA, 1, "", {"below": n}), registry) for n in (7, 7, 3, 9)]
    assert [(CardsVoid(ANA, 7),), (), (), (CardsVoid(ANA, 9),)] == told


@pytest.mark.parametrize("below", [0, -1, True, "7", None, 2**32, [7]])
def test_what_cannot_be_read_changes_nothing(below: object) -> None:
    assert () == apply_cards(RegistryRecord(KIND, ANA, 1, "", {"below": below}), make_registry())

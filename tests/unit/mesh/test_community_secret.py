"""The commitment of a secret, and which secrets a chain of records puts in force."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.community_changes import RecordChange, changed_record, replaced_key
from mesh.community_record import CommunityAdmin, CommunityRecord, read_record, record_fields
from mesh.community_secret import commitment_of
from mesh.community_state import CommunityState
from mesh.signed_statement import SignedStatement, make_statement
from node.errors import NodeError
from tests.fakes.community_statements import THREE_ADMINS, begun, state_of
from tests.fakes.neighbours import id_of, key_of

FIRST = begun("square", "hills")
ONE, TWO = (commitment_of(bytes([number]) * 32) for number in (1, 2))


def rotated(state: CommunityState, commitment: str, *admins: str) -> SignedStatement:
    (made,) = changed_record(state, RecordChange(secret=commitment), tuple(map(key_of, admins or ("rosa",))))
    return made


def two_admins() -> list[SignedStatement]:
    state = state_of(FIRST.community, FIRST.statements)
    change = RecordChange(add=(CommunityAdmin(id_of("pau"), 1, "Pau"),))
    return [*FIRST.statements, *changed_record(state, change, (key_of("rosa"),))]


def as_an_earlier_version_makes_it(state: CommunityState, **changes: object) -> SignedStatement:
    """A version that names no secret, whatever the one before names."""
    assert state.head is not None
    made = replace(state.head, version=state.head.version + 1, previous=state.head_hash, **changes)
    fields = record_fields(made)
    fields.pop("secret", None)
    return make_statement("community", fields, [key_of("rosa")])


@given(st.binary(min_size=32, max_size=64), st.binary(min_size=32, max_size=64))
def test_a_commitment_is_of_one_secret_and_does_not_contain_it(one: bytes, other: bytes) -> None:
    assert (commitment_of(one) == commitment_of(other)) is (one == other)
    assert one.hex()[:32] not in commitment_of(one)


def test_secrets_are_numbered_in_the_order_of_the_chain_and_the_last_one_is_in_force() -> None:
    statements = two_admins()
    state = state_of(FIRST.community, statements)
    assert () == state.commitments()
    for commitment in (ONE, TWO):
        statements.append(rotated(state, commitment))
        state = state_of(FIRST.community, statements)
    assert (ONE, TWO) == state.commitments()
    statements.append(rotated(state, ONE))
    assert (ONE, TWO) == state_of(FIRST.community, statements).commitments()


def test_later_versions_keep_the_secret_also_those_that_an_earlier_version_of_the_program_makes() -> None:
    statements = two_admins()
    state = state_of(FIRST.community, statements)
    statements.append(rotated(state, ONE))
    state = state_of(FIRST.community, statements)
    old = as_an_earlier_version_makes_it(state, name="Vall Baixa")
    threshold = changed_record(state, RecordChange(threshold=2), (key_of("rosa"), key_of("pau")))
    key = replaced_key(state, key_of("rosa"), key_of("new rosa"))
    for more in ((old,), threshold, key):
        after = state_of(FIRST.community, [*statements, *more])
        assert after.head is not None
        assert state.head is not None
        assert after.head.version > state.head.version
        assert (ONE,) == after.commitments()


@pytest.mark.parametrize("strange", ["", "x", "F" * 64, "f" * 63, 7, None, ["f" * 64], {"number": 2}])
def test_a_field_that_is_no_commitment_names_none_and_breaks_no_chain(strange: object) -> None:
    """A node of an earlier version accepts such a version, so that all must."""
    state = state_of(FIRST.community, FIRST.statements)
    assert state.head is not None
    made = replace(state.head, version=2, previous=state.head_hash)
    statement = make_statement("community", {**record_fields(made), "secret": strange}, [key_of("rosa")])
    read = read_record(statement)
    assert isinstance(read, CommunityRecord)
    assert "" == read.secret
    after = state_of(FIRST.community, [*FIRST.statements, statement])
    assert (2, ()) == (after.head.version if after.head else 0, after.commitments())


@given(st.permutations(range(2)), st.booleans())
def test_of_two_rotations_at_once_one_holds_on_every_node_and_the_other_is_remembered(
    order: list[int], is_again: bool
) -> None:
    statements = two_admins()
    state = state_of(FIRST.community, statements)
    both = [rotated(state, ONE, "rosa"), rotated(state, TWO, "pau")]
    listed = [*statements, *(both[at] for at in order)]
    one = state_of(FIRST.community, listed)
    other = state_of(FIRST.community, [*statements, *both])
    assert one.commitments() == other.commitments()
    assert 1 == len(one.commitments())
    assert {ONE, TWO} == one.every_commitment()
    if is_again:
        third = commitment_of(b"3" * 32)
        after = state_of(FIRST.community, [*listed, rotated(one, third)])
        assert (*one.commitments(), third) == after.commitments()


def test_a_rotation_needs_the_votes_of_any_change() -> None:
    made = make_statement("community", record_fields(THREE_ADMINS), [key_of("rosa"), key_of("pau")])
    state = state_of(made.hash, [made])
    alone = rotated(state, ONE, "rosa")
    assert isinstance(state.add(alone), str)
    assert () == state.commitments()
    together = rotated(state, ONE, "rosa", "nuria")
    assert isinstance(state.add(together), SignedStatement)
    assert (ONE,) == state.commitments()
    with_paper = rotated(state, TWO, "paper")
    assert isinstance(state.add(with_paper), SignedStatement)
    assert (ONE, TWO) == state.commitments()


def test_without_a_record_there_is_nothing_to_rotate() -> None:
    with pytest.raises(NodeError, match="does not know its community record"):
        rotated(CommunityState("0" * 64), ONE)

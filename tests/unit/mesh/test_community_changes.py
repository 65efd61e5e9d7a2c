"""What admins sign: only an admin of the record in force, and only what is meant."""

from collections.abc import Callable

import pytest

from mesh.community_changes import (
    RecordChange,
    changed_membership,
    changed_record,
    find_invite,
    find_member,
    has_enough_votes,
    new_invite,
    replaced_key,
)
from mesh.community_record import CommunityAdmin
from mesh.invite import make_use
from mesh.signed_statement import SignedStatement, add_signatures
from node.errors import NodeError
from node.identity import human_form
from node.units import NodeId
from tests.fakes.community_statements import SEED, a_village, state_of
from tests.fakes.neighbours import id_of, key_of

VILLAGE = state_of(*a_village())


@pytest.mark.parametrize("name", ["eve", "square"])
def test_a_key_that_is_no_admin_signs_nothing(name: str) -> None:
    view = VILLAGE.members()[0]
    with pytest.raises(NodeError, match="not one of this community's admins"):
        changed_membership(VILLAGE, key_of(name), view, "removed")
    with pytest.raises(NodeError, match="not one of this community's admins"):
        new_invite(VILLAGE, key_of(name), SEED, 1)
    with pytest.raises(NodeError, match="not one of this community's admins"):
        replaced_key(VILLAGE, key_of(name), key_of("new"))


def test_a_node_is_found_by_its_label_its_id_and_its_short_form() -> None:
    for text in ("coast", id_of("coast"), human_form(id_of("coast")), f" {human_form(id_of('coast'))} "):
        assert id_of("coast") == find_member(VILLAGE, text).node


@pytest.mark.parametrize("form", [str, human_form])
def test_nodes_that_call_themselves_by_ids_of_each_other_can_be_removed(
    form: Callable[[NodeId], str],
) -> None:
    state = state_of(*a_village())
    for node, other in (("eve", "mallory"), ("mallory", "eve")):
        state.add(make_use(SEED, state.id, id_of(node), form(id_of(other))))
    for node in ("eve", "mallory"):
        for text in (id_of(node), human_form(id_of(node))):
            assert id_of(node) == find_member(state, text).node


def test_a_node_or_an_invite_that_is_not_there_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(NodeError, match="no node of the community is called 'moon'") as told:
        find_member(VILLAGE, "moon")
    assert "community show" in told.value.fix
    with pytest.raises(NodeError, match="more than one node"):
        find_member(VILLAGE, "")
    with pytest.raises(NodeError, match="there is no invite"):
        find_invite(VILLAGE, "moon")
    invite = VILLAGE.invites()[0].invite
    assert invite == find_invite(VILLAGE, human_form(invite.key))


def test_two_of_three_change_the_record_and_a_removed_admin_takes_no_node_along() -> None:
    state = state_of(*a_village())
    pau = next(each.key for each in (state.head.admins if state.head else ()) if each.label == "pau")
    nuria = CommunityAdmin(id_of("nuria"), 1, "nuria")
    both = changed_record(state, RecordChange(add=(nuria,), threshold=2), (key_of("rosa"),))
    assert not has_enough_votes(state, both[0])
    signed = add_signatures(both[0], [key_of("nuria")])
    assert has_enough_votes(state, signed)
    assert isinstance(state.add(signed), SignedStatement)
    before = state.nodes()
    alone = changed_record(state, RecordChange(remove=frozenset({id_of("rosa")})), (key_of("pau"),))
    assert not has_enough_votes(state, alone[0])
    complete = (add_signatures(alone[0], [key_of("nuria")]), *alone[1:])
    for statement in complete:
        assert isinstance(state.add(statement), SignedStatement)
    assert (before, {pau, id_of("nuria")}) == (state.nodes(), state.head.admin_keys if state.head else None)
    with pytest.raises(NodeError, match="fewer votes than the threshold"):
        changed_record(state, RecordChange(remove=frozenset({pau})), (key_of("pau"), key_of("nuria")))
    with pytest.raises(NodeError, match="cannot replace a key alone"):
        replaced_key(state, key_of("pau"), key_of("new"))


def test_a_key_on_paper_replaces_an_admin_whose_key_is_lost() -> None:
    state = state_of(*a_village())
    for statement in changed_record(state, RecordChange(add_recovery=(id_of("paper"),)), (key_of("rosa"),)):
        state.add(statement)
    before = state.nodes()
    assert state.head is not None
    lost = RecordChange(add=(CommunityAdmin(id_of("new"), 1, "new"),), remove=state.head.admin_keys)
    for statement in changed_record(state, lost, (key_of("paper"), key_of("new"))):
        assert isinstance(state.add(statement), SignedStatement)
    assert (before, {id_of("new")}) == (state.nodes(), state.head.admin_keys)

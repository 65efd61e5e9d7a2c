"""What admins sign: only an admin of the record in force, and only what is meant."""

import pytest

from mesh.community_changes import changed_membership, find_invite, find_member, new_invite, replaced_key
from node.errors import NodeError
from node.identity import human_form
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

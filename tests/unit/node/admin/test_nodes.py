"""How the list of nodes shows a node and an invite."""

import pytest

from mesh.community_state import InviteView, MemberView
from mesh.invite import Invite
from mesh.ports import PeerView
from node.admin.nodes import invite_line, node_line
from node.app.admin_community import NodeRow
from node.identity import human_form
from tests.fakes.neighbours import id_of

HILLS, INVITE = id_of("hills"), id_of("invite")


def row(
    state: str = "active", peer: PeerView | None = None, *, is_own: bool = False, role: str = "node"
) -> NodeRow:
    return NodeRow(MemberView(HILLS, "hills", role, state, None), is_own, peer)


@pytest.mark.parametrize(("state", "is_odd"), [("active", False), ("suspended", True), ("removed", True)])
def test_a_node_that_is_not_active_is_marked(state: str, is_odd: bool) -> None:
    line = node_line(row(state))
    assert (state, is_odd) == (line.state, line.is_odd)


@pytest.mark.parametrize(
    ("given", "reach", "said"),
    [
        (row(is_own=True), "this node", ""),
        (row(), "not a direct neighbour", ""),
        (row(peer=PeerView(HILLS, "", "trusted", (), 3)), "connected", "3 s ago"),
        (row(peer=PeerView(HILLS, "", "silent", (), None)), "silent", "never"),
        (row(peer=PeerView(HILLS, "", "of a newer version", (), 3)), "of a newer version", "3 s ago"),
    ],
)
def test_whether_it_is_reachable(given: NodeRow, reach: str, said: str) -> None:
    line = node_line(given)
    assert (reach, said) == (line.reach, line.heard)


def test_a_role_of_a_newer_version_is_shown_as_it_is() -> None:
    assert "gateway" == node_line(row(role="gateway")).role
    assert "" == node_line(row()).role


def test_an_invite_says_who_signed_it_and_whether_it_was_used_too_often() -> None:
    once = Invite("0" * 64, INVITE, "node", 1, "open", 1)
    line = invite_line(InviteView(once, ("Rosa", "Pau"), (HILLS, INVITE)))
    assert (human_form(INVITE), "open", "Rosa, Pau", True) == (
        line.short,
        line.state,
        line.issuers,
        line.is_over,
    )
    assert not invite_line(InviteView(once, (), (HILLS,))).is_over

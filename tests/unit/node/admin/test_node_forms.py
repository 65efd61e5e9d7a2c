"""What an admin is told before a signature, and how an address is read."""

import pytest

from mesh.announcement import Address
from mesh.community_state import MemberView
from node.admin.fields import TypedForm
from node.admin.node_forms import SignQuestion, read_typed_address, state_question
from node.app.admin_community import NodeRow
from node.identity import human_form
from tests.fakes.neighbours import id_of

HILLS, INVITE = id_of("hills"), id_of("invite")


def asked(state: str, *, label: str = "hills", by_invite: bool = False, is_own: bool = False) -> SignQuestion:
    member = MemberView(HILLS, label, "node", "active", INVITE if by_invite else None)
    question = state_question(NodeRow(member, is_own, None), state)
    assert question is not None
    return question


@pytest.mark.parametrize(
    ("state", "said", "is_danger"),
    [
        ("suspended", "can take it back", True),
        ("removed", "may still hold copies", True),
        ("active", "let it in again", False),
    ],
)
def test_each_question_says_what_it_means(state: str, said: str, is_danger: bool) -> None:
    question = asked(state)
    assert is_danger == question.is_danger
    assert said in " ".join(question.meaning)
    assert "\u2068hills\u2069" in question.title
    assert (("id", HILLS), ("do", state)) == question.hidden


def test_a_node_without_a_name_is_called_by_its_id() -> None:
    assert human_form(HILLS) in asked("removed", label="").title


def test_the_invite_of_a_removed_node_is_named_and_the_own_node_warned_of() -> None:
    assert human_form(INVITE) in " ".join(asked("removed", by_invite=True).meaning)
    assert "that you are using" in " ".join(asked("suspended", is_own=True).meaning)
    assert "that you are using" not in " ".join(asked("active", is_own=True).meaning)


@pytest.mark.parametrize("state", ["", "promoted", "ACTIVE"])
def test_there_is_no_question_about_an_unknown_state(state: str) -> None:
    member = MemberView(HILLS, "hills", "node", "active", None)
    assert state_question(NodeRow(member, False, None), state) is None


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("10.0.0.1", Address("10.0.0.1", 7400)),
        (" 10.0.0.1:80 ", Address("10.0.0.1", 80)),
        ("[fd00::1]:9", Address("fd00::1", 9)),
        ("fd00::1", Address("fd00::1", 7400)),
        ("", None),
    ],
)
def test_an_address_is_read_as_people_write_it(typed: str, address: Address | None) -> None:
    form = TypedForm({"address": typed})
    assert (address, {}) == (read_typed_address(form, 7400), form.errors)


@pytest.mark.parametrize(
    "typed", ["hills", "10.0.0.1:0", "10.0.0.1:65536", "10.0.0.1:²", "[fd00::1", "x" * 61, ":"]
)
def test_a_wrong_address_is_refused(typed: str) -> None:
    form = TypedForm({"address": typed})
    assert read_typed_address(form, 7400) is None
    assert {"address"} == form.errors.keys()

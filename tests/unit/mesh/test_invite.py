"""Invites as text: read as they were written, and only whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.announcement import Address
from mesh.community_changes import new_invite
from mesh.invite import PREFIX, Invite, InviteText, invite_text, read_invite, read_invite_text
from mesh.page_format import Malformed
from tests.fakes.community_statements import SEED, begun, state_of
from tests.fakes.neighbours import key_of

FIRST = begun("square")
STATEMENT = new_invite(state_of(FIRST.community, FIRST.statements), key_of("rosa"), SEED, 3)
PLACES = (Address("fe80::1", 7400), Address("10.0.0.1", 7401))


def word() -> str:
    said = read_invite(STATEMENT)
    assert isinstance(said, Invite)
    return invite_text(SEED, STATEMENT, said, PLACES)


@pytest.mark.parametrize("around", ["{}", "http://10.77.0.1/?invite={}", "  {}\n"])
def test_an_invite_is_read_as_it_was_written(around: str) -> None:
    found = read_invite_text(around.format(word()))
    assert isinstance(found, InviteText)
    assert (SEED, STATEMENT, PLACES) == (found.seed, found.statement, found.addresses)
    assert (FIRST.community, 3) == (found.invite.community, found.invite.uses)


@given(st.integers(len(PREFIX), len(word()) - 1), st.sampled_from("abcXYZ019-_"))
def test_a_wrong_character_is_found_or_only_changes_an_address(at: int, letter: str) -> None:
    text = word()
    found = read_invite_text(text[:at] + letter + text[at + 1 :])
    assert isinstance(found, Malformed) or (SEED, STATEMENT) == (found.seed, found.statement)


@given(st.integers(0, 200))
def test_an_invite_without_its_end_is_refused(kept: int) -> None:
    assert isinstance(read_invite_text(word()[:kept]), Malformed)


@given(st.text() | st.text().map(lambda text: PREFIX + text))
def test_whatever_is_typed_nothing_is_raised(text: str) -> None:
    read_invite_text(text)

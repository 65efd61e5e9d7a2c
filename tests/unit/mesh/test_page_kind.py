"""What a kind of page says, and the kinds that this version does not know."""

import pytest

from mesh.page_kind import OTHER, Unread, is_member
from tests.fakes.mesh_exchange import an_other_page
from tests.fakes.neighbours import id_of


def test_every_node_of_the_community_may_sign_and_no_stranger() -> None:
    roster = frozenset({id_of("hill")})
    assert is_member(id_of("hill"), roster)
    assert not is_member(id_of("stranger"), roster)


def test_the_content_of_an_unknown_kind_is_never_interpreted() -> None:
    assert Unread() == OTHER.read(an_other_page(body=b"\xff not even text"))


@pytest.mark.parametrize("period", ["", "x" * 17, "A", "a/b", "a b", None, 7, "é"])
def test_a_period_of_an_unknown_kind_is_a_short_word(period: object) -> None:
    assert not OTHER.is_period(period)
    assert OTHER.is_period("2026-w48")

"""The registry of page kinds."""

from dataclasses import replace

import pytest

from mesh import page_kinds
from mesh.page_format import Malformed
from mesh.page_kind import OTHER, PageKind, Unread
from mesh.page_kinds import KINDS, kind_named, page_content
from mesh.usage_kind import PageContent
from tests.fakes.mesh_exchange import a_page, an_other_page
from tests.fakes.neighbours import id_of


def test_each_kind_is_found_by_its_name_and_every_other_name_is_kept_unread() -> None:
    assert all(kind_named(name) is kind and kind.name == name for name, kind in KINDS.items())
    assert kind_named("weather") is OTHER


def test_only_the_kinds_of_the_first_version_have_limits_of_their_own() -> None:
    """Or a node that knows a kind would keep other pages of it than one that does not."""
    assert {"usage", "past"} == {name for name, kind in KINDS.items() if kind.limit == "rows"}
    assert all((kind.replaces == "in its stream") == (kind.limit == "rows") for kind in KINDS.values())


def test_a_page_is_read_as_its_kind_says() -> None:
    assert isinstance(page_content(a_page()), PageContent)
    assert Unread() == page_content(an_other_page())


@pytest.mark.parametrize("may_sign", [True, False])
def test_a_page_of_a_later_kind_that_cannot_be_read_or_that_its_author_may_not_sign_is_kept_unread(
    monkeypatch: pytest.MonkeyPatch, may_sign: bool
) -> None:
    weather: PageKind[Unread] = replace(
        OTHER,
        name="weather",
        read=lambda _page: Malformed("no sky"),
        may_sign=lambda _author, _roster: may_sign,
    )
    monkeypatch.setitem(page_kinds.KINDS, "weather", weather)  # type: ignore[arg-type]
    assert Unread() == page_content(an_other_page(), frozenset({id_of("hill")}))

"""A page that is held is found by its author and label; what is held and is no page is none."""

from mesh.held_pages import held_page
from node.units import NodeId
from tests.fakes.mesh_exchange import an_other_page
from tests.fakes.neighbours import id_of

HILL = id_of("hill")


class OneHeldPage:
    """One page, whatever its bytes are."""

    def __init__(self, author: NodeId, label: str, raw: bytes) -> None:
        self._found = {(author, label): raw}

    def other_of(self, author: NodeId, label: str) -> bytes | None:
        return self._found.get((author, label))


def test_a_page_is_found_by_author_and_label() -> None:
    page = an_other_page("hill")
    held = OneHeldPage(HILL, page.label, page.raw)
    assert page == held_page(held, HILL, page.label)
    assert None is held_page(held, HILL, "other/now/0001")
    assert None is held_page(held, id_of("valley"), page.label)


def test_what_is_no_page_is_none() -> None:
    assert None is held_page(OneHeldPage(HILL, "a/now/0000", b'{"is":"beat"}'), HILL, "a/now/0000")
    assert None is held_page(OneHeldPage(HILL, "a/now/0000", b"\xff"), HILL, "a/now/0000")

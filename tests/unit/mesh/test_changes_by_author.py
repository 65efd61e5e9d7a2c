"""A list of changed pages costs little however many authors wrote them in turn."""

import pytest

from mesh import page_versions
from mesh.exchange import Exchange
from mesh.messages import EXTENSIONS, Changed, Page, Root, decode
from mesh.page_versions import ACTIVE_AUTHORS_MAX
from tests.fakes.mesh_exchange import VILLAGE, a_page
from tests.fakes.neighbours import id_of

AUTHORS = tuple(f"author-{number}" for number in range(2 * ACTIVE_AUTHORS_MAX))
LIVES = tuple(f"life-{number}" for number in range(1, 5))
HILL = id_of("hill")


def test_each_author_is_unpacked_once_for_a_list_of_changes_and_once_to_send_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exchange = Exchange(VILLAGE, lambda: frozenset({HILL, *map(id_of, AUTHORS)}))
    exchange.greet(HILL, EXTENSIONS)
    agreed = exchange.root()
    exchange.receive(HILL, Root(agreed))
    for life in LIVES:
        for author in AUTHORS:
            exchange.restore(a_page(author, incarnation=life))
    woken: list[object] = []
    awake = page_versions._awake

    def counted(resting: page_versions._RestingAuthor) -> page_versions._Author:
        woken.append(resting)
        return awake(resting)

    monkeypatch.setattr(page_versions, "_awake", counted)
    exchange.receive(HILL, Changed(agreed, ()))
    assert len(woken) <= len(AUTHORS)
    woken.clear()
    sent = 0
    while frame := exchange.next_frame(HILL):
        sent += isinstance(decode(frame), Page)
    assert len(AUTHORS) * len(LIVES) == sent
    assert len(woken) <= len(AUTHORS)

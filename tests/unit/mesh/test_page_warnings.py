"""What is wrong with pages is said in each language, and names the node."""

import pytest

from mesh.page_warnings import REPORTED, kept_in_memory, refused_pages, two_pages, unread_pages
from node.identity import human_form
from node.translator import LazyText, translate
from node.web.translations import read_catalogues
from tests.fakes.neighbours import id_of

HILL, VALLEY = id_of("hill"), id_of("valley")
EVERY: list[LazyText] = [
    *(refused_pages(author, HILL, reason) for author in (HILL, VALLEY) for reason in sorted(REPORTED)),
    two_pages(VALLEY),
    kept_in_memory("the disk is full"),
    unread_pages("the disk is gone"),
]


@pytest.mark.parametrize("reason", sorted(REPORTED))
def test_a_refusal_names_this_node_or_the_other_one(reason: str) -> None:
    assert f"this node {reason}" == refused_pages(HILL, HILL, reason)
    assert f"node {human_form(VALLEY)} {reason}" == refused_pages(VALLEY, HILL, reason)


@pytest.mark.parametrize("tag", ["ca", "es", "fr", "ar"])
def test_each_is_said_in_the_language_of_the_reader(tag: str) -> None:
    translator = read_catalogues().translations[tag]
    for text in EVERY:
        found = translate(text, translator)
        assert found != str(text), tag
        assert "{" not in found

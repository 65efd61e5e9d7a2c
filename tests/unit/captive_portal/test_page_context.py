"""Header and footer of every page: shortened names, links only where they are harmless, a language switch."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captive_portal.page_notices import Text, paragraphs
from captive_portal.request_context import contact_link, page_context
from node.web.language_choice import ENGLISH, Language, PageLanguage
from tests.fakes.portal_server import portal_node

COMMUNITY = portal_node().use_cases().portal.community()
ARABIC = Language("ar", "العربية", "rtl")


@pytest.mark.parametrize(
    ("contact", "expected"),
    [
        ("hello@vall.example", "mailto:hello@vall.example"),
        ("https://vall.example/help", "https://vall.example/help"),
        ("the library desk", ""),
        ("http://vall.example", ""),
        ("javascript:alert(1)", ""),
        ("https://vall.example/\"onclick='x'", ""),
        ("a@b.example?bcc=all@x.example", ""),
        ("a@b.example\r\nx", ""),
        ("@b.example", ""),
        ("", ""),
    ],
)
def test_only_a_safe_address_becomes_a_link(contact: str, expected: str) -> None:
    assert expected == contact_link(contact)


def test_long_terms_are_cut_between_words_with_a_note() -> None:
    text = paragraphs("Be kind.\n\n" + "word " * 1_000, 100)
    assert text.cut
    assert "Be kind." == text.paragraphs[0]
    assert text.paragraphs[1].endswith("word …")
    assert sum(map(len, text.paragraphs)) <= 102


def test_a_text_without_spaces_is_cut_between_letters() -> None:
    (only,) = paragraphs("善" * 1_000, 100).paragraphs
    assert "善" * 33 + " …" == only


def test_terms_that_fit_are_shown_whole() -> None:
    assert Text(("Be kind.", "Do not resell.")) == paragraphs(" Be\nkind.\n\n\n\nDo not resell.\n", 100)


@given(st.text(max_size=400), st.integers(1, 100))
def test_no_text_exceeds_its_limit(text: str, most: int) -> None:
    assert sum(len(each.encode()) for each in paragraphs(text, most).paragraphs) <= most + len(" …".encode())


def test_no_setting_makes_a_header_too_long() -> None:
    endless = page_context(replace(COMMUNITY, community="x" * 9_999, node="y" * 9_999, contact="z" * 9_999))
    assert (122, 122, 202) == (len(endless.community), len(endless.node), len(endless.contact))


def test_a_page_declares_its_language_and_offers_the_others() -> None:
    both = page_context(COMMUNITY, PageLanguage(ARABIC, (ENGLISH, ARABIC)), "/network")
    assert ("ar", "rtl", (ENGLISH, ARABIC), "/network") == (
        both.lang,
        both.direction,
        both.languages,
        both.path,
    )


def test_with_one_language_there_is_no_switch() -> None:
    assert () == page_context(COMMUNITY).languages

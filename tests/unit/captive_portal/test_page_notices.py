"""Notices in the reader's language, and services whose links are safe."""

from dataclasses import replace
from html import escape

import pytest

from captive_portal import page_notices
from node.accounts.notices import Notice, NoticeText
from node.accounts.terms import TermsText
from node.app.views import CommunityView
from node.config.settings import TERMS
from node.lan.mdns_services import ServiceView
from node.translator import ENGLISH
from tests.fakes.portal_server import portal_node, renderer

ASSEMBLY = (
    NoticeText("ca", "Assemblea", "Dissabte a les 11."),
    NoticeText("es", "Asamblea", "El sábado a las 11."),
)


def notice(text: str = "", urgent: bool = False) -> Notice:
    texts = (NoticeText("en", "Storm", text),) if text else ASSEMBLY
    return Notice(1, "network", "everyone", "", "2026-04-30", urgent, texts)


@pytest.mark.parametrize(
    ("language", "title"),
    [("ca", "Assemblea"), ("es", "Asamblea"), ("es-MX", "Asamblea"), ("de", "Assemblea")],
)
def test_a_notice_is_in_the_readers_language_or_in_its_first(language: str, title: str) -> None:
    (told,) = page_notices.page_notices((notice(),), language)
    assert (title, "2026-04-30", False) == (told.title, told.last_day, told.is_urgent)


def test_a_long_notice_is_shortened_beside_other_content() -> None:
    (short,) = page_notices.short_page_notices((notice("word " * 150),), "en")
    (whole,) = page_notices.page_notices((notice("word " * 150),), "en")
    assert (True, False) == (short.is_cut, whole.is_cut)
    assert short.text.endswith("word …")
    assert len(short.text) <= page_notices.SHORT_TEXT_BYTES_MAX + 2
    assert "word " * 150 == whole.text


def of_a_node(text: str, title: str = "Storm", node: str = "hill") -> Notice:
    return replace(notice(text, urgent=True), node=node, texts=(NoticeText("en", title, text),))


def test_urgent_notices_of_other_nodes_leave_half_of_the_places_to_those_of_this_node() -> None:
    told, own = (of_a_node("x"),) * 100, (notice("ours"),) * 40
    short = page_notices.short_page_notices((*told, *own), "en")
    assert ["hill", ""] == [each.node for each in short]
    whole = page_notices.page_notices((*told, *own), "en")
    assert (25, 25) == (sum(each.node == "hill" for each in whole), sum(not each.node for each in whole))
    assert 2 == len(page_notices.short_page_notices(told, "en"))
    assert 12 == len(page_notices.page_notices((*told[:10], *own[:2]), "en"))


def test_a_notice_of_empty_lines_does_not_push_the_first_page_away() -> None:
    (short,) = page_notices.short_page_notices((notice("a\n" * 500),), "en")
    assert short.is_cut
    assert short.text.count("\n") < page_notices.SHORT_LINES_MAX


@pytest.mark.parametrize("letter", ["x", '"', "&", "é", "善", "\U0001f327"])
def test_what_a_notice_takes_of_the_first_page_is_counted_as_it_is_written_there(letter: str) -> None:
    """One of another node with its name is not longer than one of this node."""
    for each, most in ((notice(letter * 900), 300), (of_a_node(letter * 900, letter * 80, letter * 60), 160)):
        (short,) = page_notices.short_page_notices((each,), "en")
        assert short.is_cut
        assert len(escape(short.text).encode()) <= most + 4
        assert len(escape(short.title).encode()) <= 100 + 4
        assert len(escape(short.node).encode()) <= 60 + 4


def terms_of(*texts: TermsText) -> CommunityView:
    """A community whose terms in force are these."""
    node = portal_node(terms=texts[0].text)
    use_cases = node.use_cases()
    if texts[1:]:
        use_cases.loop.registry.terms.adopt(texts, "2026-11-24", "admin", not_below="2")
    return use_cases.portal.community()


def test_the_terms_are_in_the_readers_language_where_they_have_it() -> None:
    view = terms_of(TermsText("en", "Be kind."), TermsText("ca", "Sigues amable."))
    assert TermsText("ca", "Sigues amable.") == page_notices.terms_text(view, "ca", ENGLISH)
    assert TermsText("en", "Be kind.") == page_notices.terms_text(view, "fr", ENGLISH)
    alone = terms_of(TermsText("en", "Be quiet."))
    assert TermsText("en", "Be quiet.") == page_notices.terms_text(alone, "ca", ENGLISH)


@pytest.mark.parametrize("tag", ["en", "fr", "es", "ca", "ar"])
def test_the_default_terms_exist_in_every_language(tag: str) -> None:
    told = page_notices.terms_text(terms_of(TermsText("en", TERMS)), tag, renderer().translations[tag])
    assert (tag, tag == "en") == (told.language, told.text == TERMS)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://wiki.lan/", "http://wiki.lan/"),
        ("https://10.77.0.5:8443/a?b=c", "https://10.77.0.5:8443/a?b=c"),
        ("http://[fd00::5]/", "http://[fd00::5]/"),
        ("javascript:alert(1)", ""),
        ("data:text/html,x", ""),
        ('http://a/"onclick="x', ""),
        ("//evil.example", ""),
        ("", ""),
    ],
)
def test_only_web_addresses_become_links(url: str, expected: str) -> None:
    (service,) = page_notices.services((ServiceView("Wiki", url, "", True),))
    assert expected == service.url


def test_configured_services_are_listed_before_discovered_ones() -> None:
    found, own = ServiceView("Printer", "", "", False), ServiceView("Wiki", "", "", True)
    assert ["Wiki", "Printer"] == [service.name for service in page_notices.services((found, own))]


def test_no_machine_on_the_lan_can_add_text_where_codes_are_entered() -> None:
    found, own = (
        ServiceView("Sign in here", "http://10.77.0.66/", "", False),
        ServiceView("Wiki", "", "", True),
    )
    assert ["Wiki"] == [service.name for service in page_notices.services_shortly((found, own))]
    assert page_notices.SHORT_SERVICES_MAX == len(page_notices.services_shortly((own,) * 99))


def test_no_machine_on_the_lan_makes_a_page_too_long() -> None:
    found = page_notices.services(
        (ServiceView("n" * 9_999, "http://a/" + "b" * 9_999, "t" * 9_999, False),) * 999
    )
    assert page_notices.SERVICES_MAX == len(found)
    assert ("n" * 80 + " …", "", "t" * 400 + " …") == (found[0].name, found[0].url, found[0].about)

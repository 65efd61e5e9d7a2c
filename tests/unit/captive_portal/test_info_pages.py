"""The pages that everybody may read: whole facts, cut to what a page may carry."""

from dataclasses import replace

from captive_portal import info_pages
from captive_portal.ports import KeptView, Refused
from tests.fakes.portal_backend import COMMUNITY, KEPT, FakePortalBackend
from tests.fakes.requests import context

ENDLESS = replace(
    COMMUNITY, sentences=("s" * 9_999,) * 999, help="h " * 9_999, terms="t " * 90_000, terms_version="7"
)


def test_no_rule_file_makes_a_page_without_end() -> None:
    network = info_pages.our_network(context(community=ENDLESS))
    assert (200, 400) == (len(network.sentences), len(network.sentences[0]))
    assert sum(map(len, network.help)) <= info_pages.HELP_BYTES_MAX + 2
    assert 400 == len(info_pages.refused(context(), Refused("trouble", "r" * 9_999)).reason)


def test_whoever_is_elsewhere_reads_the_rules_too() -> None:
    stranger = context(mac=None, path="/network")
    assert COMMUNITY.sentences == info_pages.our_network(stranger).sentences
    assert ((), ()) == (info_pages.notices(stranger).notices, info_pages.services(stranger).services)


def test_the_terms_are_whole_and_name_their_version() -> None:
    terms = info_pages.terms(context())
    assert (("Be kind to each other.", "Do not resell the line."), "2") == (terms.terms, terms.terms_version)


def test_privacy_is_what_the_tables_say() -> None:
    assert KEPT == info_pages.privacy(context()).kept

    class Hoarder(FakePortalBackend):
        def kept(self) -> tuple[KeptView, ...]:
            return KEPT * 999

    assert info_pages.KEPT_MAX == len(info_pages.privacy(context(Hoarder())).kept)


def test_who_was_removed_reads_why() -> None:
    page = info_pages.removed(context(), "shared a stolen key")
    assert (True, "shared a stolen key", "") == (page.removed, page.reason, page.rule)

"""The public pages: complete information, cut to what a page may hold."""

from dataclasses import replace

from captive_portal import info_pages
from node.app.views import KeptView, Refused
from tests.fakes.portal_backend import COMMUNITY, KEPT, FakePortalBackend
from tests.fakes.requests import context

ENDLESS = replace(
    COMMUNITY, sentences=("s" * 9_999,) * 999, help="h " * 9_999, terms="t " * 90_000, terms_version="7"
)


def test_no_rule_file_makes_a_page_too_long() -> None:
    network = info_pages.our_network(context(community=ENDLESS))
    assert (200, 400) == (len(network.sentences), len(network.sentences[0]))
    assert sum(map(len, network.help)) <= info_pages.HELP_BYTES_MAX + 2
    assert 400 == len(info_pages.refused(context(), Refused("trouble", "r" * 9_999)).reason)


def test_a_device_outside_the_client_network_reads_the_rules_too() -> None:
    stranger = context(mac=None, path="/network")
    assert COMMUNITY.sentences == info_pages.our_network(stranger).sentences
    assert ((), ()) == (info_pages.notices(stranger).notices, info_pages.services(stranger).services)


def test_the_terms_are_complete_and_name_their_version() -> None:
    terms = info_pages.terms(context())
    assert (("Be kind to each other.", "Do not resell the line."), "2") == (terms.terms, terms.terms_version)


def test_the_privacy_page_is_generated_from_the_data_inventory() -> None:
    assert KEPT == info_pages.privacy(context()).kept

    class Hoarder(FakePortalBackend):
        def kept(self) -> tuple[KeptView, ...]:
            return KEPT * 999

    assert info_pages.KEPT_MAX == len(info_pages.privacy(context(Hoarder())).kept)


def test_a_blocked_device_reads_why() -> None:
    page = info_pages.removed(context(), "shared a stolen key")
    assert (True, "shared a stolen key", "") == (page.removed, page.reason, page.rule)

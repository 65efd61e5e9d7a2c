"""The pages that everybody may read: whole facts, cut to what a page may carry."""

from dataclasses import replace

from captive_portal import pages
from captive_portal.ports import KeptView, Refused
from tests.fakes.house import COMMUNITY, KEPT, FakeHouse
from tests.fakes.visits import visit

ENDLESS = replace(
    COMMUNITY, sentences=("s" * 9_999,) * 999, help="h " * 9_999, terms="t " * 90_000, terms_version="7"
)


def test_no_rule_file_makes_a_page_without_end() -> None:
    network = pages.our_network(visit(community=ENDLESS))
    assert (200, 400) == (len(network.sentences), len(network.sentences[0]))
    assert sum(map(len, network.help)) <= pages.HELP_BYTES_MAX + 2
    assert 400 == len(pages.refused(visit(), Refused("trouble", "r" * 9_999)).reason)


def test_whoever_is_elsewhere_reads_the_rules_too() -> None:
    stranger = visit(mac=None, path="/network")
    assert COMMUNITY.sentences == pages.our_network(stranger).sentences
    assert ((), ()) == (pages.notices(stranger).notices, pages.services(stranger).services)


def test_the_terms_are_whole_and_name_their_version() -> None:
    terms = pages.terms(visit())
    assert (("Be kind to each other.", "Do not resell the line."), "2") == (terms.terms, terms.terms_version)


def test_privacy_is_what_the_tables_say() -> None:
    assert KEPT == pages.privacy(visit()).kept

    class Hoarder(FakeHouse):
        def kept(self) -> tuple[KeptView, ...]:
            return KEPT * 999

    assert pages.KEPT_MAX == len(pages.privacy(visit(Hoarder())).kept)


def test_who_was_removed_reads_why() -> None:
    page = pages.removed(visit(), "shared a stolen key")
    assert (True, "shared a stolen key", "") == (page.removed, page.reason, page.rule)

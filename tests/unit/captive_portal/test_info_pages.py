"""The public pages: complete information, cut to what a page may hold."""

from captive_portal import info_pages
from node.app.views import Refused
from node.governance.rule_table import RULES_MAX
from node.governance.sentences import describe
from tests.fakes.portal_server import context, portal_node
from tests.fakes.use_cases import ANA, KEPT, UseCases

WHO, LONG_WHO = '"tier:guest"', str([f"group:{letter * 39}" for letter in "abcdefghijklmnopqrstuvwxyz"])
RULE = (
    '[[rule]]\nid = "rule-{0}"\nceiling = "{1} kbit/s down, {1} kbit/s up"\nwho = "tier:guest"\nby = "D-1"\n'
)


def test_no_rule_file_makes_a_page_too_long() -> None:
    """The rule file has at most 200 rules, and all of them are shown."""
    rules = "".join(RULE.format(number, 900 + number) for number in range(RULES_MAX - 1))
    app = portal_node(
        rules=rules.replace(WHO, LONG_WHO, 1), help="h " * 9_999, terms="t " * 90_000
    ).use_cases()
    network = info_pages.our_network(context(app))
    assert (RULES_MAX + 5, 400) == (len(network.sentences), max(map(len, network.sentences)))
    assert sum(map(len, network.help)) <= info_pages.HELP_BYTES_MAX + 2
    assert 400 == len(info_pages.refused(context(app), Refused("trouble", "r" * 9_999)).reason)


def test_a_device_outside_the_client_network_reads_the_rules_too() -> None:
    stranger = context(mac=None, path="/network")
    assert describe(stranger.community.ruleset) == info_pages.our_network(stranger).sentences
    assert ((), ()) == (info_pages.notices(stranger).notices, info_pages.services(stranger).services)


def test_where_there_are_several_lines_people_read_which_they_use_here() -> None:
    several = '[uplink.mill]\ndown = "20 Mbit/s"\nup = "5 Mbit/s"\n'
    page = info_pages.our_network(context(portal_node(rules=several).use_cases()))
    assert "Here people use the line main." == page.sentences[0]
    assert "On the line mill: People share" in page.sentences[2]
    assert describe(context().community.ruleset) == info_pages.our_network(context()).sentences


def test_the_terms_are_complete_and_name_their_version() -> None:
    terms = info_pages.terms(context())
    assert (("Be kind to each other.", "Do not resell the line."), "2") == (terms.terms, terms.terms_version)


def test_the_privacy_page_is_generated_from_the_data_inventory() -> None:
    assert KEPT == info_pages.privacy(context()).kept
    assert len(KEPT) < info_pages.KEPT_MAX


async def test_a_blocked_device_reads_why(app: UseCases) -> None:
    await app.block(ANA, "shared a stolen key")
    page = info_pages.removed(context(app), app.guest(ANA).removed_because or "")
    assert (True, "shared a stolen key") == (page.removed, page.reason)

"""The handbook for admins is short, and names every page of the admin server as the page itself is called."""

import re

from node.app.admin_accounts import PAIRING_DAYS
from node.app.admin_sessions import LINK_LIFE
from node.config import default_of
from tests.docs.generated import ROOT

HANDBOOK = (ROOT / "deploy/HANDBOOK.md").read_text()
NAVIGATION = (ROOT / "node/admin/templates/inside.html").read_text()
WORDS_A_PAGE, PAGES_MAX = 450, 10


def test_it_has_at_most_ten_pages():
    assert len(HANDBOOK.split()) <= WORDS_A_PAGE * PAGES_MAX


def test_every_page_of_the_navigation_is_in_its_table_once():
    named = re.findall(r'nav_link\(page, "[^"]+", _\("([^"]+)"\)\)', NAVIGATION)
    table = HANDBOOK.partition("## The pages")[2].partition("##")[0]
    assert sorted(set(named)) == sorted(re.findall(r"^\| ([A-Z][a-z]+) \|", table, re.MULTILINE))


def test_what_it_says_of_times_and_ports_is_so():
    assert f":{default_of('admin.https_port')}`" in HANDBOOK
    assert f"signed in for {PAIRING_DAYS} days" in HANDBOOK.replace("\n", " ")
    assert (10, "for ten minutes" in HANDBOOK) == (LINK_LIFE // 60_000, True)

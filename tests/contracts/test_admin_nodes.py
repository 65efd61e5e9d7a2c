"""The page with the community's nodes, on the real use cases."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mesh.community_changes import first_record
from mesh.membership import NODE_ROLE, Membership, membership_fields
from mesh.signed_statement import make_statement
from node.identity import human_form, own_node_id
from tests.contracts.admin_browser import AdminBrowser, admin_browser
from tests.fakes.admin_pages import ISSUER_LINK, found_community
from tests.fakes.neighbours import id_of, key_of
from tests.fakes.use_cases import KEY


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[AdminBrowser]:
    async with admin_browser(tmp_path, is_populated=False) as opened:
        yield opened


async def page(browser: AdminBrowser, path: str = "/nodes") -> str:
    response, text = await browser.get(path)
    assert 200 == response.status
    return text


async def test_without_a_record_the_page_says_what_to_do(browser: AdminBrowser) -> None:
    await browser.sign_in()
    text = await page(browser)
    assert "This node follows no community record" in text
    assert human_form(own_node_id(KEY)) in text


async def test_the_page_shows_each_node_with_its_state_and_how_it_came(browser: AdminBrowser) -> None:
    await found_community(browser.app)
    await browser.sign_in()
    text = await page(browser)
    for name in ("hills", "library", "mill", "coast", "valley"):
        assert human_form(id_of(name)) in text
    for said in ("suspended", "removed", "one too many", "2 of 1", "connected", "Rosa"):
        assert said in text


async def test_issuers_do_not_see_it(browser: AdminBrowser) -> None:
    await browser.sign_in(ISSUER_LINK)
    response, _ = await browser.get("/nodes")
    assert 403 == response.status


async def test_a_label_is_shown_as_text(browser: AdminBrowser) -> None:
    first = first_record("<b>Vall</b>", "<script>alert(1)</script>", key_of("rosa"), [own_node_id(KEY)])
    said = Membership(first.community, id_of("hills"), "<img src=x>&", NODE_ROLE, "active", 2)
    statement = make_statement("membership", membership_fields(said), [key_of("rosa")])
    await browser.app.node.community.follow(first.community, (*first.statements, statement))
    await browser.sign_in()
    text = await page(browser)
    assert "<img src=x>" not in text
    assert "<script>alert" not in text
    assert "&lt;img src=x&gt;&amp;" in text


async def test_a_label_that_turns_the_text_around_is_not_taken_in(browser: AdminBrowser) -> None:
    first = first_record("Vall", "Rosa", key_of("rosa"), [own_node_id(KEY)])
    said = Membership(first.community, id_of("hills"), "abc\u202efed", NODE_ROLE, "active", 2)
    statement = make_statement("membership", membership_fields(said), [key_of("rosa")])
    await browser.app.node.community.follow(first.community, (*first.statements, statement))
    await browser.sign_in()
    text = await page(browser)
    assert "\u202e" not in text
    assert human_form(id_of("hills")) not in text


async def test_ten_thousand_nodes_are_shown_in_pages(tmp_path: Path) -> None:
    async with admin_browser(tmp_path, is_populated=False) as browser:
        many = [id_of(f"node {number}") for number in range(10_000)]
        browser.app.node.community._nodes = frozenset(many)
        await browser.sign_in()
        text = await page(browser)
        assert 50 == text.count('<tr role="row">\n<td role="cell" data-label="Node"')
        assert "/nodes?page=2" in text
        assert len(text) < 60_000
        last = await page(browser, "/nodes?page=200")
        assert 50 == last.count('<tr role="row">\n<td role="cell" data-label="Node"')

"""The page with the graph of the nodes, and its files for other programs, on the real use cases."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from mesh.node_kind import NodeFacts, NodeLink
from node.admin.network import FILE_NAMES
from node.app import node_summaries
from node.identity import own_node_id
from tests.contracts.admin_browser import AdminBrowser, admin_browser
from tests.fakes.admin_pages import ISSUER_LINK, found_community, name_links
from tests.fakes.neighbours import id_of
from tests.fakes.use_cases import KEY


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[AdminBrowser]:
    async with admin_browser(tmp_path, is_populated=False) as opened:
        yield opened


async def page(browser: AdminBrowser) -> str:
    response, text = await browser.get("/network")
    assert 200 == response.status
    return text


async def test_a_node_alone_is_a_graph(browser: AdminBrowser) -> None:
    await browser.sign_in()
    text = await page(browser)
    assert 1 == text.count('<circle class="')
    assert "This node is connected to no other one" in text


async def test_nodes_and_connections_are_drawn_and_in_tables(browser: AdminBrowser) -> None:
    await found_community(browser.app)
    hills, coast = id_of("hills"), id_of("coast")
    browser.app.node.node_pages = {
        hills: NodeFacts(
            "<b>hills</b>",
            "1.2.0",
            uplink=("main", "down"),
            load_percent=75,
            links=(NodeLink(own_node_id(KEY), 20, 50), NodeLink(coast, 5, 0)),
        ),
        coast: NodeFacts("coast", links=(NodeLink(hills, 5, 0),)),
    }
    await browser.sign_in()
    text = await page(browser)
    assert (3, 2, 1) == (text.count('<circle class="'), text.count("<line"), text.count('<line class="poor"'))
    assert "<b>hills</b>" not in text
    for said in (
        "&lt;b&gt;hills&lt;/b&gt;",
        "1.2.0",
        "75 %",
        "50 %",
        "20 ms",
        "5 ms",
        "offline",
        ">is down<",
    ):
        assert said in text, said


async def test_each_node_that_is_online_is_asked_what_it_was_like(browser: AdminBrowser) -> None:
    await found_community(browser.app)
    name_links(browser.app)
    own, hills, valley = own_node_id(KEY), id_of("hills"), id_of("valley")
    await browser.sign_in()
    text = await page(browser)
    assert {own, hills, valley} <= set(browser.app.node.asked.asked)
    for said in (
        "In the last five minutes",
        "40 % of 20 Mbit/s",
        "up to 20 Mbit/s",
        "about 25 devices · about 10 accounts",
        "fewer than 5 devices",
        "in the last hour 0 to 100 % of its line",
        "20 ms · 1 %",
        "3.3 GB",
        "2 min ago",
        "2 warnings",
    ):
        assert said in text, said
    assert "fewer than 5 devices ·" not in text
    assert 10 == text.count('width="6"')


async def test_without_an_answer_the_page_comes_all_the_same(
    browser: AdminBrowser, monkeypatch: pytest.MonkeyPatch
) -> None:
    await found_community(browser.app)
    name_links(browser.app)
    monkeypatch.setattr(node_summaries, "PATIENCE_S", 0.05)
    browser.app.node.asked.is_slow = True
    await browser.sign_in()
    assert "In the last five minutes" not in await page(browser)
    browser.app.node.asked.answer()
    text = await page(browser)
    assert "has not answered" not in text
    del browser.app.node.asked.heard[id_of("valley")]
    assert "has not answered" in await page(browser)


@pytest.mark.parametrize("path", FILE_NAMES.values())
async def test_the_files_are_for_admins_only(browser: AdminBrowser, path: str) -> None:
    response, _ = await browser.get(path)
    assert 200 != response.status
    await browser.sign_in()
    response, text = await browser.get(path)
    kind = path.rpartition(".")[2]
    assert (200, f"application/{kind}") == (response.status, response.content_type)
    nodes = json.loads(text)["nodes"] if kind == "json" else list(ElementTree.fromstring(text).iter("node"))
    assert 1 == len(nodes)


async def test_issuers_do_not_see_it(browser: AdminBrowser) -> None:
    await browser.sign_in(ISSUER_LINK)
    for path in ("/network", *FILE_NAMES.values()):
        response, _ = await browser.get(path)
        assert 403 == response.status

"""The admin pages about gateways, on the real use cases."""

import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from markupsafe import escape

from node.app.gateway_registry import NAMED_MAX, SILENT_AFTER
from node.config import ListenAddress
from node.gateways.gateway import Gateway
from node.gateways.told_gateway import ToldGateway
from node.identity import human_form
from node.units import MacAddress, Monotonic, NodeId
from node.web.router_scripts import ROUTER_SCRIPTS, router_script
from tests.contracts.admin_browser import AdminBrowser, admin_browser
from tests.fakes.admin_pages import ISSUER_LINK
from tests.fakes.use_cases import ANA, BEN


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[AdminBrowser]:
    async with admin_browser(tmp_path, is_populated=False) as opened:
        yield opened


async def test_a_router_that_asks_is_accepted_and_gets_its_configuration(browser: AdminBrowser) -> None:
    registry = browser.app.gateways.registry
    registry.ask("wifidog", '<b>"X1"</b>', "10.1.2.7")
    await browser.sign_in()
    _, text = await browser.get("/gateways")
    assert "<b>&#34;X1" not in text
    assert "10.1.2.7" in text
    (asked,) = registry.all
    response, _ = await browser.send("/gateways/accept", id=asked.gateway.id, name="the bakery")
    _, text = await browser.get(response.headers["Location"])
    (accepted,) = registry.all
    assert "accepted" == accepted.gateway.phase
    assert registry.secret(accepted.gateway) in text
    _, text = await browser.get(f"/gateways/wifidog.conf?id={asked.gateway.id}")
    assert f"AuthScriptPathFragment {registry.secret(accepted.gateway)}/auth/?" in text


async def test_a_refused_router_can_be_let_ask_again(browser: AdminBrowser) -> None:
    registry = browser.app.gateways.registry
    registry.ask("wifidog", "X1", "10.1.2.7")
    await browser.sign_in()
    (asked,) = registry.all
    await browser.send("/gateways/refuse", id=asked.gateway.id)
    assert "refused" == registry.all[0].gateway.phase
    _, text = await browser.get("/gateways")
    assert "Let it ask again" in text
    await browser.send("/gateways/remove", id=asked.gateway.id)
    assert () == registry.all


async def test_a_gateway_is_made_limited_and_removed(browser: AdminBrowser) -> None:
    registry = browser.app.gateways.registry
    await browser.sign_in()
    await browser.send("/gateways", name="the school", kind="apfree")
    (made,) = registry.accepted()
    former = registry.secret(made)
    response, text = await browser.send("/gateways/gateway", id=made.id, sources="nonsense")
    assert 422 == response.status
    assert "nonsense" in text
    await browser.send("/gateways/gateway", id=made.id, sources="10.1.2.0/24")
    await browser.send("/gateways/secret", id=made.id)
    (changed,) = registry.accepted()
    assert (("10.1.2.0/24",), 2) == (changed.sources, changed.serial)
    assert former != registry.secret(changed)
    await browser.send("/gateways/remove", id=made.id)
    assert () == registry.all


@pytest.mark.parametrize("kind", ["wifidog", "apfree", "opennds"])
async def test_each_kind_has_a_configuration_that_a_phone_can_scan(browser: AdminBrowser, kind: str) -> None:
    await browser.sign_in()
    response, _ = await browser.send("/gateways", name="the school", kind=kind)
    assert 303 == response.status
    response, text = await browser.get(response.headers["Location"])
    assert (200, 1) == (response.status, text.count('<div class="scan"'))
    (made,) = browser.app.gateways.registry.accepted()
    assert kind == made.kind
    assert made.id in text.partition("<pre")[2].partition("</pre>")[0]


@pytest.mark.parametrize("name", ROUTER_SCRIPTS)
async def test_the_scripts_of_an_opennds_router_are_downloaded(browser: AdminBrowser, name: str) -> None:
    made = await browser.app.gateways.registry.add("opennds", "the library")
    await browser.sign_in()
    _, text = await browser.get(f"/gateways/gateway?id={made.id}")
    assert f'href="/gateways/{name}"' in text
    response, script = await browser.get(f"/gateways/{name}")
    assert (200, router_script(name).decode()) == (response.status, script)
    assert "attachment" in response.headers["Content-Disposition"]
    assert "text/plain" == response.headers["Content-Type"].partition(";")[0]


async def test_a_name_is_needed_and_used_once(browser: AdminBrowser) -> None:
    await browser.sign_in()
    await browser.send("/gateways", name="the school")
    for name, said in (
        ("", "Write what people call the place"),
        ("THE school", "another gateway has this name"),
    ):
        response, text = await browser.send("/gateways", name=name)
        assert 422 == response.status
        assert said in text.lower() or said in text


@pytest.mark.parametrize(
    "path",
    ["/gateways/accept", "/gateways/refuse", "/gateways/gateway", "/gateways/secret", "/gateways/remove"],
)
async def test_a_gateway_that_is_gone_is_said_to_be(browser: AdminBrowser, path: str) -> None:
    await browser.sign_in()
    for gateway_id in ("", "ffffffff", "../../etc/passwd", "0" * 500):
        response, _ = await browser.send(path, id=gateway_id, name="x", sources="")
        assert 404 == response.status


async def test_an_issuer_sees_no_gateway_and_no_secret(browser: AdminBrowser) -> None:
    made = await browser.app.gateways.registry.add("wifidog", "the bakery")
    await browser.sign_in(ISSUER_LINK)
    for path in ("/gateways", f"/gateways/gateway?id={made.id}", f"/gateways/wifidog.conf?id={made.id}"):
        response, text = await browser.get(path)
        assert 403 == response.status
        assert not re.search(r"[a-z2-7]{26}/auth", text)


async def test_five_hundred_gateways_with_twenty_people_each_make_no_page_slow_or_large(
    browser: AdminBrowser,
) -> None:
    registry, service = browser.app.gateways.registry, browser.app.gateways._gateways
    made = [
        Gateway(f"{number:08x}", "wifidog", "accepted", f"place {number}", f"GW{number}", "")
        for number in range(500)
    ]
    registry._take({each.id: each for each in made})
    for number in range(10_000):
        service.here(made[number % 500], MacAddress(f"06:00:00:00:{number // 256:02x}:{number % 256:02x}"))
    await browser.sign_in()
    for page in ("/gateways", "/gateways?page=10", f"/gateways/gateway?id={made[77].id}", "/", "/people"):
        await browser.get(page)  # what is compiled once
        began = time.thread_time()
        response, text = await browser.get(page)
        spent_ms = 1000 * (time.thread_time() - began)
        assert (200, True, True) == (response.status, spent_ms < 300, len(text) < 64_000), (page, spent_ms)
    assert 500 == len(browser.app.gateways.rows())
    registry._since = Monotonic(registry._clock.monotonic() - SILENT_AFTER)
    warned = list(registry.warnings())
    assert NAMED_MAX + 1 == len(warned)
    assert f"silent too: {500 - NAMED_MAX} " in warned[-1]


async def test_gateways_of_another_node_are_shown_with_that_node_and_cannot_be_changed(
    browser: AdminBrowser,
) -> None:
    registry = browser.app.gateways.registry
    mill = Gateway("5a1b2c3d", "wifidog", "accepted", "<i>the mill</i>", "0012", "")
    registry.tell([ToldGateway(mill, NodeId("h" * 52), "e" * 32, b"k" * 32)])
    await browser.sign_in()
    _, text = await browser.get("/gateways")
    assert "&lt;i&gt;the mill" in text
    assert "Accepted at" in text
    assert human_form(NodeId("h" * 52)) in text
    for path in ("/gateways/gateway", "/gateways/secret", "/gateways/remove", "/gateways/accept"):
        await browser.send(path, id=mill.id, name="ours", sources="10.0.0.0/8")
    assert [mill] == [each.gateway for each in registry.told]
    assert registry.all == ()


async def test_a_gateway_says_which_node_serves_it_too(browser: AdminBrowser) -> None:
    registry = browser.app.gateways.registry
    made = await registry.add("wifidog", "the bakery")
    library = await registry.add("opennds", "the library")
    browser.app.gateways.other_node = lambda: NodeId("h" * 52)
    await browser.sign_in()
    _, text = await browser.get(f"/gateways/gateway?id={made.id}")
    assert human_form(NodeId("h" * 52)) in text
    _, text = await browser.get(f"/gateways/gateway?id={library.id}")
    assert "knows one node only" in text


async def test_the_list_of_people_names_the_gateway_behind_which_each_is(browser: AdminBrowser) -> None:
    gateways, app = browser.app.gateways, browser.app
    made = await gateways.registry.add("wifidog", "the <b>bakery")
    for mac in (ANA, BEN):
        await app.loop.admit(mac, "1")
    gateways._gateways.here(made, ANA)
    await browser.sign_in()
    _, text = await browser.get("/people")
    assert 1 == text.count("behind the gateway <bdi>the &lt;b&gt;bakery</bdi>")
    await app.loop.leave(ANA)
    _, text = await browser.get("/people")
    assert "behind the gateway" not in text


async def test_the_page_shows_what_each_of_two_nodes_is_to_name(browser: AdminBrowser) -> None:
    other, node = NodeId("h" * 52), browser.app.node
    node.configure(
        "gateways", listen=ListenAddress("0.0.0.0", 2080), host="vall.example", second="berg.example:2080"
    )
    gateways = browser.app.gateways
    gateways._settings, gateways._candidates = node.config.gateways, lambda: [other]
    await browser.sign_in()
    _, text = await browser.get("/gateways")
    for second, second_node in (("vall.example:2080", browser.app.loop.node), ("berg.example:2080", other)):
        lines = f'[gateways]\nsecond = "{second}"\nsecond_node = "{second_node}"\n'
        assert f'<pre tabindex="0" dir="ltr">{escape(lines)}</pre>' in text
    assert human_form(other) in text
    made = await gateways.registry.add("wifidog", "the bakery")
    _, text = await browser.get(f"/gateways/gateway?id={made.id}")
    assert 'href="/gateways#second"' in text
    gateways.other_node = lambda: other
    _, text = await browser.get("/gateways")
    assert "second_node" not in text
    assert human_form(other) in text


async def test_the_people_of_a_silent_gateway_are_not_known(browser: AdminBrowser) -> None:
    registry, clock = browser.app.gateways.registry, browser.app.node.clock
    made = await registry.add("wifidog", "the bakery")
    spoke = await registry.spoke(made, "wifidog", "X1", "10.1.2.7")
    assert spoke is not None
    browser.app.gateways._gateways.here(spoke, MacAddress("02:00:00:00:00:01"))
    (row,) = browser.app.gateways.rows()
    assert 1 == row.people
    assert "the bakery" == browser.app.gateways.name_at(MacAddress("02:00:00:00:00:01"))
    clock.pass_time(SILENT_AFTER)
    (row,) = browser.app.gateways.rows()
    assert row.people is None
    (shown,) = browser.app.gateways.on_map()
    assert (True, None) == (shown.is_silent, shown.people)
    await browser.sign_in()
    _, text = await browser.get("/gateways")
    assert "not known" in text

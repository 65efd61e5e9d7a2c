"""Gateways on a real socket: what routers with WiFiDog ask in both dialects, and what the people behind them see."""

import asyncio
import json
import re
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from urllib.parse import urlencode

import pytest

from captive_portal.gateway_server import CLIENTS_AT_ONCE, COUNTED_AT_ONCE, GatewayServer
from node.accounts.appearance import Appearance
from node.app.gateway_registry import GatewayRegistry
from node.app.gateway_service import GatewayService
from node.app.views import CodeTyped
from node.config import ListenAddress
from node.gateways.gateway import Gateway
from node.gateways.wifidog_reply import AuthCode
from node.gateways.wifidog_request import CLIENTS_MAX
from node.units import MacAddress
from node.web.router_scripts import ROUTER_SCRIPTS, router_script
from tests.contracts.test_portal import LOGO
from tests.fakes.portal_server import portal_node, renderer
from tests.fakes.use_cases import ANA, BEN, AppFixture, UseCases
from tests.fakes.wifidog_gateway import WifidogClient, WifidogGateway, code_of_reply, report

KEY, SECRET = b"k" * 32, b"the portal's secret, of 32 bytes"
GB = 10**9


@dataclass
class GatewayNode:
    """One run of a node that serves gateways, and one accepted gateway."""

    app: UseCases
    service: GatewayService
    server: GatewayServer
    accepted: Gateway
    router: WifidogGateway

    @property
    def registry(self) -> GatewayRegistry:
        return self.service.registry

    def other(self, gateway: Gateway, gw_id: str) -> WifidogGateway:
        """Another router, with the configuration of this gateway."""
        return WifidogGateway(self.server.bound[1], self.paths(gateway), gw_id)

    def paths(self, gateway: Gateway) -> tuple[str, str, str]:
        secret = self.registry.secret(gateway)
        return f"/gw/{gateway.id}/", f"/gw/{gateway.id}/{secret}/ping/", f"/gw/{gateway.id}/{secret}/auth/"

    async def browse(
        self, target: str, language: str = "en", form: dict[str, str] | None = None, headers: str = ""
    ) -> tuple[int, dict[str, str], str]:
        """As a browser behind the gateway: status, header fields and body."""
        body = b"" if form is None else urlencode(form).encode()
        method = "GET" if form is None else "POST"
        kind = "" if form is None else "Content-Type: application/x-www-form-urlencoded\r\n"
        head = (
            f"{method} {target} HTTP/1.1\r\nHost: auth.example:2080\r\nAccept-Language: {language}\r\n"
            f"Connection: close\r\nContent-Length: {len(body)}\r\n{kind}{headers}\r\n"
        )
        reply = await self.router.send(head.encode() + body)
        top, _, content = reply.partition(b"\r\n\r\n")
        status, *lines = top.decode().split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines)
        return int(status.split()[1]), fields, content.decode()

    async def join(
        self,
        client: WifidogClient,
        code: str = "",
        language: str = "en",
        router: WifidogGateway | None = None,
    ) -> str:
        """From the redirect to the page after the gateway has asked; returns that page's text."""
        router = router or self.router
        status, _, page = await self.browse(router.redirect(client), language)
        assert 200 == status, page
        form = hidden(page) | ({"code": code} if code else {})
        status, fields, answer = await self.browse(action(page), language, form)
        assert 303 == status, answer
        status, _, shown = await self.browse(await router.returned(client, fields["Location"]), language)
        assert 200 == status
        return shown

    def used(self, mac: MacAddress = ANA) -> int:
        return self.app.loop.effective_policy.used_this_month(self.app.loop.account_of(mac)).total


def hidden(page: str) -> dict[str, str]:
    """The hidden fields of the first form."""
    first = page.partition("<form")[2].partition("</form>")[0]
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', first)
    return {name: unescape(value) for name, value in found}


def action(page: str) -> str:
    found = re.search(r'action="(/gw/[^"]+)"', page)
    assert found is not None, page
    return found[1]


def ana() -> WifidogClient:
    return WifidogClient(ANA, "192.168.1.7")


@asynccontextmanager
async def one_run(node: AppFixture, *, killed: bool = False) -> AsyncIterator[GatewayNode]:
    async with node.life(killed=killed) as app:
        registry = GatewayRegistry(
            node.archive, node.clock, key=KEY, random=secrets.token_bytes, one_change=asyncio.Lock()
        )
        service = GatewayService(
            app.loop,
            app.portal.admission,
            registry,
            node.archive,
            node.clock,
            key=KEY,
            random=secrets.token_bytes,
        )
        server = GatewayServer(
            service,
            app.portal,
            ListenAddress("127.0.0.1", 0),
            secret=SECRET,
            boot=node.clock.boot,
            since_boot=node.clock.monotonic,
            clock=time.monotonic,
            renderer=renderer(),
        )
        task = asyncio.get_running_loop().create_task(server.run())
        await server.ready.wait()
        try:
            known = next(iter(registry.accepted()), None) or await registry.add("wifidog", "the bakery")
            fixture = GatewayNode(app, service, server, known, WifidogGateway(server.bound[1], ("", "", "")))
            fixture.router.paths = fixture.paths(known)
            yield fixture
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


@pytest.fixture
def node() -> AppFixture:
    return portal_node()


@pytest.fixture
async def at(node: AppFixture) -> AsyncIterator[GatewayNode]:
    async with one_run(node) as opened:
        yield opened


# --- the six acceptance checks of the protocol --------------------------------------------------


@pytest.mark.parametrize("prefix", ["", "wifidog/"])
@pytest.mark.parametrize("slash", ["", "/"])
async def test_1_http_1_0_without_connection_header_is_answered_and_closed(at, prefix, slash) -> None:
    secret = at.registry.secret(at.accepted)
    for name, wanted in (("ping", b"Pong"), ("auth", b"Auth: 0")):
        query = f"stage=counters&ip=1.2.3.4&mac={ANA}&token={'0' * 32}&incoming=1&outgoing=1&gw_id=X1"
        begun = time.monotonic()
        reply = await at.router.get(f"/gw/{secret}/{prefix}{name}{slash}?{query}")
        assert wanted in reply
        assert time.monotonic() - begun < 1


async def test_2_no_header_field_contains_auth(at) -> None:
    client = ana()
    await at.join(client)
    replies = [
        await at.router.get(f"{at.router.paths[1]}?gw_id={at.router.gw_id}"),
        await at.router.get(f"{at.router.paths[2]}?stage=counters&mac={ANA}&token={client.token}&gw_id=x"),
        await at.router.get("/nothing"),
        await at.router.get(at.router.redirect(client)),
    ]
    for reply in replies:
        assert b"Auth: " not in reply.partition(b"\r\n\r\n")[0]


@pytest.mark.parametrize(
    ("language", "word"), [("fr", "Vous êtes en ligne"), ("ca", "Tens connexió"), ("en", "You are online")]
)
async def test_3_from_the_redirect_to_the_portal_in_the_language_of_the_browser(at, language, word) -> None:
    client = ana()
    page = await at.join(client, language=language)
    assert client.may_pass
    assert f'lang="{language}"' in page
    assert word in page
    assert at.app.loop.session_table.is_admitted(ANA)


async def test_4_counters_above_a_quota_end_with_the_reason_and_lower_ones_change_nothing(at, node) -> None:
    client = ana()
    await at.join(client)
    client.incoming = 5 * GB
    node.clock.pass_time(600_000)
    await at.router.check()
    assert client.may_pass
    await at.app.settle()
    assert 5 * GB == at.used()
    assert 1 == await at.router.auth(client, "counters", incoming="1000000")
    await at.app.settle()
    assert 5 * GB == at.used()
    # The gateway starts again: it counts from zero, and that is added.
    at.router.restart()
    assert await at.router.ping()
    await at.join(client)
    client.incoming = 2 * GB
    await at.router.check()
    await at.app.settle()
    assert 7 * GB == at.used()
    node.clock.pass_time(3_000_000)
    client.incoming += 54 * GB
    await at.router.check()
    await at.app.settle()
    await at.router.check()
    assert not client.may_pass
    status, _, page = await at.browse(await refusing_page(at, client))
    assert 200 == status
    assert "60 GB" in page
    assert "is used up" in page


async def refusing_page(at: GatewayNode, client: WifidogClient) -> str:
    """The device tries again, and the gateway says where its browser goes."""
    _, _, page = await at.browse(at.router.redirect(client))
    _, fields, _ = await at.browse(action(page), form=hidden(page))
    return await at.router.returned(client, fields["Location"])


async def test_5_a_restart_between_login_and_counters_keeps_clients_online(node) -> None:
    client = ana()
    async with one_run(node) as at:
        await at.join(client)
        router = at.router
    for killed in (True, False):
        async with one_run(node, killed=killed) as at:
            router.port = at.server.bound[1]
            client.incoming += 1_000
            await router.check()
            assert client.may_pass
            await at.app.settle()
            assert client.incoming == at.used()


async def test_6_an_apfree_body_with_two_gateways_and_ipv6_counters_is_accounted_once(at) -> None:
    apfree = await at.registry.add("apfree", "the school")
    router = at.other(apfree, "lan1")
    tokens = {}
    for mac in (ANA, BEN):
        client = WifidogClient(mac, "192.168.8.7")
        asked = router.redirect(client).replace("gw_id=", "device_id=aw1&gw_id=")
        _, _, page = await at.browse(asked)
        _, fields, _ = await at.browse(action(page), form=hidden(page))
        tokens[mac] = re.search(r"token=([0-9a-f]+)&gw_id=lan1$", fields["Location"])[1]
        query = (
            f"stage=login&ip=1.2.3.4&mac={mac}&token={tokens[mac]}&incoming_bytes=0&outgoing_bytes=0"
            "&first_login=1&online_time=0&gw_id=lan1&gw_channel=lan&device_id=aw1"
        )
        assert 1 == code_of_reply(await router.get(f"{router.paths[2]}?{query}"))
    rows = {
        "lan1": [counted(1, ANA, tokens[ANA], 10_000, 1_000, 500, 50)],
        "lan2": [counted(1, BEN, tokens[BEN], 3_000, 300, 0, 0), counted(2, ANA, "f" * 32, GB, GB, 0, 0)],
    }
    for _ in range(2):
        assert {"lan1": {1: 1}, "lan2": {1: 1, 2: 0}} == await report(router, "aw1", rows)
    await at.app.settle()
    assert [11_550, 3_300] == [at.used(ANA), at.used(BEN)]


def counted(number: int, mac: str, token: str, down: int, up: int, down6: int, up6: int) -> dict[str, object]:
    return {
        "id": number,
        "mac": mac,
        "token": token,
        "ip": "192.168.8.7",
        "incoming_bytes": down,
        "outgoing_bytes": up,
        "incoming_bytes_v6": down6,
        "outgoing_bytes_v6": up6,
        "is_online": 1,
        "wired": 0,
    }


# --- routers that are not accepted --------------------------------------------------------------


async def test_a_router_with_a_wrong_secret_learns_nothing(at) -> None:
    wrong = WifidogGateway(at.server.bound[1], ("/gw/x/", f"/gw/{'a' * 26}/ping/", f"/gw/{'a' * 26}/auth/"))
    assert not await wrong.ping()
    assert await wrong.auth(ana(), "counters") is None
    unlike = await wrong.get("/no/such/path")
    for target in (
        f"/gw/{'a' * 26}/ping/?gw_id=X1",
        f"/gw/{at.accepted.id}/ping/?gw_id=X1",
        "/ping/?gw_id=X1",
    ):
        assert without_date(unlike) == without_date(await wrong.get(target))


def without_date(reply: bytes) -> bytes:
    return re.sub(rb"Date: [^\r]*\r\n", b"", reply)


@pytest.mark.parametrize("prefix", ["", "/wifidog"])
async def test_an_unknown_router_asks_and_its_people_are_told(at, prefix) -> None:
    await at.router.get(f"{prefix}/ping/?gw_id=00AABBCCDDEE&wifidog_uptime=9")
    asked = [each.gateway for each in at.registry.all if each.gateway.phase == "asked"]
    assert [("wifidog", "00AABBCCDDEE", "127.0.0.1")] == [(e.kind, e.called, e.address) for e in asked]
    at.router.paths = (f"{prefix}/", "", "")
    status, _, page = await at.browse(at.router.redirect(ana()), "fr")
    assert 403 == status
    assert "<form" not in page
    assert "Ce routeur" in page


async def test_two_routers_with_one_configuration_are_one_too_many(at) -> None:
    assert await at.router.ping()
    second = at.other(at.accepted, "00FFFFFFFFFF")
    assert not await second.ping()
    stranger = WifidogClient(ANA, "192.168.1.7", token="0" * 32)
    assert await second.auth(stranger, "counters") is None
    assert "other-router" == at.registry.status(at.accepted).trouble
    assert await at.router.ping()


async def test_a_gateway_with_source_limits_speaks_from_there_only(at) -> None:
    await at.registry.limit(at.accepted.id, ("127.0.0.9/32",))
    assert not await at.router.ping()
    at.router.source = "127.0.0.9"
    assert await at.router.ping()


async def test_a_day_of_silence_changes_nothing_for_its_people(at, node) -> None:
    client = ana()
    await at.join(client)
    client.incoming = 1_000
    await at.router.check()
    node.clock.pass_time(3_600_000)
    client.incoming = 9_000
    await at.router.check()
    assert client.may_pass
    await at.app.settle()
    assert 9_000 == at.used()


# --- people -------------------------------------------------------------------------------------


async def test_a_voucher_that_is_half_used_here_goes_on_there(at, node) -> None:
    (code,) = await at.app.codes(lasts_ms=3_600_000)
    await at.app.join(BEN, CodeTyped(code))
    node.pass_time(1_800_000)
    await at.app.settle()
    client = ana()
    page = await at.join(client, code)
    assert client.may_pass
    assert "30 min" in page
    node.pass_time(1_801_000)
    await at.app.settle()
    await at.router.check()
    assert not client.may_pass


async def test_a_wrong_code_comes_back_with_the_form(at) -> None:
    client = ana()
    page = await at.join(client, "AAAA-AAAA-AAAA", "fr")
    assert not client.may_pass
    assert 'id="why"' in page
    assert "code" in hidden(page) or 'name="code"' in page
    (code,) = await at.app.codes()
    form = hidden(page) | {"code": code}
    status, fields, _ = await at.browse(action(page), form=form)
    assert 303 == status
    await at.router.returned(client, fields["Location"])
    assert client.may_pass


async def test_an_invented_token_admits_nobody(at) -> None:
    client = WifidogClient(ANA, "192.168.1.7", token=secrets.token_hex(16))
    assert 0 == await at.router.auth(client, "login")
    assert 0 == await at.router.auth(client, "counters", incoming=str(GB))
    await at.app.settle()
    assert 0 == at.used()
    assert not at.app.loop.session_table.is_admitted(ANA)


async def test_the_browser_cannot_speak_for_another_device(at) -> None:
    """Ben's browser says that it is Ana's device; the gateway sees Ben's."""
    forged = ana()
    _, _, page = await at.browse(at.router.redirect(forged))
    _, fields, _ = await at.browse(action(page), form=hidden(page))
    ben = WifidogClient(BEN, "192.168.1.8")
    await at.router.returned(ben, fields["Location"])
    assert not ben.may_pass
    assert not at.app.loop.session_table.is_admitted(ANA)


async def test_nothing_personal_is_shown_without_the_token(at) -> None:
    client = ana()
    await at.join(client)
    client.incoming = 123_456_789
    await at.router.check()
    await at.app.settle()
    _, _, with_token = await at.browse(f"{at.router.paths[0]}portal/?gw_id=x&token={client.token}")
    _, _, without = await at.browse(f"{at.router.paths[0]}portal/?gw_id=x&mac={ANA}&token={'0' * 32}")
    assert "123" in with_token
    assert "123" not in without


@pytest.mark.parametrize(
    "changed",
    [
        {"gw_address": "203.0.113.9"},
        {"gw_address": "evil.example"},
        {"gw_port": "0"},
        {"gw_id": ""},
        {"gw_address": "192.168.1.1@evil.example"},
    ],
)
async def test_nobody_is_sent_elsewhere(at, changed) -> None:
    query = {"gw_address": "192.168.1.1", "gw_port": "2060", "gw_id": at.router.gw_id, "mac": ANA, "url": "x"}
    status, _, page = await at.browse(f"{at.router.paths[0]}login/?{urlencode(query | changed)}")
    assert 400 == status
    assert "<form" not in page
    _, _, good = await at.browse(f"{at.router.paths[0]}login/?{urlencode(query)}")
    form = hidden(good) | {"gateway": urlencode(query | changed)}
    status, fields, _ = await at.browse(action(good), form=form)
    assert 400 == status
    assert "Location" not in fields


async def test_a_form_of_another_site_or_without_its_token_does_nothing(at) -> None:
    _, _, page = await at.browse(at.router.redirect(ana()))
    form = hidden(page)
    status, fields, _ = await at.browse(action(page), form=form, headers="Origin: http://evil.example\r\n")
    assert (403, False) == (status, "Location" in fields)
    status, fields, _ = await at.browse(action(page), form=form | {"token": "0" * 32})
    assert (409, False) == (status, "Location" in fields)
    status, _, _ = await at.browse(action(page))
    assert 405 == status


async def test_what_the_router_says_is_never_markup(at) -> None:
    evil = '"><script>alert(1)</script>'
    query = {
        "gw_address": "192.168.1.1",
        "gw_port": "2060",
        "gw_id": at.router.gw_id,
        "mac": evil,
        "url": evil,
    }
    status, fields, page = await at.browse(f"{at.router.paths[0]}login/?{urlencode(query)}")
    assert 200 == status
    assert "<script" not in page
    assert "form-action 'self' http://192.168.1.1:2060;" in fields["Content-Security-Policy"]


async def test_the_welcome_page_is_small(at) -> None:
    _, fields, page = await at.browse(at.router.redirect(ana()))
    assert len(page.encode()) < 14_000
    assert "no-store" == fields["Cache-Control"]


async def test_pages_of_the_community_are_served_too(at) -> None:
    for path in ("/", "/network", "/privacy", "/help", "/terms", "/notices", "/services"):
        status, _, _ = await at.browse(path)
        assert 200 == status, path


async def test_the_language_can_be_chosen(at) -> None:
    _, _, page = await at.browse(at.router.redirect(ana()))
    found = re.search(r'<a href="([^"]+lang=fr)"', page)
    assert found is not None
    status, _, french = await at.browse(unescape(found[1]))
    assert 200 == status
    assert '<html lang="fr"' in french
    assert "lang" not in hidden(french)["gateway"]


# --- hostile requests ---------------------------------------------------------------------------

SHELL = "';$(touch /tmp/pwned)`|&\x00\r\nAuth: 1"


FIELDS = ("gw_id", "mac", "ip", "token", "stage", "gw_address", "gw_port", "url", "incoming")


@pytest.mark.parametrize("path", ["ping", "auth", "login", "portal", "gw_message.php"])
async def test_no_field_makes_an_error_or_lets_anybody_pass(at, path) -> None:
    secret = at.registry.secret(at.accepted)
    fields = {
        "gw_id": at.router.gw_id, "mac": ANA, "ip": "192.168.1.7", "token": "0" * 32, "stage": "counters",
        "gw_address": "192.168.1.1", "gw_port": "2060", "url": "http://example.org/", "incoming": "1",
    }  # fmt: skip
    for name in FIELDS:
        for value in ("", SHELL, "%" * 300, "9" * 300, "x" * 5_000, None):
            changed = {k: v for k, v in (fields | {name: value}).items() if v is not None}
            for query in (urlencode(changed), urlencode([*changed.items(), (name, "2")])):
                reply = await at.router.get(f"/gw/{secret}/{path}/?{query}")
                assert reply[9:12] in {b"200", b"400", b"403", b"404", b"414", b"431"}, reply[:200]
                assert code_of_reply(reply) != 1
    assert not Path("/tmp/pwned").exists()


async def test_truncated_requests_and_other_bytes(at) -> None:
    client = ana()
    await at.join(client)
    client.incoming = 5_000
    whole = f"GET {at.router.paths[2]}?stage=counters&mac={ANA}&token={client.token}&incoming=5000&gw_id=x HTTP/1.0"
    for length in range(0, len(whole), 7):
        reply = await at.router.send(f"{whole[:length]}\r\n\r\n".encode())
        assert b" 500 " not in reply[:20]
    for body in (b"{", b"[]", b"\xff" * 100, b'{"gateway":' * 500):
        reply = await at.router.get(f"{at.router.paths[2]}?stage=counters_v2", body=body)
        assert b" 400 " in reply[:20]


async def test_the_fast_path_answers_as_the_library_does(node, monkeypatch) -> None:
    said = []
    for is_fast in (True, False):
        if not is_fast:
            monkeypatch.setattr(GatewayServer, "_fast_answer", lambda *_asked: None)
        async with one_run(node) as at:
            client = ana()
            await at.join(client)
            bodies = []
            for token, mac in ((client.token, ANA), ("0" * 32, ANA), (client.token, BEN), ("x" * 99, ANA)):
                query = (
                    f"stage=counters&mac={mac}&token={token}&incoming=7&outgoing=1&gw_id={at.router.gw_id}"
                )
                for path in (at.router.paths[2], f"/gw/{at.registry.secret(at.accepted)}/wifidog/auth"):
                    reply = await at.router.get(f"{path}?{query}")
                    bodies.append((reply[9:12], reply.partition(b"\r\n\r\n")[2]))
            said.append(bodies)
    assert said[0] == said[1]
    assert b"Auth: 1\n" in [body for _, body in said[0]]


async def test_too_many_checks_of_one_gateway_leave_everything_as_it_is(at) -> None:
    client = ana()
    await at.join(client)
    now = time.monotonic()
    at.server._clock = lambda: now
    codes = [await at.router.auth(client, "counters") for _ in range(420)]
    assert {1, -1} == set(codes)
    at.server._clock = time.monotonic
    other = await at.registry.add("wifidog", "the school")
    assert await at.other(other, "X9").ping()


async def test_strangers_cannot_fill_the_list_or_the_memory(at) -> None:
    for number in range(200):
        await at.router.get(f"/ping/?gw_id=X{number}")
    assert 12 > len(at.registry.all)


async def test_the_communitys_logo_is_shown_behind_a_gateway_too(at) -> None:
    at.app.look_like(Appearance("#b02040", "#ff8899", logo=LOGO.uri))
    _, _, page = await at.browse(at.router.redirect(ana()))
    found = re.search(r'<img src="(/logo\?v=[0-9a-f]+)"', page)
    assert found is not None
    reply = await at.router.get(found[1])
    assert b" 200 " in reply[:20]
    assert LOGO.data in reply
    assert b" 404 " in (await at.router.get("/logo?v=0"))[:20]


async def test_a_long_body_of_counters_does_not_hold_the_node(at) -> None:
    client, turns = ana(), [0]
    await at.join(client)
    counted, seen = at.service.count, []

    def count(*reported):
        seen.append(turns[0])
        return counted(*reported)

    async def turn() -> None:
        while True:
            turns[0] += 1
            await asyncio.sleep(0)

    at.service.count = count
    reported = {"id": 1, "mac": ANA, "token": client.token, "incoming_bytes": 1, "outgoing_bytes": 1}
    rows = [{"gw_id": "x", "clients": [reported] * 1_000}]
    body = json.dumps({"device_id": at.router.gw_id, "gateway": rows}).encode()
    async with asyncio.TaskGroup() as tasks:
        turning = tasks.create_task(turn())
        await at.router.get(f"{at.router.paths[2]}?stage=counters_v2", body=body)
        turning.cancel()
    assert 1_000 == len(seen)
    assert max(seen.count(each) for each in set(seen)) <= COUNTED_AT_ONCE


async def test_bodies_are_limited_by_the_clients_in_them(at) -> None:
    """Each client costs as much as a check of its own."""
    reported = {"id": 1, "mac": ANA, "token": "0" * 32, "incoming_bytes": 1, "outgoing_bytes": 1}
    rows = [{"gw_id": "x", "clients": [reported] * CLIENTS_MAX}]
    body = json.dumps({"device_id": at.router.gw_id, "gateway": rows}).encode()
    target = f"{at.router.paths[2]}?stage=counters_v2"
    replies = [await at.router.get(target, body=body) for _ in range(CLIENTS_AT_ONCE // CLIENTS_MAX + 2)]
    assert all(b"auth_op" in each for each in replies[: CLIENTS_AT_ONCE // CLIENTS_MAX])
    assert AuthCode.ERROR == code_of_reply(replies[-1]), "the router leaves its people as they are"
    assert await at.router.ping()


@pytest.mark.parametrize("name", ROUTER_SCRIPTS)
async def test_a_router_fetches_its_scripts_without_a_secret(at, name: str) -> None:
    status, headers, body = await at.browse(f"/scripts/{name}")
    assert (200, router_script(name).decode()) == (status, body)
    assert headers["Content-Type"].startswith("text/plain")
    for other in ("", "..%2fgateway.py", f"{name}%00", "procomu"):
        status, _, _ = await at.browse(f"/scripts/{other}")
        assert 404 == status


@pytest.mark.parametrize("ask", ["roam", "login2", "ws/wifidogx"])
async def test_what_asks_by_a_hardware_address_alone_learns_nothing(at, ask: str) -> None:
    client = ana()
    await at.join(client)
    for base in (f"/gw/{at.accepted.id}", f"/gw/{at.registry.secret(at.accepted)}"):
        query = f"gw_id={at.router.gw_id}&mac={ANA}&ip=192.168.1.9&gw_channel=null"
        status, _, body = await at.browse(f"{base}/{ask}?{query}")
        assert 404 == status
        assert client.token
        assert client.token not in body

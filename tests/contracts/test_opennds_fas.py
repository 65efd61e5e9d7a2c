"""openNDS routers and the people behind them on a real socket: every level, and everything that others may send."""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from captive_portal.fas_site import FORMS_AT_ONCE, REFUSAL, REPORTS_AT_ONCE
from node.gateways.opennds_report import NO_NONCE
from tests.fakes.fas_fixture import SLOW_RULES, FasFixture, one_life
from tests.fakes.fas_server import fas_server
from tests.fakes.opennds_router import IV, FakeRouter, as_form, sealed_text
from tests.fakes.use_cases import AppFixture

FORM = "Content-Type: application/x-www-form-urlencoded\r\n"
FUZZED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@dataclass
class FasReply:
    status: int
    head: str
    body: str

    def field(self, name: str) -> str:
        found = re.search(rf"^{name}: (.*?)\r?$", self.head, re.MULTILINE | re.IGNORECASE)
        return found[1] if found else ""


@dataclass
class FasBrowser:
    """A browser and a router, which ask the node."""

    at: FasFixture
    port: int
    cookie: str = ""

    def path(self, level: int) -> str:
        return f"/gw/{self.at.gateway.id}/fas/{level}/"

    async def raw(self, request: bytes) -> FasReply:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(request)
        said = await asyncio.wait_for(reader.read(), 20)
        writer.close()
        head, _, body = said.decode("utf-8", "replace").partition("\r\n\r\n")
        return FasReply(int(head.split(" ", 2)[1]) if head else 0, head, body)

    async def get(self, target: str, *, lang: str = "fr") -> FasReply:
        head = f"Host: node\r\nAccept-Language: {lang}\r\nConnection: close\r\n"
        cookie = f"Cookie: {self.cookie}\r\n" if self.cookie else ""
        reply = await self.raw(f"GET {target} HTTP/1.1\r\n{head}{cookie}\r\n".encode())
        self.cookie = reply.field("Set-Cookie").partition(";")[0] or self.cookie
        return reply

    async def post(self, target: str, body: str, head: str = FORM) -> FasReply:
        head += f"Host: node\r\nConnection: close\r\nContent-Length: {len(body.encode())}\r\n"
        cookie = f"Cookie: {self.cookie}\r\n" if self.cookie else ""
        return await self.raw(f"POST {target} HTTP/1.1\r\n{head}{cookie}\r\n{body}".encode())

    async def join(self, router: FakeRouter, level: int, code: str = "") -> FasReply:
        """The person sends the form of the page, and follows it."""
        target = f"{self.path(level)}?{router.query(level)}"
        page = (await self.get(target)).body
        fields = dict(re.findall(r'name="(terms|token)" value="([^"]*)"', page))
        sent = await self.post(target, urlencode(fields | ({"code": code} if code else {})))
        assert 303 == sent.status
        return await self.get(sent.field("Location"))


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[FasBrowser]:
    async with (
        one_life(AppFixture(None, tmp_path, rules_text=SLOW_RULES)) as at,
        fas_server(at) as port,
    ):
        yield FasBrowser(at, port)


@pytest.mark.parametrize("level", range(5))
async def test_a_person_joins_with_a_voucher_and_reads_french(browser, level) -> None:
    (code,) = await browser.at.run.codes()
    router = browser.at.router()
    page = await browser.join(router, level, code)
    assert 200 == page.status
    assert "fr" == page.field("Content-Language")
    if level < 3:
        assert page.field("Refresh").startswith(f"0;url=http://{router.address}/opennds_auth/?tok=")
        online = await browser.get(f"{browser.path(level)}?{router.query(level)}&status=authenticated")
    else:
        assert page.field("Refresh").startswith("6;url=/gw/")
        for action, payload in (("clear", "none"), ("view", "none")):
            await authmon(browser, level, router.asking(action, payload))
        await browser.get(f"{browser.path(level)}?{router.query(level)}")
        body = (await authmon(browser, level, router.asking("view", "none"))).body
        rhid = body.split()[1][:64]
        assert "ack" == (await authmon(browser, level, router.asking("view", f"* {rhid}"))).body
        online = await browser.get(f"{browser.path(level)}?{router.query(level)}")
    assert "Vous êtes en ligne" in online.body


async def authmon(browser: FasBrowser, level: int, fields: dict[str, str]) -> FasReply:
    """Level 3 sends a form, level 4 a query with base64 as it is."""
    if level == 3:
        return await browser.post(browser.path(level), as_form(fields))
    query = "&".join(f"{name}={value}" for name, value in fields.items())
    return await browser.get(f"{browser.path(level)}?{query}")


@pytest.mark.parametrize("level", range(5))
async def test_what_a_client_used_comes_with_every_level(browser, level) -> None:
    router = browser.at.router()
    await browser.join(router, level)
    mac = browser.at.client(router, level, browser=browser.cookie.partition("=")[2]).mac
    if level >= 3:
        router.poll(browser.at.ask)
    client = browser.at.client(router, level, browser=browser.cookie.partition("=")[2])
    line = router.deauthed(5_000, 70).replace("custom=none", f"custom={browser.at.custom(router, client)}")
    fields = router.asking("deauthed", line) | {"gatewayhash": "0" * 64}
    assert "ack" == (await authmon(browser, 4, fields)).body
    assert "ack" == (await authmon(browser, 3, fields)).body
    await browser.at.run.settle()
    assert 5_070 == browser.at.run.portal.guest(mac).used.total


async def test_everything_that_is_not_valid_gets_one_and_the_same_refusal(browser) -> None:
    """So a reply tells nothing about a key: not which gateway, padding, form or level was wrong."""
    router, path = browser.at.router(), browser.path(3)
    fas = router.query(3).split("&")[0]
    flipped = fas[:-9] + ("A" if fas[-9] != "A" else "B") + fas[-8:]
    other = FakeRouter("f" * 30 + "0123456789abcdef" * 2)
    targets = [
        path,
        f"{path}?",
        f"{path}?fas=",
        f"{path}?{fas}",
        f"{path}?{fas}&iv=xx",
        f"{path}?{flipped}&iv={IV}",
        f"{path}?fas={sealed_text('hid=1', router.faskey)}&iv={IV}",
        f"{path}?{other.query(3)}",
        f"{path}?{router.query(1)}",
        f"{path}?auth_get=reboot&gatewayhash={'0' * 64}&payload=",
        f"{path}?auth_get=view&gatewayhash=../../etc/passwd&payload=",
        f"{path}?auth_get=view&auth_get=view&gatewayhash={'0' * 64}&payload=",
        f"/gw/ffffffff/fas/3/?{router.query(3)}",
        f"/gw/{browser.at.gateway.id}/fas/9/?{router.query(3)}",
        f"/gw/..%2f..%2fetc%2fpasswd/fas/3/?{router.query(3)}",
    ]
    replies = [await browser.get(target) for target in targets]
    assert {(403, REFUSAL)} == {(reply.status, reply.body) for reply in replies}
    lengths = {len(re.sub(r"Date: .*", "", reply.head)) for reply in replies}
    assert 1 == len(lengths)


@pytest.mark.parametrize("level", range(5))
async def test_no_reply_contains_a_key(browser, level) -> None:
    router = browser.at.router()
    page = await browser.join(router, level)
    for reply in (page, await browser.get(f"{browser.path(level)}?{router.query(level)}")):
        assert router.faskey not in reply.head + reply.body
        assert browser.at.people.registry.secret(browser.at.gateway) not in reply.head + reply.body


async def test_the_form_of_one_browser_is_not_taken_from_another(browser) -> None:
    router = browser.at.router()
    target = f"{browser.path(4)}?{router.query(4)}"
    page = (await browser.get(target)).body
    fields = dict(re.findall(r'name="(terms|token)" value="([^"]*)"', page))
    browser.cookie = f"gateway_browser={'f' * 32}"
    assert 403 == (await browser.post(target, urlencode(fields))).status
    assert not browser.at.run.loop.session_table.session_entries


async def test_a_page_changes_nothing_by_itself(browser) -> None:
    router = browser.at.router()
    for level in range(5):
        await browser.get(f"{browser.path(level)}?{router.query(level)}&terms=1&code=x")
    assert not browser.at.run.loop.session_table.session_entries


async def test_a_flood_of_forms_is_limited(browser) -> None:
    router = browser.at.router()
    target = f"{browser.path(1)}?{router.query(1)}"
    seen = [(await browser.post(target, "terms=x&token=x")).status for _ in range(FORMS_AT_ONCE + 20)]
    assert 429 in seen
    assert not browser.at.run.loop.session_table.session_entries


async def test_many_invented_browsers_take_nothing_from_those_who_were_here_before(browser) -> None:
    """A form counts for the device, then for the kind of device; one that is not signed changes nothing."""
    known, router = FasBrowser(browser.at, browser.port), browser.at.router()
    target = f"{browser.path(4)}?{router.query(4)}"
    tokens = re.findall(r'name="(terms|token)" value="([^"]*)"', (await known.get(target)).body)
    assert 303 == (await known.post(target, urlencode(dict(tokens)))).status
    seen = [
        (await joined(FasBrowser(browser.at, browser.port), target)).status for _ in range(FORMS_AT_ONCE + 10)
    ]
    assert [303] * (FORMS_AT_ONCE - 1) == seen[: FORMS_AT_ONCE - 1]
    assert 429 in seen
    assert 303 == (await known.post(target, urlencode(dict(tokens)))).status
    named = f"{browser.path(3)}?{router.query(3)}"
    assert 303 == (await joined(FasBrowser(browser.at, browser.port), named)).status, (
        "the router names this one"
    )


async def test_forms_that_were_not_made_here_take_nothing_from_others(browser) -> None:
    router = browser.at.router()
    target = f"{browser.path(4)}?{router.query(4)}"
    for number in range(2 * FORMS_AT_ONCE):
        browser.cookie = f"gateway_browser={number:032x}"
        await browser.post(target, "terms=x&token=x")
    assert 303 == (await joined(FasBrowser(browser.at, browser.port), target)).status


async def joined(browser: FasBrowser, target: str) -> FasReply:
    page = (await browser.get(target)).body
    fields = dict(re.findall(r'name="(terms|token)" value="([^"]*)"', page))
    return await browser.post(target, urlencode(fields))


def reported(at: FasFixture, clients: str, *, nonce: str = NO_NONCE, key: str = "") -> str:
    seal = hashlib.sha256(f"report {nonce}  {clients} {key or at.faskey}".encode()).hexdigest()
    return urlencode({"report": "1", "nonce": nonce, "seal": seal, "name": "", "clients": clients})


@pytest.mark.parametrize("level", range(5))
async def test_a_report_is_answered_at_each_level_and_only_with_the_routers_key(browser, level) -> None:
    path = browser.path(level)
    first = await browser.post(path, reported(browser.at, ""))
    word, nonce, _seal = first.body.split()
    assert (200, "again") == (first.status, word)
    then = await browser.post(path, reported(browser.at, "", nonce=nonce))
    assert "ok" == then.body.split()[0]
    assert browser.at.people.registry.reports(browser.at.gateway)
    for body in (
        reported(browser.at, "", nonce=nonce, key="f" * 64),
        reported(browser.at, "", nonce=nonce) + "&clients=x",
        "report=1",
        "report=1&nonce=&seal=&clients=",
        "report=%00",
    ):
        reply = await browser.post(path, body)
        assert (403, REFUSAL) == (reply.status, reply.body)


async def test_a_flood_of_forged_reports_stops_no_true_one(browser) -> None:
    path = browser.path(1)
    for _ in range(REPORTS_AT_ONCE + 20):
        assert 403 == (await browser.post(path, reported(browser.at, "", key="f" * 64))).status
    assert 200 == (await browser.post(path, reported(browser.at, ""))).status
    seen = [(await browser.post(path, reported(browser.at, ""))).status for _ in range(REPORTS_AT_ONCE + 20)]
    assert 429 in seen, "a router that goes wild is limited"


async def test_the_cookie_is_for_these_pages_only_and_survives_the_redirect(browser) -> None:
    router = browser.at.router()
    reply = await browser.get(f"{browser.path(1)}?{router.query(1)}")
    said = reply.field("Set-Cookie")
    assert re.fullmatch(r"gateway_browser=[0-9a-f]{32}; .*", said)
    assert {"HttpOnly", "Path=/gw/", "SameSite=Lax"} <= set(said.split("; "))


def parameters() -> st.SearchStrategy[str]:
    names = st.sampled_from(
        [
            "fas",
            "iv",
            "report",
            "nonce",
            "seal",
            "clients",
            "auth_get",
            "gatewayhash",
            "payload",
            "authaction",
            "tok",
            "redir",
            "status",
        ]
    )
    hostile = [
        "$(touch canary)",
        "`id`",
        "../../etc/passwd",
        "%00",
        "' OR 1=1",
        "<script>",
        "view",
        "deauthed",
        "*",
    ]
    values = st.sampled_from(hostile) | st.text(max_size=60) | st.text("A+/=% ", max_size=60)
    return st.lists(st.tuples(names, values), max_size=8).map(
        lambda pairs: "&".join(f"{name}={quote(value, safe='')}" for name, value in pairs)
    )


@FUZZED
@given(query=parameters(), level=st.sampled_from(range(5)), as_body=st.booleans())
async def test_no_request_is_an_error_of_the_node(browser, query, level, as_body) -> None:
    path = browser.path(level)
    reply = await (browser.post(path, query) if as_body else browser.get(f"{path}?{query}"))
    assert reply.status in {200, 400, 403, 429}


@FUZZED
@given(raw=st.binary(max_size=300), level=st.sampled_from(range(5)))
async def test_no_bytes_are_an_error_of_the_node(browser, raw, level) -> None:
    for head in (
        f"POST {browser.path(level)} HTTP/1.1\r\nHost: x\r\n{FORM}Content-Length: {len(raw)}\r\n\r\n",
        "GET ",
    ):
        reply = await browser.raw(head.encode() + raw + b"\r\n\r\nConnection: close\r\n\r\n")
        assert reply.status < 500


async def test_many_invented_requests_leave_nothing(browser) -> None:
    """Hashes, tokens and names that nobody has: no queue, session or grant is made for them."""
    for number in range(400):
        router = browser.at.router(name=f"R{number}", token=f"{number:08x}")
        await browser.get(f"{browser.path(4)}?{router.query(4)}")
        await authmon(browser, 4, router.asking("view", "none"))
        await authmon(browser, 4, router.asking("deauthed", router.deauthed(10**12, 10**12)))
    service = browser.at.service
    assert not service._queues
    assert not service._grants
    assert not service._let_in
    assert 400 == browser.at.people.people(browser.at.gateway).of_nobody


async def test_an_unknown_router_gets_the_same_refusal_and_asks_an_admin(browser) -> None:
    for number in range(200):
        reply = await browser.get(f"/fas/1/?{browser.at.router(name=f'R{number}').query(1)}")
        assert (403, REFUSAL) == (reply.status, reply.body)
    asked = [each for each in browser.at.people.registry.all if each.gateway.phase == "asked"]
    assert 0 < len(asked) <= 32

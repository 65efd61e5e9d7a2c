"""Forged forms, fields and headers, sent to every route of the portal.

Named after vulnerabilities elsewhere: CVE-2023-38313 to 38322, 38316 (a shell behind a field), 41101 (lengths),
39120 (paths), CVE-2026-30868 (changes by GET), CVE-2026-44195 (names in logs), wifidog-gateway #328, coova-chilli
#609.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

import pytest

from captive_portal import forms
from captive_portal.actions import ACTIONS
from captive_portal.views import FOR_ALL, FOR_DEVICES
from node.accounts.device_bindings import DEVICE_NAME_CHARS_MAX
from node.accounts.notices import Notice, NoticeText
from node.lan.mdns_services import ServiceView
from tests.contracts.portal_client import HOST, PortalBrowser, PortalReply
from tests.fakes.neighbours import id_of
from tests.fakes.portal_server import (
    ANAS_ADDRESS,
    SECRET,
    TOKENS,
    PortalServer,
    open_portal_server,
    portal_node,
)
from tests.fakes.use_cases import ANA, BEN, CARD, FIRST_CODE, PASSPHRASE

SCRIPT = "\"'><script>alert(1)</script>{{711*911}}<!--"
PRODUCT = "647721"
SHELL = "$(touch {canary});`touch {canary}`|touch {canary}&touch {canary}"
FIELDS = [(path, name) for path, wanted in ACTIONS.items() for name in ("token", *wanted.fields)]
OPTIONAL = [(path, name) for path, wanted in ACTIONS.items() for name in wanted.also]
FREE = [
    (path, name)
    for path, name in FIELDS
    if name in {"code", "card", "account", "host", "name", "text", "rule"}
]
SHAPED = {"device": BEN, "number": "1", "yes": "no", "terms": "2", "lang": "ca", "shown": "0" * 16}
LINES = ("a\nAccepted", "\u2028")
"""Line breaks that only a text of several lines may contain."""
HOSTILE = (*LINES, "\x00", "a\r\x1b", "\x1b[2J", "\x85")


@pytest.fixture
async def server() -> AsyncIterator[PortalServer]:
    """Ana is online as a member; Ben is not admitted."""
    async with open_portal_server() as server:
        await server.app.join_by_passphrase(ANA)
        yield server


Untouched = Callable[[], bool]


@pytest.fixture
def untouched(server: PortalServer) -> Untouched:
    """Whether nothing was changed since the test began, and Ana is still online."""
    before = server.app.snapshot()
    return lambda: before == server.app.snapshot() and {ANA} == server.app.passing()


def whole(path: str, mac: str = ANA, **changed: str) -> dict[str, str]:
    """All fields of a valid form."""
    fields = {name: SHAPED.get(name, "four plain words") for name in ACTIONS[path].fields}
    return fields | {"token": TOKENS.token(ACTIONS[path].purpose, mac)} | changed


async def send(
    browser: PortalBrowser, path: str, fields: dict[str, str] | list[tuple[str, str]], **headers: str
) -> PortalReply:
    return await browser.post(path, urlencode(fields), **headers)


# --- fields ---


@pytest.mark.parametrize(("path", "name"), FIELDS)
async def test_fields_that_are_missing_empty_duplicate_or_endless_are_refused(
    untouched: Untouched, ana: PortalBrowser, path: str, name: str
) -> None:
    fields = whole(path)
    missing = {key: value for key, value in fields.items() if key != name}
    assert 400 == (await send(ana, path, missing)).status
    assert 400 == (await send(ana, path, [*fields.items(), (name, fields[name])])).status
    assert 400 == (await send(ana, path, fields | {name: "9" * 5_000})).status
    assert 413 == (await send(ana, path, fields | {name: "9" * 65_536})).status
    assert untouched()
    assert (await send(ana, path, fields | {name: ""})).status in {303, 400, 403, 409, 422}
    assert 200 == (await ana.get("/network")).status


@pytest.mark.parametrize(("path", "name"), OPTIONAL)
async def test_optional_fields_have_limits_too(
    untouched: Untouched, ana: PortalBrowser, path: str, name: str
) -> None:
    for value in ("9" * 5_000, "\x00"):
        assert 400 == (await send(ana, path, whole(path) | {name: value})).status
    assert 400 == (await send(ana, path, [*whole(path).items(), (name, "a"), (name, "a")])).status
    assert untouched()


@pytest.mark.parametrize(("path", "name"), FREE)
async def test_no_line_break_or_control_character_is_accepted(
    untouched: Untouched, ana: PortalBrowser, path: str, name: str
) -> None:
    for value in HOSTILE:
        if name == "text" and value in LINES:
            continue
        assert 400 == (await send(ana, path, whole(path) | {name: value})).status
    assert untouched()


@pytest.mark.parametrize("path", ACTIONS)
async def test_unknown_fields_do_not_make_a_valid_form(
    untouched: Untouched, ana: PortalBrowser, path: str
) -> None:
    assert 400 == (await send(ana, path, whole(path) | {"is_admin": "1"})).status
    assert untouched()


@pytest.mark.parametrize(("path", "name"), FREE)
async def test_no_field_is_executed_and_none_is_rendered_as_markup(
    server: PortalServer, ben: PortalBrowser, ana: PortalBrowser, path: str, name: str, tmp_path: Path
) -> None:
    canary = tmp_path / "pwned"
    ran: list[str] = []
    watching = True

    def watch(event: str, _args: tuple) -> None:
        if watching and event in {"subprocess.Popen", "os.system", "os.exec", "os.fork", "os.posix_spawn"}:
            ran.append(event)

    sys.addaudithook(watch)
    most = forms.CHARACTERS_MAX[name]
    for poison in (SCRIPT, SHELL.format(canary=canary)):
        for browser, mac in ((ana, ANA), (ben, BEN)):
            reply = await send(browser, path, whole(path, mac) | {name: poison[:most]})
            assert "<script" not in reply.body
            assert PRODUCT not in reply.body
            assert "<script" not in (await browser.get("/")).body
    watching = False
    assert [] == ran
    assert not canary.exists()


# --- authentication of the request ---


ELSEWHERE = (
    {"Origin": "http://evil.example"},
    {"Origin": f"http://{HOST}.evil.example"},
    {"Origin": f"http://evil.example/{HOST}"},
    {"Origin": f"http://{HOST}@evil.example"},
    {"Origin": ""},
    {"Sec_Fetch_Site": "cross-site"},
    {"Sec_Fetch_Site": "same-site"},
    {"Origin": "null", "Sec_Fetch_Site": "cross-site"},
)


@pytest.mark.parametrize("path", ACTIONS)
async def test_a_form_of_another_site_changes_nothing(
    untouched: Untouched, ana: PortalBrowser, path: str
) -> None:
    for headers in ELSEWHERE:
        assert 403 == (await send(ana, path, whole(path), **headers)).status
    assert untouched()


@pytest.mark.parametrize("path", ACTIONS)
async def test_a_token_of_another_device_or_purpose_changes_nothing(
    untouched: Untouched, ana: PortalBrowser, path: str
) -> None:
    theirs = whole(path, BEN)["token"]
    others = [TOKENS.token(each, ANA) for each in forms.PURPOSES if each != ACTIONS[path].purpose]
    strange = replace(TOKENS, secret=bytes(32))
    login_throttle = ["0" * 32, SECRET.hex()[:32], strange.token(ACTIONS[path].purpose, ANA)]
    for token in (theirs, *others, *login_throttle):
        assert 403 == (await send(ana, path, whole(path, token=token))).status
    assert untouched()


@pytest.mark.parametrize("path", ACTIONS)
async def test_other_methods_change_nothing(untouched: Untouched, ana: PortalBrowser, path: str) -> None:
    for method in ("GET", "HEAD", "PUT", "DELETE", "PATCH"):
        reply = await ana.get(f"{path}?{urlencode(whole(path))}", method=method)
        assert 405 == reply.status
    assert untouched()


@pytest.mark.parametrize("path", [*FOR_ALL, *FOR_DEVICES])
async def test_a_form_posted_to_a_page_is_refused(
    untouched: Untouched, ana: PortalBrowser, path: str
) -> None:
    reply = await send(ana, path, whole("/erase"))
    assert (405, "GET, HEAD") == (reply.status, reply.headers["allow"])
    assert untouched()


@pytest.mark.parametrize("path", ACTIONS)
async def test_a_device_outside_the_client_network_changes_nothing(
    server: PortalServer, untouched: Untouched, path: str
) -> None:
    stranger = PortalBrowser(server.port, "127.0.0.3")
    assert 403 == (await send(stranger, path, whole(path))).status
    assert untouched()


NAMING = (
    "X_Forwarded_For",
    "X_Real_IP",
    "Forwarded",
    "X_Client_IP",
    "True_Client_IP",
    "Client_MAC",
    "X_Forwarded_Host",
)


@pytest.mark.parametrize("path", [*FOR_ALL, *FOR_DEVICES, "/captive-portal"])
async def test_no_header_impersonates_another_device(ben: PortalBrowser, path: str) -> None:
    """Ben sends requests in Ana's name, and reads only what Ben may read."""
    plain = await ben.get(path)
    for header in NAMING:
        for value in (ANAS_ADDRESS, f"for={ANAS_ADDRESS};host=evil.example", ANA, "evil.example"):
            said = await ben.get(path, **{header: value})
            assert (plain.status, plain.body) == (said.status, said.body)
            assert "evil" not in said.raw.decode()


HEADERS = {
    "Host": HOST,
    "User-Agent": "Mozilla/5.0",
    "Accept": "text/html",
    "Accept-Language": "en",
    "Accept-Encoding": "gzip",
    "Content-Type": "application/x-www-form-urlencoded",
    "Origin": f"http://{HOST}",
    "Referer": f"http://{HOST}/",
    "Sec-Fetch-Site": "same-origin",
    "Connection": "close",
}


@pytest.mark.parametrize("path", ACTIONS)
async def test_no_form_needs_a_header_other_than_host(
    server: PortalServer, ana: PortalBrowser, path: str
) -> None:
    body = urlencode(whole(path))
    for missing in HEADERS:
        lines = [f"{name}: {value}" for name, value in HEADERS.items() if name != missing]
        raw = "\r\n".join([f"POST {path} HTTP/1.1", *lines, f"Content-Length: {len(body)}", "", body])
        await server.app.join_by_card(ANA)
        before = server.app.snapshot()
        reply = await ana.send(raw.encode())
        assert reply.status in ({400} if missing == "Host" else {303, 403, 422, 429})
        if missing == "Host":
            assert before == server.app.snapshot()


READ = ("User_Agent", "Accept", "Accept_Language", "Referer", "Cookie", "Authorization", "Range")


@pytest.mark.parametrize("path", [*FOR_ALL, *FOR_DEVICES])
async def test_no_header_breaks_a_page(ana: PortalBrowser, path: str) -> None:
    for header in READ:
        for value in ("", "\xff\xfe", SCRIPT, "Basic %%%%", "a" * 4_000, ",;q=,=;" * 200):
            reply = await ana.get(path, **{header: value})
            assert reply.status in {200, 303}
            assert "<script" not in reply.body


# --- redirects ---


@pytest.mark.parametrize("path", [*FOR_ALL, *FOR_DEVICES, "/captive-portal", "/nothing"])
async def test_no_address_redirects_to_a_foreign_site(ana: PortalBrowser, path: str) -> None:
    for name in ("next", "redir", "url", "continue", "originurl", "lang", "done", "code", "card"):
        for target in ("http://evil.example/", "//evil.example", "javascript:alert(1)", "/\\evil.example"):
            reply = await ana.get(f"{path}?{urlencode({name: target})}")
            assert reply.headers.get("location", "/") in {"/", "/me", f"http://{HOST}/"}
            assert "evil" not in reply.body
            assert "javascript:" not in reply.body


@pytest.mark.parametrize("path", ACTIONS)
async def test_every_change_redirects_to_a_page_of_the_portal(ana: PortalBrowser, path: str) -> None:
    reply = await send(ana, path, whole(path), Referer="http://evil.example/")
    assert reply.headers.get("location", "/") in {
        "/",
        "/me",
        "/me#add",
        "/me?done=named",
        "/me?done=contested",
        "/me?done=read",
    } | {"/me?done=passphrase"}


@pytest.mark.parametrize("path", ACTIONS)
async def test_only_the_portals_own_names_are_answered(
    untouched: Untouched, ana: PortalBrowser, path: str
) -> None:
    """DNS rebinding: a foreign name that resolves to our address is redirected to the portal and changes nothing."""
    for host in ("evil.example", f"{HOST}.evil.example", f"evil.{HOST}", f"{HOST}:80@evil.example", ""):
        reply = await ana.post(path, urlencode(whole(path)), host=host)
        assert reply.status in {302, 400}
    assert untouched()


# --- text written by people ---


async def test_texts_of_all_authors_are_rendered_as_text() -> None:
    """Members, machines on the LAN and admins write texts that others read."""
    members = f"[[account]]\nid = 'ana'\nname = {json.dumps(SCRIPT)}\n"
    node = portal_node(members=members)
    node.configure("community", name=SCRIPT)
    node.configure("node", name=SCRIPT, contact=SCRIPT, terms=SCRIPT, help=SCRIPT)
    node.services = (
        ServiceView(SCRIPT, "javascript:alert(1)", SCRIPT, False),
        ServiceView(SCRIPT, SCRIPT, "", True),
    )
    async with open_portal_server(node) as server:
        app, ana, ben = server.app, PortalBrowser(server.port), PortalBrowser(server.port, "127.0.0.2")
        await app.put_up(Notice(0, "network", "everyone", "", "", True, (NoticeText("en", SCRIPT, SCRIPT),)))
        app.loop.registry.heard_notices.name_of = lambda _node: SCRIPT
        told = (NoticeText("en", SCRIPT, SCRIPT),)
        app.hear_notices(id_of("hills"), Notice(0, "network", "everyone", "", "", is_urgent=True, texts=told))
        await app.join_by_card(ANA)
        assert await app.portal.name_device(ANA, ANA, SCRIPT[:DEVICE_NAME_CHARS_MAX]) is None
        assert await app.portal.add_objection(ANA, SCRIPT, SCRIPT) is None
        await app.answer_objection(1, SCRIPT)
        await app.ask(BEN, name=SCRIPT[:DEVICE_NAME_CHARS_MAX])
        assert SCRIPT == app.guest(ANA).name
        pages = [await browser.get(path) for browser in (ana, ben) for path in (*FOR_ALL, *FOR_DEVICES)]
        await app.block(BEN, SCRIPT)
        pages.append(await ben.get("/"))
    for page in pages:
        assert page.status in {200, 303, 403}
        if "json" not in page.headers.get("content-type", ""):
            assert "<script" not in page.body
            assert "javascript:" not in page.body
            assert "{{711*911}}" in page.body or 303 == page.status
            assert PRODUCT not in page.body


async def test_no_response_contains_a_secret(
    server: PortalServer, ana: PortalBrowser, ben: PortalBrowser
) -> None:
    """Neither the portal's key, nor a passphrase, nor what was given to another person."""
    (voucher,) = await server.app.codes()
    await server.app.join_by_card(BEN, "carme")
    await send(ana, "/devices/code", whole("/devices/code"))
    anas = [TOKENS.token(purpose, ANA) for purpose in forms.PURPOSES]
    code = server.app.guest(ANA).device_code
    assert code is not None
    for path in (*FOR_ALL, *FOR_DEVICES, "/captive-portal", "/nothing"):
        for browser in (ana, ben):
            raw = (await browser.get(path)).raw
            assert SECRET not in raw
            assert SECRET.hex().encode() not in raw
            assert PASSPHRASE.encode() not in raw
            assert CARD.encode() not in raw
            assert voucher.encode() not in raw
        for secret in (*anas, code.code, ANA):
            assert secret not in (await ben.get(path)).raw.decode()


async def test_no_log_contains_what_people_typed_or_who_they_are(
    server: PortalServer, ana: PortalBrowser, ben: PortalBrowser, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    assert [FIRST_CODE] == await server.app.codes()
    before = server.app.snapshot()
    typed = {"code": FIRST_CODE, "card": CARD, "account": "ana", "passphrase": PASSPHRASE}
    for browser, mac in ((ben, BEN), (ana, ANA)):
        for path in ACTIONS:
            known = {name: value for name, value in typed.items() if name in ACTIONS[path].fields}
            await send(browser, path, whole(path, mac) | known)
    assert before != server.app.snapshot()
    for secret in (*typed.values(), ANA, BEN, ANAS_ADDRESS, SECRET.hex()):
        if secret != "ana":
            assert secret not in caplog.text


async def test_personal_pages_are_not_cached(server: PortalServer, ana: PortalBrowser) -> None:
    """After an erasure no page that was made for that person remains."""
    before = server.portal._renderer.render_cached.cache_info().currsize
    for path in FOR_DEVICES:
        await ana.get(path)
    await send(ana, "/devices/name", whole("/devices/name"))
    await send(ana, "/join/code", whole("/join/code", code="nonsense"))
    assert before == server.portal._renderer.render_cached.cache_info().currsize
    await ana.get("/privacy")
    assert before <= server.portal._renderer.render_cached.cache_info().currsize


async def test_simultaneous_joins_do_not_mix(
    server: PortalServer, ana: PortalBrowser, ben: PortalBrowser
) -> None:
    """coova-chilli #609: two sign-ins shared one challenge."""
    await server.app.portal.leave(ANA)
    (code,) = await server.app.codes()
    async with asyncio.TaskGroup() as tasks:
        for _ in range(10):
            tasks.create_task(send(ana, "/join/code", whole("/join/code", code=code)))
            tasks.create_task(send(ben, "/join/terms", whole("/join/terms", BEN)))
            tasks.create_task(send(ben, "/join/passphrase", whole("/join/passphrase", BEN, account="ana")))
    assert (True, "guest-0b", {ANA, BEN}) == (
        str(server.app.guest(ANA).account).startswith("voucher-"),
        server.app.guest(BEN).account,
        server.app.passing(),
    )


async def test_simultaneous_join_and_leave_end_in_one_of_both(
    server: PortalServer, ana: PortalBrowser
) -> None:
    """CVE-2024-25763: a portal used a client after freeing it."""
    async with asyncio.TaskGroup() as tasks:
        for path in ("/leave", "/join/terms", "/erase", "/devices/code", "/contest") * 10:
            tasks.create_task(send(ana, path, whole(path)))
    state = server.app.guest(ANA).state
    assert state in {"admitted", "waiting"}
    assert ("admitted" == state) is (ANA in server.app.passing())
    assert 200 == (await ana.get("/")).status

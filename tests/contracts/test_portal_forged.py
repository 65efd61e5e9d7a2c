"""Whoever forges a form, a field or a header: each door of the portal against each way of lying to it.

Named after what went wrong elsewhere: CVE-2023-38313 to 38322, 38316 (a shell behind a field), 41101 (lengths),
39120 (paths), CVE-2026-30868 (changes by GET), CVE-2026-44195 (names in logs), wifidog-gateway #328, coova-chilli #609.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

import pytest

from captive_portal import forms, guests
from captive_portal.changes import CHANGES
from captive_portal.ports import ServiceView
from captive_portal.reading import FOR_ALL, FOR_DEVICES
from node.membership.contests import Contest
from node.membership.notices import Notice, NoticeText
from tests.contracts.portal_client import HOST, Browser, Reply
from tests.fakes.front_door import ANA, ANAS_ADDRESS, BEN, SECRET, TOKENS, FrontDoor, open_door
from tests.fakes.house import ALLOWANCE, ANAS_PASSPHRASE, COMMUNITY, GOOD_CODE, HOUSE_CARD, TODAY, FakeHouse
from tests.fakes.visits import inside

SCRIPT = "\"'><script>alert(1)</script>{{711*911}}<!--"
PRODUCT = "647721"
SHELL = "$(touch {canary});`touch {canary}`|touch {canary}&touch {canary}"
FIELDS = [(path, name) for path, wanted in CHANGES.items() for name in ("token", *wanted.fields)]
OPTIONAL = [(path, name) for path, wanted in CHANGES.items() for name in wanted.also]
FREE = [
    (path, name)
    for path, name in FIELDS
    if name in {"code", "card", "account", "host", "name", "text", "rule"}
]
SHAPED = {"device": BEN, "number": "1", "yes": "no", "terms": "2", "lang": "ca"}
LINES = ("a\nAccepted", "\u2028")
"""What a text of several lines may hold, and nothing else."""
HOSTILE = (*LINES, "\x00", "a\r\x1b", "\x1b[2J", "\x85")


@pytest.fixture
async def door() -> AsyncIterator[FrontDoor]:
    """Ana is in, as a member; Ben is nobody."""
    async with open_door(inside(FakeHouse(allowance=ALLOWANCE))) as door:
        yield door


def whole(path: str, mac: str = ANA, **changed: str) -> dict[str, str]:
    """The fields of an honest form."""
    fields = {name: SHAPED.get(name, "four plain words") for name in CHANGES[path].fields}
    return fields | {"token": TOKENS.token(CHANGES[path].purpose, mac)} | changed


async def send(
    browser: Browser, path: str, fields: dict[str, str] | list[tuple[str, str]], **headers: str
) -> Reply:
    return await browser.post(path, urlencode(fields), **headers)


def untouched(door: FrontDoor) -> bool:
    """Nothing was asked of the house, and Ana is still in."""
    return [] == door.house.calls and {ANA} == set(door.house.passing)


# --- fields ---


@pytest.mark.parametrize(("path", "name"), FIELDS)
async def test_a_field_that_is_missing_empty_double_or_endless(
    door: FrontDoor, ana: Browser, path: str, name: str
) -> None:
    fields = whole(path)
    missing = {key: value for key, value in fields.items() if key != name}
    assert 400 == (await send(ana, path, missing)).status
    assert 400 == (await send(ana, path, [*fields.items(), (name, fields[name])])).status
    assert 400 == (await send(ana, path, fields | {name: "9" * 5_000})).status
    assert 413 == (await send(ana, path, fields | {name: "9" * 65_536})).status
    assert untouched(door)
    assert (await send(ana, path, fields | {name: ""})).status in {303, 400, 403, 409, 422}
    assert 200 == (await ana.get("/network")).status


@pytest.mark.parametrize(("path", "name"), OPTIONAL)
async def test_a_field_that_may_be_left_out_has_its_limits_too(
    door: FrontDoor, ana: Browser, path: str, name: str
) -> None:
    for value in ("9" * 5_000, "\x00"):
        assert 400 == (await send(ana, path, whole(path) | {name: value})).status
    assert 400 == (await send(ana, path, [*whole(path).items(), (name, "a"), (name, "a")])).status
    assert untouched(door)


@pytest.mark.parametrize(("path", "name"), FREE)
async def test_nothing_that_could_forge_a_line_gets_in(
    door: FrontDoor, ana: Browser, path: str, name: str
) -> None:
    for value in HOSTILE:
        if name == "text" and value in LINES:
            continue
        assert 400 == (await send(ana, path, whole(path) | {name: value})).status
    assert untouched(door)


@pytest.mark.parametrize("path", CHANGES)
async def test_a_field_of_somebody_elses_makes_no_form_of_ours(
    door: FrontDoor, ana: Browser, path: str
) -> None:
    assert 400 == (await send(ana, path, whole(path) | {"is_admin": "1"})).status
    assert untouched(door)


@pytest.mark.parametrize(("path", "name"), FREE)
async def test_no_field_is_run_and_none_is_shown_as_markup(
    door: FrontDoor, ben: Browser, ana: Browser, path: str, name: str, tmp_path: Path
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


# --- who asks ---


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


@pytest.mark.parametrize("path", CHANGES)
async def test_a_page_of_another_site_changes_nothing(door: FrontDoor, ana: Browser, path: str) -> None:
    for headers in ELSEWHERE:
        assert 403 == (await send(ana, path, whole(path), **headers)).status
    assert untouched(door)


@pytest.mark.parametrize("path", CHANGES)
async def test_a_token_of_another_device_or_purpose_changes_nothing(
    door: FrontDoor, ana: Browser, path: str
) -> None:
    theirs = whole(path, BEN)["token"]
    others = [TOKENS.token(each, ANA) for each in forms.PURPOSES if each != CHANGES[path].purpose]
    strange = replace(TOKENS, secret=bytes(32))
    guesses = ["0" * 32, SECRET.hex()[:32], strange.token(CHANGES[path].purpose, ANA)]
    for token in (theirs, *others, *guesses):
        assert 403 == (await send(ana, path, whole(path, token=token))).status
    assert untouched(door)


@pytest.mark.parametrize("path", CHANGES)
async def test_nothing_changes_by_another_method(door: FrontDoor, ana: Browser, path: str) -> None:
    for method in ("GET", "HEAD", "PUT", "DELETE", "PATCH"):
        reply = await ana.get(f"{path}?{urlencode(whole(path))}", method=method)
        assert 405 == reply.status
    assert untouched(door)


@pytest.mark.parametrize("path", [*FOR_ALL, *FOR_DEVICES])
async def test_a_form_sent_to_a_page_is_refused(door: FrontDoor, ana: Browser, path: str) -> None:
    reply = await send(ana, path, whole("/erase"))
    assert (405, "GET, HEAD") == (reply.status, reply.headers["allow"])
    assert untouched(door)


@pytest.mark.parametrize("path", CHANGES)
async def test_nobody_elsewhere_changes_anything(door: FrontDoor, path: str) -> None:
    stranger = Browser(door.port, "127.0.0.3")
    assert 403 == (await send(stranger, path, whole(path))).status
    assert untouched(door)


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
async def test_no_header_makes_one_device_another(ben: Browser, path: str) -> None:
    """Ben asks in Ana's name, and reads what Ben may read."""
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


@pytest.mark.parametrize("path", CHANGES)
async def test_no_form_needs_a_header_but_the_host(door: FrontDoor, ana: Browser, path: str) -> None:
    body = urlencode(whole(path))
    for missing in HEADERS:
        lines = [f"{name}: {value}" for name, value in HEADERS.items() if name != missing]
        raw = "\r\n".join([f"POST {path} HTTP/1.1", *lines, f"Content-Length: {len(body)}", "", body])
        inside(door.house)
        door.house.calls.clear()
        reply = await ana.send(raw.encode())
        assert reply.status in ({400} if missing == "Host" else {303, 403, 422, 429})
        if path != "/language":  # which asks nothing of the house
            assert (missing == "Host") is (door.house.calls == [])


READ = ("User_Agent", "Accept", "Accept_Language", "Referer", "Cookie", "Authorization", "Range")


@pytest.mark.parametrize("path", [*FOR_ALL, *FOR_DEVICES])
async def test_no_header_breaks_a_page(ana: Browser, path: str) -> None:
    for header in READ:
        for value in ("", "\xff\xfe", SCRIPT, "Basic %%%%", "a" * 4_000, ",;q=,=;" * 200):
            reply = await ana.get(path, **{header: value})
            assert reply.status in {200, 303}
            assert "<script" not in reply.body


# --- where to ---


@pytest.mark.parametrize("path", [*FOR_ALL, *FOR_DEVICES, "/captive-portal", "/nothing"])
async def test_no_address_leads_out(ana: Browser, path: str) -> None:
    for name in ("next", "redir", "url", "continue", "originurl", "lang", "done", "code", "card"):
        for target in ("http://evil.example/", "//evil.example", "javascript:alert(1)", "/\\evil.example"):
            reply = await ana.get(f"{path}?{urlencode({name: target})}")
            assert reply.headers.get("location", "/") in {"/", "/me", f"http://{HOST}/"}
            assert "evil" not in reply.body
            assert "javascript:" not in reply.body


@pytest.mark.parametrize("path", CHANGES)
async def test_every_change_leads_to_a_page_of_ours(ana: Browser, path: str) -> None:
    reply = await send(ana, path, whole(path), Referer="http://evil.example/")
    assert reply.headers.get("location", "/") in {
        "/",
        "/me",
        "/me#add",
        "/me?done=named",
        "/me?done=contested",
    } | {"/me?done=passphrase"}


@pytest.mark.parametrize("path", CHANGES)
async def test_only_our_own_names_are_answered(door: FrontDoor, ana: Browser, path: str) -> None:
    """DNS rebinding: a page of another name that reaches our address is sent to the portal and changes nothing."""
    for host in ("evil.example", f"{HOST}.evil.example", f"evil.{HOST}", f"{HOST}:80@evil.example", ""):
        reply = await ana.post(path, urlencode(whole(path)), host=host)
        assert reply.status in {302, 400}
    assert untouched(door)


# --- what people wrote ---


async def test_texts_of_everybody_are_shown_as_text(door: FrontDoor, ana: Browser, ben: Browser) -> None:
    """Members, neighbours on the LAN and admins write texts that others read."""
    house = door.house
    house.view = replace(
        COMMUNITY,
        community=SCRIPT,
        node=SCRIPT,
        contact=SCRIPT,
        terms=SCRIPT,
        help=SCRIPT,
        sentences=(SCRIPT,),
    )
    house.board = (
        Notice(1, "network", "everyone", "", "", True, (NoticeText('"><script>', SCRIPT, SCRIPT),)),
    )
    house.around = (
        ServiceView(SCRIPT, "javascript:alert(1)", SCRIPT, False),
        ServiceView(SCRIPT, SCRIPT, "", True),
    )
    house.names[ANA] = SCRIPT
    house.contests = [Contest(1, "ana", TODAY, SCRIPT, SCRIPT, SCRIPT, TODAY)]
    house.members["ana"] = SCRIPT
    await house.ask(BEN, "ana", SCRIPT, "2")
    pages = [await browser.get(path) for browser in (ana, ben) for path in (*FOR_ALL, *FOR_DEVICES)]
    house.states[BEN] = guests.Removed(SCRIPT)
    pages.append(await ben.get("/"))
    for page in pages:
        assert page.status in {200, 303, 403}
        if "json" not in page.headers.get("content-type", ""):
            assert "<script" not in page.body
            assert "javascript:" not in page.body
            assert "{{711*911}}" in page.body or 303 == page.status
            assert PRODUCT not in page.body


async def test_no_answer_holds_a_secret(door: FrontDoor, ana: Browser, ben: Browser) -> None:
    """Neither the portal's key, nor a passphrase, nor what somebody else was given."""
    inside(door.house, BEN, "other")
    await send(ana, "/devices/code", whole("/devices/code"))
    anas = [TOKENS.token(purpose, ANA) for purpose in forms.PURPOSES]
    code = door.house.guest(ANA).device_code
    assert code is not None
    for path in (*FOR_ALL, *FOR_DEVICES, "/captive-portal", "/nothing"):
        for browser in (ana, ben):
            raw = (await browser.get(path)).raw
            assert SECRET not in raw
            assert SECRET.hex().encode() not in raw
            assert ANAS_PASSPHRASE.encode() not in raw
            assert HOUSE_CARD.encode() not in raw
            assert GOOD_CODE.encode() not in raw
        for secret in (*anas, code.code, ANA):
            assert secret not in (await ben.get(path)).raw.decode()


async def test_no_log_holds_what_people_typed_or_who_they_are(
    door: FrontDoor, ana: Browser, ben: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    typed = {"code": GOOD_CODE, "card": HOUSE_CARD, "account": "ana", "passphrase": ANAS_PASSPHRASE}
    for browser, mac in ((ben, BEN), (ana, ANA)):
        for path in CHANGES:
            known = {name: value for name, value in typed.items() if name in CHANGES[path].fields}
            await send(browser, path, whole(path, mac) | known)
    assert [] != door.house.calls
    for secret in (*typed.values(), ANA, BEN, ANAS_ADDRESS, SECRET.hex()):
        if secret != "ana":
            assert secret not in caplog.text


async def test_what_somebody_read_about_themselves_is_not_remembered(door: FrontDoor, ana: Browser) -> None:
    """Whoever erases their data is not kept in a page that was made for them."""
    before = door.portal._renderer.render.cache_info().currsize
    for path in FOR_DEVICES:
        await ana.get(path)
    await send(ana, "/devices/name", whole("/devices/name"))
    await send(ana, "/join/code", whole("/join/code", code="nonsense"))
    assert before == door.portal._renderer.render.cache_info().currsize
    await ana.get("/privacy")
    assert before <= door.portal._renderer.render.cache_info().currsize


async def test_people_who_come_in_at_once_do_not_mix(door: FrontDoor, ana: Browser, ben: Browser) -> None:
    """coova-chilli #609: two sign-ins shared one challenge."""
    door.house.happens(ANA, guests.Left())
    door.house.accounts.clear()
    async with asyncio.TaskGroup() as tasks:
        for _ in range(10):
            tasks.create_task(send(ana, "/join/code", whole("/join/code", code=GOOD_CODE)))
            tasks.create_task(send(ben, "/join/terms", whole("/join/terms", BEN)))
            tasks.create_task(send(ben, "/join/passphrase", whole("/join/passphrase", BEN, account="ana")))
    assert ("voucher-7k3m9q2w4x1z", "guest-02000000000b") == (
        door.house.guest(ANA).account,
        door.house.guest(BEN).account,
    )


async def test_leaving_and_coming_in_at_once_ends_in_one_of_both(door: FrontDoor, ana: Browser) -> None:
    """CVE-2024-25763: a portal used a client that it had just forgotten."""
    async with asyncio.TaskGroup() as tasks:
        for path in ("/leave", "/join/terms", "/erase", "/devices/code", "/contest") * 10:
            tasks.create_task(send(ana, path, whole(path)))
    state = door.house.guest(ANA).state
    assert state in {"admitted", "waiting"}
    assert ("admitted" == state) is (ANA in door.house.passing)
    assert 200 == (await ana.get("/")).status

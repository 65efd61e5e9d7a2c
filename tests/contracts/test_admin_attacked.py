"""Attacks on the admin server: from another site in an admin's browser (CSRF), or from a raw socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

import pytest

from node.admin.server import COOKIE, LIMITS
from node.app.admin import RuleFile
from node.app.admin_access import SIGN_IN
from node.web import connections
from tests.contracts.admin_browser import AdminBrowser, admin_browser
from tests.contracts.test_admin_roles import other_browser
from tests.fakes.admin_pages import ISSUER_LINK, LAPTOP, LINK, PHONE, STRANGER, TABLET, waiting_links

PLAUSIBLE = {
    "account": "ana", "device": "02:00:00:00:00:aa", "mac": "02:00:00:00:00:aa", "because": "x", "number": "1",
    "do": "save", "sure": "yes", "text": "x", "role": "admin", "name": "x", "count": "1", "groups": "day-pass",
    "lasts": "1", "unit": "days", "devices": "1", "title-en": "x", "text-en": "x", "where": "x", "q": "ana",
}  # fmt: skip
"""A value for each field that a form may have."""
FOREIGN = [
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]
"""Headers of a form submitted by another site; another program on the same computer counts as another site."""
FORM = (
    b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    b"Content-Length: 7\r\n\r\ntoken=x"
)
LINE = b"GET /sign-in?token=x HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[AdminBrowser]:
    async with admin_browser(tmp_path) as opened:
        opened.app.node.archive.losses = ("The database was empty.",)
        yield opened


def state(browser: AdminBrowser) -> tuple[object, ...]:
    """Everything that a form can change."""
    app = browser.app
    guests = {mac: app.portal.guest(mac) for mac in (PHONE, LAPTOP, TABLET, STRANGER)}
    stored = (app.node.repository.registry.kept, app.node.archive.log[:], app.node.archive.losses)
    files = (app.files.rules.read_text(), app.loop.active_ruleset.text, app.files.members.read_text())
    return (guests, *stored, *files, app.node.repository.facts[SIGN_IN])


def changing(browser: AdminBrowser) -> list[str]:
    return [route.path for route in browser.routes if route.method == "POST"]


@pytest.mark.parametrize("headers", FOREIGN)
async def test_no_form_of_another_site_changes_anything(browser, headers):
    await browser.sign_in()
    csrf_token, before = await browser.csrf_token(), state(browser)
    for path in changing(browser):
        response, _ = await browser.post(path, {**PLAUSIBLE, "csrf_token": csrf_token}, **headers)
        assert 403 == response.status, path
    assert before == state(browser)


async def test_no_form_is_accepted_without_the_token_of_its_own_session(browser):
    """No token, a guessed one, one in the address, one of an ended session, and one of another person's session."""
    await browser.sign_in()
    ended = await browser.csrf_token()
    await browser.send("/sign-out")
    await browser.app.node.archive.save_state(SIGN_IN, waiting_links(browser.app.node))
    await browser.app.admin.recall()
    await browser.sign_in()
    async with other_browser(browser) as other:
        await other.sign_in(ISSUER_LINK)
        theirs = await other.csrf_token()
    csrf_token, before = await browser.csrf_token(), state(browser)
    for path in changing(browser):
        for forged in ({}, {"csrf_token": "0" * 64}, {"csrf_token": ended}, {"csrf_token": theirs}):
            response, _ = await browser.post(f"{path}?csrf_token={csrf_token}", {**PLAUSIBLE, **forged})
            assert 403 == response.status, (path, forged)
    assert before == state(browser)


async def test_no_page_changes_anything_by_a_get_request(browser):
    await browser.sign_in()
    query, before = urlencode({**PLAUSIBLE, "csrf_token": await browser.csrf_token()}), state(browser)
    for route in browser.routes:
        for method in ("GET", "HEAD"):
            await browser.ask(method, f"{route.path}?{query}")
    assert before == state(browser)


@pytest.mark.parametrize("headers", FOREIGN)
async def test_no_other_site_signs_an_admin_in_with_its_own_link(browser, headers):
    response, _ = await browser.post("/sign-in", {"token": LINK}, **headers)
    assert (403, False) == (response.status, COOKIE in response.cookies)
    await browser.sign_in()


async def test_a_cookie_set_by_an_attacker_never_becomes_a_session(browser):
    response, _ = await browser.post("/sign-in", {"token": LINK}, Cookie=f"{COOKIE}=chosen-by-somebody-else")
    assert response.cookies[COOKIE].value != "chosen-by-somebody-else"
    browser.session.cookie_jar.clear()
    response, _ = await browser.get("/", Cookie=f"{COOKIE}=chosen-by-somebody-else")
    assert 401 == response.status


async def sent(port: int, octets: bytes, patience_s: float = 3.0) -> bytes:
    """Everything received until the server closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(octets)
    try:
        async with asyncio.timeout(patience_s):
            return await reader.read()
    finally:
        writer.close()


async def test_bytes_after_a_request_are_not_buffered(browser):
    """One connection could make the node buffer a gigabyte of requests in eight seconds before signing in."""
    with suppress(ConnectionResetError):
        assert 1 == (await sent(browser.port, LINE * 5)).count(b"HTTP/1.1 ")
    asked: list[str] = []
    browser.app.admin.access.who = asked.append
    reader, writer = await asyncio.open_connection("127.0.0.1", browser.port)
    with suppress(ConnectionError):
        writer.write(LINE * 20_000)
        await writer.drain()
        await reader.read()
    writer.close()
    assert 1 == len(asked)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        (b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", 411),
        (b"Transfer-Encoding: chunked\r\n", 411),
        (b"Content-Length: 5\r\nContent-Length: 50\r\n", 400),
        (b"Content-Length: 5, 50\r\n", 400),
        (b"Content-Length: +5\r\n", 400),
        (b"Content-Length : 5\r\n", 400),
        (b"X: a\r\n Content-Length: 5\r\n", 400),
        (b"X: a\nContent-Length: 5\r\n", 400),
        (b"Host: evil.example\r\n", 400),
        (b"Content-Length: 99999999\r\n", 413),
        (b"X: " + b"y" * 9_000 + b"\r\n", 431),
        (b"Sec-WebSocket-Key1: x\r\n", 400),
    ],
)
async def test_a_request_that_two_parsers_could_read_differently_is_refused(browser, caplog, fields, status):
    head = b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\n" + fields + b"\r\ntoken"
    reader, writer = await asyncio.open_connection("127.0.0.1", browser.port)
    writer.write(head)
    async with asyncio.timeout(3):
        answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b"\r\nDate: " in answer
    assert b"frame-ancestors 'none'" in answer
    assert [] == caplog.messages


async def test_slow_forms_keep_no_admin_out_and_do_not_fill_the_log(browser, caplog):
    """Up to 64 of them occupied every connection for ten seconds, and each that hung up wrote a page of log."""
    head = b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 100_000
    slow = []
    for number in range(96):
        address = f"127.0.1.{number // 16 + 1}"
        _, writer = await asyncio.open_connection("127.0.0.1", browser.port, local_addr=(address, 0))
        writer.write(head)
        slow.append(writer)
    await asyncio.sleep(0.2)
    assert (await sent(browser.port, LINE)).startswith(b"HTTP/1.1 200 ")
    for each in slow:
        each.close()
    await asyncio.sleep(0.1)
    assert [] == caplog.messages


@pytest.mark.thorough
async def test_half_a_request_and_an_unread_response_time_out(tmp_path, monkeypatch):
    monkeypatch.setattr(connections, "SWEEP_S", 0.1)
    limits = replace(LIMITS, request_s=1.0, idle_s=1.0)
    async with admin_browser(tmp_path, limits=limits) as browser:
        assert b"" == await sent(browser.port, LINE[:-2])
        monkeypatch.setattr(browser.app.admin, "rule_file", lambda: RuleFile("x" * 20_000_000, "x"))
        await browser.sign_in()
        (cookie,) = browser.session.cookie_jar
        reader, writer = await asyncio.open_connection("127.0.0.1", browser.port, limit=1_000)
        writer.write(
            b"GET /rules HTTP/1.1\r\nHost: localhost\r\nCookie: %b=%b\r\n\r\n"
            % (COOKIE.encode(), cookie.value.encode())
        )
        try:
            await reader.readexactly(1)  # however long the page takes
            await asyncio.sleep(2.0)
            with suppress(ConnectionResetError):
                assert len(await reader.read()) < 20_000_000
        finally:
            writer.close()


@pytest.mark.parametrize(
    "cookie", [b"=x", b"==", b"x==y", b"\xff", b"\xc3(", b"\xed\xa0\x80", b"{0.__class__}", b'"\\377"']
)
async def test_no_cookie_disturbs_a_page_or_fills_the_log(browser, caplog, cookie):
    """Each was a page of log and a 500, for anybody who reaches the port."""
    for name in (b"", b"lang=", COOKIE.encode() + b"="):
        head = b"GET / HTTP/1.1\r\nHost: localhost\r\nCookie: " + name + cookie + b"\r\n\r\n"
        assert (await sent(browser.port, head)).startswith(b"HTTP/1.1 401 ")
    assert [] == caplog.messages


@pytest.mark.parametrize(
    "media_type", [b"\xff=\xc2\xb2", b"\xc2\xb2", b";", b"/", b'a/b; charset="', b"=?utf-8?q?x?="]
)
async def test_no_media_type_disturbs_a_page_or_fills_the_log(browser, caplog, media_type):
    for path in (b"/sign-in", b"/language"):
        head = b"POST " + path + b" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 7\r\nContent-Type: "
        answer = await sent(browser.port, head + media_type + b"\r\n\r\ntoken=x")
        assert answer[:13] in {b"HTTP/1.1 403 ", b"HTTP/1.1 303 "}
    assert [] == caplog.messages


async def test_the_session_is_found_among_cookies_of_other_services(browser):
    await browser.sign_in()
    (cookie,) = browser.session.cookie_jar
    own = f"{COOKIE}={cookie.value}"
    browser.session.cookie_jar.clear()
    for others in (f"=x; {own}", f'a={{"b": [1, 2]}}; {own}', f"{own}; a[b]=c", f"{COOKIE}=tossed; {own}"):
        response, _ = await browser.get("/", Cookie=others)
        assert 200 == response.status, others


async def test_a_method_that_no_page_has_is_refused_with_those_there_are(browser):
    answer = await sent(browser.port, b"PUT / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 405 ")
    assert b"\r\nAllow: GET, HEAD, POST\r\n" in answer


async def test_a_mistake_in_a_page_is_logged_and_shows_nothing_of_it(browser, caplog, monkeypatch):
    """More of them than requests of one client at once, so a request that is not counted off would block the last."""

    def mistaken(_cookie: str) -> None:
        raise ZeroDivisionError("a secret")

    with monkeypatch.context() as patch:
        patch.setattr(browser.app.admin.access, "who", mistaken)
        for _ in range(LIMITS.at_work_per_device + 1):
            answer = await sent(browser.port, LINE)
            assert answer.startswith(b"HTTP/1.1 500 ")
            for shown in (b"secret", b"ZeroDivision", b"Traceback", b"aiohttp"):
                assert shown not in answer
            for field in (b"no-store", b"frame-ancestors 'none'", b"Server: procomu"):
                assert field in answer
    assert LIMITS.at_work_per_device + 1 == len(caplog.records)
    assert (await sent(browser.port, LINE)).startswith(b"HTTP/1.1 200 ")


async def test_no_request_runs_on_after_the_server_has_stopped(tmp_path, monkeypatch):
    """Its handler would use what is closed after the server; the library leaves it alone."""
    seen = []

    async def endless(_token: str) -> None:
        seen.append("begun")
        try:
            await asyncio.Event().wait()
        finally:
            seen.append("ended")

    async with admin_browser(tmp_path) as browser:
        monkeypatch.setattr(browser.app.admin.access, "redeem", endless)
        reader, writer = await asyncio.open_connection("127.0.0.1", browser.port)
        writer.write(FORM)
        while not seen:
            await asyncio.sleep(0.01)
    assert ["begun", "ended"] == seen
    with suppress(ConnectionResetError):
        await reader.read()
    writer.close()

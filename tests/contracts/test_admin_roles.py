"""Authorization: every page and form of the admin server, requested in every role."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientSession, CookieJar

from tests.contracts.admin_browser import AdminBrowser, admin_browser
from tests.fakes.admin_pages import ISSUER_LINK, LINK

ISSUERS_OWN = {
    ("GET", "/"),
    ("GET", "/vouchers"),
    ("POST", "/vouchers"),
    ("GET", "/vouchers/batch"),
    ("POST", "/vouchers/batch"),
    ("POST", "/vouchers/code"),
    ("GET", "/vouchers/sheet"),
    ("GET", "/passphrase"),
    ("POST", "/passphrase"),
    ("POST", "/sign-out"),
}
EVIL = "</textarea><script>alert(1)</script><b x='\"&"


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[AdminBrowser]:
    async with admin_browser(tmp_path) as opened:
        yield opened


async def test_issuers_may_request_vouchers_and_nothing_else(browser):
    assert ISSUERS_OWN == {(route.method, route.path) for route in browser.routes if "issuer" in route.roles}
    assert all("admin" in route.roles for route in browser.routes)


async def test_no_route_answers_without_signing_in(browser):
    for route in browser.routes:
        response, page = await browser.ask(route.method, route.path)
        assert (401, False) == (response.status, "Vall Alta" in page), route


async def test_an_issuer_gets_an_answer_from_their_own_pages_only(browser):
    await browser.sign_in(ISSUER_LINK)
    for route in browser.routes:
        response, page = await browser.ask(route.method, route.path)
        if (route.method, route.path) in ISSUERS_OWN:
            assert 403 != response.status or "does not come from these pages" in page, route
        else:
            assert (403, True) == (response.status, "to issue vouchers only" in page), route


async def test_an_admin_gets_every_page(browser):
    await browser.sign_in(LINK)
    for route in browser.routes:
        response, page = await browser.ask(route.method, route.path)
        if route.method == "GET":
            assert response.status in {200, 404}, route
        else:
            assert (403, True) == (response.status, "does not come from these pages" in page), route


async def test_an_issuer_is_sent_to_the_vouchers(browser):
    await browser.sign_in(ISSUER_LINK)
    response, _ = await browser.get("/")
    assert (303, "/vouchers") == (response.status, response.headers["Location"])
    _, page = await browser.get("/vouchers")
    assert "issuer library" in page
    assert 'href="/members"' not in page


async def test_the_navigation_marks_the_current_page(browser):
    await browser.sign_in(LINK)
    for path in (
        "/",
        "/people",
        "/vouchers",
        "/members",
        "/notices",
        "/objections",
        "/rules",
        "/terms",
        "/access",
    ):
        _, page = await browser.get(path)
        assert [path] == re.findall(r'href="([^"]+)" aria-current="page"', page)


async def test_every_page_works_without_scripts_and_inline_styles(browser):
    await browser.sign_in(LINK)
    for route in browser.routes:
        if route.method == "GET":
            _, page = await browser.get(route.path)
            assert "<script" not in page
            assert " style=" not in page
            assert not re.search(r"\son[a-z]+=", page)


async def test_what_people_typed_is_never_rendered_as_markup(browser):
    await browser.sign_in(LINK)
    sent = dict.fromkeys(("q", "account", "because", "device", "name", "tier", "groups", "devices"), EVIL)
    sent |= dict.fromkeys(("text-en", "title-en", "text-1", "where", "audience", "group", "first_day"), EVIL)
    sent |= dict.fromkeys(("code", "count", "lasts", "unit", "note", "network", "lang", "ticket"), EVIL)
    sent |= {"number": "1", "was": EVIL, "replacing": EVIL, f"title-{EVIL}": EVIL}
    csrf_token = await browser.csrf_token()
    for route in browser.routes:
        if route.method == "POST" and route.path not in {"/sign-out", "/notices/remove"}:
            _, page = await browser.post(route.path, {**sent, "csrf_token": csrf_token})
            assert "<script" not in page, route
    for path in (
        f"/people?q={EVIL}",
        f"/members?q={EVIL}",
        f"/terms?version={EVIL}",
        f"/people/account?id={EVIL}",
    ):
        _, page = await browser.get(path)
        assert "<script" not in page


async def test_an_admin_creates_an_issuers_link_and_ends_their_session(browser):
    await browser.sign_in(LINK)
    _, page = await browser.send("/access", role="issuer", name="counter")
    link = re.search(r"<code>(http://127\.0\.0\.1:\d+/sign-in\?token=[^<]+)</code>", page)[1]
    assert 'class="square"' in page
    async with other_browser(browser) as other:
        await other.sign_in(link.partition("token=")[2])
        assert "issuer counter" in (await other.get("/vouchers"))[1]
        _, page = await browser.get("/access")
        theirs = re.search(r"issuer counter.*?name=\"mark\" value=\"([0-9a-f]+)\"", page, re.DOTALL)[1]
        await browser.send("/access/end", mark=theirs)
        assert 401 == (await other.get("/vouchers"))[0].status
    assert 200 == (await browser.get("/access"))[0].status


async def test_an_issuer_without_a_name_gets_no_link(browser):
    await browser.sign_in(LINK)
    response, page = await browser.send("/access", role="issuer", name="")
    assert (422, True) == (response.status, "An issuer needs a name" in page)


@asynccontextmanager
async def other_browser(browser: AdminBrowser) -> AsyncIterator[AdminBrowser]:
    """A browser of another device at the same server."""
    async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as session:
        yield AdminBrowser(session, browser.app, browser.server)

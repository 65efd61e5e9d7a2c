"""Signing in with a name and a passphrase, on the real server: browsers stay signed in, and are listed and signed out."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession, CookieJar

from node.admin.server import COOKIE, KNOWN_COOKIE
from node.admin.sessions import browser_text
from node.app.admin_access import ACCOUNTS, first_account
from node.app.admin_accounts import PAIRING_DAYS
from node.app.admin_sessions import Signed
from node.app.issuer_grants import Grant
from node.web.translations import Translations
from tests.contracts.admin_browser import AdminBrowser, admin_browser
from tests.fakes.use_cases import DAY_MS, HOUR_MS

NAME, PASSPHRASE = "Ana", "four plain old words"
ANA = Signed("admin", NAME)
WRONG = "four wrong old words"
FIREFOX = "Mozilla/5.0 (Android 14; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0"
NOT_TOGETHER = "do not belong together"


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[AdminBrowser]:
    async with admin_browser(tmp_path) as opened:
        yield opened


async def link_for(browser: AdminBrowser, signed: Signed) -> str:
    token, _ = await browser.app.admin.access.new_token(signed)
    return token


async def another(browser: AdminBrowser) -> AdminBrowser:
    """Another browser, at the same address."""
    return AdminBrowser(ClientSession(cookie_jar=CookieJar(unsafe=True)), browser.app, browser.server)


async def has_account(browser: AdminBrowser, signed: Signed = ANA) -> None:
    """The person opens a link and chooses a passphrase."""
    response, _ = await browser.post("/sign-in", {"token": await link_for(browser, signed)})
    assert (303, "/passphrase") == (response.status, response.headers["Location"])
    response, _ = await choose(browser, PASSPHRASE)
    assert (303, "/") == (response.status, response.headers["Location"])


async def choose(browser: AdminBrowser, passphrase: str, **fields: str):
    return await browser.send("/passphrase", passphrase=passphrase, stays="yes", **fields)


async def sign_in(browser: AdminBrowser, passphrase: str = PASSPHRASE, name: str = NAME, **fields: str):
    return await browser.post("/sign-in", {"name": name, "passphrase": passphrase, **fields})


async def is_signed_in(browser: AdminBrowser) -> bool:
    response, _ = await browser.get("/vouchers")
    return response.status == 200


async def test_a_month_later_the_browser_is_still_signed_in_and_after_ninety_days_it_asks_again(browser):
    await has_account(browser)
    for days in (30, PAIRING_DAYS - 31):
        browser.app.node.clock.pass_time(days * DAY_MS)
        assert await is_signed_in(browser)
    browser.app.node.clock.pass_time(DAY_MS)
    assert not await is_signed_in(browser)
    response, _ = await sign_in(browser, stays="yes")
    assert 303 == response.status
    assert await is_signed_in(browser)


async def test_without_staying_a_session_ends_after_some_hours(browser):
    await has_account(browser)
    response, _ = await sign_in(browser)
    assert 12 * 3600 == int(response.cookies[COOKIE]["max-age"])
    browser.app.node.clock.pass_time(12 * HOUR_MS)
    assert not await is_signed_in(browser)


async def test_a_paired_browser_survives_a_reboot_and_a_clock_that_was_lost(browser):
    await has_account(browser)
    clock = browser.app.node.clock
    clock.reboot()
    await browser.app.admin.access.recall()
    assert await is_signed_in(browser)
    clock.trust = "unknown"
    clock.pass_time(1000 * DAY_MS)
    assert await is_signed_in(browser)


async def test_the_cookies_are_for_this_site_only_and_no_script_reads_them(browser):
    await has_account(browser)
    response, _ = await sign_in(browser, stays="yes")
    for name, days in ((COOKIE, PAIRING_DAYS), (KNOWN_COOKIE, 400)):
        cookie = response.cookies[name]
        assert (True, "Strict", "/", days * 86_400) == (
            cookie["httponly"],
            cookie["samesite"],
            cookie["path"],
            int(cookie["max-age"]),
        )
    assert PASSPHRASE not in browser.app.node.archive._repository.facts[ACCOUNTS]


@pytest.mark.parametrize(
    ("name", "passphrase"), [(NAME, WRONG), ("nobody", PASSPHRASE), (NAME, ""), ("", "")]
)
async def test_a_wrong_name_and_a_wrong_passphrase_are_answered_alike(browser, name, passphrase):
    await has_account(browser)
    browser.session.cookie_jar.clear()
    response, page = await sign_in(browser, passphrase, name)
    assert (403, True) == (response.status, NOT_TOGETHER in page)
    assert COOKIE not in response.cookies
    assert not await is_signed_in(browser)


async def test_capitals_and_spaces_of_a_name_do_not_matter(browser):
    await has_account(browser)
    response, _ = await sign_in(browser, name="  aNA ")
    assert 303 == response.status


async def test_guesses_must_wait_and_delay_nobody_else(browser):
    """The admin's own browser is known, so a stranger's attempts never delay it."""
    await has_account(browser)
    thief = await another(browser)
    async with thief.session:
        for _ in range(5):
            response, _ = await sign_in(thief, WRONG)
        assert (429, "60") == (response.status, response.headers["Retry-After"])
        response, page = await sign_in(thief)
        assert (429, True) == (response.status, "Try again in 1 minute" in page), "not even the right one"
        await browser.submit("/sign-out")
        response, _ = await sign_in(browser, stays="yes")
        assert 303 == response.status
        browser.app.node.clock.pass_time(60_000)
        response, _ = await sign_in(thief, WRONG)
        assert 403 == response.status


async def test_guesses_at_the_same_time_are_counted_one_after_another(browser):
    await has_account(browser)
    thief = await another(browser)
    async with thief.session:
        async with asyncio.TaskGroup() as guesses:
            tasks = [guesses.create_task(sign_in(thief, f"{WRONG} {n}")) for n in range(12)]
        answers = [task.result() for task in tasks]
    assert sum(response.status == 403 for response, _ in answers) <= 5
    assert all(response.status in {403, 429, 503} for response, _ in answers)


async def test_a_new_passphrase_needs_the_current_one_and_signs_all_others_out(browser):
    await has_account(browser)
    other = await another(browser)
    async with other.session:
        assert 303 == (await sign_in(other, stays="yes"))[0].status
        for current in ("", WRONG):
            response, page = await choose(browser, "five very new plain words", current=current)
            assert (422, True) == (response.status, NOT_TOGETHER in page)
        assert await is_signed_in(other)
        response, _ = await choose(browser, "five very new plain words", current=PASSPHRASE)
        assert 303 == response.status
        assert not await is_signed_in(other)
        assert await is_signed_in(browser)
        assert 403 == (await sign_in(other))[0].status
        assert 303 == (await sign_in(other, "five very new plain words"))[0].status


async def test_with_a_link_a_forgotten_passphrase_is_replaced_and_the_lost_phone_signed_out(browser):
    await has_account(browser)
    found = await another(browser)
    async with found.session:
        response, _ = await found.post("/sign-in", {"token": await link_for(browser, ANA)})
        assert "/" == response.headers["Location"]
        response, _ = await choose(found, "five very new plain words")
        assert 303 == response.status
        assert not await is_signed_in(browser)
        assert await is_signed_in(found)


@pytest.mark.parametrize("passphrase", ["short", "", "aaaaaaaaaaaaaaa", "x" * 129])
async def test_a_weak_passphrase_is_refused_and_not_shown_again(browser, passphrase):
    await browser.post("/sign-in", {"token": await link_for(browser, ANA)})
    response, page = await choose(browser, passphrase)
    assert (422, True) == (response.status, "10 characters or more" in page)
    assert not passphrase or f'value="{passphrase}"' not in page
    assert not browser.app.admin.access.accounts()


async def test_an_admin_without_a_name_chooses_one_that_nobody_has(browser):
    await has_account(browser)
    other = await another(browser)
    async with other.session:
        await other.sign_in()
        for name in ("ana", "", "<b>"):
            response, page = await choose(other, PASSPHRASE, name=name)
            assert (422, True) == (response.status, 'id="name-error"' in page), name
        response, _ = await choose(other, PASSPHRASE, name="Ben")
        assert 303 == response.status
    assert ["Ana", "Ben"] == [each.signed.name for each in browser.app.admin.access.accounts()]


async def test_an_issuer_signs_in_again_with_the_same_limits(browser):
    issuer = Signed("issuer", "library", Grant(per_day=7))
    await has_account(browser, issuer)
    await browser.submit("/sign-out")
    assert 303 == (await sign_in(browser, name="library"))[0].status
    _, page = await browser.get("/vouchers")
    assert "At most 7 vouchers a day." in page
    assert 403 == (await browser.get("/access"))[0].status


async def test_the_limits_of_a_new_link_become_those_of_the_account(browser):
    await has_account(browser, Signed("issuer", "library", Grant(per_day=7)))
    await browser.post(
        "/sign-in", {"token": await link_for(browser, Signed("issuer", "library", Grant(per_day=9)))}
    )
    await browser.submit("/sign-out")
    await sign_in(browser, name="library")
    assert "At most 9 vouchers a day." in (await browser.get("/vouchers"))[1]


async def test_a_link_never_changes_a_role(browser):
    await has_account(browser, Signed("issuer", "library", Grant()))
    boss = await another(browser)
    async with boss.session:
        await boss.sign_in()
        response, page = await boss.send("/access", role="admin", name="Library", lasts="7", unit="days")
        assert (422, True) == (response.status, "already an account with this name" in page)


async def test_days_are_written_as_on_every_other_page(browser):
    await has_account(browser)
    _, page = await browser.get("/access")
    (account,) = browser.app.admin.access.accounts()
    day = Translations("en").day(account.since_day)
    assert f'<td role="cell" data-label="Since">{day}</td>' in page
    assert f"last used {day}" in page
    assert account.since_day not in page


async def test_a_session_and_an_account_are_removed_from_the_list(browser):
    await has_account(browser)
    issuer = await another(browser)
    async with issuer.session:
        issuer.session.headers["User-Agent"] = FIREFOX
        await has_account(issuer, Signed("issuer", "library", Grant()))
        await sign_in(issuer, name="library", stays="yes")
        _, page = await browser.get("/access")
        assert "Firefox, Android" in page
        mark = next(each.mark for each in browser.app.admin.access.sessions("") if each.browser)
        await browser.submit("/access/end", mark=mark)
        assert not await is_signed_in(issuer)
        await sign_in(issuer, name="library", stays="yes")
        await browser.submit("/access/remove", name="library")
        assert not await is_signed_in(issuer)
        assert 403 == (await sign_in(issuer, name="library"))[0].status
    assert "issuer library" not in (await browser.get("/access"))[1]


async def test_the_last_admin_stays(browser):
    await has_account(browser)
    response, page = await browser.send("/access/remove", name=NAME)
    assert (422, True) == (response.status, "the only admin" in page)
    assert await is_signed_in(browser)
    response, page = await browser.send("/access/remove", name="nobody")
    assert 422 == response.status


async def test_a_form_of_another_site_neither_signs_in_nor_changes_a_passphrase(browser):
    await has_account(browser)
    foreign = {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}
    response, _ = await browser.post("/sign-in", {"name": NAME, "passphrase": PASSPHRASE}, **foreign)
    assert 403 == response.status
    assert COOKIE not in response.cookies
    response, _ = await browser.post("/passphrase", {"passphrase": "five very new plain words"})
    assert 403 == response.status


async def test_the_first_admin_of_a_new_node_signs_in(browser):
    text = first_account(" Ben  Mas ", PASSPHRASE, b"s" * 16, "")
    browser.app.node.archive._repository.facts[ACCOUNTS] = text
    await browser.app.admin.access.recall()
    assert 303 == (await sign_in(browser, name="ben mas"))[0].status
    for name, passphrase in (("", PASSPHRASE), ("<b>", PASSPHRASE), ("Ben", "short")):
        with pytest.raises(ValueError, match=r"Write|is not a name"):
            first_account(name, passphrase, b"s" * 16, "")


@pytest.mark.parametrize(
    ("user_agent", "shown"),
    [
        (FIREFOX, "Firefox, Android"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605 Version/18 Safari/604",
            "Safari, iPhone",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140 Safari/537.36 Edg/140",
            "Edge, Windows",
        ),
        ("curl/8", ""),
        ("<script>", ""),
    ],
)
def test_a_browser_is_named_as_people_know_it(user_agent, shown):
    assert shown == browser_text(user_agent)

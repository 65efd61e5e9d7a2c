"""Vouchers in the browser: issued once, shown once, printed, found again, revoked."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from aiohttp import ClientResponse

from node.accounts.codes import Code, make_code, read_code, shown
from node.app.idempotency import SHOWN_MS
from node.app.views import CodeTyped
from tests.contracts.admin_browser import AdminBrowser, admin_browser, field_in
from tests.contracts.test_admin_roles import other_browser
from tests.fakes.admin_pages import ISSUER_LINK, LINK, PHONE, TABLET

ORDER = {
    "count": "25",
    "lasts": "2",
    "unit": "hours",
    "devices": "3",
    "group": "day-pass",
    "note": "the fair",
    "network": "Vall free",
    "lang": "en",
}


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[AdminBrowser]:
    async with admin_browser(tmp_path, is_populated=False) as opened:
        await opened.sign_in(LINK)
        yield opened


async def order(browser: AdminBrowser, **other: str) -> dict[str, str]:
    """The order form, filled in."""
    _, page = await browser.get("/vouchers")
    return {
        **ORDER,
        "csrf_token": field_in(page, "csrf_token"),
        "ticket": field_in(page, "ticket"),
        **other,
    }


async def issue(browser: AdminBrowser, **other: str) -> list[str]:
    response, page = await browser.post("/vouchers", await order(browser, **other))
    assert 200 == response.status, page
    return codes_in(page)


def codes_in(page: str) -> list[str]:
    return re.findall(r'class="code" dir="ltr">([^<]+)<', page)


def batches(browser: AdminBrowser) -> int:
    return len(browser.app.loop.registry.vouchers.batches)


async def test_a_sheet_has_each_voucher_as_text_and_as_a_qr_code(browser):
    response, page = await browser.post("/vouchers", await order(browser))
    codes = codes_in(page)
    assert (200, 25, 25) == (response.status, len(set(codes)), page.count('class="square"'))
    assert all(isinstance(read_code(code), Code) for code in codes)
    assert 3 == page.count('<div class="paper">')
    assert 1 == page.count('id="wifi-square"')
    for said in ("Vall free", "login.vall.example", "2 hours from the first use", "on up to 3 devices"):
        assert said in page


async def test_a_code_on_the_sheet_admits_a_device(browser):
    (code,) = await issue(browser, count="1")
    assert (await browser.app.join(PHONE, CodeTyped(code))).startswith("voucher-")


async def test_two_clicks_and_a_reload_issue_one_batch_and_show_the_same_sheet(browser):
    form = await order(browser)
    async with asyncio.TaskGroup() as clicks:
        sent = [clicks.create_task(browser.post("/vouchers", form)) for _ in range(2)]
    sheets = [
        page for _, page in (*(click.result() for click in sent), await browser.post("/vouchers", form))
    ]
    assert [25, 25, 25] == [len(codes_in(page)) for page in sheets]
    assert 1 == len({tuple(codes_in(page)) for page in sheets})
    assert 1 == batches(browser)


async def test_after_fifteen_minutes_the_codes_cannot_be_shown_again(browser):
    form = await order(browser)
    await browser.post("/vouchers", form)
    browser.app.node.pass_time(SHOWN_MS)
    response, page = await browser.post("/vouchers", form)
    assert (422, [], 1) == (response.status, codes_in(page), batches(browser))
    assert "issued already" in page


async def test_a_sheet_is_shown_again_only_in_the_session_that_ordered_it(browser):
    form = await order(browser)
    await browser.post("/vouchers", form)
    await browser.post("/sign-out", form)
    await browser.sign_in(ISSUER_LINK)
    response, page = await browser.post("/vouchers", {**form, "csrf_token": await browser.csrf_token()})
    assert (422, [], 1) == (response.status, codes_in(page), batches(browser))


def reprint(number: int = 1, **layout: str) -> str:
    return "/vouchers/sheet?" + urlencode({"number": number, **layout})


async def test_the_person_who_issued_them_can_print_unused_vouchers_again(browser):
    codes = await issue(browser, count="3")
    browser.app.node.pass_time(4 * SHOWN_MS)
    _, page = await browser.get("/vouchers/batch?number=1")
    assert "Print again" in page
    response, page = await browser.get(reprint(per_page="24", network="Obert", lang="ca"))
    assert (200, codes, "no-store") == (response.status, codes_in(page), response.headers["Cache-Control"])
    assert 'class="slips size-24" lang="ca"' in page
    await browser.app.join(PHONE, CodeTyped(codes[0]))
    await browser.send("/vouchers/code", code=codes[1], do="revoke")
    _, page = await browser.get(reprint())
    assert codes[2:] == codes_in(page)
    await browser.send("/vouchers/batch", number="1", do="revoke")
    response, page = await browser.get(reprint())
    assert (404, True) == (response.status, "Every voucher of this batch is used or revoked." in page)


async def another_admin(browser: AdminBrowser, path: str, **fields: str) -> tuple[ClientResponse, str]:
    """Another session opens a page, or sends a form."""
    token, _ = await browser.app.admin.access.new_token()
    async with other_browser(browser) as other:
        await other.sign_in(token)
        return await (other.send(path, **fields) if fields else other.get(path))


async def test_nobody_else_can_print_them_again(browser):
    await issue(browser, count="3")
    _, page = await another_admin(browser, "/vouchers/batch?number=1")
    assert "Print again" not in page
    response, page = await another_admin(browser, reprint())
    assert (404, []) == (response.status, codes_in(page))


@pytest.mark.parametrize("ending", ["sign-out", "by-another", "restart"])
async def test_codes_are_gone_when_the_session_ends_or_the_node_restarts(browser, ending):
    (code,) = await issue(browser, count="1")
    vouchers = browser.app.admin.vouchers
    assert code in repr(vars(vouchers._printable))
    if ending == "sign-out":
        await browser.send("/sign-out")
    elif ending == "by-another":
        (own,) = browser.app.admin.access.sessions("")
        await another_admin(browser, "/access/end", mark=own.mark)
    else:
        async with browser.app.node.life() as again:
            await asyncio.to_thread(lambda: again.files)  # blocks, as in the daemon before its loop runs
            vouchers = again.admin.vouchers
    assert code not in repr(vars(vouchers._printable))


async def test_the_codes_are_not_stored_anywhere(browser):
    codes = await issue(browser)
    rows = repr(browser.app.node.repository.registry.kept)
    assert "the fair" in rows
    assert not [code for code in codes if code in rows or code.replace("-", "") in rows]


async def test_vouchers_that_cannot_be_stored_are_not_shown_until_they_can(browser):
    browser.app.node.repository.full = True
    form = await order(browser)
    response, page = await browser.post("/vouchers", form)
    assert (422, []) == (response.status, codes_in(page))
    assert "the data folder is full" in page
    assert form["ticket"] == field_in(page, "ticket")
    browser.app.node.repository.full = False
    response, page = await browser.post("/vouchers", form)
    assert (200, 25, 1) == (response.status, len(codes_in(page)), batches(browser))


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("count", "0", "whole number from 1 to 960"),
        ("count", "961", "whole number from 1 to 960"),
        ("count", "many", "whole number"),
        ("lasts", "9", "from 10 minutes to 400 days"),
        ("devices", "51", "whole number from 0 to 50"),
        ("group", "Day Pass!", "small letters"),
        ("group", "", "name of the group"),
        ("note", "x" * 201, "at most 200"),
        ("network", "x" * 33, "at most 32"),
        ("lang", "xx", "Choose one of: en, ca"),
    ],
)
async def test_an_invalid_order_is_reported_beside_its_field_and_kept(browser, field, value, said):
    other = {"unit": "minutes"} if field == "lasts" else {}
    response, page = await browser.post("/vouchers", await order(browser, **other, **{field: value}))
    assert (422, 0) == (response.status, batches(browser))
    assert said in page
    assert f'id="{field}-error"' in page
    assert 'value="the fair"' in page or field == "note"


async def test_a_batch_shows_the_states_of_its_vouchers(browser):
    codes = await issue(browser)
    await browser.app.join(PHONE, CodeTyped(codes[0]))
    _, page = await browser.get("/vouchers/batch?number=1")
    assert [("Not used", "24"), ("In use", "1"), ("Ended", "0"), ("Revoked", "0")] == re.findall(
        r"<dt>([^<]+)</dt><dd>(\d+)</dd>", page
    )
    _, page = await browser.get("/vouchers")
    assert "25 vouchers, 24 November 2026, admin" in page


async def test_a_batch_is_revoked_and_restored(browser):
    codes = await issue(browser)
    _, page = await browser.send("/vouchers/batch", number="1", do="revoke")
    assert "25 vouchers are revoked" in page
    assert "code-revoked" == await browser.app.refusal(PHONE, CodeTyped(codes[0]))
    _, page = await browser.send("/vouchers/batch", number="1", do="restore")
    assert "25 vouchers are valid again" in page
    assert await browser.app.join(PHONE, CodeTyped(codes[0]))


async def test_one_voucher_is_found_by_its_code_and_revoked(browser):
    codes = await issue(browser)
    _, page = await browser.send("/vouchers/code", code=codes[0].lower().replace("-", " "))
    assert "Nobody has used it yet" in page
    _, page = await browser.send("/vouchers/code", code=codes[0], do="revoke")
    assert "It is revoked" in page
    assert "code-revoked" == await browser.app.refusal(PHONE, CodeTyped(codes[0]))
    assert await browser.app.join(TABLET, CodeTyped(codes[1]))
    _, page = await browser.send("/vouchers/code", code=codes[0], do="restore")
    assert "It is valid again" in page


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("", "as printed"),
        ("hello", "This is not a voucher"),
        (shown(make_code(bytes(7), "voucher")), "No voucher of yours has this code"),
    ],
)
async def test_an_invalid_code_is_reported_and_kept(browser, code, said):
    response, page = await browser.send("/vouchers/code", code=code)
    assert (422, True) == (response.status, said in page)
    assert f'name="code" type="text" value="{code}"' in page


async def test_an_issuer_sees_and_revokes_only_what_they_issued(browser):
    (theirs,) = await issue(browser, count="1", note="of the admin")
    await browser.send("/sign-out")
    await browser.sign_in(ISSUER_LINK)
    (own,) = await issue(browser, count="1", note="of the library")
    _, page = await browser.get("/vouchers")
    assert ("of the library" in page, "of the admin" in page) == (True, False)
    assert 404 == (await browser.get("/vouchers/batch?number=1"))[0].status
    assert 404 == (await browser.send("/vouchers/batch", number="1", do="revoke"))[0].status
    assert 422 == (await browser.send("/vouchers/code", code=theirs, do="revoke"))[0].status
    assert 200 == (await browser.send("/vouchers/code", code=own, do="revoke"))[0].status
    assert await browser.app.join(PHONE, CodeTyped(theirs))
    assert "code-revoked" == await browser.app.refusal(TABLET, CodeTyped(own))


async def test_many_batches_are_paginated(browser):
    for _ in range(21):
        await issue(browser, count="1")
    _, page = await browser.get("/vouchers")
    assert (20, True) == (page.count("one voucher,"), "/vouchers?page=2" in page)
    _, page = await browser.get("/vouchers?page=2")
    assert 1 == page.count("one voucher,")

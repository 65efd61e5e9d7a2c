"""The appearance page, with files that a browser uploads, and with bodies that no browser sends."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientResponse, FormData
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from node.accounts.appearance import NO_APPEARANCE, logo_in
from node.web.form_site import FIELDS_MAX
from tests.contracts.admin_browser import AdminBrowser, admin_browser, field_in, proof_in
from tests.examples import examples
from tests.fakes.pictures import png

PICTURE = png()


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[AdminBrowser]:
    async with admin_browser(tmp_path) as opened:
        await opened.sign_in()
        yield opened


async def save(
    browser: AdminBrowser, file: bytes = b"", *, page: str = "", **fields: str
) -> tuple[ClientResponse, str]:
    """Fills in the form of `page`, or of the page as it is now, as a browser sends it."""
    page = page or (await browser.get("/appearance"))[1]
    form = FormData(default_to_multipart=True)
    for name in ("csrf_token", "replacing", "logo_kept"):
        form.add_field(name, fields.pop(name, field_in(page, name)))
    for name, value in fields.items():
        form.add_field(name, value)
    form.add_field("logo", file, filename="logo.png" if file else "", content_type="image/png")
    return await browser.ask("POST", "/appearance", data=form)


async def test_a_logo_a_colour_and_a_welcome_are_saved_and_undone(browser):
    values = {
        "accent": "#b02040",
        "accent_auto": "yes",
        "welcome-en": "Hello, neighbour.",
        "wifi_name": "Vall",
    }
    response, page = await save(browser, PICTURE, **values)
    assert (200, True) == (response.status, "Saved." in page)
    found = browser.app.admin.content.appearance()
    assert ("#b02040", "#e46984", "Vall", "admin") == (
        found.accent,
        found.accent_dark,
        found.wifi_name,
        found.by,
    )
    assert PICTURE == logo_in(found.logo).data
    form = page.partition('<div class="note good"')[2].partition("</form>")[0]
    undo = {
        name: field_in(form, name)
        for name in ("csrf_token", "replacing", "accent", "accent_dark", "accent_auto")
    }
    response, page = await browser.post("/appearance", undo)
    assert 200 == response.status
    assert NO_APPEARANCE.logo == browser.app.admin.content.appearance().logo
    assert "" == browser.app.admin.content.appearance().accent


async def test_the_logo_stays_when_only_another_field_is_changed(browser):
    await save(browser, PICTURE)
    await save(browser, wifi_name="Vall")
    assert PICTURE == logo_in(browser.app.admin.content.appearance().logo).data
    await save(browser, logo_gone="yes")
    assert "" == browser.app.admin.content.appearance().logo


async def test_every_mistake_is_shown_at_once_and_nothing_is_changed(browser):
    response, page = await save(
        browser, b"<svg/>", accent="#ffcc00", accent_auto="yes", wifi_passphrase="short"
    )
    assert 422 == response.status
    for name in ("logo", "accent", "wifi_passphrase"):
        assert f'id="{name}-error"' in page
    assert "The nearest colour that can be read is #826800." in page
    assert NO_APPEARANCE == browser.app.admin.content.appearance()
    response, _ = await save(browser, PICTURE, page=page, accent="#ffcc00", accent_auto="yes", do="nearest")
    assert 200 == response.status
    assert "#826800" == browser.app.admin.content.appearance().accent


async def test_what_somebody_else_saved_meanwhile_is_not_overwritten(browser):
    _, before = await browser.get("/appearance")
    await save(browser, wifi_name="Theirs")
    response, page = await save(browser, page=before, wifi_name="Mine")
    assert (409, True) == (response.status, "This has changed since you opened the page." in page)
    assert "Theirs" == browser.app.admin.content.appearance().wifi_name


async def test_a_form_with_a_file_needs_its_token_as_any_other(browser):
    response, page = await save(browser, PICTURE, csrf_token="x" * 64)
    assert (403, True) == (response.status, "does not come from these pages" in page)
    assert NO_APPEARANCE == browser.app.admin.content.appearance()


async def test_a_form_has_a_limit_of_fields_and_of_bytes(browser):
    many = {f"x{number}": "x" for number in range(FIELDS_MAX)}
    response, _ = await save(browser, wifi_name="Vall", **many)
    assert 403 == response.status, "its token is not read"
    response, page = await save(browser, b"x" * 1024 * 1024)
    assert (413, True) == (response.status, "choose a smaller file" in page)


PARTS = st.sampled_from(
    [
        b"--x\r\n", b"--x--\r\n", b"\r\n", b'Content-Disposition: form-data; name="', b'csrf_token"', b"; filename=", b"a",
        b"Content-Type: multipart/mixed; boundary=y\r\n", b"--y\r\n", b"Content-Length: -1\r\n", b"\xff", b": ", b"\n",
        b"Content-Transfer-Encoding: base64\r\n", b"Content-Encoding: gzip\r\n", b"filename*=utf-8''%ff", b"x" * 9_000,
    ]
)  # fmt: skip
TYPES = st.sampled_from(
    ["multipart/form-data; boundary=x", "multipart/form-data", 'multipart/form-data; boundary=""',
     "multipart/form-data; boundary=" + "x" * 80, "Multipart/Form-Data; boundary=x; boundary=y"]
)  # fmt: skip


@example(
    [b"--x\r\n", b'Content-Disposition: form-data; name="', b"--x\r\n"], "multipart/form-data; boundary=x"
)
@given(st.lists(PARTS, max_size=12), TYPES)
@settings(
    max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@pytest.mark.filterwarnings("ignore::aiohttp.multipart.BadContentDispositionHeader")  # it goes on without it
async def test_a_body_that_no_browser_sends_is_not_accepted(browser, parts, content_type):
    response, page = await browser.ask(
        "POST", "/appearance", data=b"".join(parts), headers={"Content-Type": content_type}
    )
    assert (403, True) == (response.status, "does not come from these pages" in page)


async def test_the_token_of_the_page_is_good_for_both_kinds_of_form(browser):
    _, page = await browser.get("/appearance")
    fields = {"csrf_token": proof_in(page), "replacing": field_in(page, "replacing"), "wifi_name": "Vall"}
    response, _ = await browser.post("/appearance", fields)
    assert (200, "Vall") == (response.status, browser.app.admin.content.appearance().wifi_name)

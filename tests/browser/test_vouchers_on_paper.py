"""Printed vouchers: 8, 12 or 24 on a page, large enough to read, and a camera reads both QR codes of every slip."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from node.accounts.appearance import wifi_qr_text
from node.accounts.codes import read_code
from tests.browser.admin_scenes import HOST, ISSUE, signs_in
from tests.browser.chromium import Browser, Look
from tests.browser.paper import A4_MM, codes_on, sheets, size_mm, slips
from tests.browser.scenes import LANGUAGES
from tests.browser.stage import served
from tests.fakes.admin_pages import LINK, admin_app, open_admin_server
from tests.fakes.pictures import picture

pytestmark = pytest.mark.browser

SIZES = [*(pytest.param(size, marks=pytest.mark.thorough) for size in (8, 12)), 24]
"""Slips on a page."""
POINTS = 0.75
"""In one CSS pixel."""
MEASURE = """
const inside = (part, slip) => part.left >= slip.left - 1 && part.right <= slip.right + 1
  && part.top >= slip.top - 1 && part.bottom <= slip.bottom + 1;
return [...document.querySelectorAll('.slip')].map(slip => {
  const all = [...slip.querySelectorAll('p, b, span, svg')], box = slip.getBoundingClientRect();
  const points = each => parseFloat(getComputedStyle(each).fontSize) * arguments[0];
  return {
    smallest: Math.min(...all.filter(each => each.tagName !== 'svg').map(points)),
    code: points(slip.querySelector('.code')),
    cut: all.filter(each => !inside(each.getBoundingClientRect(), box)
      || (each.tagName === 'P' && each.scrollWidth > each.clientWidth + 1)).map(each => each.outerHTML.slice(0, 120)),
  };
});
"""


@asynccontextmanager
async def open_in_all_languages() -> AsyncIterator[int]:
    folder = await asyncio.to_thread(tempfile.TemporaryDirectory)
    try:
        async with admin_app(Path(folder.name)) as app:
            app.node.languages = dict.fromkeys(LANGUAGES, "")
            async with open_admin_server(app.admin) as server:
                assert server.bound is not None
                yield server.bound[1]
    finally:
        folder.cleanup()


@pytest.fixture(scope="module")
def admins_pages(browser: Browser) -> Iterator[str]:
    with served(open_in_all_languages, HOST) as first_page:
        signs_in(LINK)(browser, first_page)
        yield first_page


def issue(browser: Browser, first_page: str, count: int, per_page: int = 24, **more: str) -> list[str]:
    """A sheet on the screen; its codes as text, in order."""
    browser.look(Look(1280, 800))
    browser.open(f"{first_page}/vouchers")
    browser.send("/vouchers", **{**ISSUE, "count": str(count), "per_page": str(per_page), **more})
    return list(
        browser.run("return [...document.querySelectorAll('.slip .code')].map(each => each.textContent)")
    )


def set_wifi(browser: Browser, first_page: str, folder: Path, name: str, passphrase: str) -> None:
    """The community's Wi-Fi, and a logo."""
    logo = folder / "logo.png"
    logo.write_bytes(picture())
    browser.look(Look(1280, 800))
    browser.open(f"{first_page}/appearance")
    browser.choose_file("#logo", logo)
    browser.send("/appearance", "[value='save']", wifi_name=name, wifi_passphrase=passphrase)


@pytest.mark.parametrize(
    ("count", "per_page", "pages"),
    [
        pytest.param(1, 24, 1, marks=pytest.mark.thorough),
        (24, 24, 1),
        (25, 24, 2),
        pytest.param(48, 24, 2, marks=pytest.mark.thorough),
        pytest.param(24, 12, 2, marks=pytest.mark.thorough),
        (24, 8, 3),
    ],
)
def test_vouchers_fill_one_page_and_the_next_begins_another(
    browser: Browser, admins_pages: str, tmp_path: Path, count: int, per_page: int, pages: int
) -> None:
    assert len(issue(browser, admins_pages, count, per_page)) == count
    printed = sheets(browser.print(), tmp_path)
    assert len(printed) == pages
    assert {size_mm(sheet) for sheet in printed} == {A4_MM}


@pytest.mark.parametrize("per_page", SIZES)
def test_a_camera_reads_both_qr_codes_of_every_slip_after_the_sheet_is_cut(
    browser: Browser, admins_pages: str, tmp_path: Path, per_page: int
) -> None:
    set_wifi(browser, admins_pages, tmp_path, "Vall Alta, de tothom", "12 letters; or more")
    codes = issue(browser, admins_pages, per_page, per_page)
    (sheet,) = sheets(browser.print(), tmp_path)
    read = [codes_on(slip) for slip in slips(sheet, per_page)]
    assert {wifi for wifi, _ in read} == {wifi_qr_text("Vall Alta, de tothom", "12 letters; or more")}
    queries = [parse_qs(urlsplit(address).query).get("code", ["nothing"])[0] for _, address in read]
    assert [read_code(code) for code in queries] == [read_code(code) for code in codes]
    assert {urlsplit(address).hostname for _, address in read} == {"login.vall.example"}


@pytest.mark.parametrize(
    ("wifi", "passphrase"), [("Vall Alta Oberta", ""), ("Vall Alta Oberta", "four words")]
)
@pytest.mark.parametrize("per_page", SIZES)
def test_text_is_large_enough_to_read_and_nothing_is_cut_off_in_any_language(
    browser: Browser, admins_pages: str, tmp_path: Path, per_page: int, wifi: str, passphrase: str
) -> None:
    set_wifi(browser, admins_pages, tmp_path, wifi, passphrase)
    issue(browser, admins_pages, 1, per_page)
    number = browser.run("return document.querySelector(\"[name='number']\").value")
    for language in LANGUAGES:
        browser.look(Look(794, 1123))
        browser.open(f"{admins_pages}/vouchers/sheet?number={number}&per_page={per_page}&lang={language}")
        browser.look(Look(794, 1123, paper=True))
        found: list[dict[str, Any]] = browser.run(MEASURE, POINTS)
        browser.look(Look(794, 1123))
        assert found, language
        for slip in found:
            assert slip["cut"] == [], language
            assert slip["smallest"] >= 9, language
            assert slip["code"] >= 14, language

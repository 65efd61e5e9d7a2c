"""Printed vouchers: 24 on a page, and a camera reads the QR code of every slip."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from node.accounts.codes import read_code
from tests.browser.admin_scenes import HOST, ISSUE, open_admins, signs_in
from tests.browser.chromium import Browser, Look
from tests.browser.paper import A4_MM, code_on, sheets, size_mm, slips
from tests.browser.stage import served
from tests.fakes.admin_pages import LINK

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def admins_pages(browser: Browser) -> Iterator[str]:
    with served(open_admins, HOST) as first_page:
        signs_in(LINK)(browser, first_page)
        yield first_page


def issue(browser: Browser, first_page: str, count: int, **more: str) -> list[str]:
    """A sheet on the screen; its codes as text, in order."""
    browser.look(Look(1280, 800))
    browser.open(f"{first_page}/vouchers")
    browser.send("/vouchers", **{**ISSUE, "count": str(count), **more})
    return list(
        browser.run("return [...document.querySelectorAll('.slip .code')].map(each => each.textContent)")
    )


@pytest.mark.parametrize(("count", "pages"), [(1, 1), (24, 1), (25, 2), (48, 2)])
def test_24_vouchers_fill_one_page_and_the_next_begins_another(
    browser: Browser, admins_pages: str, tmp_path: Path, count: int, pages: int
) -> None:
    assert len(issue(browser, admins_pages, count)) == count
    printed = sheets(browser.print(), tmp_path)
    assert len(printed) == pages
    assert {size_mm(sheet) for sheet in printed} == {A4_MM}


def test_a_camera_reads_the_qr_code_of_every_slip_after_the_sheet_is_cut(
    browser: Browser, admins_pages: str, tmp_path: Path
) -> None:
    codes = issue(browser, admins_pages, 24, network="Vall Alta, la xarxa de tothom")
    (sheet,) = sheets(browser.print(), tmp_path)
    squares = [code_on(slip) for slip in slips(sheet)]
    read = [parse_qs(urlsplit(square or "").query).get("code", ["nothing"])[0] for square in squares]
    assert [read_code(code) for code in read] == [read_code(code) for code in codes]
    assert {urlsplit(square or "").hostname for square in squares} == {"login.vall.example"}

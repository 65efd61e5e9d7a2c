"""Joining and issuing in Firefox and in WebKit, on the real portal and the real admin server: pytest --other-browsers, after
deploy/setup browsers."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from node.accounts.codes import Code, read_code
from tests.browser.admin_scenes import HOST as ADMIN_HOST
from tests.browser.other_browsers import OTHERS, OtherWindow, missing_for
from tests.browser.people import valley
from tests.browser.stage import Opening, portal, served
from tests.browser.test_vouchers_on_paper import open_in_all_languages
from tests.fakes.admin_pages import LINK
from tests.fakes.portal_server import HOST

pytestmark = pytest.mark.other_browser


@pytest.fixture(params=OTHERS)
def name(request: pytest.FixtureRequest) -> str:
    missing = missing_for(request.param)
    if missing is not None:
        pytest.skip(missing)
    return str(request.param)


@contextmanager
def window(name: str, folder: Path, opening: Opening, host: str) -> Iterator[tuple[OtherWindow, str]]:
    with ExitStack() as stack:
        first_page = stack.enter_context(served(opening, host))
        yield stack.enter_context(OTHERS[name](folder / name, host)), first_page


def test_a_person_joins_by_accepting_the_terms_and_leaves(name: str, tmp_path: Path) -> None:
    with window(name, tmp_path, portal(node=valley), HOST) as (browser, first_page):
        browser.open(first_page)
        browser.press('form[action="/join/terms"] button')
        assert "/me" == urlsplit(browser.address).path
        assert browser.read("h1") == "You are online"
        browser.press('form[action="/leave"] button')
        browser.open(first_page)
        assert browser.read('form[action="/join/terms"] button')


def test_an_admin_issues_vouchers(name: str, tmp_path: Path) -> None:
    with window(name, tmp_path, open_in_all_languages, ADMIN_HOST) as (browser, first_page):
        browser.open(f"{first_page}/sign-in?token={LINK}")
        browser.press("main form button")
        browser.open(f"{first_page}/vouchers")
        browser.type('[name="count"]', "3")
        browser.press('form[action="/vouchers"] button')
        assert isinstance(read_code(browser.read(".slip .code")), Code)

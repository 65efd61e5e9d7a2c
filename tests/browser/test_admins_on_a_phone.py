"""What an admin does most often on a phone, counted in screens and taps."""

from collections.abc import Iterator

import pytest

from tests.browser.admin_scenes import ADMIN_SCENES, HOST, open_with_days, signs_in
from tests.browser.chromium import Browser, Look
from tests.browser.layout import fits
from tests.browser.scenes import LANGUAGES, PageScene
from tests.browser.stage import served
from tests.fakes.admin_pages import LINK

pytestmark = pytest.mark.browser

SMALL_PHONE = Look(360, 740)
OVERVIEW_SCREENS_MAX = 3

HEIGHT = "return document.documentElement.scrollHeight"
SENTENCES = (
    "return [...document.querySelectorAll('.binds summary, ol li')].map(each => each.textContent.trim())"
)


def named(name: str) -> PageScene:
    (scene,) = (each for each in ADMIN_SCENES if each.name == name)
    return scene


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_overview_of_24_accounts_has_three_screens_and_says_each_sentence_once(
    browser: Browser, language: str
) -> None:
    scene = named("24 accounts online")
    browser.look(SMALL_PHONE)
    browser.speak(language)
    with served(scene.server, scene.host) as first_page:
        scene.enter(browser, first_page)
        assert "24" in browser.read("a.go[href='/people']")
        assert browser.run(HEIGHT) <= OVERVIEW_SCREENS_MAX * SMALL_PHONE.height
        assert fits(browser) == []
        said = browser.run(SENTENCES)
        assert len(said) == len(set(said)) > 5
        links = "return [...document.querySelectorAll('.rows a')].map(each => each.getAttribute('href'))"
        assert len(browser.run(links)) == 5
        browser.tap(".rows a")
        assert browser.path == "/people/account"


@pytest.fixture
def signed_in(browser: Browser) -> Iterator[Browser]:
    """On the overview of a node whose community decided that admins see use by day."""
    browser.look(SMALL_PHONE)
    browser.speak("en")
    with served(open_with_days, HOST) as first_page:
        signs_in(LINK)(browser, first_page)
        browser.open(first_page)
        yield browser


VISIBLE = """
const box = document.querySelector(arguments[0]).getBoundingClientRect();
return box.top >= 0 && box.bottom <= innerHeight;
"""


def test_why_ana_is_slow_is_one_tap_and_one_screen_away(signed_in: Browser) -> None:
    signed_in.press("Ana Mas")
    now = signed_in.read("section[aria-labelledby='now']")
    for said in ("Could have now", "Mbit/s", "equal share", "This has limited it for"):
        assert said in now
    assert signed_in.run(VISIBLE, "section[aria-labelledby='now'] strong"), "without scrolling"


def test_what_ana_used_yesterday_is_one_tap_away(signed_in: Browser) -> None:
    signed_in.press("Ana Mas")
    rows = signed_in.run(
        "return [...document.querySelectorAll('.days tbody tr')].map(row => row.innerText.replace(/\\s+/g, ' ').trim())"
    )
    assert rows[1] == "yesterday 2 GB"
    assert len(rows) == 7
    height = signed_in.run("return document.querySelector('.days').getBoundingClientRect().bottom")
    assert height <= 2 * SMALL_PHONE.height


def test_somebody_is_blocked_with_a_reason_in_three_taps_and_unblocked_in_one(signed_in: Browser) -> None:
    signed_in.press("Ana Mas")
    signed_in.type("#because", "Come and talk to us.")  # the tap into the field
    signed_in.tap("form[action='/people/block'] button.danger")
    assert "Blocked." in signed_in.read("[role='status']")
    assert "Come and talk to us." in signed_in.text
    assert fits(signed_in) == []
    signed_in.press("Undo")
    assert "It can join again." in signed_in.read("[role='status']")

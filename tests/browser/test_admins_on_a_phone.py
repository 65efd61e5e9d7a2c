"""What an admin does most often on a phone, counted in screens and taps."""

import pytest

from tests.browser.admin_scenes import ADMIN_SCENES
from tests.browser.chromium import Browser, Look
from tests.browser.layout import fits
from tests.browser.scenes import LANGUAGES, PageScene
from tests.browser.stage import served

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

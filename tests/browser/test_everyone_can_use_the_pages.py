"""Every page in every language can be used with low vision, without a mouse, on a small screen and on a slow line."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.browser.admin_scenes import ADMIN_SCENES, languages_of
from tests.browser.axe import RULES_BY_COLOUR, RULES_BY_SIZE, judge
from tests.browser.chromium import Browser, Look
from tests.browser.layout import are_in_order, fits, is_still, show, tab_stops, widen_text
from tests.browser.scenes import LANGUAGES, PORTAL_SCENES, PageScene
from tests.browser.stage import served
from tests.browser.tally import TALLY

pytestmark = pytest.mark.browser

PHONE = Look()
LOOKS = {
    "small phone": Look(320, 568),
    "phone at night": Look(dark=True),
    "desktop": Look(1280, 800),
    "desktop at night": Look(1280, 800, dark=True),
    "more contrast": Look(more_contrast=True),
    "more contrast at night": Look(dark=True, more_contrast=True),
    "forced colours": Look(forced_colours=True),
    "forced colours at night": Look(dark=True, forced_colours=True),
    "400 % zoom": Look(320, 256, pixels=4, less_motion=True),
}


SCREENS_FOR_WORDS = ("small phone", "phone at night", "desktop")
"""In languages other than English a page differs by text and direction only, never by its colours."""


@pytest.fixture(scope="module", params=PORTAL_SCENES + ADMIN_SCENES, ids=lambda scene: scene.name)
def scene(request: pytest.FixtureRequest) -> PageScene:
    return request.param


@contextmanager
def entered(browser: Browser, scene: PageScene, language: str = "en") -> Iterator[str]:
    """URL of the first page, while the browser shows the scene. Each call starts another server, because what is done
    in a scene changes the state of the node."""
    browser.look(PHONE)
    browser.speak(language)
    browser.complaints()
    browser.asked_for()
    with served(scene.server, scene.host) as first_page:
        scene.enter(browser, first_page)
        yield first_page


def screens_for(language: str) -> dict[str, Look]:
    return {name: look for name, look in LOOKS.items() if language == "en" or name in SCREENS_FOR_WORDS}


def looked_at(browser: Browser, scene: PageScene, language: str) -> dict[str, list[str]]:
    """Faults of the page by screen; every screen is a key."""
    found = {"phone": [*map(str, judge(browser).faults), *fits(browser)]}
    for name, look in screens_for(language).items():
        show(browser, look)
        rules = RULES_BY_SIZE if look.forced_colours else RULES_BY_SIZE + RULES_BY_COLOUR
        # Admins' pages are many: in another language axe looks at them on one screen, and the rest is only measured.
        is_judged = scene in PORTAL_SCENES or language == "en"
        found[name] = [*(map(str, judge(browser, rules).faults) if is_judged else ()), *fits(browser)]
        if look.less_motion and not is_still(browser):
            found[name].append("something moves")
    widen_text(browser)
    found["wide text"] = fits(browser)
    return found


def test_axe_finds_no_fault_in_any_language_on_any_screen(browser: Browser, scene: PageScene) -> None:
    wrong = {}
    for language in LANGUAGES if scene in PORTAL_SCENES else languages_of(scene):
        with entered(browser, scene, language) as first_page:
            assert browser.attribute("html", "lang") == language
            # The only request is the document itself, from the node: no image, font, script or other origin.
            assert {(kind, url.startswith(first_page)) for kind, url in browser.asked_for()} == {
                ("Document", True)
            }
            found = looked_at(browser, scene, language)
        TALLY.saw(scene, language, screens=len(found) - 1, faults=sum(map(len, found.values())))
        wrong |= {f"{name}, {language}": what for name, what in found.items() if what}
        wrong |= {f"console, {language}": what for what in browser.complaints()}
    assert wrong == {}


def test_the_keyboard_reaches_everything_in_order_and_the_focus_is_visible(
    browser: Browser, scene: PageScene
) -> None:
    with entered(browser, scene):
        stops = tab_stops(browser)
        assert [stop.name for stop in stops if not stop.is_visible] == []
        assert are_in_order(stops)

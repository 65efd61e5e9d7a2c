"""Every page in every language can be used with low vision, without a mouse, on a small screen and on a slow line.

With --thorough each state of a page is looked at on all screens; without it, the first state of each page on a phone by day,
on one other screen and by keyboard.
"""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace

import pytest

from tests.browser.admin_scenes import ADMIN_SCENES, languages_of
from tests.browser.all_scenes import FIRST, SCENES
from tests.browser.axe import RULES_BY_COLOUR, RULES_BY_SIZE, judge
from tests.browser.chromium import Browser, Look
from tests.browser.fas_scenes import FAS_SCENES
from tests.browser.gateway_scenes import GATEWAY_SCENES
from tests.browser.layout import are_in_order, fits, is_still, show, tab_stops, widen_text
from tests.browser.scenes import LANGUAGES, PORTAL_SCENES, PageScene, nothing
from tests.browser.setup_scenes import SETUP_SCENES
from tests.browser.stage import served
from tests.browser.tally import TALLY

pytestmark = pytest.mark.browser

PHONE = Look()
NIGHT = "phone at night"
FROM_RIGHT_TO_LEFT = "ar"
COLOURS_OF_WORDS = "ar"
"""The language in which colours are judged, too, beside English: what is marked as being in another language is then on the
page."""


@dataclass(frozen=True, slots=True)
class CheckedScreen:
    """A screen after the phone by day, on which all rules are judged, and the rules whose result can differ there."""

    look: Look
    rules: tuple[str, ...]
    in_other_languages: bool = False
    """Whether a page that differs only by its text can look different there."""


EVERYTHING = RULES_BY_SIZE + RULES_BY_COLOUR
# The night changes colours only. More contrast and forced colours also change borders, so also sizes.
SCREENS = {
    "small phone": CheckedScreen(Look(320, 568), EVERYTHING, in_other_languages=True),
    NIGHT: CheckedScreen(Look(dark=True), RULES_BY_COLOUR),
    "desktop": CheckedScreen(Look(1280, 800), EVERYTHING, in_other_languages=True),
    "desktop at night": CheckedScreen(Look(1280, 800, dark=True), RULES_BY_COLOUR),
    "more contrast": CheckedScreen(Look(more_contrast=True), EVERYTHING),
    "more contrast at night": CheckedScreen(Look(dark=True, more_contrast=True), RULES_BY_COLOUR),
    "forced colours": CheckedScreen(Look(forced_colours=True), RULES_BY_SIZE),
    "forced colours at night": CheckedScreen(Look(dark=True, forced_colours=True), ()),
    "400 % zoom": CheckedScreen(Look(320, 256, pixels=4, less_motion=True), RULES_BY_SIZE),
}


def screens_for(scene: PageScene, language: str, *, is_thorough: bool) -> dict[str, CheckedScreen]:
    if not is_thorough:
        name = list(SCREENS)[list(FIRST).index(scene.page) % len(SCREENS)]
        return {name: SCREENS[name]} if language == "en" else {}
    if language == "en":
        return SCREENS
    if scene in PORTAL_SCENES + FAS_SCENES + GATEWAY_SCENES and language == COLOURS_OF_WORDS:
        return {name: each for name, each in SCREENS.items() if each.in_other_languages or name == NIGHT}
    # Admins' pages are many: in another language axe looks at them on one screen, and the rest is only measured.
    rules = RULES_BY_SIZE if scene in PORTAL_SCENES + FAS_SCENES + GATEWAY_SCENES else ()
    return {name: replace(each, rules=rules) for name, each in SCREENS.items() if each.in_other_languages}


@pytest.fixture(scope="module", params=SCENES, ids=lambda scene: scene.name)
def scene(request: pytest.FixtureRequest) -> PageScene:
    if FIRST[request.param.page] is not request.param and not request.config.getoption("--thorough"):
        pytest.skip("a later state of a page; run with --thorough")
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


def languages_for(scene: PageScene, *, is_thorough: bool) -> tuple[str, ...]:
    """English, and others. Without --thorough: one that is written from right to left, and one other."""
    if not is_thorough:
        number = list(FIRST).index(scene.page)
        others = [tag for tag in LANGUAGES[1:] if tag != FROM_RIGHT_TO_LEFT]
        return ("en", FROM_RIGHT_TO_LEFT, others[number % len(others)])
    if scene in PORTAL_SCENES + FAS_SCENES + GATEWAY_SCENES:
        return LANGUAGES
    return languages_of(scene, SETUP_SCENES if scene in SETUP_SCENES else ADMIN_SCENES)


def looked_at(browser: Browser, screens: Mapping[str, CheckedScreen]) -> dict[str, list[str]]:
    """Faults of the page by screen; every screen is a key."""
    found = {"phone": [*map(str, judge(browser).faults), *fits(browser)]}
    for name, screen in screens.items():
        show(browser, screen.look)
        found[name] = [
            *(map(str, judge(browser, screen.rules).faults) if screen.rules else ()),
            *fits(browser),
        ]
        if screen.look.less_motion and not is_still(browser):
            found[name].append("something moves")
    widen_text(browser)
    found["wide text"] = fits(browser)
    return found


def in_each_language(
    browser: Browser, scene: PageScene, english: str, languages: tuple[str, ...]
) -> Iterator[tuple[str, str]]:
    """Languages, each with the URL of the first page, while the browser shows the scene in it. `english` is that URL of the
    scene that it shows already; where nothing is done on the page, the same server shows it in another language."""
    yield "en", english
    for language in languages[1:]:
        if scene.after is nothing:
            browser.look(PHONE)
            browser.speak(language)
            browser.open(english + scene.path)
            yield language, english
        else:
            with entered(browser, scene, language) as first_page:
                yield language, first_page


@pytest.fixture(scope="module")
def english(browser: Browser, scene: PageScene) -> Iterator[str]:
    """URL of the first page; the browser shows the scene in English."""
    with entered(browser, scene) as first_page:
        yield first_page


def test_the_keyboard_reaches_everything_in_order_and_the_focus_is_visible(
    browser: Browser, scene: PageScene, english: str
) -> None:
    stops = tab_stops(browser)
    assert [stop.name for stop in stops if not stop.is_visible] == []
    assert are_in_order(stops)


def test_axe_finds_no_fault_in_any_language_on_any_screen(
    browser: Browser, scene: PageScene, english: str, pytestconfig: pytest.Config
) -> None:
    wrong = {}
    is_thorough = bool(pytestconfig.getoption("--thorough"))
    languages = languages_for(scene, is_thorough=is_thorough)
    browser.run("document.activeElement.blur(); scrollTo(0, 0)")
    with closing(in_each_language(browser, scene, english, languages)) as pages:
        for language, first_page in pages:
            assert browser.attribute("html", "lang") == language
            # The only requests are the document itself and the community's logo, from the node: no font, script or
            # other origin.
            asked = {(kind, url.startswith(first_page)) for kind, url in browser.asked_for()}
            pictures = {("Image", True)} if browser.has("img") else set()
            assert asked == {("Document", True)} | pictures
            screens = screens_for(scene, language, is_thorough=is_thorough)
            found = looked_at(browser, screens)
            faults = sum(map(len, found.values()))
            judged = 1 + sum(bool(each.rules) for each in screens.values())
            TALLY.saw(scene, language, screens=1 + len(screens), judged=judged, faults=faults)
            wrong |= {f"{name}, {language}": what for name, what in found.items() if what}
            wrong |= {f"console, {language}": what for what in browser.complaints()}
    assert wrong == {}


_ROWS = """
const rows = {}, links = document.querySelectorAll("header nav a");
links.forEach(each => { const top = Math.round(each.getBoundingClientRect().top); rows[top] = (rows[top] || 0) + 1; });
const name = document.querySelector("header .place").getBoundingClientRect();
const out = document.querySelector("header form").getBoundingClientRect();
return [Object.values(rows), out.top < name.bottom && name.top < out.bottom];
"""


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_navigation_of_the_admin_pages_has_even_rows(browser: Browser, language: str) -> None:
    (scene,) = (each for each in ADMIN_SCENES if each.name == "who is on")
    with entered(browser, scene, language):
        for width in (320, 390, 768, 1100, 1280):
            show(browser, Look(width, 760))
            rows, is_beside = browser.run(_ROWS)
            assert is_beside, "the button to sign out is not beside the name of the community"
            assert 1 not in rows
            assert len(rows) <= (1 if width == 1280 else 2 if width >= 768 else 5)

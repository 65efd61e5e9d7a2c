"""Whoever sees little, cannot use a mouse, has a small screen or a slow line can use every page in every language."""

from collections.abc import Callable, Iterator

import pytest

from tests.browser.axe import RULES_BY_COLOUR, RULES_BY_SIZE, judge
from tests.browser.chromium import Browser, Look
from tests.browser.layout import are_in_order, fits, is_still, show, tab_stops, widen_text
from tests.browser.scenes import ADMIN_SCENES, PORTAL_SCENES, Scene
from tests.browser.stage import served
from tests.browser.tally import TALLY

pytestmark = pytest.mark.browser

LANGUAGES = ("en",)
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


VISITS = [(scene, language) for scene in PORTAL_SCENES for language in LANGUAGES]
VISITS += [(scene, "en") for scene in ADMIN_SCENES]


@pytest.fixture(scope="module")
def scene(request: pytest.FixtureRequest) -> Scene:
    return request.param


@pytest.fixture(scope="module")
def first_page(scene: Scene) -> Iterator[str]:
    with served(scene.door, scene.host) as address:
        yield address


def every_scene(function: Callable[..., None]) -> Callable[..., None]:
    scenes = PORTAL_SCENES + ADMIN_SCENES
    return pytest.mark.parametrize("scene", scenes, ids=lambda scene: scene.name, indirect=True)(function)


def enter(browser: Browser, scene: Scene, first_page: str, language: str = "en") -> None:
    browser.look(PHONE)
    browser.speak(language)
    browser.complaints()
    scene.enter(browser, first_page)


@pytest.mark.parametrize(
    ("scene", "language"), VISITS, ids=lambda part: getattr(part, "name", part), indirect=["scene"]
)
def test_axe_finds_nothing_wrong_on_any_screen(
    browser: Browser, scene: Scene, first_page: str, language: str
) -> None:
    enter(browser, scene, first_page, language)
    found = {"phone": judge(browser).faults}
    misfits = {"phone": fits(browser)}
    for name, look in LOOKS.items():
        show(browser, look)
        rules = RULES_BY_SIZE if look.forced_colours else RULES_BY_SIZE + RULES_BY_COLOUR
        found[name] = judge(browser, rules).faults
        misfits[name] = fits(browser)
        if look.less_motion:
            assert is_still(browser)
    widen_text(browser)
    misfits["wide text"] = fits(browser)
    TALLY.saw(scene, language, looks=len(found), faults=sum(map(len, found.values())))
    assert {} == {name: [str(fault) for fault in faults] for name, faults in found.items() if faults}
    assert {} == {name: what for name, what in misfits.items() if what}
    assert browser.complaints() == []


@every_scene
def test_the_keyboard_reaches_everything_in_order_and_shows_where_it_is(
    browser: Browser, scene: Scene, first_page: str
) -> None:
    enter(browser, scene, first_page)
    stops = tab_stops(browser)
    assert [stop.name for stop in stops if not stop.is_visible] == []
    assert are_in_order(stops)


@every_scene
def test_no_page_asks_for_anything_else_here_or_elsewhere(
    browser: Browser, scene: Scene, first_page: str
) -> None:
    enter(browser, scene, first_page)
    address = browser.url
    assert browser.measure(address).requests == (address,)

"""The checks find faults: each is run on a page that has them."""

import re
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.browser.axe import RULES_BY_COLOUR, RULES_BY_SIZE, judge
from tests.browser.chromium import Browser, Look
from tests.browser.driver import AXE
from tests.browser.layout import fits, is_still, tab_stops

pytestmark = pytest.mark.browser

BAD = """<!doctype html><html><head><title>x</title><meta name="viewport" content="width=device-width"><style>
p{color:#999;background:#fff} .slow{transition:color 2s} .cut{width:3rem;overflow:hidden;white-space:nowrap}
.wide{width:60rem} button:focus-visible{outline:none}
a.small{display:inline-block;font-size:6px;width:8px;height:8px}
</style></head><body><p class="slow">Too pale</p><input name="nameless"><button>Go</button>
<div class="cut">Words that nobody can read</div><div class="wide">wide</div>
<a class="small" href="/a">a</a><a class="small" href="/b">b</a></body></html>"""

ROOT = Path(__file__).parents[2]
NIGHT = re.compile(r"@media\(prefers-color-scheme:dark\)\{((?:[^{}]+\{[^}]*\})*)\}")
COLOURS = re.compile(r":root\{(--[\w-]+:#[0-9a-f]{3,8};?)+\}(header img\{[^}]*\})?")
"""The logo has a light ground then."""


@pytest.fixture(autouse=True)
def bad_page(browser: Browser) -> None:
    browser.look(Look())
    browser.open("data:text/html;charset=utf-8," + quote(BAD))


def test_axe_core_finds_what_is_missing(browser: Browser) -> None:
    broken = {fault.rule for fault in judge(browser).faults}
    assert {"color-contrast", "html-has-lang", "label", "landmark-one-main", "target-size"} <= broken


def test_a_run_of_the_screen_dependent_rules_finds_the_same_faults(browser: Browser) -> None:
    broken = {fault.rule for fault in judge(browser, RULES_BY_SIZE + RULES_BY_COLOUR).faults}
    assert {"color-contrast", "target-size"} == broken


def test_a_page_that_is_too_wide_cuts_text_off_or_moves_is_found(browser: Browser) -> None:
    assert any("wide on a screen" in what for what in fits(browser))
    assert any("cut off" in what for what in fits(browser))
    assert not is_still(browser)


def test_an_element_without_visible_focus_is_found(browser: Browser) -> None:
    assert [stop.name for stop in tab_stops(browser) if not stop.is_visible] == ["Go"]


def test_an_image_from_another_origin_is_found(browser: Browser) -> None:
    browser.asked_for()
    browser.open("data:text/html," + quote('<img src="http://elsewhere.example/a.png">'))
    assert ("Image", "http://elsewhere.example/a.png") in browser.asked_for()


def test_axe_core_has_the_pinned_version() -> None:
    assert AXE.read_text().startswith("/*! axe v4.14.0")


@pytest.mark.parametrize("package", ["captive_portal", "node/admin", "node/setup"])
def test_at_night_only_colours_differ(package: str) -> None:
    """So the rules whose result depends on sizes are not judged again then."""
    styles = [path.read_text() for path in (ROOT / package / "templates").glob("*.css")]
    nights = [night for style in styles for night in NIGHT.findall(style)]
    assert all(COLOURS.fullmatch(each) for each in nights), nights
    assert sum(style.count("prefers-color-scheme") for style in styles) == len(nights)

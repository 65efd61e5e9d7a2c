"""Layout checks of a page: it fits the screen, does not move, and can be used by keyboard."""

from dataclasses import dataclass

from tests.browser.chromium import Browser, Look

FOCUS_PIXELS_MIN = 2
SPARE_PRESSES = 12

_FITS = """
const wrong = [];
const wide = document.documentElement.scrollWidth, screen = document.documentElement.clientWidth;
if (wide > screen) wrong.push(`the page is ${wide} wide on a screen of ${screen}`);
for (const element of document.body.querySelectorAll('*')) {
  const style = getComputedStyle(element);
  if (element.closest('svg') || style.display === 'inline' || element.matches('.hidden')) continue;
  const cut = ['hidden', 'clip'];
  if (cut.includes(style.overflowX) && element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 1
      || cut.includes(style.overflowY) && element.scrollHeight > element.clientHeight + 1 && element.clientHeight > 1)
    if (element.tagName !== 'PROGRESS') wrong.push(`cut off: ${element.outerHTML.slice(0, 120)}`);
}
return wrong;
"""

# WCAG 2.2, 1.4.12. A constructed style sheet, because the page's content security policy blocks inline styles.
_WIDE_TEXT = """
const sheet = new CSSStyleSheet();
sheet.replaceSync(`* { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important }
  p { margin-bottom: 2em !important }`);
document.adoptedStyleSheets = [sheet];
"""

_STILL = """
return document.getAnimations().length === 0 && [...document.querySelectorAll('*')].every(element => {
  const style = getComputedStyle(element);
  return style.animationName === 'none' && style.transitionDuration.split(',').every(time => parseFloat(time) === 0)
    && style.scrollBehavior === 'auto';
});
"""

_SHOWN = """
const [width, dark, forced, done] = arguments, is = query => matchMedia(query).matches;
(function wait() {
  innerWidth === width && is('(prefers-color-scheme: dark)') === dark && is('(forced-colors: active)') === forced
    ? done() : setTimeout(wait, 1);
})();
"""

# Of several radio buttons with one name the Tab key reaches the selected one; arrow keys reach the others.
_REACHABLE = """
window.stops = [...document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex]')].filter(
  element => element.type !== 'hidden' && !element.disabled && element.tabIndex >= 0 && element.checkVisibility()
    && (element.type !== 'radio' || element.checked));
return window.stops.length;
"""

_HERE = """
const element = document.activeElement;
if (!element || element === document.body) return null;
const style = getComputedStyle(element), box = element.getBoundingClientRect();
const x = box.left + box.width / 2, y = box.top + box.height / 2;
const top = document.elementFromPoint(x, Math.min(Math.max(y, 1), innerHeight - 1));
return {
  number: window.stops.indexOf(element),
  name: (element.innerText || element.name || element.tagName).trim().slice(0, 60),
  // "auto" is the browser's own ring, thick enough whatever it says.
  outline: {none: 0, auto: 2}[style.outlineStyle] ?? parseFloat(style.outlineWidth),
  inside: box.bottom > 0 && box.top < innerHeight,
  covered: !(top && (element === top || element.contains(top) || top.contains(element))),
};
"""


@dataclass(frozen=True, slots=True)
class Stop:
    """One element on which the Tab key stops."""

    number: int
    """Index among all usable elements of the page, from 0; -1 for another element."""
    name: str
    is_visible: bool
    """The element has a thick outline, is on the screen, and is not covered."""


def show(browser: Browser, look: Look) -> None:
    """Sets another screen size, and waits until the page has it."""
    browser.look(look)
    browser.run_async(_SHOWN, look.width, look.dark, look.forced_colours)


def fits(browser: Browser) -> list[str]:
    """What does not fit the screen: a page that is wider, text that is cut off."""
    return list(browser.run(_FITS))


def widen_text(browser: Browser) -> None:
    """Sets the line, word and letter spacing of WCAG 1.4.12."""
    browser.run(_WIDE_TEXT)


def is_still(browser: Browser) -> bool:
    return bool(browser.run(_STILL))


def tab_stops(browser: Browser) -> list[Stop]:
    """The elements that Tab reaches from the current focus, past the end of the page to its top, until it repeats."""
    count = browser.run(_REACHABLE)
    stops: dict[int, Stop] = {}
    last = -1
    for _ in range(count + SPARE_PRESSES):
        browser.press_key("Tab")
        here = browser.run(_HERE)
        # A date field has several tab stops inside.
        if here is None or here["number"] == last:
            continue
        last = here["number"]
        if last in stops:
            break
        visible = here["outline"] >= FOCUS_PIXELS_MIN and here["inside"] and not here["covered"]
        stops[here["number"]] = Stop(here["number"], here["name"], visible)
    assert len(stops) == count, (
        f"Tab reaches {len(stops)} of {count}: {[stop.name for stop in stops.values()]}"
    )
    return list(stops.values())


def are_in_order(stops: list[Stop]) -> bool:
    """In document order; the focus may have started in their middle."""
    numbers = [stop.number for stop in stops]
    first = numbers.index(min(numbers)) if numbers else 0
    return numbers[first:] + numbers[:first] == sorted(numbers)

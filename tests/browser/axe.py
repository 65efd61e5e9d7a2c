"""Runs axe-core on a page: WCAG 2.0, 2.1 and 2.2 at levels A and AA, and best practices."""

from dataclasses import dataclass

from tests.browser.chromium import Browser
from tests.browser.driver import AXE

TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
RULES_BY_SIZE = ("target-size", "scrollable-region-focusable")
"""Rules whose result depends on the size of the screen."""
RULES_BY_COLOUR = ("color-contrast", "link-in-text-block")
"""Rules whose result depends on colours; for all others the document is the same. Not used with forced colours:
axe-core reads ``-webkit-text-fill-color``, which Chromium leaves unchanged (dequelabs/axe-core#3978)."""

_RUN = """
const [rules, tags, done] = arguments;
if (!('axe' in window)) {
  if (!window.startAxe) return done(null);
  startAxe();
}
const only = rules.length ? {type: 'rule', values: rules} : {type: 'tag', values: tags};
axe.run(document, {runOnly: only, rules: {'target-size': {enabled: true}}, resultTypes: ['violations']}).then(
  found => done({
    version: found.testEngine.version,
    passed: found.passes.map(rule => rule.id),
    unsure: found.incomplete.map(rule => rule.id),
    faults: found.violations.flatMap(rule => rule.nodes.map(
      node => [rule.id, node.target.join(' '), node.html.slice(0, 160), node.failureSummary])),
  }),
  error => done({error: String(error)}));
"""


@dataclass(frozen=True, slots=True)
class Fault:
    """One element that breaks one rule."""

    rule: str
    element: str
    html: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.element}: {self.html}: {' '.join(self.remedy.split())}"


@dataclass(frozen=True, slots=True)
class Judgement:
    """Result of one run of axe-core."""

    faults: tuple[Fault, ...]
    passed: frozenset[str]
    unsure: frozenset[str]
    """Rules that axe-core could not decide ("incomplete")."""


def judge(browser: Browser, rules: tuple[str, ...] = ()) -> Judgement:
    """Checks the current page; all rules of `TAGS`, or only `rules`."""
    found = browser.run_async(_RUN, list(rules), list(TAGS))
    if found is None:  # the first page of this browser; all later ones get the source with their document
        source = f"window.startAxe = () => {{ {AXE.read_text()}\nwindow.axe = axe; }};"
        browser.devtools("Page.addScriptToEvaluateOnNewDocument", source=source)
        browser.run(source)
        found = browser.run_async(_RUN, list(rules), list(TAGS))
    if "error" in found:
        raise RuntimeError(f"axe-core: {found['error']}")
    faults = tuple(Fault(*fault) for fault in found["faults"])
    return Judgement(faults, frozenset(found["passed"]), frozenset(found["unsure"]))

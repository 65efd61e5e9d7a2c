"""On a line with the rate of 2G a page is shown before people give up."""

import pytest

from tests.browser import people
from tests.browser.chromium import Browser, Look
from tests.browser.scenes import LANGUAGES
from tests.browser.stage import portal, served
from tests.browser.tally import TALLY

pytestmark = pytest.mark.browser

BITS_PER_SECOND, LATENCY_MS = 250_000, 300
SPLASH_BYTES_MAX = 14 * 1024
PAINT_MS_MAX = 2_000
LINE = f"{BITS_PER_SECOND // 1000} kbit/s, {LATENCY_MS} ms"
FULL = portal(
    people.the_terms_are_translated,
    people.there_is_news,
    people.there_are_services,
    node=people.valley,
)
"""All join methods, notices and services: the longest welcome page."""


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_welcome_page_has_14_kilobytes_at_most_and_is_shown_within_two_seconds(
    browser: Browser, language: str
) -> None:
    with served(FULL) as first_page:
        browser.look(Look())
        browser.speak(language)
        browser.slow_line(BITS_PER_SECOND, LATENCY_MS)
        try:
            load = browser.measure(first_page + "/")
        finally:
            browser.fast_line()
    TALLY.figures[f"welcome in {language} at {LINE}"] = (
        f"{load.bytes} bytes with their head, first paint after {load.first_paint_ms:.0f} ms"
    )
    assert load.requests == (first_page + "/",)
    assert load.bytes <= SPLASH_BYTES_MAX
    assert load.first_paint_ms < PAINT_MS_MAX

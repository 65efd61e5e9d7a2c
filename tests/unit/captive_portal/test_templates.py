"""Colour contrast, and a small first page."""

import re
from pathlib import Path

import pytest

from captive_portal import info_pages, splash
from captive_portal.request_context import PageContext
from tests.fakes.portal_server import context, rendered, renderer

TEMPLATES = Path(__file__).parents[3] / "captive_portal/templates"

STYLE = (TEMPLATES / "style.css").read_text()
LIGHT, DARK = (dict(re.findall(r"--([a-z-]+):(#[0-9a-f]+)", block)) for block in STYLE.split("}")[:2])
AA = 4.5
PAIRS = [
    (ink, paper)
    for ink, papers in {
        "ink": ("paper", "card", "warn"),
        "soft": ("paper", "card"),
        "leaf": ("paper", "card", "tint", "warn"),
        "leaf-ink": ("leaf",),
        "bad": ("card", "warn"),
        "card": ("bad",),
    }.items()
    for paper in papers
]


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(c * 2 for c in colour[1:])
    red, green, blue = (
        c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4
        for c in (int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4))
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("ink", "paper"), PAIRS)
def test_text_has_enough_contrast_in_both_themes(theme: dict[str, str], ink: str, paper: str) -> None:
    """WCAG 2.2 success criterion 1.4.3."""
    light, dark = sorted((luminance(theme[ink]), luminance(theme[paper])), reverse=True)
    assert AA <= (light + 0.05) / (dark + 0.05)


def test_both_themes_define_the_same_colours() -> None:
    assert set(LIGHT) == set(DARK)


def test_equal_pages_are_rendered_once() -> None:
    first = renderer().render_cached(info_pages.our_network(context()))
    assert first is renderer().render_cached(info_pages.our_network(context()))
    assert first == renderer().render(info_pages.our_network(context()))


def test_the_first_page_is_small() -> None:
    assert len(rendered(splash.splash(context()))) < splash.SPLASH_BYTES_MAX


def test_a_right_to_left_page_declares_it() -> None:
    place = PageContext("سلام", "", "login.example", "", "", lang="ar", direction="rtl")
    assert b'<html lang="ar" dir="rtl">' in rendered(info_pages.NotFound(place))

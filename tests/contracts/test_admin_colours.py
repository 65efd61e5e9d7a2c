"""Text contrast on the admin pages: WCAG 2.2 AA in the light and the dark theme."""

import re
from pathlib import Path

import pytest

TEMPLATES = Path(__file__).parents[2] / "node/admin/templates"


STYLE = (TEMPLATES / "style.css").read_text()
PALETTES = {
    name: dict(re.findall(r"--([a-z-]+):(#[0-9a-f]{3,6})", block))
    for name, block in zip(("light", "dark"), re.findall(r":root\{[^}]*--paper[^}]*\}", STYLE), strict=True)
}
READ_TOGETHER = [
    ("ink", "paper"),
    ("ink", "card"),
    ("ink", "warn"),
    ("ink", "bad-tint"),
    ("ink", "tint"),
    ("ink", "code"),
    ("soft", "paper"),
    ("soft", "card"),
    ("soft", "code"),
    ("leaf", "paper"),
    ("leaf", "card"),
    ("leaf", "tint"),
    ("leaf-ink", "leaf"),
    ("bad", "bad-tint"),
]


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("palette", PALETTES)
@pytest.mark.parametrize(("text", "ground"), READ_TOGETHER)
def test_text_has_enough_contrast_with_its_background(palette, text, ground):
    colours = PALETTES[palette]
    bright, dark = sorted((luminance(colours[text]), luminance(colours[ground])), reverse=True)
    assert (bright + 0.05) / (dark + 0.05) >= 4.5

"""The README's pictures show the current pages, are small, and have a description."""

import re
from pathlib import Path

from tests.browser.pictures import BYTES_MAX, FOLDER, PICTURES, STAMP, fingerprint

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def test_the_pictures_were_taken_of_the_pages_as_they_are_now():
    again = "take them anew with: .venv/bin/python -m tests.browser.pictures"
    assert fingerprint() == STAMP.read_text().strip(), again


def test_every_picture_is_there_and_small():
    for picture in PICTURES:
        assert 1_000 < (FOLDER / f"{picture.name}.webp").stat().st_size <= BYTES_MAX


def test_the_readme_shows_every_picture_with_a_description():
    shown = dict(re.findall(r'<img src="deploy/pictures/([a-z-]+)\.webp"[^>]* alt="([^"]+)"', README))
    assert {picture.name for picture in PICTURES} == set(shown)
    assert [name for name, words in shown.items() if len(words) < 20] == []

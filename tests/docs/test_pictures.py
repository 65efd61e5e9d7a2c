"""The pictures of the documents show the current pages, are small, and have a description."""

import re
from pathlib import Path

from tests.browser.pictures import BYTES_MAX, FOLDER, PICTURES, STAMP, fingerprint
from tests.browser.village_hour import PICTURE as VILLAGE_HOUR

ROOT = Path(__file__).resolve().parents[2]
NAMES = (*(picture.name for picture in PICTURES), VILLAGE_HOUR.stem)
DOCUMENTS = {"README.md": "deploy/pictures/", "deploy/README.md": "pictures/"}
"""Documents with pictures, each with its path to them."""


def test_the_pictures_were_taken_of_the_pages_as_they_are_now():
    again = "take them anew with: .venv/bin/python -m tests.browser.pictures"
    assert fingerprint() == STAMP.read_text().strip(), again


def test_every_picture_is_there_and_small():
    for name in NAMES:
        assert 1_000 < (FOLDER / f"{name}.webp").stat().st_size <= BYTES_MAX


def test_every_picture_is_shown_once_with_a_description():
    shown = [
        found
        for name, folder in DOCUMENTS.items()
        for found in re.findall(
            rf'<img src="{folder}([a-z-]+)\.webp"[^>]* alt="([^"]+)"', (ROOT / name).read_text()
        )
    ]
    assert sorted(NAMES) == sorted(name for name, _ in shown)
    assert [name for name, words in shown if len(words) < 20] == []

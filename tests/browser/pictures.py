"""``python -m tests.browser.pictures``: takes the screenshots of the README.

A hash of their sources (templates, catalogues, and the list of pictures) is written beside them, so that a test can
tell when they are outdated.
"""

import hashlib
import io
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.browser.all_scenes import SCENES
from tests.browser.chromium import Browser, Look
from tests.browser.driver import opened
from tests.browser.stage import HOST, served

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "pictures"
STAMP = FOLDER / "taken-of.txt"
BYTES_MAX = 60_000
QUALITIES = (90, 80, 70, 60, 50, 40)
PHONE = Look(390, 760, pixels=2)
PHONE_AT_NIGHT = Look(390, 760, pixels=2, dark=True)
DESKTOP = Look(1100, 760)


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture: which scene, on which screen, in which language."""

    name: str
    scene: str
    look: Look = PHONE
    language: str = "en"


PICTURES = (
    Picture("welcome", "a newcomer"),
    Picture("my-page", "online", language="ca"),
    Picture("welcome-arabic", "a newcomer", PHONE_AT_NIGHT, "ar"),
    Picture("which-device", "which device makes room", language="fr"),
    Picture("admins", "who is on", DESKTOP),
    Picture("history", "the line's last month", DESKTOP),
    Picture("setup-answers", "the answers of a set-up"),
    Picture("setup-plan", "the plan of a set-up"),
    Picture("sign-in", "a name and a passphrase"),
)


def sources() -> Iterator[Path]:
    """All files that can change the pictures."""
    for folder in (
        "captive_portal/templates",
        "node/admin/templates",
        "node/setup/templates",
        "node/web/languages",
    ):
        yield from sorted(path for path in (ROOT / folder).iterdir() if path.is_file())
    names = ("pictures.py", "people.py", "scenes.py", "admin_scenes.py", "setup_scenes.py")
    yield from (ROOT / "tests/browser" / name for name in names)


def fingerprint() -> str:
    told = hashlib.sha256()
    for path in sources():
        told.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return told.hexdigest()


def take(browser: Browser, picture: Picture) -> bytes:
    """A WebP of the visible part."""
    (scene,) = [scene for scene in SCENES if scene.name == picture.scene]
    browser.look(picture.look)
    browser.speak(picture.language)
    with served(scene.server, scene.host) as first_page:
        scene.enter(browser, first_page)
        taken = browser.picture(whole=False)
    return webp(taken)


def webp(png: bytes) -> bytes:
    """At the best quality below `BYTES_MAX`."""
    from PIL import Image

    image = Image.open(io.BytesIO(png))
    for quality in QUALITIES:
        drawn = io.BytesIO()
        image.save(drawn, "webp", quality=quality, method=6)
        if drawn.tell() <= BYTES_MAX:
            return drawn.getvalue()
    raise ValueError(f"the picture does not fit {BYTES_MAX} bytes")


def main() -> int:
    with (
        tempfile.TemporaryDirectory() as folder,
        opened(Path(folder), hosts={HOST: "127.0.0.1"}) as browser,
    ):
        for picture in PICTURES:
            path = FOLDER / f"{picture.name}.webp"
            path.write_bytes(take(browser, picture))
            print(f"{path.relative_to(ROOT)}: {path.stat().st_size} bytes")
    STAMP.write_text(fingerprint() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The scenes that are checked and photographed include every page."""

from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import node.setup
from captive_portal.views import FOR_ALL, FOR_DEVICES
from node.admin.server import AdminServer
from tests.browser.admin_scenes import ADMIN_SCENES, languages_of
from tests.browser.all_scenes import SCENES
from tests.browser.scenes import LANGUAGES, PORTAL_SCENES, PageScene
from tests.browser.setup_scenes import SETUP_SCENES
from tests.fakes.use_cases import AppFixture


def paths(scenes: tuple[PageScene, ...]) -> set[str]:
    return {urlsplit(scene.path).path for scene in scenes}


def test_every_page_of_the_portal_has_a_scene() -> None:
    shown = {path for path in (*FOR_ALL, *FOR_DEVICES) if not path.endswith(".json")}
    assert shown - paths(PORTAL_SCENES) == set()


def test_every_page_of_the_admin_server_has_a_scene(tmp_path: Path) -> None:
    server = AdminServer(AppFixture(folder=tmp_path).use_cases().admin, address="127.0.0.1", port=0)
    pages = (route.path for route in server.routes if route.method == "GET")
    shown = {path for path in pages if not path.endswith((".json", ".xml", ".svg", ".csv", ".conf", ".sh"))}
    assert shown - paths(ADMIN_SCENES) == set()


def test_every_page_of_the_admin_server_is_seen_in_every_language() -> None:
    seen = {(scene.page, language) for scene in ADMIN_SCENES for language in languages_of(scene)}
    assert seen == {(scene.page, language) for scene in ADMIN_SCENES for language in LANGUAGES}


def test_every_page_of_the_setup_has_a_scene() -> None:
    """Pages are named by their templates; what a request is refused with is like any other trouble."""
    folder = Path(node.setup.__file__).parent / "templates"
    shown = {path.stem for path in folder.glob("*.html")} - {"setup", "code_sheet", "setup_trouble"}
    assert shown == {scene.page for scene in SETUP_SCENES}


def test_no_two_scenes_have_the_same_name() -> None:
    names = Counter(scene.name for scene in SCENES)
    assert [name for name, count in names.items() if count > 1] == []

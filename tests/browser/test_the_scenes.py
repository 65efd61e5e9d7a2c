"""The scenes that are judged by axe-core and photographed leave no page out."""

from collections import Counter
from urllib.parse import urlsplit

from captive_portal.reading import FOR_ALL, FOR_DEVICES
from node.admin.web import AdminDoor
from tests.browser.admin_scenes import ADMIN_SCENES
from tests.browser.scenes import PORTAL_SCENES, Scene
from tests.fakes.admin_house import FakeAdminHouse


def paths(scenes: tuple[Scene, ...]) -> set[str]:
    return {urlsplit(scene.path).path for scene in scenes}


def test_every_address_of_the_portal_that_shows_a_page_is_a_scene() -> None:
    shown = {path for path in (*FOR_ALL, *FOR_DEVICES) if not path.endswith(".json")}
    assert shown - paths(PORTAL_SCENES) == set()


def test_every_address_of_the_admins_door_that_shows_a_page_is_a_scene() -> None:
    door = AdminDoor(FakeAdminHouse(), address="127.0.0.1", port=0)
    shown = {route.path for route in door.routes if route.method == "GET"}
    assert shown - paths(ADMIN_SCENES) == set()


def test_no_two_scenes_have_the_same_name() -> None:
    names = Counter(scene.name for scene in PORTAL_SCENES + ADMIN_SCENES)
    assert [name for name, count in names.items() if count > 1] == []

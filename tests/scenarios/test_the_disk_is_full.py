"""A data folder that is full or read-only: the node goes on enforcing and counting, says so, and recovers."""

import contextlib
import subprocess

import pytest

from tests.scenarios.conftest import eventually

pytestmark = pytest.mark.kernel


@pytest.fixture
def small_disk(place):
    """The square's data folder on a disk of 2 MB, with the node's key on it."""
    square = place.square
    key = (square.data / "node.key").read_bytes()
    place.lab.tmpfs(square.data, 2048)
    (square.data / "node.key").write_bytes(key)
    (square.data / "node.key").chmod(0o600)
    return square


def fill(router) -> None:
    with contextlib.suppress(OSError), (router.data / "ballast").open("wb") as file:
        while True:
            file.write(bytes(4096))
            file.flush()


def warned(router) -> bool:
    return any(
        "disk" in text or "data folder" in text or "database" in text
        for text in router.overview()["warnings"]
    )


def test_with_a_full_disk_people_are_counted_and_served_and_it_is_told(place, small_disk, online):
    square = small_disk
    square.start()
    laptop = online("laptop")
    fill(square)
    laptop.do("download", seconds=1)
    assert eventually(lambda: warned(square), 20), square.overview()["warnings"]
    assert laptop.do("echo", seconds=0.3)["came"] > 0
    assert eventually(lambda: (square.account("ana") or {"used_month": 0})["used_month"] > 1_000_000, 5)
    (square.data / "ballast").unlink()
    assert eventually(lambda: not warned(square), 30), square.overview()["warnings"]
    used = square.account("ana")["used_month"]
    square.daemon.stop()
    square.start()
    assert square.account("ana")["used_month"] >= used, "what was counted meanwhile is stored"


def test_with_a_read_only_disk_the_node_goes_on_and_says_so(place, small_disk, online):
    square = small_disk
    square.start()
    laptop = online("laptop")
    remount(square, "ro")
    try:
        laptop.do("download", seconds=1)
        assert eventually(lambda: warned(square), 20), square.overview()["warnings"]
        assert laptop.do("echo", seconds=0.3)["came"] > 0
    finally:
        remount(square, "rw")
    assert eventually(lambda: not warned(square), 30), square.overview()["warnings"]


def remount(router, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(router.data)], check=True)

"""A data directory that is full or read-only: the node still enforces and counts, reports it, and recovers."""

import contextlib
import subprocess

import pytest

from tests.lab import eventually

pytestmark = pytest.mark.kernel


@pytest.fixture
def small_disk(place):
    """The square's data directory on a file system of 2 MB, with the node's key in it."""
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
    """The node itself reports the error; the mesh stores its own pages and retries by its own timer."""
    texts = [text for text in router.overview()["warnings"] if "neighbours' pages" not in text]
    return any("disk" in text or "data folder" in text or "database" in text for text in texts)


def test_on_a_full_disk_people_are_counted_and_served_and_it_is_reported(place, small_disk, online):
    square = small_disk
    square.start()
    laptop = online("laptop")
    fill(square)
    phone = online("phone")
    laptop.do("download", seconds=1)
    assert eventually(lambda: warned(square), 40), "said with the next booking, which is due every 30 s"
    assert laptop.do("echo", seconds=0.3)["came"] > 0
    assert phone.do("echo", seconds=0.3)["came"] > 0, "who joins meanwhile is served too"
    assert eventually(lambda: (square.account("ana") or {"used_month": 0})["used_month"] > 1_000_000, 5)
    (square.data / "ballast").unlink()
    assert eventually(lambda: not warned(square), 40), square.overview()["warnings"]
    used = square.account("ana")["used_month"]
    square.daemon.stop()
    square.start()
    assert eventually(lambda: square.account("ana") is not None), "who was admitted still is"
    assert square.account("ana")["used_month"] >= used, "what was counted meanwhile is stored"


@pytest.mark.thorough
def test_on_a_full_disk_a_voucher_is_accepted_and_is_stored_once_there_is_room(place, small_disk, comes):
    square = small_disk
    square.start()
    people = [comes(name) for name in ("phone", "browser")]
    (code,) = square.ask("vouchers-issue", count="1", group="day-pass", lasts="1 day", devices="3")["codes"]
    fill(square)
    for person in people:
        went = person.do("press", url="http://login.procomu.lan/", ends="/join/code", fields={"code": code})
        assert 303 == went["status"]
        assert person.do("echo", seconds=0.3)["came"] > 0

    def now() -> list[str]:
        return [(square.device(person.mac) or {"account": ""})["account"] for person in people]

    accounts = now()
    assert accounts[0] == accounts[1] != "ana"
    assert eventually(lambda: warned(square), 5)
    (square.data / "ballast").unlink()
    assert eventually(lambda: not warned(square), 40), square.overview()["warnings"]
    square.daemon.kill9()
    square.start()
    assert eventually(lambda: accounts == now())
    third = comes("tablet")
    form = {"url": "http://login.procomu.lan/", "ends": "/join/code", "fields": {"code": code}}
    assert 303 == third.do("press", **form)["status"], "the voucher is still known"


def states(router) -> dict[str, int]:
    """Number of vouchers of the newest batch in each state."""
    newest = next(iter(router.ask("vouchers-list")["batches"]), {})
    return {state: newest[state] for state in ("unused", "used", "ended", "revoked") if newest.get(state)}


def test_a_voucher_used_on_a_full_disk_stays_used_when_the_node_is_killed(place, small_disk, comes):
    """Its device had stayed online, and the code could be used again for a whole day by another person."""
    square = small_disk
    square.start()
    phone = comes("phone")
    (code,) = square.ask("vouchers-issue", count="1", group="day-pass", lasts="1 day", devices="3")["codes"]
    form = {"url": "http://login.procomu.lan/", "ends": "/join/code", "fields": {"code": code}}
    fill(square)
    assert 303 == phone.do("press", **form)["status"]
    assert {"used": 1} == states(square)
    account = square.device(phone.mac)["account"]
    assert eventually(lambda: warned(square), 5), "the database could not take it"
    for is_full in (True, False):
        if not is_full:
            (square.data / "ballast").unlink()
        square.daemon.kill9()
        square.start()
        assert eventually(lambda: square.device(phone.mac) is not None)
        assert ({"used": 1}, account) == (states(square), square.device(phone.mac)["account"])
        left = square.device(phone.mac)["seconds_left"]
        assert 0 < left < 86_400, "its time goes on"
        assert phone.do("echo", seconds=0.3)["came"] > 0
    assert eventually(lambda: not warned(square), 40), square.overview()["warnings"]
    assert () == tuple(each for each in square.overview()["warnings"] if "the database" in each)


@pytest.mark.thorough
def test_on_a_read_only_disk_every_known_device_stays_known(place, small_disk, online, comes):
    square = small_disk
    square.start()
    laptop, phone = online("laptop"), comes("phone")
    (code, other) = square.ask("vouchers-issue", count="2", group="day-pass", lasts="1 day", devices="3")[
        "codes"
    ]
    form = {"url": "http://login.procomu.lan/", "ends": "/join/code", "fields": {"code": code}}
    assert 303 == phone.do("press", **form)["status"]
    account = square.device(phone.mac)["account"]
    square.daemon.kill9()
    square.place.run("nft", "delete", "table", "inet", "procomu")
    for pid in square.place.pids():  # dnsmasq has its lease file open
        subprocess.run(["kill", "-9", str(pid)], check=False, stderr=subprocess.DEVNULL)
    remount(square, "ro", is_running=False)
    try:
        square.start()
        assert eventually(lambda: square.device(phone.mac) and square.device(laptop.mac), 10)
        assert account == square.device(phone.mac)["account"]
        assert laptop.do("echo", seconds=0.3)["came"] > 0
        assert phone.do("echo", seconds=0.3)["came"] > 0
        browser = comes("browser")
        form["fields"] = {"code": other}
        assert 303 == browser.do("press", **form)["status"], "a voucher that nobody used yet is known too"
        assert eventually(lambda: warned(square), 20), square.overview()["warnings"]
    finally:
        remount(square, "rw")
    assert eventually(lambda: not warned(square), 40), square.overview()["warnings"]
    assert {"used": 2} == states(square)
    square.daemon.kill9()
    square.start()
    assert eventually(lambda: {"used": 2} == states(square)), "what changed meanwhile is stored"


def test_on_a_read_only_disk_the_node_starts_enforces_reports_it_and_stores_later(place, small_disk, online):
    square = small_disk
    remount(square, "ro")
    try:
        square.start()
        assert eventually(lambda: warned(square), 20), square.overview()["warnings"]
        laptop = online("laptop")
        laptop.do("download", seconds=1)
        assert laptop.do("echo", seconds=0.3)["came"] > 0
    finally:
        remount(square, "rw")
    assert eventually(lambda: not warned(square), 40), square.overview()["warnings"]


def remount(router, how: str, *, is_running: bool = True) -> None:
    """In the daemon's mount namespace too: ``ip netns exec`` gave it a copy of the mounts."""
    argv = ["mount", "-o", f"remount,{how}", str(router.data)]
    # Programs that were just killed have their files open for a moment.
    assert eventually(lambda: subprocess.run(argv, check=False).returncode == 0)
    if router.daemon is not None and is_running:
        subprocess.run(["nsenter", "--mount", "--target", str(router.daemon.pid), *argv], check=True)


@pytest.mark.thorough
def test_on_a_full_disk_no_rules_are_adopted_and_the_reason_is_shown(small_disk, tmp_path):
    square = small_disk
    square.start()
    draft = tmp_path / "draft.toml"
    draft.write_text(square.rules.read_text().replace("10 Mbit/s down", "3 Mbit/s down"))
    fill(square)
    before = square.ask("status")["rules_fingerprint"]
    # The database and its log may still have free pages: rules of some size need new ones.
    draft.write_text(draft.read_text() + "# a long reason\n" * 15_000)
    refused = square.cli("rules", "adopt", str(draft))
    assert (1, True) == (refused.returncode, "nothing was changed" in refused.stdout), refused
    assert (before, None) == (
        (said := square.ask("status"))["rules_fingerprint"],
        said["rules_trial"],
    )
    (square.data / "ballast").unlink()
    assert eventually(lambda: square.cli("rules", "adopt", str(draft)).returncode == 0, 20)
    assert "confirmed" == square.told("rules", "confirm")["outcome"]

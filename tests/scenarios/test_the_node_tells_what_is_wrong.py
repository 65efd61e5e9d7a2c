"""Alerts of real nodes: each begins when something real breaks, ends when it is repaired, and comes once."""

import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from node.backup.contents import RECIPIENTS
from tests.fakes.authority import Authority
from tests.lab import PATIENCE, eventually
from tests.scenarios.test_the_uplink_is_cut import CUT

pytestmark = pytest.mark.kernel
PATIENCE_S = 60.0 * PATIENCE
NOBODY = "http://127.0.0.1:9/"
"""Nothing listens there."""
HOST = "login.vall.example"
POWER_SUPPLIES = "/sys/class/power_supply"


def alerts_toml(router) -> str:
    """A file as one way, and a webhook that fails as another."""
    key = router.folder / "webhook.secret"
    key.write_text("s3cret\n")
    key.chmod(0o600)
    return f"""
[alerts]
file = "{router.folder / "alerts.jsonl"}"
webhook = "{NOBODY}"
webhook_key_file = "{key}"
"""


@pytest.fixture
def unstarted(place):
    """A node with alerts whose times are short, before it is started."""
    square = place.square
    furnish(square)
    square.program = ("tests.lab.hasty_node",)
    return square


@pytest.fixture
def square(place, unstarted):
    """The same, started, with a small disk."""
    key = (unstarted.data / "node.key").read_bytes()
    place.lab.tmpfs(unstarted.data, 16_384)
    (unstarted.data / "node.key").write_bytes(key)
    (unstarted.data / "node.key").chmod(0o600)
    unstarted.start()
    return unstarted


def furnish(router, more: str = "") -> None:
    settings = router.settings
    router.furnish(settings.nodes, settings.community_key_file, more=alerts_toml(router) + more)


def told(router) -> list[dict[str, Any]]:
    file = router.folder / "alerts.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def kinds(router, name: str) -> list[str]:
    return [each["kind"] for each in told(router) if each["alert"] == name]


def assert_is_told_and_over(
    router, name: str, breaks: Callable[[], object], mends: Callable[[], object]
) -> None:
    """What breaks is told once, is raised meanwhile, and its end is told once."""
    assert [] == kinds(router, name)
    breaks()
    assert eventually(lambda: ["raised"] == kinds(router, name), PATIENCE_S)
    assert name in raised(router)
    mends()
    assert eventually(lambda: ["raised", "cleared"] == kinds(router, name), PATIENCE_S)
    assert name not in raised(router)


def raised(router) -> set[str]:
    return {each["name"] for each in router.ask("alerts")["raised"]}


def test_a_dead_line_is_told_once_also_over_a_crash_and_so_is_its_end(place, square, comes):
    place.internet.place.run("nft", "-f", "-", stdin=CUT)
    began = time.monotonic()
    assert eventually(lambda: ["raised"] == kinds(square, "line_dead"), PATIENCE_S)
    print(f"told after {time.monotonic() - began:.1f} s")
    square.daemon.kill9()
    square.start()
    assert eventually(lambda: "line_dead" in raised(square), PATIENCE_S)
    (webhook,) = (way for way in square.told("alerts")["ways"] if way["name"] == "webhook")
    assert webhook["waiting"] >= 1, "kept over the crash, for the way that fails"
    assert eventually(lambda: _trouble(square, "webhook"), PATIENCE_S)
    place.internet.place.run("nft", "delete", "table", "inet", "cut")
    assert eventually(lambda: ["raised", "cleared"] == kinds(square, "line_dead"), PATIENCE_S)
    assert "line_dead" not in raised(square)
    first, last = (each for each in told(square) if each["alert"] == "line_dead")
    assert first["id"] != last["id"]
    assert first["since"] == last["since"]


def _trouble(router, name: str) -> str:
    (way,) = (each for each in router.ask("alerts")["ways"] if each["name"] == name)
    return str(way["trouble"])


def test_a_node_that_lost_its_power_is_missed_until_it_is_back(place, square):
    hills = place.hills
    hills.start()
    named = hills.site.name
    assert eventually(
        lambda: named in [peer["name"] for peer in square.peers() if peer["state"] == "trusted"], PATIENCE_S
    )
    # It was missed before it was started for the first time.
    assert eventually(lambda: kinds(square, "node_silent")[-1:] != ["raised"], PATIENCE_S)
    before = len(kinds(square, "node_silent"))
    time.sleep(2)  # a few looks
    hills.daemon.kill9()
    assert eventually(lambda: ["raised"] == kinds(square, "node_silent")[before:], PATIENCE_S)
    *_, missed = (each for each in told(square) if each["alert"] == "node_silent")
    assert hills.node_id == missed["about_node"]
    assert missed["subject"].endswith(f": {named}")
    hills.start()
    assert eventually(lambda: ["raised", "cleared"] == kinds(square, "node_silent")[before:], PATIENCE_S)


def test_a_disk_that_fills_is_told_and_so_is_the_room_that_somebody_makes(square):
    ballast = square.data / "ballast"
    free = os.statvfs(square.data)
    size = (free.f_bavail - free.f_blocks // 50) * free.f_frsize
    with ballast.open("wb") as file:
        file.write(bytes(size))
    assert eventually(lambda: ["raised"] == kinds(square, "disk_low"), PATIENCE_S)
    ballast.unlink()
    assert eventually(lambda: ["raised", "cleared"] == kinds(square, "disk_low"), PATIENCE_S)


def test_an_old_backup_is_told_until_there_is_a_new_one(square):
    square.told("backup", "key")
    recipients = square.settings.community_key_file.with_name(RECIPIENTS)
    old = time.time() - 40 * 86_400
    os.utime(recipients, (old, old))
    assert eventually(lambda: ["raised"] == kinds(square, "backup_old"), PATIENCE_S)
    square.told("backup", "create", str(square.folder / "now.backup"))
    assert eventually(lambda: ["raised", "cleared"] == kinds(square, "backup_old"), PATIENCE_S)


def test_an_empty_battery_is_told_until_it_is_charged(unstarted):
    """In its mount namespace the node has another folder where the kernel shows batteries; the machine keeps its own."""
    battery = unstarted.folder / "power_supply" / "BAT0"
    battery.mkdir(parents=True)
    (battery / "type").write_text("Battery\n")
    charge(battery, 80)
    mounted = f"mount --bind {battery.parent} {POWER_SUPPLIES} && exec \"$@\""
    unstarted.before = ("sh", "-c", mounted, "sh")
    unstarted.start()
    assert_is_told_and_over(unstarted, "battery_low", lambda: charge(battery, 29), lambda: charge(battery, 41))


def charge(battery: Path, percent: int) -> None:
    """In one step, as the kernel would."""
    draft = battery.with_name("capacity.new")
    draft.write_text(f"{percent}\n")
    draft.replace(battery / "capacity")


def test_a_certificate_that_is_not_renewed_is_told_until_it_is(unstarted):
    authority, now = Authority(), datetime.now(UTC)
    chain, key, root = authority.write(unstarted.folder, HOST, ends=now + timedelta(days=13))
    furnish(unstarted, f'[portal]\nhost = "{HOST}"\ncertificate = "{chain}"\ncertificate_key = "{key}"\n')
    unstarted.environment["SSL_CERT_FILE"] = str(root)
    unstarted.start()
    assert_is_told_and_over(
        unstarted,
        "certificate_ends",
        lambda: None,
        lambda: authority.write(unstarted.folder, HOST, ends=now + timedelta(days=80)),
    )


def test_a_test_message_says_what_happened(square):
    square.told("alerts", "test", "file")
    assert ["test"] == [each["kind"] for each in told(square)]
    failed = square.cli("alerts", "test", "webhook")
    assert 1 == failed.returncode
    assert "cannot be reached" in failed.stderr

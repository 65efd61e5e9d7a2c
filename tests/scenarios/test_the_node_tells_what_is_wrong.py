"""Alerts of real nodes: each of the list begins when something breaks, ends when it is repaired, and comes once.

What the lab puts in place of something else: times of alerts are shorter (`tests.lab.hasty_node`); a node's clock is set
for its process, because the kernel has one for all namespaces (`tests.lab.set_clock`); a folder is mounted where the kernel
shows batteries, in the node's mount namespace; evenings of a week are in the file of the history before the node starts.
"""

import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from node.backup.contents import RECIPIENTS
from node.clock import local_zone
from node.history.buffer import HistoryBuffer
from node.history.evenings import EVENING
from node.history.packing import pack_sheet
from node.history.roll_ups import DAY_S, FIVE_MINUTES_S, HOUR_S
from node.storage.history_file import HistoryFile
from tests.fakes.authority import Authority
from tests.lab import PATIENCE, eventually
from tests.lab.set_clock import VARIABLE, set_clock
from tests.lab.village import LINE_BITS
from tests.scenarios.test_the_uplink_is_cut import CUT

pytestmark = [pytest.mark.kernel, pytest.mark.early]
PATIENCE_S = 60.0 * PATIENCE
LEARNS_S = 15.0
"""The node learns the usual delay of the line. One that becomes slow before cannot be measured, and the node shares
the stated rate until it tries again, after a minute."""
NOBODY = "http://127.0.0.1:9/"
"""Nothing listens there."""
HOST = "login.vall.example"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
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
def clock(unstarted):
    """The file that sets the node's clock."""
    file = unstarted.folder / "clock"
    unstarted.environment[VARIABLE] = str(file)
    return file


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


def assert_told(router, name: str, wanted: list[str]) -> None:
    """Soon, and nothing else."""
    eventually(lambda: wanted == kinds(router, name), PATIENCE_S)
    assert wanted == kinds(router, name)


def assert_is_told_and_over(
    router, name: str, breaks: Callable[[], object], mends: Callable[[], object]
) -> None:
    """What breaks is told once, is raised meanwhile, and its end is told once."""
    assert [] == kinds(router, name)
    breaks()
    assert_told(router, name, ["raised"])
    assert name in raised(router)
    mends()
    assert_told(router, name, ["raised", "cleared"])
    assert name not in raised(router)


def raised(router) -> set[str]:
    return {each["name"] for each in router.ask("alerts")["raised"]}


def test_a_dead_line_is_told_once_also_over_a_crash_and_so_is_its_end(place, square, comes):
    place.internet.place.run("nft", "-f", "-", stdin=CUT)
    began = time.monotonic()
    assert_told(square, "line_dead", ["raised"])
    print(f"told after {time.monotonic() - began:.1f} s")
    square.daemon.kill9()
    square.start()
    assert eventually(lambda: "line_dead" in raised(square), PATIENCE_S)
    (webhook,) = (way for way in square.told("alerts")["ways"] if way["name"] == "webhook")
    assert webhook["waiting"] >= 1, "kept over the crash, for the way that fails"
    assert eventually(lambda: _trouble(square, "webhook"), PATIENCE_S)
    place.internet.place.run("nft", "delete", "table", "inet", "cut")
    assert eventually(lambda: "cleared" in kinds(square, "line_dead"), PATIENCE_S)
    assert "line_dead" not in raised(square)
    # A crash between sending a message and storing that it was sent makes it come again, with the same id.
    first, last = {each["id"]: each for each in told(square) if each["alert"] == "line_dead"}.values()
    assert ["raised", "cleared"] == [first["kind"], last["kind"]]
    assert first["since"] == last["since"]


def _trouble(router, name: str) -> str:
    (way,) = (each for each in router.ask("alerts")["ways"] if each["name"] == name)
    return str(way["trouble"])


@pytest.mark.thorough
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
    assert_told(square, "disk_low", ["raised"])
    ballast.unlink()
    assert_told(square, "disk_low", ["raised", "cleared"])


@pytest.mark.thorough
def test_an_old_backup_is_told_until_there_is_a_new_one(square):
    square.told("backup", "key")
    recipients = square.settings.community_key_file.with_name(RECIPIENTS)
    old = time.time() - 40 * 86_400
    os.utime(recipients, (old, old))
    assert_told(square, "backup_old", ["raised"])
    square.told("backup", "create", str(square.folder / "now.backup"))
    assert_told(square, "backup_old", ["raised", "cleared"])


@pytest.mark.thorough
def test_an_empty_battery_is_told_until_it_is_charged(unstarted):
    """The machine keeps its own batteries."""
    battery = unstarted.folder / "power_supply" / "BAT0"
    battery.mkdir(parents=True)
    (battery / "type").write_text("Battery\n")
    charge(battery, 80)
    mounted = f'mount --bind {battery.parent} {POWER_SUPPLIES} && exec "$@"'
    unstarted.before = ("sh", "-c", mounted, "sh")
    unstarted.start()
    assert_is_told_and_over(
        unstarted, "battery_low", lambda: charge(battery, 29), lambda: charge(battery, 41)
    )


def charge(battery: Path, percent: int) -> None:
    """In one step, as the kernel would."""
    draft = battery.with_name("capacity.new")
    draft.write_text(f"{percent}\n")
    draft.replace(battery / "capacity")


@pytest.mark.thorough
def test_a_certificate_that_is_not_renewed_is_told_until_it_is(unstarted):
    authority = Authority()

    def renew(days: int) -> tuple[Path, Path, Path]:
        return authority.write(unstarted.folder, HOST, ends=datetime.now(UTC) + timedelta(days=days))

    chain, key, root = renew(80)
    furnish(unstarted, f'[portal]\nhost = "{HOST}"\ncertificate = "{chain}"\ncertificate_key = "{key}"\n')
    unstarted.environment["SSL_CERT_FILE"] = str(root)
    unstarted.start()
    assert_is_told_and_over(unstarted, "certificate_ends", lambda: renew(13), lambda: renew(80))


@pytest.mark.thorough
def test_a_node_without_the_time_is_told_until_its_clock_is_set(unstarted, clock):
    """As on a board without a battery, whose clock begins in 1970 until somebody or something sets it."""
    set_clock(clock, EPOCH - datetime.now(UTC))
    assert_is_told_and_over(
        unstarted, "clock_unknown", unstarted.start, lambda: set_clock(clock, timedelta(0))
    )
    assert [] == kinds(unstarted, "clock_jumped"), "what sets a clock that was never set is no jump"


@pytest.mark.thorough
@pytest.mark.parametrize("jump", [timedelta(hours=2), timedelta(days=-30)])
def test_a_clock_that_jumps_is_told_until_it_has_been_left_alone_for_a_while(unstarted, clock, jump):
    unstarted.start()
    # Only a clock that was looked at before can have jumped. The other node, which was not started, shows that it was.
    assert eventually(lambda: "node_silent" in raised(unstarted), PATIENCE_S)
    set_clock(clock, jump)
    assert_told(unstarted, "clock_jumped", ["raised", "cleared"])
    assert "clock_jumped" not in raised(unstarted)


@pytest.mark.thorough
def test_a_line_that_was_full_on_many_evenings_is_told_until_it_is_on_few(unstarted, clock):
    """The node finds the evenings in its own file, as it would have stored them; then it is off for some days."""
    days_ago = {6: 24_000_000, 5: 24_500_000, 4: 25_000_000, 3: 5_000_000, 2: 5_000_000, 1: 5_000_000}
    store_evenings(unstarted.data, days_ago)
    unstarted.start()
    assert_told(unstarted, "line_full", ["raised"])
    assert "line_full" in raised(unstarted)
    unstarted.daemon.stop()
    set_clock(clock, timedelta(days=4))
    unstarted.start()
    assert_told(unstarted, "line_full", ["raised", "cleared"])
    assert "line_full" not in raised(unstarted)
    assert [] == kinds(unstarted, "clock_jumped")


def store_evenings(folder: Path, days_ago: dict[int, int]) -> None:
    """What a line of 25 Mbit/s carried from six to eleven in the evening, so many days ago."""
    zone, file = local_zone(), HistoryFile(folder)
    today = datetime.now(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    for days, carried in days_ago.items():
        buffer = HistoryBuffer()
        begins = int((today - timedelta(days=days)).replace(hour=EVENING[0]).timestamp())
        for at in range(begins, begins + len(EVENING) * HOUR_S, FIVE_MINUTES_S):
            buffer.add("line_down", carried, at)
            buffer.add("line_rate_down", LINE_BITS, at)
        for hour_s in buffer.parts:
            buffer.make_whole(hour_s, {})
        sheets = {begun: pack_sheet(sheet) for begun, sheet in buffer.to_store().items()}
        file.store(sheets, (), int(today.timestamp()) // DAY_S, zone)


MEASURED_LINE = """
rate = "measured"
least = "1 Mbit/s down, 1 Mbit/s up"

[charter]"""
SCHOOL_FLOOR = """
[[rule]]
id = "school-floor"
floor = "4 Mbit/s down, 256 kbit/s up"
who = "tier:school"
by = "D-2026-015"
why = "lessons need it"
"""


@pytest.mark.parametrize(
    ("name", "carries"),
    [
        pytest.param("floors_not_kept", 3_500_000, marks=pytest.mark.thorough),
        ("lifelines_not_kept", 700_000),
    ],
)
def test_a_line_that_is_too_slow_for_what_is_promised_is_told_until_it_is_faster(
    place, unstarted, comes, name, carries
):
    """The node measures it while people use it. The lifelines of a school and of a guest are 1.25 Mbit/s together."""
    text = unstarted.rules.read_text()
    unstarted.rules.write_text(text.replace("\n[charter]", MEASURED_LINE) + SCHOOL_FLOOR)
    unstarted.start()
    people = [comes(each) for each in ("tablet", "phone")]
    for person in people:
        assert person.do("accept")["first_packet_ms"] is not None
        person.wish("download", seconds=10 * PATIENCE_S)
    time.sleep(LEARNS_S)
    assert_is_told_and_over(
        unstarted, name, lambda: line_carries(place, carries), lambda: line_carries(place, LINE_BITS)
    )
    if name == "floors_not_kept":
        assert [] == kinds(unstarted, "lifelines_not_kept"), "the lifelines fit"


def line_carries(place, bits: int) -> None:
    queue = f"tc qdisc change dev line1 root tbf rate {bits} burst 6000 latency 60ms"
    place.internet.place.run(*queue.split())


def test_a_test_message_says_what_happened(square):
    square.told("alerts", "test", "file")
    assert ["test"] == [each["kind"] for each in told(square)]
    failed = square.cli("alerts", "test", "webhook")
    assert 1 == failed.returncode
    assert "cannot be reached" in failed.stderr

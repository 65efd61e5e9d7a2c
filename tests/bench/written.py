"""Bytes that a node writes to its disk in a day, with a hundred devices that transfer all the time.

The data folder is an ext4 file system of its own, on a loop device: what reaches the device is counted, with the file
system's journal. A few minutes are measured and multiplied; what happens less often is measured once and added: storing the
counts in the database (`repository.STORE_S`), merging them into the table of usage (`usage_tables.MERGE_MS`), and the daily
copy. The database has the counts of 13 months, so that each account's row of today is on a page of its own.
"""

import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from random import Random

from node.accounting.ledger import Booking
from node.accounting.meter import Baseline
from node.storage.copies import PAUSE_S, make_copy
from node.storage.opening import LOG_PAGES, connect
from node.storage.repository import STORE_S
from node.storage.usage_tables import MERGE_MS, load_baseline, load_buckets, merge_waiting, save_booking
from node.units import Bytes, Usage
from tests.bench.figures import Figures, say
from tests.bench.single_router import FAR, ClientProcess, SingleRouter, single_router

KEYS = ("written_mb_per_day_100_devices", "written_by_node_mb_per_day")
DEVICES, AT_ONCE = 100, 50
WARM_S, MEASURED_S = 70.0, 300.0
DAYS, SEED = 395, 20_261_129
IMAGE_BYTES = 512 * 1024 * 1024
DAY_S, SECTOR_BYTES, MB = 86_400, 512, 1_000_000
READY_S, ASK_AGAIN_S, SETTLE_S = 90.0, 0.1, 15.0


class LoopDisk:
    """A mounted file system, and how much was written to its device."""

    def __init__(self, folder: Path, device: str) -> None:
        self.folder = folder
        self._stat = Path("/sys/block") / Path(device).name / "stat"

    def written(self) -> int:
        """Bytes, after everything that waits was written."""
        subprocess.run(["sync", "-f", str(self.folder)], check=True)
        return int(self._stat.read_text().split()[6]) * SECTOR_BYTES


@contextmanager
def mounted(image: Path, folder: Path) -> Iterator[LoopDisk]:
    folder.mkdir(mode=0o700, exist_ok=True)
    with image.open("wb") as file:
        file.truncate(IMAGE_BYTES)
    # No lazy initialization: it would write in the background.
    options = "lazy_itable_init=0,lazy_journal_init=0"
    subprocess.run(["mkfs.ext4", "-q", "-E", options, str(image)], check=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(folder)], check=True)
    try:
        device = subprocess.run(
            ["findmnt", "-n", "-o", "SOURCE", str(folder)], check=True, capture_output=True, text=True
        ).stdout.strip()
        folder.chmod(0o700)
        yield LoopDisk(folder, device)
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def add_history(database: Path, node: str) -> None:
    """Usage of each account on each day of 13 months, in the present incarnation of the node's records."""
    with closing(sqlite3.connect(database)) as db, db:
        (incarnation,) = db.execute("SELECT value FROM facts WHERE name = 'incarnation'").fetchone()
        accounts = [row[0] for row in db.execute("SELECT account FROM accounts")]
        days = [(date.today() - timedelta(days=ago)).isoformat() for ago in range(1, DAYS)]
        # As different as real ones: equal numbers would take less room where they are compressed.
        random = Random(SEED)
        rows = (
            (
                node,
                incarnation,
                account,
                day,
                *(random.randrange(10 ** (n - 1), 10**n) for n in (10, 9, 8, 7)),
            )
            for account in accounts
            for day in days
        )
        db.executemany("INSERT INTO cells VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)


def measure() -> Figures:
    with single_router() as place, mounted(place.lab.folder / "disk.img", place.router.data) as disk:
        place.furnish()
        people = place.crowd(DEVICES)
        place.router.start(wait=False)
        people.wait_until_captured(READY_S, ASK_AGAIN_S)
        people.let_in(AT_ONCE)
        time.sleep(1)
        place.router.daemon.stop()
        database = place.router.data / "procomu.db"
        add_history(database, place.router.node_id)
        # The daily copy is counted apart.
        make_copy(database, database.with_name("procomu.db.copy"), pause_s=0, is_stopped=lambda: False)
        place.router.start(wait=False)
        time.sleep(SETTLE_S)
        try:
            steady, process = _written(place, people, disk)
        finally:
            people.close()
        stored, merged = _stored(database, disk), _merged(database, disk)
        copied = _copied(database, disk)
    seldom = stored * DAY_S / STORE_S + merged * DAY_S * 1000 / MERGE_MS + copied
    daily, own = (each * DAY_S / MEASURED_S + seldom for each in (steady, process))
    say(
        f"{steady / MB:.2f} MB in {MEASURED_S:g} s, {process / MB:.2f} MB by the node itself, "
        f"{stored / MB:.2f} MB to store the counts, {merged / MB:.2f} MB for a merge, "
        f"{copied / MB:.2f} MB for a copy of the database"
    )
    return {KEYS[0]: round(daily / MB, 1), KEYS[1]: round(own / MB, 1)}


def _written(place: SingleRouter, people: ClientProcess, disk: LoopDisk) -> tuple[int, int]:
    """Bytes of MEASURED_S while all devices transfer: those that reach the disk, and those that the node itself writes."""
    daemon = place.router.daemon
    assert daemon is not None
    far = {"fars": [FAR] * DEVICES, "flows": [1] * DEVICES, "upwards": False}
    people.begin("greed", people.devices, seconds=WARM_S + MEASURED_S, **far)
    time.sleep(WARM_S / 2)
    _fill_log(place.router.data / "procomu.db")
    time.sleep(WARM_S / 2)
    begun, begun_by_node = disk.written(), written_by(daemon.pid)
    time.sleep(MEASURED_S)
    written, by_node = disk.written() - begun, written_by(daemon.pid) - begun_by_node
    daemon.stop()
    people.answer()
    return written, by_node


def _fill_log(database: Path) -> None:
    """The write-ahead log gets its full size, as in a node that has run for some hours."""
    with closing(connect(database)) as db:
        db.execute("PRAGMA wal_autocheckpoint = 0")
        for number in range(LOG_PAGES + 1):
            db.execute("INSERT OR REPLACE INTO facts VALUES ('bench', ?)", [str(number)])
        db.execute("DELETE FROM facts WHERE name = 'bench'")


def written_by(pid: int) -> int:
    """Bytes that a process made the kernel write."""
    fields = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    return int(fields["write_bytes"])


def _stored(database: Path, disk: LoopDisk) -> int:
    """Bytes that it takes to store the counts of all accounts in the database."""
    begun = disk.written()
    with closing(connect(database)) as db:
        today = tuple(load_buckets(db, date.today().isoformat()))
        more = Usage(Bytes(12_345_678), Bytes(1_234_567))
        buckets = tuple((key, replace(each, uplink=each.uplink + more)) for key, each in today)
        before = load_baseline(db)
        assert before is not None
        assert len(buckets) >= DEVICES
        baseline = Baseline(before.counters_id, {mark: each + more for mark, each in before.booked.items()})
        db.execute("BEGIN IMMEDIATE")
        save_booking(db, Booking(buckets, baseline, {}), is_merging=False)
        db.execute("COMMIT")
    return disk.written() - begun


def _copied(database: Path, disk: LoopDisk) -> int:
    """Bytes that a copy of the database takes."""
    begun = disk.written()
    copy = database.with_name("procomu.db.copy")
    make_copy(database, copy, pause_s=PAUSE_S, is_stopped=lambda: False)
    return disk.written() - begun


def _merged(database: Path, disk: LoopDisk) -> int:
    """Bytes that it takes to put what waits into the table of usage."""
    begun = disk.written()
    with closing(connect(database)) as db:
        db.execute("BEGIN IMMEDIATE")
        merge_waiting(db)
        db.execute("COMMIT")
    return disk.written() - begun

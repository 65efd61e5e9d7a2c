"""What a disk says after a power cut."""

import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from node.accounting.ledger import Booking, UsageBucket, UsageKey
from node.storage.migrations import migrate
from node.storage.usage_tables import save_booking
from node.units import NO_USAGE, AccountId, Bytes, NodeId, Usage
from tests.vm.disk_check import SYSTEM_AT, Stored, copy_system, database, stored, system_bytes

MISSING = [name for name in ("mkfs.ext4", "e2fsck", "debugfs") if shutil.which(name) is None]
needs_ext4 = pytest.mark.skipif(bool(MISSING), reason=f"{', '.join(MISSING)} missing")


def book(db: sqlite3.Connection, *downloads: tuple[str, str, int], is_merging: bool) -> None:
    buckets = [
        (
            UsageKey(NodeId("n" * 52), "1-a", AccountId(account), day),
            UsageBucket(Usage(Bytes(down), Bytes(0)), NO_USAGE),
        )
        for account, day, down in downloads
    ]
    save_booking(db, Booking(tuple(buckets), None, {}), is_merging=is_merging)


def sound_database(file: Path) -> None:
    """As a node writes it: yesterday is in the table of usage, and the bookings of today wait."""
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        migrate(db)
        book(db, ("a", "2026-11-28", 1), is_merging=True)
        book(db, ("a", "2026-11-29", 2), ("b", "2026-11-29", 5), is_merging=False)


def disk_with(folder: Path, tmp_path: Path) -> Path:
    """A disk of 16 MiB whose system has the files of `folder`."""
    system, disk = tmp_path / "made.ext4", tmp_path / "disk.img"
    subprocess.run(["mkfs.ext4", "-q", "-d", folder, system, "16M"], check=True)
    with disk.open("wb") as file:
        file.seek(SYSTEM_AT)
        file.write(system.read_bytes())
        file.truncate(SYSTEM_AT + (24 << 20))
    return disk


@needs_ext4
def test_what_the_node_had_stored_is_read_from_a_copy_of_the_disk(tmp_path: Path) -> None:
    data = tmp_path / "root" / "var" / "lib" / "procomu"
    data.mkdir(parents=True)
    sound_database(data / "procomu.db")
    disk = disk_with(tmp_path / "root", tmp_path)
    before = disk.read_bytes()
    copies = tmp_path / "copies"
    copies.mkdir()
    assert Stored(True, ("procomu.db",), "ok", {"a": 3, "b": 5}) == stored(disk, copies)
    assert before == disk.read_bytes()
    assert 16 << 20 == system_bytes(disk, copies)


@needs_ext4
def test_a_damaged_file_system_is_found(tmp_path: Path) -> None:
    (tmp_path / "root" / "var" / "lib" / "procomu").mkdir(parents=True)
    disk = disk_with(tmp_path / "root", tmp_path)
    copies = tmp_path / "copies"
    copies.mkdir()
    assert Stored(True, (), "none", {}) == stored(disk, copies)
    with disk.open("r+b") as file:
        file.seek(SYSTEM_AT + (64 << 10))
        file.write(b"\xff" * (1 << 20))
    again = tmp_path / "again"
    again.mkdir()
    assert stored(disk, again).is_corrupt


def test_only_what_was_written_is_copied(tmp_path: Path) -> None:
    disk, target = tmp_path / "disk.img", tmp_path / "system"
    with disk.open("wb") as file:
        file.write(b"boot")
        file.seek(SYSTEM_AT + (8 << 20))
        file.write(b"system")
        file.truncate(SYSTEM_AT + (1 << 30))
    copy_system(disk, target)
    assert 1 << 30 == target.stat().st_size
    assert 512 * target.stat().st_blocks < 1 << 20
    with target.open("rb") as file:
        file.seek(8 << 20)
        assert b"system" == file.read(6)


def test_a_database_that_is_none_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "procomu.db").write_bytes(b"no database at all" * 100)
    assert ("file is not a database", {}) == database(tmp_path / "procomu.db")


@pytest.mark.parametrize(
    ("found", "corrupt"),
    [
        (Stored(True, ("procomu.db", "procomu.db-wal"), "ok", {}), False),
        (Stored(True, (), "none", {}), False),
        (Stored(True, ("procomu.db",), "*** in database main ***", {}), True),
        (Stored(True, ("procomu.db", "procomu.db.damaged-1"), "ok", {}), True),
        (Stored(False, ("procomu.db",), "ok", {}), True),
    ],
)
def test_a_database_is_corrupt_also_if_the_node_set_it_aside(found: Stored, corrupt: bool) -> None:
    assert corrupt == found.is_corrupt

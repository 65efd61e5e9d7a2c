"""What is on a board's disk after a power cut, read from a copy before the board starts again: whether the file system and
the database are whole, and what the node had stored."""

import os
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from node.storage.booking_file import all_usage

SYSTEM_AT = 257 << 20
"""Where ``deploy/image`` puts the partition with the system."""
DATA = "/var/lib/procomu"
E2FSCK_UNCORRECTED = 4


@dataclass(frozen=True, slots=True)
class Stored:
    """`integrity` is what SQLite says of the database; ``none`` where there is none. `down` are bytes by account."""

    file_system_is_whole: bool
    files: tuple[str, ...]
    integrity: str
    down: Mapping[str, int]

    @property
    def is_corrupt(self) -> bool:
        """Also if the node set a database aside as damaged."""
        damaged = any("damaged" in name for name in self.files)
        return damaged or not self.file_system_is_whole or self.integrity not in {"ok", "none"}


def stored(disk: Path, folder: Path) -> Stored:
    """`folder` takes the copies; it is empty, and has them afterwards."""
    system = folder / "system.ext4"
    copy_system(disk, system)
    # As the kernel does when it mounts it.
    subprocess.run(["e2fsck", "-y", "-E", "journal_only", system], check=False, capture_output=True)
    checked = subprocess.run(["e2fsck", "-fn", system], check=False, capture_output=True)
    subprocess.run(["debugfs", "-R", f"rdump {DATA} {folder}", system], check=False, capture_output=True)
    data = folder / Path(DATA).name
    files = tuple(sorted(file.name for file in data.iterdir())) if data.is_dir() else ()
    integrity, down = database(data / "procomu.db") if "procomu.db" in files else ("none", {})
    return Stored(checked.returncode < E2FSCK_UNCORRECTED, files, integrity, down)


def copy_system(disk: Path, target: Path) -> None:
    """The partition with the system alone; what was never written takes no time and no room."""
    with disk.open("rb") as source, target.open("wb") as sink:
        size = os.fstat(source.fileno()).st_size
        at = SYSTEM_AT
        while at < size:
            try:
                begins = os.lseek(source.fileno(), at, os.SEEK_DATA)
            except OSError:
                break  # nothing but a hole is left
            at = os.lseek(source.fileno(), begins, os.SEEK_HOLE)
            source.seek(begins)
            sink.seek(begins - SYSTEM_AT)
            while begins < at:
                begins += sink.write(source.read(min(4 << 20, at - begins)))
        sink.truncate(size - SYSTEM_AT)


def system_bytes(disk: Path, folder: Path) -> int:
    """How large the file system is."""
    system = folder / "system.ext4"
    copy_system(disk, system)
    shown = subprocess.run(["dumpe2fs", "-h", system], check=True, capture_output=True, text=True).stdout
    fields = dict(line.split(":", 1) for line in shown.splitlines() if ":" in line)
    return int(fields["Block count"]) * int(fields["Block size"])


def database(file: Path) -> tuple[str, dict[str, int]]:
    """What SQLite says of the whole file, and what each account downloaded; also what waits to be put into it."""
    try:
        with closing(sqlite3.connect(file)) as opened:
            (integrity,) = opened.execute("PRAGMA integrity_check").fetchone()
            if not opened.execute("SELECT 1 FROM sqlite_master WHERE name = 'cells'").fetchone():
                return str(integrity), {}
            down = Counter[str]()
            for _, _, account, _, received, *_ in all_usage(opened):
                down[str(account)] += int(received)
            return str(integrity), dict(down)
    except sqlite3.DatabaseError as error:
        return str(error), {}

"""What the kernel says of this machine and of this process: memory, processor, disk, temperature, battery, interfaces.

Whatever a board does not have, or a sandbox hides, is None.
"""

import os
import resource
from dataclasses import dataclass
from pathlib import Path

from node.machine_figures import memory_kb
from node.machine_sensors import MachineSensors

TEXT_BYTES_MAX = 100_000
"""Read of one file."""
_DATABASE_SUFFIXES = ("", "-wal", "-journal")


@dataclass(frozen=True, slots=True)
class SystemReadings:
    """One look at the machine; see `read_system`."""

    cpu_ms: int = 0
    """Time of the processors that this process has used."""
    resident_bytes: int | None = None
    """Memory of this process."""
    open_files: int | None = None
    """Descriptors that this process has open."""
    load_permille: int | None = None
    """Processes that ran or wanted to run in the last minute, of what the processors can do."""
    memory_bytes: int | None = None
    """Of the machine."""
    memory_available_bytes: int | None = None
    disk_bytes: int | None = None
    """Of the file system of the data folder."""
    disk_free_bytes: int | None = None
    """There, for programs without privileges."""
    database_bytes: int | None = None
    """The database, with what is not yet merged into it."""
    temperature_millicelsius: int | None = None
    """Of the warmest sensor."""
    battery_permille: int | None = None
    """Of the battery with the least charge."""
    uplink_down_bytes: int | None = None
    """What the uplink's interface has received since it is there."""
    uplink_up_bytes: int | None = None


def read_system(database: Path, uplink: str, root: Path = Path("/")) -> SystemReadings:
    """`database` is in the data folder; `uplink` names an interface. Reads files: to be called in a thread, because a
    damaged disk may not answer."""
    memory, sensors = _memory(root), MachineSensors(database.parent, root).read()
    uplink_files = root / "sys/class/net" / uplink / "statistics"
    used = resource.getrusage(resource.RUSAGE_SELF)
    return SystemReadings(
        cpu_ms=round((used.ru_utime + used.ru_stime) * 1_000),
        resident_bytes=sensors.get("node_memory"),
        open_files=_open_files(root),
        load_permille=_load(root),
        memory_bytes=memory.get("total"),
        memory_available_bytes=memory.get("available"),
        disk_bytes=_disk(database.parent),
        disk_free_bytes=sensors.get("disk_free"),
        database_bytes=_size(database),
        temperature_millicelsius=sensors.get("temperature"),
        battery_permille=sensors.get("battery"),
        uplink_down_bytes=_number(uplink_files / "rx_bytes"),
        uplink_up_bytes=_number(uplink_files / "tx_bytes"),
    )


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(TEXT_BYTES_MAX).decode("ascii", "replace")
    except OSError:
        return ""


def _whole(text: str) -> int | None:
    text = text.strip()
    is_number = text.removeprefix("-").isdecimal() and text.isascii() and len(text) <= 20
    return int(text) if is_number else None


def _number(path: Path) -> int | None:
    return _whole(_text(path))


def _memory(root: Path) -> dict[str, int]:
    """Bytes, by the names of MEMORY_KEYS."""
    return {name: kb * 1024 for name, kb in memory_kb(_text(root / "proc/meminfo").splitlines())}


def _open_files(root: Path) -> int | None:
    try:
        return sum(1 for _ in (root / "proc/self/fd").iterdir())
    except OSError:
        return None


def _load(root: Path) -> int | None:
    words = _text(root / "proc/loadavg").split()[:1]
    try:
        return round(1_000 * float(words[0]) / (os.cpu_count() or 1)) if words else None
    except (ValueError, OverflowError):
        return None


def _disk(folder: Path) -> int | None:
    try:
        found = os.statvfs(folder)
    except OSError:
        return None
    return found.f_blocks * found.f_frsize


def _size(database: Path) -> int | None:
    sizes = []
    for suffix in _DATABASE_SUFFIXES:
        try:
            sizes.append(database.with_name(database.name + suffix).stat().st_size)
        except OSError:
            continue
    return sum(sizes) if sizes else None

"""What the kernel says of a machine: boards that have everything, and those that have nothing or talk nonsense."""

from pathlib import Path

import pytest

from node.system_readings import SystemReadings, read_system

FILES = {
    "proc/meminfo": "MemTotal:  1000 kB\nMemFree: 10 kB\nMemAvailable:   250 kB\n",
    "proc/self/status": "Name: python3\nVmRSS:    80 kB\n",
    "proc/loadavg": "0.50 0.40 0.30 1/100 7\n",
    "proc/self/fd/0": "",
    "proc/self/fd/1": "",
    "sys/class/thermal/thermal_zone0/temp": "41000\n",
    "sys/class/thermal/thermal_zone1/temp": "55500\n",
    "sys/class/power_supply/BAT0/capacity": "80\n",
    "sys/class/power_supply/BAT1/capacity": "30\n",
    "sys/class/power_supply/BAT0/type": "Battery\n",
    "sys/class/power_supply/BAT1/type": "Battery\n",
    "sys/class/net/wan/statistics/rx_bytes": "123456789012\n",
    "sys/class/net/wan/statistics/tx_bytes": "42\n",
}


def written(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_a_board_with_everything_is_read(tmp_path: Path) -> None:
    root, folder = written(tmp_path / "root", FILES), tmp_path / "data"
    written(folder, {"procomu.db": "x" * 100, "procomu.db-wal": "y" * 20})
    found = read_system(folder / "procomu.db", "wan", root)
    assert (1_024_000, 256_000) == (found.memory_bytes, found.memory_available_bytes)
    assert (55_500, 300, 2) == (found.temperature_millicelsius, found.battery_permille, found.open_files)
    assert (123_456_789_012, 42) == (found.uplink_down_bytes, found.uplink_up_bytes)
    assert (120, 81_920) == (found.database_bytes, found.resident_bytes)
    assert found.disk_bytes is not None
    assert found.disk_free_bytes is not None
    assert 0 < found.disk_free_bytes <= found.disk_bytes
    assert found.load_permille is not None
    assert 0 < found.load_permille <= 500
    assert found.cpu_ms > 0


@pytest.mark.parametrize(
    "text", ["", "\0", "nan", "-", "9" * 5_000, "\u0663", "MemTotal:", "VmRSS:", "inf x"]
)
def test_what_cannot_be_read_is_not_known(tmp_path: Path, text: str) -> None:
    root = written(tmp_path / "root", {name: text for name in FILES if "fd" not in name})
    nowhere = tmp_path / "nowhere"
    found = read_system(nowhere / "procomu.db", "wan", root)
    assert SystemReadings(found.cpu_ms) == found


def test_this_machine_can_be_read(tmp_path: Path) -> None:
    found = read_system(tmp_path / "none.db", "lo")
    assert found.resident_bytes is not None
    assert found.resident_bytes > 1_000_000
    assert found.uplink_down_bytes is not None
    assert found.database_bytes is None

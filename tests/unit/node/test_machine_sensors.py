"""What the machine says of itself."""

from pathlib import Path

import pytest

from node.history.series import BY_NAME
from node.machine_sensors import MachineSensors

STAT = "cpu  {user} 0 {system} {idle} {waiting} 0 0 0 0 0\ncpu0 1 2 3 4\n"


class FakeMachine:
    """Files of the kernel."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.sensors = MachineSensors(root, root)

    def has(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def read(self) -> dict[str, int]:
        found = self.sensors.read()
        found.pop("disk_free")  # of the real disk
        return found


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    return FakeMachine(tmp_path)


def test_a_machine_that_says_nothing_has_gaps_and_no_zeros(machine: FakeMachine) -> None:
    assert {} == machine.read()
    assert {} == MachineSensors(Path("/nowhere"), Path("/nowhere")).read()


def test_the_processor_is_busy_by_what_passed_since_the_last_reading(machine: FakeMachine) -> None:
    machine.has("proc/stat", STAT.format(user=100, system=50, idle=1_000, waiting=30))
    assert {} == machine.read()
    machine.has("proc/stat", STAT.format(user=120, system=60, idle=1_060, waiting=40))
    assert {"processor": 300} == machine.read()
    machine.has("proc/stat", STAT.format(user=120, system=60, idle=1_060, waiting=40))
    assert {} == machine.read()


def test_memory_is_what_programs_cannot_have(machine: FakeMachine) -> None:
    machine.has("proc/meminfo", "MemTotal:  1000 kB\nMemFree:  10 kB\nMemAvailable:  250 kB\n")
    machine.has("proc/self/status", "Name:\tprocomu\nVmRSS:\t  63000 kB\n")
    assert {"memory": 750, "node_memory": 63_000 * 1_024} == machine.read()


def test_the_hottest_zone_and_the_emptiest_battery_are_told(machine: FakeMachine) -> None:
    for zone, temperature in enumerate(("41000", "52500", "-274000", "", "hot")):
        machine.has(f"sys/class/thermal/thermal_zone{zone}/temp", f"{temperature}\n")
    for name, kind, charge in (("AC", "Mains", "7"), ("BAT0", "Battery", "80"), ("BAT1", "Battery", "35")):
        machine.has(f"sys/class/power_supply/{name}/type", f"{kind}\n")
        machine.has(f"sys/class/power_supply/{name}/capacity", f"{charge}\n")
    assert {"temperature": 52_500, "battery": 350} == machine.read()


def test_a_cold_board_is_below_zero(machine: FakeMachine) -> None:
    machine.has("sys/class/thermal/thermal_zone0/temp", "-12000")
    assert {"temperature": -12_000} == machine.read()


def test_a_battery_that_cannot_be_read_is_missing(machine: FakeMachine) -> None:
    machine.has("sys/class/power_supply/BAT0/type", "Battery")
    machine.has("sys/class/power_supply/BAT0/capacity", "255")
    assert {} == machine.read()


def test_this_machine_tells_its_processor_memory_and_disk(tmp_path: Path) -> None:
    sensors = MachineSensors(tmp_path)
    sensors.read()
    while "processor" not in (found := sensors.read()):
        pass
    assert {"processor", "memory", "node_memory", "disk_free"} <= found.keys() <= BY_NAME.keys()
    assert 0 < found["memory"] <= 1000
    assert 1_000_000 < found["node_memory"] < 10**10

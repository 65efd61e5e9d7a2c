"""Households join a community one by one on the same line: the node runs, and says which guarantees it can keep."""

import signal
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from node.enforcement.plan import CONTROL_MINOR, DNS_MINOR, LAN_MINOR, OWN_MINOR, TEST_MINOR
from tests.bench.many_clients import VirtualDevice
from tests.bench.single_router import PORTAL, ClientProcess, SingleRouter, single_router
from tests.lab import eventually
from tests.lab.internet import ROOT

pytestmark = pytest.mark.kernel
EXAMPLE = (ROOT / "deploy" / "rules.example.toml").read_text(encoding="utf-8")
SHARED = {"down": 34_000_000, "up": 7_600_000}
"""Usable rate of the example's line."""
PATIENCE_S = 60
"""Timeout for what is not measured here: other tests may run at the same time."""
SCHOOL = 'groups = ["school"]\n'


def entries(devices: Sequence[VirtualDevice]) -> str:
    """One household for each device; the first is the school."""
    return "".join(
        f'[[account]]\nid = "household-{d.number}"\n{SCHOOL if d.number == 1 else ""}devices = ["{d.mac}"]\n'
        for d in devices
    )


class Town:
    """A square, its households with one device each, and which of them have joined."""

    def __init__(self, place: SingleRouter, people: ClientProcess) -> None:
        self.router, self.people, self.joined = place.router, people, 0
        self.members = Path(place.router.folder / "members.toml")

    def join(self) -> str:
        """Adds one household to the file, admits its device and restarts the node."""
        self.joined += 1
        name = f"household-{self.joined}"
        self.members.write_text(entries(self.people.devices[: self.joined]))
        assert eventually(lambda: self.is_member(name), PATIENCE_S), "the file is in force"
        self.come_in(self.people.devices[self.joined - 1 : self.joined])
        self.restart()
        return name

    def is_member(self, name: str) -> bool:
        return bool(self.router.ask("why", who=name).get("tier") == "member")

    def restart(self) -> None:
        daemon = self.router.daemon
        assert daemon is not None
        daemon.popen.send_signal(signal.SIGTERM)
        assert 0 == daemon.popen.wait(PATIENCE_S)
        self.start()

    def start(self) -> None:
        """Seconds until the welcome page is served."""
        self.router.start(wait=False)
        self.router.wait_ready(PATIENCE_S)
        assert eventually(lambda: "portal" in self.running(), PATIENCE_S), self.running()
        time.sleep(0.2)

    def running(self) -> set[str]:
        return {part["name"] for part in self.router.ask("status")["parts"] if part["running"]}

    def come_in(self, devices: Sequence[VirtualDevice]) -> None:
        came = self.people.do("flows", devices, to=PORTAL, port=80, at_once=10)
        assert len(devices) == came["let_in"], came

    def admitted(self) -> set[str]:
        return {row["account"] for row in self.router.ask("devices")["devices"] if row["state"] == "admitted"}

    def told(self) -> dict[str, dict[str, int]]:
        """The guaranteed rate that each household present is told, in each direction."""
        answers = [self.router.ask("why", who=name) for name in sorted(self.admitted())]
        return {a["account"]: a["allowance"]["floor"]["value"] for a in answers}

    def stands(self, interface: str) -> dict[str, int]:
        """The guaranteed rate of each class of the uplink in the kernel, in bit/s. The LAN has one beside it."""
        import json

        rows = json.loads(self.router.place.run("tc", "-j", "class", "show", "dev", interface))
        beside = {f"1:{minor:x}" for minor in (LAN_MINOR, TEST_MINOR)}
        return {
            row["handle"]: row["rate"] * 8
            for row in rows
            if row["class"] == "htb" and row["handle"] not in beside
        }


def everything_is_as_it_was_told(town: Town) -> None:
    """Every admitted device is online, the rules are in force, and the guarantees shown fit the line and equal the
    kernel's."""
    status = town.router.ask("status")
    everybody = {f"household-{n}" for n in range(1, town.joined + 1)}
    assert eventually(lambda: everybody == town.admitted(), PATIENCE_S), everybody - town.admitted()
    assert not status["rules_rejected"]
    assert not any("not in force" in warning for warning in status["overview"]["warnings"])
    told = town.told()
    for direction, line in SHARED.items():
        # No guest is online, so nothing is guaranteed to guests here.
        assert sum(floor[direction] for floor in told.values()) <= line
    for direction, interface in (("down", "br-lan"), ("up", "wan0")):
        classes = town.stands(interface)
        root = classes.pop("1:ffff")
        assert root == SHARED[direction]
        assert sum(classes.values()) <= root
        own = {f"1:{minor:x}" for minor in (CONTROL_MINOR, DNS_MINOR, OWN_MINOR)}
        households = [rate for handle, rate in classes.items() if handle not in own]
        assert len(households) == town.joined
        assert min(households) >= min(floor[direction] for floor in told.values()) - 8


def strains(town: Town) -> list[str]:
    return [finding["code"] for finding in town.router.ask("status")["rules_strained"]]


def begin(place: SingleRouter, size: int, before: int) -> Town:
    place.furnish(rules=EXAMPLE, members="")
    town = Town(place, place.crowd(size))
    town.members.write_text(entries(town.people.devices[:before]))
    town.start()
    town.joined = before
    if before:
        town.come_in(town.people.devices[:before])
    return town


def test_the_households_that_outgrow_the_rules_join_a_running_node() -> None:
    """The 45th breaks a test in the example's file; with the 66th the line has one lifeline too few in school hours."""
    with single_router() as place:
        town = begin(place, 67, 44)
        assert [] == strains(town)
        town.join()
        assert {"E12"} == set(strains(town))
        everything_is_as_it_was_told(town)
        town.joined = 65
        town.members.write_text(entries(town.people.devices[:65]))
        assert eventually(lambda: town.is_member("household-65"), PATIENCE_S)
        town.come_in(town.people.devices[45:65])
        town.join()
        assert {"E04", "E12"} == set(strains(town))
        everything_is_as_it_was_told(town)
        warnings = town.router.overview()["warnings"]
        assert any("in force, but no longer fit the members" in w and "E04" in w for w in warnings)
        assert any("lower" in w for w in warnings if "E04" in w), "the fix is named"


@pytest.mark.thorough
def test_a_start_with_invalid_files_uses_the_rules_last_in_force() -> None:
    with single_router() as place:
        town = begin(place, 3, 2)
        town.router.rules.write_text(EXAMPLE.replace("share = 100", "shore = 100", 1))
        town.members.write_text("[[account]\n")
        town.restart()
        assert eventually(lambda: {"household-1", "household-2"} == town.admitted(), PATIENCE_S)
        status = town.router.ask("status")
        assert status["rules_rejected"]
        warnings = status["overview"]["warnings"]
        assert any("The rule file is not in force" in w for w in warnings)
        assert any("The members file is not in force" in w for w in warnings)
        doctor = town.router.cli("doctor")
        assert "shore" in doctor.stdout
        town.router.rules.write_text(EXAMPLE)
        town.members.write_text(entries(town.people.devices[:3]))
        assert eventually(
            lambda: not any("not in force" in w for w in town.router.overview()["warnings"]), PATIENCE_S
        )


@pytest.mark.slow
def test_households_join_one_by_one_each_followed_by_a_restart() -> None:
    with single_router() as place:
        town = begin(place, 67, 0)
        for _ in range(67):
            town.join()
            everything_is_as_it_was_told(town)
        assert {"E04", "E12"} == set(strains(town))
        doctor = town.router.cli("doctor").stdout
        assert "no longer fits the members" in doctor

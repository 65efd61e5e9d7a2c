"""What counts as a side of the node, on the files that the kernel shows of the machine."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from node.setup import network_facts
from node.setup.network_facts import look
from node.setup.network_layout import NetworkFacts

ROUTES = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
PPPOE = "Id       Address              Dev\n00000001 02:00:00:00:00:99         eth0\n"


@dataclass
class MachineFiles:
    """A machine with ports that are switched on and plugged in."""

    root: Path
    listed: list[dict[str, Any]] = field(default_factory=list)

    def add(self, name: str, *files: str, addresses: Iterable[str] = (), **more: object) -> None:
        folder = self.root / "sys/class/net" / name
        for file in ("device/x", *files):
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text("")
        (folder / "flags").write_text("0x1003\n")
        given = [{"scope": "global", "local": each, "prefixlen": 24} for each in addresses]
        entry = {"ifindex": len(self.listed) + 1, "ifname": name, "link_type": "ether", "addr_info": given}
        self.listed.append({**entry, "flags": ["UP", "LOWER_UP"], **more})

    def leads_by(self, name: str) -> None:
        (self.root / "proc/net").mkdir(parents=True)
        route = f"{name}\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
        (self.root / "proc/net/route").write_text(ROUTES + route)

    def look(self) -> NetworkFacts:
        return look(lambda: json.dumps(self.listed))

    def sides(self) -> dict[str, bool]:
        """Whether each leads to the Internet."""
        return {each.name: each.has_default_route for each in self.look().interfaces}


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MachineFiles:
    monkeypatch.setattr(network_facts, "MACHINE", tmp_path)
    return MachineFiles(tmp_path)


def test_the_cable_below_a_vlan_that_is_the_uplink_is_no_side(machine: MachineFiles) -> None:
    machine.add("eth0", "upper_eth0.10")
    machine.add("eth0.10", addresses=["192.0.2.7"], linkinfo={"info_kind": "vlan"}, link="eth0")
    machine.add("eth1")
    machine.leads_by("eth0.10")
    assert {"eth0.10": True, "eth1": False} == machine.sides()


def test_the_cable_below_pppoe_is_no_side(machine: MachineFiles) -> None:
    machine.add("eth0")
    machine.add("eth1")
    machine.add("ppp0", addresses=["192.0.2.7"], link_type="ppp")
    machine.leads_by("ppp0")
    (machine.root / "proc/net/pppoe").write_text(PPPOE)
    assert {"eth1": False, "ppp0": True} == machine.sides()


def test_ports_of_a_bond_are_no_sides(machine: MachineFiles) -> None:
    for port in ("eth0", "eth1"):
        machine.add(port, "master", "upper_bond0", linkinfo={"info_slave_kind": "bond"}, master="bond0")
    machine.add("bond0", addresses=["192.0.2.7"], linkinfo={"info_kind": "bond"})
    machine.add("eth2")
    machine.leads_by("bond0")
    assert {"bond0": True, "eth2": False} == machine.sides()


def test_a_port_with_an_address_and_a_vlan_beside_it_is_a_side(machine: MachineFiles) -> None:
    machine.add("eth0", "upper_eth0.20", addresses=["192.0.2.7"])
    machine.add("eth0.20", linkinfo={"info_kind": "vlan"}, link="eth0")
    machine.leads_by("eth0")
    assert {"eth0": True, "eth0.20": False} == machine.sides()

"""The addresses that a set-up gives to interfaces: nothing of them is left for the node, after a removal of the package, or
for the next set-up after one that was killed."""

import json
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.config import NodeConfig, parse_config
from node.lan.dnsmasq import add_address, end_setup, remove_added_addresses
from tests.lab import eventually
from tests.lab.internet import ROOT
from tests.lab.netns import Lab, LabProgram, Namespace

pytestmark = pytest.mark.kernel


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab("setup") as made:
        yield made


@pytest.fixture
def box(lab: Lab) -> Namespace:
    """A machine with two ports."""
    made = lab.namespace("box")
    for port in ("eth1", "eth2"):
        lab.veth(made, port, lab.namespace(f"at-{port}"), "eth0")
    return made


def addresses(box: Namespace) -> dict[str, list[str]]:
    """IPv4 addresses, by interface."""
    return {
        each["ifname"]: [f"{one['local']}/{one['prefixlen']}" for one in each["addr_info"]]
        for each in json.loads(box.run("ip", "-j", "-4", "address", "show", "scope", "global"))
    }


def settings(folder: Path, lan: str) -> NodeConfig:
    text = f'[node]\nname = "a"\nrun_dir = "{folder}"\ndata_dir = "{folder}"\n[community]\nname = "b"\n'
    config, findings = parse_config(f'{text}[lan]\ninterface = "{lan}"\n[uplink]\ninterface = "eth0"\n')
    assert config is not None, findings
    return config


def test_when_the_node_starts_the_other_ports_have_no_part_of_its_network(
    box: Namespace, tmp_path: Path
) -> None:
    box.bridge("br-lan")
    with box.entered():
        for interface, address in (("br-lan", "10.77.0.1/24"), ("eth2", "10.77.1.1/24")):
            add_address(tmp_path, interface, address)
        end_setup(settings(tmp_path, "br-lan"))
        add_address(tmp_path, "br-lan", "10.77.0.1/16")
    assert {"br-lan": ["10.77.0.1/16"]} == addresses(box)
    # A restart of the node changes nothing.
    with box.entered():
        end_setup(settings(tmp_path, "br-lan"))
        assert {"br-lan": ["10.77.0.1/16"]} == addresses(box)
        remove_added_addresses(tmp_path)
    assert {} == addresses(box)


def test_the_address_of_the_node_is_removed_where_the_setup_gave_it_with_another_length(
    box: Namespace, tmp_path: Path
) -> None:
    with box.entered():
        add_address(tmp_path, "eth1", "10.77.0.1/24")
        add_address(tmp_path, "eth1", "10.77.0.1/16")
        remove_added_addresses(tmp_path)
    assert {} == addresses(box)


def started(box: Namespace, folder: Path) -> LabProgram:
    words = (sys.executable, "-m", "tests.lab.setup_mode")
    return box.start(
        *words,
        *(str(folder / name) for name in ("etc/node.toml", "run", "data")),
        log=folder / "log",
        cwd=ROOT,
    )


@pytest.mark.slow
def test_a_port_that_leads_to_the_internet_by_now_has_no_address_of_the_setup(
    box: Namespace, tmp_path: Path
) -> None:
    (tmp_path / "etc").mkdir()
    program = started(box, tmp_path)
    try:
        wanted = {"eth1": ["10.77.0.1/24"], "eth2": ["10.77.1.1/24"]}
        assert eventually(lambda: wanted == addresses(box), 20), addresses(box)
        box.address("eth1", "192.0.2.7/24")
        box.route("default via 192.0.2.1")
        wanted["eth1"] = ["192.0.2.7/24"]
        assert eventually(lambda: wanted == addresses(box), 10), addresses(box)
        conf = tmp_path / "run/setup-dnsmasq.conf"
        assert eventually(lambda: "interface=eth1" not in conf.read_text(), 5), conf.read_text()
    finally:
        program.stop()
    assert {"eth1": ["192.0.2.7/24"]} == addresses(box)


@pytest.mark.slow
def test_after_a_kill_each_port_gets_its_address_and_its_dhcp_server_again(
    box: Namespace, tmp_path: Path
) -> None:
    (tmp_path / "etc").mkdir()
    box.ip("link set eth1 down")
    first = started(box, tmp_path)
    try:
        assert eventually(lambda: "10.77.0.1/24" in addresses(box).get("eth2", []), 20)
        box.ip("link set eth1 up")
        assert eventually(lambda: "10.77.1.1/24" in addresses(box).get("eth1", []), 20)
        assert 0 == stat.S_IMODE((tmp_path / "run/issue").stat().st_mode) & 0o077
    finally:
        first.kill9()
    second = started(box, tmp_path)
    try:
        wanted = {"eth1": ["10.77.0.1/24"], "eth2": ["10.77.1.1/24"]}
        assert eventually(lambda: wanted == addresses(box), 20), addresses(box)
        conf = tmp_path / "run/setup-dnsmasq.conf"
        assert eventually(lambda: 2 == conf.read_text().count("dhcp-range="), 5), conf.read_text()
    finally:
        second.stop()
    assert {} == addresses(box)
    assert not (tmp_path / "run/issue").exists()

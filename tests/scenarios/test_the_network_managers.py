"""The set-up's change of the network with the network managers of a Debian 13 that systemd has booted in a container:
networkd, NetworkManager, ifupdown, and none. The interfaces are real; a radio is not, and is not tried here."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from node.setup.drop_ins import HOSTAPD_CONF
from node.setup.network_plan import network_plan
from tests.fakes.network_machine import RADIO, TypedAnswers, machine
from tests.lab import eventually
from tests.lab.debian import MISSING, Debian
from tests.lab.internet import ROOT
from tests.lab.netns import Lab, Namespace

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"{', '.join(MISSING)} missing (deploy/setup package)"),
]
PACKAGES = ("python3", "python3-tomlkit", "python3-babel", "python3-cryptography", "python3-markupsafe")
MANAGERS = ("network-manager", "ifupdown", "dhcpcd-base", "procps", "hostapd")
UNITS = {
    "networkd": "systemd-networkd.service",
    "NetworkManager": "NetworkManager.service",
    "ifupdown": "networking.service",
}
DRIVER = """
import json, sys
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, "/opt/procomu")
from node.errors import NodeError
from node.setup import network_change, network_facts
from node.setup.network_plan import network_plan

class Typed(NamedTuple):
    uplink: str
    lan: tuple[str, ...]
    radio: str = ""
    wifi_name: str = ""
    wifi_country: str = ""

state, seen = Path("/var/lib/procomu"), {}
try:
    for verb in sys.argv[1:]:
        facts = network_facts.look()
        if verb == "look":
            seen["manager"] = facts.manager
            seen["managed_by"] = {each.name: each.managed_by for each in facts.interfaces}
            seen["uplinks"] = [each.name for each in facts.interfaces if each.has_default_route]
        elif verb == "plan":
            plan = network_plan(Typed("eth0", ("eth1", "eth2")), facts, "eth1")
            seen["sentences"] = plan.sentences
        elif verb == "apply":
            network_change.apply(plan, state)
        elif verb == "wait":
            sys.stdin.readline()
        elif verb == "confirm":
            network_change.confirm(state)
        elif verb == "take_back":
            seen["was_there"] = network_change.take_back(state)
except NodeError as error:
    seen["error"] = str(error)
print(json.dumps(seen))
"""
STATIC = "192.0.2.9/24"
"""Of the second port before the set-up."""


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Debian]:
    """Has all network managers, and the modules of the node."""
    made = Debian(tmp_path_factory.mktemp("managers") / "root")
    made.make(*PACKAGES, *MANAGERS)
    for package in ("node", "captive_portal", "mesh"):
        shutil.copytree(ROOT / package, made.root / "opt/procomu" / package)
    (made.root / "opt/driver.py").write_text(DRIVER)
    (made.root / "var/lib/procomu").mkdir()
    # Without it, systemd would enable units by itself at the first start.
    (made.root / "etc/machine-id").write_text("0123456789abcdef0123456789abcdef\n")
    shutil.copytree(made.root / "etc", made.root / "opt/etc", symlinks=True)
    try:
        yield made
    finally:
        made.close()


class Box:
    """The machine with its network: an uplink to a DHCP server, and two ports, each with a phone."""

    def __init__(self, lab: Lab, debian: Debian, manager: str) -> None:
        self.debian, self.manager = debian, manager
        names = ("box", "internet", "first", "second")
        self.place, self.internet, self.first, self.second = (lab.namespace(name) for name in names)
        lab.veth(self.place, "eth0", self.internet, "eth0")
        lab.veth(self.place, "eth1", self.first, "eth0")
        lab.veth(self.place, "eth2", self.second, "eth0")
        self.internet.address("eth0", "198.51.100.1/24")
        serve_dhcp(self.internet, "eth0", "198.51.100.50,198.51.100.99")

    def boot(self) -> None:
        if self.manager == "none":  # as a script of this machine would do it
            self.place.address("eth0", "198.51.100.40/24")
            self.place.route("default via 198.51.100.1")
            self.place.address("eth2", STATIC)
        self.debian.boot(self.place.path)
        self.debian.wait_booted()
        assert eventually(lambda: "198.51.100." in self.addresses()["eth0"], 40)

    def cut_power(self) -> None:
        """Nothing that was only in the kernel is left."""
        self.debian.cut_power()
        self.place.run("ip", "link", "delete", "br-lan", check=False)
        for name in ("eth0", "eth1", "eth2"):
            self.place.run("ip", "address", "flush", "dev", name, "scope", "global")
            self.place.run("ip", "link", "set", "dev", name, "nomaster", "up")

    def does(self, *verbs: str) -> dict:
        done = self.debian.run("python3", "/opt/driver.py", *verbs)
        assert 0 == done.returncode, done.stderr[-2000:]
        return json.loads(done.stdout)

    def addresses(self) -> dict[str, str]:
        """IPv4 addresses by interface."""
        listed = json.loads(self.place.run("ip", "-j", "-4", "address"))
        found = {each["ifname"]: each["addr_info"] for each in listed}
        return {
            name: " ".join(f"{each['local']}/{each['prefixlen']}" for each in found.get(name, []))
            for name in ("eth0", "eth1", "eth2")
        }

    def ports(self) -> set[str]:
        listed = json.loads(self.place.run("ip", "-j", "link", "show", "type", "veth"))
        return {each["ifname"] for each in listed if each.get("master") == "br-lan"}

    def has_bridge(self) -> bool:
        return "br-lan" in self.place.run("ip", "link")

    def settings(self) -> dict[str, tuple[bytes, int] | str]:
        """All files of /etc and of the node's state."""
        paths = [
            *(self.debian.root / "etc").rglob("*"),
            *(self.debian.root / "var/lib/procomu").rglob("*"),
        ]
        return {str(path): as_it_is(path) for path in paths if path.is_symlink() or path.is_file()}


def as_it_is(path: Path) -> tuple[bytes, int] | str:
    return str(path.readlink()) if path.is_symlink() else (path.read_bytes(), path.stat().st_mode)


def serve_dhcp(place: Namespace, interface: str, addresses: str) -> None:
    words = ["dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--port=0", f"--interface={interface}"]
    words += ["--bind-interfaces", "--leasefile-ro", f"--dhcp-range={addresses},1h"]
    place.start(*words)


@pytest.fixture
def box(system: Debian, request: pytest.FixtureRequest) -> Iterator[Box]:
    """A machine with one network manager, which gives the uplink its address; with none, this test does."""
    manager = request.param
    with Lab("managers") as lab:
        made = Box(lab, system, manager)
        configure(system.root, manager)
        try:
            made.boot()
            assert eventually(lambda: STATIC in made.addresses()["eth2"], 20)
            yield made
        finally:
            system.stop()
            shutil.rmtree(system.root / "etc")
            shutil.copytree(system.root / "opt/etc", system.root / "etc", symlinks=True)
            shutil.rmtree(system.root / "var/lib/procomu")
            (system.root / "var/lib/procomu").mkdir()


def configure(root: Path, manager: str) -> None:
    """Only this network manager runs, with a DHCP client at the uplink and a static address at the second port."""
    for name, unit in UNITS.items():
        if name != manager and not (name == "networkd" and manager == "none"):
            (root / "etc/systemd/system" / unit).symlink_to("/dev/null")
    files = {
        "networkd": {
            "systemd/network/10-up.network": "[Match]\nName=eth0\n[Network]\nDHCP=ipv4\n",
            "systemd/network/20-port.network": f"[Match]\nName=eth2\n[Network]\nAddress={STATIC}\n",
            "systemd/system/multi-user.target.d/networkd.conf": "[Unit]\nWants=systemd-networkd.service\n",
        },
        "NetworkManager": {
            "NetworkManager/system-connections/port.nmconnection": (
                "[connection]\nid=port\ntype=ethernet\ninterface-name=eth2\n"
                f"[ipv4]\nmethod=manual\naddress1={STATIC}\n"
            )
        },
        "ifupdown": {
            "network/interfaces.d/here": (
                f"auto lo eth0 eth2\niface lo inet loopback\niface eth0 inet dhcp\n"
                f"iface eth2 inet static\n    address {STATIC}\n"
            )
        },
        "none": {},
    }[manager]
    for name, text in files.items():
        path = root / "etc" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o600 if name.endswith("nmconnection") else 0o644)


EACH_MANAGER = pytest.mark.parametrize(
    "box", ["networkd", "NetworkManager", "ifupdown", "none"], indirect=True
)


@EACH_MANAGER
def test_a_bridge_is_made_and_taken_back_and_stays_when_confirmed(box: Box) -> None:
    before, addresses = box.settings(), box.addresses()

    # Seen as it is.
    seen = box.does("look")
    assert (box.manager, ["eth0"]) == (seen["manager"], seen["uplinks"])
    assert {box.manager} == {seen["managed_by"][name] for name in ("eth0", "eth2")}

    # Made: both ports are on the bridge, the uplink has its address still, and phones get theirs.
    began = time.monotonic()
    seen = box.does("plan", "apply")
    took = time.monotonic() - began
    assert "error" not in seen, seen
    assert took < 20
    assert {"eth1", "eth2"} == box.ports()
    assert (addresses["eth0"], "", "") == tuple(box.addresses().values())
    assert f"eth2 loses its address {STATIC.partition('/')[0]}." in seen["sentences"]
    box.place.address("br-lan", "10.77.0.1/16")
    serve_dhcp(box.place, "br-lan", "10.77.0.101,10.77.0.200")
    for phone in (box.first, box.second):
        phone.run("udhcpc", "-i", "eth0", "-n", "-q", "-f", "-t", "8", "-T", "1", "-s", "/bin/true")

    # Taken back: everything is as before.
    assert box.does("take_back")["was_there"]
    assert before == box.settings()
    assert eventually(lambda: addresses == box.addresses(), 20), box.addresses()
    assert not box.has_bridge()

    # The power is cut before it is confirmed: it comes up with the bridge, and goes back.
    assert "error" not in box.does("plan", "apply")
    box.cut_power()
    box.boot()
    assert eventually(lambda: {"eth1", "eth2"} == box.ports(), 20)
    assert box.does("take_back")["was_there"]
    assert before == box.settings()
    assert not box.has_bridge()
    assert eventually(lambda: addresses == box.addresses(), 20), box.addresses()

    # Confirmed: it is there after every start.
    assert "error" not in box.does("plan", "apply", "confirm")
    box.cut_power()
    box.boot()
    assert eventually(lambda: {"eth1", "eth2"} == box.ports(), 20)
    assert not box.does("take_back")["was_there"]
    assert {"eth1", "eth2"} == box.ports()


@EACH_MANAGER
def test_a_kill_in_the_middle_and_a_port_that_is_pulled_out(box: Box) -> None:
    before, addresses = box.settings(), box.addresses()
    for delay_s in (0.2, 0.3, 0.4, 0.6, 1.0):
        words = f"timeout --signal=KILL {delay_s} python3 /opt/driver.py plan apply"
        box.debian.run("sh", "-c", words)
        box.does("take_back")
        assert before == box.settings()
        assert eventually(lambda: addresses == box.addresses(), 30), (delay_s, box.addresses())
        assert not box.has_bridge()

    # Pulled out while a person reads the plan: nothing is changed.
    box.place.run("ip", "link", "set", "dev", "eth1", "name", "pulled", check=False)
    box.place.run("ip", "link", "set", "dev", "eth1", "down", check=False)
    box.place.run("ip", "link", "set", "dev", "eth1", "name", "pulled", check=False)
    assert "there is no interface eth1 any longer" in box.does("plan", "apply")["error"]
    assert before == box.settings()
    assert not box.has_bridge()


@EACH_MANAGER
def test_a_port_without_a_cable_joins_the_bridge_when_one_is_plugged_in(box: Box) -> None:
    before = box.settings()
    box.second.run("ip", "link", "set", "dev", "eth0", "down")
    assert "error" not in box.does("plan", "apply")
    assert "eth1" in box.ports()
    box.second.run("ip", "link", "set", "dev", "eth0", "up")
    assert eventually(lambda: {"eth1", "eth2"} == box.ports(), 20)
    assert box.does("take_back")["was_there"]
    assert before == box.settings()
    assert eventually(lambda: STATIC == box.addresses()["eth2"], 20), box.addresses()


def test_hostapd_understands_its_settings(system: Debian) -> None:
    """It cannot go on without the radio."""
    facts = machine("networkd", replace(RADIO, name="wlan-absent"))
    answers = TypedAnswers(radio="wlan-absent", wifi_name='Plaça "1"\n'.strip())
    (settings,) = [each for each in network_plan(answers, facts).files if each.path == HOSTAPD_CONF]
    (system.root / "opt/hostapd.conf").write_text(settings.text)
    words = ["chroot", system.root, "/usr/sbin/hostapd", "/opt/hostapd.conf"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=20)
    assert "errors found in configuration" not in done.stdout + done.stderr
    assert "wlan-absent" in done.stdout + done.stderr
    (system.root / "opt/hostapd.conf").write_text(settings.text + "no_such_setting=1\n")
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=20)
    assert "1 errors found in configuration" in done.stdout + done.stderr

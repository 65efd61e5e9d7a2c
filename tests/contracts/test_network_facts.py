"""What the set-up sees of a machine, on a folder with the files that the kernel and the network managers have there."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from node.setup import network_facts
from node.setup.network_facts import look, look_at_interfaces
from node.setup.network_layout import NetworkFacts

ROUTES = "Iface Destination Gateway Flags\neth0 00000000 010200C0 0003 0 0 100 00000000 0 0 0\n"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a machine with one built-in port that leads to the Internet."""
    monkeypatch.setattr(network_facts, "MACHINE", tmp_path)
    monkeypatch.setattr(network_facts, "_is_active", lambda unit: (tmp_path / unit).exists())
    add_interface(tmp_path, "eth0", "pci0000:00/0000:00:1f.6", "e1000e")
    put(tmp_path / "proc/net/route", ROUTES)
    return tmp_path


def put(path: Path, text: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def add_interface(root: Path, name: str, device: str = "", driver: str = "", *, is_up: bool = True) -> Path:
    """Its folder, below which more of the kernel's files can be put."""
    folder = root / "sys/class/net" / name
    put(folder / "flags", "0x1003" if is_up else "0x1002")
    if device:
        target = root / "sys/devices" / device
        (root / "sys/drivers" / driver).mkdir(parents=True, exist_ok=True)
        target.mkdir(parents=True)
        (target / "driver").symlink_to(root / "sys/drivers" / driver)
        (folder / "device").symlink_to(target)
    return folder


def ip(*more: dict[str, Any]) -> Callable[[], str]:
    """What ``ip -d -j address`` says."""
    eth0 = {
        "ifindex": 2,
        "ifname": "eth0",
        "flags": ["UP", "LOWER_UP"],
        "link_type": "ether",
        "address": "02:00:00:00:00:01",
        "addr_info": [
            {"local": "192.0.2.7", "prefixlen": 24, "scope": "global"},
            {"local": "fe80::1", "prefixlen": 64, "scope": "link"},
        ],
    }
    return lambda: json.dumps([eth0, *({"link_type": "ether", **each} for each in more)])


def described(facts: NetworkFacts) -> dict[str, tuple[str, str]]:
    return {each.name: (each.kind, str(each.described)) for each in facts.interfaces}


def test_a_built_in_port_that_leads_to_the_internet(root: Path) -> None:
    facts = look(ip())
    (eth0,) = facts.interfaces
    assert ("eth0", "ethernet", "port 1 of this machine") == (eth0.name, eth0.kind, eth0.described)
    assert eth0.has_carrier
    assert eth0.has_default_route
    assert ("192.0.2.7/24",) == eth0.addresses
    assert ("02:00:00:00:00:01", "e1000e") == (eth0.mac, eth0.driver)
    assert ("none", "none") == (facts.manager, eth0.managed_by)
    assert eth0 == facts.interface("eth0")
    assert facts.interface("eth9") is None


def test_interfaces_are_described_for_people(root: Path) -> None:
    add_interface(root, "eth1", "pci0000:00/0000:00:1f.7", "e1000e", is_up=False)
    add_interface(root, "usb0", "pci0000:00/usb1/1-1/1-1:1.0", "r8152")
    put(root / "sys/devices/pci0000:00/usb1/1-1/product", "USB 10/100/1000 LAN\n")
    add_interface(root, "wlan0", "pci0000:00/0000:02:00.0", "iwlwifi")
    (root / "sys/class/net/wlan0/phy80211").mkdir()
    add_interface(root, "wlan1", "pci0000:00/usb1/1-2/1-2:1.0", "mt76x0u")
    (root / "sys/class/net/wlan1/phy80211").mkdir()
    put(root / "sys/devices/pci0000:00/usb1/1-2/product", "\x1b[31mred" + "x" * 100)
    add_interface(root, "br0")
    (root / "sys/class/net/br0/bridge").mkdir()
    for name in ("eth0.10", "ppp0", "veth0", "wg0"):
        add_interface(root, name)
    facts = look(
        ip(
            {"ifindex": 3, "ifname": "eth1"},
            {"ifindex": 4, "ifname": "usb0"},
            {"ifindex": 5, "ifname": "wlan0"},
            {"ifindex": 6, "ifname": "wlan1"},
            {"ifindex": 7, "ifname": "br0", "linkinfo": {"info_kind": "bridge"}},
            {
                "ifindex": 8,
                "ifname": "eth0.10",
                "link": "eth0",
                "linkinfo": {"info_kind": "vlan", "info_data": {"id": 10}},
            },
            {"ifindex": 9, "ifname": "ppp0", "link_type": "ppp"},
            {"ifindex": 10, "ifname": "veth0", "linkinfo": {"info_kind": "veth"}},
            {"ifindex": 11, "ifname": "wg0", "linkinfo": {"info_kind": "wireguard"}},
        )
    )
    assert {
        "br0": ("bridge", "bridge"),
        "eth0": ("ethernet", "port 1 of this machine"),
        "eth0.10": ("vlan", "VLAN 10 of eth0"),
        "eth1": ("ethernet", "port 2 of this machine"),
        "ppp0": ("other", "a line of another kind"),
        "usb0": ("ethernet", "USB adapter, USB 10/100/1000 LAN"),
        "veth0": ("ethernet", "virtual port"),
        "wlan0": ("wifi", "built-in radio"),
        "wlan1": ("wifi", "USB radio"),
    } == described(facts)


def test_ports_of_a_bridge_and_what_is_off_without_hardware_are_no_sides(root: Path) -> None:
    (add_interface(root, "eth1") / "brport").mkdir()
    add_interface(root, "lo")
    add_interface(root, "dummy0", is_up=False)
    assert ("eth0",) == look_at_interfaces().names
    assert "eth0" == look_at_interfaces().default_route
    assert look_at_interfaces().other_than("eth0") is None


def test_an_interface_that_goes_while_it_is_looked_at_is_left_out(root: Path) -> None:
    add_interface(root, "usb0")
    assert {"eth0"} == described(look(ip())).keys()


def test_the_network_manager_of_each_interface(root: Path) -> None:
    for index, name in ((3, "eth1"), (4, "eth2"), (5, "eth3"), (6, "eth4")):
        add_interface(root, name)
        assert index
    put(
        root / "run/systemd/netif/links/3",
        "ADMIN_STATE=configured\nNETWORK_FILE=/etc/systemd/network/a.network\n",
    )
    put(root / "run/systemd/netif/links/6", "ADMIN_STATE=unmanaged\n")
    put(root / "run/NetworkManager/devices/4", "[device]\nmanaged=true\nconnection-uuid=a-b-c\n")
    put(root / "usr/sbin/ifup")
    put(root / "etc/network/interfaces", "source /etc/network/interfaces.d/*\n# iface eth4 inet dhcp\n")
    put(root / "etc/network/interfaces.d/port", "auto eth3\niface eth3 inet dhcp\n")
    put(root / "etc/network/interfaces.d/.hidden", "iface eth4 inet dhcp\n")
    (root / "etc/network/interfaces.d/binary").write_bytes(b"\xff\xfe")
    facts = look(ip(*({"ifindex": index, "ifname": f"eth{index - 2}"} for index in (3, 4, 5, 6))))
    managers = {each.name: each.managed_by for each in facts.interfaces}
    assert {
        "eth0": "none",
        "eth1": "networkd",
        "eth2": "NetworkManager",
        "eth3": "ifupdown",
        "eth4": "none",
    } == managers
    assert ["", "", "a-b-c", "", ""] == [each.profile for each in facts.interfaces]
    assert ["/etc/network/interfaces", "/etc/network/interfaces.d/port"] == [
        path for path, _ in facts.ifupdown_files
    ]


@pytest.mark.parametrize(
    ("running", "sections", "expected"),
    [
        ((), "", "none"),
        ((), "iface lo inet loopback\n", "none"),
        ((), "iface eth0 inet dhcp\n", "ifupdown"),
        (("systemd-networkd.service",), "", "networkd"),
        (("NetworkManager.service",), "", "NetworkManager"),
        (("NetworkManager.service", "systemd-networkd.service"), "", "NetworkManager"),
        (("NetworkManager.service", "systemd-networkd.service"), "iface eth0 inet dhcp\n", "ifupdown"),
    ],
)
def test_the_one_that_has_most_to_do_is_chosen(
    root: Path, running: tuple[str, ...], sections: str, expected: str
) -> None:
    for unit in running:
        put(root / unit)
    put(root / "sbin/ifup")
    put(root / "etc/network/interfaces", sections)
    assert expected == look(ip()).manager


def test_networkd_is_found_whether_it_runs_or_not(root: Path) -> None:
    assert not look(ip()).has_networkd
    put(root / "usr/lib/systemd/systemd-networkd")
    assert look(ip()).has_networkd


def test_this_machine_can_be_looked_at() -> None:
    """With its own ip(8) and its own files."""
    facts = look()
    assert {each.name for each in facts.interfaces} <= set(look_at_interfaces().names)

"""Files and commands of every network manager, and of hostapd."""

from dataclasses import replace

import pytest

from node.errors import NodeError
from node.setup.drop_ins import HOSTAPD_CONF, INTERFACES_FILE, OUT, without_interfaces
from node.setup.network_layout import InterfaceFacts, Manager
from node.setup.network_plan import network_plan
from tests.fakes.network_machine import (
    BRIDGE,
    LAN,
    MANAGERS,
    RADIO,
    SOURCED,
    UPLINK,
    TypedAnswers,
    machine,
    texts,
    words,
)


def test_networkd_gets_a_bridge_with_the_ports() -> None:
    plan = network_plan(TypedAnswers(), machine("networkd"), "eth2")
    assert "br-lan" == plan.lan
    assert ("eth1", "eth2") == plan.ports
    files = texts(plan)
    assert ["05-procomu-lan.netdev", "05-procomu-lan.network", "05-procomu-ports.network"] == sorted(files)
    assert "Kind=bridge" in files["05-procomu-lan.netdev"]
    assert "MACAddress=02:00:00:00:00:02" in files["05-procomu-lan.netdev"], "of the port that asks"
    assert "Name=eth1 eth2\n" in files["05-procomu-ports.network"]
    assert "Bridge=br-lan\n" in files["05-procomu-ports.network"]
    assert "systemctl reload-or-restart systemd-networkd.service" == words(plan.reload)[0]


def test_without_a_network_manager_networkd_is_switched_on_and_off_again() -> None:
    plan = network_plan(TypedAnswers(), machine("none"))
    assert texts(plan) == texts(network_plan(TypedAnswers(), machine("networkd")))
    assert "systemctl enable --now systemd-networkd.service" == words(plan.reload)[0]
    assert words(plan.restore)[0].startswith("systemctl disable --now systemd-networkd.service")
    with pytest.raises(NodeError, match="no network manager"):
        network_plan(TypedAnswers(), replace(machine("none"), has_networkd=False))


def test_a_port_gets_the_addresses_again_that_it_had_without_the_setup() -> None:
    """The set-up gives and removes its own."""
    port = replace(LAN, addresses=("10.77.0.1/24", "192.0.2.9/24", "10.77.0.9/24"))
    plan = network_plan(TypedAnswers(), machine("none", port, without=(LAN,)))
    again = [each for each in words(plan.restore) if each.startswith("ip address replace")]
    assert [f"ip address replace {each} dev eth1" for each in ("192.0.2.9/24", "10.77.0.9/24")] == again


def test_network_manager_gets_profiles_that_only_root_reads() -> None:
    managed = replace(LAN, managed_by="NetworkManager", profile="a-b-c")
    facts = machine("NetworkManager", managed, without=(LAN,))
    plan = network_plan(TypedAnswers(), facts)
    files = texts(plan)
    assert {"procomu-lan.nmconnection", "procomu-eth1.nmconnection", "procomu-eth2.nmconnection"} == set(
        files
    )
    assert {0o600} == {each.mode for each in plan.files}
    assert "master=br-lan\nslave-type=bridge\n" in files["procomu-eth1.nmconnection"]
    assert ("eth1",) == plan.ports, "the other one is added when something is plugged in"
    needed = words(tuple(each for each in plan.reload if each.is_needed))
    assert "nmcli --wait 20 connection up id procomu-eth1" in needed
    assert "nmcli --wait 20 connection up id procomu-eth2" not in needed
    assert "nmcli --wait 20 connection up uuid a-b-c" in words(plan.restore)


def test_network_manager_makes_no_port_of_a_vlan() -> None:
    vlan = InterfaceFacts("eth0.10", "vlan", "VLAN")
    with pytest.raises(NodeError, match=r"eth0\.10 cannot be a port"):
        network_plan(TypedAnswers(lan=("eth0.10",)), machine("NetworkManager", vlan))
    assert ("eth0.10",) == network_plan(TypedAnswers(lan=("eth0.10",)), machine("networkd", vlan)).ports


def test_ifupdown_gets_one_file_and_forgets_what_the_ports_were() -> None:
    port = replace(LAN, managed_by="ifupdown")
    text = (
        SOURCED
        + "\nauto eth0 eth1\niface eth0 inet dhcp\n\niface eth1 inet static\n    address 192.0.2.9/24\n"
    )
    facts = replace(machine("ifupdown", port, without=(LAN,)), ifupdown_files=((INTERFACES_FILE, text),))
    plan = network_plan(TypedAnswers(), facts)
    files = texts(plan)
    assert {"procomu", "interfaces"} == set(files)
    assert "auto br-lan\n" in files["procomu"]
    assert "ip link set dev eth2 master br-lan up" in files["procomu"]
    assert f"{OUT}auto eth0 eth1\nauto eth0\niface eth0 inet dhcp\n" in files["interfaces"]
    assert f"{OUT}iface eth1 inet static\n{OUT}    address 192.0.2.9/24\n" in files["interfaces"]
    assert ["ifdown eth1"] == words(plan.prepare)
    assert "ifup eth1" in words(plan.restore)
    assert "ifup eth2" not in words(plan.restore)


def test_ifupdown_that_does_not_read_the_folder_is_refused() -> None:
    facts = replace(machine("ifupdown"), ifupdown_files=((INTERFACES_FILE, "auto lo\n"),))
    with pytest.raises(NodeError, match="source /etc/network/interfaces"):
        network_plan(TypedAnswers(), facts)


@pytest.mark.parametrize("manager", MANAGERS)
def test_an_uplink_without_address_gets_a_dhcp_client(manager: Manager) -> None:
    bare = replace(UPLINK, addresses=(), has_default_route=False)
    plan = network_plan(TypedAnswers(), machine(manager, bare, without=(UPLINK,)))
    assert any(
        "DHCP=yes" in text or "method=auto" in text or "inet dhcp" in text for text in texts(plan).values()
    )
    assert any("It gets its address by DHCP" in each for each in plan.sentences)
    assert "ip link set dev eth0 up" in words(plan.restore)
    managed = replace(bare, managed_by=manager if manager != "none" else "networkd")
    plan = network_plan(TypedAnswers(), machine(manager, managed, without=(UPLINK,)))
    assert not any("eth0" in text for text in texts(plan).values())
    assert "The Internet comes in here: eth0 (port 1). This stays as it is." in plan.sentences


@pytest.mark.parametrize("manager", MANAGERS)
def test_a_radio_joins_a_bridge_that_is_there(manager: Manager) -> None:
    plan = network_plan(TypedAnswers(lan=("br0",), radio="wlan0"), machine(manager, BRIDGE, RADIO))
    assert ("br0", ("wlan0",), "wlan0") == (plan.lan, plan.ports, plan.radio)
    assert "bridge=br0\n" in texts(plan)["hostapd.conf"]
    assert "systemctl restart procomu-wifi.service" == words(plan.reload)[-1]
    assert "systemctl stop procomu-wifi.service" == words(plan.undo)[0]
    assert not any("ip link delete" in each for each in words(plan.restore))


def test_the_settings_of_hostapd() -> None:
    answers = TypedAnswers(lan=(), radio="wlan0", wifi_name='Plaça "1"\\n')
    plan = network_plan(answers, machine("networkd", RADIO))
    (conf,) = [each for each in plan.files if each.path == HOSTAPD_CONF]
    assert 0o600 == conf.mode
    assert f"ssid2={answers.wifi_name.encode().hex()}\n" in conf.text, "no letter means anything there"
    assert "country_code=ES\n" in conf.text
    assert "channel=0\n" in conf.text
    plan = network_plan(answers, machine("networkd", replace(RADIO, driver="brcmfmac")))
    assert "channel=6\n" in texts(plan)["hostapd.conf"], "this driver cannot choose"


def test_a_line_of_another_kind_can_lead_to_the_internet() -> None:
    line = InterfaceFacts("ppp0", "other", "a line of another kind")
    plan = network_plan(TypedAnswers(uplink="ppp0"), machine("networkd", line))
    assert not any("ppp0" in text for text in texts(plan).values())


@pytest.mark.parametrize(
    ("text", "without"),
    [
        ("", ""),
        ("iface eth0 inet dhcp\n", "iface eth0 inet dhcp\n"),
        ("iface eth1 inet dhcp", f"{OUT}iface eth1 inet dhcp"),
        ("allow-hotplug eth1\n", f"{OUT}allow-hotplug eth1\n"),
        ("auto lo eth1\n", f"{OUT}auto lo eth1\nauto lo\n"),
        (
            "iface eth1 inet static\n  address 192.0.2.9\n# a note\n\n  gateway 192.0.2.1\niface lo inet loopback\n",
            f"{OUT}iface eth1 inet static\n{OUT}  address 192.0.2.9\n# a note\n\n{OUT}  gateway 192.0.2.1\n"
            "iface lo inet loopback\n",
        ),
        ("iface eth1\nmapping x\n  map y\n", f"{OUT}iface eth1\nmapping x\n  map y\n"),
        ("iface\n", "iface\n"),
    ],
)
def test_sections_of_interfaces_become_comments(text: str, without: str) -> None:
    assert without == without_interfaces(text, {"eth1"})
    assert without == without_interfaces(without, {"eth1"})


def test_network_manager_leaves_the_radio_to_hostapd() -> None:
    plan = network_plan(TypedAnswers(radio="wlan0"), machine("NetworkManager", RADIO))
    assert "[keyfile]\nunmanaged-devices+=interface-name:wlan0\n" in texts(plan)["procomu.conf"]
    for commands in (plan.reload, plan.restore):
        assert "nmcli general reload conf" == words(commands)[0]

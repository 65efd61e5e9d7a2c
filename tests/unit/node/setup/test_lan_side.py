"""Where the set-up page is served, and what the DHCP and DNS server there is told."""

from dataclasses import replace

import pytest

from node.setup.lan_side import LanSide, is_candidate, lan_sides, port_numbers, setup_dnsmasq_conf
from node.setup.network_layout import InterfaceFacts, NetworkFacts

UPLINK = InterfaceFacts("eth0", "ethernet", "port 1", True, ("192.0.2.7/24",), True)
PORT = InterfaceFacts("eth1", "ethernet", "port 2", True)
OTHER = InterfaceFacts("eth2", "ethernet", "port 3", True)
FACTS = NetworkFacts((UPLINK, PORT, OTHER), manager="none")
NUMBERS = {"eth1": 0, "eth2": 1}


@pytest.mark.parametrize(
    "other",
    [
        UPLINK,
        replace(PORT, has_carrier=False),
        replace(PORT, kind="wifi"),
        replace(PORT, kind="other"),
        replace(PORT, name="ve-house"),
        replace(PORT, name="incusbr0", kind="bridge"),
        replace(PORT, name="vboxnet0"),
    ],
)
def test_the_uplink_and_what_nothing_is_plugged_into_are_no_lan_side(other: InterfaceFacts) -> None:
    assert is_candidate(PORT)
    assert not is_candidate(other)
    assert () == lan_sides(replace(FACTS, interfaces=(other,)), NUMBERS, {"eth0", "eth1"})


def test_each_port_has_an_address_of_its_own_and_the_first_that_of_the_node() -> None:
    sides = lan_sides(FACTS, NUMBERS, {"eth1", "eth2"})
    assert (LanSide("eth1", "10.77.0.1/24"), LanSide("eth2", "10.77.1.1/24")) == sides
    given = replace(
        FACTS, interfaces=(UPLINK, replace(PORT, addresses=("10.77.0.1/24", "fd00::1/64")), OTHER)
    )
    assert sides == lan_sides(given, NUMBERS, {"eth1", "eth2"})


def test_a_port_that_is_used_after_another_one_has_the_address_of_the_node() -> None:
    first = port_numbers(FACTS, {"eth1"}, {})
    both = port_numbers(FACTS, {"eth1", "eth2"}, first)
    assert ({"eth1": 0}, NUMBERS) == (first, both)
    assert {"eth2": 1} == port_numbers(FACTS, {"eth2"}, both), "it keeps the one that it has"
    assert {"eth2": 0} == port_numbers(FACTS, {"eth2"}, port_numbers(FACTS, set(), first))
    bridge = replace(OTHER, name="br0", kind="bridge")
    assert {"br0": 0, "eth1": 1} == port_numbers(
        replace(FACTS, interfaces=(PORT, bridge)), {"br0", "eth1"}, {}
    )
    moved = replace(FACTS, interfaces=(UPLINK, replace(OTHER, addresses=("10.77.1.1/24",))))
    assert (LanSide("eth2", "10.77.0.1/24"),) == lan_sides(moved, {"eth2": 0}, {"eth2"})


def test_where_another_dhcp_server_answers_nothing_is_served() -> None:
    assert (LanSide("eth2", "10.77.1.1/24"),) == lan_sides(FACTS, NUMBERS, {"eth2"})


def test_an_interface_with_an_address_keeps_it_and_gets_no_dhcp_server() -> None:
    static = replace(FACTS, interfaces=(UPLINK, replace(PORT, addresses=("192.168.1.1/24",))))
    (side,) = lan_sides(static, NUMBERS, {"eth1"})
    assert LanSide("eth1", "") == side
    text = setup_dnsmasq_conf([side], "/run/pid", "/run/leases")
    assert "dhcp-range" not in text
    assert "interface=eth1" not in text


def test_after_many_adapters_the_last_ones_get_no_address() -> None:
    assert () == lan_sides(FACTS, {"eth1": 256, "eth2": 257}, {"eth1", "eth2"})


def test_the_planned_network_is_served_alone_once_it_is_there() -> None:
    bridge = InterfaceFacts("br-lan", "bridge", "bridge", True)
    assert () == lan_sides(FACTS, NUMBERS, {"eth1"}, "br-lan")
    facts = replace(FACTS, interfaces=(*FACTS.interfaces, bridge))
    assert (LanSide("br-lan", "10.77.0.1/16"),) == lan_sides(facts, NUMBERS, {"eth1"}, "br-lan")


def test_dnsmasq_serves_only_these_interfaces_and_every_name_is_the_node() -> None:
    sides = lan_sides(FACTS, NUMBERS, {"eth1", "eth2"})
    lines = setup_dnsmasq_conf(sides, "/run/pid", "/run/leases").splitlines()
    assert ["interface=eth1", "interface=eth2"] == [line for line in lines if line.startswith("interface=")]
    assert "address=/#/10.77.0.1" in lines
    assert {"no-resolv", "bind-dynamic", "except-interface=lo"} <= set(lines)
    assert "dhcp-range=10.77.0.50,10.77.0.250,255.255.255.0,120" in lines
    assert "dhcp-range=10.77.1.50,10.77.1.250,255.255.255.0,120" in lines

"""TCP flows that began at another node: nothing ends them before their device is let in, and nothing passes until then."""

import struct
from collections.abc import Iterator

import pytest

from node.enforcement.plan import Admission, TrafficPlan
from node.units import MacAddress
from tests.kernel.frames import ACK, SYN, TCP, ip, tcp
from tests.kernel.kernel_testbed import (
    FIREWALL,
    HILL,
    HILL_MAC,
    MARK,
    MEMBER,
    MEMBER_MAC,
    MESH_MAC,
    NOW,
    STRANGER,
    KernelTestbed,
    kernel_testbed,
)

pytestmark = pytest.mark.kernel
BOTH = pytest.mark.parametrize("way", [0, 1], ids=["IPv4", "IPv6"])
PORT, SERVICE = 40_123, 80
TO_MEMBER, TO_HILL = struct.pack("!HH", SERVICE, PORT), struct.pack("!HH", PORT, SERVICE)


@pytest.fixture
def place() -> Iterator[KernelTestbed]:
    with kernel_testbed("moved") as made:
        made.admit()
        for each in (made.member, made.hill):  # their own kernels know nothing of the flow, and would end it
            each.run(
                "nft",
                "add table inet mute; add chain inet mute out { type filter hook output priority 0; policy drop; }",
            )
            each.run("nft", "add rule inet mute out meta l4proto != tcp accept")
            made.heard(each)
        yield made


def from_member(way: int, flags: int) -> bytes:
    return ip(MEMBER[way], HILL[way], TCP, tcp(MEMBER[way], HILL[way], PORT, SERVICE, flags, 7, 9, MARK))


def from_hill(way: int, to: tuple[str, str] = MEMBER) -> bytes:
    return ip(HILL[way], to[way], TCP, tcp(HILL[way], to[way], SERVICE, PORT, ACK, 9, 7, MARK))


def let_in(place: KernelTestbed, *addresses: str) -> None:
    device = Admission(MacAddress(MEMBER_MAC), 1, 0x11, None, addresses=addresses)
    with place.router.entered():
        place.kernel.apply(TrafficPlan(FIREWALL, {device.mac: device}), NOW)


@BOTH
def test_a_device_carries_its_flow_on_once_it_is_let_in(place: KernelTestbed, way: int) -> None:
    place.send(place.member, from_member(way, ACK), MEMBER_MAC)
    assert [] == place.heard(place.hill)
    assert [] == place.heard(place.member, TO_MEMBER), "no reset"
    let_in(place)
    place.send(place.member, from_member(way, ACK), MEMBER_MAC)
    assert 1 == len(place.heard(place.hill))
    place.send(place.hill, from_hill(way), HILL_MAC, MESH_MAC)
    assert 1 == len(place.heard(place.member))


@BOTH
def test_a_server_carries_a_download_on_once_its_device_is_let_in(place: KernelTestbed, way: int) -> None:
    place.send(place.hill, from_hill(way), HILL_MAC, MESH_MAC)
    assert [] == place.heard(place.member)
    assert [] == place.heard(place.hill, TO_HILL), "no reset"
    let_in(place, MEMBER[way])
    place.send(place.hill, from_hill(way), HILL_MAC, MESH_MAC)
    assert 1 == len(place.heard(place.member))
    place.send(place.hill, from_hill(way, STRANGER), HILL_MAC, MESH_MAC)
    assert [] == place.heard(place.stranger)


@BOTH
def test_a_device_that_was_in_before_is_known_by_its_later_flows(place: KernelTestbed, way: int) -> None:
    let_in(place)
    place.send(place.hill, from_hill(way), HILL_MAC, MESH_MAC)
    assert [] == place.heard(place.member)
    place.send(
        place.member,
        ip(MEMBER[way], HILL[way], TCP, tcp(MEMBER[way], HILL[way], PORT + 1, SERVICE, SYN)),
        MEMBER_MAC,
    )
    place.send(place.hill, from_hill(way), HILL_MAC, MESH_MAC)
    assert 1 == len(place.heard(place.member))


@BOTH
def test_a_new_flow_of_a_stranger_is_refused_at_once(place: KernelTestbed, way: int) -> None:
    place.send(place.member, from_member(way, SYN), MEMBER_MAC)
    assert [] == place.heard(place.hill)
    assert 1 == len(place.heard(place.member, TO_MEMBER)), "a reset"

"""The port of the mesh protocol is open for nodes only, on both families."""

import contextlib
import socket
import struct
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address

import pytest

from tests.kernel.frames import SYN, TCP, ip, tcp
from tests.kernel.kernel_testbed import (
    FAR_MAC,
    FIREWALL,
    HILL,
    MEMBER_MAC,
    OUTSIDE,
    ROUTER,
    UPLINK_MAC,
    KernelTestbed,
    kernel_testbed,
)
from tests.kernel.test_flow_limits import FAMILY, listener
from tests.lab.netns import Namespace

pytestmark = pytest.mark.kernel
BOTH = pytest.mark.parametrize("way", [0, 1], ids=["IPv4", "IPv6"])
UPLINK_NEIGHBOUR = ("10.88.0.254", "fd88::fe")
MESH_SIDE = ("10.66.0.1", "fd66::1")
PORT = 7400


@pytest.fixture(scope="module")
def place() -> Iterator[KernelTestbed]:
    with kernel_testbed("meshport") as made, contextlib.ExitStack() as held:
        for family in FAMILY:
            held.enter_context(listener(made.router, family, PORT))
        yield made


def answer(place: Namespace, way: int, target: tuple[str, str]) -> str:
    with place.entered(), socket.socket(FAMILY[way]) as line:
        line.settimeout(2)
        try:
            line.connect((target[way], PORT))
        except OSError as error:
            return "refused" if isinstance(error, ConnectionRefusedError) else type(error).__name__
    return "open"


@BOTH
def test_the_lan_and_the_uplink_are_refused_at_once_and_the_mesh_is_not(
    place: KernelTestbed, way: int
) -> None:
    place.admit(MEMBER_MAC)
    assert "refused" == answer(place.member, way, ROUTER), "an admitted device"
    assert "refused" == answer(place.stranger, way, ROUTER)
    assert "refused" == answer(place.far, way, OUTSIDE), "from the uplink"
    assert "open" == answer(place.hill, way, MESH_SIDE)


@BOTH
def test_a_configured_peer_is_allowed_by_its_address_alone(place: KernelTestbed, way: int) -> None:
    peers = tuple(ip_address(address) for address in UPLINK_NEIGHBOUR)
    place.admit(MEMBER_MAC, firewall=replace(FIREWALL, mesh_peers=peers))
    assert "open" == answer(place.far, way, OUTSIDE)
    assert "refused" == answer(place.member, way, ROUTER)
    others = tuple(ip_address(address) for address in ("10.88.0.253", "fd88::fd"))
    place.admit(MEMBER_MAC, firewall=replace(FIREWALL, mesh_peers=others))
    assert "refused" == answer(place.far, way, OUTSIDE)


@BOTH
def test_a_peers_address_as_source_on_another_interface_gets_no_answer(
    place: KernelTestbed, way: int
) -> None:
    """The peer is reached over the mesh: an answer to a frame from the uplink would be sent there."""
    peers = tuple(ip_address(address) for address in HILL)
    place.admit(MEMBER_MAC, firewall=replace(FIREWALL, mesh_peers=peers))
    segment = tcp(HILL[way], OUTSIDE[way], 4_000 + way, PORT, SYN)
    place.ear(place.hill), place.heard(place.hill, b"")
    place.send(place.far, ip(HILL[way], OUTSIDE[way], TCP, segment), FAR_MAC, UPLINK_MAC)
    answers = place.heard(place.hill, struct.pack("!HH", PORT, 4_000 + way))
    assert [] == answers


@BOTH
def test_a_node_without_mesh_interfaces_has_its_configured_peers(place: KernelTestbed, way: int) -> None:
    peers = tuple(ip_address(address) for address in UPLINK_NEIGHBOUR)
    place.admit(firewall=replace(FIREWALL, mesh_interfaces=(), mesh_peers=peers))
    assert "open" == answer(place.far, way, OUTSIDE)
    assert "refused" == answer(place.hill, way, MESH_SIDE)

"""Real packets to the local services: every device reaches them, and nothing else through them."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address

import pytest

from tests.kernel.frames import SYN, TCP, UDP, ip, tcp, udp
from tests.kernel.kernel_testbed import (
    FAR,
    FAR_MAC,
    FIREWALL,
    HILL,
    HILL_MAC,
    MARK,
    MEMBER_MAC,
    ROUTER,
    STRANGER,
    STRANGER_MAC,
    UPLINK_MAC,
    KernelTestbed,
    kernel_testbed,
)
from tests.lab.netns import Namespace

pytestmark = pytest.mark.kernel
BOTH = pytest.mark.parametrize("way", [0, 1], ids=["IPv4", "IPv6"])
FAMILY = (socket.AF_INET, socket.AF_INET6)
PORT, OTHER_PORT = 8080, 8081
ANOTHER = ("203.0.113.9", "fd99::9")
"""An address of the far network that offers no service."""
PLACES = {"far": FAR, "hill": HILL, "router": ROUTER}
STAND_IN = ("192.0.2.80", "2001:db8::80")
OPEN = replace(
    FIREWALL,
    services=tuple((ip_address(each), PORT) for place in PLACES.values() for each in place),
    dns_fallback=tuple(map(ip_address, STAND_IN)),
)


class Echo:
    """Servers on both families that answer with their name, until closed."""

    def __init__(self, place: Namespace, *ports: int, says: bytes = MARK) -> None:
        with place.entered():
            self.sockets = [
                socket.create_server(("", port), family=family) for port in ports for family in FAMILY
            ]
        for each in self.sockets:
            threading.Thread(target=self._serve, args=(each, says), daemon=True).start()

    def _serve(self, server: socket.socket, says: bytes) -> None:
        with contextlib.suppress(OSError):
            while True:
                with server.accept()[0] as visitor:
                    visitor.sendall(says)

    def close(self) -> None:
        for each in self.sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


@pytest.fixture(scope="module")
def place() -> Iterator[KernelTestbed]:
    with kernel_testbed("offer") as made, contextlib.ExitStack() as servers:
        made.hill.ip("link set lo up")
        made.far.ip("addr add fd99::9/64 dev lo nodad")
        for each in (made.far, made.hill, made.router):
            servers.callback(Echo(each, PORT, OTHER_PORT).close)
        servers.callback(Echo(made.router, FIREWALL.portal_port, says=b"portal").close)
        made.admit(MEMBER_MAC, firewall=OPEN)
        yield made


def fetched(place: Namespace, address: str, port: int) -> bytes | None:
    """The response that a device in `place` gets; None if the connection is refused at once."""
    with place.entered(), socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as visitor:
        visitor.settimeout(3)
        try:
            visitor.connect((address, port))
            return visitor.recv(100)
        except ConnectionRefusedError:
            return None


@BOTH
@pytest.mark.parametrize("where", ["far", "hill", "router"])
@pytest.mark.parametrize("who", ["member", "stranger"])
def test_a_service_is_reached_with_and_without_admission(
    place: KernelTestbed, way: int, where: str, who: str
) -> None:
    assert fetched(getattr(place, who), PLACES[where][way], PORT) == MARK


@BOTH
@pytest.mark.parametrize("where", ["far", "hill", "router"])
def test_another_port_of_the_same_host_stays_closed(place: KernelTestbed, way: int, where: str) -> None:
    assert fetched(place.stranger, PLACES[where][way], OTHER_PORT) is None


@BOTH
def test_another_host_of_the_same_network_stays_closed(place: KernelTestbed, way: int) -> None:
    assert fetched(place.member, ANOTHER[way], PORT) == MARK
    assert fetched(place.stranger, ANOTHER[way], PORT) is None


@BOTH
def test_the_port_of_a_service_opens_no_other_protocol(place: KernelTestbed, way: int) -> None:
    place.heard(place.far)
    me, far = STRANGER[way], FAR[way]
    place.send(place.stranger, ip(me, far, UDP, udp(me, far, 1000, PORT, MARK)), STRANGER_MAC)
    assert [] == place.heard(place.far)


@BOTH
def test_a_service_cannot_open_flows_to_devices(place: KernelTestbed, way: int) -> None:
    place.heard(place.stranger)
    for origin, sender, mac, to in (
        (place.far, FAR, FAR_MAC, UPLINK_MAC),
        (place.hill, HILL, HILL_MAC, "02:77:00:00:00:03"),
    ):
        me, guest = sender[way], STRANGER[way]
        place.send(origin, ip(me, guest, TCP, tcp(me, guest, PORT, 1000, SYN, payload=MARK)), mac, to)
    assert [] == place.heard(place.stranger)


@BOTH
def test_local_traffic_is_not_counted_and_uplink_traffic_is(place: KernelTestbed, way: int) -> None:
    """A service behind the uplink uses the line like any other host, so its traffic is counted."""
    before = place.used(1)
    assert fetched(place.member, HILL[way], PORT) == MARK
    assert fetched(place.stranger, FAR[way], PORT) == MARK
    assert before == place.used(1)
    assert fetched(place.member, FAR[way], PORT) == MARK
    assert place.used(1) > before


@BOTH
def test_a_service_that_is_removed_is_closed_at_once(place: KernelTestbed, way: int) -> None:
    place.admit(MEMBER_MAC, firewall=replace(OPEN, services=()))
    assert [None] * 3 == [fetched(place.stranger, each[way], PORT) for each in PLACES.values()]
    place.admit(MEMBER_MAC, firewall=OPEN)
    assert fetched(place.stranger, FAR[way], PORT) == MARK


@BOTH
def test_behind_the_dns_fallback_unauthorized_devices_meet_the_portal_and_members_an_error(
    place: KernelTestbed, way: int
) -> None:
    """While no resolver answers, every name resolves to the fallback addresses: HTTP leads to the portal,
    everything else is refused at once. A member's system must notice that there is no Internet, so that a phone
    can switch to another network."""
    place.heard(place.far)
    assert fetched(place.stranger, STAND_IN[way], 80) == b"portal"
    assert fetched(place.member, STAND_IN[way], 80) is None
    for who in (place.member, place.stranger):
        assert fetched(who, STAND_IN[way], 443) is None
    assert [] == place.heard(place.far, ip_address(STAND_IN[way]).packed)

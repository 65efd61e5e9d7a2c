"""Real packets of unauthorized devices, with forged sources, and from hosts outside the LAN: none is forwarded."""

import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address

import pytest

from node.enforcement.plan import Admission, TrafficPlan
from node.units import MacAddress
from tests.kernel import frames
from tests.kernel.frames import ACK, ICMP, ICMPV6, RST, SYN, TCP, UDP, echo_request, ip, octets, tcp, udp
from tests.kernel.kernel_testbed import (
    FAR,
    FAR_MAC,
    FIREWALL,
    HILL,
    HILL_MAC,
    MARK,
    MEMBER,
    MEMBER_MAC,
    NOW,
    OUTSIDE,
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
FORGED = ("203.0.113.9", "fd99::9")
"""An address of the far network, used as a forged source."""
PING = (ICMP, ICMPV6)


@pytest.fixture(scope="module")
def place() -> Iterator[KernelTestbed]:
    with kernel_testbed() as made:
        made.admit(MEMBER_MAC)
        yield made


def asks(way: int, sender: tuple[str, str] = STRANGER, port: int = 1000, **more: object) -> bytes:
    """A UDP datagram to the far host."""
    return ip(sender[way], FAR[way], UDP, udp(sender[way], FAR[way], port, 7, MARK), **more)  # type: ignore[arg-type]


@BOTH
def test_packets_of_a_member_are_forwarded(place: KernelTestbed, way: int) -> None:
    """Control: without this every other test in this file would pass on a dead link."""
    place.send(place.member, asks(way, MEMBER), MEMBER_MAC)
    assert 1 == len(place.heard(place.far))


@BOTH
def test_an_unauthorized_device_reaches_nothing_by_any_protocol(place: KernelTestbed, way: int) -> None:
    me, far = STRANGER[way], FAR[way]
    place.send(place.stranger, asks(way), STRANGER_MAC)
    place.send(place.stranger, ip(me, far, TCP, tcp(me, far, 1000, 443, SYN, payload=MARK)), STRANGER_MAC)
    place.send(place.stranger, ip(me, far, PING[way], echo_request(me, far, MARK)), STRANGER_MAC)
    for protocol in (frames.IN4, frames.IN6, frames.GRE, 50, 51, 103, 132, 253):
        place.send(place.stranger, ip(me, far, protocol, MARK * 4), STRANGER_MAC)
    assert [] == place.heard(place.far)


@BOTH
def test_an_unauthorized_device_reaches_nothing_by_a_tagged_or_misdirected_frame(
    place: KernelTestbed, way: int
) -> None:
    kind = struct.pack("!H", frames.ETH_P_IPV6 if way else frames.ETH_P_IP)
    for tag in (0, 1, 5):
        head = octets("02:77:00:00:00:01") + octets(STRANGER_MAC) + struct.pack("!HH", 0x8100, tag) + kind
        place.ear(place.stranger).send(head + asks(way))
    for mac in ("ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01", "33:33:00:00:00:01", UPLINK_MAC):
        place.send(place.stranger, asks(way), STRANGER_MAC, mac)
    assert [] == place.heard(place.far)


def test_extension_headers_fragments_and_source_routes_are_not_forwarded(place: KernelTestbed) -> None:
    me, far, router = STRANGER[1], FAR[1], ROUTER[1]
    body, options = udp(me, far, 1000, 7, MARK), bytes([17, 0, 1, 4, 0, 0, 0, 0])
    route = bytes([17, 2, 0, 1, 0, 0, 0, 0]) + ip_address(far).packed
    for protocol, chain, target in (
        (0, options, far),
        (60, options, far),
        (43, route, router),
        (44, struct.pack("!BBHI", 17, 0, 0, 5), far),
        (44, struct.pack("!BBHI", 17, 0, 1, 6), far),
    ):
        place.send(place.stranger, ip(me, target, protocol, body, chain=chain), STRANGER_MAC)
    loose = bytes([131, 7, 4]) + ip_address(FAR[0]).packed + b"\0"
    inner = udp(STRANGER[0], ROUTER[0], 1000, 7, MARK)
    place.send(place.stranger, ip(STRANGER[0], ROUTER[0], UDP, inner, options=loose), STRANGER_MAC)
    assert [] == place.heard(place.far)


@BOTH
@pytest.mark.parametrize("claimed", [MEMBER, ROUTER, FORGED, ("0.0.0.0", "fe80::b")])
def test_an_unauthorized_device_reaches_nothing_with_another_source_address(
    place: KernelTestbed, way: int, claimed: tuple[str, str]
) -> None:
    place.send(place.stranger, asks(way, claimed, 1001), STRANGER_MAC)
    assert [] == place.heard(place.far)


@BOTH
def test_an_unauthorized_device_cannot_use_a_members_established_flow(place: KernelTestbed, way: int) -> None:
    home = (OUTSIDE[0], MEMBER[1])[way]
    place.send(place.member, asks(way, MEMBER, 2000), MEMBER_MAC)
    place.send(
        place.far, ip(FAR[way], home, UDP, udp(FAR[way], home, 7, 2000, b"answer")), FAR_MAC, UPLINK_MAC
    )
    assert 1 == len(place.heard(place.member, b"answer"))
    place.heard(place.far)
    place.send(place.stranger, asks(way, MEMBER, 2000), STRANGER_MAC)
    assert [] == place.heard(place.far)
    place.send(place.member, asks(way, MEMBER, 2000), MEMBER_MAC)
    assert 1 == len(place.heard(place.far))


@BOTH
def test_the_routers_own_answers_are_not_sent_to_a_forged_source(place: KernelTestbed, way: int) -> None:
    """Echo replies, resets and ICMP errors go to the source address: a forged one would be a way out."""
    me, router, far = FORGED[way], ROUTER[way], FAR[way]
    for packet in (
        ip(me, router, PING[way], echo_request(me, router, MARK)),
        ip(me, router, TCP, tcp(me, router, 1000, 2080, SYN)),
        ip(me, router, UDP, udp(me, router, 1000, 53, MARK)),
        ip(me, router, UDP, udp(me, router, 1000, 999, MARK)),
        ip(me, far, UDP, udp(me, far, 1000, 999, MARK)),
        ip(me, far, TCP, tcp(me, far, 1000, 443, ACK, payload=MARK)),
        ip(me, far, UDP, udp(me, far, 1000, 999, MARK), ttl=1),
        ip(me, far, TCP, tcp(me, far, 1000, 443, 0x3F, payload=MARK), ttl=1),
    ):
        place.send(place.stranger, packet, STRANGER_MAC)
    assert [] == place.heard(place.far, ip_address(me).packed)


@BOTH
def test_an_unauthorized_device_cannot_answer_in_place_of_a_far_host(place: KernelTestbed, way: int) -> None:
    """Packets of an established flow of the node itself, such as a query of its resolver, skip the rules for new
    flows: they are checked at the input interface."""
    own, far = OUTSIDE[way], FAR[way]
    family = (socket.AF_INET, socket.AF_INET6)[way]
    with place.router.entered(), socket.socket(family, socket.SOCK_DGRAM) as asker:
        asker.bind((own, 5300))
        asker.sendto(b"a question", (far, 53))
        asker.settimeout(1)
        place.send(place.stranger, ip(far, own, UDP, udp(far, own, 53, 5300, b"a lie")), STRANGER_MAC)
        with pytest.raises(TimeoutError):
            asker.recv(100)
        answer = ip(far, own, UDP, udp(far, own, 53, 5300, b"the truth"))
        place.send(place.far, answer, FAR_MAC, UPLINK_MAC)
        assert b"the truth" == asker.recv(100)


@BOTH
def test_a_member_cannot_send_with_a_foreign_source_address(place: KernelTestbed, way: int) -> None:
    place.send(place.member, asks(way, FORGED, 1002), MEMBER_MAC)
    assert [] == place.heard(place.far)


@BOTH
def test_the_uplink_and_the_mesh_cannot_open_flows_to_devices(place: KernelTestbed, way: int) -> None:
    place.heard(place.member)
    for sender in (FAR, STRANGER, MEMBER):
        packet = ip(sender[way], MEMBER[way], UDP, udp(sender[way], MEMBER[way], 9, 9, MARK))
        place.send(place.far, packet, FAR_MAC, UPLINK_MAC)
    packet = ip(HILL[way], MEMBER[way], UDP, udp(HILL[way], MEMBER[way], 9, 9, MARK))
    place.send(place.hill, packet, HILL_MAC, "02:77:00:00:00:03")
    assert [] == place.heard(place.member)


@BOTH
def test_the_mesh_uses_the_uplink_only_if_the_community_allows_it(place: KernelTestbed, way: int) -> None:
    """Being on the mesh link does not authorize anything; sharing the uplink with it is a setting."""
    place.heard(place.far)  # packets of earlier tests
    lent, heard = replace(FIREWALL, transit=True), []
    for firewall, port in ((FIREWALL, 2001), (lent, 2002), (FIREWALL, 2003)):
        place.admit(MEMBER_MAC, firewall=firewall)
        place.send(place.hill, asks(way, HILL, port), HILL_MAC, "02:77:00:00:00:03")
        heard.append(len(place.heard(place.far)))
    assert [0, 1, 0] == heard


@BOTH
@pytest.mark.parametrize("side", ["uplink", "mesh"])
def test_the_portal_answers_only_the_lan(place: KernelTestbed, way: int, side: str) -> None:
    family = (socket.AF_INET, socket.AF_INET6)[way]
    with place.router.entered():
        portal = socket.create_server(("", FIREWALL.portal_port), family=family)
    origin = place.far if side == "uplink" else place.hill
    with portal, origin.entered(), socket.socket(family) as visitor:
        visitor.settimeout(1)
        with pytest.raises(ConnectionRefusedError):
            visitor.connect((ROUTER[way] if side == "mesh" else OUTSIDE[way], FIREWALL.portal_port))
    with portal, place.stranger.entered(), socket.socket(family) as guest:
        guest.settimeout(1)
        assert guest.connect_ex((ROUTER[way], 80)) in {0, 111}


@BOTH
def test_queries_through_one_socket_are_limited_like_queries_through_many(
    place: KernelTestbed, way: int
) -> None:
    """Otherwise one established flow to a far name server would be an unlimited tunnel."""
    family, answered = (socket.AF_INET, socket.AF_INET6)[way], 0
    with place.router.entered():
        names = socket.socket(family, socket.SOCK_DGRAM)
        names.bind((ROUTER[way], FIREWALL.captive_dns_port))
        names.setblocking(False)
    with names, place.stranger.entered(), socket.socket(family, socket.SOCK_DGRAM) as tunnel:
        tunnel.connect((ROUTER[way], 53))
        for _ in range(300):
            tunnel.send(b"question")
            time.sleep(0.001)
            answered += _answer_waiting(names)
    assert answered <= 70


def _answer_waiting(names: socket.socket) -> int:
    try:
        _, asker = names.recvfrom(100)
    except BlockingIOError:
        return 0
    names.sendto(b"answer", asker)
    return 1


@BOTH
def test_a_stray_segment_does_not_reset_a_members_connection(place: KernelTestbed, way: int) -> None:
    """Conntrack classifies a late segment as invalid; answering it with a reset would end the connection."""
    connection = OpenDownload(place, way, 3000)
    connection.out(ACK, 2_000_000_000, 501)
    assert [] == connection.resets(place.member)


@BOTH
def test_a_running_download_survives_the_move_to_another_account(place: KernelTestbed, way: int) -> None:
    """The far end's next segment may arrive before a packet of the device has set the new mark. It is sent again, unless
    the flow was handed over: then it is its device's, whatever the mark."""
    connection = OpenDownload(place, way, 3100)
    moved = Admission(MacAddress(MEMBER_MAC), 2, 0x12, None)
    with place.router.entered():
        place.kernel.apply(TrafficPlan(FIREWALL, {moved.mac: moved}, retiring={1: 0x11}), NOW)
    try:
        connection.back(ACK, 501, 101, b"first try")
        assert int(place.offloads) == len(place.heard(place.member, b"first try"))
        assert [] == connection.resets(place.far)
        connection.out(ACK, 101, 501)
        connection.back(ACK, 501, 101, b"once more")
        assert 1 == len(place.heard(place.member, b"once more"))
        assert place.used(2) > 0
    finally:
        place.admit(MEMBER_MAC)


@BOTH
def test_a_download_stops_with_the_session_and_its_device_gets_an_error(
    place: KernelTestbed, way: int
) -> None:
    connection = OpenDownload(place, way, 3200)
    place.admit()
    try:
        connection.back(ACK, 501, 101, b"too late")
        assert [] == place.heard(place.member, b"too late")
        connection.out(ACK, 101, 501)
        assert 1 == len(connection.resets(place.member))
    finally:
        place.admit(MEMBER_MAC)


@BOTH
@pytest.mark.parametrize("far_port", [80, 443])
def test_a_request_on_a_connection_of_an_ended_session_is_answered_with_a_reset(
    place: KernelTestbed, way: int, far_port: int
) -> None:
    """Otherwise a browser that kept the connection waits for half a minute before it reaches the portal."""
    connection = OpenDownload(place, way, 3300 + far_port, far_port)
    place.admit()
    try:
        time.sleep(0.5)  # the flow is deleted from conntrack meanwhile
        connection.out(ACK, 101, 501)
        assert 1 == len(connection.resets(place.member))
    finally:
        place.admit(MEMBER_MAC)


class OpenDownload:
    """A TCP connection from the member to the far host, built by hand; neither system has a socket for it."""

    def __init__(self, place: KernelTestbed, way: int, port: int, far_port: int = 443) -> None:
        self.place, self.way, self.port, self.far_port = place, way, port, far_port
        self.home = (OUTSIDE[0], MEMBER[1])[way]
        for end in (place.member, place.far):
            end.run("nft", "-f", "-", stdin=MUTE)
        self.out(SYN, 100)
        self.back(SYN | ACK, 500, 101)
        self.out(ACK, 101, 501)
        place.heard(place.member)
        place.heard(place.far)

    def out(self, flags: int, sequence: int, answered: int = 0) -> None:
        me, far = MEMBER[self.way], FAR[self.way]
        segment = tcp(me, far, self.port, self.far_port, flags, sequence, answered)
        self.place.send(self.place.member, ip(me, far, TCP, segment), MEMBER_MAC)
        time.sleep(0.03)

    def back(self, flags: int, sequence: int, answered: int, payload: bytes = b"") -> None:
        far = FAR[self.way]
        segment = tcp(far, self.home, self.far_port, self.port, flags, sequence, answered, payload)
        self.place.send(self.place.far, ip(far, self.home, TCP, segment), FAR_MAC, UPLINK_MAC)
        time.sleep(0.03)

    def resets(self, end: Namespace) -> list[bytes]:
        ports = (self.far_port, self.port) if end is self.place.member else (self.port, self.far_port)
        at = 14 + (20, 40)[self.way]
        return [f for f in self.place.heard(end, struct.pack("!HH", *ports)) if f[at + 13] & RST]


MUTE = """
add table inet mute
add chain inet mute out { type filter hook output priority 0; }
add rule inet mute out tcp flags rst drop
"""
"""Neither host answers segments of a connection that is built by hand."""

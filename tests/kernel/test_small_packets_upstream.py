"""A line with an MTU below 1,500 bytes that loses ICMP "packet too big": common with PPPoE."""

import contextlib
import dataclasses
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from node.doctor.facts import path_mtu
from node.enforcement.kernel import LinuxKernel
from node.enforcement.plan import Admission, TrafficPlan
from node.units import MacAddress
from tests.kernel.kernel_testbed import FIREWALL, MEMBER, MEMBER_MAC, NOW, ROUTER
from tests.lab.netns import Lab, Namespace
from tests.lab.router import linux_kernel

pytestmark = pytest.mark.kernel
BOTH = pytest.mark.parametrize("way", [0, 1], ids=["IPv4", "IPv6"])
SERVER = ("203.0.113.7", "fd99::7")
MUCH = 400_000
AT_MOST_S = 3.0
LOST = """
table inet lost {
  chain sending {
    type filter hook output priority 0;
    icmp type destination-unreachable icmp code frag-needed drop
    icmpv6 type packet-too-big drop
  }
}
"""

LOSE_ONE = """
table inet lose {
  chain arriving {
    type filter hook input priority 0;
    tcp flags & (syn | ack) == syn limit rate 1/day burst 1 packets drop
  }
}
"""


@dataclass
class Line:
    router: Namespace
    member: Namespace
    hill: Namespace
    """An address behind a neighbouring node."""
    server: Namespace
    kernel: LinuxKernel

    def stand(self, mtu: int = 0, *, transit: bool = False) -> None:
        """The table, with the member admitted."""
        firewall = dataclasses.replace(FIREWALL, uplink_mtu=mtu, transit=transit)
        admitted = {MacAddress(MEMBER_MAC): Admission(MacAddress(MEMBER_MAC), 1, 0x11, None)}
        with self.router.entered():
            self.kernel.apply(TrafficPlan(firewall, admitted), NOW)

    def used(self) -> int:
        with self.router.entered():
            return self.kernel.read().counted[1].total


@contextlib.contextmanager
def line(own_mtu: int) -> Iterator[Line]:
    """Member, router, an exchange whose next link has an MTU of 1,492 bytes, and a server that assumes 1,500.
    `own_mtu` is the MTU of the router's own uplink interface."""
    with Lab("mtu") as lab:
        member, router = lab.namespace("member"), lab.namespace("router")
        hill = lab.namespace("hill")
        exchange, server = lab.namespace("exchange"), lab.namespace("server")
        lab.veth(member, "eth0", router, "lan0", a_mac=MEMBER_MAC, offload=False)
        lab.veth(hill, "eth0", router, "mesh0", offload=False)
        lab.veth(router, "wan0", exchange, "in0", offload=False)
        lab.veth(exchange, "out0", server, "eth0", offload=False)
        router.address("lan0", *(f"{a}/{n}" for a, n in zip(ROUTER, (16, 64), strict=True)))
        router.address("mesh0", "10.66.0.1/24", "fd66::1/64")
        hill.address("eth0", "10.66.0.2/24", "fd66::2/64")
        hill.route("default via 10.66.0.1", "default via fd66::1")
        router.address("wan0", "10.88.0.1/24", "fd88::1/64")
        exchange.address("in0", "10.88.0.254/24", "fd88::fe/64")
        exchange.address("out0", "203.0.113.254/24", "fd99::fe/64")
        server.address("eth0", f"{SERVER[0]}/24", f"{SERVER[1]}/64")
        member.address("eth0", f"{MEMBER[0]}/16", f"{MEMBER[1]}/64")
        member.route(f"default via {ROUTER[0]}", f"default via {ROUTER[1]}")
        router.route("default via 10.88.0.254", "default via fd88::fe")
        server.route("default via 203.0.113.254", "default via fd99::fe")
        exchange.route("fd77::/64 via fd88::1", "fd66::/64 via fd88::1")
        exchange.sysctl(net__ipv4__ip_forward=1, net__ipv6__conf__all__forwarding=1)
        exchange.run("nft", "-f", "-", stdin=LOST)
        router.ip(f"link set wan0 mtu {own_mtu}")
        exchange.ip("link set in0 mtu 1492")
        with router.entered():
            kernel = linux_kernel()
        try:
            made = Line(router, member, hill, server, kernel)
            made.stand()
            yield made
        finally:
            kernel.close()


@contextlib.contextmanager
def serving(place: Line, way: int, talk: Callable[[socket.socket], None]) -> Iterator[None]:
    with place.server.entered():
        listener = socket.create_server(("", 8080), family=(socket.AF_INET, socket.AF_INET6)[way])

    def run() -> None:
        with contextlib.suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                talk(connection)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def swallow(sock: socket.socket) -> int:
    """Bytes received until the end, or until none came for a while."""
    sock.settimeout(AT_MOST_S)
    got = 0
    with contextlib.suppress(OSError):
        while data := sock.recv(65536):
            got += len(data)
    return got


def dialled(who: Namespace, way: int) -> socket.socket:
    with who.entered():
        return socket.create_connection((SERVER[way], 8080), timeout=AT_MOST_S)


def downloaded(place: Line, who: Namespace, way: int) -> int:
    with serving(place, way, lambda peer: peer.sendall(bytes(MUCH))), dialled(who, way) as sock:
        return swallow(sock)


def uploaded(place: Line, who: Namespace, way: int) -> int:
    arrived: list[int] = []
    with serving(place, way, lambda peer: arrived.append(swallow(peer))), dialled(who, way) as sock:
        with contextlib.suppress(OSError):
            sock.sendall(bytes(MUCH))
        sock.shutdown(socket.SHUT_WR)
        swallow(sock)
    return arrived[0]


def retransmitted(who: Namespace) -> int:
    """Segments so far (RFC 4022, tcpRetransSegs)."""
    names, values = (
        line.split() for line in who.run("cat", "/proc/net/snmp").splitlines() if line[:4] == "Tcp:"
    )
    return int(dict(zip(names, values, strict=True))["RetransSegs"])


def segments(place: Line, who: Namespace, way: int) -> list[int]:
    """The MSS of server and client, as each has learnt it from the other's SYN."""
    seen: list[int] = []

    def talk(peer: socket.socket) -> None:
        seen.append(_segment(peer))
        peer.send(b"!")

    with serving(place, way, talk), dialled(who, way) as sock:
        assert sock.recv(1) == b"!"
        return [*seen, _segment(sock)]


@pytest.mark.alone
@BOTH
def test_behind_an_uplink_of_1492_bytes_downloads_and_uploads_start_at_once(way: int) -> None:
    with line(own_mtu=1492) as place:
        began = time.monotonic()
        assert MUCH == downloaded(place, place.member, way)
        assert MUCH == uploaded(place, place.member, way)
        assert time.monotonic() - began < AT_MOST_S
        # Every packet has the member's mark, those of the handshake too, and those that TCP sends again when a machine
        # stands still for a moment.
        again = retransmitted(place.member) + retransmitted(place.server)
        assert 2 * MUCH < place.used() < 2.2 * MUCH + again * 1_492


@BOTH
def test_the_setting_clamps_the_mss_if_the_interface_has_a_larger_mtu(way: int) -> None:
    with line(own_mtu=1500) as place:
        place.stand(mtu=1492)
        assert MUCH == downloaded(place, place.member, way)
        assert MUCH == uploaded(place, place.member, way)


@BOTH
def test_devices_of_a_neighbouring_node_use_the_same_line(way: int) -> None:
    with line(own_mtu=1500) as place:
        place.stand(mtu=1492, transit=True)
        assert MUCH == downloaded(place, place.hill, way)
        assert MUCH == uploaded(place, place.hill, way)


@BOTH
def test_the_mss_is_clamped_in_both_directions_also_after_a_lost_first_packet(way: int) -> None:
    most = 1400 - (40, 60)[way]
    with line(own_mtu=1500) as place:
        place.stand(mtu=1400)
        assert max(segments(place, place.member, way)) <= most
        place.server.run("nft", "-f", "-", stdin=LOSE_ONE)
        began = time.monotonic()
        assert max(segments(place, place.member, way)) <= most
        assert time.monotonic() - began > 0.9


def _segment(sock: socket.socket) -> int:
    """The MSS of the other side, which this side obeys."""
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)


@BOTH
def test_a_refused_connection_keeps_the_members_mark_and_counts_their_bytes(way: int) -> None:
    with line(own_mtu=1492) as place:
        before = place.used()
        with pytest.raises(ConnectionRefusedError):
            dialled(place.member, way)
        assert place.used() - before > 2 * (40, 60)[way]


@pytest.mark.parametrize(
    ("own", "target", "found"),
    [(1_500, SERVER[0], 1_492), (1_400, SERVER[0], 1_400), (1_500, "203.0.113.99", None)],
)
def test_the_mtu_of_the_line_is_measured(own: int, target: str, found: int | None) -> None:
    with line(own_mtu=own) as place, place.router.entered():
        assert found == path_mtu(target, own)

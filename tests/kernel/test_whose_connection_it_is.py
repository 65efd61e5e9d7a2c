"""A connection to the portal belongs to the device whose frame opened it; others cannot send on it or fill the
table."""

import contextlib
import json
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from node.enforcement import flows, nft
from node.enforcement.flows import FLOWS_PER_STRANGER
from node.enforcement.nft import CONNECTED_S, SENDER_KEPT_S, SENDERS, SENDERS_MAX
from node.web.connections import Limits
from node.web.https import LIMITS
from tests.kernel.frames import ACK, SYN, TCP, ip, raw_socket, tcp
from tests.kernel.kernel_testbed import (
    FIREWALL,
    MEMBER,
    MEMBER_MAC,
    ROUTER,
    STRANGER_MAC,
    KernelTestbed,
    kernel_testbed,
)

pytestmark = [pytest.mark.kernel, pytest.mark.early]
BOTH = pytest.mark.parametrize("way", [0, 1], ids=["IPv4", "IPv6"])
MAINLY_IPV6 = pytest.mark.parametrize(
    "way", [pytest.param(0, marks=pytest.mark.thorough), 1], ids=["IPv4", "IPv6"]
)
MAINLY_IPV4 = pytest.mark.parametrize(
    "way", [0, pytest.param(1, marks=pytest.mark.thorough)], ids=["IPv4", "IPv6"]
)
FAMILIES = (socket.AF_INET, socket.AF_INET6)
PUSH = 0x08
INVENTED_MACS = 3_000


@pytest.fixture
def place() -> Iterator[KernelTestbed]:
    with kernel_testbed("senders") as made:
        made.admit(MEMBER_MAC)
        yield made


@contextlib.contextmanager
def server(place: KernelTestbed, way: int) -> Iterator[socket.socket]:
    """The server socket of the portal."""
    with place.router.entered():
        made = socket.create_server((ROUTER[way], FIREWALL.portal_port), family=FAMILIES[way], backlog=1_000)
    with made:
        made.settimeout(2)
        yield made


def knock(place: KernelTestbed, way: int, *, stranger: bool = False, seconds: float = 3.0) -> socket.socket:
    origin = place.stranger if stranger else place.member
    with origin.entered():
        sock = socket.socket(FAMILIES[way])
    sock.settimeout(seconds)
    try:
        sock.connect((ROUTER[way], 80))
    except OSError:
        sock.close()
        raise
    return sock


def known(place: KernelTestbed, way: int) -> int:
    listed = json.loads(place.router.run("nft", "-j", "list", "set", "inet", "procomu", SENDERS[(4, 6)[way]]))
    (found,) = (each["set"] for each in listed["nftables"] if "set" in each)
    return len(found.get("elem", []))


@BOTH
def test_no_other_device_sends_on_an_established_connection(place: KernelTestbed, way: int) -> None:
    """The attacker knows the member's port and both sequence numbers, as a sniffer of a radio link does."""
    with place.router.entered():
        wire = raw_socket("p1")
    with contextlib.closing(wire) as ear, server(place, way) as listener:  # noqa: SIM117 - the member comes later
        with knock(place, way) as member, listener.accept()[0] as portal:
            portal.settimeout(0.7)
            member.sendall(b"GET")
            assert b"GET" == portal.recv(10)
            sequence, answered = last_numbers(ear, member.getsockname()[1])
            forged = ip(
                MEMBER[way], ROUTER[way], TCP,
                tcp(MEMBER[way], ROUTER[way], member.getsockname()[1], 80, ACK | PUSH, sequence + 3, answered, b"FORGED"),
            )  # fmt: skip
            place.send(place.stranger, forged, STRANGER_MAC)
            with pytest.raises(TimeoutError):
                portal.recv(10)
            # The connection is alive: the same frame with the member's own hardware address is accepted.
            place.send(place.member, forged, MEMBER_MAC)
            assert b"FORGED" == portal.recv(10)


def last_numbers(ear: socket.socket, port: int) -> tuple[int, int]:
    """Sequence and acknowledgement number of the last frame from `port` that carried three octets."""
    time.sleep(0.1)
    found = None
    with contextlib.suppress(BlockingIOError):
        while True:
            data = ear.recv(65_536)
            segment = data[34:] if data[12:14] == b"\x08\x00" else data[54:]
            if int.from_bytes(segment[:2]) == port and data.endswith(b"GET"):
                found = int.from_bytes(segment[4:8]), int.from_bytes(segment[8:12])
    assert found is not None
    return found


@BOTH
def test_no_other_device_reopens_an_established_connection(place: KernelTestbed, way: int) -> None:
    with server(place, way) as listener, knock(place, way) as member, listener.accept()[0]:
        before = known(place, way)
        again = tcp(MEMBER[way], ROUTER[way], member.getsockname()[1], 80, SYN)
        place.send(place.stranger, ip(MEMBER[way], ROUTER[way], TCP, again), STRANGER_MAC)
        time.sleep(0.2)
        assert before == known(place, way)


@BOTH
def test_one_device_takes_only_its_share_of_the_set(place: KernelTestbed, way: int) -> None:
    """From an address that does not answer, so that each connection stays half-open."""
    own = ("10.77.0.77", "fd77::77")[way]
    place.router.ip(f"neigh replace {own} lladdr {STRANGER_MAC} dev lan0")
    with server(place, way):
        for number in range(2_000):
            syn = tcp(own, ROUTER[way], 10_000 + number, FIREWALL.portal_port, SYN)
            place.send(place.stranger, ip(own, ROUTER[way], TCP, syn), STRANGER_MAC)
        time.sleep(0.2)
        assert 0 < known(place, way)
        assert known(place, way) <= FLOWS_PER_STRANGER
        with knock(place, way):
            pass


def test_invented_hardware_addresses_leave_room_for_members(
    place: KernelTestbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """3,000 connections, each from its own IP address, where 200 at once and 50 a second are allowed: a fortieth
    of the real limits, because a test cannot send fast enough for them."""
    monkeypatch.setattr(nft, "PORTAL_CONNECTIONS_AT_ONCE_OF_STRANGERS", 200)
    monkeypatch.setattr(nft, "PORTAL_CONNECTIONS_PER_SECOND_OF_STRANGERS", 50)
    place.admit(
        MEMBER_MAC, firewall=replace(FIREWALL, hears_services=True)
    )  # so that the table is written again
    began = time.monotonic()
    with server(place, 0):
        for number in range(INVENTED_MACS):
            mac = f"06:00:00:00:{number >> 8:02x}:{number & 255:02x}"
            own = f"10.77.{64 + (number >> 8)}.{number & 255}"
            syn = ip(own, ROUTER[0], TCP, tcp(own, ROUTER[0], 40_000, FIREWALL.portal_port, SYN))
            with contextlib.suppress(OSError):  # the transmit queue is full
                place.send(place.stranger, syn, mac)
        assert 0 < known(place, 0) <= 200 + 50 * (time.monotonic() - began)
        began = time.monotonic()
        knock(place, 0).close()
        assert time.monotonic() - began < 0.5


def test_connections_of_unauthorized_devices_never_fill_the_set() -> None:
    """Each of their entries expires 45 seconds after its last frame at the latest."""
    written = nft.rules(nft.ChainLayout(FIREWALL, shaped=False, links=None))
    assert "ether saddr != @members limit rate over 2000/second burst 16000 packets drop" in written
    assert 16_000 + 2_000 * 45 < 120_000 < SENDERS_MAX


@MAINLY_IPV6
def test_a_connection_whose_sender_cannot_be_stored_is_refused(place: KernelTestbed, way: int) -> None:
    """Established connections continue."""
    name = SENDERS[(4, 6)[way]]
    with server(place, way) as listener, knock(place, way) as before, listener.accept()[0] as portal:
        elements = ", ".join(
            f"06:00:00:00:00:01 . {('10.99.0.1', 'fd99::1')[way]} . {n & 65_535} . {ROUTER[way]} . {n >> 16} timeout 60s"
            for n in range(SENDERS_MAX - 1)
        )
        place.router.run("nft", "-f", "-", stdin=f"add element inet procomu {name} {{ {elements} }}")
        with pytest.raises(OSError):  # noqa: PT011 - refused or never answered
            knock(place, way, seconds=1.5)
        before.sendall(b"still here")
        assert b"still here" == portal.recv(20)


def test_a_closed_connection_is_removed_soon(place: KernelTestbed) -> None:
    with server(place, 0) as listener:
        for _ in range(50):
            with knock(place, 0, stranger=True), listener.accept()[0]:
                pass
        deadline = time.monotonic() + 6
        while known(place, 0) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert 0 == known(place, 0)


def test_a_sender_is_remembered_for_longer_than_the_portals_timeout() -> None:
    """An established connection is told from a closed one by the remaining lifetime of its conntrack entry."""
    for limits in (Limits(), LIMITS):
        assert max(limits.idle_s, limits.request_s, limits.answer_s) + 10 <= SENDER_KEPT_S
    for policy in (flows.TCP_OF_DEVICES, flows.TCP_TO_THE_NODE):
        seconds = {name: int(value) for name, value in re.findall(r"(\w+) : (\d+)", policy)}
        assert seconds.pop("established") > CONNECTED_S + SENDER_KEPT_S
        assert max(seconds.values()) <= CONNECTED_S


@MAINLY_IPV4
def test_a_connection_in_use_keeps_its_sender_and_a_silent_one_does_not(
    place: KernelTestbed, monkeypatch: pytest.MonkeyPatch, way: int
) -> None:
    """Timeouts are a twentieth of the real ones."""
    monkeypatch.setattr(nft, "SENDER_KEPT_S", 2)
    place.admit(
        MEMBER_MAC, firewall=replace(FIREWALL, hears_services=True)
    )  # so that the table is written again
    with server(place, way) as listener, knock(place, way) as member, listener.accept()[0] as portal:
        portal.settimeout(0.7)
        for _ in range(6):
            time.sleep(0.8)
            member.sendall(b"still here")
            assert b"still here" == portal.recv(20)
        time.sleep(3.5)
        assert 0 == known(place, way)
        member.sendall(b"too late")
        with pytest.raises(TimeoutError):
            portal.recv(20)


@MAINLY_IPV6
def test_a_connection_in_the_backlog_has_one_sender(place: KernelTestbed, way: int) -> None:
    """While the backlog of the portal is full a SYN stays unanswered, and its flow is "new" for every sender that
    repeats it."""
    with place.router.entered():
        full = socket.create_server((ROUTER[way], FIREWALL.portal_port), family=FAMILIES[way], backlog=0)
    with full, contextlib.ExitStack() as held:
        for _ in range(2):
            with contextlib.suppress(OSError):
                held.enter_context(knock(place, way, seconds=0.3))
        before = known(place, way)
        for who, mac in ((place.member, MEMBER_MAC), (place.stranger, STRANGER_MAC)):
            segment = tcp(MEMBER[way], ROUTER[way], 5_555, FIREWALL.portal_port, SYN)
            place.send(who, ip(MEMBER[way], ROUTER[way], TCP, segment), mac)
            time.sleep(0.2)
        assert before + 1 == known(place, way)
        for _ in range(2):  # the device that opened it may repeat its SYN
            time.sleep(4)
            place.send(place.member, ip(MEMBER[way], ROUTER[way], TCP, segment), MEMBER_MAC)
        time.sleep(0.2)
        text = place.router.run("nft", "list", "set", "inet", "procomu", SENDERS[(4, 6)[way]])
        assert f"{MEMBER_MAC} . {MEMBER[way]} . 5555" in text

"""How many DNS queries unauthorized devices may send and how much a DNS tunnel carries, counted on real packets."""

import contextlib
import dataclasses
import json
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from node.enforcement import dns_limits
from tests.kernel.frames import UDP, ip, udp
from tests.kernel.kernel_testbed import (
    FIREWALL,
    MEMBER,
    MEMBER_MAC,
    ROUTER,
    STRANGER,
    STRANGER_MAC,
    KernelTestbed,
    kernel_testbed,
)
from tests.lab.questions import TXT, ask, hold_by_tcp, question

pytestmark = [pytest.mark.kernel, pytest.mark.early]
BOTH = pytest.mark.parametrize("way", [0, 1], ids=["IPv4", "IPv6"])
MAINLY_IPV6 = pytest.mark.parametrize(
    "way", [pytest.param(0, marks=pytest.mark.thorough), 1], ids=["IPv4", "IPv6"]
)
MAINLY_IPV4 = pytest.mark.parametrize(
    "way", [0, pytest.param(1, marks=pytest.mark.thorough)], ids=["IPv4", "IPv6"]
)
PORT = 2053
PROBE, PORTAL = "captive.apple.com", "login.procomu.lan"
OPEN = dataclasses.replace(FIREWALL, open_names=(PORTAL, PROBE))
ANSWER_BYTES = 400
# Counted after the node's own rules, so that also queries that the resolver has not read yet are counted.
PASSED = """
table inet passed {
  counter questions { }
  chain arriving {
    type filter hook input priority 1;
    udp dport { 53, 2053 } counter name questions
  }
}
"""


@pytest.fixture
def place() -> Iterator[KernelTestbed]:
    with kernel_testbed() as made:
        made.admit(MEMBER_MAC, firewall=OPEN)
        yield made


@contextlib.contextmanager
def resolver(place: KernelTestbed, way: int, port: int, *, extra: int = 0) -> Iterator[list[bytes]]:
    """A UDP server that answers each datagram with itself and `extra` bytes; the list holds what it received."""
    family, asked = (socket.AF_INET, socket.AF_INET6)[way], []
    with place.router.entered():
        sock = socket.socket(family, socket.SOCK_DGRAM)
        sock.bind((ROUTER[way], port))
    sock.settimeout(0.05)
    done = threading.Event()

    def run() -> None:
        while not done.is_set():
            with contextlib.suppress(OSError):
                data, asker = sock.recvfrom(2000)
                asked.append(data)
                sock.sendto(data + bytes(extra), asker)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield asked
    finally:
        done.set()
        thread.join()
        sock.close()


def forged(way: int, mac_number: int, port: int, name: str) -> tuple[bytes, str]:
    """A query from an unknown device, and its hardware address."""
    source = (f"10.77.9.{mac_number}", f"fd77::9:{mac_number:x}")[way]
    payload = udp(source, ROUTER[way], port, 53, question(name))
    return ip(source, ROUTER[way], UDP, payload), f"02:99:00:00:00:{mac_number:02x}"


def ask_for(place: KernelTestbed, way: int, seconds: float, devices: int, each_per_second: float) -> None:
    """Many devices send queries at once, each from changing ports."""
    began, sent = time.monotonic(), 0
    while (passed := time.monotonic() - began) < seconds:
        while sent < passed * devices * each_per_second:
            packet, mac = forged(way, 1 + sent % devices, 20_000 + sent % 40_000, f"n{sent}.example")
            with contextlib.suppress(OSError):  # the queue of the virtual link is full
                place.send(place.stranger, packet, mac)
            sent += 1
        time.sleep(0.002)


def passed(place: KernelTestbed) -> int:
    """Queries received since the last call."""
    listing = json.loads(place.router.run("nft", "-j", "reset", "counter", "inet", "passed", "questions"))
    return int(listing["nftables"][-1]["counter"]["packets"])


@MAINLY_IPV6
def test_one_stranger_sends_twenty_queries_a_second_and_all_of_them_two_hundred(
    place: KernelTestbed, way: int
) -> None:
    place.router.run("nft", "-f", "-", stdin=PASSED)
    ask_for(place, way, 3, devices=1, each_per_second=200)
    assert 20 * 3 <= passed(place) <= 20 * 3 + 40 + 10
    ask_for(place, way, 3, devices=60, each_per_second=15)
    assert 200 * 3 <= passed(place) <= 200 * 3 + 200 + 40


@MAINLY_IPV4
def test_one_member_sends_fifty_queries_a_second_to_another_resolver(place: KernelTestbed, way: int) -> None:
    place.router.run("nft", "-f", "-", stdin=PASSED)
    family = (socket.AF_INET, socket.AF_INET6)[way]
    with resolver(place, way, 53) as asked, resolver(place, way, PORT) as others_asked:
        with place.member.entered(), socket.socket(family, socket.SOCK_DGRAM) as sock:
            began = time.monotonic()
            while time.monotonic() - began < 4:
                for _ in range(5):
                    sock.sendto(question("n.example"), (ROUTER[way], 53))
                time.sleep(0.005)
        assert 50 * 4 <= passed(place) <= 50 * 4 + 300 + 20
        assert asked
        assert not others_asked


def tunnelled(place: KernelTestbed, way: int, seconds: float, per_second: float = 18) -> int:
    """Bytes in both directions, as IP packets, of a device that encodes its data in DNS names."""
    family, moved, headers = (socket.AF_INET, socket.AF_INET6)[way], 0, (28, 48)[way]
    with place.stranger.entered(), socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.connect((ROUTER[way], 53))
        sock.setblocking(False)
        began, sent = time.monotonic(), 0
        while (passed := time.monotonic() - began) < seconds:
            if sent < passed * per_second:
                sock.send(question(".".join(["x" * 60] * 3 + [f"d{sent}", "tunnel", "example"]), TXT))
                sent += 1
            with contextlib.suppress(BlockingIOError):
                moved += len(sock.recv(2000)) + headers
            time.sleep(0.002)
    return moved


@MAINLY_IPV4
def test_a_tunnel_is_slow_after_its_time_and_the_page_still_opens(
    monkeypatch: pytest.MonkeyPatch, way: int
) -> None:
    """The ten minutes are three seconds here; the next test shows that the kernel has ten minutes."""
    monkeypatch.setattr(dns_limits, "FULL_RATE_SECONDS", 3)
    with kernel_testbed() as place:
        place.admit(firewall=OPEN)
        with resolver(place, way, PORT, extra=ANSWER_BYTES) as asked:
            before = tunnelled(place, way, 2) * 8 / 2
            assert before > 40_000
            time.sleep(1.5)
            asked.clear()
            back = tunnelled(place, way, 20)
            up = sum(len(each) + (28, 48)[way] for each in asked)
            print(
                f"tunnel: {before / 1000:.1f} kbit/s, then up {up * 8 / 20 / 1000:.2f}, down {back * 8 / 20 / 1000:.2f}"
            )
            assert (up + back) * 8 / 20 <= 4_000
            # With its allowance used up, and while the tunnel continues.
            for name in (PROBE, PORTAL):
                assert ask(place.stranger, ROUTER[way], name, wait_s=1) is not None
            alike = [f"{PROBE}.d{n}.tunnel.example" for n in range(10)]
            assert 3 > sum(
                ask(place.stranger, ROUTER[way], name, kind=TXT, wait_s=0.1) is not None for name in alike
            )


@BOTH
def test_a_device_has_ten_minutes_from_its_first_query_and_later_ones_do_not_extend_them(
    place: KernelTestbed, way: int
) -> None:
    def remembered(name: str) -> list[dict[str, int]]:
        listing = json.loads(place.router.run("nft", "-j", "list", "set", "inet", "procomu", name))
        return [each["elem"] for item in listing["nftables"] for each in item.get("set", {}).get("elem", ())]

    with resolver(place, way, PORT):
        assert ask(place.stranger, ROUTER[way], "a.example") is not None
        (fresh,) = remembered("dns_fresh")
        left = fresh["expires"]
        assert 598 <= left <= 600
        time.sleep(2.1)
        assert ask(place.stranger, ROUTER[way], "b.example") is not None
        (fresh,), (known,) = remembered("dns_fresh"), remembered("dns_known")
        assert fresh["expires"] <= left - 2
        assert 7_198 <= known["expires"] <= 7_200


@BOTH
def test_each_device_holds_few_connections_to_a_resolver(place: KernelTestbed, way: int) -> None:
    for port, who, most in ((PORT, place.stranger, 2), (53, place.member, 4)):
        with place.router.entered():
            server = socket.create_server((ROUTER[way], port), family=(socket.AF_INET, socket.AF_INET6)[way])
        with server, contextlib.ExitStack() as stack:
            held = [stack.enter_context(sock) for sock in hold_by_tcp(who, ROUTER[way], 8)]
            assert most == sum(_is_connected(sock) for sock in held)


def _is_connected(sock: socket.socket) -> bool:
    try:
        sock.getpeername()
    except OSError:
        return False
    return True


@BOTH
def test_the_strangers_resolver_is_reached_by_port_53_only(place: KernelTestbed, way: int) -> None:
    with resolver(place, way, PORT) as asked:
        for where, own, mac in ((place.stranger, STRANGER, STRANGER_MAC), (place.member, MEMBER, MEMBER_MAC)):
            payload = udp(own[way], ROUTER[way], 5_000, PORT, question("a.example"))
            place.send(where, ip(own[way], ROUTER[way], UDP, payload), mac)
        time.sleep(0.2)
        assert not asked


@BOTH
def test_a_flow_from_before_the_end_of_a_session_does_not_reach_the_members_resolver(
    place: KernelTestbed, way: int
) -> None:
    family = (socket.AF_INET, socket.AF_INET6)[way]
    with (
        resolver(place, way, 53) as asked,
        place.member.entered(),
        socket.socket(family, socket.SOCK_DGRAM) as sock,
    ):
        sock.connect((ROUTER[way], 53))
        sock.send(question("a.example"))
        time.sleep(0.2)
        assert len(asked) == 1
        place.admit(firewall=OPEN)
        with contextlib.suppress(OSError):
            sock.send(question("b.example"))
        time.sleep(0.2)
        assert len(asked) == 1


@BOTH
def test_a_flow_from_before_a_session_is_refused_and_the_next_port_reaches_the_members_resolver(
    place: KernelTestbed, way: int
) -> None:
    """Otherwise a member's query from that port would count as a stranger's, and be dropped under a flood of theirs."""
    family = (socket.AF_INET, socket.AF_INET6)[way]
    with (
        resolver(place, way, 53) as asked,
        resolver(place, way, PORT) as others_asked,
        place.stranger.entered(),
        socket.socket(family, socket.SOCK_DGRAM) as sock,
    ):
        sock.settimeout(1)
        sock.connect((ROUTER[way], 53))
        sock.send(question("a.example"))
        assert sock.recv(2000)
        place.admit(MEMBER_MAC, STRANGER_MAC, firewall=OPEN)
        sock.send(question("b.example"))
        with pytest.raises(OSError, match=r"No route to host|Permission denied|refused") as refused:
            sock.recv(2000)
        assert not isinstance(refused.value, TimeoutError)
        assert ask(place.stranger, ROUTER[way], "c.example") is not None
    assert 1 == len(others_asked)
    assert 1 == len(asked)

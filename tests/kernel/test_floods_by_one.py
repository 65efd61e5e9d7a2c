"""One device floods what the node limits: others still get the welcome page, names and addresses."""

import contextlib
import threading
import time
from collections.abc import Iterator

import pytest

from tests.kernel.arrival_frames import dhcp, mac_of
from tests.kernel.frames import SYN, TCP, UDP, frame, ip, raw_socket, tcp, udp
from tests.kernel.kernel_testbed import (
    FAR,
    MEMBER_MAC,
    ROUTER,
    ROUTER_MAC,
    STRANGER_MAC,
    KernelTestbed,
    kernel_testbed,
)
from tests.kernel.test_flow_limits import FAMILY, RequestingDevice, listener
from tests.kernel.test_what_strangers_may_ask import OPEN, PORT, PORTAL, PROBE, resolver
from tests.lab.questions import ask, question

pytestmark = pytest.mark.kernel
BOTH = pytest.mark.parametrize("way", [0, 1], ids=["IPv4", "IPv6"])
MAINLY_IPV4 = pytest.mark.parametrize(
    "way", [0, pytest.param(1, marks=pytest.mark.thorough)], ids=["IPv4", "IPv6"]
)
MAINLY_IPV6 = pytest.mark.parametrize(
    "way", [pytest.param(0, marks=pytest.mark.thorough), 1], ids=["IPv4", "IPv6"]
)
NEIGHBOUR = ("10.77.0.99", "fd77::99")
"""One more device on the link, whose packets are built by hand; no host answers there."""


@contextlib.contextmanager
def flood(place: KernelTestbed, frames: list[bytes], per_second: int) -> Iterator[None]:
    """Sends these packets from the stranger's port repeatedly."""
    with place.stranger.entered():
        line = raw_socket("eth0")
    stop = threading.Event()

    def send() -> None:
        began, sent = time.monotonic(), 0
        while not stop.is_set():
            while sent < (time.monotonic() - began) * per_second and not stop.is_set():
                with contextlib.suppress(OSError):
                    line.send(frames[sent % len(frames)])
                sent += 1
            time.sleep(0.002)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        line.close()


@MAINLY_IPV6
def test_names_of_the_portal_resolve_while_strangers_have_used_up_their_dns_limit(way: int) -> None:
    with kernel_testbed() as place:
        place.admit(MEMBER_MAC, firewall=OPEN)
        place.router.ip(f"neigh replace {NEIGHBOUR[way]} lladdr {STRANGER_MAC} dev lan0")
        asked = [
            frame(
                ROUTER_MAC,
                mac_of(n),
                ip(
                    NEIGHBOUR[way],
                    ROUTER[way],
                    UDP,
                    udp(NEIGHBOUR[way], ROUTER[way], 2_000 + n, 53, question(f"n{n}.example")),
                ),
            )
            for n in range(4_000)
        ]
        with resolver(place, way, PORT), flood(place, asked, 2_500):
            time.sleep(2)
            answers = [
                ask(place.stranger, ROUTER[way], name, wait_s=0.5) is not None
                for name in (PROBE, PORTAL) * 10
            ]
        assert sum(answers) >= 19, answers


@MAINLY_IPV4
def test_the_page_opens_while_others_open_flows_from_new_hardware_addresses(way: int) -> None:
    with kernel_testbed() as place:
        place.admit(MEMBER_MAC)
        opened = [
            frame(
                ROUTER_MAC,
                mac_of(n),
                ip(NEIGHBOUR[way], FAR[way], UDP, udp(NEIGHBOUR[way], FAR[way], 2_000 + n, 9, b"x")),
            )
            for n in range(8_000)
        ]
        with listener(place.router, FAMILY[way], 2080), flood(place, opened, 6_000):
            time.sleep(5)
            newcomer = RequestingDevice(place.stranger, ROUTER[way], 2080)
            newcomer.call(20)
            newcomer.close()
        print("refused", newcomer.refused, "longest", newcomer.longest_s)
        assert newcomer.refused <= 1


@MAINLY_IPV4
def test_the_page_opens_while_others_hold_half_open_flows_to_it(way: int) -> None:
    with kernel_testbed() as place:
        place.admit(MEMBER_MAC)
        place.router.ip(f"neigh replace {NEIGHBOUR[way]} lladdr {STRANGER_MAC} dev lan0")
        opened = [
            frame(
                ROUTER_MAC,
                mac_of(n),
                ip(NEIGHBOUR[way], ROUTER[way], TCP, tcp(NEIGHBOUR[way], ROUTER[way], 1_024 + n, 2080, SYN)),
            )
            for n in range(60_000)
        ]
        with listener(place.router, FAMILY[way], 2080), flood(place, opened, 3_000):
            time.sleep(6)
            newcomer = RequestingDevice(place.stranger, ROUTER[way], 2080)
            newcomer.call(20)
            newcomer.close()
        print("refused", newcomer.refused, "longest", newcomer.longest_s)
        assert newcomer.refused <= 1


PASSED = """
table inet passed {
  counter addresses { }
  chain arriving {
    type filter hook input priority 1;
    udp dport 67 counter name addresses
  }
}
"""


def test_an_admitted_device_cannot_take_unlimited_leases() -> None:
    """dnsmasq rewrites its whole lease file for each lease."""
    with kernel_testbed() as place:
        place.admit(MEMBER_MAC, STRANGER_MAC)
        place.router.run("nft", "-f", "-", stdin=PASSED)
        requests = []
        for n in range(2_000):
            whole = dhcp(mac_of(n), n, bytes([53, 1, 3]))
            requests.append(whole[:6] + bytes.fromhex(STRANGER_MAC.replace(":", "")) + whole[12:])
        with flood(place, requests, 1_000):
            time.sleep(4)
        text = place.router.run("nft", "list", "counter", "inet", "passed", "addresses")
        assert int(text.split("packets")[1].split()[0]) <= 5 * 4 + 20 + 10, text

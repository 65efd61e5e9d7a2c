"""The kernel counts what passes a mesh interface, by the hardware address at the other end: exactly, on across a restart,
and without a word to the watch for other programs. Three nodes in a line: the middle one carries what the last one uses."""

import contextlib
import json
import socket
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from node.accounting.link_days import NOT_COUNTED, Carried, NeighbourReading
from node.enforcement.neighbour_counting import read_neighbours
from node.units import MacAddress
from tests.kernel.frames import UDP, ip, udp
from tests.kernel.kernel_testbed import (
    FAR,
    FIREWALL,
    HILL,
    HILL_MAC,
    MARK,
    MESH_MAC,
    NOW,
    KernelTestbed,
    kernel_testbed,
)
from tests.lab.router import linux_kernel

pytestmark = pytest.mark.kernel

MAC = MacAddress(HILL_MAC)
OTHER_MAC = "02:77:00:00:00:0d"
THROUGH = """
import json, sys
from ipaddress import ip_address
from mesh.ports import PeerView
from node.app.link_usage import gateway_node, hardware_addresses
from pathlib import Path
from node.uplink.proc_net import next_hops
texts = [Path("/proc/net", name).read_text() for name in ("route", "ipv6_route")]
known = hardware_addresses(("eth0",))
peers = [PeerView(node, node, "trusted", (address,), 0) for node, address in json.loads(sys.argv[1])]
print(gateway_node(next_hops(*texts, "eth0"), known, peers))
"""


@pytest.fixture
def place() -> Iterator[KernelTestbed]:
    with kernel_testbed("links") as made:
        made.hill.run("sysctl", "-qw", "net.ipv6.conf.eth0.router_solicitations=0")
        yield made


def reading(place: KernelTestbed) -> NeighbourReading:
    with place.router.entered():
        return read_neighbours()


def carried(place: KernelTestbed, mac: str = HILL_MAC) -> Carried:
    return reading(place).counted.get(MacAddress(mac), Carried(0, 0))


def packet(size: int) -> bytes:
    return ip(HILL[0], "10.66.0.1", UDP, udp(HILL[0], "10.66.0.1", 4_000, 5_000, MARK + b"x" * size))


def send(place: KernelTestbed, *sizes: int, mac: str = HILL_MAC) -> int:
    """Bytes of packets that were sent to the router."""
    packets = [packet(size) for size in sizes]
    for each in packets:
        place.send(place.hill, each, mac, MESH_MAC)
    return sum(map(len, packets))


def test_each_byte_from_and_to_a_neighbour_is_counted_and_nobody_elses(place: KernelTestbed) -> None:
    before = carried(place, OTHER_MAC)
    sent = send(place, 10, 500, 1_200, mac=OTHER_MAC)
    assert before.received + sent == carried(place, OTHER_MAC).received
    place.router.ip(f"neigh replace 10.66.0.9 lladdr {OTHER_MAC} dev mesh0")
    out = carried(place, OTHER_MAC).sent
    with place.router.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        for size in (1, 800, 1_400):
            line.sendto(b"x" * size, ("10.66.0.9", 5_000))
    assert out + 1 + 800 + 1_400 + 3 * (20 + 8) == carried(place, OTHER_MAC).sent
    assert MacAddress("01:00:5e:00:00:fb") not in reading(place).counted


def test_beside_a_redirection_nothing_is_counted(place: KernelTestbed) -> None:
    """Packets that came through an ifb pass the hook for those that leave uncounted."""
    assert reading(place) != NOT_COUNTED
    place.router.ip("link add ifb4wan type ifb")
    assert NOT_COUNTED == reading(place)
    place.router.ip("link del ifb4wan")
    assert reading(place) != NOT_COUNTED


def test_merged_packets_are_counted_within_the_stated_tolerance(place: KernelTestbed) -> None:
    """Of a download of a device behind the hill: what the last node counts is at most what the middle one sent."""
    size = 20_000_000
    place.admit(firewall=replace(FIREWALL, transit=True))
    before = carried(place)
    with contextlib.ExitStack() as held:
        with place.far.entered():
            server = held.enter_context(socket.create_server((FAR[0], 8_000)))
        with place.hill.entered():
            client = held.enter_context(socket.create_connection((FAR[0], 8_000), timeout=20))
        line = held.enter_context(server.accept()[0])
        line.settimeout(20)
        sending = threading.Thread(target=line.sendall, args=(b"x" * size,))
        sending.start()
        got = 0
        while got < size:
            got += len(client.recv(1_000_000))
        sending.join()
    sent = carried(place).sent - before.sent
    assert size <= sent <= size * 1.1


def test_the_counters_go_on_when_the_daemon_starts_again_and_when_the_plan_is_applied_again(
    place: KernelTestbed,
) -> None:
    total = send(place, 700, mac=OTHER_MAC)
    counters_id = reading(place).counters_id
    with place.router.entered():
        place.kernel.close()
        place.kernel = linux_kernel()
        place.kernel.observe(NOW)
    total += send(place, 900, mac=OTHER_MAC)
    place.admit()
    total += send(place, 100, mac=OTHER_MAC)
    assert (counters_id, total) == (reading(place).counters_id, carried(place, OTHER_MAC).received)


def test_an_interface_that_comes_later_or_again_is_counted(place: KernelTestbed) -> None:
    earlier = reading(place).counters_id
    place.ear(place.hill).close()
    del place.sockets[place.hill.name]
    place.router.ip("link del mesh0")
    assert earlier != reading(place).counters_id
    place.admit()
    place.lab.veth(place.router, "mesh0", place.hill, "eth0", a_mac=MESH_MAC, b_mac=HILL_MAC)
    with place.router.entered():
        place.kernel.close()
        place.kernel = linux_kernel()
    place.admit()
    place.router.address("mesh0", "10.66.0.1/24")
    before = carried(place, OTHER_MAC).received
    assert before + send(place, 300, mac=OTHER_MAC) == carried(place, OTHER_MAC).received
    assert reading(place).counters_id not in {"", earlier}


def test_counting_is_no_disturbance_and_leaves_nothing_behind(place: KernelTestbed) -> None:
    send(place, 10, 20, 30)
    with place.router.entered():
        assert not place.kernel.was_disturbed()
        place.kernel.read()
        place.kernel.remove()
    assert NOT_COUNTED == reading(place)
    assert "" == place.router.run("nft", "list", "tables")


def test_another_program_that_deletes_the_counters_only_begins_them_again(place: KernelTestbed) -> None:
    counters_id = reading(place).counters_id
    place.router.run("nft", "flush", "ruleset")
    with place.router.entered():
        place.kernel.observe(NOW)
    place.admit()
    assert counters_id not in {"", reading(place).counters_id}
    assert send(place, 50, mac=OTHER_MAC) == carried(place, OTHER_MAC).received


def test_a_node_knows_over_whose_line_its_people_go(place: KernelTestbed) -> None:
    """The hill's default routes lead to the router; the connection between them may use any address."""

    def said(*peers: tuple[str, str]) -> str:
        return place.hill.run(sys.executable, "-c", THROUGH, json.dumps(peers)).strip()

    place.hill.run("ping", "-c", "1", "10.66.0.1")
    place.hill.run("ping", "-c", "1", "fd66::1")
    for address in ("10.66.0.1:7400", "[fd66::1]:7400", "[::ffff:10.66.0.1]:7400"):
        assert "square" == said(("square", address), ("mill", "10.66.0.7:7400"))
    assert "None" == said(("mill", "10.66.0.7:7400"))
    place.hill.ip(f"neigh replace 10.66.0.7 lladdr {OTHER_MAC} dev eth0")
    assert "None" == said(("square", "10.66.0.1:7400")), "people may load from another host there"
    place.hill.ip("route replace default via 10.66.0.7")
    assert "None" == said(("square", "10.66.0.1:7400"), ("mill", "10.66.0.7:7400")), "one route to each"

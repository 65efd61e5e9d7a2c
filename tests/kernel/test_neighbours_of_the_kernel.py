"""The kernel's neighbours and next hops lead to nodes where no announcement arrives, whichever routing daemon set them."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from mesh.neighbour_search import SEARCH_EVERY_S
from tests.kernel.test_two_routers_find_each_other import at_which, hills, is_trusting, lines, node
from tests.lab import eventually
from tests.lab.netns import Lab, Namespace

pytestmark = pytest.mark.kernel

SEARCH_SECONDS = 60.0
READ = """
import json
from mesh.kernel_neighbours import NeighbourTables
print(json.dumps(NeighbourTables(["mesh0", "gone"]).read(0)))
"""
READ_AGAIN = """
import json, sys, time
from mesh import kernel_neighbours
asked = []
dump = kernel_neighbours._dump
kernel_neighbours._dump = lambda kind, request: asked.append(kind) or dump(kind, request)
reader = kernel_neighbours.NeighbourTables([sys.argv[1]])
for line in sys.stdin:
    began = time.thread_time()
    found = reader.read(int(line))
    asked, routes = [], asked.count(26)
    print(json.dumps([routes, found, time.thread_time() - began]), flush=True)
"""
ROUTES = 100_000
COUNT_CALLS = """
import socket
with socket.create_server(("10.1.0.2", 7400)) as server:
    while True:
        server.accept()[0].close()
        print("called", flush=True)
"""
NO_ANNOUNCEMENTS = """
table inet quiet {
    chain in { type filter hook input priority 0; udp dport 5353 drop; }
    chain out { type filter hook output priority 0; udp dport 5353 drop; }
}
"""


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab("near") as lab:
        yield lab


def quiet_hills(lab: Lab) -> tuple[Namespace, Namespace]:
    valley, hill = hills(lab)
    for router in (valley, hill):
        router.run("nft", "-f", "-", stdin=NO_ANNOUNCEMENTS)
    return valley, hill


def link_local(where: Namespace) -> str:
    """Once the kernel has found it to be unique."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        (shown,) = json.loads(where.run("ip", "-j", "-6", "address", "show", "dev", "mesh0", "scope", "link"))
        found = [each["local"] for each in shown["addr_info"] if not each.get("tentative")]
        if found:
            return str(found[0])
        time.sleep(0.05)
    raise AssertionError("mesh0 has no link-local address")


def read_in(where: Namespace) -> list[str]:
    found = json.loads(where.run(sys.executable, "-c", READ))
    assert isinstance(found, list)
    return found


def test_neighbours_and_next_hops_of_all_kinds_are_read(lab: Lab) -> None:
    valley, hill = quiet_hills(lab)
    other = link_local(hill)
    valley.ip(
        "address add 10.1.0.1/24 dev mesh0",
        "address add fd01::1/64 dev mesh0 nodad",
        "neigh add 10.1.0.7 lladdr 02:00:00:00:00:07 dev mesh0 nud stale",
        "neigh add fd01::7 lladdr 02:00:00:00:00:07 dev mesh0 nud reachable",
        "neigh add 10.1.0.8 dev mesh0 nud failed",
        "route add 10.2.0.0/16 via 10.1.0.2",
        "route add 10.3.0.0/16 nexthop via 10.1.0.3 nexthop via 10.1.0.4",
        "route add fd02::/64 via fd01::5",
        f"route add fd03::/64 via {other} dev mesh0",
        f"route add 10.4.0.0/16 via inet6 {other} dev mesh0",
        "route add blackhole 10.5.0.0/16",
        "link add other type bridge",
        "link set other up",
        "address add 10.9.0.1/24 dev other",
        "route add 10.8.0.0/16 via 10.9.0.9",
        "neigh add 10.9.0.7 lladdr 02:00:00:00:00:09 dev other nud permanent",
    )
    wanted = {"10.1.0.2", "10.1.0.3", "10.1.0.4", "10.1.0.7", "fd01::5", "fd01::7", f"{other}%mesh0"}
    assert wanted == set(read_in(valley))


class RouteReader:
    """Reads in the namespace of a router, again and again."""

    def __init__(self, router: Namespace, interface: str) -> None:
        self._popen = router.popen(
            sys.executable, "-u", "-c", READ_AGAIN, interface, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def read(self, at_ms: int) -> tuple[int, list[str], float]:
        """How many dumps of routes were asked for, the addresses, and seconds of the processor."""
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        self._popen.stdin.write(f"{at_ms}\n".encode())
        self._popen.stdin.flush()
        routes, found, seconds = json.loads(self._popen.stdout.readline())
        return routes, found, seconds


def add_routes(router: Namespace, gateway: str) -> None:
    wanted = (
        f"route add 11.{each >> 16}.{each >> 8 & 255}.{each & 255}/32 via {gateway}" for each in range(ROUTES)
    )
    router.run("ip", "-batch", "-", stdin="\n".join(wanted))


def test_of_the_routes_of_the_whole_internet_only_those_of_the_mesh_are_read_and_once(lab: Lab) -> None:
    valley, _ = quiet_hills(lab)
    valley.ip(
        "address add 10.1.0.1/24 dev mesh0",
        "link add uplink type bridge",
        "link set uplink up",
        "address add 10.9.0.1/24 dev uplink",
        "route add 10.2.0.0/16 via 10.1.0.2",
    )
    add_routes(valley, "10.9.0.2")
    mesh, uplink = RouteReader(valley, "mesh0"), RouteReader(valley, "uplink")
    few, found, seconds = mesh.read(0)
    assert (2, ["10.1.0.2"]) == (few, found), "one dump for each family"
    _, all_found, all_seconds = uplink.read(0)
    assert ["10.9.0.2"] == all_found
    assert seconds < all_seconds / 5, "the kernel leaves out what is not of the mesh"
    assert 0 == mesh.read(60_000)[0] == uplink.read(60_000)[0], "no route has changed"
    valley.ip("route add 10.3.0.0/16 via 10.1.0.3", "route del 10.2.0.0/16 via 10.1.0.2")
    assert ["10.1.0.3"] == mesh.read(61_000)[1]
    assert 0 == uplink.read(61_000)[0], "it took long, so it is read more seldom"
    assert 2 == uplink.read(10_000_000)[0]


def test_routes_that_end_with_their_link_are_forgotten(lab: Lab) -> None:
    """Of IPv4 the kernel says that the link is down, and nothing of its routes."""
    valley, _ = quiet_hills(lab)
    valley.ip("address add 10.1.0.1/24 dev mesh0", "route add 10.2.0.0/16 via 10.1.0.2")
    reader = RouteReader(valley, "mesh0")
    assert ["10.1.0.2"] == reader.read(0)[1]
    valley.ip("link set mesh0 down")
    assert [] == reader.read(60_000)[1]
    valley.ip("link set mesh0 up", "route add 10.2.0.0/16 via 10.1.0.2")
    assert ["10.1.0.2"] == reader.read(120_000)[1]


def test_a_node_beside_whose_announcements_are_lost_is_found_by_the_next_hop_of_a_route(lab: Lab) -> None:
    """As on a mesh whose routing daemon knows the neighbours, and which filters multicast."""
    valley, hill = quiet_hills(lab)
    valley.ip(f"route add 10.2.0.0/16 via inet6 {link_local(hill)} dev mesh0")
    low, high = node(valley, "low", "high"), node(hill, "high", "low")
    at_which(low, "peers", is_trusting, SEARCH_SECONDS)
    at_which(high, "peers", is_trusting, SEARCH_SECONDS)


@pytest.mark.thorough
def test_a_neighbour_that_is_no_node_costs_one_call_and_says_nothing(lab: Lab) -> None:
    """A plain router, whose port is open for something else."""
    valley, hill = quiet_hills(lab)
    hill.ip("address add 10.1.0.2/24 dev mesh0")
    valley.ip("address add 10.1.0.1/24 dev mesh0", "route add 10.2.0.0/16 via 10.1.0.2")
    router = hill.start(sys.executable, "-u", "-c", COUNT_CALLS)
    low = node(valley, "low", "high")
    at_which(low, "started")
    assert eventually(lambda: router.output().count("called") == 1, SEARCH_SECONDS)
    time.sleep(1.5 * SEARCH_EVERY_S)
    assert 1 == router.output().count("called")
    assert [] == [line for line in lines(low, "peers") if line["peers"]]
    assert all(line["warnings"] == [] for line in lines(low, "peers"))
    assert low.popen.poll() is None

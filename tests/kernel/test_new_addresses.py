"""A flood of new hardware addresses on the LAN: the kernel's neighbour tables do not fill, and members are found."""

import time
from collections.abc import Iterator

import pytest

from node.enforcement.kernel import make_room_for_neighbours
from tests.kernel.arrival_frames import arp_request, mac_of, neighbour_solicitation
from tests.kernel.kernel_testbed import MEMBER, MEMBER_MAC, ROUTER, KernelTestbed, kernel_testbed

pytestmark = pytest.mark.kernel
BOTH = pytest.mark.parametrize("way", [0, 1], ids=["IPv4", "IPv6"])
FLOOD = 12_000
PROMISED_PER_SECOND = 2_000


@pytest.fixture
def place() -> Iterator[KernelTestbed]:
    make_room_for_neighbours()  # limits of the whole machine: a node in a namespace cannot set them
    with kernel_testbed("arrivals") as made:
        made.admit(MEMBER_MAC)
        yield made


def asks(way: int, mac: str, number: int) -> bytes:
    """ARP requests for the router's address, each from a new address."""
    return (arp_request, neighbour_solicitation)[way](ROUTER[way], mac, number)


def entries(place: KernelTestbed, way: int) -> int:
    found = place.router.run("ip", f"-{'46'[way]}", "neigh", "show", "dev", "lan0")
    return sum("lladdr 02:f0" in line for line in found.splitlines())


def flood(place: KernelTestbed, way: int, count: int = FLOOD) -> float:
    frames = [asks(way, mac_of(n), n) for n in range(count)]
    began = time.monotonic()
    for data in frames:
        while True:
            try:
                place.ear(place.stranger).send(data)
                break
            except BlockingIOError:
                time.sleep(0.0005)
    return time.monotonic() - began


@BOTH
def test_a_flood_of_new_addresses_is_limited_to_what_the_table_holds(place: KernelTestbed, way: int) -> None:
    lasted_s = flood(place, way)
    assert entries(place, way) <= PROMISED_PER_SECOND * (1 + lasted_s) + 50


@BOTH
def test_one_hardware_address_cannot_fill_the_table_with_ip_addresses(place: KernelTestbed, way: int) -> None:
    for number in range(2_000):
        place.ear(place.stranger).send(asks(way, "02:f0:00:00:00:01", number))
    assert entries(place, way) <= 150


@BOTH
def test_a_member_whose_entry_was_evicted_is_found_during_the_flood(place: KernelTestbed, way: int) -> None:
    with place.member.entered():
        place.member.run("ping", "-c1", "-W2", ROUTER[way])
    flood(place, way, 4_000)
    place.router.ip(f"neigh del {MEMBER[way]} dev lan0")
    place.member.ip(f"neigh del {ROUTER[way]} dev eth0")
    assert "1 received" in place.member.run("ping", "-c1", "-W1", ROUTER[way])


def test_the_limit_is_removed_with_the_table(place: KernelTestbed) -> None:
    assert "table arp procomu" in place.router.run("nft", "list", "tables")
    with place.router.entered():
        place.kernel.remove()
    assert "procomu" not in place.router.run("nft", "list", "tables")

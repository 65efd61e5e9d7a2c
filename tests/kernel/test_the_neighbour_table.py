"""The portal identifies a device by the kernel's neighbour table, on both families, and never guesses."""

import socket
from collections.abc import Iterator

import pytest

from captive_portal.neighbours import KernelNeighbours
from tests.lab.netns import Lab, Namespace

pytestmark = pytest.mark.kernel

ANA, BEN, CAL = "02:00:00:00:00:0a", "02:00:00:00:00:0b", "02:00:00:00:00:0c"


@pytest.fixture(scope="module")
def router() -> Iterator[Namespace]:
    with Lab("neigh") as lab:
        router, phone = lab.namespace("router"), lab.namespace("phone")
        lab.veth(router, "br-lan", phone, "eth0")
        lab.veth(router, "uplink", phone, "eth1")
        router.address("br-lan", "10.77.0.1/24", "fd77::1/64")
        router.address("uplink", "10.78.0.1/24")
        phone.address("eth0", "10.77.0.9/24", "fd77::9/64")
        router.ip(
            f"neigh add 10.77.0.2 lladdr {ANA} dev br-lan nud reachable",
            f"neigh add fd77::2 lladdr {ANA} dev br-lan nud stale",
            f"neigh add fe80::2 lladdr {ANA} dev br-lan nud permanent",
            f"neigh add 10.78.0.2 lladdr {BEN} dev uplink nud permanent",
            f"neigh add 10.77.0.66 lladdr {CAL} dev br-lan nud failed",
            *(
                f"neigh add 10.77.0.{n} lladdr 02:00:00:00:01:{n:02x} dev br-lan nud permanent"
                for n in range(100, 200)
            ),
        )
        yield router


class SettableClock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def neighbours(router: Namespace, clock: SettableClock) -> Iterator[KernelNeighbours]:
    with router.entered():
        neighbours = KernelNeighbours("br-lan", clock=clock)
        yield neighbours
        neighbours.close()


@pytest.mark.parametrize(
    "address", ["10.77.0.2", "::ffff:10.77.0.2", "fd77::2", "FD77:0::2", "fe80::2", "fe80::2%br-lan"]
)
def test_a_device_is_known_by_each_of_its_addresses(neighbours: KernelNeighbours, address: str) -> None:
    assert neighbours.mac_of(address) == ANA


def test_a_numeric_scope_id_is_understood(neighbours: KernelNeighbours) -> None:
    assert neighbours.mac_of(f"fe80::2%{socket.if_nametoindex('br-lan')}") == ANA


@pytest.mark.parametrize(
    "address",
    [
        "10.78.0.2",  # on another link
        "fe80::2%uplink",
        "fe80::2%nowhere",
        "10.77.0.66",  # did not answer
        "10.77.0.250",  # an unused address
        "10.77.0.1",  # the node itself
        "127.0.0.1",
        "::1",
        "",
        "10.77.0",
        "ana",
        "10.77.0.2/24",
    ],
)
def test_addresses_without_an_entry_are_unknown(neighbours: KernelNeighbours, address: str) -> None:
    assert neighbours.mac_of(address) is None


def test_concurrent_queries_get_their_own_answers(neighbours: KernelNeighbours) -> None:
    expected = [f"02:00:00:00:01:{n:02x}" for n in range(100, 200)]
    assert expected == [neighbours.mac_of(f"10.77.0.{n}") for n in range(100, 200)]


def test_a_device_that_sent_a_packet_just_now_is_known(
    router: Namespace, neighbours: KernelNeighbours
) -> None:
    router.run("ping", "-c1", "-W2", "10.77.0.9")
    assert neighbours.mac_of("10.77.0.9") is not None


def test_an_address_that_moves_to_another_device_is_followed(
    router: Namespace, neighbours: KernelNeighbours, clock: SettableClock
) -> None:
    """Within half a second; until then the cached entry is returned."""
    assert neighbours.mac_of("10.77.0.2") == ANA
    router.ip(f"neigh replace 10.77.0.2 lladdr {CAL} dev br-lan nud reachable")
    assert neighbours.mac_of("10.77.0.2") == ANA
    clock.now += 0.6
    assert neighbours.mac_of("10.77.0.2") == CAL
    router.ip(f"neigh replace 10.77.0.2 lladdr {ANA} dev br-lan nud reachable")


def test_a_missing_interface_has_no_neighbours(router: Namespace) -> None:
    with router.entered():
        neighbours = KernelNeighbours("later0")
        assert neighbours.mac_of("10.77.0.2") is None
        neighbours.close()

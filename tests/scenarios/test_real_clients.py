"""Real clients notice the portal and its end: systemd-networkd, NetworkManager and dhcpcd, on both families."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fakes.authority import Authority
from tests.lab import eventually
from tests.lab.clients import (
    Client,
    ask_api,
    dhcpcd,
    dhcpcd_says,
    network_manager,
    networkd,
    networkd_says,
    settled_connectivity,
)
from tests.lab.people import Person
from tests.lab.village import Router, Village, village

pytestmark = [pytest.mark.kernel, pytest.mark.early]
HOST = "login.vall.example"
URI = f"https://{HOST}/captive-portal"
RESOLVERS = ("10.77.0.1", "fd77::1")
WAYS = {"DHCPv4": "DHCPv4", "DHCPv6": "DHCPv6", "router advertisements": "IPv6AcceptRA"}


@dataclass
class Square:
    """A village whose square has a certificate that its devices trust."""

    place: Village
    authority: Authority
    root: Path
    number: int = 20

    @property
    def router(self) -> Router:
        return self.place.square

    def device(self) -> Person:
        """A new device without an address."""
        self.number += 1
        person = self.place.settle(f"d{self.number}", self.router, self.number)
        person.lease = {"dns": RESOLVERS[0]}
        return person

    def furnish(self, more: str = "") -> None:
        chain, key, self.root = self.authority.write(self.router.folder, HOST)
        portal = f'[portal]\nhost = "{HOST}"\ncertificate = "{chain}"\ncertificate_key = "{key}"\n{more}'
        settings = self.router.settings
        self.router.furnish(settings.nodes, settings.community_key_file, more=portal)
        self.router.environment["SSL_CERT_FILE"] = str(self.root)


@pytest.fixture(scope="module")
def town() -> Iterator[Square]:
    with village("clients") as place:
        made = Square(place, Authority(), Path())
        made.furnish()
        made.router.start()
        yield made


@pytest.fixture
def square(town: Square) -> Iterator[Square]:
    """The same village for all tests; devices are removed after each."""
    yield town
    town.place.close_people()


def learned(client: Client, seconds: float = 10) -> str:
    """The URI of the portal that systemd-networkd has learnt."""
    eventually(lambda: networkd_says(client).get("CAPTIVE_PORTAL"), seconds)
    return networkd_says(client).get("CAPTIVE_PORTAL", "")


@pytest.mark.parametrize("way", WAYS)
def test_systemd_networkd_learns_the_portals_uri_by_each_way(square: Square, way: str) -> None:
    others = "".join(f"[{section}]\nUseCaptivePortal=no\n" for name, section in WAYS.items() if name != way)
    with networkd(square.device().place, others) as client:
        assert URI == learned(client)


def test_all_ways_give_systemd_networkd_one_uri_whose_api_says_portal_and_then_full(
    square: Square,
) -> None:
    phone = square.device()
    with networkd(phone.place, "") as client:
        assert URI == learned(client)
        assert eventually(lambda: "fd77::1" in networkd_says(client).get("DNS", "").split(), 10)
        for address in RESOLVERS:
            said = ask_api(phone.place, URI, address, square.root)
            assert (True, f"https://{HOST}/", f"https://{HOST}/network") == (
                said["captive"],
                said["user-portal-url"],
                said["venue-info-url"],
            )
        assert phone.do("accept")["first_packet_ms"] is not None
        for address in RESOLVERS:
            said = ask_api(phone.place, URI, address, square.root)
            assert said["captive"] is False
            assert 0 < said["seconds-remaining"] <= 4 * 3600
            assert ("application/captive+json", "private, no-store") == (said["type"], said["cache"])
        assert "onflict" not in client.program.output()


def test_network_manager_says_portal_before_and_full_after_on_both_families(square: Square) -> None:
    laptop = square.device()
    with network_manager(laptop.place, RESOLVERS[0]) as client:
        assert ("portal", "portal") == settled_connectivity(client, ("portal", "portal"))
        assert laptop.do("accept")["first_packet_ms"] is not None
        assert ("full", "full") == settled_connectivity(client, ("full", "full"))


@pytest.mark.parametrize(
    ("family", "resolver", "before", "after"),
    [
        ({"ipv6": "disabled"}, RESOLVERS[0], ("portal", "none"), ("full", "none")),
        ({"ipv4": "disabled"}, RESOLVERS[1], ("none", "portal"), ("none", "full")),
    ],
    ids=["IPv4 alone", "IPv6 alone"],
)
def test_a_device_with_one_family_is_captive_admitted_and_counted(
    square: Square,
    family: dict[str, str],
    resolver: str,
    before: tuple[str, str],
    after: tuple[str, str],
) -> None:
    device = square.device()
    device.lease = {"dns": resolver}
    v6 = "ipv4" in family
    with network_manager(device.place, resolver, **family) as client:
        assert before == settled_connectivity(client, before)
        assert device.do("accept", v6=v6)["first_packet_ms"] is not None
        assert after == settled_connectivity(client, after)
        assert device.do("echo", v6=v6, seconds=0.5)["came"] > 0
    assert eventually(lambda: (square.router.device(device.mac) or {}).get("used", 1) > 0)
    assert square.place.internet.counted()[device.far_v6 if v6 else device.far_v4]["arrived"] > 0


def test_dhcpcd_passes_the_portals_uri_to_its_hooks(square: Square) -> None:
    with dhcpcd(square.device().place) as client:
        assert eventually(lambda: dhcpcd_says(client).get("new_captive_portal_uri") == URI, 15), (
            client.program.output()
        )


def test_a_device_that_offers_to_go_without_ipv4_gets_an_address(square: Square) -> None:
    """The node has no NAT64, so option 108 (RFC 8925) is never answered."""
    phone = square.device()
    told = "env | grep -i -E '^(opt108|ip|opt114|captive)' ; exit 0"
    script = square.place.lab.folder / "asks108.sh"
    script.write_text(f"#!/bin/sh\n{told}\n")
    script.chmod(0o755)
    asked = f"-i eth0 -n -q -f -t 5 -T 1 -O 108 -O 114 -s {script}"
    answer = phone.place.run("udhcpc", *asked.split())
    assert "ip=10.77." in answer
    assert "opt108" not in answer


def test_a_renewed_certificate_is_in_use_within_seconds_without_a_restart(
    square: Square,
) -> None:
    person = square.device()
    person.join()
    shown = serial(square, person)
    pid = square.router.daemon.pid if square.router.daemon else 0
    square.authority.write(square.router.folder, HOST)
    assert eventually(lambda: serial(square, person) != shown, 10)
    assert square.router.daemon is not None
    assert pid == square.router.daemon.pid
    assert square.router.daemon.is_alive()


def serial(square: Square, person: Person) -> str:
    script = (
        "import socket, ssl, sys; c = ssl.create_default_context(cafile=sys.argv[2]); "
        "s = c.wrap_socket(socket.create_connection((sys.argv[1], 443), 5), server_hostname=sys.argv[3]); "
        "print(s.getpeercert()['serialNumber'])"
    )
    return person.place.run("python3", "-c", script, RESOLVERS[0], str(square.root), HOST)


@pytest.mark.parametrize("v6", [False, True], ids=["IPv4", "IPv6"])
def test_a_host_header_with_a_final_dot_is_captive_and_then_online(square: Square, v6: bool) -> None:
    """As Ubuntu sends it."""
    url = "http://connectivity-check.ubuntu.com./"
    person = square.device()
    person.join()
    before = person.do("knock", v6=v6, url=url)
    assert (True, 302, f"http://{HOST}/") == (before["captured"], before["status"], before["location"])
    assert person.do("accept", v6=v6)["first_packet_ms"] is not None
    assert person.do("knock", v6=v6, url=url)["online"]


def test_announcements_continue_while_the_node_restarts(square: Square) -> None:
    router = square.router
    assert router.daemon is not None
    assert eventually(lambda: announcers(router))
    before = announcers(router)
    router.daemon.kill9()
    assert before == announcers(router)
    router.start()
    time.sleep(3)
    assert before == announcers(router)


def announcers(router: Router) -> list[int]:
    """The processes of radvd."""
    return [pid for pid in router.place.pids() if Path(f"/proc/{pid}/comm").read_text() == "radvd\n"]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda square: square.furnish("advertise = false\n"), marks=pytest.mark.thorough),
        lambda square: square.router.environment.update(SSL_CERT_FILE="/dev/null"),
    ],
    ids=["switched off", "a certificate that nobody trusts"],
)
def test_without_a_uri_devices_learn_nothing_about_a_portal(
    square: Square, change: Callable[[Square], None]
) -> None:
    """Nor do they learn it from the server that sent it before: radvd has ended, and dnsmasq sends the router
    advertisements."""
    router = square.router
    assert router.daemon is not None
    router.daemon.stop()
    change(square)
    router.start()
    try:
        time.sleep(3)
        with networkd(square.device().place, "") as client:
            assert eventually(lambda: "fd77::1" in networkd_says(client).get("DNS", ""), 10)
            assert "" == learned(client, 1)
        assert [] == announcers(router)
    finally:
        router.daemon.stop()
        square.furnish()
        router.start()

"""Which device a connection belongs to: one suite for the fake and for the real filter, neighbour table and
leases.
"""

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol

import pytest

from captive_portal.callers import DISPUTED, ELSEWHERE, Callers
from captive_portal.client_identification import LinkCallers
from captive_portal.dhcp_leases import LeaseFile
from captive_portal.neighbours import CACHE_MS, KernelNeighbours, NeighbourMonitor
from captive_portal.senders import FrameSenders
from node.enforcement.nft import SENDERS, TABLE_NAME
from node.units import MacAddress
from node.web.connections import Caller, SocketAddresses
from tests.fakes.portal_server import FakeCallers
from tests.kernel.kernel_testbed import (
    FAR,
    FIREWALL,
    MEMBER,
    MEMBER_MAC,
    ROUTER,
    STRANGER,
    STRANGER_MAC,
    KernelTestbed,
    kernel_testbed,
)
from tests.lab.netns import Namespace

FAMILIES = (socket.AF_INET, socket.AF_INET6)
MEMBERS, STRANGERS = MacAddress(MEMBER_MAC), MacAddress(STRANGER_MAC)
BOTH = pytest.mark.parametrize("way", [0, 1], ids=["IPv4", "IPv6"])


class CallersLink(Protocol):
    """Two devices on a link, and what they do."""

    callers: Callers

    def call(self, device: MacAddress, address: str) -> SocketAddresses:
        """`device` opens a connection from `address`, under which the link knows it."""

    def claim(self, address: str, device: MacAddress) -> None:
        """`device` announces to the link that it holds `address`."""

    def lease(self, address: str, device: MacAddress) -> None: ...


class FakeLink:
    """In memory."""

    def __init__(self) -> None:
        self.callers = FakeCallers()

    def call(self, device: MacAddress, address: str) -> SocketAddresses:
        self.callers.devices[address] = device
        return SocketAddresses(address, 40_000, ROUTER[int(":" in address)], FIREWALL.portal_port)

    def claim(self, address: str, device: MacAddress) -> None:
        self.callers.claimed[address] = device

    def lease(self, address: str, device: MacAddress) -> None:
        self.callers.claimed[address] = device


class Inside:
    """Opens connections from inside the router."""

    def __init__(self, router: Namespace, callers: LinkCallers) -> None:
        self._router, self._callers = router, callers

    def caller(self, ends: SocketAddresses) -> Caller:
        with self._router.entered():
            return self._callers.caller(ends)

    def is_disputed(self, address: str, device: MacAddress) -> bool:
        with self._router.entered():
            return self._callers.is_disputed(address, device)


class RealLink:
    """With real packets."""

    def __init__(self, place: KernelTestbed, folder: Path) -> None:
        self._place, self._lan = place, FIREWALL.lan_interface
        self._file = folder / "leases"
        self.leases = LeaseFile(self._file)
        with place.router.entered():
            self._link = LinkCallers(
                KernelNeighbours(self._lan),
                FrameSenders(TABLE_NAME, SENDERS),
                self.leases,
                monitor=partial(NeighbourMonitor, self._lan),
            )
            self._doors = [
                socket.create_server((address, FIREWALL.portal_port), family=family)
                for family, address in zip(FAMILIES, ROUTER, strict=True)
            ]
        self.callers = Inside(place.router, self._link)
        self._open: list[socket.socket] = []

    def call(self, device: MacAddress, address: str) -> SocketAddresses:
        return self.call_to(ROUTER[int(":" in address)], device, address)

    def call_to(self, host: str, device: MacAddress, address: str, port: int = 0) -> SocketAddresses:
        """Also to another host: the portal answers in its name."""
        way = int(":" in address)
        place = self._place.member if device == MEMBERS else self._place.stranger
        if address not in (*MEMBER, *STRANGER):
            place.address("eth0", f"{address}/{(16, 64)[way]}")
        self._place.router.ip(f"neigh replace {address} lladdr {device} dev lan0 nud reachable")
        time.sleep(CACHE_MS / 1000)
        with place.entered():
            phone = socket.socket(FAMILIES[way])
        self._open.append(phone)
        phone.settimeout(5)
        phone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        phone.bind((address, port))
        phone.connect((host, 80))
        server, (there, port, *_) = self._doors[way].accept()
        self._open.append(server)
        return SocketAddresses(there, port, *server.getsockname()[:2])

    def claim(self, address: str, device: MacAddress) -> None:
        self._place.router.ip(f"neigh replace {address} lladdr {device} dev lan0 nud reachable")
        time.sleep(CACHE_MS / 1000)

    def lease(self, address: str, device: MacAddress) -> None:
        self._file.write_text(f"1764345600 {device} {address} * *\n")
        self.leases.look()

    def close(self) -> None:
        for each in (*self._open, *self._doors):
            each.close()
        self._link.close()
        for own, device in ((MEMBER, MEMBERS), (STRANGER, STRANGERS)):
            self._place.router.ip(*(f"neigh replace {a} lladdr {device} dev lan0 nud permanent" for a in own))


@pytest.fixture(scope="module")
def place() -> Iterator[KernelTestbed]:
    with kernel_testbed("callers") as made:
        made.admit(MEMBER_MAC)
        yield made


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.kernel)])
def link(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CallersLink]:
    if request.param == "fake":
        yield FakeLink()
        return
    with contextlib.closing(RealLink(request.getfixturevalue("place"), tmp_path)) as made:
        yield made


@BOTH
def test_a_connection_belongs_to_its_device(link: CallersLink, way: int) -> None:
    assert Caller(MEMBERS) == link.callers.caller(link.call(MEMBERS, MEMBER[way]))
    assert Caller(STRANGERS) == link.callers.caller(link.call(STRANGERS, STRANGER[way]))


@BOTH
def test_one_device_may_have_many_addresses_as_a_repeater_has(link: CallersLink, way: int) -> None:
    for number in range(5):
        address = (f"10.77.5.{number + 1}", f"fd77::5:{number + 1}")[way]
        ends = link.call(STRANGERS, address)
        assert Caller(STRANGERS) == link.callers.caller(ends)
        assert not link.callers.is_disputed(address, STRANGERS)


@BOTH
def test_a_connection_from_a_disputed_address_belongs_to_no_device(link: CallersLink, way: int) -> None:
    """The attacker's address is claimed for the member before the lookup, or after it."""
    ends = link.call(STRANGERS, STRANGER[way])
    assert not link.callers.is_disputed(STRANGER[way], STRANGERS)
    link.claim(STRANGER[way], MEMBERS)
    assert link.callers.is_disputed(STRANGER[way], STRANGERS)
    assert DISPUTED == link.callers.caller(ends)


@BOTH
def test_an_address_that_changes_hands_belongs_to_its_new_device(link: CallersLink, way: int) -> None:
    address = ("10.77.6.1", "fd77::6:1")[way]
    assert Caller(MEMBERS) == link.callers.caller(link.call(MEMBERS, address))
    assert Caller(STRANGERS) == link.callers.caller(link.call(STRANGERS, address))
    assert link.callers.is_disputed(address, MEMBERS)


def test_an_address_that_is_leased_to_another_device_of_the_link_is_disputed(link: CallersLink) -> None:
    assert Caller(MEMBERS) == link.callers.caller(link.call(MEMBERS, MEMBER[0]))
    ends = link.call(STRANGERS, STRANGER[0])
    link.lease(STRANGER[0], MEMBERS)
    assert link.callers.is_disputed(STRANGER[0], STRANGERS)
    assert DISPUTED == link.callers.caller(ends)


def test_a_caller_that_is_not_on_the_link_has_no_device(link: CallersLink) -> None:
    nowhere = SocketAddresses("192.0.2.9", 40_000, ROUTER[0], FIREWALL.portal_port)
    assert ELSEWHERE == link.callers.caller(nowhere)


@pytest.mark.kernel
@BOTH
def test_only_a_devices_own_connection_is_attributed_to_it(
    place: KernelTestbed, tmp_path: Path, way: int
) -> None:
    """The filter answers for exactly one connection."""
    with contextlib.closing(RealLink(place, tmp_path)) as link:
        ends = link.call(MEMBERS, MEMBER[way])
        assert Caller(MEMBERS) == link.callers.caller(ends)
        for other in (replace(ends, port=ends.port ^ 1), replace(ends, own_port=443)):
            assert DISPUTED == link.callers.caller(other)


@pytest.mark.kernel
@BOTH
def test_a_port_that_is_used_for_two_connections_belongs_to_its_device_both_times(
    place: KernelTestbed, tmp_path: Path, way: int
) -> None:
    """Both are redirected to one socket of the portal, so address translation changes the second one's port."""
    with contextlib.closing(RealLink(place, tmp_path)) as link:
        for host in (FAR[way], ROUTER[way]):
            ends = link.call_to(host, STRANGERS, STRANGER[way], port=40_404)
            assert Caller(STRANGERS) == link.callers.caller(ends), ends


@pytest.mark.kernel
def test_a_link_local_address_is_attributed_to_its_device_too(place: KernelTestbed, tmp_path: Path) -> None:
    with contextlib.closing(RealLink(place, tmp_path)) as link:
        own, routers = local_address(place.stranger, "eth0"), local_address(place.router, "lan0")
        with place.router.entered():
            lan = socket.if_nametoindex("lan0")
            server = socket.create_server((routers, FIREWALL.portal_port, 0, lan), family=socket.AF_INET6)
        with place.stranger.entered():
            phone = socket.socket(socket.AF_INET6)
            cable = socket.if_nametoindex("eth0")
        with server, phone:
            phone.settimeout(5)
            phone.connect((routers, FIREWALL.portal_port, 0, cable))
            accepted, (there, port, *_) = server.accept()
            with accepted:
                assert own == there.partition("%")[0]
                assert Caller(STRANGERS) == link.callers.caller(
                    SocketAddresses(there, port, *accepted.getsockname()[:2])
                )


def local_address(place: Namespace, interface: str) -> str:
    listed = json.loads(place.run("ip", "-j", "-6", "addr", "show", "dev", interface, "scope", "link"))
    return next(
        str(each["local"]) for link in listed for each in link.get("addr_info", ()) if "local" in each
    )


@pytest.mark.kernel
def test_while_the_filter_is_missing_no_device_is_known_and_none_is_accused(tmp_path: Path) -> None:
    """Another program flushed it; it is written again within moments."""
    with kernel_testbed("unknown") as place:
        place.admit(MEMBER_MAC)
        with contextlib.closing(RealLink(place, tmp_path)) as link:
            ends = link.call(MEMBERS, MEMBER[0])
            place.router.run("nft", "flush", "ruleset")
            assert DISPUTED == link.callers.caller(ends)
            assert () == link._link.warnings()


@pytest.mark.kernel
def test_devices_behind_a_repeater_have_leases_in_their_own_names(
    place: KernelTestbed, tmp_path: Path
) -> None:
    """The leaseholder was never seen with that hardware address, so nothing contradicts the device."""
    with contextlib.closing(RealLink(place, tmp_path)) as link:
        ends = link.call(STRANGERS, STRANGER[0])
        link.lease(STRANGER[0], MacAddress("02:99:99:99:99:99"))
        assert Caller(STRANGERS) == link.callers.caller(ends)

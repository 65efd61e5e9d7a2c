"""Poisoning the neighbour table lets no device act as another one at the portal; real daemon, real frames."""

import contextlib
import json
import re
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest

from tests.fakes.authority import Authority
from tests.kernel.forger import ARP_LOCK, PORTAL_HOST, ForgingDevice
from tests.lab import PATIENCE
from tests.lab.agreement import MACS
from tests.lab.netns import Lab
from tests.lab.village import SQUARE, Router

pytestmark = [pytest.mark.kernel, pytest.mark.early]
BOTH = pytest.mark.parametrize("way", [0, 1], ids=["ARP", "NDP"])
EACH_ONCE = pytest.mark.parametrize(
    ("way", "secure"),
    [
        pytest.param(0, False, id="http-ARP"),
        pytest.param(1, True, id="https-NDP"),
        pytest.param(1, False, id="http-NDP", marks=pytest.mark.thorough),
        pytest.param(0, True, id="https-ARP", marks=pytest.mark.thorough),
    ],
)
"""Both families and both doors."""
MEMBER_MAC, STRANGER_MAC, ROUTER_MAC = MACS["laptop"], "02:77:00:00:00:0b", "02:00:00:00:01:01"


@dataclass
class ForgedLink:
    """A running node and two devices on its LAN; the member is online."""

    router: Router
    member: ForgingDevice
    stranger: ForgingDevice

    def is_admitted(self, device: ForgingDevice) -> bool:
        row = self.router.device(device.mac)
        return row is not None and row["state"] == "admitted"


@pytest.fixture(scope="module")
def link() -> Iterator[ForgedLink]:
    with Lab("forged") as lab:
        router, far = Router(lab, SQUARE), lab.namespace("far")
        lab.veth(router.place, "wan0", far, "eth0")
        router.place.address("wan0", "10.88.1.1/24")
        chain, key, _ = Authority().write(lab.folder, PORTAL_HOST)
        community_key = lab.folder / "community.key"
        community_key.write_text(secrets.token_hex(32))
        router.furnish(
            [router.make_key()],
            community_key,
            mesh=(),
            more=f'[portal]\ncertificate = "{chain}"\ncertificate_key = "{key}"\n',
        )
        devices = []
        for name, mac, number in (("member", MEMBER_MAC, 10), ("stranger", STRANGER_MAC, 11)):
            place = lab.namespace(name)
            lab.veth(place, "eth0", router.place, f"port{number}", a_mac=mac)
            router.place.plug(f"port{number}")
            own = f"10.77.0.{number}", f"fd77::{number}"
            place.address("eth0", f"{own[0]}/16", f"{own[1]}/64")
            place.ip(*(f"neigh replace {a} lladdr {ROUTER_MAC} dev eth0" for a in ("10.77.0.1", "fd77::1")))
            devices.append(ForgingDevice(place, mac, own, ROUTER_MAC, ("10.77.0.1", "fd77::1")))
        router.place.sysctl(**{ARP_LOCK: 0})
        router.start()
        assert eventually(
            lambda: all(is_open(devices[0], way, secure) for way in (0, 1) for secure in (False, True))
        )
        made = ForgedLink(router, devices[0], devices[1])
        come_in(made.member)
        yield made


def is_open(device: ForgingDevice, way: int, secure: bool) -> bool:
    with contextlib.suppress(OSError):
        device.connect(way, secure=secure).close()
        return True
    return False


def eventually(holds: Callable[[], object], seconds: float = 10.0 * PATIENCE) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.1)
    return bool(holds())


def come_in(device: ForgingDevice, way: int = 0) -> None:
    page = device.ask(way)
    assert 303 == device.ask(way, "/join/terms", page.form("/join/terms")).status


@EACH_ONCE
def test_a_device_that_claims_a_members_hardware_address_reads_none_of_their_pages(
    link: ForgedLink, way: int, secure: bool
) -> None:
    """The page has every token and the code that adds a device to the account; so has the export of personal data."""
    page = link.member.ask(way, "/me", secure=secure)
    assert 303 == link.member.ask(way, "/devices/code", page.form("/devices/code"), secure=secure).status
    (code,) = re.findall(r'class="big"[^>]*>([^<]+)<', link.member.ask(way, "/me", secure=secure).body)
    for path in ("/me", "/status.json", "/my-data.json", "/captive-portal"):
        stolen = link.stranger.ask_as(link.member, way, path, secure=secure)
        assert 403 == stolen.status, path
        assert code not in stolen.body
        assert "are using the same address" in stolen.body
    # Public pages are still served.
    assert 200 == link.stranger.ask_as(link.member, way, "/network", secure=secure).status
    assert_all_is_as_before(link)


@EACH_ONCE
@pytest.mark.parametrize(
    ("page", "change"),
    [
        ("/me", "/leave"),
        ("/me", "/devices/code"),
        ("/me", "/contest"),
        ("/my-data/erase", "/erase"),
        ("/ways", "/join/terms"),
    ],
)
def test_a_device_that_claims_a_members_hardware_address_changes_nothing(
    link: ForgedLink, way: int, secure: bool, page: str, change: str
) -> None:
    """Not even with the member's own token, read by a sniffer."""
    typed = {"rule": "", "text": "forged"} if change == "/contest" else {}
    form = link.member.ask(way, page, secure=secure).form(change, **typed)
    before = link.member.ask(way, "/my-data.json", secure=secure).body
    assert 403 == link.stranger.ask_as(link.member, way, change, form, secure=secure).status
    assert "forged" not in link.member.ask(way, "/me", secure=secure).body
    assert erased_times(before) == erased_times(link.member.ask(way, "/my-data.json", secure=secure).body)
    assert_all_is_as_before(link)


@BOTH
def test_an_address_conflict_is_reported_and_the_member_stays_online(link: ForgedLink, way: int) -> None:
    """The hostile device takes over the member's IP address; the member's next packet takes it back."""
    for _ in range(2):
        link.stranger.claim(link.member.addresses[way], STRANGER_MAC)
        time.sleep(0.1)
        link.member.claim(link.member.addresses[way], MEMBER_MAC)
        time.sleep(0.1)
    assert eventually(lambda: warned(link))
    assert 200 == link.member.ask(way, "/me").status
    assert_all_is_as_before(link)


@EACH_ONCE
def test_a_device_that_uses_the_members_ip_address_is_refused(
    link: ForgedLink, way: int, secure: bool
) -> None:
    """It has no lease and no neighbour entry of its own that would show it; the source of its frames does."""
    assert 200 == link.member.ask(way, "/me", secure=secure).status
    with squatting(link, way) as squatter:
        link.member.claim(link.member.addresses[way], MEMBER_MAC)
        with contextlib.suppress(OSError):
            answer = squatter.ask(way, "/me", secure=secure)
            assert answer.status in {0, 403, 303}
            assert "/leave" not in answer.body
    assert_all_is_as_before(link)


def test_no_log_of_this_contains_a_hardware_address(link: ForgedLink) -> None:
    assert eventually(lambda: "Two devices claim" in link.router.daemon.output())
    said = link.router.daemon.output()
    assert 1 == said.count("Two devices claim")
    for secret in (MEMBER_MAC, STRANGER_MAC, *link.member.addresses, *link.stranger.addresses):
        assert secret not in said


def warned(link: ForgedLink) -> bool:
    return any("Two devices claim" in each for each in link.router.overview()["warnings"])


def erased_times(document: str) -> list[str]:
    return sorted(json.loads(document))


def assert_all_is_as_before(link: ForgedLink) -> None:
    assert link.is_admitted(link.member)
    assert not link.is_admitted(link.stranger)
    assert warned(link)


@contextlib.contextmanager
def squatting(link: ForgedLink, way: int) -> Iterator[ForgingDevice]:
    own, bits = link.member.addresses[way], (16, 64)[way]
    link.stranger.place.address("eth0", f"{own}/{bits}")
    addresses = (own, link.stranger.addresses[1]) if way == 0 else (link.stranger.addresses[0], own)
    try:
        yield replace(link.stranger, addresses=addresses)
    finally:
        link.stranger.place.ip(f"addr del {own}/{bits} dev eth0")
        link.member.claim(own, MEMBER_MAC)

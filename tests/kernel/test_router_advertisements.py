"""Router advertisements (RFC 4861): radvd sends what dnsmasq sent, and the URI of the captive portal."""

import contextlib
import signal
import socket
import struct
import time
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv4Interface, IPv6Interface
from pathlib import Path
from typing import Any

import pytest

from node.config import parse_config
from node.lan import dnsmasq as dnsmasq_module
from node.lan import radvd as radvd_module
from node.lan.dnsmasq import Dnsmasq
from node.lan.dnsmasq_config import dnsmasq_conf
from node.lan.managed_daemon import interface_mtu
from node.lan.radvd import Radvd
from node.lan.radvd_config import radvd_conf
from node.units import Milliseconds
from tests.lab import PATIENCE, eventually
from tests.lab.netns import Lab, Namespace

pytestmark = pytest.mark.kernel
PORTAL = "https://login.vall.example/captive-portal"
ADDRESS6 = IPv6Interface("fd77::1/64")
LEASE = Milliseconds(1_200_000)
KNOWN: dict[str, Any] = {"interface": "lan0", "address6": ADDRESS6, "lease": LEASE, "mtu": 1_400}
SOLICITATION, ADVERTISEMENT, OTHER_CONFIGURATION = 133, 134, 0x40
CAPTIVE_PORTAL = 37


def dnsmasq(run_dir: Path, portal: str, *, has_radvd: bool = True) -> Dnsmasq:
    text = dnsmasq_conf(
        interface="lan0",
        address4=IPv4Interface("10.77.0.1/16"),
        address6=ADDRESS6,
        dhcp=True,
        first=IPv4Address("10.77.1.1"),
        last=IPv4Address("10.77.1.99"),
        lease=LEASE,
        domain="lan",
        portal_host="login.vall.example",
        dns_upstream=(),
        lease_file=str(run_dir / "leases"),
        pid_file=str(run_dir / "dnsmasq.pid"),
        portal_api=portal,
        has_radvd=has_radvd,
    )
    return Dnsmasq(lambda: text, run_dir, (("lan0", "10.77.0.1/16"), ("lan0", str(ADDRESS6))))


def radvd(run_dir: Path, portal: str) -> Radvd:
    def text() -> str:
        mtu = interface_mtu("lan0")
        return (
            radvd_conf(interface="lan0", address6=ADDRESS6, lease=LEASE, portal_api=portal, mtu=mtu)
            if portal
            else ""
        )

    return Radvd(text, run_dir, "lan0")


def heard(phone: Namespace, seconds: float = 8 * PATIENCE) -> tuple[bytes, dict[int, bytes]]:
    """Header and options of the first router advertisement with a nonzero lifetime after a solicitation."""
    with phone.entered(), socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as ear:
        ear.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        ear.settimeout(0.5)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                link = socket.if_nametoindex("eth0")
                ear.sendto(struct.pack("!BBHI", SOLICITATION, 0, 0, 0), ("ff02::2", 0, 0, link))
            with contextlib.suppress(TimeoutError):
                packet = ear.recv(2_000)
                if packet[0] == ADVERTISEMENT and packet[6:8] != b"\0\0":
                    return packet[4:16], dict(options(packet[16:]))
    raise AssertionError("no router announced itself")


def options(rest: bytes) -> Iterator[tuple[int, bytes]]:
    while rest:
        size = 8 * rest[1]
        yield rest[0], rest[2:size]
        rest = rest[size:]


@pytest.fixture
def link() -> Iterator[tuple[Namespace, Namespace]]:
    """A router and a phone."""
    with Lab("adverts") as lab:
        router, phone = lab.namespace("router"), lab.namespace("phone")
        lab.veth(router, "p1", phone, "eth0")
        router.bridge("lan0", mac="02:77:00:00:00:01")
        router.plug("p1", "lan0")
        router.ip("link set lan0 mtu 1400")
        router.sysctl(net__ipv6__conf__all__forwarding=1)
        phone.ip("link set eth0 up")
        yield router, phone


@contextlib.contextmanager
def announced(router: Namespace, run_dir: Path, portal: str) -> Iterator[None]:
    run_dir.mkdir()
    names, advertisements = dnsmasq(run_dir, portal), radvd(run_dir, portal)
    with router.entered():
        names._prepare()
        advertisements.settle()
    try:
        yield
    finally:
        names.stop()
        advertisements.stop()


def test_radvd_sends_what_dnsmasq_sent_and_the_portals_uri(
    link: tuple[Namespace, Namespace], tmp_path: Path
) -> None:
    router, phone = link
    with announced(router, tmp_path / "plain", ""):
        head, plain = heard(phone)
    with announced(router, tmp_path / "told", PORTAL):
        head_told, told = heard(phone)
    uri = told.pop(CAPTIVE_PORTAL)
    assert PORTAL.encode() == uri.rstrip(b"\0")
    assert plain == told
    assert {1, 3, 5, 25} == set(plain)
    # The flag O makes devices ask for the portal's URI by DHCPv6 too; nothing else differs.
    assert head_told[1] == head[1] | OTHER_CONFIGURATION
    assert head_told[2:] == head[2:]


def test_without_radvd_devices_still_form_their_addresses_and_ask_by_dhcp(
    link: tuple[Namespace, Namespace], tmp_path: Path
) -> None:
    router, phone = link
    names = dnsmasq(tmp_path, PORTAL, has_radvd=False)
    with router.entered():
        names._prepare()
    try:
        head, said = heard(phone)
        assert head[1] & OTHER_CONFIGURATION
        assert {1, 3, 5, 25} == set(said)
    finally:
        names.stop()


def test_devices_keep_their_router_when_the_portal_uri_is_removed(
    link: tuple[Namespace, Namespace], tmp_path: Path
) -> None:
    """radvd's final advertisement (lifetime 0) removes the default route of all devices; it is not sent while the
    node stays."""
    router, phone = link
    told = [PORTAL]
    router.address("lan0", str(ADDRESS6))
    advertisements = Radvd(lambda: radvd_conf(**KNOWN, portal_api=PORTAL) if told else "", tmp_path, "lan0")
    with router.entered():
        advertisements.settle()
        heard(phone)
        told.clear()
        with farewells(phone) as ear:
            advertisements.settle()
            assert advertisements.pid() is None
            assert [] == [packet for packet in ear() if packet[6:8] == b"\0\0"]
        told.append(PORTAL)
        advertisements.settle()
        heard(phone)
        with farewells(phone) as ear:
            assert eventually(lambda: handles_sigterm(advertisements.pid()))
            advertisements.stop()
            waits = range(round(10 * PATIENCE))
            assert any(packet[6:8] == b"\0\0" for _ in waits for packet in ear()), "within five seconds"


def handles_sigterm(pid: int | None) -> bool:
    """radvd sends its first advertisements before it installs its signal handlers; until then SIGTERM kills it."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = int(status.partition("SigCgt:")[2].split()[0], 16)
    return bool(caught >> (signal.SIGTERM - 1) & 1)


@contextlib.contextmanager
def farewells(phone: Namespace) -> Iterator[Callable[[], list[bytes]]]:
    """Advertisements received since the last call, after a short wait."""
    with phone.entered():
        ear = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    with ear:
        ear.settimeout(0.5)

        def came() -> list[bytes]:
            packets = []
            with contextlib.suppress(TimeoutError):
                while True:
                    packets.append(ear.recv(2_000))
            return [packet for packet in packets if packet[0] == ADVERTISEMENT]

        yield came


def test_a_server_that_was_killed_is_reported_and_restarted(
    link: tuple[Namespace, Namespace], tmp_path: Path
) -> None:
    router, phone = link
    advertisements = radvd(tmp_path, PORTAL)
    router.address("lan0", str(ADDRESS6))
    with router.entered():
        advertisements.settle()
        first = advertisements.pid()
        advertisements.stop()
        advertisements.settle()
    assert first != advertisements.pid()
    assert CAPTIVE_PORTAL in heard(phone)[1]
    advertisements.stop()
    assert advertisements.pid() is None


CONFIG = """
[node]
name = "library"
data_dir = "{folder}"
run_dir = "{folder}"
[community]
name = "Vall Alta"
[lan]
interface = "lan0"
[uplink]
interface = "wan0"
mtu = {mtu}
"""
MTU_OPTION = 5


@pytest.mark.parametrize(
    ("line", "setting", "told"), [(1_492, 0, 1_492), (1_500, 1_480, 1_480), (9_000, 0, 1_500)]
)
@pytest.mark.parametrize("portal", ["", PORTAL], ids=["dnsmasq", "radvd"])
def test_devices_are_told_the_smaller_mtu_of_both_interfaces(
    link: tuple[Namespace, Namespace], tmp_path: Path, line: int, setting: int, told: int, portal: str
) -> None:
    router, phone = link
    router.ip(
        "link set lan0 mtu 1500", "link add wan0 type veth peer name far0", f"link set wan0 mtu {line} up"
    )
    config, findings = parse_config(CONFIG.format(folder=tmp_path, mtu=setting))
    assert config is not None, findings
    with router.entered():
        names, advertisements = (
            dnsmasq_module.dnsmasq(config, lambda: portal),
            radvd_module.radvd(config, lambda: portal),
        )
        names._prepare()
        advertisements.settle()
    try:
        assert told == struct.unpack("!I", heard(phone)[1][MTU_OPTION][2:])[0]
        asking = 'udhcpc -i eth0 -n -q -f -t 3 -T 1 -O mtu -s "$0" 2>&1'
        show = tmp_path / "show"
        show.write_text('#!/bin/sh\necho "mtu=$mtu"\n')
        show.chmod(0o755)
        said = phone.run("sh", "-c", asking, str(show))
        assert (f"mtu={told}" in said) == (told < 1_500), said
        # While the uplink is down the file is not written again.
        with router.entered():
            before = names._wanted()
            router.ip("link del wan0")
            assert before == names._wanted()
    finally:
        names.stop()
        advertisements.stop()

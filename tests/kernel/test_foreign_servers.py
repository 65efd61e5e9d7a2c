"""A second DHCP server and a foreign router on the LAN are reported with their hardware address."""

import asyncio
import struct
import time
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from node.config import parse_config
from node.lan import dnsmasq, foreign_servers
from node.lan.foreign_servers import ForeignServers
from tests.kernel.frames import ICMPV6, UDP, checksum, ip, udp
from tests.kernel.kernel_testbed import MEMBER_MAC, ROUTER, STRANGER_MAC, KernelTestbed, kernel_testbed
from tests.lab import PATIENCE, eventually, rogue_dhcp_server
from tests.lab.netns import Namespace
from tests.lab.questions import ask

pytestmark = pytest.mark.kernel
COOKIE = bytes.fromhex("6382536335")
"""The magic cookie before the options of a DHCP message (RFC 2131 section 3)."""
ROGUE_MAC = rogue_dhcp_server.MAC
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
"""
RADVD = """
interface eth0 {
  AdvSendAdvert on;
  MinRtrAdvInterval 3;
  MaxRtrAdvInterval 4;
  AdvDefaultLifetime %d;
  prefix fd66:66::/64 { };
};
"""


@pytest.fixture
def place() -> Iterator[KernelTestbed]:
    with kernel_testbed() as made:
        made.admit(MEMBER_MAC)
        yield made


@pytest.fixture
def rogue(place: KernelTestbed) -> Namespace:
    """A home router, connected by one of its LAN ports."""
    made = place.lab.namespace("rogue")
    place.lab.veth(made, "eth0", place.router, "p9", a_mac=ROGUE_MAC)
    place.router.plug("p9", "lan0")
    made.address("eth0", "192.168.1.1/24", "fe80::66/64")
    made.sysctl(net__ipv6__conf__all__forwarding=1)
    return made


def found(place: KernelTestbed) -> list[tuple[str, str, str]]:
    with place.router.entered():
        return [(f.kind, f.mac, f.address) for f in asyncio.run(ForeignServers("lan0").look())]


def announces_itself(rogue: Namespace, folder: Path, lifetime_s: int = 1_800) -> None:
    conf = folder / "rogue-radvd.conf"
    conf.write_text(RADVD % lifetime_s)
    rogue.start("radvd", "-n", "-C", str(conf), "-p", str(folder / "rogue-radvd.pid"), "-m", "stderr")


def test_a_second_dhcp_server_and_a_foreign_router_are_named(
    place: KernelTestbed, rogue: Namespace, tmp_path: Path
) -> None:
    assert not found(place)
    rogue_dhcp_server.start(rogue, tmp_path / "rogue")
    announces_itself(rogue, tmp_path)
    both = {("dhcp", ROGUE_MAC, "192.168.1.1"), ("router", ROGUE_MAC, "fe80::66")}
    assert eventually(lambda: both == set(found(place)), 15 * PATIENCE)
    with place.router.entered():
        told = ForeignServers("lan0")
        told._found = foreign_servers.seen()
    assert [ROGUE_MAC in text for text in told.warnings()] == [True, True]


def test_a_second_node_with_the_same_address_is_foreign(
    place: KernelTestbed, rogue: Namespace, tmp_path: Path
) -> None:
    """Two nodes with the same configuration, on one link by mistake."""
    rogue.ip("addr flush dev eth0")
    rogue.address("eth0", f"{ROUTER[0]}/16")
    rogue_dhcp_server.start(rogue, tmp_path / "rogue", "10.77.3.1,10.77.3.9")
    assert eventually(lambda: [("dhcp", ROGUE_MAC, ROUTER[0])] == found(place), 15 * PATIENCE)


def test_the_nodes_own_servers_are_not_foreign(place: KernelTestbed, tmp_path: Path) -> None:
    config, findings = parse_config(CONFIG.format(folder=tmp_path))
    assert config is not None, findings
    with place.router.entered():
        ours = dnsmasq.dnsmasq(config, str)
        ours._prepare()
    try:
        assert ask(place.member, ROUTER[0], "login.procomu.lan") is not None
        place.heard(place.stranger)
        with place.stranger.entered():
            foreign_servers.solicit("eth0")
        time.sleep(4)
        # One DHCP offer and one multicast router advertisement came, both from the node itself.
        came = place.heard(place.stranger, b"")
        for part in (COOKIE, ip_address("fd77::").packed):
            assert any(part in each for each in came)
        assert not found(place)
    finally:
        ours.stop()


def test_a_router_with_lifetime_zero_is_not_reported(
    place: KernelTestbed, rogue: Namespace, tmp_path: Path
) -> None:
    announces_itself(rogue, tmp_path, lifetime_s=0)
    time.sleep(0.5)
    assert not found(place)


def test_forged_senders_fill_a_bounded_list_and_nothing_fails(place: KernelTestbed) -> None:
    head = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1_800, 0, 0)
    for n in range(200):
        mac = f"02:66:00:00:00:{n:02x}"
        offer = udp(f"192.168.2.{n}", "255.255.255.255", 67, 68, bytes(300))
        place.send(
            place.stranger, ip(f"192.168.2.{n}", "255.255.255.255", UDP, offer), mac, "ff:ff:ff:ff:ff:ff"
        )
        source = f"fe80::{n + 100:x}"
        packet = ip(source, "ff02::1", ICMPV6, _summed(source, head), ttl=255)
        place.send(place.stranger, packet, mac, "33:33:00:00:00:01")
    listed = found(place)
    assert 64 == sum(kind == "dhcp" for kind, _, _ in listed)
    assert 64 == sum(kind == "router" for kind, _, _ in listed)
    with place.router.entered():
        told = ForeignServers("lan0")
        told._found = foreign_servers.seen()
    assert all(text.count("02:66:") == 3 and "and 61 more" in text for text in told.warnings())


def test_truncated_and_malformed_frames_are_ignored(place: KernelTestbed) -> None:
    """Every prefix of an offer and of an advertisement, and both with each byte of their headers changed."""
    offer = ip(
        "192.168.2.1", "255.255.255.255", UDP, udp("192.168.2.1", "255.255.255.255", 67, 68, bytes(20))
    )
    head = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1_800, 0, 0)
    advertisement = ip("fe80::99", "ff02::1", ICMPV6, _summed("fe80::99", head), ttl=255)
    for packet, to_mac in ((offer, "ff:ff:ff:ff:ff:ff"), (advertisement, "33:33:00:00:00:01")):
        for length in range(1, len(packet)):
            place.send(place.stranger, packet[:length], STRANGER_MAC, to_mac)
        for at in range(1, len(packet)):
            changed = packet[:at] + bytes([packet[at] ^ 0xFF]) + packet[at + 1 :]
            place.send(place.stranger, changed, STRANGER_MAC, to_mac)
    # Every listed address is the source of a complete frame.
    assert {mac for _, mac, _ in found(place)} <= {STRANGER_MAC}
    place.admit(MEMBER_MAC)


def _summed(source: str, message: bytes) -> bytes:
    addresses = ip_address(source).packed + ip_address("ff02::1").packed
    total = checksum(addresses + struct.pack("!II", len(message), ICMPV6) + message)
    return message[:2] + struct.pack("!H", total) + message[4:]

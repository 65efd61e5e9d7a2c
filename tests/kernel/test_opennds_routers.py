"""A real openNDS router, configured with what the node gives an admin, and a person behind it, at the levels 0 to 4.

The person joins with a voucher of which half was used up on the node, is stopped by the router when the rest is used up,
and continues as slowly as the rules say.
"""

import asyncio
import contextlib
import json
import shutil
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from node.app.views import CodeTyped
from node.gateways.opennds_config import opennds_file, parse_fas_address
from tests.bench.many_clients import VirtualDevice
from tests.bench.opennds import PROGRAMS, OpenNds, running
from tests.fakes.fas_fixture import FasFixture, one_life
from tests.fakes.fas_server import fas_server
from tests.fakes.use_cases import BEN, RULES, AppFixture
from tests.lab.behind_router import FAR, NAME, NODE, PAGE_PORT, START_S, PersonBehind
from tests.lab.netns import Lab

MB = 10**6
BIG_BYTES, LINE_RATE = 200 * MB, "6mbit"
# Below the ceiling of 7 Mbit/s: openNDS counts what its own limit drops as if it had been received.
PASS_RULES = (
    RULES
    + """
[[rule]]
id = "pass-volume"
quota = "20 MB per day"
counts = "uplink"
then = "ceiling 1 Mbit/s down, 1 Mbit/s up until reset"
who = "group:day-pass"
by = "D-1"
"""
)
NAT = """
table ip rtr_nat {
 chain out {
  type nat hook postrouting priority 100
  oifname wan0 masquerade
 }
}
"""
SCRIPTS = Path(__file__).parents[2] / "node" / "gateways" / "opennds"
SAYS = "ps ax; ndsctl json; cat /tmp/ndslog/* /run/ndslog/*"
INSTALL = "apt-get install --no-install-recommends opennds bind9-dnsutils dnsmasq-base curl php-cli"
"""openNDS must not start on the machine itself: deploy/bench shows how it is kept from that."""
missing = [name for name in (*PROGRAMS, "curl") if shutil.which(name) is None]
pytestmark = [
    pytest.mark.kernel,
    pytest.mark.slow,
    pytest.mark.alone,
    pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)} ({INSTALL})"),
]
needs_php = pytest.mark.skipif(
    shutil.which("php") is None, reason=f"openNDS encrypts with php, which is not installed ({INSTALL})"
)
each_level = pytest.mark.parametrize(
    "level", [0, 1, pytest.param(2, marks=needs_php), pytest.param(3, marks=needs_php), 4]
)


def certificate(folder: Path) -> tuple[ssl.SSLContext, str]:
    """For the node's name, signed by itself; and its PEM text, for the router's store."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(Encoding.PEM).decode()
    (folder / "cert.pem").write_text(pem)
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context, pem


@dataclass
class RealRouter:
    """The real one."""

    nds: OpenNds
    person: PersonBehind
    at: FasFixture

    async def clients(self) -> list[dict[str, str]]:
        async with asyncio.timeout(START_S):
            while True:
                said = await asyncio.to_thread(self.nds.inside, "ndsctl", "json")
                with contextlib.suppress(ValueError, AttributeError):
                    return list(json.loads(said)["clients"].values())
                await asyncio.sleep(1)


@asynccontextmanager
async def a_router(lab: Lab, at: FasFixture, level: int) -> AsyncIterator[RealRouter]:
    person, router, node = lab.namespace("person"), lab.namespace("router"), lab.namespace("node")
    lab.veth(person, "eth0", router, "c0")
    lab.veth(router, "wan0", node, "eth0", offload=False)
    router.bridge("br-lan")
    router.plug("c0")
    router.address("br-lan", "10.77.0.1/24")
    router.address("wan0", "10.88.0.2/24")
    node.address("eth0", f"{NODE}/24")
    node.ip(f"addr add {FAR}/32 dev lo")
    person.address("eth0", "10.77.0.50/24")
    person.route("default via 10.77.0.1")
    router.route(f"default via {NODE}")
    router.sysctl(net__ipv4__ip_forward=1)
    router.run("nft", "-f", "-", stdin=NAT)
    # openNDS looks at what was used every few seconds only.
    node.run(*f"tc qdisc add dev eth0 root tbf rate {LINE_RATE} burst 64kb limit 300kb".split())
    far = lab.folder / "far"
    far.mkdir()
    (far / "end").write_text("THE END\n")
    with (far / "big").open("wb") as big:
        big.truncate(BIG_BYTES)
    node.start("python3", "-m", "http.server", str(PAGE_PORT), "-d", str(far))
    tls, pem = certificate(lab.folder)
    is_secure = level >= 3
    address = parse_fas_address(NAME if is_secure else NODE, 443 if is_secure else 80)
    config = opennds_file(at.gateway, address, level, at.people.registry.fas_key(at.gateway))
    files = {
        "config/opennds": config.replace("checkinterval '15'", "checkinterval '5'")
        + "\toption dhcp_leases_file '/etc/box/dhcp.leases'\n",
        "resolv.conf": "nameserver 10.77.0.1\n",
        "hosts": f"127.0.0.1 localhost\n{NODE} {NAME}\n",
        "ssl/certs/ca-certificates.crt": pem,
    }
    files |= {f"box/{path.name}": path.read_text() for path in SCRIPTS.glob("*.sh")}
    with node.entered():
        listening = socket.create_server(("0.0.0.0", address.port))
    mac = person.run("cat", "/sys/class/net/eth0/address").strip()
    names = (f"address=/{NAME}/{NODE}", f"address=/#/{FAR}")
    with running(lab, router, [VirtualDevice(1, mac, "10.77.0.50")], names=names, files=files) as nds:
        async with fas_server(at, listening, tls if is_secure else None):
            yield RealRouter(nds, PersonBehind(person, lab.folder), at)


@asynccontextmanager
async def half_a_voucher(folder: Path, level: int) -> AsyncIterator[tuple[Lab, RealRouter, str]]:
    """A router, and the code of a voucher of which half was used up on the node. What takes too long fails with what the
    router says."""
    with Lab("opennds") as lab:
        async with one_life(AppFixture(None, folder, rules_text=PASS_RULES)) as at:
            (code,) = await at.run.codes()
            account = await at.run.join(BEN, CodeTyped(code))
            await at.run.use(BEN, down=10 * MB)
            async with a_router(lab, at, level) as router:
                try:
                    yield lab, router, str(code)
                except TimeoutError as late:
                    said = await asyncio.to_thread(router.nds.inside, "sh", "-c", SAYS)
                    raise AssertionError(f"{said}\n{router.nds.log()}") from late
                assert at.run.portal.guest(BEN).account == account


@each_level
async def test_a_person_with_half_a_voucher_behind_a_real_router(tmp_path, level) -> None:
    async with half_a_voucher(tmp_path, level) as (_lab, router, code):
        await _joins_with_half_a_voucher(router, level, code)


async def _joins_with_half_a_voucher(router: RealRouter, level: int, code: str) -> None:
    person = router.person
    target = await person.captured()
    assert not await person.is_online()
    assert urlsplit(target).scheme == ("https" if level >= 3 else "http")
    page = await person.curl(target)
    assert "J’ai un code" in page.body
    await person.let_in(target, await person.send(target, page, code))
    (client,) = await router.clients()
    assert client["state"] == "Authenticated"
    assert 10 * MB <= int(client["download_quota"]) * 1024 <= 10 * MB + 1024
    assert client["upload_rate_limit_threshold"] in ("null", "0.00")
    assert float(client["download_rate_limit_threshold"]) == pytest.approx(7_000)
    before = person.received_bytes
    got = await person.curl(f"http://{FAR}:{PAGE_PORT}/big", "-o", "/dev/null", seconds=60)
    assert got.status == 200
    received = person.received_bytes - before
    # The rest was used up: the router ends the session at its next check.
    target = await person.captured()
    page = await person.curl(target)
    assert "J’ai un code" not in page.body, "it is the same person"
    # openNDS counts what its own limit drops, and does not tell what passes after it has read its counters.
    assert 0.8 * received <= await _used(router.at) - 10 * MB <= 1.6 * received + MB
    assert 10 * MB <= received < BIG_BYTES, "stopped before the end, and not before the rest was used"
    await person.let_in(target, page)
    (client,) = await router.clients()
    assert client["state"] == "Authenticated"
    assert client["download_quota"] == "null"
    assert float(client["download_rate_limit_threshold"]) == pytest.approx(1_000)
    assert any("lente" in shown for shown in person.seen) or "lente" in page.body


async def _used(at: FasFixture) -> int:
    """What all devices of the voucher used, as soon as the router has told it."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(60):
            while at.run.portal.guest(BEN).used.total <= 10 * MB:
                await at.run.settle()
                await asyncio.sleep(0.5)
    return at.run.portal.guest(BEN).used.total

"""A real openNDS router whose authentication server is a real node: a voucher of which half was used at the node itself.

The router is somewhere in the Internet of the village; it reaches the node over the uplink, and so does the person.
"""

import asyncio
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from node.app.gateway_registry import STATE
from node.gateways.gateway import Gateway, gateways_text
from node.gateways.gateway_secret import fas_key
from node.gateways.opennds_config import FasAddress, opennds_file
from node.keyring import open_keyring
from tests.bench.many_clients import VirtualDevice
from tests.bench.opennds import PROGRAMS, running
from tests.fakes.authority import Authority
from tests.lab import eventually
from tests.lab.agreement import RULES
from tests.lab.behind_router import FAR, PAGE_PORT, PersonBehind
from tests.lab.village import Router
from tests.scenarios.test_what_is_handed_out import sends

MB, PORT = 10**6, 2090
NAME = "login.procomu.lan"
BIG_BYTES = 200 * MB
GATEWAY = Gateway("0123abcd", "opennds", "accepted", "the library", "", "")
SETTINGS = """
[gateways]
listen = "0.0.0.0:2090"
https_port = 443
[portal]
certificate = "{folder}/portal.crt"
certificate_key = "{folder}/portal.key"
"""
PASS = """
[[rule]]
id = "pass-volume"
quota = "20 MB per day"
counts = "uplink"
then = "ceiling 1 Mbit/s down, 1 Mbit/s up until reset"
who = "group:day-pass"
by = "D-2026-014"
"""
NAT = """
table ip rtr_nat {
 chain out {
  type nat hook postrouting priority 100
  oifname wan0 masquerade
 }
}
"""
SCRIPT = Path(__file__).parents[2] / "node" / "gateways" / "opennds" / "custombinauth.sh"
missing = [name for name in (*PROGRAMS, "curl", "php") if shutil.which(name) is None]
pytestmark = [
    pytest.mark.kernel,
    pytest.mark.slow,
    pytest.mark.alone,
    pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}"),
]


def adopt(square: Router) -> str:
    """Accepts the gateway, as an admin does; returns its faskey."""
    square.start()
    assert square.daemon is not None
    square.daemon.stop()
    with closing(sqlite3.connect(square.data / "procomu.db")) as db, db:
        db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (STATE, gateways_text([GATEWAY])))
    square.start()
    keys = open_keyring(square.settings.community_key_file, square.data / "node.key")
    return fas_key(keys.own_key_for("gateways"), GATEWAY)


def used(square: Router, account: str) -> int:
    return sum(quota["used"] for quota in square.ask("why", who=account)["allowance"]["quotas"])


@pytest.mark.parametrize("level", [1, 2, 4])
async def test_a_voucher_that_is_half_used_up_has_the_other_half_behind_a_router(place, level) -> None:
    square, far = place.square, place.internet.place
    settings = square.settings
    square.furnish(settings.nodes, settings.community_key_file, more=SETTINGS.format(folder=place.lab.folder))
    _, _, root = Authority().write(place.lab.folder, NAME)
    shutil.copy(root, place.lab.folder / "cert.pem")
    square.environment["SSL_CERT_FILE"] = str(root)
    square.rules.write_text(RULES + PASS)
    faskey = adopt(square)
    (code,) = square.told("vouchers", "issue", "--count", "1", "--group", "day-pass", "--lasts", "1 day")[
        "codes"
    ]
    local = place.settle("guest", square, 50)
    local.join()
    assert sends(local, "code", code=str(code)) == 303
    account = square.device(local.mac)["account"]
    local.do("download", seconds=20, bytes=10 * MB)
    assert eventually(lambda: used(square, account) >= 10 * MB, 10)
    before = used(square, account)

    person, router = place.lab.namespace("person"), place.lab.namespace("router")
    place.lab.veth(person, "eth0", router, "c0")
    place.lab.veth(router, "wan0", far, "line7", offload=False)
    router.bridge("br-lan")
    router.plug("c0")
    router.address("br-lan", "10.97.0.1/24")
    router.address("wan0", "10.88.7.1/24")
    far.address("line7", "10.88.7.254/24")
    far.sysctl(net__ipv4__ip_forward=1)
    far.run(
        *[
            "tc",
            "qdisc",
            "add",
            "dev",
            "line7",
            "root",
            "tbf",
            "rate",
            "6mbit",  # below the ceilings: openNDS counts what its own limit drops as if it had been received
            "burst",
            "64kb",
            "limit",
            "300kb",
        ]
    )
    person.address("eth0", "10.97.0.50/24")
    person.route("default via 10.97.0.1")
    router.route("default via 10.88.7.254")
    router.sysctl(net__ipv4__ip_forward=1)
    router.run("nft", "-f", "-", stdin=NAT)
    pages = place.lab.folder / "far"
    pages.mkdir()
    (pages / "end").write_text("THE END\n")
    with (pages / "big").open("wb") as big:
        big.truncate(BIG_BYTES)
    far.start("python3", "-m", "http.server", str(PAGE_PORT), "-d", str(pages))
    address = FasAddress(NAME, 443) if level == 4 else FasAddress(square.site.wan_v4, PORT)
    config = opennds_file(GATEWAY, address, level, faskey)
    files = {
        "config/opennds": config + "\toption dhcp_leases_file '/etc/box/dhcp.leases'\n",
        "resolv.conf": "nameserver 10.97.0.1\n",
        "hosts": f"127.0.0.1 localhost\n{square.site.wan_v4} {NAME}\n",
        "ssl/certs/ca-certificates.crt": root.read_text(),
    }
    if level < 3:
        files["box/custombinauth.sh"] = SCRIPT.read_text()
    names = (f"address=/{NAME}/{square.site.wan_v4}", f"address=/#/{FAR}")
    mac = person.run("cat", "/sys/class/net/eth0/address").strip()
    with running(place.lab, router, [VirtualDevice(1, mac, "10.97.0.50")], names=names, files=files):
        browser = PersonBehind(person, place.lab.folder, name=NAME, node=square.site.wan_v4)
        target = await browser.captured()
        page = await browser.curl(target)
        assert "J’ai un code" in page.body
        await browser.let_in(target, await browser.send(target, page, str(code)))
        started = browser.received_bytes
        await browser.curl(f"http://{FAR}:{PAGE_PORT}/big", "-o", "/dev/null", seconds=60)
        received = browser.received_bytes - started
        assert 10 * MB <= received < BIG_BYTES
        target = await browser.captured()
        assert "J’ai un code" not in (await browser.curl(target)).body, "it is the same person"
        for _ in range(60):
            if used(square, account) > before:
                break
            await asyncio.sleep(1)
        # openNDS counts what its own limit drops, and does not tell what passes after it has read its counters.
        assert 0.8 * received <= used(square, account) - before <= 1.6 * received + MB
        if level == 2:  # elsewhere the device is its browser
            assert square.device(mac)["account"] == account
        assert square.ask("why", who=account)["binding_rule"] == "pass-volume"

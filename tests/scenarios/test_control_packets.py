"""What keeps the line alive, as the bench sends it: everything is answered on an idle line, and silence is counted."""

import json
import subprocess
import sys

import pytest

from tests.lab.internet import ROOT
from tests.lab.village import SQUARE

pytestmark = pytest.mark.kernel
LAN = {"node": SQUARE.lan_v4, "node6": SQUARE.lan_v6}
NOBODY = {"node": "10.77.31.250", "node6": "fd77::dead"}
NEXT_HOP = {"node": SQUARE.next_hop_v4, "node6": SQUARE.next_hop_v6}
SECONDS = 3


def counted(place, **job) -> dict[str, list[int]]:
    argv = (
        sys.executable,
        "-m",
        "tests.bench.control_packets",
        json.dumps({"interface": "eth0", "seconds": SECONDS} | job),
    )
    with place.entered():
        done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True, timeout=30)
    return json.loads(done.stdout)


def test_everything_is_answered_on_an_idle_line_and_what_nobody_answers_is_counted(place, online):
    place.square.start()
    phone = online("phone")
    own = {"address": phone.address_v4, "address6": phone.addresses_v6()[0], "mac": phone.mac}
    found = counted(phone.place, **own, **LAN)
    assert {
        "arp",
        "neighbour solicitations",
        "dhcp renewals",
        "router solicitations",
        "dns queries",
        "pages",
    } == set(found)
    assert all(sent and not unanswered for sent, unanswered in found.values()), found
    assert found["dns queries"][0] > 10
    silent = counted(phone.place, **own, **NOBODY)
    assert all(sent == unanswered for kind, (sent, unanswered) in silent.items() if "router" not in kind), (
        silent
    )
    mac = place.square.place.run("cat", "/sys/class/net/wan0/address").strip()
    uplink = {"address": SQUARE.wan_v4, "address6": SQUARE.wan_v6, "mac": mac, "is_uplink": True}
    found = counted(place.square.place, **uplink, **NEXT_HOP, interface="wan0")
    assert {"arp", "neighbour solicitations"} == set(found)
    assert all(sent >= SECONDS and not unanswered for sent, unanswered in found.values()), found

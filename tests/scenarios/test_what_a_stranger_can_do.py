"""An unauthorized device on the LAN impersonates the portal or a member, or looks for personal data."""

import json
import re
import sys
import time

import pytest

from tests.lab import eventually

pytestmark = pytest.mark.kernel

HARDWARE_ADDRESS = re.compile(r"(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}", re.IGNORECASE)
LEASES_READ_S = 1.5
PORTAL = "http://login.procomu.lan/"


def test_a_device_with_the_portals_host_name_is_not_taken_for_it(place, comes):
    place.square.start()
    stranger, phone = comes("phone"), comes("browser")
    stranger.finish_dhcp(stranger.begin_dhcp(calls_itself="login"))
    for v6 in (False, True):
        assert 200 == phone.do("knock", v6=v6, url=PORTAL)["status"]
    leases = (place.square.data / "dhcp.leases").read_text()
    assert stranger.address_v4 in leases
    assert "login" not in leases


def test_a_device_that_takes_an_address_leased_to_another_is_shown_nothing(place, online, prowler):
    """The phone is asleep, so that it does not defend its address; it is online again when it wakes."""
    place.square.start()
    phone = online("phone")
    assert 200 == phone.do("knock", url=PORTAL)["status"]
    assert eventually(lambda: phone.address_v4 in (place.square.data / "dhcp.leases").read_text())
    phone.place.ip("link set eth0 down")
    prowler.place.ip("addr flush dev eth0 scope global", f"addr add {phone.address_v4}/16 dev eth0")
    prowler.place.route("default via 10.77.0.1")
    time.sleep(LEASES_READ_S)
    answer = prowler.do("knock", url=PORTAL)
    assert 403 == answer["status"]
    assert "are using the same address" in answer["body"]
    assert any("Two devices claim" in each for each in place.square.overview()["warnings"])
    prowler.place.ip("addr flush dev eth0 scope global")
    phone.place.ip("link set eth0 up")
    phone.place.route("default via 10.77.0.1")
    assert eventually(lambda: phone.do("knock", url=PORTAL)["status"] == 200)


LARGE_FOR_TWO_SECONDS = """
import sys, time, urllib.request
began, came = time.monotonic(), 0
with urllib.request.urlopen(sys.argv[1]) as large:
    while time.monotonic() < began + 2:
        came += len(large.read(65536))
print(came)
"""


def test_only_an_admitted_device_measures_its_path_to_the_node(place, online, prowler):
    place.square.start()
    phone, config = online("phone"), f"{PORTAL}.well-known/nq"
    for v6 in (False, True):
        shown = phone.do("knock", v6=v6, url=config)
        assert 200 == shown["status"]
        assert f"{PORTAL}responsiveness/large" == json.loads(shown["body"])["urls"]["large_download_url"]
        refused = prowler.do("knock", v6=v6, url=config)
        assert (303, "/") == (refused["status"], refused["location"])
    large = "http://10.77.0.1/responsiveness/large"
    came = phone.place.run(sys.executable, "-c", LARGE_FOR_TWO_SECONDS, large)
    assert int(came) > 10_000_000
    tablet = online("tablet")
    assert 503 == tablet.do("knock", url=config)["status"]
    assert eventually(lambda: tablet.do("knock", url=config)["status"] == 200, 8)


def test_after_sessions_ended_no_log_contains_a_hardware_address(place, comes, online):
    place.square.start()
    person = online("phone")
    assert 303 == person.do("press", url=f"{PORTAL}me", ends="/leave", fields={})["status"]
    said = place.square.daemon.output()
    assert "the firewall is in force" in said
    assert not HARDWARE_ADDRESS.search(said)

"""A stranger on the people's side pretends to be somebody, or looks for others' traces."""

import re

import pytest

pytestmark = pytest.mark.kernel

HARDWARE_ADDRESS = re.compile(r"(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}", re.IGNORECASE)
PORTAL = "http://login.procomu.lan/"


def test_a_device_that_calls_itself_as_the_portal_does_is_not_taken_for_it(place, comes):
    place.square.start()
    stranger, phone = comes("phone"), comes("browser")
    stranger.finish_dhcp(stranger.begin_dhcp(calls_itself="login"))
    for v6 in (False, True):
        assert 200 == phone.do("knock", v6=v6, url=PORTAL)["status"]
    leases = (place.square.data / "dhcp.leases").read_text()
    assert stranger.address_v4 in leases
    assert "login" not in leases


def test_after_people_came_and_went_no_log_holds_a_hardware_address(place, comes, online):
    place.square.start()
    person = online("phone")
    assert 303 == person.do("press", url=f"{PORTAL}me", ends="/leave", fields={})["status"]
    said = place.square.daemon.output()
    assert "the gate stands" in said
    assert not HARDWARE_ADDRESS.search(said)

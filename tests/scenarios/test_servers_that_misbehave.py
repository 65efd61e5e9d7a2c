"""Upstream resolvers that answer REFUSED, and a home router connected by the wrong port: how the running node reacts."""

import contextlib

import pytest

from tests.lab import eventually, rogue_dhcp_server
from tests.lab.internet import DNSMASQ_OPTIONS, WEB_V4
from tests.lab.people import Person, WishFailed
from tests.lab.questions import ask, rcode

pytestmark = pytest.mark.kernel
NOTICED_S = 25.0
PAGE = "http://captive.apple.com/hotspot-detect.html"
ROGUE_MAC = rogue_dhcp_server.MAC


def refuse_all_but_example(place) -> None:
    """The same resolver, for names below .example only: without an upstream it refuses all others."""
    place.internet.programs[0].stop()
    options = [each for each in DNSMASQ_OPTIONS if not each.startswith("--address=")]
    place.internet.place.start("dnsmasq", *options, f"--address=/example/{WEB_V4}")


def warned(square, word: str) -> bool:
    return any(word in text for text in square.ask("status")["overview"]["warnings"])


def is_led_to_the_portal(person: Person) -> bool:
    with contextlib.suppress(WishFailed):
        answer = person.do("knock", v6=False, url=PAGE)
        return (True, 302) == (answer["captured"], answer["status"])
    return False


def test_a_resolver_that_refuses_probe_names_costs_members_no_name(place, comes, online):
    square = place.square
    square.start()
    member = online("laptop")
    refuse_all_but_example(place)
    newcomer = comes("phone")
    assert eventually(lambda: warned(square, "refuse"), NOTICED_S)
    for n in range(20):
        answer = ask(member.place, member.resolver, f"n{n}.example")
        assert answer is not None
        assert rcode(answer) == 0
        assert answer.endswith(bytes(int(part) for part in WEB_V4.split(".")))
        refused = ask(member.place, member.resolver, "captive.apple.com")
        assert refused is not None
        assert rcode(refused) == 5
    assert not warned(square, "has been down")
    assert "has been down" not in member.do("knock", url="http://10.77.0.1/")["body"]
    # An unauthorized device still gets the page, though no upstream resolver resolves the name of its probe.
    assert eventually(lambda: is_led_to_the_portal(newcomer), 5)


def test_a_second_dhcp_server_is_named_in_status_and_by_doctor(place, tmp_path):
    square = place.square
    rogue = place.settle("rogue", square, 66, ROGUE_MAC).place
    rogue.address("eth0", "192.168.1.1/24")
    rogue_dhcp_server.start(rogue, tmp_path / "rogue")
    square.start()
    assert eventually(lambda: warned(square, f"{ROGUE_MAC} (192.168.1.1)"), 10)
    named = [each for each in square.told("doctor")["diagnoses"] if each["name"] == "other servers"]
    assert [True] == [ROGUE_MAC in each["wrong"] for each in named]
    # No hardware address is in the log.
    assert ROGUE_MAC not in square.daemon.output()

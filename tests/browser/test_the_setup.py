"""A person sets a new node up with the browser of a phone, and is then welcomed by it."""

import re
from pathlib import Path

import pytest

from node.config import parse_config
from tests.browser.first_run import (
    code_of,
    is_welcomed,
    phone_at,
    sets_up,
    signs_in_with_a_passphrase,
    started,
)
from tests.lab import eventually
from tests.lab.village import Village

pytestmark = [pytest.mark.kernel, pytest.mark.browser]


def test_a_person_with_a_phone_sets_the_node_up_without_javascript(new_node: Village) -> None:
    program = started(new_node)
    with phone_at(new_node, program) as browser:
        browser.without_scripts()
        sets_up(browser, program)
        config, findings = parse_config(new_node.square.config.read_text())
        assert config is not None, findings
        assert ("br-lan", "wan0") == (config.lan.interface, config.uplink.interface)
        assert not Path(new_node.square.folder / "setup-code").exists()
        new_node.square.start()
        is_welcomed(browser)
        signs_in_with_a_passphrase(browser)


def test_another_dhcp_server_keeps_the_page_away(new_node: Village) -> None:
    """As on the side of the Internet, before the machine has an address there."""
    square = new_node.square
    router = new_node.lab.namespace("elsewhere")
    new_node.lab.veth(router, "eth0", square.place, "p7")
    square.place.plug("p7", "br-lan")
    router.address("eth0", "192.0.2.1/24")
    server = ("--keep-in-foreground", "--port=0", "--interface=eth0", "--dhcp-range=192.0.2.10,192.0.2.20")
    router.start(
        "dnsmasq", *server, f"--dhcp-leasefile={square.folder}/elsewhere.leases", "--conf-file=/dev/null"
    )
    program = started(new_node)
    assert not eventually(lambda: re.search(r"served on .*br-lan", program.output()), 10), program.output()
    listed = square.place.run("ip", "-4", "address", "show", "dev", "br-lan")
    assert "10.77." not in listed


def test_what_was_given_is_taken_away_when_it_is_stopped(new_node: Village) -> None:
    square = new_node.square
    before = square.place.run("ip", "-4", "address", "show")
    program = started(new_node)
    code = code_of(program)
    assert eventually(lambda: re.search(r"served on .*br-lan", program.output()), 20), program.output()
    assert 0 == program.stop(20)
    assert before == square.place.run("ip", "-4", "address", "show")
    again = started(new_node)
    assert code == code_of(again), "the sheet that was printed is still right"

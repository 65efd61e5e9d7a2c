"""The plan in words, and what the person who uses the page reads before."""

from dataclasses import replace

import pytest

from node.setup.network_layout import InterfaceFacts
from node.setup.network_plan import network_plan
from tests.fakes.network_machine import (
    BRIDGE,
    LAN,
    RADIO,
    TypedAnswers,
    machine,
)


def test_the_plan_says_what_changes() -> None:
    static = replace(LAN, addresses=("192.0.2.9/24",), has_default_route=True)
    plan = network_plan(TypedAnswers(radio="wlan0"), machine("none", static, RADIO, without=(LAN,)))
    assert (
        "People plug in here: eth2 (USB adapter), eth1 (port 2). Together this is br-lan."
        not in plan.sentences
    )
    assert (
        "People plug in here: eth1 (port 2), eth2 (USB adapter). Together this is br-lan." in plan.sentences
    )
    assert "eth1 loses its address 192.0.2.9." in plan.sentences
    assert "eth1 leads to the Internet now, and then no longer." in plan.sentences
    near = replace(LAN, addresses=("10.77.0.1/24", "10.77.0.9/24"))
    lost = network_plan(TypedAnswers(), machine("none", near, without=(LAN,))).sentences
    assert "eth1 loses its address 10.77.0.9." in lost, "the other one is the set-up's"
    assert any("open Wi-Fi named “Vall Alta”" in each for each in plan.sentences)
    assert any("networkd is switched on" in each for each in plan.sentences)


@pytest.mark.parametrize(
    ("asked_from", "answers", "says"),
    [
        ("", TypedAnswers(), ""),
        ("eth1", TypedAnswers(), ""),
        ("eth2", TypedAnswers(), "Pull your cable out"),
        ("wlan0", TypedAnswers(radio="wlan0"), "Join the Wi-Fi “Vall Alta”"),
        ("eth3", TypedAnswers(uplink="eth3"), "Plug your cable into eth1"),
        ("eth3", TypedAnswers(uplink="eth3", lan=(), radio="wlan0"), "Join the Wi-Fi “Vall Alta”"),
        ("eth0", TypedAnswers(), ""),
        ("br0", TypedAnswers(), ""),
    ],
)
def test_people_read_before_whether_their_connection_ends(
    asked_from: str, answers: TypedAnswers, says: str
) -> None:
    facts = machine("networkd", RADIO, BRIDGE, InterfaceFacts("eth3", "ethernet", "port 3"))
    plan = network_plan(answers, facts, asked_from)
    assert says in plan.cuts
    assert bool(says) == bool(plan.cuts)

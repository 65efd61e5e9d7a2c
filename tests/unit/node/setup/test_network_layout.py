"""What the answers may be on this machine, and which interface does what."""

from dataclasses import replace

import pytest

from node.errors import NodeError
from node.setup.network_layout import InterfaceFacts
from node.setup.network_plan import network_plan
from tests.fakes.network_machine import (
    BRIDGE,
    RADIO,
    TypedAnswers,
    machine,
)


def test_a_bridge_that_is_there_stays_as_it_is() -> None:
    plan = network_plan(TypedAnswers(lan=("br0",)), machine("networkd", BRIDGE))
    assert ("br0", (), ()) == (plan.lan, plan.files, plan.reload)
    assert "Nothing changes in the network of this machine." in plan.sentences
    with pytest.raises(NodeError, match="choose br0 alone"):
        network_plan(TypedAnswers(lan=("br0", "eth1")), machine("networkd", BRIDGE))


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        (TypedAnswers(uplink="eth9"), "there is no interface eth9 any longer"),
        (TypedAnswers(lan=("eth9",)), "there is no interface eth9 any longer"),
        (TypedAnswers(lan=("eth0",)), "people and the Internet cannot be on one interface"),
        (TypedAnswers(lan=()), "people have no interface"),
        (TypedAnswers(lan=("wlan0",)), "people cannot be on wlan0"),
        (TypedAnswers(lan=("ppp0",)), "people cannot be on ppp0"),
        (TypedAnswers(uplink="wlan0"), "wlan0 is a radio that has not joined"),
        (TypedAnswers(lan=("we*rd",)), "cannot be the name of an interface here"),
        (TypedAnswers(radio="eth2", lan=("eth1",)), "eth2 is no radio"),
        (TypedAnswers(radio="wlan0", wifi_name=""), "1 to 32 bytes"),
        (TypedAnswers(radio="wlan0", wifi_name="ñ" * 17), "1 to 32 bytes"),
        (TypedAnswers(radio="wlan0", wifi_name="a\nb"), "1 to 32 bytes"),
        (TypedAnswers(radio="wlan0", wifi_country="Spain"), "two letters"),
        (TypedAnswers(radio="wlan0", wifi_country="E\n"), "two letters"),
    ],
)
def test_answers_that_do_not_fit_the_machine(answers: TypedAnswers, message: str) -> None:
    odd = InterfaceFacts("we*rd", "ethernet", "port")
    line = InterfaceFacts("ppp0", "other", "a line of another kind", has_default_route=True)
    with pytest.raises(NodeError, match=message):
        network_plan(answers, machine("networkd", RADIO, odd, line))


def test_a_radio_needs_hostapd() -> None:
    with pytest.raises(NodeError, match="hostapd"):
        network_plan(TypedAnswers(radio="wlan0"), replace(machine("networkd", RADIO), has_hostapd=False))


def test_a_bridge_of_the_same_name_is_not_touched() -> None:
    other = InterfaceFacts("br-lan", "bridge", "bridge")
    assert "br-lan2" == network_plan(TypedAnswers(), machine("networkd", other)).lan

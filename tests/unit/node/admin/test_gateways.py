"""How the pages show a gateway."""

from typing import get_args

from node.admin.gateways import ABILITIES, FEATURES, KINDS, TROUBLES, gateway_line
from node.app.admin_gateways import GatewayRow
from node.app.gateway_registry import GatewayStatus, GatewayTrouble
from node.gateways.capability import Ability, Feature
from node.gateways.gateway import Gateway, GatewayKind
from node.units import NO_USAGE

ROUTER = Gateway("0a1b2c3d", "wifidog", "accepted", "the bakery", "X1", "10.1.2.3")


def test_each_word_of_a_gateway_has_a_text():
    for texts, words in (
        (ABILITIES, Ability), (FEATURES, Feature), (KINDS, GatewayKind), (TROUBLES, GatewayTrouble),
    ):  # fmt: skip
        assert set(get_args(words)) == texts.keys()


def test_a_gateway_with_a_trouble_is_marked():
    fine = gateway_line(GatewayRow(GatewayStatus(ROUTER, 90, "10.1.2.3", ""), 3, NO_USAGE, 0))
    assert ("1 min", False) == (fine.heard, fine.is_odd)
    odd = gateway_line(GatewayRow(GatewayStatus(ROUTER, None, "", "silent"), 0, NO_USAGE, 0))
    assert ("", True) == (odd.heard, odd.is_odd)

"""The configuration of a router with WiFiDog."""

import pytest

from node.gateways.gateway import Gateway
from node.gateways.gateway_secret import gateway_secret
from node.gateways.wifidog_config import wifidog_config

ROUTER = Gateway("0a1b2c3d", "wifidog", "accepted", "x\n}\nTrustedMACList all", "X1", "")
SECRET = gateway_secret(b"k" * 32, ROUTER)


def test_the_secret_is_in_the_paths_of_the_router_only():
    text = wifidog_config(ROUTER, SECRET, "vall.example.org", 2080)
    assert ["PingScriptPathFragment", "AuthScriptPathFragment"] == [
        line.split()[0] for line in text.splitlines() if SECRET in line
    ]
    assert "    Path /gw/0a1b2c3d/\n" in text
    assert "    HTTPPort 2080\n" in text


def test_a_name_changes_nothing_in_it():
    assert "Trusted" not in wifidog_config(ROUTER, SECRET, "fd42::7", 2080)


@pytest.mark.parametrize("host", ["", "a b", "a\nb", "a}"])
def test_a_host_is_a_name_or_an_address(host):
    with pytest.raises(AssertionError):
        wifidog_config(ROUTER, SECRET, host, 2080)

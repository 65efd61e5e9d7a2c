"""Devices behind openNDS routers, and the mark by which this node knows them again."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.gateways.opennds_client import browser_mac, device_mark, is_browser, read_mark
from node.gateways.opennds_grant import GatewayLimits, marked_custom, sealed_custom
from node.gateways.opennds_query import FasKey
from node.units import MacAddress, parse_mac

KEY, FASKEY = b"k" * 32, FasKey("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")
GATEWAY, HID = "0123abcd", "a" * 64
MAC = MacAddress("02:00:00:00:00:0a")


@given(browser=st.text("0123456789abcdef", min_size=32, max_size=32))
def test_a_browser_has_a_local_unicast_address_of_its_own(browser):
    assert is_browser(browser)
    mac = browser_mac(KEY, GATEWAY, browser)
    assert parse_mac(mac) == mac
    assert int(mac[:2], 16) & 0x03 == 0x02
    assert mac == browser_mac(KEY, GATEWAY, browser)
    assert mac != browser_mac(KEY, "ffffffff", browser)


@pytest.mark.parametrize("text", ["", "x" * 32, "0" * 31, "0" * 33, "A" * 32, "0" * 32 + "\n"])
def test_another_text_is_no_browser(text):
    assert not is_browser(text)


@pytest.mark.parametrize("sealed", [True, False])
def test_a_mark_comes_back(sealed):
    mark = device_mark(KEY, GATEWAY, HID, MAC)
    custom = (
        sealed_custom(GatewayLimits(1, 2, 3, 4, 5), mark.words, HID, FASKEY)
        if sealed
        else marked_custom(mark.words)
    )
    assert read_mark(KEY, GATEWAY, HID, custom) == mark


def test_a_mark_of_another_client_gateway_device_or_node_is_none():
    custom = marked_custom(device_mark(KEY, GATEWAY, HID, MAC).words)
    assert read_mark(KEY, GATEWAY, "b" * 64, custom) is None
    assert read_mark(KEY, "ffffffff", HID, custom) is None
    assert read_mark(b"x" * 32, GATEWAY, HID, custom) is None
    other = device_mark(KEY, GATEWAY, HID, MAC).words
    assert read_mark(KEY, GATEWAY, HID, marked_custom(("02000000000b", other[1]))) is None


@given(raw=st.binary(max_size=190), text=st.text(max_size=60))
def test_other_texts_are_none(raw, text):
    for custom in (
        base64.b64encode(raw).decode(),
        base64.b64encode(b"procomu " + raw).decode(),
        text,
        "none",
        "",
    ):
        assert read_mark(KEY, GATEWAY, HID, custom) is None

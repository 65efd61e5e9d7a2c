"""Secrets of gateways, and tokens of the people behind them."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.gateways.gateway import Gateway
from node.gateways.gateway_secret import (
    TOKEN_CHARACTERS,
    client_token,
    device_key,
    fas_key,
    gateway_secret,
    is_client_token,
    is_secret,
)
from node.units import MacAddress

KEY, NONCE = b"k" * 32, b"12345678"
ROUTER = Gateway("0a1b2c3d", "wifidog", "accepted", "the bakery", "X1", "10.1.2.3")
OTHER = replace(ROUTER, id="ffffffff")
MAC = MacAddress("02:00:00:00:00:01")


def test_each_gateway_and_each_serial_has_a_secret_of_its_own():
    all_of = [ROUTER, OTHER, replace(ROUTER, serial=2)]
    for made in (gateway_secret, fas_key):
        assert 3 == len({made(KEY, each) for each in all_of})
        assert made(KEY, ROUTER) != made(b"j" * 32, ROUTER)
    assert is_secret(gateway_secret(KEY, ROUTER))
    assert 64 == len(fas_key(KEY, ROUTER))


def test_a_secret_does_not_depend_on_what_the_router_says():
    said = replace(ROUTER, called="X2", address="10.9.9.9", name="other")
    assert gateway_secret(KEY, ROUTER) == gateway_secret(KEY, said)


@pytest.mark.parametrize("text", ["", "a" * 25, "a" * 27, "A" * 26, "a" * 25 + "\n", "a" * 25 + "1"])
def test_other_text_is_no_secret(text):
    assert not is_secret(text)


def test_a_token_is_for_one_device_at_one_gateway():
    token = client_token(KEY, ROUTER, MAC, NONCE)
    assert TOKEN_CHARACTERS == len(token)
    assert is_client_token(KEY, ROUTER, MAC, token)
    assert not is_client_token(KEY, OTHER, MAC, token)
    assert not is_client_token(KEY, ROUTER, MacAddress("02:00:00:00:00:02"), token)
    assert not is_client_token(b"j" * 32, ROUTER, MAC, token)


def test_a_token_for_a_device_that_was_not_named_is_none_of_a_named_one():
    token = client_token(KEY, ROUTER, None, NONCE)
    assert is_client_token(KEY, ROUTER, None, token)
    assert not is_client_token(KEY, ROUTER, MAC, token)
    assert not is_client_token(KEY, ROUTER, None, client_token(KEY, ROUTER, MAC, NONCE))


@given(st.text(max_size=40) | st.from_regex(r"[0-9a-f]{32}", fullmatch=True))
def test_an_invented_token_is_none(token):
    assert not is_client_token(KEY, ROUTER, MAC, token)


def test_one_changed_character_makes_it_another_token():
    token = client_token(KEY, ROUTER, MAC, NONCE)
    for at, digit in enumerate(token):
        changed = token[:at] + ("0" if digit != "0" else "1") + token[at + 1 :]
        assert not is_client_token(KEY, ROUTER, MAC, changed)


def test_the_key_of_a_device_does_not_show_its_address():
    key = device_key(KEY, ROUTER, MAC)
    assert MAC.replace(":", "") not in key
    assert key != device_key(KEY, OTHER, MAC)

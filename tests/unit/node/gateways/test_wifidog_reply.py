"""Replies to WiFiDog gateways."""

import json
import re

from hypothesis import given
from hypothesis import strategies as st

from node.gateways.wifidog_reply import AuthCode, auth_reply, counters_reply, logout_url, return_url
from node.gateways.wifidog_request import WifidogLogin
from node.units import MacAddress

LOGIN = WifidogLogin("wifidog", "X&1", "", "192.168.1.1", 2060, MacAddress("02:00:00:00:00:01"), "")


@given(st.sampled_from(AuthCode), st.text())
def test_the_code_is_what_the_gateway_reads_first(code, message):
    reply = auth_reply(code, message)
    assert reply.isascii()
    assert [str(code.value).encode()] == re.findall(rb"Auth: (-?\d+)", reply)
    assert 2 >= reply.count(b"\n")


def test_each_reported_client_has_a_decision():
    reply = json.loads(counters_reply([("X1", [(1, AuthCode.ALLOWED), ("b", AuthCode.DENIED)]), ("X2", [])]))
    first = {"gw_id": "X1", "auth_op": [{"id": 1, "auth_code": 1}, {"id": "b", "auth_code": 0}]}
    assert {"result": [first, {"gw_id": "X2", "auth_op": []}]} == reply


def test_the_browser_returns_with_the_token_and_the_gateways_name():
    assert "http://192.168.1.1:2060/wifidog/auth?token=ab12&gw_id=X%261" == return_url(LOGIN, "ab12")
    assert "http://192.168.1.1:2060/wifidog/auth?logout=1&token=ab12" == logout_url(LOGIN, "ab12")
    six = WifidogLogin("apfree", "X1", "aw1", "fd42::1", 80, None, "")
    assert "http://[fd42::1]:80/wifidog/auth?token=ab12&gw_id=X1" == return_url(six, "ab12")

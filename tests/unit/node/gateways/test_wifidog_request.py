"""Requests of WiFiDog gateways in both dialects: what is read, and that nothing else gets through."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.gateways.counters import ReportedCounters
from node.gateways.wifidog_request import (
    CLIENTS_MAX,
    UnreadableRequest,
    read_auth,
    read_counters,
    read_login,
    read_ping,
    read_query,
    web_url,
)

MAC = "02:00:00:00:00:01"
TOKEN = "0123456789abcdef0123456789abcdef"
PING = "gw_id=001217DA42D2&sys_uptime=742725&sys_memfree=2604&sys_load=0.03&wifidog_uptime=3861"
APFREE_PING = "device_id=aw1&sys_uptime=9&wifidog_uptime=8&online_clients=3&offline_clients=1&ssid=x&type=y"
AUTH = f"stage=counters&ip=192.168.1.7&mac={MAC}&token={TOKEN}&incoming=6031353&outgoing=827770&gw_id=X1"
APFREE_LOGIN = (
    f"stage=login&ip=192.168.1.7&mac={MAC}&token={TOKEN}&incoming_bytes=0&outgoing_bytes=0&incoming_bytes_v6=0"
    "&first_login=1&online_time=0&gw_id=X1&gw_channel=lan&name=phone&wired=0&device_id=aw1"
)
LOGIN = (
    f"gw_address=192.168.1.1&gw_port=2060&gw_id=X1&ip=192.168.1.7&mac={MAC}&url=http%3A%2F%2Fexample.org%2F"
)
APFREE_REDIRECT = (
    "gw_address=192.168.8.1&is_ipv6=0&gw_port=8443&device_id=aw1&gw_id=X1&gw_channel=lan&ssid=s&ip=192.168.8.7"
    f"&mac={MAC}&protocol=http&url=http%3A%2F%2Fexample.org%2F"
)


def test_a_heartbeat_of_each_dialect():
    stock, apfree = read_ping(read_query(PING)), read_ping(read_query(APFREE_PING))
    assert ("wifidog", "001217DA42D2", 3861, None) == (stock.kind, stock.called, stock.uptime_s, stock.online)
    assert ("apfree", "aw1", 8, 3) == (apfree.kind, apfree.called, apfree.uptime_s, apfree.online)


def test_counters_of_each_dialect():
    stock, apfree = read_auth(read_query(AUTH)), read_auth(read_query(APFREE_LOGIN))
    assert ("wifidog", "counters", "X1", "", MAC, "192.168.1.7", TOKEN) == (
        stock.kind, stock.stage, stock.called, stock.device_id, stock.mac, stock.ip, stock.token,
    )  # fmt: skip
    assert ReportedCounters(6_031_353, 827_770) == stock.counted
    assert ("apfree", "login", "aw1") == (apfree.kind, apfree.stage, apfree.device_id)
    assert ReportedCounters(0, 0) == apfree.counted


def test_deltas_are_no_counters():
    fields = read_query(AUTH.replace("&gw_id", "&incomingdelta=9&outgoingdelta=8&gw_id"))
    assert ReportedCounters(6_031_353, 827_770) == read_auth(fields).counted


@pytest.mark.parametrize("value", ["", "-1", "1e9", "x", "9" * 19, "9" * 40, "٣", "1.5", "0x10", " 1"])
def test_a_counter_that_is_no_number_is_missing(value):
    fields = {**read_query(AUTH), "incoming": value}
    assert ReportedCounters(None, 827_770) == read_auth(fields).counted


@pytest.mark.parametrize("name", ["stage", "mac", "token", "gw_id"])
@pytest.mark.parametrize("value", [None, "", "\x00", "';$(touch /tmp/x)`|&", "x" * 4000])
def test_without_what_it_needs_a_request_is_unreadable(name, value):
    fields = {**read_query(AUTH), name: value}
    if value is None:
        del fields[name]
    if (name, value) == ("gw_id", "';$(touch /tmp/x)`|&"):
        value = " "  # visible ASCII is a name; it is never more than text
        fields[name] = value
    with pytest.raises(UnreadableRequest):
        read_auth(fields)


@pytest.mark.parametrize("query", ["a=1&a=2", "a=1&" * 70, "a=" + "x" * 5_000, "a=%ff"])
def test_a_query_that_is_too_long_or_says_a_field_twice_is_unreadable(query):
    with pytest.raises(UnreadableRequest):
        read_query(query)


@given(st.text())
def test_no_query_makes_another_error(query):
    for read in (read_ping, read_auth, read_login):
        try:
            read(read_query(query))
        except UnreadableRequest:
            continue


@given(st.integers(0, len(AUTH)))
def test_a_truncated_query_is_unreadable_or_lacks_a_field(length):
    try:
        found = read_auth(read_query(AUTH[:length]))
    except UnreadableRequest:
        return
    assert found.counted == ReportedCounters(6_031_353, 827_770)


def test_a_person_at_the_gateway_of_each_dialect():
    stock, apfree = read_login(read_query(LOGIN)), read_login(read_query(APFREE_REDIRECT))
    assert ("192.168.1.1", 2060, MAC, "http://example.org/") == (
        stock.address, stock.port, stock.mac, stock.original_url,
    )  # fmt: skip
    assert ("apfree", "aw1", "192.168.8.1", 8443) == (
        apfree.kind, apfree.device_id, apfree.address, apfree.port,
    )  # fmt: skip


def test_the_hardware_address_may_be_missing_and_apfrees_port_too():
    assert read_login(read_query(LOGIN.replace(f"&mac={MAC}", ""))).mac is None
    assert 80 == read_login(read_query(APFREE_REDIRECT.replace("gw_port=8443&", ""))).port


@pytest.mark.parametrize(
    "address",
    ["203.0.113.9.example", "8.8.8.8", "127.0.0.1", "0.0.0.0", "evil.example", "[::1]", "fe80::1%eth0", ""],
)
def test_nobody_is_sent_to_a_host_elsewhere(address):
    with pytest.raises(UnreadableRequest):
        read_login({**read_query(LOGIN), "gw_address": address})


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "//example.org", "http://", "http://a b", "h" * 2000]
)
def test_an_original_url_of_another_scheme_is_none(url):
    assert "" == web_url(url)


BODY = {
    "device_id": "aw1",
    "gateway": [
        {
            "gw_id": "X1",
            "gw_channel": "lan",
            "clients": [
                {"id": 1, "mac": MAC, "token": TOKEN, "incoming_bytes": 10, "outgoing_bytes": 1,
                 "incoming_bytes_v6": 5, "outgoing_bytes_v6": 2, "name": "phone", "wired": 0},
                {"id": 2, "mac": "nonsense", "token": TOKEN, "incoming_bytes": 10, "outgoing_bytes": 1},
            ],
        },
        {"gw_id": "X2", "clients": [{"id": 7, "mac": MAC, "token": TOKEN, "outgoing_bytes": 3}]},
    ],
}  # fmt: skip


def test_a_body_of_counters_has_both_families_and_all_gateways():
    found = read_counters(json.dumps(BODY).encode())
    assert "aw1" == found.device_id
    first, second = found.reports
    assert [(1, ReportedCounters(15, 3))] == [(each.id, each.counted) for each in first.clients]
    assert [(7, ReportedCounters(None, 3))] == [(each.id, each.counted) for each in second.clients]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"gateway": 1}',
        b"[" * 100_000,
        b"x" * 600_000,
        json.dumps({"gateway": [{}] * 17}).encode(),
    ],
)
def test_another_body_is_unreadable(body):
    with pytest.raises(UnreadableRequest):
        read_counters(body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["gateway", "clients", "gw_id", "id", "mac", "token", "incoming_bytes"]), inner
        )
    ),
    max_leaves=20,
)


@given(json_values)
def test_no_body_makes_another_error(value):
    try:
        read_counters(json.dumps(value).encode())
    except UnreadableRequest:
        return


def test_a_body_has_a_limited_number_of_clients():
    client = BODY["gateway"][1]["clients"][0]  # type: ignore[index]
    rows = {"gateway": [{"gw_id": f"X{n}", "clients": [client] * 400} for n in range(4)]}
    assert CLIENTS_MAX == sum(len(each.clients) for each in read_counters(json.dumps(rows).encode()).reports)

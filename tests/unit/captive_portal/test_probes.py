"""Captive portal probes as each system sends them, and the responses before and after admission."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captive_portal.probes import before_admission, is_probe_host, normal_host, recognise

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "probes.json").read_text())
PORTAL = "http://login.vallverda.example/"


def ask(vector: dict, method: str | None = None):
    host = normal_host(vector["host"])
    return recognise(method or vector["method"], host, vector["target"], vector.get("user_agent", ""))


@pytest.mark.parametrize("vector", VECTORS["probes"], ids=lambda v: f"{v['method']} {v['host']}{v['target']}")
def test_an_admitted_device_is_told_that_it_is_online(vector: dict) -> None:
    probe = ask(vector)
    assert probe is not None
    headers = dict(probe.open_answer.headers)
    assert vector["system"] == probe.system
    assert (vector["status"], vector["body"]) == (probe.open_answer.status, probe.open_answer.body.decode())
    assert vector.get("headers", {}).items() <= headers.items()
    assert ("no-store", "close") == (headers["Cache-Control"], headers["Connection"])


@pytest.mark.parametrize("vector", VECTORS["people"], ids=lambda v: f"{v['method']} {v['host']}{v['target']}")
def test_a_person_who_opens_a_page_is_not_taken_for_a_probe(vector: dict) -> None:
    assert ask(vector) is None


@pytest.mark.parametrize("vector", VECTORS["probes"], ids=lambda v: v["host"])
def test_a_probe_path_with_another_method_is_no_probe(vector: dict) -> None:
    assert ask(vector, "POST") is None


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("captive.apple.com", "captive.apple.com"),
        ("Captive.Apple.COM:80", "captive.apple.com"),
        ("connectivity-check.ubuntu.com.", "connectivity-check.ubuntu.com"),
        ("connectivity-check.ubuntu.com.:80", "connectivity-check.ubuntu.com"),
        ("192.0.2.1:2050", "192.0.2.1"),
        ("[2001:DB8::0:1]", "2001:db8::1"),
        ("[2001:db8::1]:2050", "2001:db8::1"),
        ("[::ffff:192.0.2.1]", "192.0.2.1"),
        ("", None),
        (".", None),
        ("..", None),
        ("a..b", None),
        ("[2001:db8::1", None),
        ("[2001:db8::1]x", None),
        ("host:port", None),
        ("a b", None),
        ("evil.example/path", None),
        ("user@evil.example", None),
        ("-bad.example", None),
        ("\x00", None),
        ("é.example", None),
        ("a" * 64 + ".example", None),
        (("a" * 60 + ".") * 5, None),
    ],
)
def test_port_case_and_trailing_dot_of_a_host_are_ignored(header: str, expected: str | None) -> None:
    assert expected == normal_host(header)


@given(st.text(max_size=300))
def test_no_host_header_raises(header: str) -> None:
    """The result is a plain name or address, or nothing; normalizing it twice changes nothing."""
    host = normal_host(header)
    assert host is None or normal_host(f"[{host}]" if ":" in host else host) == host


@given(
    st.sampled_from(["GET", "HEAD", "POST"]), st.text(max_size=40), st.text(max_size=60), st.text(max_size=40)
)
def test_any_request_gets_a_response(method: str, host: str, target: str, agent: str) -> None:
    probe = recognise(method, normal_host(host), target, agent)
    assert probe is None or probe.open_answer.status in {200, 204}


def test_before_admission_everything_is_sent_to_the_portal() -> None:
    answer = before_admission(PORTAL)
    headers = dict(answer.headers)
    assert 302 == answer.status
    assert (PORTAL, "no-store", "close") == tuple(
        headers[n] for n in ("Location", "Cache-Control", "Connection")
    )
    # Android takes a response of four octets or fewer for a broken network, and shows no sign-in.
    assert 4 < len(answer.body) < 1_000


def test_probe_hosts_are_not_in_the_walled_garden() -> None:
    assert is_probe_host("captive.apple.com")
    assert not is_probe_host("library.example")


@pytest.mark.parametrize("host", ["[fd77::1]:x", "[fd77::1]x", "[fd77::1", "fd77::1]", "a:x", "a:123456"])
def test_a_host_with_an_invalid_port_is_no_host(host: str) -> None:
    assert normal_host(host) is None


def test_an_address_has_one_spelling_with_and_without_a_port() -> None:
    assert ["fd77::1"] * 2 == [normal_host("[FD77:0::1]"), normal_host("[fd77::1]:80")]
    assert "10.77.0.1" == normal_host("[::ffff:10.77.0.1]:8080")


def test_a_path_longer_than_any_probe_is_no_probe() -> None:
    host, path = "connectivitycheck.gstatic.com", "/generate_204"
    assert recognise("GET", host, f"{path}?".ljust(2_048, "a")) is not None
    assert recognise("GET", host, f"{path}?".ljust(2_049, "a")) is None

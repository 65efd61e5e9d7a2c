"""Captive portal probes as each system sends them, and the responses before and after admission."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captive_portal.probes import before_admission, is_probe_host, recognise
from node.web.application import normal_host

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


def test_a_path_longer_than_any_probe_is_no_probe() -> None:
    host, path = "connectivitycheck.gstatic.com", "/generate_204"
    assert recognise("GET", host, f"{path}?".ljust(2_048, "a")) is not None
    assert recognise("GET", host, f"{path}?".ljust(2_049, "a")) is None

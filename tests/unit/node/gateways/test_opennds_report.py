"""Reports of an openNDS router: what is taken, and that nothing is without the router's key."""

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.gateways.gateway import Gateway
from node.gateways.opennds_query import FasKey
from node.gateways.opennds_report import (
    CLIENTS_MAX,
    NO_NONCE,
    NONCE_MS,
    REPORT_CHARACTERS_MAX,
    RouterReport,
    is_fresh,
    read_report,
    report_answer,
    report_nonce,
)
from node.units import Monotonic

KEY = FasKey("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")
OWN, GATEWAY = b"k" * 32, Gateway("0123abcd", "opennds", "accepted", "the library", "", "")
CUSTOM = base64.b64encode(b"procomu 02aabbccddee 0123456789abcdef0123456789abcdef").decode()
MARK = CUSTOM.rstrip("=").replace("+", "-").replace("/", "_")
CLIENT = f"0badcafe.120.7.7000.{MARK}"


def fields(
    clients: str, *, name: str = "", nonce: str = NO_NONCE, key: str = KEY.characters
) -> dict[str, str]:
    seal = hashlib.sha256(f"report {nonce} {name} {clients} {key}".encode()).hexdigest()
    return {"nonce": nonce, "name": name, "clients": clients, "seal": seal}


def test_a_report_names_its_clients_with_what_they_used() -> None:
    report = read_report(fields(CLIENT, name="the%20library%20"), KEY)
    assert report is not None
    (client,) = report.clients
    assert ("0badcafe", 7_000, CUSTOM) == (client.token, client.down_kbit_s, client.custom)
    assert (120 * 1_024, 7 * 1_024) == (client.counted.down, client.counted.up)
    assert hashlib.sha256(b"0badcafe").hexdigest() == client.hid
    assert "the%20library%20" == report.called


def test_a_client_without_a_permission_of_the_node_has_none() -> None:
    report = read_report(fields("0badcafe.1.1.0.none"), KEY)
    assert report is not None
    assert [""] == [each.custom for each in report.clients]


def test_a_router_without_clients_reports_none() -> None:
    assert RouterReport(NO_NONCE, "", ()) == read_report(fields(""), KEY)


@pytest.mark.parametrize("name", ["nonce", "name", "clients", "seal"])
def test_a_changed_report_is_none(name: str) -> None:
    good = fields(CLIENT, name="x")
    assert read_report(good, KEY) is not None
    for other in ("", good[name][:-1], good[name] + "0", "é", "\0", "$(id)"):
        assert read_report(good | {name: other}, KEY) is None
    assert read_report({k: v for k, v in good.items() if k != name}, KEY) is None


def test_a_report_with_the_key_of_another_router_is_none() -> None:
    assert read_report(fields(CLIENT, key="0" * 64), KEY) is None


@pytest.mark.parametrize(
    "client",
    [
        "",
        "0badcafe.120.7.7000",
        "0BADCAFE" + CLIENT[8:],
        CLIENT.replace("120", "-1"),
        CLIENT.replace("120", "1e9"),
        CLIENT.replace("120", "9" * 16),
        CLIENT.replace("120", "١٢"),
        CLIENT + "=",
        f"0badcafe.1.1.1.{'A' * 257}",
        CLIENT + ".x",
        "0bad" + CLIENT[8:],
    ],
)
def test_a_client_of_another_form_is_left_out(client: str) -> None:
    report = read_report(fields(f"{client},cafe0001.1.1.0.{MARK}"), KEY)
    assert report is not None
    assert ["cafe0001"] == [each.token for each in report.clients]


def test_no_more_clients_are_read_than_a_report_may_hold() -> None:
    many = ",".join(f"{number:08x}.1.1.0.{MARK}" for number in range(3 * CLIENTS_MAX))
    report = read_report(fields(many), KEY)
    assert report is not None
    assert CLIENTS_MAX == len(report.clients)
    assert read_report(fields("0" * (REPORT_CHARACTERS_MAX + 1)), KEY) is None


@given(text=st.text(max_size=200), name=st.text(max_size=40))
def test_no_sealed_text_is_an_error(text: str, name: str) -> None:
    try:
        sent = fields(text, name=name)
    except UnicodeEncodeError:
        return
    report = read_report(sent, KEY)
    assert report is None or len(report.clients) <= CLIENTS_MAX


@given(ended=st.sets(st.sampled_from(["0badcafe", "cafe0001"])), again=st.booleans())
def test_an_answer_is_sealed_for_one_report_and_of_a_strict_alphabet(ended: set[str], again: bool) -> None:
    report = read_report(fields(f"{CLIENT},cafe0001.1.1.0.{MARK}"), KEY)
    assert report is not None
    tokens = sorted(ended)
    head, *lines = report_answer(report, "1" * 32, tokens, KEY, is_again=again).splitlines()
    word, nonce, seal = head.split(" ")
    assert ("again" if again else "ok", "1" * 32) == (word, nonce)
    sealed = " ".join((word, report.nonce, nonce, *tokens, KEY.characters))
    assert hashlib.sha256(sealed.encode()).hexdigest() == seal
    assert [f"end {token}" for token in tokens] == lines


def test_a_client_that_was_not_reported_is_never_named() -> None:
    report = read_report(fields(CLIENT), KEY)
    assert report is not None
    with pytest.raises(AssertionError):
        report_answer(report, "1" * 32, ["cafe0001"], KEY)


@given(given=st.integers(0, 2**40), later=st.integers(0, 10 * NONCE_MS))
def test_a_nonce_is_taken_for_a_few_minutes(given: int, later: int) -> None:
    nonce = report_nonce(OWN, GATEWAY, "boot", Monotonic(given))
    taken = is_fresh(OWN, GATEWAY, "boot", Monotonic(given + later), nonce)
    assert taken or later >= NONCE_MS
    assert not taken or later < 2 * NONCE_MS


def test_a_nonce_is_for_one_gateway_its_secret_and_one_boot() -> None:
    now = Monotonic(1_000_000)
    nonce = report_nonce(OWN, GATEWAY, "boot", now)
    other = Gateway("ffffffff", "opennds", "accepted", "x", "", "")
    replaced = Gateway("0123abcd", "opennds", "accepted", "the library", "", "", serial=2)
    assert is_fresh(OWN, GATEWAY, "boot", now, nonce)
    for key, gateway, boot in (
        (OWN, other, "boot"),
        (OWN, replaced, "boot"),
        (OWN, GATEWAY, "next"),
        (b"x" * 32, GATEWAY, "boot"),
    ):
        assert not is_fresh(key, gateway, boot, now, nonce)
    assert not is_fresh(OWN, GATEWAY, "boot", Monotonic(0), NO_NONCE)

"""The captive portal API (RFC 8908): what a device reads about itself, within the limits of every client."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captive_portal import capport
from node.app.views import GuestView
from node.units import NO_USAGE

URLS = {"portal_url": "https://login.example/", "venue_url": "https://login.example/network"}


def read(guest: GuestView) -> dict:
    return json.loads(capport.document(guest, **URLS))


def guest(state: str, seconds: int | None = None, octets: int | None = None) -> GuestView:
    return GuestView(state, None, NO_USAGE, None, seconds, octets)


@pytest.mark.parametrize("state", ["waiting", "expired", "removed"])
def test_a_captive_device_reads_the_portal_address_and_nothing_more(state: str) -> None:
    expected = {"captive": True, "user-portal-url": URLS["portal_url"], "venue-info-url": URLS["venue_url"]}
    assert expected == read(guest(state, 100, 100))


def test_an_admitted_device_reads_what_is_left() -> None:
    document = read(guest("admitted", 3_600, 5_000_000))
    assert (False, True, 3_600, 5_000_000) == (
        document["captive"],
        document["can-extend-session"],
        document["seconds-remaining"],
        document["bytes-remaining"],
    )


def test_without_a_limit_the_key_is_left_out() -> None:
    """RFC 8908 section 5: the keys should be left out when there is no limit."""
    document = read(guest("admitted"))
    assert {"captive", "user-portal-url", "venue-info-url", "can-extend-session"} == set(document)
    assert document["can-extend-session"] is False


def test_where_nobody_can_join_no_extension_is_offered() -> None:
    closed = capport.document(guest("admitted", 60), **URLS, is_open=False)
    assert json.loads(closed)["can-extend-session"] is False


@given(st.integers(-(10**12), 10**15), st.integers(-(10**12), 10**18), st.text(max_size=5_000))
def test_the_document_is_never_longer_than_android_reads(seconds: int, octets: int, url: str) -> None:
    body = capport.document(guest("admitted", seconds, octets), portal_url=url, venue_url=url)
    assert len(body) <= capport.DOCUMENT_CHARACTERS_MAX
    assert 0 <= json.loads(body)["seconds-remaining"]


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, True),
        ("", True),
        ("application/captive+json", True),
        ("Application/Captive+JSON; q=0.5", True),
        ("application/captive+json, text/html;q=0.9", True),
        ("*/*", True),
        ("application/*", True),
        ("application/captive+json;q=0", False),
        ("application/captive+json;q=0, */*", False),
        ("application/captive+json;q=0.0, */*;q=1.0", False),
        ("text/html", False),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", False),
        ("application/json", False),
        ("application/captive+json;q=2", False),
        ("garbage", False),
    ],
)
def test_the_document_is_sent_to_clients_that_accept_it(accept: str | None, expected: bool) -> None:
    assert expected == capport.wants_document(accept)


@given(st.text(max_size=3_000))
def test_no_accept_header_causes_an_error(accept: str) -> None:
    assert capport.wants_document(accept) in {True, False}


def test_remaining_time_is_never_negative_and_keeps_milliseconds() -> None:
    document = read(guest("admitted", -5, -5))
    assert (0, 0) == (document["seconds-remaining"], document["bytes-remaining"])
    assert capport.wants_document("application/captive+json;q=0.001")
    assert not capport.wants_document("application/captive+json;q=0.998, text/html;q=0.999")
    assert capport.wants_document("application/captive+json, text/html;q=1.0")


def test_the_api_has_a_url_where_the_portal_has_one() -> None:
    assert "" == capport.api_uri("")
    assert "https://login.example/captive-portal" == capport.api_uri("https://login.example")

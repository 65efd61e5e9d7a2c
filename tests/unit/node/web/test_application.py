"""The host that a request is for, and what the headers of a browser say about the page that a form came from."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.web.application import is_same_origin, normal_host


@pytest.mark.parametrize(
    ("origin", "fetch_site", "expected"),
    [
        (None, None, True),
        ("null", None, True),
        ("http://login.example", None, True),
        ("http://login.example:80", "same-origin", True),
        ("https://LOGIN.example.", None, True),
        (None, "none", True),
        ("http://evil.example", None, False),
        ("http://login.example.evil.example", None, False),
        ("http://user@login.example", None, False),
        ("http://[", None, False),
        ("", None, False),
        ("http://login.example", "cross-site", False),
        (None, "same-site", False),
    ],
)
def test_a_form_on_another_site_is_refused(
    origin: str | None, fetch_site: str | None, expected: bool
) -> None:
    named = {"Origin": origin, "Sec-Fetch-Site": fetch_site}
    headers = {name: value for name, value in named.items() if value is not None}
    assert expected == is_same_origin("login.example", headers, normal_host=normal_host, allows_null=True)


@pytest.mark.parametrize(
    "origin", ["null", "http://127.0.0.1:1", "http://127.0.0.1", "http://evil.example:2081"]
)
def test_another_port_of_the_same_host_is_another_site_unless_ports_do_not_matter(origin: str) -> None:
    assert is_same_origin("127.0.0.1:2081", {"Origin": "http://127.0.0.1:2081"})
    assert not is_same_origin("127.0.0.1:2081", {"Origin": origin})


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


@pytest.mark.parametrize("host", ["[fd77::1]:x", "[fd77::1]x", "[fd77::1", "fd77::1]", "a:x", "a:123456"])
def test_a_host_with_an_invalid_port_is_no_host(host: str) -> None:
    assert normal_host(host) is None


def test_an_address_has_one_spelling_with_and_without_a_port() -> None:
    assert ["fd77::1"] * 2 == [normal_host("[FD77:0::1]"), normal_host("[fd77::1]:80")]
    assert "10.77.0.1" == normal_host("[::ffff:10.77.0.1]:8080")

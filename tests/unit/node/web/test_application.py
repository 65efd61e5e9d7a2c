"""What the headers of a browser say about the page that a form came from."""

import pytest

from captive_portal.probes import normal_host
from node.web.application import is_same_origin


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

"""Which role may request which route, and numbers in addresses."""

from dataclasses import replace

import pytest

from node.admin.routes import (
    ADMINS,
    EVERYONE_SIGNED_IN,
    AdminRequest,
    Route,
    not_there,
    number_in,
    page_layout,
    refused,
)
from node.app.admin_sessions import ADMIN, is_csrf_token
from node.config.model import SiteInfo
from node.errors import Finding

ASKED = AdminRequest("/people", {}, {}, "cookie-" + "a" * 20, ADMIN)


async def _nothing(_asked: AdminRequest):
    return not_there("Gone.", "Look elsewhere.")


def test_a_route_is_for_admins_only_unless_it_says_otherwise():
    assert ADMINS == Route("GET", "/people", _nothing).roles
    assert {"admin", "issuer"} == EVERYONE_SIGNED_IN


@pytest.mark.parametrize(
    ("text", "number"),
    [("7", 7), ("", 0), ("-1", 0), ("1.5", 0), ("٣", 0), ("9" * 9, 999_999_999), ("9" * 10, 0), ("seven", 0)],
)
def test_a_number_in_an_address_is_a_number_or_nothing(text, number):
    assert number == number_in({"page": text}, "page")
    assert 0 == number_in({}, "page")


def test_the_forms_of_a_page_have_its_sessions_token():
    around = page_layout(ASKED, SiteInfo("Vall Alta", "library", "login.vall.example"), "/people")
    assert is_csrf_token(ASKED.cookie, around.csrf_token)
    assert not is_csrf_token("cookie-" + "b" * 20, around.csrf_token)
    assert around.csrf_token != replace(ASKED, cookie="cookie-" + "b" * 20).csrf_token


def test_a_missing_object_is_reported_with_what_to_do():
    reply = not_there("Gone.", "Look elsewhere.")
    assert (404, "Look elsewhere.") == (reply.status, reply.page.fix)
    assert reply == refused(Finding("gone", 0, "Gone.", "look elsewhere"))


def test_the_portals_printed_address_uses_https_where_it_has_a_certificate():
    site = SiteInfo("Vall Alta", "library", "login.vall.example")
    assert "http://login.vall.example" == site.portal
    assert "https://login.vall.example" == replace(site, portal_url="https://login.vall.example/").portal

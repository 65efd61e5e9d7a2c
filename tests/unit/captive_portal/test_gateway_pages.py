"""Pages of people behind gateways."""

import pytest

from captive_portal.gateway_pages import because_of, form_device, gateway_online, gateway_welcome, reason_of
from node.app.gateway_service import GatewayVerdict
from node.app.views import Full, Refused
from node.gateways.gateway import Gateway
from node.governance.allowance import QuotaLeft
from node.units import Bytes
from tests.fakes.portal_server import context, joining, portal_node, rendered

ROUTER = Gateway("0a1b2c3d", "wifidog", "accepted", "the bakery", "X1", "10.1.2.3")
USED_UP = QuotaLeft("month", Bytes(60 * 10**9), Bytes(61 * 10**9), None)


def page_of(*ways: str, **said: object) -> str:
    app = portal_node(joining(*ways)).use_cases()
    made = gateway_welcome(context(app, mac=None), ROUTER, "10.1.2.9", "gw_id=X1&x=<b>", **said)
    return rendered(made).decode()


def test_a_passphrase_is_never_asked_for_and_a_code_is_where_members_may_join():
    for ways in (("terms",), ("terms", "voucher"), ("passphrase",), ("card", "introduction")):
        page = page_of(*ways)
        assert "passphrase" not in page
        assert ("terms" in ways) == ("No name, no password" in page)
        assert (ways != ("terms",)) == ('name="code"' in page)


def test_where_nothing_is_open_the_page_says_so():
    assert "Nobody new can join right now" in page_of("introduction")


@pytest.mark.parametrize(
    ("verdict", "word", "text"),
    [
        (GatewayVerdict("refused", Refused("code-unknown")), "code-unknown", "know this code"),
        (GatewayVerdict("refused", Refused("too-many-guesses", wait_s=61)), "too-many-guesses", "2 minutes"),
        (GatewayVerdict("refused", Refused("removed", "noise & more")), "blocked", "noise &amp; more"),
        (GatewayVerdict("refused", Full((), 3)), "device-limit", "3 devices"),
        (GatewayVerdict("refused", Refused("memory")), "memory", "Please try again"),
        (GatewayVerdict("blocked", because="noise"), "blocked", "noise"),
        (GatewayVerdict("ended"), "ended", "Your time is up"),
        (GatewayVerdict("over-quota", quota=USED_UP), "over-quota", "60 GB"),
    ],
)
def test_each_reason_has_its_sentence(verdict, word, text):
    assert word == reason_of(verdict)
    assert text in page_of("terms", "voucher", verdict=verdict)


def test_what_came_with_the_query_is_text():
    assert "gw_id=X1&amp;x=&lt;b&gt;" in page_of("terms")


def test_an_internal_reason_is_not_shown_as_an_admins_words():
    assert "" == because_of(GatewayVerdict("refused", Refused("trouble", "nft: no such table")))
    assert ("", "") == (because_of(None), reason_of(None))


def test_the_page_about_nobody_shows_nothing_personal():
    page = rendered(gateway_online(context(mac=None), ROUTER, None, None)).decode()
    assert "You are online" in page
    assert "Used this month" not in page
    away = rendered(gateway_online(context(mac=None), ROUTER, None, GatewayVerdict("ended"))).decode()
    assert "You are not online yet" in away


def test_a_form_is_signed_for_one_address_at_one_gateway():
    other = Gateway("ffffffff", "wifidog", "accepted", "x", "", "")
    made = {form_device(ROUTER, "10.0.0.1"), form_device(ROUTER, "10.0.0.2"), form_device(other, "10.0.0.1")}
    assert 3 == len(made)

"""The uplink is down: names resolve to the portal, so that its page still opens; when it is up, they are true again."""

import contextlib
import time

import pytest

from node.lan.managed_daemon import running
from tests.lab import eventually
from tests.lab.people import WishFailed
from tests.lab.person import PROBE_URL
from tests.scenarios.conftest import is_captured

pytestmark = [pytest.mark.kernel, pytest.mark.early]
NOTICED_S = 25.0
"""Two rounds of unanswered queries, at most ten seconds apart."""
BACK_S = 8.0

PAGE = "http://captive.apple.com/hotspot-detect.html"
FIRST_PAGE = "http://10.77.0.1/"
SAID = "The Internet connection has been down since"
CUT = "table inet cut { chain arriving { type filter hook input priority -400; policy drop; }; }"


def dhcp_server(router) -> str:
    return (router.folder / "run" / "dnsmasq.pid").read_text()


def is_online(person, url: str = PROBE_URL) -> bool:
    with contextlib.suppress(WishFailed):
        return bool(person.do("knock", url=url)["online"])
    return False


def is_led_to_the_portal(person, *, v6: bool) -> bool:
    """With a name that is in no resolver's cache."""
    with contextlib.suppress(WishFailed):
        answer = person.do("knock", v6=v6, url=PAGE)
        return (True, 302) == (answer["captured"], answer["status"])
    return False


def test_without_an_uplink_the_page_still_opens_and_with_it_names_are_true_again(place, comes):
    square = place.square
    square.start()
    phone = comes("phone")
    assert eventually(lambda: is_captured(phone))
    before = dhcp_server(square)
    place.internet.place.run("nft", "-f", "-", stdin=CUT)
    began = time.monotonic()
    other = comes("laptop")
    assert eventually(lambda: is_led_to_the_portal(other, v6=False), NOTICED_S)
    print(f"noticed after {time.monotonic() - began:.1f} s")
    assert is_led_to_the_portal(other, v6=True)
    assert any("resolver" in text for text in square.ask("status")["overview"]["warnings"])
    assert SAID in other.do("knock", url=FIRST_PAGE)["body"]
    landed = other.do("accept")
    assert 200 == landed["landing_status"]
    assert SAID in landed["landing_body"]
    assert not is_online(other, PAGE)
    assert not is_led_to_the_portal(other, v6=False)
    assert before == dhcp_server(square)
    place.internet.place.run("nft", "delete", "table", "inet", "cut")
    began = time.monotonic()
    assert eventually(lambda: is_online(other), BACK_S)
    print(f"back after {time.monotonic() - began:.1f} s")
    assert before == dhcp_server(square)
    run = square.folder / "run"
    assert eventually(lambda: running(run / "dns-fallback.pid", run / "dns-fallback.conf") is None)
    assert is_online(other, PAGE)
    assert SAID not in other.do("knock", url=FIRST_PAGE)["body"]

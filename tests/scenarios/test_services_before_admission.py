"""A wiki and the pages for emergencies are served to every device, before and after admission."""

import pytest

from tests.scenarios.conftest import arrived_from

pytestmark = pytest.mark.kernel
WIKI_V4, WIKI_V6, NEXT_TO_IT = "203.0.113.77", "fd99::77", "203.0.113.78"
SERVICES = f"""
[services]
offered = [
  "Wiki of the valley | http://wiki.procomu.lan/ | All we know | {WIKI_V4} {WIKI_V6}",
  "Emergency | http://[{WIKI_V6}]/help | What to do",
]
"""


@pytest.fixture
def square(place):
    settings = place.square.settings
    place.square.furnish(settings.nodes, settings.community_key_file, more=SERVICES)
    place.square.start()
    return place.square


@pytest.mark.parametrize("v6", [False, pytest.param(True, marks=pytest.mark.thorough)], ids=["IPv4", "IPv6"])
def test_a_newcomer_reads_the_wiki_by_its_name_and_nothing_else(place, square, comes, v6):
    phone = comes("phone")
    assert phone.do("knock", v6=v6, url="http://wiki.procomu.lan/")["online"]
    assert phone.do("knock", url=f"http://{NEXT_TO_IT}/")["captured"]
    assert phone.do("knock", v6=v6)["captured"]
    assert 0 == arrived_from(place, phone)


def test_the_portal_lists_the_services_for_every_device(square, comes):
    phone = comes("phone")
    page = phone.do("knock", url="http://login.procomu.lan/services")
    assert 200 == page["status"]
    assert "Wiki of the valley" in page["body"]
    assert f"http://[{WIKI_V6}]/help" in page["body"]


def test_an_admitted_device_reads_the_wiki_too(square, online):
    phone = online("phone")
    assert phone.do("knock", url="http://wiki.procomu.lan/")["online"]

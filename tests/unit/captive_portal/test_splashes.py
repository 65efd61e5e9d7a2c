"""The first page is made once for all, and differs for each device in its token alone."""

from dataclasses import replace

from captive_portal import welcome
from captive_portal.forms import JOIN, LANGUAGE
from captive_portal.place import Language, Page, Tongue
from captive_portal.ports import ServiceView
from captive_portal.splashes import DEVICES_MAX, SPLASHES_MAX, Splashes
from node.membership.notices import Notice, NoticeText
from node.units import MacAddress
from tests.fakes.front_door import BEN, renderer
from tests.fakes.house import COMMUNITY, FakeHouse
from tests.fakes.visits import visit


class Counted:
    """A renderer that counts what it makes."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self, page: Page) -> bytes:
        self.made += 1
        return renderer().render_once(page)


def test_it_is_the_page_that_would_be_rendered() -> None:
    splashes = Splashes(renderer().render_once)
    for word in ("", "expired", "code-over"):
        assert renderer().render_once(welcome.splash(visit(), word)) == splashes.body(visit(), word)


def test_everybody_has_a_token_of_their_own_on_a_page_made_once() -> None:
    render = Counted()
    splashes, house = Splashes(render), FakeHouse()
    ana, ben = splashes.body(visit(house), ""), splashes.body(visit(house, mac=BEN), "")
    assert 1 == render.made
    assert ana != ben
    assert ana == ben.replace(visit(mac=BEN).token("join").encode(), visit().token("join").encode())


def test_what_the_community_changes_is_seen_at_once() -> None:
    render, house = Counted(), FakeHouse()
    splashes = Splashes(render)
    splashes.body(visit(house), "")
    house.board = (Notice(1, "network", "everyone", "", "", True, (NoticeText("en", "Storm", "Stay in."),)),)
    assert b"Stay in." in splashes.body(visit(house), "")
    house.around = (ServiceView("Wiki", "http://wiki.lan/", "", True),)
    assert b"http://wiki.lan/" in splashes.body(visit(house), "")
    house.view = replace(COMMUNITY, terms="Be even kinder.")
    assert b"Be even kinder." in splashes.body(visit(house), "")
    assert 4 == render.made


def test_no_crowd_of_languages_fills_the_memory() -> None:
    render = Counted()
    splashes = Splashes(render)
    for number in range(SPLASHES_MAX + 1):
        splashes.body(visit(tongue=Tongue(Language(f"x-{number}", ""))), "")
    splashes.body(visit(tongue=Tongue(Language(f"x-{SPLASHES_MAX}", ""))), "")
    assert SPLASHES_MAX + 1 == render.made


SPOKEN = Tongue(Language("en", "English"), (Language("en", "English"), Language("ca", "català")))


def test_each_device_has_its_own_token_for_the_language_and_a_new_one_each_minute() -> None:
    splashes = Splashes(renderer().render_once)
    now = visit(tongue=SPOKEN)
    later = replace(now, tokens=replace(now.tokens, minute=now.tokens.minute + 1))
    for each in (now, visit(tongue=SPOKEN, mac=BEN), later, now):
        body = splashes.body(each, "").decode()
        assert 'name="lang" value="ca"' in body
        for purpose in (JOIN, LANGUAGE):
            assert each.token(purpose) in body
        assert "\ue000" not in body
        assert "good" == each.tokens.judge(LANGUAGE, each.device, each.token(LANGUAGE))


def test_no_crowd_of_devices_fills_the_memory() -> None:
    splashes = Splashes(renderer().render_once)
    for number in range(DEVICES_MAX + 2):
        splashes.body(visit(mac=MacAddress(f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}")), "")
    assert len(splashes._signed) < DEVICES_MAX

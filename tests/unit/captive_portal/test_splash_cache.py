"""The splash page is rendered once for all devices, and differs only in the token."""

from dataclasses import replace

from captive_portal import splash
from captive_portal.forms import JOIN, LANGUAGE
from captive_portal.page_context import PortalPage
from captive_portal.splash_cache import DEVICES_MAX, SPLASHES_MAX, SplashCache
from node.accounts.notices import Notice, NoticeText
from node.lan.mdns_services import ServiceView
from node.units import MacAddress
from node.web.language_choice import Language, PageLanguage
from tests.fakes.portal_backend import COMMUNITY, FakePortalBackend
from tests.fakes.portal_server import BEN, rendered, renderer
from tests.fakes.requests import context


class Counted:
    """A renderer that counts its calls."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self, page: PortalPage, lang: str) -> bytes:
        self.made += 1
        return renderer().render(page, lang)


def test_the_cached_page_equals_the_rendered_page() -> None:
    splashes = SplashCache(renderer().render)
    for word in ("", "expired", "code-over"):
        assert rendered(splash.splash(context(), word)) == splashes.body(context(), word)


def test_each_device_has_its_own_token_on_a_page_rendered_once() -> None:
    render = Counted()
    splashes, backend = SplashCache(render), FakePortalBackend()
    ana, ben = splashes.body(context(backend), ""), splashes.body(context(backend, mac=BEN), "")
    assert 1 == render.made
    assert ana != ben
    assert ana == ben.replace(context(mac=BEN).token("join").encode(), context().token("join").encode())


def test_changes_by_the_community_are_shown_at_once() -> None:
    render, backend = Counted(), FakePortalBackend()
    splashes = SplashCache(render)
    splashes.body(context(backend), "")
    backend.board = (
        Notice(1, "network", "everyone", "", "", True, (NoticeText("en", "Storm", "Stay in."),)),
    )
    assert b"Stay in." in splashes.body(context(backend), "")
    backend.around = (ServiceView("Wiki", "http://wiki.lan/", "", True),)
    assert b"http://wiki.lan/" in splashes.body(context(backend), "")
    backend.view = replace(COMMUNITY, terms="Be even kinder.")
    assert b"Be even kinder." in splashes.body(context(backend), "")
    assert 4 == render.made


def test_many_languages_do_not_fill_the_memory() -> None:
    render = Counted()
    splashes = SplashCache(render)
    for number in range(SPLASHES_MAX + 1):
        splashes.body(context(page_language=PageLanguage(Language(f"x-{number}", ""))), "")
    splashes.body(context(page_language=PageLanguage(Language(f"x-{SPLASHES_MAX}", ""))), "")
    assert SPLASHES_MAX + 1 == render.made


SPOKEN = PageLanguage(Language("en", "English"), (Language("en", "English"), Language("ca", "català")))


def test_each_device_has_its_own_token_for_the_language_and_a_new_one_each_minute() -> None:
    splashes = SplashCache(renderer().render)
    now = context(page_language=SPOKEN)
    later = replace(now, tokens=replace(now.tokens, minute=now.tokens.minute + 1))
    for each in (now, context(page_language=SPOKEN, mac=BEN), later, now):
        body = splashes.body(each, "").decode()
        assert 'name="lang" value="ca"' in body
        for purpose in (JOIN, LANGUAGE):
            assert each.token(purpose) in body
        assert "\ue000" not in body
        assert "good" == each.tokens.judge(LANGUAGE, each.device, each.token(LANGUAGE))


def test_many_devices_do_not_fill_the_memory() -> None:
    splashes = SplashCache(renderer().render)
    for number in range(DEVICES_MAX + 2):
        splashes.body(context(mac=MacAddress(f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}")), "")
    assert len(splashes._signed) < DEVICES_MAX

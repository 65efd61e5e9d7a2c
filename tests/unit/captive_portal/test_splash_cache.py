"""The splash page is rendered once for all devices, and differs only in the token."""

from dataclasses import replace

from captive_portal import splash
from captive_portal.forms import JOIN, LANGUAGE
from captive_portal.request_context import PortalPage
from captive_portal.splash import DEVICES_MAX, SPLASHES_MAX, SplashCache
from node.accounts.notices import Notice, NoticeText
from node.accounts.terms import TermsText
from node.lan.mdns_services import ServiceView
from node.units import MacAddress
from node.web.language_choice import Language
from tests.fakes.portal_server import context, joining, portal_node, rendered, renderer
from tests.fakes.use_cases import BEN, UseCases


class Counted:
    """A renderer that counts its calls."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self, page: PortalPage, lang: str) -> bytes:
        self.made += 1
        return renderer().render(page, lang)


def test_the_cached_page_equals_the_rendered_page() -> None:
    splashes, ana = SplashCache(renderer().render), context()
    for word in ("", "expired", "code-over"):
        assert rendered(splash.splash(ana, word)) == splashes.body(ana, word)


def test_each_device_has_its_own_token_on_a_page_rendered_once() -> None:
    render = Counted()
    splashes, app = SplashCache(render), portal_node().use_cases()
    ana, ben = splashes.body(context(app), ""), splashes.body(context(app, mac=BEN), "")
    assert 1 == render.made
    assert ana != ben
    assert ana == ben.replace(
        context(app, mac=BEN).token("join").encode(), context(app).token("join").encode()
    )


async def test_changes_by_the_community_are_shown_at_once(app: UseCases) -> None:
    render = Counted()
    splashes = SplashCache(render)
    splashes.body(context(app), "")
    await app.put_up(Notice(0, "network", "everyone", "", "", True, (NoticeText("en", "Storm", "Stay in."),)))
    assert b"Stay in." in splashes.body(context(app), "")
    app.node.services = (ServiceView("Wiki", "http://wiki.lan/", "", True),)
    assert b"http://wiki.lan/" in splashes.body(context(app), "")
    await app.save_terms(TermsText("en", "Be even kinder."))
    assert b"Be even kinder." in splashes.body(context(app), "")
    await app.adopt(joining("voucher"))
    assert b"/join/terms" not in splashes.body(context(app), "")
    assert 5 == render.made


def test_many_languages_do_not_fill_the_memory() -> None:
    render = Counted()
    splashes, app = SplashCache(render), portal_node().use_cases()
    for number in range(SPLASHES_MAX + 1):
        splashes.body(context(app, languages=(Language(f"x-{number}", ""),)), "")
    splashes.body(context(app, languages=(Language(f"x-{SPLASHES_MAX}", ""),)), "")
    assert SPLASHES_MAX + 1 == render.made


SPOKEN = (Language("en", "English"), Language("ca", "català"))


def test_each_device_has_its_own_token_for_the_language_and_a_new_one_each_minute() -> None:
    splashes, app = SplashCache(renderer().render), portal_node().use_cases()
    now = context(app, languages=SPOKEN)
    later = replace(now, tokens=replace(now.tokens, minute=now.tokens.minute + 1))
    for each in (now, context(app, languages=SPOKEN, mac=BEN), later, now):
        body = splashes.body(each, "").decode()
        assert 'name="lang" value="ca"' in body
        for purpose in (JOIN, LANGUAGE):
            assert each.token(purpose) in body
        assert "\ue000" not in body
        assert "good" == each.tokens.judge(LANGUAGE, each.device, each.token(LANGUAGE))


def test_many_devices_do_not_fill_the_memory() -> None:
    splashes, app = SplashCache(renderer().render), portal_node().use_cases()
    for number in range(DEVICES_MAX + 2):
        splashes.body(context(app, mac=MacAddress(f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}")), "")
    assert len(splashes._signed) < DEVICES_MAX

"""Language negotiation at the portal, without cookies and scripts."""

import re
from pathlib import Path
from urllib.parse import urlencode

import pytest

from captive_portal import info_pages, splash
from captive_portal.forms import LANGUAGE
from captive_portal.request_context import PageContext
from captive_portal.server import portal_renderer
from node.accounts.notices import Notice, NoticeText
from node.accounts.terms import TermsText
from node.web.language_choice import LanguageChooser
from tests.contracts.portal_client import PortalBrowser
from tests.fakes.portal_server import (
    BENS_ADDRESS,
    STRANGERS_ADDRESS,
    TOKENS,
    open_portal_server,
    portal_node,
    rendered,
)
from tests.fakes.rule_files import EXAMPLE
from tests.fakes.use_cases import ANA, KEPT

PUBLIC = ("/", "/terms", "/network", "/notices", "/services", "/privacy", "/help", "/ways")
INSIDE = ("/me", "/my-data", "/my-data/erase")
WELCOMES = {
    "en": "Welcome to",
    "fr": "Bienvenue à",
    "es": "Te damos la bienvenida a",
    "ca": "Et donem la benvinguda a",
    "ar": "أهلًا بك في",
}


def speaking(tag: str) -> str:
    return f'<html lang="{tag}" dir="{"rtl" if tag == "ar" else "ltr"}">'


@pytest.mark.parametrize("tag", WELCOMES)
async def test_the_response_is_in_the_language_that_the_browser_requests(tag: str) -> None:
    async with open_portal_server() as server:
        reply = await PortalBrowser(server.port).get(Accept_Language=f"{tag}, en;q=0.1")
    assert WELCOMES[tag] in reply.body
    assert speaking(tag) in reply.body
    assert (tag, "Accept-Language") == (reply.headers["content-language"], reply.headers["vary"])


@pytest.mark.parametrize("tag", WELCOMES)
async def test_every_page_is_in_the_requested_language(tag: str) -> None:
    async with open_portal_server() as server:
        await server.app.join(ANA)
        for path in (*PUBLIC, *INSIDE, "/nothing-here"):
            reply = await PortalBrowser(server.port).get(path, Accept_Language=tag)
            assert speaking(tag) in reply.body, path
            assert tag == reply.headers["content-language"], path


@pytest.mark.parametrize("tag", WELCOMES)
async def test_the_first_page_is_small_in_every_language(tag: str) -> None:
    async with open_portal_server() as server:
        reply = await PortalBrowser(server.port).get(Accept_Language=tag)
    assert len(reply.body.encode()) <= splash.SPLASH_BYTES_MAX


async def test_a_language_choice_holds_without_a_cookie_and_for_this_device_only() -> None:
    async with open_portal_server() as server:
        ana, ben = PortalBrowser(server.port), PortalBrowser(server.port, BENS_ADDRESS)
        page = await ana.get("/network", Accept_Language="fr")
        pressed = await ana.post("/language", page.fill("/language", lang="ca"), Accept_Language="fr")
        assert (303, "/network") == (pressed.status, pressed.headers["location"])
        for path in PUBLIC:
            reply = await ana.get(path, Accept_Language="fr")
            assert speaking("ca") in reply.body
            assert "set-cookie" not in reply.headers
        assert speaking("fr") in (await ben.get(Accept_Language="fr")).body


async def test_a_mistake_is_reported_in_the_chosen_language() -> None:
    async with open_portal_server() as server:
        ana = PortalBrowser(server.port)
        page = await ana.get("/")
        await ana.post("/language", page.fill("/language", lang="es"))
        form = f"token={page.field('token')}&terms=2&code=0000000000"
        reply = await ana.post("/join/code", form, Accept_Language="fr")
    assert speaking("es") in reply.body
    assert "código" in reply.body


@pytest.mark.parametrize(
    "headers",
    [{}, *({"Sec_Fetch_Site": site} for site in ("cross-site", "same-site", "none", "same-origin"))],
    ids=lambda headers: headers.get("Sec_Fetch_Site", "an old browser"),
)
async def test_a_language_in_an_address_holds_for_one_request_and_an_embedded_image_cannot_choose(
    headers: dict[str, str],
) -> None:
    """Over HTTP a browser does not say which site embeds an address, and an old one never does."""
    async with open_portal_server() as server:
        ana = PortalBrowser(server.port)
        for path in ("/", "/network", "/nothing"):
            once = await ana.get(f"{path}?lang=ar", Accept_Language="fr", **headers)
            assert speaking("ar") in once.body
        assert speaking("fr") in (await ana.get(Accept_Language="fr")).body


async def test_a_language_choice_needs_a_token_of_this_device() -> None:
    """As a form of a foreign site would try it in an old browser."""
    async with open_portal_server() as server:
        ana, ben = PortalBrowser(server.port), PortalBrowser(server.port, BENS_ADDRESS)
        bens = (await ben.get()).fill("/language", lang="ar")
        assert 403 == (await ana.post("/language", bens)).status
        assert 400 == (await ana.post("/language", "lang=ar&back=/")).status
        assert speaking("fr") in (await ana.get(Accept_Language="fr")).body


@pytest.mark.parametrize(
    ("back", "leads_to"),
    [
        ("/network", "/network"),
        ("/?code=7K3M", "/?code=7K3M"),
        ("/?code=7K3M&lang=ar&done=named", "/?code=7K3M"),
        ("//evil.example/", "/"),
        ("https://evil.example/", "/"),
        ("/leave", "/"),
        ("/nothing", "/"),
        ("", "/"),
        ("/network?x=\n", "/network"),
    ],
)
async def test_the_language_switch_redirects_to_the_portals_own_pages_only(back: str, leads_to: str) -> None:
    async with open_portal_server() as server:
        ana = PortalBrowser(server.port)
        form = urlencode({"token": TOKENS.token(LANGUAGE, ANA), "lang": "ca", "back": back})
        reply = await ana.post("/language", form)
    if "\n" in back:
        assert 400 == reply.status
    else:
        assert (303, leads_to) == (reply.status, reply.headers["location"])


async def test_an_expired_language_switch_still_shows_the_page_in_that_language() -> None:
    async with open_portal_server() as server:
        ana = PortalBrowser(server.port)
        page = await ana.get("/network", Accept_Language="fr")
        await server.pass_hours(25)
        pressed = await ana.post("/language", page.fill("/language", lang="ca"))
        assert "/network?lang=ca" == pressed.headers["location"]
        page = await ana.get(pressed.headers["location"], Accept_Language="fr")
        assert speaking("ca") in page.body
        assert (
            "/network" == (await ana.post("/language", page.fill("/language", lang="ca"))).headers["location"]
        )


async def test_a_device_outside_the_client_network_reads_in_its_language_too() -> None:
    async with open_portal_server() as server:
        stranger = PortalBrowser(server.port, STRANGERS_ADDRESS)
        assert speaking("ca") in (await stranger.get(Accept_Language="ca")).body
        assert speaking("es") in (await stranger.get("/network?lang=es", Accept_Language="ca")).body
        assert speaking("ca") in (await stranger.get(Accept_Language="ca")).body


@pytest.mark.parametrize(
    "asked", ["%00", "..%2f..%2fetc", "xx", "<script>", "a" * 4_000, "ca&lang=es&lang=%ff", "", "EN"]
)
async def test_an_unknown_language_changes_nothing(asked: str) -> None:
    async with open_portal_server() as server:
        reply = await PortalBrowser(server.port).get(f"/?lang={asked}", Accept_Language="fr")
    assert reply.status == 200
    assert any(speaking(tag) in reply.body for tag in WELCOMES)
    assert "<script" not in reply.body


@pytest.mark.parametrize("header", ["x" * 5_000, ";;;q=", "*", "ca;q=0", "\x80\xff", "ca, " * 900])
async def test_an_invalid_accept_language_header_still_gets_a_page(header: str) -> None:
    async with open_portal_server() as server:
        reply = await PortalBrowser(server.port).get(Accept_Language=header)
    assert reply.status == 200


async def test_the_communitys_own_language_is_the_default() -> None:
    node = portal_node()
    node.configure("portal", language="ca", languages=("es",))
    async with open_portal_server(node) as server:
        ana = PortalBrowser(server.port)
        plain, french = await ana.get(), await ana.get(Accept_Language="fr")
        assert speaking("ca") in plain.body
        assert speaking("ca") in french.body
        assert speaking("es") in (await ana.get(Accept_Language="fr, es;q=0.1")).body
        shown = re.findall(r'<button name="lang" value="([^"]*)"', plain.body)
    assert ["ca", "es"] == shown


async def test_a_community_language_without_a_catalogue_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    node = portal_node()
    node.configure("portal", language="eu")
    async with open_portal_server(node) as server:
        assert speaking("en") in (await PortalBrowser(server.port).get()).body
    assert "pages cannot be in 'eu': there is no eu.po" in caplog.text


async def test_each_language_in_the_switch_is_named_in_itself() -> None:
    async with open_portal_server() as server:
        body = (await PortalBrowser(server.port).get(Accept_Language="en")).body
        elsewhere = (await PortalBrowser(server.port, STRANGERS_ADDRESS).get(Accept_Language="en")).body
    shown = re.findall(r'<button name="lang" value="(\w+)" lang="\1"[^>]*>([^<]+)</button>', body)
    links = re.findall(
        r'<a href="/\?lang=(\w+)" lang="\1" hreflang="\1" dir="(\w+)"[^>]*>([^<]+)</a>', elsewhere
    )
    assert shown == [(tag, name) for tag, _, name in links]
    assert {
        ("en", "ltr", "English"),
        ("fr", "ltr", "français"),
        ("es", "ltr", "español"),
        ("ca", "ltr", "català"),
        ("ar", "rtl", "العربية"),
    } == set(links)
    assert 1 == len(re.findall(r'value="en" lang="en"[^>]*aria-current="true"', body))


# --- texts of the community -------------------------------------------------------------


async def test_terms_are_shown_in_the_language_in_which_they_were_written() -> None:
    async with open_portal_server() as server:
        await server.app.save_terms(TermsText("ca", "Sigueu amables."), TermsText("fr", "Soyez aimables."))
        ana = PortalBrowser(server.port)
        assert "Soyez aimables." in (await ana.get("/terms", Accept_Language="fr")).body
        spanish = (await ana.get("/terms", Accept_Language="es")).body
    assert "Sigueu amables." in spanish, "the first text is the one that binds"


async def test_a_notice_is_shown_in_the_readers_language_where_it_has_one() -> None:
    texts = (NoticeText("ca", "Reunió", "Dilluns a les set."), NoticeText("ar", "اجتماع", "الاثنين."))
    async with open_portal_server() as server:
        await server.app.put_up(Notice(0, "network", "everyone", "", "", False, texts))
        ana = PortalBrowser(server.port)
        assert "اجتماع" in (await ana.get("/notices", Accept_Language="ar")).body
        french = (await ana.get("/notices", Accept_Language="fr")).body
    assert re.search(r'lang="ca"[^>]*>\s*<h2>Reunió', french), "said to be in the language that it is in"


async def test_rules_and_reasons_are_in_the_readers_language() -> None:
    async with open_portal_server(portal_node(rules_text=EXAMPLE, rules="")) as server:
        await server.app.join(ANA)
        ana = PortalBrowser(server.port)
        pages_read = [await ana.get(path, Accept_Language="ca") for path in ("/network", "/me")]
    network, mine = (page.body.replace("\u00a0", " ") for page in pages_read)
    assert "Les persones convidades no tenen mai més de 3 Mbit/s de baixada i 1 Mbit/s de pujada." in network
    assert "Les persones convidades no tenen mai més de 3 Mbit/s" in mine
    assert "guests" not in network.lower()


@pytest.mark.parametrize("tag", ["fr", "es", "ca", "ar"])
async def test_exported_data_is_labelled_in_the_readers_language(tag: str) -> None:
    async with open_portal_server() as server:
        words = server.portal.translations[tag]
        body = (await PortalBrowser(server.port).get("/privacy", Accept_Language=tag)).body
    for kept in KEPT:
        assert kept.purpose not in body
        assert words.gettext(kept.purpose) in body
        assert words.gettext(kept.retention) in body


# --- a new language ---------------------------------------------------------------------


async def test_a_new_language_is_one_file_and_is_offered(tmp_path: Path) -> None:
    (tmp_path / "eu.po").write_text(
        'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n'
        'msgctxt "language"\nmsgid "English"\nmsgstr "euskara"\n\nmsgid "Welcome to %(name)s"\n'
        'msgstr "Ongi etorri %(name)s sarera"\n',
        "utf-8",
    )
    async with open_portal_server() as server:
        server.portal._renderer = basque = portal_renderer(tmp_path)
        server.portal._languages = LanguageChooser(each.language for each in basque.translations.values())
        server.portal._splash_cache._render = basque.render
        reply = await PortalBrowser(server.port).get(Accept_Language="eu-ES")
    assert "Ongi etorri" in reply.body
    assert 'lang="eu" aria-current="true">euskara</button>' in reply.body


def test_a_right_to_left_page_isolates_addresses_and_codes() -> None:
    """Names in other scripts are in elements of their own, so that they do not reorder the sentence."""
    place = PageContext("Vall Verda", "Library", "login.example", "", "", lang="ar", direction="rtl")
    body = rendered(info_pages.NotFound(place)).decode()
    assert "<bdi>Vall Verda</bdi>" in body
    assert "<bdi>login.example</bdi>" in body

"""Language negotiation at the admin pages: the browser's language, and the choice with a cookie."""

import re
from dataclasses import replace

import pytest
from markupsafe import escape

from node.admin.server import COOKIE
from node.web.form_site import LANGUAGE_COOKIE
from tests.contracts.admin_browser import admin_browser
from tests.fakes.admin_pages import ISSUER_LINK, LINK, NO_CLOCK, RULES

TITLES = {
    "en": "Who is online now",
    "fr": "Qui est en ligne maintenant",
    "es": "Quién está en línea ahora",
    "ca": "Qui està en línia ara",
    "ar": "المتصلون الآن",
}
TRANSLATIONS = [*(pytest.param(tag, marks=pytest.mark.thorough) for tag in ("fr", "es", "ca")), "ar"]
QUERIES = {"/people/account": "?id=ana", "/vouchers/batch": "?number=1", "/members/edit": "?id=ana"}
ENGLISH = re.compile(
    r">[^<>]*\b(?:the|this|they|that|with|your|nobody|device|devices|people|members)\b[^<>]*<",
    re.IGNORECASE,
)
ORDER = {"count": "2", "lasts": "7", "unit": "days", "devices": "1", "group": "day-pass", "lang": "ca"}


@pytest.fixture
async def browser(tmp_path):
    async with admin_browser(tmp_path) as made:
        yield made


def pages_of(browser):
    """Without pictures and files for other programs."""
    paths = [route.path for route in browser.routes if route.method == "GET"]
    return [
        path + QUERIES.get(path, "")
        for path in paths
        if not path.endswith((".csv", ".json", ".sh", ".svg", ".xml"))
    ]


def speaking(tag):
    return f'<html lang="{tag}" dir="{"rtl" if tag == "ar" else "ltr"}">'


def choice(browser, tag, back="/", **fields):
    return browser.post("/language", {"lang": tag, "back": back, **fields})


@pytest.mark.parametrize("tag", TITLES)
async def test_the_page_is_in_the_language_that_the_browser_requests(browser, tag):
    await browser.sign_in()
    response, page = await browser.get("/", **{"Accept-Language": f"{tag}, en;q=0.1"})
    assert TITLES[tag] in page
    assert speaking(tag) in page
    assert tag == response.headers["Content-Language"]
    assert "Accept-Language" in response.headers["Vary"]


@pytest.mark.parametrize("tag", [pytest.param("en", marks=pytest.mark.thorough), *TRANSLATIONS])
async def test_every_page_is_in_the_requested_language(browser, tag):
    heard = {"Accept-Language": tag}
    _, page = await browser.get(f"/sign-in?token={LINK}", **heard)
    assert speaking(tag) in page
    await browser.sign_in()
    await browser.send("/vouchers", **ORDER)
    for path in (*pages_of(browser), "/nowhere", "/people/account?id=nobody"):
        response, page = await browser.get(path, **heard)
        assert response.status in {200, 404}, path
        assert speaking(tag) in page, path
        assert tag == response.headers["Content-Language"], path
        assert f'lang="{tag}" dir="{"rtl" if tag == "ar" else "ltr"}" aria-current="true"' in page, path


@pytest.mark.parametrize("tag", TRANSLATIONS)
async def test_no_english_sentence_is_left_on_a_page(browser, tag):
    """Only texts of the community and of the command line are English, and the reasons why a form is refused."""
    await browser.sign_in()
    for path in pages_of(browser):
        _, page = await browser.get(path, **{"Accept-Language": tag})
        text = re.sub(r"(?s)<(style|textarea|pre|script)\b.*?</\1>", "", page)
        text = re.sub(r'<(\w+)[^>]*(?:lang="en"|dir="auto")[^>]*>.*?</\1>', "", text)
        for own in ("Come and talk to us.", "Be kind to each other.", "Storm tonight"):
            text = text.replace(own, "")
        assert [] == ENGLISH.findall(text), path


async def test_a_choice_is_kept_in_a_cookie_and_goes_before_the_header(browser):
    await browser.sign_in()
    response, _ = await choice(browser, "ca", "/members?q=ana", csrf_token=await browser.csrf_token())
    assert (303, "/members?q=ana") == (response.status, response.headers["Location"])
    cookie = response.cookies[LANGUAGE_COOKIE]
    assert ("ca", "Strict", True) == (cookie.value, cookie["samesite"], cookie["httponly"])
    for path in ("/", "/vouchers", "/nowhere"):
        _, page = await browser.get(path, **{"Accept-Language": "fr"})
        assert speaking("ca") in page


async def test_a_choice_can_be_made_before_signing_in(browser):
    _, page = await browser.get(f"/sign-in?token={LINK}")
    back = re.search(r'name="back" value="([^"]*)"', page)[1]
    response, _ = await choice(browser, "es", back)
    assert f"/sign-in?token={LINK}" == response.headers["Location"]
    _, page = await browser.get(response.headers["Location"])
    assert speaking("es") in page
    await browser.sign_in()


async def test_a_choice_needs_the_token_of_the_session(browser):
    await browser.sign_in()
    for fields in ({}, {"csrf_token": "0" * 64}):
        response, _ = await choice(browser, "ar", **fields)
        assert (403, {}) == (response.status, dict(response.cookies))
    _, page = await browser.get("/")
    assert speaking("en") in page


async def test_a_page_of_another_site_cannot_choose(browser):
    response, _ = await browser.post(
        "/language", {"lang": "ar", "back": "/"}, **{"Sec-Fetch-Site": "cross-site"}
    )
    assert (403, {}) == (response.status, dict(response.cookies))


@pytest.mark.parametrize(
    ("back", "leads_to"),
    [
        ("/vouchers/batch?number=1", "/vouchers/batch?number=1"),
        ("/?live", "/?live="),
        ("//evil.example/", "/"),
        ("https://evil.example/", "/"),
        ("https://[", "/"),
        ("/sign-out", "/"),
        ("/members/void", "/"),
        ("/language", "/"),
        ("", "/"),
        ("/rules?x=\r\nSet-Cookie: a=b", "/rules?x=Set-Cookie%3A+a%3Db"),
    ],
)
async def test_a_choice_redirects_to_pages_of_this_site_only(browser, back, leads_to):
    await browser.sign_in()
    response, _ = await choice(browser, "ca", back, csrf_token=await browser.csrf_token())
    assert (303, leads_to) == (response.status, response.headers["Location"])


@pytest.mark.parametrize("tag", ["", "xx", "eu", "<script>", "a" * 4_000, "ca; Path=/x", "\x00"])
async def test_an_unknown_language_changes_nothing(browser, tag):
    await browser.sign_in()
    response, _ = await choice(browser, tag, csrf_token=await browser.csrf_token())
    assert (303, {}) == (response.status, dict(response.cookies))
    browser.session.cookie_jar.update_cookies({LANGUAGE_COOKIE: tag.strip("\x00;")})
    response, page = await browser.get("/", **{"Accept-Language": "fr"})
    assert (200, True) == (response.status, speaking("fr") in page or tag.startswith("ca"))


async def test_without_a_wish_the_page_is_in_the_language_of_the_community(browser, monkeypatch):
    site = browser.app.admin.site()
    monkeypatch.setattr(
        browser.app.admin, "site", lambda: replace(site, languages=(("ca", "Català"), ("en", "English")))
    )
    _, page = await browser.get("/")
    assert speaking("ca") in page
    _, page = await browser.get("/", **{"Accept-Language": "fr"})
    assert speaking("fr") in page, "admins choose among all languages"


async def test_each_language_is_named_in_itself(browser):
    await browser.sign_in()
    _, page = await browser.get("/")
    shown = re.findall(r'name="lang" value="(\w+)" lang="\1" dir="(\w+)"[^>]*>([^<]+)</button>', page)
    assert {
        ("en", "ltr", "English"),
        ("fr", "ltr", "français"),
        ("es", "ltr", "español"),
        ("ca", "ltr", "català"),
        ("ar", "rtl", "العربية"),
    } == set(shown)


async def test_a_mistake_is_reported_in_the_language_of_the_page(browser):
    await browser.sign_in()
    await choice(browser, "fr", csrf_token=await browser.csrf_token())
    response, page = await browser.send("/vouchers", **{**ORDER, "count": "0"})
    assert (422, True) == (response.status, "Écrivez un nombre entier de 1 à" in page)
    response, page = await browser.send("/vouchers/code", code="7KM3-Q2W9-XA")
    assert "Comparez-le lettre par lettre avec le papier." in page
    _, page = await browser.send("/access", role="issuer", name="counter", lasts="soon")
    assert "n’est pas une durée pour des codes" in page


WRONG_RULES = """
[[rule]]
id = "guest-evening"
ceiling = "5 Mbit/s down, 1 Mbit/s up"
who = "tier:guest"
when = "daily 18:00-23:00"
by = "D-2026-020"

[[rule]]
id = "hosts"
floor = "200 Mbit/s down, 500 kbit/s up"
who = "group:mast-hosts"
by = "D-2026-020"

[[rule]]
id = "slow"
ceiling = "100 kbit/s down, 1 Mbit/s up"
who = "tier:member"
when = "fri 20:00-22:00"
by = "D-2026-020"

[[test]]
given = "member, fri 21:00, alone"
expect = "down >= 3 Mbit/s"
"""


@pytest.mark.parametrize(
    "text", [RULES + WRONG_RULES, "nonsense", RULES + WRONG_RULES.replace("when", "wehn")]
)
async def test_what_is_wrong_with_rules_is_said_in_the_language_of_the_page(browser, text):
    await browser.sign_in()
    await choice(browser, "fr", csrf_token=await browser.csrf_token())
    _, page = await browser.send("/rules", text=text)
    found = page[page.index("<main") : page.index("<textarea")]
    assert 'lang="en"' not in found
    assert "Solution\u00a0:" in found
    shown = re.sub(r"<code>.*?</code>|<[^>]+>", " ", found)
    assert not re.search(r"\b(the|of|is|and|or|write|Line|Fix|Error|never|than|at most)\b", shown), shown


async def test_each_finding_leads_to_its_line_and_stands_below_it(browser):
    await browser.sign_in()
    _, page = await browser.send("/rules", text=RULES + WRONG_RULES)
    lines = (RULES + WRONG_RULES).split("\n")
    at = lines.index('id = "hosts"')
    assert f'<a class="line" href="#line-{at}">Line {at}</a> <code>E04</code>' in page
    assert re.search(
        rf'<li id="line-{at}" value="{at}" class="found"><code>\[\[rule\]\]</code><div class="finding wrong"',
        page,
    )
    assert '<form class="card" id="rules" method="post" action="/rules#check">' in page
    assert '<div id="check">' in page


async def test_a_proposed_exception_is_taken_into_the_text_and_nothing_is_adopted(browser):
    await browser.sign_in()
    text = RULES + WRONG_RULES[: WRONG_RULES.index("[[rule]]", 10)]
    _, page = await browser.send("/rules", text=text)
    line = text.split("\n").index('id = "guest-evening"')
    assert (
        f'<button class="quiet small" form="rules" name="add" value="{line}">Make it an exception</button>'
        in page
    )
    _, page = await browser.send("/rules", text=text, add=str(line))
    assert "nothing is in force yet" in page
    assert escape('id = "guest-evening"\nexception_to = "guest-top"\n') in page
    assert 'name="add"' not in page
    _, page = await browser.get("/rules")
    assert "guest-evening" not in page
    response, page = await browser.post("/rules", {"text": text, "add": str(line)})
    assert 403 == response.status, "without its token"


async def test_a_text_in_english_only_is_marked_as_english(browser):
    await browser.sign_in()
    await choice(browser, "ar", csrf_token=await browser.csrf_token())
    _, page = await browser.get("/")
    assert re.search(r"ملف القواعد: .السطر \d+: .W05.: .anchors", page)
    assert f'<li><span lang="en" dir="ltr">{escape(NO_CLOCK)}</span></li>' in page


async def test_a_sheet_is_printed_in_its_own_language_within_a_page_in_another(browser):
    await browser.sign_in()
    await choice(browser, "ar", csrf_token=await browser.csrf_token())
    _, page = await browser.send("/vouchers", ticket=await ticket(browser), **ORDER)
    assert speaking("ar") in page
    assert '<div class="slips size-12" lang="ca" dir="ltr">' in page
    assert "Connecta’t al wifi" in page
    assert "اطبعها من متصفحك" in page


async def test_a_page_that_is_shown_once_has_no_choice_of_language(browser):
    """A choice would lead away from it."""
    await browser.sign_in()
    _, sheet = await browser.send("/vouchers", ticket=await ticket(browser), **ORDER)
    _, passphrase = await browser.send("/members/passphrase", account="ana")
    _, link = await browser.send("/access", role="admin", name="Ben")
    for page in (sheet, passphrase, link):
        assert 'action="/language"' not in page
        assert "</html>" in page


async def test_an_issuer_chooses_too(browser):
    await browser.sign_in(ISSUER_LINK)
    await choice(browser, "es", "/vouchers", csrf_token=await browser.csrf_token())
    _, page = await browser.get("/vouchers")
    assert "Has entrado como punto de entrega library." in page
    assert "Como máximo 100 códigos al día." in page


async def test_signing_out_keeps_the_language(browser):
    await browser.sign_in()
    await choice(browser, "ca", csrf_token=await browser.csrf_token())
    response, _ = await browser.send("/sign-out")
    assert {COOKIE} == set(response.cookies)
    _, page = await browser.get("/")
    assert "<h1>Entra</h1>" in page


async def ticket(browser):
    _, page = await browser.get("/vouchers")
    return re.search(r'name="ticket" value="([^"]+)"', page)[1]

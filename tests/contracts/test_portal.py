"""The portal as people and their devices use it: over real sockets, without cookies, storage or scripts."""

import asyncio
import base64
import hashlib
import json
import re
import sys
import zlib
from datetime import timedelta
from html.parser import HTMLParser

import pytest

from captive_portal.actions import ACTIONS
from captive_portal.capport import CACHE_CONTROL
from captive_portal.responsiveness import LARGE_PATH, UPLOAD_PATH
from captive_portal.server import ADDRESSES, Portal
from captive_portal.splash import SPLASH_BYTES_MAX
from node.accounts.appearance import (
    NO_APPEARANCE,
    WELCOME_CHARS_MAX,
    WIFI_NAME_BYTES_MAX,
    Appearance,
    Logo,
    WelcomeText,
    read_logo,
)
from node.accounts.notices import TEXT_CHARS_MAX, TITLE_CHARS_MAX, Notice, NoticeText
from node.accounts.terms import TermsText
from node.app.outage_note import KNOWN_TO_CHARS_MAX
from node.errors import NodeError
from node.lan.mdns_services import ServiceView
from tests.contracts.portal_client import HOST, PortalBrowser, PortalReply
from tests.fakes.neighbours import id_of
from tests.fakes.pictures import png
from tests.fakes.portal_server import (
    BENS_ADDRESS,
    SECRET,
    STRANGERS_ADDRESS,
    PortalServer,
    open_portal_server,
    portal_node,
)
from tests.fakes.use_cases import ANA, BEN, SESSION_MS

_READ = read_logo(png(96, 48, data=bytes(range(256)) * 38))
assert isinstance(_READ, Logo)
LOGO = _READ
"""Almost as large as a logo may be."""


def without_tokens(page: PortalReply) -> str:
    return re.sub('name="token" value="[^"]*"', "", page.body)


PORTAL_URL = f"http://{HOST}/"
OUR_PATHS = tuple(sorted(ADDRESSES - ACTIONS.keys() - {LARGE_PATH, UPLOAD_PATH}))
"""Without the transfers of the responsiveness test, which have tests of their own."""


async def join(browser: PortalBrowser) -> PortalReply:
    splash = await browser.get("/")
    return await browser.post("/join/terms", f"terms={splash.field('terms')}&token={splash.field('token')}")


# --- joining and leaving ---


async def test_a_guest_reads_the_terms_presses_one_button_and_is_online(
    server: PortalServer, ana: PortalBrowser
) -> None:
    """Captured, redirected to the portal, accepted, on the account page: four plain requests, none of which
    sets a cookie.
    """
    captured = await ana.get("/news", host="example.com")
    assert (302, PORTAL_URL) == (captured.status, captured.headers["location"])
    splash = await ana.get("/")
    assert 200 == splash.status
    assert all(
        text in splash.body for text in ("Vall Verda", "Be kind to each other.", "Do not resell the line.")
    )
    accepted = await ana.post("/join/terms", f"terms={splash.field('terms')}&token={splash.field('token')}")
    assert (303, "/me") == (accepted.status, accepted.headers["location"])
    assert {ANA: "2"} == server.app.accepted()
    await server.app.use(ANA, down=15_000_000_000)
    mine = await ana.get("/me")
    assert 200 == mine.status
    for text in (
        "You are online",
        "45 GB left of 60 GB",
        "Guests never have more than 10 Mbit/s download and 2 Mbit/s upload.",
        "evening",
        "D-2026-003",
    ):
        assert text in mine.body
    assert not any("set-cookie" in reply.headers for reply in (captured, splash, accepted, mine))


async def test_a_guest_who_leaves_no_longer_passes(server: PortalServer, ana: PortalBrowser) -> None:
    await join(ana)
    assert {ANA} == server.app.passing()
    mine = await ana.get("/")
    left = await ana.post("/leave", mine.fill("/leave"))
    assert (303, "/") == (left.status, left.headers["location"])
    assert set() == server.app.passing()
    assert "Accept and go online" in (await ana.get("/")).body


async def test_a_guest_whose_session_ended_is_told_so(server: PortalServer, ana: PortalBrowser) -> None:
    await join(ana)
    await server.app.pass_time(SESSION_MS)
    assert "Your time is up" in (await ana.get("/")).body
    assert 303 == (await join(ana)).status


async def test_a_blocked_device_reads_why_and_a_contact_address(
    server: PortalServer, ana: PortalBrowser
) -> None:
    await server.app.block(ANA, "<b>noise</b> at night")
    page = await ana.get("/")
    assert 403 == page.status
    assert "&lt;b&gt;noise&lt;/b&gt; at night" in page.body
    assert "hello@vallverda.example" in page.body


async def test_a_refusal_of_the_kernel_is_told_with_its_reason(
    server: PortalServer, ana: PortalBrowser
) -> None:
    server.app.node.kernel.refusing = "nftables refused: no <memory>"
    refused = await join(ana)
    assert (503, "5") == (refused.status, refused.headers["retry-after"])
    assert "nftables refused: no &lt;memory&gt;" in refused.body
    assert set() == server.app.passing()


async def test_a_device_that_cannot_be_looked_up_now_is_asked_to_try_again(
    server: PortalServer, ana: PortalBrowser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page has no token of the device, because another one may claim its address."""
    lookups = []

    def look_up(_address: str, device: object) -> bool:
        lookups.append(device)
        if len(lookups) > 1:  # the first is when the connection opens
            raise NodeError("the kernel answers no neighbour request", "try again")
        return False

    monkeypatch.setattr(server.callers, "is_disputed", look_up)
    reply = await ana.get("/terms")
    assert (503, "5") == (reply.status, reply.headers["retry-after"])
    assert "neighbour" not in reply.body
    assert 'name="token"' not in reply.body
    monkeypatch.undo()
    assert 200 == (await ana.get("/terms")).status


async def test_what_the_kernel_does_not_do_now_asks_to_try_again(
    server: PortalServer, ana: PortalBrowser
) -> None:
    await join(ana)
    mine = await ana.get("/")
    server.app.node.kernel.refusing = "nftables refused: full of secrets"
    busy = await ana.post("/leave", mine.fill("/leave"))
    assert (503, "5") == (busy.status, busy.headers["retry-after"])
    assert "secrets" not in busy.body
    server.app.node.kernel.refusing = ""
    await server.app.settle()
    assert set() == server.app.passing()
    assert 303 == (await join(ana)).status


async def test_terms_that_changed_meanwhile_are_shown_again(server: PortalServer, ana: PortalBrowser) -> None:
    splash = await ana.get("/")
    assert "3" == await server.app.save_terms(TermsText("en", "Be even kinder."))
    again = await ana.post("/join/terms", f"terms={splash.field('terms')}&token={splash.field('token')}")
    assert 409 == again.status
    assert "Be even kinder." in again.body
    assert {} == server.app.accepted()
    await ana.post("/join/terms", f"terms={again.field('terms')}&token={again.field('token')}")
    assert {ANA: "3"} == server.app.accepted()


async def test_a_device_outside_the_client_network_cannot_join(
    server: PortalServer, stranger: PortalBrowser, ana: PortalBrowser
) -> None:
    assert "Join the Wi-Fi first" in (await stranger.get("/")).body
    splash = await ana.get("/")
    form = f"terms=2&token={splash.field('token')}"
    assert 403 == (await stranger.post("/join/terms", form)).status
    assert {} == server.app.accepted()


async def test_a_token_is_not_accepted_from_another_device(
    server: PortalServer, ana: PortalBrowser, ben: PortalBrowser
) -> None:
    """A token is valid for one device; a new hardware address gets a fresh page and not a cryptic error."""
    splash = await ana.get("/")
    stale = await ben.post("/join/terms", f"terms=2&token={splash.field('token')}")
    assert 403 == stale.status
    assert "press the button again" in stale.body
    assert {} == server.app.accepted()
    assert 303 == (await ben.post("/join/terms", f"terms=2&token={stale.field('token')}")).status
    assert {BEN: "2"} == server.app.accepted()


@pytest.mark.parametrize(
    "name", ["X_Forwarded_For", "X_Real_IP", "Forwarded", "X_Client_IP", "CF_Connecting_IP"]
)
async def test_no_header_can_impersonate_another_device(
    server: PortalServer, ana: PortalBrowser, name: str
) -> None:
    await server.app.join(BEN)
    value = f"for={BENS_ADDRESS}" if name == "Forwarded" else BENS_ADDRESS
    assert "Accept and go online" in (await ana.get("/", **{name: value})).body


# --- language ---


async def test_a_page_is_in_the_language_that_the_browser_requests(ana: PortalBrowser) -> None:
    page = await ana.get("/", Accept_Language="ca, en;q=0.5")
    assert ("ca", "Accept-Language") == (page.headers["content-language"], page.headers["vary"])
    assert '<html lang="ca" dir="ltr">' in page.body


async def test_a_language_choice_holds_on_the_next_pages_without_a_cookie(
    ana: PortalBrowser, ben: PortalBrowser
) -> None:
    """A mini-browser stores nothing, so the portal remembers the choice of the device."""
    page = await ana.get("/network", Accept_Language="en")
    await ana.post("/language", page.fill("/language", lang="ar"))
    chosen = await ana.get("/network", Accept_Language="en")
    assert '<html lang="ar" dir="rtl">' in chosen.body
    splash = await ana.get("/", Accept_Language="en")
    assert "ar" == splash.headers["content-language"]
    wrong = await ana.post("/join/code", splash.fill("/join/code", code="nonsense"), Accept_Language="en")
    assert (422, "ar") == (wrong.status, wrong.headers["content-language"])
    assert "en" == (await ben.get("/", Accept_Language="en")).headers["content-language"]
    assert "en" == (await ana.get("/?lang=en")).headers["content-language"]


async def test_every_page_offers_each_language_by_its_own_name(ana: PortalBrowser) -> None:
    for path in ("/", "/network", "/nothing"):
        page = (await ana.get(path)).body
        for name in ("English", "català", "español", "français", "العربية"):
            assert f">{name}</button>" in page


@pytest.mark.parametrize("lang", ["xx", "../../etc/passwd", "<b>", "ca" * 200, "%00"])
async def test_an_unknown_language_changes_nothing(ana: PortalBrowser, lang: str) -> None:
    page = await ana.get(f"/?lang={lang}", Accept_Language="fr")
    assert (200, "fr") == (page.status, page.headers["content-language"])


# --- automatic requests of devices ---


@pytest.mark.parametrize(
    "host",
    [
        "",
        "example.com",
        "EXAMPLE.com.:80",
        "192.0.2.7",
        "[2001:db8::7]",
        "a b",
        "\xff\xfe",
        "[",
        "x" * 4_000,
        "..",
        "%00",
    ],
)
async def test_any_other_host_is_redirected_to_the_portal_and_never_echoed(
    ana: PortalBrowser, host: str
) -> None:
    reply = await ana.get("/x", host=host)
    assert (302, PORTAL_URL, "close") == (
        reply.status,
        reply.headers["location"],
        reply.headers["connection"],
    )
    assert len(reply.raw) < 1_000


@pytest.mark.parametrize(
    "host", [HOST, f"{HOST}:80", HOST.upper(), f"{HOST}.", "127.0.0.1", "127.0.0.1:2050"]
)
async def test_the_portals_name_and_address_show_the_page(ana: PortalBrowser, host: str) -> None:
    assert 200 == (await ana.get("/", host=host)).status


async def test_a_connection_to_another_host_is_closed_after_the_response(server: PortalServer) -> None:
    """Kept alive, it would still reach the portal after sign-in, in the name of that host."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(
        b"GET /hotspot-detect.html HTTP/1.1\r\nHost: captive.apple.com\r\nConnection: keep-alive\r\n\r\n"
    )
    async with asyncio.timeout(1):
        assert (await reader.read()).startswith(b"HTTP/1.1 302 ")
    writer.close()


async def test_the_portals_own_pages_keep_the_connection_alive(server: PortalServer) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    for _ in range(3):
        writer.write(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        async with asyncio.timeout(1):
            assert (await reader.readuntil(b"</html>")).startswith(b"HTTP/1.1 200 ")
    writer.close()


async def test_a_request_with_two_hosts_is_refused(ana: PortalBrowser) -> None:
    raw = f"GET / HTTP/1.1\r\nHost: {HOST}\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
    assert 400 == (await ana.send(raw.encode())).status


async def test_a_request_without_a_host_finds_the_portal(ana: PortalBrowser) -> None:
    reply = await ana.send(b"GET / HTTP/1.0\r\n\r\n")
    assert (302, PORTAL_URL) == (reply.status, reply.headers["location"])


async def test_http_1_0_gets_the_page_and_a_closed_connection(ana: PortalBrowser) -> None:
    reply = await ana.send(f"GET / HTTP/1.0\r\nHost: {HOST}\r\n\r\n".encode())
    assert 200 == reply.status
    assert "keep-alive" != reply.headers.get("connection")


@pytest.mark.parametrize("path", OUR_PATHS)
async def test_head_has_the_headers_of_get_and_no_body(ana: PortalBrowser, path: str) -> None:
    head, get = await ana.get(path, method="HEAD"), await ana.get(path)
    assert (get.status, "") == (head.status, head.body)
    assert head.headers.get("content-length") in {None, get.headers.get("content-length")}


async def test_an_absolute_request_target_names_its_own_host(ana: PortalBrowser) -> None:
    line = "GET http://captive.apple.com/hotspot-detect.html HTTP/1.1"
    reply = await ana.send(f"{line}\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
    assert (302, PORTAL_URL) == (reply.status, reply.headers["location"])


async def test_the_captive_portal_api_follows_the_session(
    ana: PortalBrowser, stranger: PortalBrowser
) -> None:
    accept = {"Accept": "application/captive+json"}
    before = await ana.get("/captive-portal", **accept)
    assert ("application/captive+json", "private, no-store") == (
        before.headers["content-type"],
        before.headers["cache-control"],
    )
    assert (True, PORTAL_URL) == (
        json.loads(before.body)["captive"],
        json.loads(before.body)["user-portal-url"],
    )
    await join(ana)
    after = json.loads((await ana.get("/captive-portal", **accept)).body)
    assert (False, 14_400, 60_000_000_000) == (
        after["captive"],
        after["seconds-remaining"],
        after["bytes-remaining"],
    )
    assert 403 == (await stranger.get("/captive-portal", **accept)).status


async def test_the_account_page_is_also_available_as_json(
    ana: PortalBrowser, stranger: PortalBrowser
) -> None:
    assert "waiting" == json.loads((await ana.get("/status.json")).body)["state"]
    await join(ana)
    mine = json.loads((await ana.get("/status.json")).body)
    assert ("admitted", 14_400) == (mine["state"], mine["seconds_left"])
    assert "evening" in [limit["rule"] for limit in mine["limits"]]
    assert 403 == (await stranger.get("/status.json")).status


async def test_a_browser_that_requests_the_api_is_shown_the_portal(ana: PortalBrowser) -> None:
    reply = await ana.get("/captive-portal", Accept="text/html,*/*;q=0.8")
    assert (302, PORTAL_URL, "Accept") == (reply.status, reply.headers["location"], reply.headers["vary"])


# --- attacks ---


@pytest.mark.parametrize("path", ACTIONS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_get_request_changes_nothing(
    server: PortalServer, ana: PortalBrowser, path: str, method: str
) -> None:
    """CVE-2026-30868: a link or an image on another site must not be able to change anything."""
    splash = await ana.get("/")
    reply = await ana.get(f"{path}?terms=2&token={splash.field('token')}", method=method)
    assert (405, "POST") == (reply.status, reply.headers["allow"])
    assert {} == server.app.accepted()


@pytest.mark.parametrize("path", OUR_PATHS)
async def test_pages_cannot_be_posted_to(ana: PortalBrowser, path: str) -> None:
    assert 405 == (await ana.post(path, "a=b")).status


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "CONNECT", "TRACE", "PATCH", "BREW"])
async def test_other_methods_are_refused(ana: PortalBrowser, method: str) -> None:
    assert 405 == (await ana.get("/", method=method)).status


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"Sec_Fetch_Site": "cross-site"}])
@pytest.mark.parametrize("path", ACTIONS)
async def test_a_form_on_another_site_changes_nothing(
    server: PortalServer, ana: PortalBrowser, path: str, headers: dict
) -> None:
    splash = await ana.get("/")
    reply = await ana.post(path, f"terms=2&token={splash.field('token')}", **headers)
    assert (403, {}) == (reply.status, server.app.accepted())


@pytest.mark.parametrize("path", ACTIONS)
@pytest.mark.parametrize(
    "form",
    [
        "",
        "terms=2",
        "token={token}",
        "terms=2&terms=2&token={token}",
        "terms=2&token={token}&token={token}",
        "terms=2&token=",
        "terms=" + "2" * 5_000 + "&token={token}",
        "terms=2&token=" + "a" * 5_000,
        "terms=2&token=$(touch /tmp/pwned)",
        "terms=2&token=%00%ff",
        "a=1&" * 100 + "terms=2&token={token}",
        "\x00\xff\xfe",
    ],
)
async def test_a_form_with_a_missing_duplicate_or_huge_field_is_refused(
    server: PortalServer, ana: PortalBrowser, path: str, form: str
) -> None:
    """CVE-2023-38313 to 38315, 41101: any field missing, duplicate or endless gets a 4xx, and the portal keeps
    running.
    """
    token = (await ana.get("/")).field("token")
    reply = await ana.post(path, form.replace("{token}", token))
    assert reply.status in {400, 403}
    assert {} == server.app.accepted()
    assert 200 == (await ana.get("/")).status


@pytest.mark.parametrize("missing", ["Host", "User-Agent", "Accept", "Connection", "Content-Type", "Origin"])
async def test_no_single_header_is_required(ana: PortalBrowser, missing: str) -> None:
    """CVE-2023-38320: a missing User-Agent crashed a portal."""
    token = (await ana.get("/")).field("token")
    body = f"terms=2&token={token}"
    headers = {
        "Host": HOST,
        "User-Agent": "Mozilla/5.0",
        "Accept": "*/*",
        "Connection": "close",
        "Content-Type": "application/x-www-form-urlencoded",
        "Origin": f"http://{HOST}",
        "Content-Length": str(len(body)),
    }
    lines = [f"{name}: {value}" for name, value in headers.items() if name != missing]
    reply = await ana.send("\r\n".join(["POST /join/terms HTTP/1.1", *lines, "", body]).encode())
    assert (400 if missing == "Host" else 303) == reply.status


DOTS = ("..", "%2e%2e", "%252e%252e", ".%2e", "..%00", "..;", "%c0%ae%c0%ae", "..\\")


@pytest.mark.parametrize("dots", DOTS)
@pytest.mark.parametrize("slash", ["/", "//", "%2f", "\\", "%5c"])
@pytest.mark.parametrize("start", ["/", "/static/", "//"])
async def test_no_path_escapes_the_portal(ana: PortalBrowser, dots: str, slash: str, start: str) -> None:
    """CVE-2023-39120: only paths from a fixed list are answered, in any spelling."""
    reply = await ana.get(start + slash.join([dots] * 6 + ["etc", "passwd"]))
    assert reply.status in {302, 400, 404}
    assert "root:" not in reply.body


@pytest.mark.parametrize(
    "target",
    [
        "/?redir=http://evil.example",
        "/?url=//evil.example",
        "//evil.example/",
        "/me?next=http://evil.example",
        "http://evil.example/",
        "/captive-portal?user-portal-url=http://evil.example",
        "/\\evil.example",
    ],
)
async def test_no_query_string_causes_a_foreign_redirect(ana: PortalBrowser, target: str) -> None:
    reply = await ana.get(target)
    assert reply.headers.get("location", "/") in {"/", PORTAL_URL}
    assert "evil" not in reply.body


@pytest.mark.parametrize(
    "poison", ["`touch /tmp/pwned`", "$(reboot)", "'\"><script>alert(1)</script>", "{{7*7}}", "%s%n"]
)
async def test_input_of_clients_is_never_executed_and_never_echoed(ana: PortalBrowser, poison: str) -> None:
    """CVE-2023-38316 and similar: a query reached a shell."""
    target = "/?" + poison.replace(" ", "%20")
    replies = [await ana.get(target), await ana.get("/", User_Agent=poison, Referer=poison, Cookie=poison)]
    for reply in replies:
        assert 200 == reply.status
        assert poison not in reply.body
        assert "49" not in reply.body.partition("</style>")[2]


async def test_texts_of_the_community_are_rendered_as_text() -> None:
    evil = '"><script>alert(1)</script>{{7*7}}'
    node = portal_node()
    node.configure("community", name=evil)
    node.configure("node", name=evil, terms=evil, contact=evil, help=evil, terms_version=evil)
    async with open_portal_server(node) as server:
        for path in ("/", "/network", "/terms", "/nothing"):
            body = (await PortalBrowser(server.port).get(path)).body
            assert "<script" not in body
            assert "&lt;script&gt;" in body


@pytest.mark.parametrize("path", [*OUR_PATHS, *ACTIONS, "/nothing"])
async def test_every_page_carries_a_strict_policy_and_no_secret(
    server: PortalServer, ana: PortalBrowser, path: str
) -> None:
    for _ in range(2):
        reply = await ana.get(path)
        assert SECRET not in reply.raw
        assert "python" not in reply.headers["server"].lower()
        assert "no-store" in reply.headers["cache-control"]
        if reply.headers.get("content-type", "").startswith("text/html"):
            policy = reply.headers["content-security-policy"]
            assert policy.startswith("default-src 'none'; style-src 'sha256-")
            assert "unsafe" not in policy
            assert ("same-origin", "nosniff") == (
                reply.headers["referrer-policy"],
                reply.headers["x-content-type-options"],
            )
        await server.app.join(ANA)


# --- pages for mini-browsers and accessibility ---


class Outline(HTMLParser):
    """Tags with their attributes, in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


@pytest.mark.parametrize("admitted", [False, True])
@pytest.mark.parametrize("path", ["/", "/network", "/terms", "/nothing"])
async def test_pages_need_no_script_and_no_second_file_and_have_one_language(
    server: PortalServer, ana: PortalBrowser, path: str, admitted: bool
) -> None:
    if admitted:
        await server.app.join(ANA)
    outline = Outline((await ana.get(path)).body)
    attributes = [name for _, attrs in outline.tags for name in attrs]
    names = [tag for tag, _ in outline.tags]
    assert {"lang": "en", "dir": "ltr"} == outline.tags[0][1] if outline.tags[0][0] == "html" else False
    assert (1, 1, 1) == (names.count("h1"), names.count("main"), names.count("title"))
    assert not {"script", "iframe", "img", "object", "base"} & set(names)
    assert not [name for name in attributes if name.startswith("on") or name in {"style", "target", "srcset"}]
    assert [{"rel": "icon", "href": "data:,"}] == [attrs for tag, attrs in outline.tags if tag == "link"]
    identifiers = [attrs["id"] for _, attrs in outline.tags if "id" in attrs]
    assert len(identifiers) == len(set(identifiers))
    for tag, attrs in outline.tags:
        for reference in ("for", "aria-labelledby"):
            assert attrs.get(reference) is None or attrs[reference] in identifiers
        if tag in {"input", "select", "textarea"} and attrs.get("type") != "hidden":
            assert attrs["id"] in [other.get("for") for name, other in outline.tags if name == "label"]


@pytest.mark.parametrize("word", ["paraula é ", "مرحبا ", "善"])
@pytest.mark.parametrize("told", ["", '"', "\U0001f327"])
async def test_the_longest_splash_page_fits_a_mini_browser(word: str, told: str) -> None:
    """`told`: with urgent notices of another node, of that character."""
    node = portal_node()
    node.configure("community", name=word * 90)
    node.configure("node", name=word * 90, contact=word * 300, terms=word * 4_000)
    node.services = (ServiceView(word * 90, f"http://{'a' * 200}/", word * 90, True),) * 9
    async with open_portal_server(node) as server:
        texts = (
            NoticeText("en", (word * 80)[:TITLE_CHARS_MAX].strip(), (word * 200)[:TEXT_CHARS_MAX].strip()),
        )
        if told:
            heard = server.app.loop.registry.heard_notices
            heard.name_of = lambda _node: told * 60
            of_other = NoticeText("zh-Hant-TW", told * TITLE_CHARS_MAX, told * TEXT_CHARS_MAX)
            for part in range(2):
                heard.hear(id_of("hill"), part, Notice(0, "network", "everyone", "", "", True, (of_other,)))
        else:
            await server.app.put_up(*(Notice(0, "network", "everyone", "", "", True, texts),) * 9)
        await server.app.ask(ANA)
        await server.app.pass_time(10 * 60_000)
        node.down_since = node.clock.now
        server.app.look_like(
            Appearance(
                "#b02040",
                "#ff8899",
                tuple(
                    WelcomeText(tag, (word * 90)[:WELCOME_CHARS_MAX])
                    for tag in ("en", "fr", "es", "ca", "ar")
                ),
                "x" * WIFI_NAME_BYTES_MAX,
                logo=LOGO.uri,
            )
        )
        server.app.portal.outage_note = (
            (word * 60)[:KNOWN_TO_CHARS_MAX],
            node.clock.civil() + timedelta(days=1),
        )
        ana = PortalBrowser(server.port)
        for language in ("en", "fr", "es", "ca", "ar"):
            splash = await ana.get("/", Accept_Language=language)
            assert len(splash.raw) < SPLASH_BYTES_MAX
            wrong = await ana.post(
                "/join/code", splash.fill("/join/code", code="7" * 200), Accept_Language=language
            )
            assert len(wrong.raw) < SPLASH_BYTES_MAX
            assert "/terms" in splash.body
        assert word in (await ana.get("/terms")).body


async def test_the_communitys_appearance_is_on_every_page_of_the_portal(
    server: PortalServer, ana: PortalBrowser
) -> None:
    plain = await ana.get("/network")
    assert "<svg" in plain.body
    assert "Wi-Fi:" not in plain.body
    texts = (WelcomeText("ca", "L’Internet del veïnat."), WelcomeText("eu", "Kaixo."))
    server.app.look_like(
        Appearance("#b02040", "#ff8899", texts, "Vall <Oberta>", "secret password", LOGO.uri)
    )
    for path in ("/", "/network", "/help", "/nothing"):
        page = await ana.get(path)
        assert (
            f'<img src="/logo?v={zlib.crc32(LOGO.uri.encode()):08x}" width="88" height="44" alt="">'
            in page.body
        )
        (style,) = re.findall("<style>(:root{--leaf:#b02040.*?)</style>", page.body)
        sha256 = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        assert f"'sha256-{sha256}'" in page.headers["content-security-policy"]
        assert "secret password" not in page.body
    assert "Vall &lt;Oberta&gt;" in (await ana.get("/help")).body
    assert "L’Internet del veïnat." in (await ana.get("/", Accept_Language="ca")).body
    assert "belongs to the people who use it" in (await ana.get("/", Accept_Language="en")).body
    server.app.look_like(NO_APPEARANCE)
    assert without_tokens(plain) == without_tokens(await ana.get("/network"))


async def test_browsers_keep_the_logo_until_it_changes(server: PortalServer, ana: PortalBrowser) -> None:
    assert 404 == (await ana.get("/logo")).status
    server.app.look_like(Appearance(logo=LOGO.uri))
    stranger = PortalBrowser(server.port, STRANGERS_ADDRESS)
    lasting, own = "public, max-age=31536000, immutable", f"/logo?v={zlib.crc32(LOGO.uri.encode()):08x}"
    for client, path, kept in (
        (ana, own, lasting),
        (stranger, own, lasting),
        (ana, "/logo?v=1", CACHE_CONTROL),
        (stranger, "/logo", CACHE_CONTROL),
    ):
        picture = await client.get(path)
        assert (200, "image/png", kept, "nosniff") == (
            picture.status,
            picture.headers["content-type"],
            picture.headers["cache-control"],
            picture.headers["x-content-type-options"],
        )
        assert picture.raw.endswith(b"\r\n\r\n" + LOGO.data)


async def test_a_port_in_use_is_reported_with_who_may_have_it(server: PortalServer) -> None:
    second = Portal(
        server.app.portal, server.callers, port=server.port, secret=SECRET, addresses=("127.0.0.1",)
    )
    with pytest.raises(NodeError, match=f"port {server.port}.*ss -ltnp"):
        await second.run()


async def test_the_server_listens_on_both_address_families(server: PortalServer) -> None:
    server.callers.devices["::1"] = ANA
    both = Portal(server.app.portal, server.callers, port=0, secret=SECRET)
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(both.run())
        await both.ready.wait()
        for address, (_, port) in zip(("127.0.0.1", "::1"), sorted(both.bound), strict=True):
            host = f"[{address}]" if ":" in address else address
            reader, writer = await asyncio.open_connection(address, port)
            writer.write(f"GET / HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
            assert b"Accept and go online" in await reader.read()
            writer.close()
        serving.cancel()
    assert not both.ready.is_set()


async def test_the_portal_starts_no_process(ana: PortalBrowser) -> None:
    """A process for each request makes portals slow, and turns a bad query into a command."""
    started: list[str] = []
    watching = True

    def watch(event: str, _args: tuple) -> None:
        if watching and event in {
            "subprocess.Popen",
            "os.fork",
            "os.forkpty",
            "os.posix_spawn",
            "os.exec",
            "os.system",
        }:
            started.append(event)

    sys.addaudithook(watch)
    await ana.get("/?fas=$(id)", host="example.com")
    await join(ana)
    await ana.get("/me")
    watching = False
    assert [] == started

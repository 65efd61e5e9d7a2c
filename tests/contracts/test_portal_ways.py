"""Every join method, and everything on the account page, with plain forms over real sockets."""

import json
import re

import pytest

from node.accounts.notices import Notice, NoticeText
from node.accounts.objections import OBJECTIONS_OPEN_MAX
from node.accounts.sponsorship import OPEN_PER_NAME_MAX
from node.governance.sentences import describe
from node.lan.mdns_services import ServiceView
from node.units import MacAddress
from tests.contracts.portal_client import PortalBrowser, PortalReply
from tests.fakes.portal_server import (
    ASK_WHEN_FULL,
    BENS_ADDRESS,
    PortalServer,
    devices_rule,
    joining,
    open_portal_server,
    portal_node,
)
from tests.fakes.use_cases import ANA, BEN, CARD, HOUR_MS, KEPT, PASSPHRASE, UNKNOWN_CODE

MISTYPED_CODE = "7K3M9Q2W4X1A"


async def fill_in(browser: PortalBrowser, action: str, page: str = "/", **typed: str) -> PortalReply:
    """Open a page, fill in the form, and submit it."""
    return await browser.post(action, (await browser.get(page)).fill(action, **typed))


# --- joining ---


@pytest.mark.parametrize(
    ("action", "typed"),
    [
        ("/join/terms", {}),
        ("/join/code", {"code": "of a voucher"}),
        ("/join/passphrase", {"account": "ana", "passphrase": PASSPHRASE}),
        ("/join/card", {"card": CARD}),
    ],
)
async def test_each_join_method_on_the_first_page_leads_to_the_account_page(
    server: PortalServer, ana: PortalBrowser, action: str, typed: dict[str, str]
) -> None:
    await server.app.give_passphrase()
    if "code" in typed:
        (code,) = await server.app.codes()
        typed = {"code": code.lower().replace("-", " ", 1)}
    joined = await fill_in(ana, action, **typed)
    assert (303, "/me") == (joined.status, joined.headers["location"])
    assert "set-cookie" not in joined.headers
    assert "You are online" in (await ana.get("/me")).body
    assert {ANA: "2"} == server.app.accepted()


async def test_the_first_page_shows_the_join_methods_of_the_community_and_no_other(
    server: PortalServer, ana: PortalBrowser
) -> None:
    await server.app.adopt(joining("voucher", "introduction"))
    page = (await ana.get("/")).body
    assert page.index('action="/join/code"') < page.index('action="/ask"')
    assert "/join/terms" not in page
    assert "/join/passphrase" not in page
    assert "/join/card" not in page


@pytest.mark.parametrize(("way", "action"), [("passphrase", "/join/passphrase"), ("card", "/join/card")])
async def test_the_only_join_method_is_expanded(
    server: PortalServer, ana: PortalBrowser, way: str, action: str
) -> None:
    assert '<details class="card">' in (await ana.get("/")).body
    await server.app.adopt(joining(way))
    page = (await ana.get("/")).body
    assert '<details class="card" open>' in page
    assert f'action="{action}"' in page


async def test_a_community_without_any_join_method_says_so(server: PortalServer, ana: PortalBrowser) -> None:
    """The members' way is the only one, and there are no members any more."""
    await server.app.adopt(joining("introduction"), members="")
    page = (await ana.get("/")).body
    assert "Nobody new can join right now" in page
    assert ["/language"] == re.findall(r'<form[^>]* action="([^"]*)"', page)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("mistyped", "That code isn’t right"),
        ("unknown", "We don’t know this code"),
        ("ended", "This code has run out"),
        ("revoked", "This code was cancelled"),
    ],
)
async def test_a_failing_code_shows_the_reason_beside_its_field_and_is_kept(
    server: PortalServer, ana: PortalBrowser, state: str, words: str
) -> None:
    code = {"mistyped": MISTYPED_CODE, "unknown": UNKNOWN_CODE}.get(state, "")
    if state == "ended":
        code = await server.app.ended_code()
    if state == "revoked":
        code = await server.app.revoked_code()
    page = await fill_in(ana, "/join/code", code=code)
    assert 422 == page.status
    assert f'value="{code}"' in page.body
    assert 'aria-describedby="code-hint voucher-error" aria-invalid="true" autofocus' in page.body
    assert words in page.body.partition('id="voucher-error"')[2].partition("</p>")[0]


async def test_a_wrong_passphrase_keeps_the_account_and_never_the_passphrase(
    server: PortalServer, ana: PortalBrowser
) -> None:
    await server.app.give_passphrase()
    page = await fill_in(ana, "/join/passphrase", account="ana", passphrase="nearly right words")
    assert 422 == page.status
    assert '<details class="card" open>' in page.body
    assert 'name="account" value="ana"' in page.body
    assert "nearly right" not in page.body
    assert "the passphrase is wrong" in page.body


async def test_too_many_guesses_must_wait_and_other_devices_need_not(
    server: PortalServer, ana: PortalBrowser, ben: PortalBrowser
) -> None:
    (code,) = await server.app.codes()
    for _ in range(5):
        await fill_in(ana, "/join/code", code=UNKNOWN_CODE)
    page = await fill_in(ana, "/join/code", code=code)
    assert (429, "60") == (page.status, page.headers["retry-after"])
    assert "Please wait 1 minute," in page.body
    assert 303 == (await fill_in(ben, "/join/code", code=code)).status


@pytest.mark.parametrize(
    ("address", "filled"),
    [
        ("/?code=7K3M-9Q2W-4X1Z", 'name="code" value="7K3M-9Q2W-4X1Z"'),
        (f"/?card={CARD}", f">{CARD}</textarea>"),
    ],
)
async def test_a_scanned_qr_code_fills_in_the_field(ana: PortalBrowser, address: str, filled: str) -> None:
    page = await ana.get(address)
    assert filled in page.body
    assert filled not in (await ana.get("/")).body
    there = (await ana.post("/language", page.fill("/language", lang="ca"))).headers["location"]
    assert filled in (await ana.get(there)).body


async def test_a_full_account_asks_which_device_is_evicted() -> None:
    async with open_portal_server(portal_node(ASK_WHEN_FULL, devices_rule(1))) as server:
        ana, ben = PortalBrowser(server.port), PortalBrowser(server.port, BENS_ADDRESS)
        await server.app.give_passphrase()
        await fill_in(ben, "/join/passphrase", account="ana", passphrase=PASSPHRASE)
        page = await fill_in(ana, "/join/passphrase", account="ana", passphrase=PASSPHRASE)
        assert 409 == page.status
        assert "Which device should we disconnect?" in page.body
        assert PASSPHRASE not in page.body
        again = page.fill("/join/passphrase", instead_of=BEN)
        assert 303 == (await ana.post("/join/passphrase", again)).status
        assert {ANA} == server.app.passing()


async def test_a_member_can_mute_requests_for_a_day_and_unmute_them(
    server: PortalServer, ana: PortalBrowser, ben: PortalBrowser
) -> None:
    await server.app.join_by_card(BEN)
    await fill_in(ana, "/ask", host="ana", name="Carla")
    mine = await ben.get("/me")
    assert 303 == (await ben.post("/answer", mine.fill("/answer", yes="device"))).status
    assert "Carla" not in (await ben.get("/me")).body

    def saying(said: str) -> str:
        return mine.fill("/answer", number="0", yes=said)

    for said, shown in (("all", True), ("hear", False)):
        assert 303 == (await ben.post("/answer", saying(said))).status
        assert shown == ("Requests to let people in are blocked" in (await ben.get("/me")).body)
    assert 400 == (await ben.post("/answer", saying("rest"))).status


async def test_a_member_sponsors_a_guest_who_waits(
    server: PortalServer, ana: PortalBrowser, ben: PortalBrowser
) -> None:
    await server.app.join_by_card(BEN)
    assert 303 == (await fill_in(ana, "/ask", host="Ana Puig", name="Carla")).status
    waiting = await ana.get("/")
    assert (200, "5") == (waiting.status, waiting.headers["refresh"])
    mine = await ben.get("/")
    (request,) = server.app.guest(BEN).requests
    for page in (waiting, mine):
        assert request.sign in page.body
        assert "Carla" in page.body
    assert 303 == (await ben.post("/answer", mine.fill("/answer", yes="yes"))).status
    now = await ana.get("/")
    assert "You are online" in now.body
    assert "refresh" not in now.headers


async def test_a_request_without_a_timely_answer_is_reported_and_can_be_repeated(
    server: PortalServer, ana: PortalBrowser
) -> None:
    await fill_in(ana, "/ask", host="ana", name="Carla")
    await server.app.pass_time(10 * 60_000)
    page = await ana.get("/")
    assert "Nobody said yes in time." in page.body
    assert 303 == (await ana.post("/ask", page.fill("/ask", host="ana", name="Carla"))).status
    assert "Waiting for an answer" in (await ana.get("/")).body


async def test_while_the_uplink_is_down_both_pages_say_since_when(
    server: PortalServer, ana: PortalBrowser
) -> None:
    node = server.app.node
    assert "Internet connection" not in (await ana.get("/")).body
    node.down_since = node.clock.now
    await server.app.pass_time(HOUR_MS)
    said = "The Internet connection has been down since 24 November 2026, 12:00."
    page = await ana.get("/")
    assert said in page.body
    await ana.post("/join/terms", page.fill("/join/terms"))
    mine = await ana.get("/me")
    assert said in mine.body
    assert "You are on the network</h1>" in mine.body
    assert "You are online" not in mine.body
    node.clock.trust = "unknown"
    assert "The Internet connection is down." in (await ana.get("/me")).body
    node.down_since = None
    assert "You are online</h1>" in (await ana.get("/me")).body


async def test_a_guest_whose_member_is_asked_by_many_reads_that_and_not_that_they_asked_before(
    server: PortalServer, ana: PortalBrowser
) -> None:
    for number in range(OPEN_PER_NAME_MAX):
        await server.app.ask(MacAddress(f"02:00:00:00:01:{number:02x}"))
    page = await fill_in(ana, "/ask", host="ana", name="Carla")
    assert 429 == page.status
    assert "Too many people are asking this member right now." in page.body
    assert "open requests" not in page.body


async def test_a_request_can_be_cancelled(ana: PortalBrowser) -> None:
    await fill_in(ana, "/ask", host="ana", name="Carla")
    assert 303 == (await fill_in(ana, "/leave")).status
    assert "Welcome to Vall Verda" in (await ana.get("/")).body


async def test_when_a_voucher_has_ended_the_page_says_so(server: PortalServer, ana: PortalBrowser) -> None:
    (code,) = await server.app.codes(lasts_ms=HOUR_MS)
    await fill_in(ana, "/join/code", code=code)
    await server.app.pass_time(HOUR_MS)
    page = await ana.get("/")
    assert "Your code has run out" in page.body
    assert 'action="/join/code"' in page.body


async def test_an_authorized_device_can_still_use_a_code(server: PortalServer, ana: PortalBrowser) -> None:
    await fill_in(ana, "/join/terms")
    (code,) = await server.app.codes()
    page = await ana.get("/ways")
    assert "More time, or another account" in page.body
    assert 303 == (await ana.post("/join/code", page.fill("/join/code", code=code))).status
    assert str(server.app.guest(ANA).account).startswith("voucher-")


# --- the account page ---


async def test_a_second_device_joins_with_the_code_shown_on_the_first_one(
    server: PortalServer, ana: PortalBrowser, ben: PortalBrowser
) -> None:
    await server.app.join_by_card(ANA)
    made = await fill_in(ana, "/devices/code")
    assert (303, "/me#add") == (made.status, made.headers["location"])
    code = server.app.guest(ANA).device_code
    assert code is not None
    assert code.code in (await ana.get("/me")).body
    await fill_in(ben, "/join/code", code=code.code)
    assert "ana" == server.app.guest(BEN).account
    used = await fill_in(PortalBrowser(server.port, BENS_ADDRESS), "/join/code", "/ways", code=code.code)
    assert 422 == used.status
    assert "This code has been used" in used.body


async def test_devices_are_named_and_removed(server: PortalServer, ana: PortalBrowser) -> None:
    for mac in (ANA, BEN):
        await server.app.join_by_card(mac)
    named = await fill_in(ana, "/devices/name", device=BEN, name='Tablet <b>"Ñ"')
    assert (303, "/me?done=named") == (named.status, named.headers["location"])
    page = (await ana.get("/me?done=named")).body
    assert "The name is saved." in page
    assert "Tablet &lt;b&gt;&#34;Ñ&#34;" in page
    assert 303 == (await fill_in(ana, "/devices/remove", device=BEN)).status
    assert {ANA} == server.app.passing()


async def test_an_objection_is_sent_and_its_answer_is_read(server: PortalServer, ana: PortalBrowser) -> None:
    await server.app.join(ANA)
    sent = await fill_in(ana, "/contest", rule="evening", text="I work at night.\r\nPlease look.")
    assert (303, "/me?done=contested") == (sent.status, sent.headers["location"])
    assert "No answer yet." in (await ana.get("/me")).body
    (objection,) = server.app.node.repository.registry.kept.objections
    assert ("evening", "I work at night.\nPlease look.", "guest-0a") == (
        objection.rule,
        objection.text,
        objection.account,
    )
    await server.app.answer_objection(objection.number, "Done: from tomorrow.")
    assert "Done: from tomorrow." in (await ana.get("/me")).body


@pytest.mark.parametrize("letter", ["a", "é", "م", "善", "🌊"])
async def test_the_longest_objection_arrives_in_every_alphabet(
    server: PortalServer, ana: PortalBrowser, letter: str
) -> None:
    await server.app.join(ANA)
    assert 303 == (await fill_in(ana, "/contest", rule="evening", text=letter * 1_000)).status
    assert letter * 1_000 == server.app.guest(ANA).objections[0].text


async def test_an_objection_over_the_limit_is_not_lost(server: PortalServer, ana: PortalBrowser) -> None:
    await server.app.join(ANA)
    for _ in range(OBJECTIONS_OPEN_MAX):
        assert 303 == (await fill_in(ana, "/contest", rule="evening", text="Slow.")).status
    page = await fill_in(ana, "/contest", rule="evening", text="Still slow.")
    assert 429 == page.status
    assert ">Still slow.</textarea>" in page.body
    assert "You already have open requests" in page.body


async def test_a_member_sets_a_passphrase_that_no_page_shows(
    server: PortalServer, ana: PortalBrowser, ben: PortalBrowser
) -> None:
    await server.app.join_by_passphrase(ANA)
    sent = await fill_in(ana, "/passphrase", passphrase="my new plain words", current=PASSPHRASE)
    assert 303 == sent.status
    short = await fill_in(ana, "/passphrase", passphrase="short77", current="my new plain words")
    wrong = await fill_in(ana, "/passphrase", passphrase="words of a stranger", current="a guess 12")
    assert [422, 422] == [short.status, wrong.status]
    for page in (await ana.get("/me"), short, wrong):
        for typed in ("my new plain words", "short77", "words of a stranger", "a guess 12"):
            assert typed not in page.body
    for passphrase, status in (
        (PASSPHRASE, 422),
        ("words of a stranger", 422),
        ("my new plain words", 303),
    ):
        reply = await fill_in(ben, "/join/passphrase", account="ana", passphrase=passphrase)
        assert status == reply.status


async def test_without_a_passphrase_or_a_card_there_is_no_field_for_a_new_passphrase(
    server: PortalServer, ana: PortalBrowser, ben: PortalBrowser
) -> None:
    await server.app.join_by_card(ANA)
    page = await ana.get("/me")
    assert 'action="/passphrase"' in page.body
    assert 'name="current"' not in page.body
    await fill_in(ana, "/devices/code")
    code = server.app.guest(ANA).device_code
    assert code is not None
    await fill_in(ben, "/join/code", code=code.code)
    page = await ben.get("/me")
    assert 'action="/passphrase"' not in page.body
    assert "You have no passphrase yet" in page.body
    assert 303 == (await fill_in(ana, "/passphrase", passphrase="my first plain words")).status
    assert 'name="current"' in (await ben.get("/me")).body


async def test_guests_have_no_membership_on_their_page(server: PortalServer, ana: PortalBrowser) -> None:
    await server.app.join(ANA)
    page = (await ana.get("/me")).body
    assert 'action="/passphrase"' not in page
    assert "Accept the terms again for more time" in page


async def test_personal_data_is_shown_exported_and_erased(server: PortalServer, ana: PortalBrowser) -> None:
    await server.app.join_by_passphrase(ANA)
    assert "passphrase" in (await ana.get("/my-data")).body
    document = await ana.get("/my-data.json")
    assert 'attachment; filename="my-data.json"' == document.headers["content-disposition"]
    assert ("ana", "application/json") == (
        json.loads(document.body)["account"],
        document.headers["content-type"],
    )
    question = await ana.get("/my-data/erase")
    repository = server.app.node.repository
    assert [ANA] == [each.mac for each in repository.registry.kept.bindings] == [*repository.sessions]
    assert 303 == (await ana.post("/erase", question.fill("/erase"))).status
    assert ((), {}, set()) == (repository.registry.kept.bindings, repository.sessions, server.app.passing())


# --- public pages ---


async def test_notices_and_services_are_shown_before_admission(
    server: PortalServer, ana: PortalBrowser
) -> None:
    texts = (NoticeText("en", "Storm", "Stay in."), NoticeText("ca", "Tempesta", "Queda't a casa."))
    inner = (NoticeText("en", "Members only", "The key is under the mat."),)
    await server.app.put_up(
        Notice(0, "network", "everyone", "", "", True, texts),
        Notice(0, "network", "members", "", "", False, inner),
    )
    server.app.node.services = (ServiceView("Wiki", "http://wiki.lan/", "All about us.", True),)
    for path in ("/", "/notices"):
        assert "Stay in." in (await ana.get(path)).body
        assert "Queda&#39;t a casa." in (await ana.get(path, Accept_Language="ca")).body
        assert "under the mat" not in (await ana.get(path)).body
    for path in ("/", "/services"):
        assert 'href="http://wiki.lan/"' in (await ana.get(path)).body
    await server.app.join_by_card(ANA)
    assert "under the mat" in (await ana.get("/me")).body


async def test_the_privacy_page_says_what_each_table_is_for_and_how_long_it_is_kept(
    ana: PortalBrowser,
) -> None:
    page = (await ana.get("/privacy")).body
    for kept in KEPT:
        assert kept.purpose in page
        assert kept.retention in page


async def test_the_network_page_says_who_runs_it_and_how_to_help() -> None:
    node = portal_node(help="We meet on Saturdays.\n\nBring a <ladder>.")
    async with open_portal_server(node) as server:
        page = (await PortalBrowser(server.port).get("/network")).body
    for words in (
        "We meet on Saturdays.",
        "Bring a &lt;ladder&gt;.",
        "hello@vallverda.example",
        *describe(node.book.ruleset),
    ):
        assert words in page

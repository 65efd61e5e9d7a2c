"""Every join method, and everything on the account page, with plain forms over real sockets."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from node.accounts.notices import Notice, NoticeText
from node.accounts.objections import Objection
from node.app.views import Outage
from node.lan.mdns_services import ServiceView
from node.sessions import state as session_state
from tests.contracts.portal_client import PortalBrowser, PortalReply
from tests.fakes.portal_backend import (
    ANAS_PASSPHRASE,
    COMMUNITY,
    ENDED_CODE,
    GOOD_CODE,
    HOUSE_CARD,
    KEPT,
    MISTYPED_CODE,
    REVOKED_CODE,
    TODAY,
)
from tests.fakes.portal_server import ANA, BEN, BENS_ADDRESS, PortalServer
from tests.fakes.requests import inside


async def fill_in(browser: PortalBrowser, action: str, page: str = "/", **typed: str) -> PortalReply:
    """Open a page, fill in the form, and submit it."""
    return await browser.post(action, (await browser.get(page)).fill(action, **typed))


# --- joining ---


@pytest.mark.parametrize(
    ("action", "typed"),
    [
        ("/join/terms", {}),
        ("/join/code", {"code": "7k3m-9q2w 4x1z"}),
        ("/join/passphrase", {"account": "ana", "passphrase": ANAS_PASSPHRASE}),
        ("/join/card", {"card": HOUSE_CARD}),
    ],
)
async def test_each_join_method_on_the_first_page_leads_to_the_account_page(
    server: PortalServer, ana: PortalBrowser, action: str, typed: dict[str, str]
) -> None:
    joined = await fill_in(ana, action, **typed)
    assert (303, "/me") == (joined.status, joined.headers["location"])
    assert "set-cookie" not in joined.headers
    assert "You are online" in (await ana.get("/me")).body
    assert [(ANA, "2")] == server.backend.accepted


async def test_the_first_page_shows_the_join_methods_of_the_community_and_no_other(
    server: PortalServer, ana: PortalBrowser
) -> None:
    server.backend.view = replace(COMMUNITY, ways=("voucher", "introduction"))
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
    server.backend.view = replace(COMMUNITY, ways=(way,))
    page = (await ana.get("/")).body
    assert '<details class="card" open>' in page
    assert f'action="{action}"' in page


async def test_a_community_without_any_join_method_says_so(server: PortalServer, ana: PortalBrowser) -> None:
    server.backend.view = replace(COMMUNITY, ways=())
    page = (await ana.get("/")).body
    assert "Nobody new can join right now" in page
    assert ["/language"] == re.findall(r'<form[^>]* action="([^"]*)"', page)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (MISTYPED_CODE, "That code isn’t right"),
        ("ABCD", "We don’t know this code"),
        (ENDED_CODE, "This code has run out"),
        (REVOKED_CODE, "This code was cancelled"),
    ],
)
async def test_a_failing_code_shows_the_reason_beside_its_field_and_is_kept(
    ana: PortalBrowser, code: str, words: str
) -> None:
    page = await fill_in(ana, "/join/code", code=code)
    assert 422 == page.status
    assert f'value="{code}"' in page.body
    assert 'aria-describedby="code-hint voucher-error" aria-invalid="true" autofocus' in page.body
    assert words in page.body.partition('id="voucher-error"')[2].partition("</p>")[0]


async def test_a_wrong_passphrase_keeps_the_account_and_never_the_passphrase(ana: PortalBrowser) -> None:
    page = await fill_in(ana, "/join/passphrase", account="ana", passphrase="nearly right words")
    assert 422 == page.status
    assert '<details class="card" open>' in page.body
    assert 'name="account" value="ana"' in page.body
    assert "nearly right" not in page.body
    assert "the passphrase is wrong" in page.body


async def test_too_many_guesses_must_wait_and_other_devices_need_not(
    ana: PortalBrowser, ben: PortalBrowser
) -> None:
    for _ in range(5):
        await fill_in(ana, "/join/code", code="ABCD")
    page = await fill_in(ana, "/join/code", code=GOOD_CODE)
    assert (429, "600") == (page.status, page.headers["retry-after"])
    assert "Please wait 10 minutes" in page.body
    assert 303 == (await fill_in(ben, "/join/code", code=GOOD_CODE)).status


@pytest.mark.parametrize(
    ("address", "filled"),
    [
        ("/?code=7K3M-9Q2W-4X1Z", 'name="code" value="7K3M-9Q2W-4X1Z"'),
        (f"/?card={HOUSE_CARD}", f">{HOUSE_CARD}</textarea>"),
    ],
)
async def test_a_scanned_qr_code_fills_in_the_field(ana: PortalBrowser, address: str, filled: str) -> None:
    page = await ana.get(address)
    assert filled in page.body
    assert filled not in (await ana.get("/")).body
    there = (await ana.post("/language", page.fill("/language", lang="ca"))).headers["location"]
    assert filled in (await ana.get(there)).body


async def test_a_full_account_asks_which_device_is_evicted(
    server: PortalServer, ana: PortalBrowser, ben: PortalBrowser
) -> None:
    server.backend.devices_max = 1
    await fill_in(ben, "/join/passphrase", account="ana", passphrase=ANAS_PASSPHRASE)
    page = await fill_in(ana, "/join/passphrase", account="ana", passphrase=ANAS_PASSPHRASE)
    assert 409 == page.status
    assert "Which device should we disconnect?" in page.body
    assert ANAS_PASSPHRASE not in page.body
    again = page.fill("/join/passphrase", instead_of=BEN)
    assert 303 == (await ana.post("/join/passphrase", again)).status
    assert {ANA} == set(server.backend.passing)


async def test_a_member_can_mute_requests_for_a_day_and_unmute_them(
    server: PortalServer, ana: PortalBrowser, ben: PortalBrowser
) -> None:
    inside(server.backend, BEN)
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
    inside(server.backend, BEN)
    assert 303 == (await fill_in(ana, "/ask", host="ana", name="Carla")).status
    waiting = await ana.get("/")
    assert (200, "5") == (waiting.status, waiting.headers["refresh"])
    mine = await ben.get("/")
    for page in (waiting, mine):
        assert "4711" in page.body
        assert "Carla" in page.body
    assert 303 == (await ben.post("/answer", mine.fill("/answer", yes="yes"))).status
    now = await ana.get("/")
    assert "You are online" in now.body
    assert "refresh" not in now.headers


async def test_a_request_without_a_timely_answer_is_reported_and_can_be_repeated(
    server: PortalServer, ana: PortalBrowser
) -> None:
    await fill_in(ana, "/ask", host="ana", name="Carla")
    server.backend.nobody_answers(ANA)
    page = await ana.get("/")
    assert "Nobody said yes in time." in page.body
    assert 303 == (await ana.post("/ask", page.fill("/ask", host="ana", name="Carla"))).status
    assert "Waiting for an answer" in (await ana.get("/")).body


async def test_while_the_uplink_is_down_both_pages_say_since_when(
    server: PortalServer, ana: PortalBrowser
) -> None:
    assert "line to the Internet" not in (await ana.get("/")).body
    since = datetime(2026, 11, 25, 14, 5, tzinfo=UTC)
    server.backend.view = replace(server.backend.view, outage=Outage(since))
    said = "The Internet connection has been down since 25 November 2026, 14:05."
    page = await ana.get("/")
    assert said in page.body
    await ana.post("/join/terms", page.fill("/join/terms"))
    mine = await ana.get("/me")
    assert said in mine.body
    assert "You are on the network</h1>" in mine.body
    assert "You are online" not in mine.body
    server.backend.view = replace(server.backend.view, outage=Outage(None))
    assert "The Internet connection is down." in (await ana.get("/me")).body
    server.backend.view = replace(server.backend.view, outage=None)
    assert "You are online</h1>" in (await ana.get("/me")).body


async def test_a_request_can_be_cancelled(ana: PortalBrowser) -> None:
    await fill_in(ana, "/ask", host="ana", name="Carla")
    assert 303 == (await fill_in(ana, "/leave")).status
    assert "Welcome to Vall Verda" in (await ana.get("/")).body


async def test_when_a_voucher_has_ended_the_page_says_so(server: PortalServer, ana: PortalBrowser) -> None:
    await fill_in(ana, "/join/code", code=GOOD_CODE)
    server.backend.now += 5 * 3_600_000
    server.backend.happens(ANA, session_state.TimedOut())
    page = await ana.get("/")
    assert "Your code has run out" in page.body
    assert 'action="/join/code"' in page.body


async def test_an_authorized_device_can_still_use_a_code(server: PortalServer, ana: PortalBrowser) -> None:
    await fill_in(ana, "/join/terms")
    page = await ana.get("/ways")
    assert "More time, or another account" in page.body
    assert 303 == (await ana.post("/join/code", page.fill("/join/code", code=GOOD_CODE))).status
    assert "voucher-7k3m9q2w4x1z" == server.backend.guest(ANA).account


# --- the account page ---


async def test_a_second_device_joins_with_the_code_shown_on_the_first_one(
    server: PortalServer, ana: PortalBrowser, ben: PortalBrowser
) -> None:
    inside(server.backend)
    made = await fill_in(ana, "/devices/code")
    assert (303, "/me#add") == (made.status, made.headers["location"])
    code = server.backend.guest(ANA).device_code
    assert code is not None
    assert code.code in (await ana.get("/me")).body
    await fill_in(ben, "/join/code", code=code.code)
    assert "ana" == server.backend.guest(BEN).account
    assert (
        422
        == (
            await fill_in(PortalBrowser(server.port, BENS_ADDRESS), "/join/code", "/ways", code=code.code)
        ).status
    )


async def test_devices_are_named_and_removed(server: PortalServer, ana: PortalBrowser) -> None:
    inside(inside(server.backend), BEN)
    named = await fill_in(ana, "/devices/name", device=BEN, name='Tablet <b>"Ñ"')
    assert (303, "/me?done=named") == (named.status, named.headers["location"])
    page = (await ana.get("/me?done=named")).body
    assert "The name is saved." in page
    assert "Tablet &lt;b&gt;&#34;Ñ&#34;" in page
    assert 303 == (await fill_in(ana, "/devices/remove", device=BEN)).status
    assert {ANA} == set(server.backend.passing)


async def test_an_objection_is_sent_and_its_answer_is_read(server: PortalServer, ana: PortalBrowser) -> None:
    inside(server.backend)
    sent = await fill_in(ana, "/contest", rule="evening", text="I work at night.\r\nPlease look.")
    assert (303, "/me?done=contested") == (sent.status, sent.headers["location"])
    assert "No answer yet." in (await ana.get("/me")).body
    (objection,) = server.backend.objections
    assert ("evening", "I work at night.\nPlease look.", "ana") == (
        objection.rule,
        objection.text,
        objection.account,
    )
    server.backend.objections = [replace(objection, answer="Done: from tomorrow.", answered_day=TODAY)]
    assert "Done: from tomorrow." in (await ana.get("/me")).body


@pytest.mark.parametrize("letter", ["a", "é", "م", "善", "🌊"])
async def test_the_longest_objection_arrives_in_every_alphabet(
    server: PortalServer, ana: PortalBrowser, letter: str
) -> None:
    inside(server.backend)
    assert 303 == (await fill_in(ana, "/contest", rule="evening", text=letter * 1_000)).status
    assert letter * 1_000 == server.backend.objections[0].text


async def test_an_objection_over_the_limit_is_not_lost(server: PortalServer, ana: PortalBrowser) -> None:
    inside(server.backend)
    server.backend.objections = [Objection(number, "ana", TODAY, "evening", "Slow.") for number in range(3)]
    page = await fill_in(ana, "/contest", rule="evening", text="Still slow.")
    assert 429 == page.status
    assert ">Still slow.</textarea>" in page.body
    assert "You already have open requests" in page.body


async def test_a_member_sets_a_passphrase_that_no_page_shows(
    server: PortalServer, ana: PortalBrowser
) -> None:
    inside(server.backend)
    sent = await fill_in(ana, "/passphrase", passphrase="my new plain words", current=ANAS_PASSPHRASE)
    assert 303 == sent.status
    assert "my new plain words" == server.backend.passphrases["ana"]
    short = await fill_in(ana, "/passphrase", passphrase="short77", current="my new plain words")
    wrong = await fill_in(ana, "/passphrase", passphrase="words of a stranger", current="a guess 12")
    assert [422, 422] == [short.status, wrong.status]
    assert "my new plain words" == server.backend.passphrases["ana"]
    for page in (await ana.get("/me"), short, wrong):
        for typed in ("my new plain words", "short77", "words of a stranger", "a guess 12"):
            assert typed not in page.body


async def test_without_a_passphrase_or_a_card_there_is_no_field_for_a_new_passphrase(
    server: PortalServer, ana: PortalBrowser
) -> None:
    inside(server.backend)
    server.backend.passphrases.clear()
    page = await ana.get("/me")
    assert 'action="/passphrase"' not in page.body
    assert "You have no passphrase yet" in page.body
    inside(server.backend, way="card")
    page = await ana.get("/me")
    assert 'action="/passphrase"' in page.body
    assert 'name="current"' not in page.body
    assert 303 == (await fill_in(ana, "/passphrase", passphrase="my first plain words")).status


async def test_guests_have_no_membership_on_their_page(server: PortalServer, ana: PortalBrowser) -> None:
    inside(server.backend, account="guest-1", way="terms")
    page = (await ana.get("/me")).body
    assert 'action="/passphrase"' not in page
    assert "Accept the terms again for more time" in page


async def test_personal_data_is_shown_exported_and_erased(server: PortalServer, ana: PortalBrowser) -> None:
    inside(server.backend)
    assert "passphrase" in (await ana.get("/my-data")).body
    document = await ana.get("/my-data.json")
    assert 'attachment; filename="my-data.json"' == document.headers["content-disposition"]
    assert ("ana", "application/json") == (
        json.loads(document.body)["account"],
        document.headers["content-type"],
    )
    question = await ana.get("/my-data/erase")
    assert [] == server.backend.erased
    assert 303 == (await ana.post("/erase", question.fill("/erase"))).status
    assert ([ANA], set()) == (server.backend.erased, set(server.backend.passing))


# --- public pages ---


async def test_notices_and_services_are_shown_before_admission(
    server: PortalServer, ana: PortalBrowser
) -> None:
    texts = (NoticeText("en", "Storm", "Stay in."), NoticeText("ca", "Tempesta", "Queda't a casa."))
    inner = (NoticeText("en", "Members only", "The key is under the mat."),)
    server.backend.board = (
        Notice(1, "network", "everyone", "", "", True, texts),
        Notice(2, "network", "members", "", "", False, inner),
    )
    server.backend.around = (ServiceView("Wiki", "http://wiki.lan/", "All about us.", True),)
    for path in ("/", "/notices"):
        assert "Stay in." in (await ana.get(path)).body
        assert "Queda&#39;t a casa." in (await ana.get(path, Accept_Language="ca")).body
        assert "under the mat" not in (await ana.get(path)).body
    for path in ("/", "/services"):
        assert 'href="http://wiki.lan/"' in (await ana.get(path)).body


async def test_the_privacy_page_says_what_each_table_is_for_and_how_long_it_is_kept(
    ana: PortalBrowser,
) -> None:
    page = (await ana.get("/privacy")).body
    for kept in KEPT:
        assert kept.purpose in page
        assert kept.retention in page


async def test_the_network_page_says_who_runs_it_and_how_to_help(
    server: PortalServer, ana: PortalBrowser
) -> None:
    server.backend.view = replace(COMMUNITY, help="We meet on Saturdays.\n\nBring a <ladder>.")
    page = (await ana.get("/network")).body
    for words in (
        "We meet on Saturdays.",
        "Bring a &lt;ladder&gt;.",
        "hello@vallverda.example",
        *COMMUNITY.sentences,
    ):
        assert words in page

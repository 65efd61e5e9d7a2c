"""A page that was open for more than 24 hours: nothing happens, and its form comes back with what was typed."""

from collections.abc import AsyncIterator
from html import unescape

import pytest

from captive_portal import forms
from captive_portal.actions import ACTIONS
from node.units import AccountId
from tests.contracts.portal_client import PortalBrowser, PortalReply
from tests.fakes.portal_server import (
    ANAS_ADDRESS,
    BENS_ADDRESS,
    SECRET,
    TOKENS,
    PortalServer,
    open_portal_server,
    portal_node,
)
from tests.fakes.use_cases import ANA, BEN, CAI, CARD, FIRST_CODE, PASSPHRASE, TODAY, AppFixture, UseCases

SENTENCE = "more than 24 hours old"
TYPED = "<b>what I wrote & meant</b>"
WAYS_IN = {
    "/join/terms": {},
    "/join/code": {"code": FIRST_CODE},
    "/join/card": {"card": CARD},
    "/join/passphrase": {"account": "ana", "passphrase": PASSPHRASE},
    "/ask": {"host": "Ana", "name": "Ben B."},
}
MINE = {
    "/leave": {},
    "/answer": {"number": "1", "yes": "no"},
    "/devices/code": {},
    "/devices/name": {"device": ANA, "name": TYPED[:40]},
    "/passphrase": {"passphrase": "never shown again", "current": PASSPHRASE},
    "/contest": {"rule": "", "text": TYPED},
    "/read": {},
    "/erase": {},
    "/rules/object": {"text": TYPED},
    "/rules/take-back": {},
}


@pytest.fixture
async def server() -> AsyncIterator[PortalServer]:
    """Ana is online as a member with a sponsor request and a message, for as long as she likes; Ben has not joined."""
    async with open_portal_server(lasting()) as server:
        assert [FIRST_CODE] == await server.app.codes()
        await server.app.join_by_passphrase(ANA)
        await server.app.ask(CAI)
        await rules_wait(server.app)
        assert "done" == await server.app.adoption.object(AccountId("ana"), 2, "Not at night.")
        sent = server.app.loop.registry.messages.send(AccountId("ana"), "Call me.", "admin", TODAY)
        assert isinstance(sent, tuple)
        await server.app.loop.remember(sent)
        yield server


async def rules_wait(app: UseCases) -> None:
    await app.adoption.record(app.loop.active_ruleset, "the node's start")
    text = app.loop.active_ruleset.text.replace("7 Mbit/s down", "8 Mbit/s down")
    assert "scheduled" == (await app.adoption.adopt(text, "admin Ana", due="2026-12-01 06:00")).kind


def lasting() -> AppFixture:
    """A node where a session has no end."""
    return portal_node(session_ms=None)


def page_of(path: str) -> str:
    if path.startswith("/rules/"):
        return "/rules/next"
    return {"/erase": "/my-data/erase"}.get(path, "/me" if path in MINE else "/ways")


async def sent_late(
    server: PortalServer, browser: PortalBrowser, path: str, typed: dict[str, str], hours: float
) -> tuple[PortalReply, bool]:
    """The response, and whether the form changed anything."""
    page = await browser.get(page_of(path))
    form = page.fill(path, **typed)
    await server.pass_hours(hours)
    if path == "/answer":  # the request has run out, and the guest asks again
        await server.app.ask(CAI)
    before = server.app.snapshot()
    reply = await browser.post(path, form)
    return reply, before != server.app.snapshot()


@pytest.mark.parametrize(("path", "typed"), [*WAYS_IN.items(), *MINE.items()])
async def test_the_form_comes_back_with_what_was_typed_and_works_then(
    server: PortalServer, path: str, typed: dict[str, str]
) -> None:
    browser = PortalBrowser(server.port, ANAS_ADDRESS if path in MINE else BENS_ADDRESS)
    late, has_changed = await sent_late(server, browser, path, typed, 24.1)
    assert (409, False) == (late.status, has_changed)
    assert SENTENCE in late.body
    for name, value in typed.items():
        if name in {"passphrase", "current"}:
            assert value not in late.body
        elif name in {"code", "card", "account", "host", "name", "text"}:
            assert value in unescape(late.body)
    again = late.fill(path, **{name: value for name, value in typed.items() if name != "number"})
    before = server.app.snapshot()
    assert 303 == (await browser.post(path, again)).status
    assert before != server.app.snapshot()


@pytest.mark.parametrize(("path", "typed"), [*WAYS_IN.items(), *MINE.items()])
async def test_a_page_younger_than_24_hours_is_accepted(
    server: PortalServer, path: str, typed: dict[str, str]
) -> None:
    browser = PortalBrowser(server.port, ANAS_ADDRESS if path in MINE else BENS_ADDRESS)
    sent, has_changed = await sent_late(server, browser, path, typed, 23.9)
    assert SENTENCE not in sent.body
    # A sponsor request does not wait that long for its answer.
    assert ((403, False) if path == "/answer" else (303, True)) == (sent.status, has_changed)


async def test_every_form_is_tested() -> None:
    assert {*WAYS_IN, *MINE} == set(ACTIONS) - {"/devices/remove", "/language"}


async def test_a_device_is_not_removed_by_an_expired_page(server: PortalServer) -> None:
    form = f"token={TOKENS.token(forms.DEVICES, ANA)}&device={BEN}"
    await server.pass_hours(25)
    before = server.app.snapshot()
    late = await PortalBrowser(server.port).post("/devices/remove", form)
    assert (409, before) == (late.status, server.app.snapshot())
    assert SENTENCE in late.body


async def test_a_guest_who_waits_for_approval_sees_the_wait_again(server: PortalServer) -> None:
    ben = PortalBrowser(server.port, BENS_ADDRESS)
    page = await ben.get("/ways")
    await ben.post("/ask", page.fill("/ask", host="Ana", name="Ben"))
    form = (await ben.get("/")).fill("/leave")
    await server.pass_hours(25)
    await server.app.ask(BEN)
    late = await ben.post("/leave", form)
    assert (409, True) == (late.status, SENTENCE in late.body)
    assert 303 == (await ben.post("/leave", late.fill("/leave"))).status


@pytest.mark.parametrize("hours", [1, 25])
async def test_the_text_of_an_objection_is_kept_when_the_session_ended_meanwhile(
    server: PortalServer, hours: float
) -> None:
    ana = PortalBrowser(server.port)
    form = (await ana.get("/me")).fill("/contest", rule="", text=TYPED)
    await server.app.portal.leave(ANA)
    await server.pass_hours(hours)
    late = await ana.post("/contest", form)
    assert 200 < late.status < 500
    assert TYPED in unescape(late.body)
    assert TYPED not in late.body, "text, never markup"
    assert 'action="/join/terms"' in late.body


async def test_after_a_reboot_every_page_is_expired_and_no_text_is_lost() -> None:
    """The time since boot restarts below the age of the page; the civil clock is not used."""
    node = lasting()
    async with open_portal_server(node) as server:
        await server.app.join(ANA)
        form = (await PortalBrowser(server.port).get("/me")).fill("/contest", rule="", text=TYPED)
    node.power_cut()
    async with open_portal_server(node) as server:
        late = await PortalBrowser(server.port).post("/contest", form)
        assert (409, True) == (late.status, TYPED in unescape(late.body))


async def test_after_a_restart_of_the_program_a_page_is_accepted() -> None:
    node = lasting()
    async with open_portal_server(node) as server:
        await server.app.join(ANA)
        form = (await PortalBrowser(server.port).get("/me")).fill("/contest", rule="", text=TYPED)
    async with open_portal_server(node) as server:
        await server.pass_hours(3)
        assert 303 == (await PortalBrowser(server.port).post("/contest", form)).status


async def test_an_expired_page_of_another_device_gives_no_text_back(server: PortalServer) -> None:
    """A text comes back only to the device that was given the page."""
    form = (await PortalBrowser(server.port).get("/me")).fill("/contest", rule="", text=TYPED)
    await server.pass_hours(25)
    late = await PortalBrowser(server.port, BENS_ADDRESS).post("/contest", form)
    assert 403 == late.status
    assert TYPED not in unescape(late.body)
    assert SECRET.hex() not in late.body


async def test_a_page_of_before_a_new_secret_is_shown_again_with_its_text_and_then_accepted() -> None:
    """A node that was removed knows the former secret, and its forged tokens change nothing."""
    async with open_portal_server(lasting()) as server:
        await server.app.join(ANA)
        browser = PortalBrowser(server.port)
        form = (await browser.get("/me")).fill("/contest", rule="", text=TYPED)
        server.portal.sign_with(b"n" * 32, (SECRET,))
        late = await browser.post("/contest", form)
        assert (409, True) == (late.status, TYPED in unescape(late.body))
        assert 303 == (await browser.post("/contest", late.fill("/contest", rule="", text=TYPED))).status
        server.portal.sign_with(b"m" * 32, (b"n" * 32,))
        assert 403 == (await browser.post("/contest", form)).status

"""A page that was open for more than 24 hours: nothing happens, its form comes again, and what was typed is in it."""

from collections.abc import AsyncIterator
from html import unescape

import pytest

from captive_portal import forms, guests
from captive_portal.changes import CHANGES
from tests.contracts.portal_client import Browser, Reply
from tests.fakes.front_door import ANA, ANAS_ADDRESS, BEN, BENS_ADDRESS, SECRET, TOKENS, FrontDoor, open_door
from tests.fakes.house import ALLOWANCE, GOOD_CODE, HOUSE_CARD, FakeHouse, Question
from tests.fakes.visits import inside

SENTENCE = "more than 24 hours old"
TYPED = "<b>what I wrote & meant</b>"
WAYS_IN = {
    "/join/terms": {},
    "/join/code": {"code": GOOD_CODE},
    "/join/card": {"card": HOUSE_CARD},
    "/join/passphrase": {"account": "ana", "passphrase": "never shown again"},
    "/ask": {"host": "Ana", "name": "Ben B."},
}
MINE = {
    "/leave": {},
    "/answer": {"number": "1", "yes": "no"},
    "/devices/code": {},
    "/devices/name": {"device": ANA, "name": TYPED[:40]},
    "/passphrase": {"passphrase": "never shown again"},
    "/contest": {"rule": "", "text": TYPED},
    "/erase": {},
}


@pytest.fixture
async def door() -> AsyncIterator[FrontDoor]:
    """Ana is in, as a member whom somebody asks for a yes; Ben is nobody."""
    house = inside(FakeHouse(allowance=ALLOWANCE))
    house.questions.append(Question(1, BEN, "ana", "Cai", "1234"))
    async with open_door(house) as door:
        yield door


def page_of(path: str) -> str:
    return {"/erase": "/my-data/erase"}.get(path, "/me" if path in MINE else "/ways")


async def sent_late(
    door: FrontDoor, browser: Browser, path: str, typed: dict[str, str], hours: float
) -> Reply:
    page = await browser.get(page_of(path))
    form = page.fill(path, **typed)
    door.clock.pass_hours(hours)
    return await browser.post(path, form)


@pytest.mark.parametrize(("path", "typed"), [*WAYS_IN.items(), *MINE.items()])
async def test_the_form_comes_again_with_what_was_typed_and_works_then(
    door: FrontDoor, path: str, typed: dict[str, str]
) -> None:
    browser = Browser(door.port, ANAS_ADDRESS if path in MINE else BENS_ADDRESS)
    late = await sent_late(door, browser, path, typed, 24.1)
    assert 409 == late.status
    assert SENTENCE in late.body
    assert [] == door.house.calls
    for name, value in typed.items():
        if name == "passphrase":
            assert value not in late.body
        elif name in {"code", "card", "account", "host", "name", "text"}:
            assert value in unescape(late.body)
    again = late.fill(path, **typed)
    assert 409 != (await browser.post(path, again)).status
    assert [] != door.house.calls


@pytest.mark.parametrize(("path", "typed"), [*WAYS_IN.items(), *MINE.items()])
async def test_within_24_hours_it_is_good(door: FrontDoor, path: str, typed: dict[str, str]) -> None:
    browser = Browser(door.port, ANAS_ADDRESS if path in MINE else BENS_ADDRESS)
    assert SENTENCE not in (await sent_late(door, browser, path, typed, 23.9)).body
    assert [] != door.house.calls


async def test_every_form_is_tried() -> None:
    assert {*WAYS_IN, *MINE} == set(CHANGES) - {"/devices/remove", "/language"}


async def test_a_device_is_not_taken_off_by_an_old_page(door: FrontDoor) -> None:
    form = f"token={TOKENS.token(forms.DEVICES, ANA)}&device={BEN}"
    door.clock.pass_hours(25)
    late = await Browser(door.port).post("/devices/remove", form)
    assert (409, []) == (late.status, door.house.calls)
    assert SENTENCE in late.body


async def test_a_guest_who_waits_for_a_yes_sees_the_wait_again(door: FrontDoor) -> None:
    ben = Browser(door.port, BENS_ADDRESS)
    page = await ben.get("/ways")
    await ben.post("/ask", page.fill("/ask", host="Ana", name="Ben"))
    form = (await ben.get("/")).fill("/leave")
    door.clock.pass_hours(25)
    late = await ben.post("/leave", form)
    assert (409, True) == (late.status, SENTENCE in late.body)
    assert 303 == (await ben.post("/leave", late.fill("/leave"))).status


@pytest.mark.parametrize("hours", [1, 25])
async def test_who_is_out_meanwhile_keeps_the_words_of_a_contest(door: FrontDoor, hours: float) -> None:
    ana = Browser(door.port)
    form = (await ana.get("/me")).fill("/contest", rule="", text=TYPED)
    door.house.happens(ANA, guests.Left())
    door.clock.pass_hours(hours)
    late = await ana.post("/contest", form)
    assert 200 < late.status < 500
    assert TYPED in unescape(late.body)
    assert TYPED not in late.body, "text, never markup"
    assert 'action="/join/terms"' in late.body


async def test_after_a_reboot_every_page_is_old_and_no_text_is_lost() -> None:
    """The time since boot begins again, below the age of the page; the civil clock is never asked."""
    house = inside(FakeHouse(allowance=ALLOWANCE))
    async with open_door(house) as door:
        form = (await Browser(door.port).get("/me")).fill("/contest", rule="", text=TYPED)
    async with open_door(house, boot="another boot") as door:
        door.clock.now = 60_000
        late = await Browser(door.port).post("/contest", form)
        assert (409, True) == (late.status, TYPED in unescape(late.body))


async def test_after_a_restart_of_the_program_a_page_is_good() -> None:
    house = inside(FakeHouse(allowance=ALLOWANCE))
    async with open_door(house) as door:
        form = (await Browser(door.port).get("/me")).fill("/contest", rule="", text=TYPED)
    async with open_door(house) as door:
        door.clock.pass_hours(3)
        assert 303 == (await Browser(door.port).post("/contest", form)).status


async def test_somebody_elses_old_page_is_not_even_old(door: FrontDoor) -> None:
    """A text comes back only to the device that was given the page."""
    form = (await Browser(door.port).get("/me")).fill("/contest", rule="", text=TYPED)
    door.clock.pass_hours(25)
    late = await Browser(door.port, BENS_ADDRESS).post("/contest", form)
    assert 403 == late.status
    assert TYPED not in unescape(late.body)
    assert SECRET.hex() not in late.body

"""The splash page: typed values are kept except passphrases, and the device to evict can be chosen."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial

import pytest

from captive_portal import splash
from captive_portal.splash import Typed
from node.app.views import CodeTyped, DeviceView, Full, Outage, Refused
from node.units import AccountId, MacAddress
from tests.fakes.portal_server import GUEST_RULES, context, joining, portal_node, rendered
from tests.fakes.use_cases import ANA, BEN, HOUR_MS, UseCases

DEVICES = (DeviceView(BEN, "tablet", False, True, 900),)
ONLY_CODES = joining("voucher")


def test_join_methods_are_in_the_order_of_the_community() -> None:
    app = portal_node(joining("voucher", "terms")).use_cases()
    assert ("voucher", "terms") == splash.splash(context(app)).ways


def test_methods_of_members_are_not_offered_where_there_are_none() -> None:
    assert ("terms", "voucher") == splash.splash(context(portal_node(members="").use_cases())).ways


def test_an_address_may_contain_a_code_or_a_card() -> None:
    assert Typed(code="7K3M") == splash.begun(context(query={"code": "7K3M"}))
    assert Typed(card="PROCOMU1.a.b") == splash.begun(context(query={"card": "PROCOMU1.a.b"}))
    assert splash.NOTHING == splash.begun(context())


def test_a_new_device_is_told_nothing() -> None:
    assert "" == splash.word_for(portal_node().use_cases().guest(ANA))


@pytest.mark.parametrize(
    ("join", "word"),
    [
        (UseCases.join, "expired"),
        (UseCases.join_by_card, "expired"),
        (partial(UseCases.join_by_voucher, lasts_ms=HOUR_MS), "code-over"),
    ],
)
async def test_a_returning_person_is_told_what_ended(
    app: UseCases, join: Callable[[UseCases, MacAddress], Awaitable[AccountId]], word: str
) -> None:
    await join(app, ANA)
    await app.expire(ANA)
    assert word == splash.word_for(app.guest(ANA))


async def test_a_session_that_ended_before_its_voucher_is_over_and_the_code_is_not(app: UseCases) -> None:
    await app.join_by_voucher(ANA)
    rule = '[[rule]]\nid = "visit"\nsession = "30 minutes"\nwho = "group:day-pass"\nby = "D-1"\n'
    await app.adopt(GUEST_RULES + rule)
    (code,) = await app.codes()
    await app.join(BEN, CodeTyped(code))
    await app.expire(BEN)
    assert "expired" == splash.word_for(app.guest(BEN))


async def test_an_unanswered_request_is_reported_first_unless_the_device_is_known(app: UseCases) -> None:
    await app.join(ANA)
    await app.expire(ANA)
    await app.ask(ANA)
    await app.pass_time(10 * 60_000)
    assert ("expired", "unanswered") == (app.guest(ANA).state, splash.word_for(app.guest(ANA)))
    await app.adopt(joining("card", "introduction"))
    await app.join_by_card(BEN)
    await app.expire(BEN)
    await app.ask(BEN)
    await app.pass_time(10 * 60_000)
    assert (True, "known") == (app.guest(BEN).went_unanswered, splash.word_for(app.guest(BEN)))


async def test_a_known_device_returns_with_one_tap_where_others_enter_a_code() -> None:
    visit = '[[rule]]\nid = "visit"\nsession = "30 minutes"\nwho = "group:day-pass"\nby = "D-1"\n'
    async with portal_node(ONLY_CODES, visit).life() as app:
        await app.join_by_voucher(ANA)
        await app.expire(ANA)
        assert app.guest(ANA).comes_back
        for mac, times in ((ANA, 1), (BEN, 0)):
            page = splash.splash(context(app, mac=mac), splash.word_for(app.guest(mac)))
            assert times == rendered(page).count(b'action="/join/terms"')
        await app.join(ANA)
        await app.pass_time(24 * HOUR_MS)
        assert ("code-over", False) == (splash.word_for(app.guest(ANA)), app.guest(ANA).comes_back)


@pytest.mark.parametrize(("wait_s", "minutes"), [(0, 0), (1, 1), (60, 1), (61, 2), (3_600, 60)])
def test_a_wait_is_given_in_whole_minutes(wait_s: int, minutes: int) -> None:
    failure = splash.failure("voucher", Refused("too-many-guesses", wait_s=wait_s))
    assert minutes == failure.wait_minutes


async def test_the_page_that_waits_for_a_member_shows_the_sign(app: UseCases) -> None:
    assert splash.asking(context(app), app.guest(ANA)) is None
    await app.join_by_card(BEN)
    await app.ask(ANA, name="Carla")
    asking = splash.asking(context(app), app.guest(ANA))
    assert asking is not None
    (request,) = app.guest(BEN).requests
    assert ("ana", "Carla", request.sign, 600) == (
        asking.host,
        asking.name,
        asking.sign,
        asking.seconds_left,
    )
    assert (4, True) == (len(asking.sign), asking.sign.isdecimal())


def test_the_device_to_evict_is_chosen_without_entering_a_passphrase_again() -> None:
    form = {"terms": "2", "token": "t", "account": "ana", "passphrase": "four plain old words"}
    page = splash.make_room(context(), "passphrase", form, Full(DEVICES, 1))
    assert (("terms", "2"), ("account", "ana"), ("passphrase", "")) == page.hidden
    assert ("/join/passphrase", DEVICES, 1) == (
        page.action,
        page.devices,
        page.devices_max,
    )
    assert "four plain" not in repr(page)


async def test_an_authorized_device_gets_no_splash_page(app: UseCases) -> None:
    await app.join(ANA)
    assert splash.splash(context(app)).is_admitted
    await app.portal.leave(ANA)
    assert not splash.splash(context(app)).is_admitted


def test_what_is_told_of_an_outage_counts_as_the_page_has_it() -> None:
    assert 0 == splash.outage_bytes(None) == splash.outage_bytes(Outage(None))
    assert 300 == splash.outage_bytes(Outage(None, "&" * 60))
    both = Outage(None, "é", datetime(2026, 11, 30, 20, tzinfo=UTC))
    assert 2 + splash.UNTIL_BYTES_MAX == splash.outage_bytes(both)

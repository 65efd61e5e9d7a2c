"""The splash page: typed values are kept except passphrases, and the device to evict can be chosen."""

from dataclasses import replace

import pytest

from captive_portal import splash
from captive_portal.splash import Typed
from node.app.views import DeviceView, Full, GuestView, Refused
from node.sessions import state as session_state
from node.units import NO_USAGE
from tests.fakes.portal_backend import COMMUNITY, FakePortalBackend
from tests.fakes.portal_server import ANA, BEN, rendered
from tests.fakes.requests import context, inside

DEVICES = (DeviceView(BEN, "tablet", False, True, 900),)


def test_join_methods_are_in_the_order_of_the_community() -> None:
    page = splash.splash(context(community=replace(COMMUNITY, ways=("voucher", "terms"))))
    assert ("voucher", "terms") == page.ways


def test_an_address_may_contain_a_code_or_a_card() -> None:
    assert Typed(code="7K3M") == splash.begun(context(query={"code": "7K3M"}))
    assert Typed(card="PROCOMU1.a.b") == splash.begun(context(query={"card": "PROCOMU1.a.b"}))
    assert splash.NOTHING == splash.begun(context())


@pytest.mark.parametrize(
    ("state", "way", "word"),
    [
        ("waiting", None, ""),
        ("expired", "terms", "expired"),
        ("expired", None, "expired"),
        ("expired", "voucher", "code-over"),
    ],
)
def test_a_returning_person_is_told_what_ended(state: str, way: str | None, word: str) -> None:
    assert word == splash.word_for(GuestView(state, None, NO_USAGE, None, None, None, way=way))


def test_an_unanswered_request_is_reported_first_unless_the_device_is_known() -> None:
    guest = GuestView("expired", None, NO_USAGE, None, None, None, way="terms", went_unanswered=True)
    assert "unanswered" == splash.word_for(guest)
    assert "known" == splash.word_for(replace(guest, comes_back=True))


def test_a_known_device_returns_with_one_tap_where_others_enter_a_code() -> None:
    guest = GuestView("expired", None, NO_USAGE, None, None, None, way="voucher", comes_back=True)
    community = replace(COMMUNITY, ways=("voucher",))
    for known, times in ((guest, 1), (replace(guest, comes_back=False), 0)):
        page = splash.splash(context(community=community), splash.word_for(known))
        assert times == rendered(page).count(b'action="/join/terms"')


@pytest.mark.parametrize(("wait_s", "minutes"), [(0, 0), (1, 1), (60, 1), (61, 2), (3_600, 60)])
def test_a_wait_is_given_in_whole_minutes(wait_s: int, minutes: int) -> None:
    failure = splash.failure("voucher", Refused("too-many-guesses", wait_s=wait_s))
    assert minutes == failure.wait_minutes


async def test_the_page_that_waits_for_a_member_shows_the_sign() -> None:
    backend = FakePortalBackend()
    assert splash.asking(context(backend)) is None
    await backend.ask(ANA, "ana", "Ben", "2")
    asking = splash.asking(context(backend))
    assert asking is not None
    assert ("ana", "Ben", "4711", 600) == (asking.host, asking.name, asking.sign, asking.seconds_left)


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


def test_an_authorized_device_gets_no_splash_page() -> None:
    assert splash.splash(context(inside(FakePortalBackend()))).is_admitted
    backend = FakePortalBackend()
    backend.happens(ANA, session_state.SessionGranted("2", None))
    backend.happens(ANA, session_state.LoggedOff())
    assert not splash.splash(context(backend)).is_admitted

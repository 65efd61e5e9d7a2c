"""The ways in: what was typed is kept, never a passphrase; who makes room is chosen."""

from dataclasses import replace

import pytest

from captive_portal import guests, welcome
from captive_portal.ports import DeviceView, Full, GuestView, Refused
from captive_portal.welcome import Typed
from node.units import NO_USAGE
from tests.fakes.front_door import ANA, BEN, renderer
from tests.fakes.house import COMMUNITY, FakeHouse
from tests.fakes.visits import inside, visit

DEVICES = (DeviceView(BEN, "tablet", False, True, 900),)


def test_the_ways_stand_in_the_order_of_the_community() -> None:
    page = welcome.splash(visit(community=replace(COMMUNITY, ways=("voucher", "terms"))))
    assert ("voucher", "terms") == page.ways


def test_an_address_may_bring_a_code_or_a_card() -> None:
    assert Typed(code="7K3M") == welcome.begun(visit(query={"code": "7K3M"}))
    assert Typed(card="PROCOMU1.a.b") == welcome.begun(visit(query={"card": "PROCOMU1.a.b"}))
    assert welcome.NOTHING == welcome.begun(visit())


@pytest.mark.parametrize(
    ("state", "way", "word"),
    [
        ("waiting", None, ""),
        ("expired", "terms", "expired"),
        ("expired", None, "expired"),
        ("expired", "voucher", "code-over"),
    ],
)
def test_who_comes_back_hears_what_ended(state: str, way: str | None, word: str) -> None:
    assert word == welcome.word_for(GuestView(state, None, NO_USAGE, None, None, None, way=way))


def test_who_asked_a_member_in_vain_hears_it_first_unless_the_house_knows_the_device() -> None:
    guest = GuestView("expired", None, NO_USAGE, None, None, None, way="terms", went_unanswered=True)
    assert "unanswered" == welcome.word_for(guest)
    assert "known" == welcome.word_for(replace(guest, comes_back=True))


def test_a_device_that_is_still_known_comes_back_with_one_tap_where_others_show_a_code() -> None:
    guest = GuestView("expired", None, NO_USAGE, None, None, None, way="voucher", comes_back=True)
    community = replace(COMMUNITY, ways=("voucher",))
    for known, times in ((guest, 1), (replace(guest, comes_back=False), 0)):
        page = welcome.splash(visit(community=community), welcome.word_for(known))
        assert times == renderer().render(page).count(b'action="/join/terms"')


@pytest.mark.parametrize(("wait_s", "minutes"), [(0, 0), (1, 1), (60, 1), (61, 2), (3_600, 60)])
def test_a_wait_is_told_in_whole_minutes(wait_s: int, minutes: int) -> None:
    failure = welcome.failure("voucher", Refused("too-many-guesses", wait_s=wait_s))
    assert minutes == failure.wait_minutes


async def test_the_wait_for_a_member_shows_the_sign() -> None:
    house = FakeHouse()
    assert welcome.asking(visit(house)) is None
    await house.ask(ANA, "ana", "Ben", "2")
    asking = welcome.asking(visit(house))
    assert asking is not None
    assert ("ana", "Ben", "4711", 600) == (asking.host, asking.name, asking.sign, asking.seconds_left)


def test_who_makes_room_is_chosen_without_showing_a_passphrase_again() -> None:
    form = {"terms": "2", "token": "t", "account": "ana", "passphrase": "four plain old words"}
    page = welcome.make_room(visit(), "passphrase", form, Full(DEVICES, 1))
    assert (("terms", "2"), ("account", "ana"), ("passphrase", "")) == page.hidden
    assert ("/join/passphrase", DEVICES, 1) == (
        page.action,
        page.devices,
        page.devices_max,
    )
    assert "four plain" not in repr(page)


def test_who_is_in_is_not_welcomed_again() -> None:
    assert welcome.splash(visit(inside(FakeHouse()))).is_admitted
    house = FakeHouse()
    house.happens(ANA, guests.TermsAccepted("2", None))
    house.happens(ANA, guests.Left())
    assert not welcome.splash(visit(house)).is_admitted

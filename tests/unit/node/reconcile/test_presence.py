"""Who is here: numbers are never given twice, and last bytes find their account."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captive_portal import guests
from node.errors import KernelRefused
from node.reconcile import presence as presences
from node.reconcile.presence import Presence
from node.units import AccountId, MacAddress, Milliseconds, Monotonic

ANA = MacAddress("02:00:00:00:00:0a")
NOW = Monotonic(0)
ACCEPT = guests.TermsAccepted("1", Milliseconds(1000))


def house(accounts: dict[str, str] | None = None, guests_max: int = presences.GUESTS_MAX) -> Presence:
    known = {} if accounts is None else accounts
    return Presence(lambda mac: AccountId(known.get(mac, f"guest-{mac[-2:]}")), guests_max)


def test_who_is_admitted_has_a_seat_a_mark_and_a_class() -> None:
    presence = house()
    presence.handle(ANA, ACCEPT, NOW)
    admission = presence.admitted()[ANA]
    assert (1, 1, 1000) == (admission.mark, admission.class_minor, admission.ends)


def test_one_person_with_ever_new_addresses_leaves_room_for_members() -> None:
    macs = [MacAddress(f"02:00:00:00:01:{number:02x}") for number in range(5)]
    presence = house({macs[3]: "ana", ANA: "voucher-abc"}, guests_max=3)
    for mac in macs[:3]:
        presence.handle(mac, ACCEPT, NOW)
    with pytest.raises(KernelRefused, match="as many guests"):
        presence.handle(macs[4], ACCEPT, NOW)
    assert not presence.is_admitted(macs[4])
    presence.handle(macs[0], ACCEPT, NOW)
    presence.handle(macs[3], ACCEPT, NOW)
    presence.handle(ANA, ACCEPT, NOW)
    assert {*macs[:4], ANA} == set(presence.admitted())
    presence.handle(macs[1], guests.Left(), NOW)
    presence.forget_marks([presence.seats[macs[1]].mark])
    presence.handle(macs[4], ACCEPT, NOW)
    assert presence.is_admitted(macs[4]), "who leaves makes room"


def test_an_event_that_means_nothing_to_somebody_moves_them_nowhere() -> None:
    accounts: dict[str, str] = {}
    presence = house(accounts)
    presence.handle(ANA, ACCEPT, NOW)
    accounts[ANA] = "full"
    assert not presence.handle(ANA, guests.Pardoned(), NOW)
    assert AccountId("guest-0a") == presence.seats[ANA].account


def test_who_leaves_retires_until_the_last_bytes_are_booked() -> None:
    presence = house()
    presence.handle(ANA, ACCEPT, NOW)
    presence.handle(ANA, guests.Left(), NOW)
    assert {1: 1} == presence.retiring
    assert AccountId("guest-0a") == presence.by_mark[1].account
    presence.forget_marks([1])
    assert {} == presence.retiring
    assert {} == presence.by_mark


def test_who_comes_back_before_that_keeps_the_number_and_later_gets_a_new_one() -> None:
    presence = house()
    for expected in (1, 1):
        presence.handle(ANA, ACCEPT, NOW)
        assert expected == presence.seats[ANA].mark
        presence.handle(ANA, guests.Left(), NOW)
    presence.forget_marks([1])
    presence.handle(ANA, ACCEPT, NOW)
    assert 2 == presence.seats[ANA].mark


def test_a_device_that_joins_a_household_counts_there_from_then_on() -> None:
    accounts: dict[str, str] = {}
    presence = house(accounts)
    presence.handle(ANA, ACCEPT, NOW)
    accounts[ANA] = "ana"
    assert (ANA,) == presence.rebind((ANA,))
    assert AccountId("ana") == presence.seats[ANA].account
    assert {1: 1} == presence.retiring
    assert 2 == presence.admitted()[ANA].mark
    assert AccountId("guest-0a") == presence.by_mark[1].account


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["in", "out", "booked"])), max_size=40))
def test_no_mark_ever_belongs_to_two_devices(story: list[tuple[int, str]]) -> None:
    presence, owner = house(), {}
    for number, what in story:
        mac = MacAddress(f"02:00:00:00:00:0{number}")
        if what == "booked":
            presence.forget_marks(list(presence.retiring))
        else:
            presence.handle(mac, ACCEPT if what == "in" else guests.Left(), NOW)
        for seat in presence.seats.values():
            assert seat.mac == owner.setdefault(seat.mark, seat.mac)
        admitted = {a.mark for a in presence.admitted().values()}
        assert not admitted & presence.retiring.keys()


def test_who_moved_keeps_running_flows_and_who_left_does_not() -> None:
    """The kernel ends the flows of a retired mark, but not those of a device that is on under another one."""
    accounts: dict[str, str] = {}
    presence = house(accounts)
    presence.handle(ANA, ACCEPT, NOW)
    assert frozenset() == presence.moved()
    accounts[ANA] = "ana"
    presence.rebind((ANA,))
    assert {1} == presence.retiring.keys()
    assert {1} == presence.moved()
    presence.handle(ANA, guests.Left(), NOW)
    assert {1, 2} == presence.retiring.keys()
    assert frozenset() == presence.moved()


def test_a_device_that_nobody_vouches_for_shares_the_guests_part_of_the_kernels_tables() -> None:
    presence = house({ANA: "ana"})
    guest = MacAddress("02:00:00:00:00:0b")
    for mac in (ANA, guest):
        presence.handle(mac, ACCEPT, NOW)
    assert {ANA: False, guest: True} == {mac: each.is_guest for mac, each in presence.admitted().items()}

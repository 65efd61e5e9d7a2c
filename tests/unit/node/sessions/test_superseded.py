"""Sessions that end because another device has replaced them."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from node.sessions.table import IDLE_OF_ACCOUNT, IDLE_OF_GUEST, OpenSession, superseded
from node.units import AccountId, MacAddress, Monotonic

NOW = Monotonic(100_000_000)
OLD = OpenSession(
    MacAddress("old"), AccountId("voucher-1"), Monotonic(NOW - 10_000_000), IDLE_OF_ACCOUNT, False, False
)
NEW = replace(OLD, mac=MacAddress("new"), since=Monotonic(NOW - 5_000), idle_ms=10)
GUEST = OpenSession(MacAddress("g"), AccountId("guest-g"), Monotonic(0), IDLE_OF_GUEST, True, False)


def test_a_session_silent_for_two_hours_while_another_device_joined_is_superseded() -> None:
    assert ("old",) == superseded([OLD, NEW], NOW, 9)


def test_no_other_session_of_an_account_is_superseded() -> None:
    for kept in (
        replace(OLD, idle_ms=IDLE_OF_ACCOUNT - 1),
        replace(OLD, idle_ms=None),
        replace(OLD, is_listed=True),
        replace(OLD, account=AccountId("voucher-2")),
    ):
        assert () == superseded([kept, NEW], NOW, 9), kept
    # The other was present all the while: two devices, one of them idle.
    before = replace(NEW, since=Monotonic(NOW - IDLE_OF_ACCOUNT - 1))
    assert () == superseded([OLD, before], NOW, 9)
    assert () == superseded([OLD], NOW, 9)


def test_surplus_silent_guests_are_evicted_longest_silent_first() -> None:
    guests = [
        replace(GUEST, mac=MacAddress(f"g{n}"), account=AccountId(f"guest-{n}"), idle_ms=IDLE_OF_GUEST + n)
        for n in range(4)
    ]
    assert () == superseded(guests, NOW, 4)
    assert ("g3", "g2") == superseded(guests, NOW, 2)
    assert () == superseded([replace(each, idle_ms=IDLE_OF_GUEST - 1) for each in guests], NOW, 0)
    assert () == superseded([replace(each, idle_ms=None) for each in guests], NOW, 0)


STAYS = st.lists(
    st.builds(
        OpenSession,
        mac=st.uuids().map(lambda name: MacAddress(str(name))),
        account=st.sampled_from([AccountId("a"), AccountId("b")]),
        since=st.integers(0, NOW).map(Monotonic),
        idle_ms=st.none() | st.integers(0, 2 * IDLE_OF_ACCOUNT),
        is_guest=st.booleans(),
        is_listed=st.booleans(),
    ),
    max_size=12,
)


@given(STAYS, st.integers(0, 12))
def test_no_device_in_use_is_evicted_and_no_account_loses_its_newest(
    stays: list[OpenSession], comfortable: int
) -> None:
    gone = set(superseded(stays, NOW, comfortable))
    for stay in stays:
        if stay.mac in gone:
            assert stay.idle_ms is not None
            assert stay.idle_ms >= IDLE_OF_GUEST
            assert stay.is_guest or not stay.is_listed
    for account in ("a", "b"):
        members = [stay for stay in stays if stay.account == account and not stay.is_guest]
        newest = max((stay.since for stay in members), default=None)
        assert all(
            stay.mac not in gone or (stay.idle_ms or 0) > NOW - stay.since
            for stay in members
            if stay.since == newest
        )
    guests_left = [stay for stay in stays if stay.is_guest and stay.mac not in gone]
    assert len(guests_left) >= min(comfortable, sum(stay.is_guest for stay in stays))

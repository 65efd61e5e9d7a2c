"""The session table: marks are never reused too early, and last bytes find their account."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.enforcement.plan import Admission
from node.errors import KernelRefused
from node.sessions import state as session_state
from node.sessions import table as presences
from node.sessions.table import CLASS_IDLE_MS, SessionTable
from node.units import AccountId, MacAddress, Milliseconds, Monotonic

ANA = MacAddress("02:00:00:00:00:0a")
NOW = Monotonic(0)
ACCEPT = session_state.SessionGranted("1", Milliseconds(1000))


def app(accounts: dict[str, str] | None = None, guests_max: int = presences.GUESTS_MAX) -> SessionTable:
    known = {} if accounts is None else accounts
    return SessionTable(lambda mac: AccountId(known.get(mac, f"guest-{mac[-2:]}")), guests_max)


def test_an_admitted_device_has_an_entry_a_mark_and_a_class() -> None:
    session_table = app()
    session_table.handle(ANA, ACCEPT, NOW)
    admission = session_table.admitted()[ANA]
    assert (1, 1, 1000) == (admission.mark, admission.class_minor, admission.ends)


def test_one_person_with_ever_new_addresses_leaves_room_for_members() -> None:
    macs = [MacAddress(f"02:00:00:00:01:{number:02x}") for number in range(5)]
    session_table = app({macs[3]: "ana", ANA: "voucher-abc"}, guests_max=3)
    for mac in macs[:3]:
        session_table.handle(mac, ACCEPT, NOW)
    with pytest.raises(KernelRefused, match="as many guests"):
        session_table.handle(macs[4], ACCEPT, NOW)
    assert not session_table.is_admitted(macs[4])
    session_table.handle(macs[0], ACCEPT, NOW)
    session_table.handle(macs[3], ACCEPT, NOW)
    session_table.handle(ANA, ACCEPT, NOW)
    assert {*macs[:4], ANA} == set(session_table.admitted())
    session_table.handle(macs[1], session_state.LoggedOff(), NOW)
    session_table.forget_marks([session_table.session_entries[macs[1]].mark])
    session_table.handle(macs[4], ACCEPT, NOW)
    assert session_table.is_admitted(macs[4]), "who leaves makes room"


def test_an_event_without_a_row_changes_no_state() -> None:
    accounts: dict[str, str] = {}
    session_table = app(accounts)
    session_table.handle(ANA, ACCEPT, NOW)
    accounts[ANA] = "full"
    assert not session_table.handle(ANA, session_state.Unblocked(), NOW)
    assert AccountId("guest-0a") == session_table.session_entries[ANA].account


def test_an_ended_session_drains_until_its_last_bytes_are_booked() -> None:
    session_table = app()
    session_table.handle(ANA, ACCEPT, NOW)
    session_table.handle(ANA, session_state.LoggedOff(), NOW)
    assert {1: 1} == session_table.retiring
    assert AccountId("guest-0a") == session_table.by_mark[1].account
    session_table.forget_marks([1])
    assert {} == session_table.retiring
    assert {} == session_table.by_mark


def test_a_device_that_returns_before_that_keeps_its_mark_and_later_gets_a_new_one() -> None:
    session_table = app()
    for expected in (1, 1):
        session_table.handle(ANA, ACCEPT, NOW)
        assert expected == session_table.session_entries[ANA].mark
        session_table.handle(ANA, session_state.LoggedOff(), NOW)
    session_table.forget_marks([1])
    session_table.handle(ANA, ACCEPT, NOW)
    assert 2 == session_table.session_entries[ANA].mark


def test_a_device_that_moves_to_another_account_is_as_idle_there_as_before() -> None:
    """Otherwise an account that is never used again would keep its traffic class."""
    accounts: dict[str, str] = {}
    session_table = app(accounts)
    session_table.handle(ANA, ACCEPT, NOW)
    accounts[ANA] = "full"
    assert (ANA,) == session_table.rebind([ANA])
    assert CLASS_IDLE_MS == session_table.idle_ms(ANA, Monotonic(NOW + CLASS_IDLE_MS))
    assert session_table.find_idle(Monotonic(NOW + CLASS_IDLE_MS))
    assert {AccountId("full")} == session_table.idle


def test_a_device_that_joins_a_household_counts_there_from_then_on() -> None:
    accounts: dict[str, str] = {}
    session_table = app(accounts)
    session_table.handle(ANA, ACCEPT, NOW)
    accounts[ANA] = "ana"
    assert (ANA,) == session_table.rebind((ANA,))
    assert AccountId("ana") == session_table.session_entries[ANA].account
    assert {1: 1} == session_table.retiring
    assert 2 == session_table.admitted()[ANA].mark
    assert AccountId("guest-0a") == session_table.by_mark[1].account


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["in", "out", "booked"])), max_size=40))
def test_no_mark_ever_belongs_to_two_devices(story: list[tuple[int, str]]) -> None:
    session_table, owner = app(), {}
    for number, what in story:
        mac = MacAddress(f"02:00:00:00:00:0{number}")
        if what == "booked":
            session_table.forget_marks(list(session_table.retiring))
        else:
            session_table.handle(mac, ACCEPT if what == "in" else session_state.LoggedOff(), NOW)
        for session_entry in session_table.session_entries.values():
            assert session_entry.mac == owner.setdefault(session_entry.mark, session_entry.mac)
        admitted = {a.mark for a in session_table.admitted().values()}
        assert not admitted & session_table.retiring.keys()


def test_a_device_that_moved_keeps_running_flows_and_one_that_left_does_not() -> None:
    """The kernel ends the flows of a drained mark, but not those of a device that is online with another mark."""
    accounts: dict[str, str] = {}
    session_table = app(accounts)
    session_table.handle(ANA, ACCEPT, NOW)
    assert frozenset() == session_table.moved()
    accounts[ANA] = "ana"
    session_table.rebind((ANA,))
    assert {1} == session_table.retiring.keys()
    assert {1} == session_table.moved()
    session_table.handle(ANA, session_state.LoggedOff(), NOW)
    assert {1, 2} == session_table.retiring.keys()
    assert frozenset() == session_table.moved()


def test_an_unsponsored_device_shares_the_guests_part_of_the_kernels_tables() -> None:
    session_table = app({ANA: "ana"})
    guest = MacAddress("02:00:00:00:00:0b")
    for mac in (ANA, guest):
        session_table.handle(mac, ACCEPT, NOW)
    assert {ANA: False, guest: True} == {mac: each.is_guest for mac, each in session_table.admitted().items()}


@given(
    st.lists(st.tuples(st.sampled_from(["new", "stored", "kernel", "room"]), st.integers(1, 8)), max_size=40)
)
def test_no_two_accounts_have_one_class_id(story: list[tuple[str, int]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("node.sessions.table.CLASS_MINOR_MAX", 8)
        session_table = SessionTable(lambda mac: AccountId(f"account-{mac}"))
        for number, (what, minor) in enumerate(story):
            mac, account = MacAddress(f"m{number}"), AccountId(f"account-m{number}")
            with suppress(KernelRefused):
                match what:
                    case "new":
                        session_table.minor(account)
                    case "stored":
                        session_table.remember_minors([(account, minor)])
                    case "kernel":
                        session_table.recognise(Admission(mac, number + 1, minor, None), Monotonic(0))
                    case _:
                        session_table._give_back_minors()
            assert len(session_table.minors) == len(set(session_table.minors.values()))

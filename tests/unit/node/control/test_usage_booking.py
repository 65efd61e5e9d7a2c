"""The usage delta of one reading of the counters."""

from node.accounting.ledger import Ledger
from node.accounting.meter import Baseline, Reading
from node.accounting.periods import DAY_UNKNOWN
from node.control.usage_booking import LedgerWriter, book
from node.units import AccountId, Bytes, NodeId, Usage

WRITER = LedgerWriter(NodeId("n" * 52), "1-a")
ANA = AccountId("ana")


def used(down: int) -> Usage:
    return Usage(Bytes(down), Bytes(0))


def test_bytes_of_a_session_that_began_during_a_reading_are_booked_with_the_next() -> None:
    ledger, accounts = Ledger(), {1: ANA}
    first = book(
        ledger,
        Reading("life", {1: used(100), 2: used(30)}),
        Baseline("life", {1: used(60)}),
        accounts.get,
        writer=WRITER,
        day="2026-11-28",
        busy=False,
    )
    assert {1: used(40)} == first.by_mark
    assert Baseline("life", {1: used(100)}) == first.baseline
    accounts[2] = ANA
    book(
        ledger,
        Reading("life", {1: used(100), 2: used(35)}),
        first.baseline,
        accounts.get,
        writer=WRITER,
        day="2026-11-28",
        busy=False,
    )
    assert used(75) == ledger.total(ANA, "2026-11-28").uplink


def test_booked_bytes_of_a_mark_are_not_booked_again_when_its_device_is_known_again() -> None:
    ledger, before = Ledger(), Baseline("life", {2: used(30)})
    gone = book(
        ledger,
        Reading("life", {2: used(50)}),
        before,
        {}.get,
        writer=WRITER,
        day="2026-11-28",
        busy=False,
    )
    assert before == gone.baseline
    back = book(
        ledger,
        Reading("life", {2: used(50)}),
        gone.baseline,
        {2: ANA}.get,
        writer=WRITER,
        day="2026-11-28",
        busy=False,
    )
    assert used(20) == back.total


def test_bytes_of_an_account_without_a_day_are_booked_to_the_unknown_day() -> None:
    booked = book(
        Ledger(),
        Reading("life", {1: used(50), 2: used(7)}),
        Baseline("life", {}),
        {1: ANA, 2: AccountId("ben")}.get,
        writer=WRITER,
        day="2026-06-14",
        busy=False,
        undated={ANA},
    )
    assert {("ana", DAY_UNKNOWN), ("ben", "2026-06-14")} == {(key.account, key.day) for key in booked.changed}


def test_what_gateways_counted_is_booked_but_did_not_pass_the_uplink() -> None:
    ledger, ben = Ledger(), AccountId("ben")
    found = book(
        ledger,
        Reading("life", {1: used(100)}),
        None,
        {1: ANA}.get,
        writer=WRITER,
        day="2026-11-28",
        busy=True,
        metered={ANA: used(7), ben: used(5)},
    )
    assert [used(107), used(5)] == [ledger.total(each, "2026-11-28").uplink for each in (ANA, ben)]
    assert used(100) == ledger.total(ANA, "2026-11-28").busy
    assert (used(100), {ANA: used(100)}, {1: used(100)}) == (found.total, found.by_account, found.by_mark)
    assert {ANA: used(107), ben: used(5)} == found.of_accounts
    assert {ANA, ben} == {key.account for key in found.changed}

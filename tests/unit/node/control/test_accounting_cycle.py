"""Queue of usage reported by other nodes: each bucket waits once, in the order in which reports apply."""

from collections.abc import Callable
from functools import partial

from node.accounting.ledger import UsageBucket, UsageKey
from node.accounting.periods import DAY_UNKNOWN
from node.control.accounting_cycle import RemoteUsage
from node.units import NO_USAGE, AccountId, Bytes, NodeId, Usage

HILL, DAY = NodeId("h" * 52), "2026-11-24"


def key(account: str, day: str = DAY) -> UsageKey:
    return UsageKey(HILL, "1-a", AccountId(account), day)


def bucket(down: int) -> UsageBucket:
    return UsageBucket(Usage(Bytes(down), Bytes(0)), NO_USAGE)


def test_the_highest_value_of_a_repeated_bucket_is_queued() -> None:
    remote = RemoteUsage()
    for down in (5, 9, 7):
        remote.merge(key("ana"), bucket(down))
    assert [(key("ana"), bucket(9))] == list(remote.merges())


def test_a_recount_replaces_all_earlier_reports_of_its_day() -> None:
    remote = RemoteUsage()
    remote.merge(key("ana"), bucket(5))
    remote.merge(key("ana", "2026-11-23"), bucket(5))
    remote.recount(HILL, DAY, {key("ben"): bucket(1)})
    remote.merge(key("cem"), bucket(2))
    assert {(HILL, DAY): {key("ben"): bucket(1)}} == remote.recounts
    assert {key("ana", "2026-11-23"), key("cem")} == {each for each, _ in remote.merges()}


def test_returned_reports_come_before_newer_ones() -> None:
    earlier, remote = RemoteUsage(), RemoteUsage()
    earlier.recount(HILL, DAY, {key("ana"): bucket(1)})
    earlier.recount(HILL, "2026-11-23", {key("ana", "2026-11-23"): bucket(1)})
    earlier.merge(key("ben"), bucket(2))
    earlier.merge(key("ben", "2026-11-23"), bucket(2))
    remote.recount(HILL, DAY, {})
    remote.merge(key("ben", "2026-11-23"), bucket(1))
    remote.give_back(earlier)
    assert {(HILL, DAY): {}, (HILL, "2026-11-23"): {key("ana", "2026-11-23"): bucket(1)}} == remote.recounts
    assert [(key("ben", "2026-11-23"), bucket(2))] == list(remote.merges())


def test_usage_of_an_erased_account_is_left_out() -> None:
    remote = RemoteUsage()
    remote.recount(HILL, DAY, {key("ana"): bucket(1), key("ben"): bucket(2)})
    remote.merge(key("ana", "2026-11-23"), bucket(1))
    remote.merge(key("cem"), bucket(3))
    left = remote.without(lambda each: each.account == "ana")
    assert {(HILL, DAY): {key("ben"): bucket(2)}} == left.recounts
    assert [(key("cem"), bucket(3))] == list(left.merges())


def test_returned_bytes_of_gateways_are_added_and_newer_notes_count() -> None:
    earlier, remote, ana = RemoteUsage(), RemoteUsage(), AccountId("ana")
    earlier.meter(ana, Usage(Bytes(5), Bytes(1)), "counters a", lambda: lambda: "5")
    earlier.meter(ana, Usage(Bytes(2), Bytes(0)), "counters a", lambda: lambda: "7")
    earlier.meter(AccountId("ben"), Usage(Bytes(3), Bytes(0)), "counters b", lambda: lambda: "3")
    remote.meter(ana, Usage(Bytes(1), Bytes(0)), "counters a", lambda: lambda: "8")
    remote.give_back(earlier.without(lambda _key: False))
    remote = remote.without(lambda _key: False)
    remote.write_notes()
    assert {ana: Usage(Bytes(8), Bytes(1)), "ben": Usage(Bytes(3), Bytes(0))} == remote.metered
    assert ([], {"counters a": "8", "counters b": "3"}) == remote.with_storage


def test_the_note_of_many_reports_is_written_once() -> None:
    remote, booked = RemoteUsage(), [0]

    def note() -> Callable[[], str]:
        booked.append(booked[0])
        return partial(str, booked[0])

    for _ in range(1_000):
        booked[0] += 1
        remote.meter(AccountId("ana"), Usage(Bytes(1), Bytes(0)), "counters a", note)
    left = remote.without(lambda _key: False)
    booked[0] += 1
    left.write_notes()
    assert {"counters a": "1000"} == left.notes, "what came after the snapshot is not in it"
    assert 2 == len(booked)


def test_what_gateways_counted_of_an_account_that_was_erased_in_the_same_turn_is_left_out() -> None:
    remote = RemoteUsage()
    for name in ("ana", "ben", "cem"):
        remote.meter(AccountId(name), Usage(Bytes(5), Bytes(1)), f"counters {name}", lambda: lambda: "5")
    erased = ((AccountId("ana"), "2026-11-01", ""), (AccountId("ben"), "2026-11-01", "2-b"))
    for day in (DAY_UNKNOWN, "2026-10-31"):
        left = remote.without(lambda _key: False, erased, day)
        assert {"ben", "cem"} == left.metered.keys(), "that of a later incarnation stays"
        left.write_notes()
        assert {"counters ana", "counters ben", "counters cem"} == left.notes.keys(), (
            "and is not booked again"
        )
    left = remote.without(lambda _key: False, erased, DAY)
    assert {"ana", "ben", "cem"} == left.metered.keys(), "days of this month stay until it is over"

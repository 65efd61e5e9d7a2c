"""What other nodes said waits once, however often it came, and in the order in which it counts."""

from node.accounting.ledger import UsageBucket, UsageKey
from node.control.remote_usage import RemoteUsage
from node.units import NO_USAGE, AccountId, Bytes, NodeId, Usage

HILL, DAY = NodeId("h" * 52), "2026-11-24"


def key(account: str, day: str = DAY) -> UsageKey:
    return UsageKey(HILL, "1-a", AccountId(account), day)


def cell(down: int) -> UsageBucket:
    return UsageBucket(Usage(Bytes(down), Bytes(0)), NO_USAGE)


def test_of_a_cell_that_comes_again_and_again_the_highest_waits() -> None:
    remote = RemoteUsage()
    for down in (5, 9, 7):
        remote.merge(key("ana"), cell(down))
    assert [(key("ana"), cell(9))] == list(remote.merges())


def test_a_recount_stands_for_all_that_came_before_it_of_its_day() -> None:
    remote = RemoteUsage()
    remote.merge(key("ana"), cell(5))
    remote.merge(key("ana", "2026-11-23"), cell(5))
    remote.recount(HILL, DAY, {key("ben"): cell(1)})
    remote.merge(key("cem"), cell(2))
    assert {(HILL, DAY): {key("ben"): cell(1)}} == remote.recounts
    assert {key("ana", "2026-11-23"), key("cem")} == {each for each, _ in remote.merges()}


def test_what_could_not_be_taken_comes_before_what_came_since() -> None:
    earlier, remote = RemoteUsage(), RemoteUsage()
    earlier.recount(HILL, DAY, {key("ana"): cell(1)})
    earlier.recount(HILL, "2026-11-23", {key("ana", "2026-11-23"): cell(1)})
    earlier.merge(key("ben"), cell(2))
    earlier.merge(key("ben", "2026-11-23"), cell(2))
    remote.recount(HILL, DAY, {})
    remote.merge(key("ben", "2026-11-23"), cell(1))
    remote.give_back(earlier)
    assert {(HILL, DAY): {}, (HILL, "2026-11-23"): {key("ana", "2026-11-23"): cell(1)}} == remote.recounts
    assert [(key("ben", "2026-11-23"), cell(2))] == list(remote.merges())


def test_who_was_erased_is_left_out() -> None:
    remote = RemoteUsage()
    remote.recount(HILL, DAY, {key("ana"): cell(1), key("ben"): cell(2)})
    remote.merge(key("ana", "2026-11-23"), cell(1))
    remote.merge(key("cem"), cell(3))
    left = remote.without(lambda each: each.account == "ana")
    assert {(HILL, DAY): {key("ben"): cell(2)}} == left.recounts
    assert [(key("cem"), cell(3))] == list(left.merges())

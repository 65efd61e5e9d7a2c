"""The ledger: buckets only grow, the order of updates does not matter, and totals are sums over all nodes."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.accounting.ledger import (
    EMPTY_BUCKET,
    BucketTable,
    Ledger,
    UsageBucket,
    UsageKey,
    chance_on,
    incarnation_machine,
    incarnation_name,
    incarnation_number,
)
from node.accounting.periods import DAY_UNKNOWN
from node.units import AccountId, Bytes, NodeId, Usage

ANA = AccountId("ana")
NUMBERS = st.integers(0, 1000)
CELLS = st.builds(UsageBucket, st.builds(Usage, NUMBERS, NUMBERS), st.builds(Usage, NUMBERS, NUMBERS))
KEYS = st.builds(
    UsageKey, st.sampled_from(["square", "hills"]), st.sampled_from(["1", "2"]), st.just(ANA),
    st.sampled_from(["2026-11-30", "2026-12-01", DAY_UNKNOWN]),
)  # fmt: skip
NEWS = st.lists(st.tuples(KEYS, CELLS), max_size=5)


def key(node: str = "square", day: str = "2026-11-24") -> UsageKey:
    return UsageKey(NodeId(node), "1", ANA, day)


def used(down: int, up: int = 0) -> Usage:
    return Usage(Bytes(down), Bytes(up))


@given(NEWS)
def test_updates_in_any_order_and_repeated_give_the_same_ledger(
    news: list[tuple[UsageKey, UsageBucket]],
) -> None:
    totals = set()
    for order in list(permutations(news))[:24]:
        ledger = Ledger([*order, *order[:2]])
        totals.add(
            tuple(ledger.total(ANA, period) for period in ("2026-11", "2026-12", "2026-W49", "2026-12-01"))
        )
    assert 1 == len(totals)


@given(NEWS)
def test_a_total_is_the_sum_of_its_buckets(news: list[tuple[UsageKey, UsageBucket]]) -> None:
    ledger = Ledger(news)
    own = [bucket for k, bucket in ledger.buckets() if k.day.startswith("2026-11")]
    assert sum(bucket.uplink.total for bucket in own) == ledger.total(ANA, "2026-11").uplink.total


@given(NEWS, NEWS, NEWS)
def test_running_sums_are_what_the_buckets_say(
    before: list[tuple[UsageKey, UsageBucket]],
    after: list[tuple[UsageKey, UsageBucket]],
    said: list[tuple[UsageKey, UsageBucket]],
) -> None:
    """Of an account that is followed, whatever happens to its buckets; one that is not followed has the same totals."""
    ledger, plain = Ledger(before), Ledger(before)
    ledger.follow([ANA])
    day = (NodeId("hills"), "2026-11-30")
    for each in (ledger, plain):
        for key_of_bucket, bucket in after:
            each.merge(key_of_bucket, bucket)
        each.recount({day: {k: c for k, c in said if (k.node, k.day) == day}})
        each.erase(ANA, "2026-12-01", "2")
        each.close_before("2026-11-30")
    for period in ("2026-11", "2026-12", "2026-W49", "2026-11-30", "2026-12-01"):
        assert ledger.total(ANA, period) == plain.total(ANA, period)
    ledger.follow([])
    assert ledger.total(ANA, "2026-12") == plain.total(ANA, "2026-12")


def test_a_table_of_stored_buckets_becomes_the_ledgers_own_or_is_merged() -> None:
    stored = [(key(day=day), UsageBucket(used(700), used(70))) for day in WEEK_48]
    for known in ([], [(key(), UsageBucket(used(1), used(100)))]):
        ledger, plain = Ledger(known), Ledger(known)
        ledger.open("2026-11-01", BucketTable(stored))
        plain.open("2026-11-01", stored)
        assert dict(plain.buckets()) == dict(ledger.buckets())
        assert plain.total(ANA, "2026-11") == ledger.total(ANA, "2026-11")


def test_buckets_of_one_node_or_account() -> None:
    keys = [key(), key("hills"), key("hills")._replace(account=AccountId("ben"))]
    table = BucketTable((each, UsageBucket(used(7), used(0))) for each in keys)
    assert set(keys[1:]) == {each for each, _ in table.items(node=NodeId("hills"))}
    assert set(keys[:2]) == {each for each, _ in table.items(account=ANA)}
    assert [keys[1]] == [each for each, _ in table.items(node=NodeId("hills"), account=ANA)]
    for each in keys:
        table.pop(each)
    assert not table


def test_usage_at_two_nodes_counts_once_each() -> None:
    ledger = Ledger()
    ledger.add(key("square"), used(700), busy=False)
    ledger.merge(key("hills"), UsageBucket(used(300), used(0)))
    assert 1000 == ledger.total(ANA, "2026-11").uplink.total


def test_bytes_of_busy_hours_are_counted_separately() -> None:
    ledger = Ledger()
    ledger.add(key(), used(700), busy=False)
    ledger.add(key(), used(50, 5), busy=True)
    assert 55 == ledger.total(ANA, "2026-11-24").busy.total
    assert 755 == ledger.total(ANA, "2026-11-24").uplink.total


def test_bytes_counted_without_a_date_are_kept_and_count_against_nobody() -> None:
    ledger = Ledger()
    ledger.add(key(day=DAY_UNKNOWN), used(700), busy=False)
    assert EMPTY_BUCKET == ledger.total(ANA, "2026-11")
    assert 1 == len(list(ledger.buckets()))


WEEK_48 = ("2026-11-24", "2026-11-25")


def test_a_deleted_day_leaves_the_usage_of_the_rest_of_its_week_and_month() -> None:
    ledger = Ledger([(key(day=day), UsageBucket(used(700, 7), used(70))) for day in (*WEEK_48, "2026-11-02")])
    ledger.forget_before("2026-11-25")
    assert EMPTY_BUCKET == ledger.total(ANA, "2026-11-24")
    left = UsageBucket(used(700, 7), used(70))
    assert [left, left, left] == [
        ledger.total(ANA, period) for period in ("2026-11-25", "2026-W48", "2026-11")
    ]
    assert EMPTY_BUCKET == ledger.total(ANA, "2026-W45")


def test_days_before_the_retention_are_deleted_and_that_day_itself_and_unknown_days_stay() -> None:
    days = ("2026-11-23", *WEEK_48, DAY_UNKNOWN)
    ledger = Ledger([(key(day=day), UsageBucket(used(1), used(0))) for day in days])
    ledger.forget_before("2026-11-24")
    assert {*WEEK_48, DAY_UNKNOWN} == {each.day for each, _ in ledger.buckets()}


def test_an_erasure_removes_the_accounts_earlier_and_unknown_days_and_nobody_elses() -> None:
    ben = UsageKey(NodeId("square"), "1", AccountId("ben"), "2026-10-31")
    days = ("2026-10-31", "2026-11-01", DAY_UNKNOWN)
    ledger = Ledger(
        [(ben, UsageBucket(used(9), used(0))), *((key(day=d), UsageBucket(used(4), used(0))) for d in days)]
    )
    ledger.erase(ANA, "2026-11-01")
    assert {(ANA, "2026-11-01"), ("ben", "2026-10-31")} == {(k.account, k.day) for k, _ in ledger.buckets()}
    assert (0, 4) == (
        ledger.total(ANA, "2026-10").uplink.total,
        ledger.total(ANA, "2026-11").uplink.total,
    )
    assert 9 == ledger.total(AccountId("ben"), "2026-10").uplink.total


def test_usage_counted_after_an_erasure_on_a_day_before_it_becomes_usage_of_an_unknown_day() -> None:
    days = ("2026-06-14", "2026-11-01", DAY_UNKNOWN)
    buckets = [(key(day=day), UsageBucket(used(4), used(0))) for day in days]
    later = [(each._replace(incarnation="2"), bucket) for each, bucket in buckets]
    ledger = Ledger(buckets + later)
    undated = {later[2][0]: UsageBucket(used(8), used(0))}
    assert undated == ledger.erase(ANA, "2026-11-01", "2")
    assert {**dict([buckets[1], later[1]]), **undated} == dict(ledger.buckets())


def test_closed_days_leave_memory_and_later_updates_to_them_are_handed_on() -> None:
    ledger = Ledger(
        [(key(day=day), UsageBucket(used(700), used(0))) for day in ("2026-10-31", *WEEK_48, DAY_UNKNOWN)]
    )
    ledger.close_before("2026-11-01")
    assert {*WEEK_48, DAY_UNKNOWN} == {each.day for each, _ in ledger.buckets()}
    late = UsageBucket(used(5), used(0))
    assert late == ledger.merge(key("hills", day="2026-10-31"), late)
    assert EMPTY_BUCKET == ledger.total(ANA, "2026-10")
    ledger.close_before("2026-10-01")
    assert "2026-11-01" == ledger.open_since, "days are not opened by closing"
    with pytest.raises(AssertionError, match="closed"):
        ledger.add(key(day="2026-10-31"), used(1), busy=False)


def test_reopened_days_count_as_before() -> None:
    stored = [(key(day=day), UsageBucket(used(700), used(70))) for day in ("2026-10-31", *WEEK_48)]
    ledger = Ledger(stored)
    before = [ledger.total(ANA, period) for period in ("2026-10", "2026-11", "2026-W48", "2026-W44")]
    ledger.close_before("2026-11-25")
    ledger.open("2026-10-01", stored)
    assert before == [ledger.total(ANA, period) for period in ("2026-10", "2026-11", "2026-W48", "2026-W44")]
    assert 701 == ledger.add(key(day="2026-10-31"), used(1), busy=False).uplink.total


@given(NEWS, NEWS)
def test_a_recounted_day_is_what_its_node_reports_now(
    before: list[tuple[UsageKey, UsageBucket]], after: list[tuple[UsageKey, UsageBucket]]
) -> None:
    """Other days and other nodes are unchanged."""
    day = (NodeId("hills"), "2026-11-30")
    said = dict(Ledger((k, c) for k, c in after if (k.node, k.day) == day).buckets())
    others = [(k, c) for k, c in before if (k.node, k.day) != day]
    ledger, expected = Ledger(before), Ledger([*others, *said.items()])
    ledger.recount({day: said})
    assert dict(expected.buckets()) == dict(ledger.buckets())
    for period in ("2026-11", "2026-12", "2026-W49", "2026-11-30"):
        assert expected.total(ANA, period) == ledger.total(ANA, period)


def test_a_recounted_closed_day_stays_out_of_memory() -> None:
    ledger = Ledger()
    ledger.close_before("2026-11-01")
    late = key("hills", day="2026-10-31")
    ledger.recount({(late.node, late.day): {late: UsageBucket(used(5), used(0))}})
    assert [] == list(ledger.buckets())


def test_the_name_of_an_incarnation_says_on_which_machine_it_began() -> None:
    name = incarnation_name(10**15 - 1, chance_on("0123456789abcdef", "f" * 16))
    assert len(name) <= 32
    assert "012345" == incarnation_machine(name)
    assert 10**15 - 1 == incarnation_number(name)
    assert "f" * 16 == chance_on("", "f" * 16)


@pytest.mark.parametrize(
    "name", ["", "7", "life-1", "7-0123456789abcdef", "7-m01234-1", "7-x012345-1", "7-m012345"]
)
def test_a_name_of_an_earlier_version_says_no_machine(name: str) -> None:
    assert "" == incarnation_machine(name)

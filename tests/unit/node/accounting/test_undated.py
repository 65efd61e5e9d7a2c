"""Usage counted without a date is moved to its days once they are known; no byte is lost or counted twice."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from node.accounting.ledger import EMPTY_BUCKET, Ledger, UsageBucket, UsageKey
from node.accounting.periods import DAY_UNKNOWN
from node.accounting.undated import SLOT_MS, SLOTS_MAX, UndatedUsage, date_usage
from node.units import AccountId, Bytes, Monotonic, NodeId, Usage

NODE, OTHER = NodeId("square"), NodeId("hills")
ANA, BEN = AccountId("ana"), AccountId("ben")
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def key(account: AccountId = ANA, life: str = "2-b", node: NodeId = NODE, day: str = DAY_UNKNOWN) -> UsageKey:
    return UsageKey(node, life, account, day)


class CountedUndated:
    """A ledger and what is undated of it."""

    def __init__(self) -> None:
        self.ledger, self.undated = Ledger(), UndatedUsage(Monotonic(0))

    def count(self, down: int, hours: float, at: UsageKey | None = None, *, busy: bool = False) -> None:
        at, used = at or key(), Usage(Bytes(down), Bytes(0))
        self.ledger.add(at, used, busy=busy)
        self.undated.count({at.account: used}, [at], Monotonic(int(hours * SLOT_MS)), busy=busy)

    def date(self, hours: float, stays: tuple[AccountId, ...] = ()) -> bool:
        dating = self.undated.dating(
            Monotonic(int(hours * SLOT_MS)), NOON, since="2026-11-23", rest_of="2-b", stays=stays
        )
        self.undated.dated(dating)
        return dating is not None and date_usage(self.ledger, NODE, dating) is not None

    def down(self, at: UsageKey) -> int:
        return self.ledger.bucket(at).uplink.down


def test_usage_before_and_after_midnight_is_dated_by_the_time_since_boot() -> None:
    """The boot was at 20:00 of the day before."""
    counted = CountedUndated()
    counted.count(5, hours=1.2)
    counted.count(7, hours=3.9, busy=True)
    counted.count(11, hours=4.1)
    assert counted.date(hours=16)
    assert 12 == counted.down(key(day="2026-11-23"))
    assert 7 == counted.ledger.bucket(key(day="2026-11-23")).busy.down
    assert 11 == counted.down(key(day="2026-11-24"))
    assert 0 == counted.down(key())
    assert 23 == counted.ledger.total(ANA, "2026-11").uplink.total


def test_a_boot_longer_than_the_open_days_is_counted_on_the_first_of_them() -> None:
    counted = CountedUndated()
    counted.count(5, hours=1)
    assert counted.date(hours=24 * 40)
    assert 5 == counted.down(key(day="2026-11-23"))


def test_what_was_counted_before_the_program_was_restarted_is_dated_with_its_start() -> None:
    counted = CountedUndated()
    counted.ledger.add(key(), Usage(Bytes(9), Bytes(0)), busy=False)
    assert counted.date(hours=13)
    assert 9 == counted.down(key(day="2026-11-23"))


def test_earlier_incarnations_other_nodes_and_erased_accounts_stay_undated() -> None:
    counted = CountedUndated()
    for at in (key(life="1-a"), key(node=OTHER), key(BEN)):
        counted.ledger.add(at, Usage(Bytes(9), Bytes(0)), busy=False)
    assert not counted.date(hours=1, stays=(BEN,))
    assert [9, 9, 9] == [counted.down(at) for at in (key(life="1-a"), key(node=OTHER), key(BEN))]


def test_nothing_is_dated_twice() -> None:
    counted = CountedUndated()
    counted.count(5, hours=1)
    assert counted.date(hours=2)
    assert not counted.date(hours=2)
    counted.count(6, hours=3)
    assert counted.date(hours=4)
    assert 11 == counted.down(key(day="2026-11-24"))


def test_months_without_a_clock_take_little_memory() -> None:
    counted = CountedUndated()
    for hour in range(SLOTS_MAX + 50):
        counted.count(1, hours=hour)
    assert SLOTS_MAX == len(counted.undated._slots)
    assert counted.date(hours=SLOTS_MAX + 50)
    assert SLOTS_MAX + 50 == counted.ledger.total(ANA, "2026-11").uplink.total


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["count", "count", "date", "restart"]),
        st.sampled_from([ANA, BEN]),
        st.sampled_from(["1-a", "2-b"]),
        st.integers(0, 1_000),
        st.booleans(),
    ),
    max_size=30,
)


@given(STEPS)
def test_the_sum_over_all_days_is_what_was_counted(
    steps: list[tuple[str, AccountId, str, int, bool]],
) -> None:
    counted, total = CountedUndated(), dict.fromkeys((ANA, BEN), 0)
    for hour, (action, account, life, down, busy) in enumerate(steps):
        if action == "count":
            counted.count(down, hours=hour, at=key(account, life), busy=busy)
            total[account] += down
        elif action == "date":
            counted.date(hours=hour)
        else:
            counted.undated = UndatedUsage(Monotonic(hour * SLOT_MS))
        sums = dict.fromkeys((ANA, BEN), 0)
        for at, bucket in counted.ledger.buckets():
            sums[at.account] += bucket.uplink.down
            assert bucket.busy.down <= bucket.uplink.down
        assert total == sums
    for at, bucket in counted.ledger.buckets():
        assert UsageBucket(bucket.uplink, bucket.busy) != EMPTY_BUCKET or at.day != DAY_UNKNOWN

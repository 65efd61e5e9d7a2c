"""Days of closed periods are in the database only: reports find them, and no clock change reduces them."""

from collections.abc import Callable
from datetime import timedelta

from node.accounting.ledger import UsageBucket, UsageKey
from node.accounting.periods import DAY_UNKNOWN
from node.app.mesh_usage import MeshUsage
from node.control.ports import Repository
from node.control.reconciler import Reconciler
from node.units import AccountId, Bytes, MacAddress, NodeId, Usage
from tests.fakes.reconciler_fixture import ANA, ReconcilerFixture, until
from tests.fakes.repository import FakeRepository

DAY_MS = 24 * 3_600_000
ELSEWHERE = NodeId("m" * 52)


async def sends(village: ReconcilerFixture, loop: Reconciler, down: int, mac: MacAddress = ANA) -> None:
    await turns(loop, 1)  # a reading that has begun belongs to the day on which it began
    await loop.admit(mac, "1")
    assert village.kernel.send(mac, down=down)
    await turns(loop)


async def turns(loop: Reconciler, count: int = 2) -> None:
    for _ in range(count):
        before = loop.persistence.baseline
        await until(lambda before=before: loop.persistence.baseline is not before)  # type: ignore[misc]


def in_memory(loop: Reconciler) -> set[str]:
    return {key.day for key, _ in loop.ledger.buckets()}


async def used_on(loop: Reconciler) -> dict[str, int]:
    found: dict[str, int] = {}
    for key, bucket in (await loop.persistence.buckets("", account=AccountId("ana"))).items():
        found[key.day] = found.get(key.day, 0) + bucket.uplink.total
    return found


async def test_last_month_leaves_memory_and_is_still_reported(memories: Callable[[], Repository]) -> None:
    village = ReconcilerFixture(memories)
    async with village.life() as loop:
        await sends(village, loop, 100)
        village.clock.pass_time(10 * DAY_MS)
        await sends(village, loop, 7)
        assert {"2026-12-04"} == in_memory(loop)
        assert {"2026-11-24": 100, "2026-12-04": 7} == await used_on(loop)
        own = await MeshUsage(loop).own_buckets()
        assert {("2026-11-24", 100)} <= {(day, bucket.uplink.total) for _, day, _, bucket in own}
    async with village.life() as loop:
        assert {"2026-12-04"} == in_memory(loop)
        await sends(village, loop, 1)
        assert {"2026-11-24": 100, "2026-12-04": 8} == await used_on(loop)


async def test_a_late_page_of_a_closed_day_is_stored_and_the_greater_number_wins(
    memories: Callable[[], Repository],
) -> None:
    village, key = ReconcilerFixture(memories), UsageKey(ELSEWHERE, "1-a", AccountId("ana"), "2026-09-01")
    async with village.life() as loop:
        for down in (50, 70, 60):
            loop.merge(key, UsageBucket(Usage(Bytes(down), Bytes(0)), Usage(Bytes(0), Bytes(0))))
            await turns(loop)
        assert {"2026-09-01": 70} == await used_on(loop)
        village.clock.pass_time(56_000)
        await until(lambda: not loop.persistence.is_due(village.clock.now, 55_000))
        loop.merge(key, UsageBucket(Usage(Bytes(10), Bytes(0)), Usage(Bytes(0), Bytes(0))))
        await turns(loop)
        assert {"2026-09-01": 70} == await used_on(loop)
        assert set() == in_memory(loop)
    async with village.life() as loop:
        assert {"2026-09-01": 70} == await used_on(loop)


async def test_a_clock_that_runs_a_year_ahead_and_back_loses_and_hides_nothing(
    memories: Callable[[], Repository],
) -> None:
    village = ReconcilerFixture(memories)
    async with village.life() as loop:
        await sends(village, loop, 100)
        there = village.clock.wall
        village.clock.pass_time(400 * DAY_MS)
        await sends(village, loop, 5)
        assert {"2027-12-29"} == in_memory(loop)
        village.clock.wall = there
        await sends(village, loop, 30)
        assert {"2026-11-24", "2027-12-29"} == in_memory(loop)
        assert 130 == loop.ledger.total(AccountId("ana"), "2026-11").uplink.total
        assert {"2026-11-24": 130, "2027-12-29": 5} == await used_on(loop)
    async with village.life() as loop:
        assert {"2026-11-24": 130, "2027-12-29": 5} == await used_on(loop)


async def test_days_that_cannot_be_read_when_the_clock_is_set_back_are_counted_later() -> None:
    repository = FakeRepository()
    village = ReconcilerFixture(lambda: repository)
    async with village.life() as loop:
        await sends(village, loop, 100)
        there = village.clock.wall
        village.clock.pass_time(400 * DAY_MS)
        await sends(village, loop, 5)
        await until(lambda: not loop.persistence.is_due(village.clock.now, 55_000))
        repository.full, village.clock.wall = True, there
        await loop.admit(ANA, "1")
        await until(lambda: "full" in loop.troubles.storage)
        village.kernel.send(ANA, down=30)
        repository.full = False
        await until(lambda: loop.ledger.total(AccountId("ana"), "2026-11").uplink.total == 130)
    assert 135 == sum(bucket.uplink.total for bucket in repository.rows.values())


async def test_a_clock_synchronized_late_opens_this_month(memories: Callable[[], Repository]) -> None:
    village = ReconcilerFixture(memories)
    async with village.life() as loop:
        await sends(village, loop, 100)
        village.clock.pass_time(DAY_MS)
        await sends(village, loop, 10)
    village.clock.trust = "unknown"
    async with village.life() as loop:
        assert {"2026-11-25"} == in_memory(loop), "the day that was counted last"
        await turns(loop)
        await sends(village, loop, 3)
        village.clock.trust = "synced"
        await sends(village, loop, 4)
        assert 117 == loop.ledger.total(AccountId("ana"), "2026-11").uplink.total
        assert {"2026-11-24": 100, "2026-11-25": 17} == await used_on(loop)


async def test_a_first_reading_after_months_continues_the_bucket_of_its_day(
    memories: Callable[[], Repository],
) -> None:
    """The daemon was off while the kernel counted."""
    village = ReconcilerFixture(memories)
    async with village.life() as loop:
        await sends(village, loop, 100)
    assert village.kernel.send(ANA, down=9)
    village.clock.pass_time(40 * DAY_MS)
    async with village.life() as loop:
        await turns(loop)
        assert {"2026-11-24": 109} == await used_on(loop)
        assert set() == in_memory(loop)


async def test_an_erasure_removes_closed_days_from_the_database(memories: Callable[[], Repository]) -> None:
    village = ReconcilerFixture(memories)
    async with village.life() as loop:
        await sends(village, loop, 100)
        village.clock.pass_time(10 * DAY_MS)
        await sends(village, loop, 7)
        await loop.erase(ANA, AccountId("ana"), is_last=True)
        await turns(loop)
        assert {"2026-12-04": 7} == await used_on(loop)


async def test_usage_after_an_erasure_counts_on_a_clock_that_was_set_back_and_what_was_erased_stays_away(
    memories: Callable[[], Repository],
) -> None:
    """On an unknown day: either the erasure has a wrong day, or the clock is wrong now."""
    village = ReconcilerFixture(memories)
    async with village.life() as loop:
        await sends(village, loop, 100)
        await loop.erase(ANA, AccountId("ana"), is_last=True)
        await turns(loop)
        village.clock.wall -= timedelta(days=40)
        await sends(village, loop, 7)
        await hears(loop, 50, "2026-10-15", "2026-10-31", DAY_UNKNOWN)
        assert {"2026-11-24": 100, DAY_UNKNOWN: 7} == await used_on(loop)
    async with village.life() as loop:
        await sends(village, loop, 5)
        assert {"2026-11-24": 100, DAY_UNKNOWN: 12} == await used_on(loop)
        village.clock.wall += timedelta(days=41)
        await sends(village, loop, 3)
        assert {"2026-11-24": 100, "2026-11-25": 3, DAY_UNKNOWN: 12} == await used_on(loop)


async def month_ends(village: ReconcilerFixture, loop: Reconciler, days: int = 10) -> None:
    await loop.persistence.flush(village.clock.now)
    await loop.persistence.forget(village.clock.now)
    village.clock.pass_time(days * DAY_MS)
    await loop.persistence.forget(village.clock.now)
    await turns(loop)


async def hears(loop: Reconciler, down: int, *days: str, node: NodeId = ELSEWHERE) -> None:
    """A page comes from the page cache or from a neighbour."""
    for day in days:
        key = UsageKey(node, "1-a", AccountId("ana"), day)
        loop.merge(key, UsageBucket(Usage(Bytes(down), Bytes(0)), Usage(Bytes(0), Bytes(0))))
    await turns(loop)


async def test_a_late_page_restores_nothing_of_an_erased_account(
    memories: Callable[[], Repository],
) -> None:
    village = ReconcilerFixture(memories)
    before = ("2026-10-31", "2026-11-01", "2026-11-24", DAY_UNKNOWN)
    async with village.life() as loop:
        await sends(village, loop, 100)
        await loop.erase(ANA, AccountId("ana"), is_last=True)
        await month_ends(village, loop)
        assert {} == await used_on(loop)
        await hears(loop, 50, *before)
        assert {} == await used_on(loop)
        await loop.persistence.flush(village.clock.now)
        assert {} == await used_on(loop)
    async with village.life() as loop:
        await hears(loop, 60, *before)
        await hears(loop, 60, *before, node=loop.node)
        await loop.persistence.flush(village.clock.now)
        assert {} == await used_on(loop)
        assert 0 == loop.ledger.total(AccountId("ana"), "2026-11").uplink.total


async def test_a_late_page_of_an_erased_week_is_not_counted_after_the_month_ended(
    memories: Callable[[], Repository],
) -> None:
    village = ReconcilerFixture(memories)
    village.clock.pass_time(6 * DAY_MS)
    async with village.life() as loop:
        await sends(village, loop, 100)
        await loop.erase(ANA, AccountId("ana"), is_last=True)
        await month_ends(village, loop, days=3)
        await hears(loop, 50, "2026-11-30", "2026-12-01")
        assert 50 == loop.ledger.total(AccountId("ana"), "2026-W49").uplink.total
        assert {"2026-12-01": 50} == await used_on(loop)


async def test_an_erased_account_that_joins_again_counts_from_the_next_day_on_every_node(
    memories: Callable[[], Repository],
) -> None:
    village = ReconcilerFixture(memories)
    async with village.life() as loop:
        await sends(village, loop, 100)
        await loop.erase(ANA, AccountId("ana"), is_last=True)
        await turns(loop)
        village.clock.pass_time(DAY_MS)
        await sends(village, loop, 7)
        await hears(loop, 30, "2026-11-24", "2026-11-25")
        assert {"2026-11-24": 130, "2026-11-25": 37} == await used_on(loop), "this month stays"
        assert 167 == loop.ledger.total(AccountId("ana"), "2026-11").uplink.total
        await month_ends(village, loop)
        assert {"2026-11-25": 37} == await used_on(loop)
        await sends(village, loop, 5)
        await hears(loop, 40, "2026-11-24", "2026-11-25", "2026-12-05")
        assert {"2026-11-25": 47, "2026-12-05": 45} == await used_on(loop)
        assert 45 == loop.ledger.total(AccountId("ana"), "2026-12").uplink.total
    async with village.life() as loop:
        await sends(village, loop, 1)
        assert {"2026-11-25": 47, "2026-12-05": 46} == await used_on(loop)
        assert 46 == loop.ledger.total(AccountId("ana"), "2026-12").uplink.total

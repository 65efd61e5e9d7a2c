"""A lost or an older database while our counters stand: nothing is booked twice, and everything counted from
then on is booked.
"""

import asyncio
import copy
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from node.accounting.ledger import UsageBucket, UsageKey
from node.control.reconciler import Reconciler
from node.units import AccountId
from tests.fakes.reconciler_fixture import ANA, ReconcilerFixture, until, used
from tests.fakes.repository import FakeRepository

DAY_MS = 24 * 3_600_000


class Files:
    """A repository that a test may lose or restore from a copy; the note beside it is in a folder that survives."""

    def __init__(self) -> None:
        self.repository = FakeRepository()

    def lose(self) -> None:
        self.repository, tally = FakeRepository(), self.repository.tally
        self.repository.tally = tally

    def saved(self) -> FakeRepository:
        return copy.deepcopy(self.repository)

    def restore(self, saved: FakeRepository) -> None:
        tally, self.repository = self.repository.tally, copy.deepcopy(saved)
        self.repository.tally = tally


@asynccontextmanager
async def node(
    village: ReconcilerFixture, told: dict[UsageKey, UsageBucket] | None = None
) -> AsyncIterator[Reconciler]:
    """A node that is killed at the end; `told` is what neighbours received from it."""
    reconciler = village.loop()

    def hear(changed: Mapping[UsageKey, UsageBucket]) -> None:
        if told is not None:
            told.update(changed)

    reconciler._on_booked = hear
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(reconciler.run())
        await reconciler.ready.wait()
        yield reconciler
        reconciler.persistence.flush = _say_nothing  # type: ignore[method-assign, assignment]
        running.cancel()


async def _say_nothing(_now: object, *, is_all: bool = True) -> bool:
    return False


async def store(village: ReconcilerFixture, loop: Reconciler) -> None:
    village.clock.pass_time(56_000)
    await until(lambda: not loop.persistence.is_due(village.clock.now, 55_000))


async def read_again(loop: Reconciler) -> None:
    for _ in range(2):
        before = loop.persistence.baseline
        await until(lambda before=before: loop.persistence.baseline is not before)  # type: ignore[misc]


def heard(told: Mapping[UsageKey, UsageBucket], account: str = "ana") -> int:
    return sum(bucket.uplink.total for key, bucket in told.items() if key.account == AccountId(account))


async def test_a_database_lost_twice_while_the_table_stands_books_nothing_again() -> None:
    """1,306,144 bytes had become 2,309,997, then 3,317,616."""
    files, told = Files(), dict[UsageKey, UsageBucket]()
    village = ReconcilerFixture(lambda: files.repository)
    async with node(village, told) as loop:
        await loop.admit(ANA, "1")
        village.kernel.send(ANA, down=1_306_144)
        await until(lambda: used(loop) == 1_306_144)
        await store(village, loop)
    for turn in (1, 2):
        files.lose()
        async with node(village, told) as loop:
            await read_again(loop)
            assert 0 == used(loop)
            assert village.kernel.send(ANA, down=100)
            await until(lambda: used(loop) == 100)
            await store(village, loop)
        assert 1_306_144 + 100 * turn == heard(told)
    async with node(village) as loop:
        await read_again(loop)
        assert 100 == used(loop)


@pytest.mark.parametrize("later_ms", [0, DAY_MS], ids=["the same day", "the next day"])
async def test_a_restored_older_database_books_nothing_again(later_ms: int) -> None:
    """And what it counts is not hidden by what neighbours hold of its previous incarnation."""
    files, told = Files(), dict[UsageKey, UsageBucket]()
    village = ReconcilerFixture(lambda: files.repository)
    async with node(village, told) as loop:
        await loop.admit(ANA, "1")
        village.kernel.send(ANA, down=40)
        await until(lambda: used(loop) == 40)
        await store(village, loop)
        before = files.saved()
        village.kernel.send(ANA, down=60)
        await until(lambda: used(loop) == 100)
        await store(village, loop)
    files.restore(before)
    village.clock.pass_time(later_ms)
    async with node(village, told) as loop:
        await read_again(loop)
        await loop.admit(ANA, "1")
        assert village.kernel.send(ANA, down=7)
        await until(lambda: used(loop) == 47)
        await store(village, loop)
    assert 107 == heard(told)


async def test_a_table_younger_than_the_last_write_is_booked_whole() -> None:
    """The data folder is unusable from the start of the table until the node is killed."""
    files = Files()
    village = ReconcilerFixture(lambda: files.repository)
    async with node(village) as loop:
        await loop.admit(ANA, "1")
        village.kernel.send(ANA, down=5)
        await until(lambda: used(loop) == 5)
        await store(village, loop)
    village.kernel.vanish()
    files.repository.full = True
    async with node(village) as loop:
        await loop.admit(ANA, "1")
        village.kernel.send(ANA, down=1_000)
        await until(lambda: used(loop) == 1_000)
    files.repository.full = False
    async with node(village) as loop:
        await until(lambda: used(loop) == 1_005)


async def test_a_table_flushed_just_before_a_kill_is_booked_whole() -> None:
    files = Files()
    village = ReconcilerFixture(lambda: files.repository)
    async with node(village) as loop:
        await loop.admit(ANA, "1")
        await store(village, loop)
        village.kernel.vanish()
        await until(lambda: village.kernel.plan is not None)
        village.kernel.send(ANA, down=1_000)
        await until(lambda: used(loop) == 1_000)
        await until(
            lambda: files.repository.tally is not None and files.repository.tally.counters_id == "life-2"
        )
    async with node(village) as loop:
        await until(lambda: used(loop) == 1_000)


async def test_usage_sent_to_neighbours_before_midnight_is_not_booked_again_on_the_next_day() -> None:
    """The last half minute before the kill was sent and not stored: it becomes the same bucket again."""
    files, told = Files(), dict[UsageKey, UsageBucket]()
    village = ReconcilerFixture(lambda: files.repository)
    async with node(village, told) as loop:
        await loop.admit(ANA, "1")
        await store(village, loop)
        files.repository.full = True
        village.kernel.send(ANA, down=20)
        await until(lambda: heard(told) == 20)
    files.repository.full = False
    village.clock.pass_time(DAY_MS)
    async with node(village, told) as loop:
        await until(lambda: used(loop) == 20)
        await store(village, loop)
        assert 20 == heard(told)


async def test_a_day_is_sent_to_nobody_until_some_of_it_is_stored() -> None:
    files, told = Files(), dict[UsageKey, UsageBucket]()
    village = ReconcilerFixture(lambda: files.repository)
    async with node(village, told) as loop:
        await loop.admit(ANA, "1")
        await store(village, loop)
        files.repository.full = True
        village.clock.pass_time(DAY_MS)
        await read_again(loop)  # a reading that has begun belongs to the day before
        await loop.admit(ANA, "1")
        village.kernel.send(ANA, down=9)
        await until(lambda: used(loop) == 9)
        assert 0 == heard(told)
        files.repository.full = False
        await until(lambda: heard(told) == 9)


async def test_at_midnight_the_new_day_is_stored_at_once_and_sent() -> None:
    files, told = Files(), dict[UsageKey, UsageBucket]()
    village = ReconcilerFixture(lambda: files.repository)
    async with node(village, told) as loop:
        await loop.admit(ANA, "1")
        village.clock.pass_time(DAY_MS // 2)
        await loop.admit(ANA, "1")
        await store(village, loop)
        assert "2026-11-25" == village.clock.today()
        village.clock.pass_time(DAY_MS // 2 - 40_000)
        await loop.admit(ANA, "1")
        await store(village, loop)
        village.clock.wall += timedelta(hours=12)
        assert "2026-11-26" == village.clock.today()
        village.kernel.send(ANA, down=9)
        await until(lambda: heard(told) == 9)

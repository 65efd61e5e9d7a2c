"""A node that learns the date after it has counted: the bytes count on their days, once, also after a crash."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from node.accounting.ledger import UsageKey
from node.accounting.periods import DAY_UNKNOWN
from node.control.ports import Repository
from node.control.reconciler import Reconciler
from tests.fakes.reconciler_fixture import ANA, HOUR_MS, ReconcilerFixture, until, used


@pytest.fixture
def village(memories: Callable[[], Repository]) -> ReconcilerFixture:
    fixture = ReconcilerFixture(memories)
    fixture.clock.trust = "unknown"
    return fixture


async def booked(loop: Reconciler) -> None:
    for _ in range(2):
        before = loop.persistence.baseline
        await until(lambda before=before: loop.persistence.baseline is not before)  # type: ignore[misc]


def undated(loop: Reconciler) -> int:
    return sum(bucket.uplink.total for key, bucket in loop.ledger.buckets() if key.day == DAY_UNKNOWN)


async def stored(loop: Reconciler) -> dict[str, int]:
    await booked(loop)  # or what the reader thread has just dated may not be queued yet
    await loop.persistence.flush(loop._clock.monotonic())
    rows = await loop.persistence._repository.buckets(since="")
    return {key.day: bucket.uplink.total for key, bucket in rows}


async def test_bytes_counted_before_the_date_was_known_count_on_their_days(
    village: ReconcilerFixture,
) -> None:
    published: dict[UsageKey, int] = {}
    async with village.life() as loop:
        loop._on_booked = lambda changed: published.update(
            {key: bucket.uplink.total for key, bucket in changed.items()}
        )
        await loop.admit(ANA, "1")
        village.kernel.send(ANA, up=100)
        await booked(loop)
        await loop.persistence.flush(village.clock.now)
        assert (100, 0) == (undated(loop), used(loop))
        assert not published, "it waits for its date"
        village.clock.pass_time(20 * HOUR_MS)
        await booked(loop)
        await loop.admit(ANA, "1")  # the session of an hour has ended
        assert village.kernel.send(ANA, up=10)
        await booked(loop)
        village.clock.trust, village.clock.wall = "holdover", datetime(2026, 11, 24, 15, tzinfo=UTC)
        await until(lambda: undated(loop) == 0)
        assert 110 == used(loop)
        assert {"2026-11-23": 100, "2026-11-24": 10} == await stored(loop)
        await until(lambda: sum(published.values()) == 110)
        assert DAY_UNKNOWN not in {key.day for key in published}


async def test_a_kernel_that_cannot_be_read_when_the_date_is_known_costs_no_date(
    village: ReconcilerFixture,
) -> None:
    async with village.life() as loop:
        await loop.admit(ANA, "1")
        village.kernel.send(ANA, up=100)
        await booked(loop)
        village.kernel.refusing = "no rule is taken now"
        village.kernel.vanish()
        village.clock.trust = "synced"
        turns = village.kernel.read_count
        await until(lambda: village.kernel.read_count > turns + 2)
        village.kernel.refusing = ""
        await until(lambda: used(loop) == 100)
        assert 0 == undated(loop)


async def test_a_crash_before_and_after_the_date_is_known_loses_and_doubles_nothing(
    village: ReconcilerFixture,
) -> None:
    async with village.life(killed=True) as loop:
        await loop.admit(ANA, "1")
        village.kernel.send(ANA, up=100)
        await booked(loop)
        await type(loop.persistence).flush(loop.persistence, village.clock.now)
        village.kernel.send(ANA, up=10)
        await booked(loop)
    async with village.life(killed=True) as loop:
        await booked(loop)
        assert 110 == undated(loop)
        village.clock.trust = "synced"
        await until(lambda: used(loop) == 110)
    async with village.life() as loop:
        await until(lambda: used(loop) == 110)
        assert 0 == undated(loop)
        assert {"2026-11-24": 110} == await stored(loop)
    async with village.life() as loop:
        await booked(loop)
        assert 110 == used(loop)

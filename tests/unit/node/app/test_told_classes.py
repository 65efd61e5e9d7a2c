"""What previews told is remembered before it is told, and nothing is told that was found before something else was told."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

from node.accounting.intervals import KEEP_INTERVALS_DAYS
from node.app.told_classes import ToldClasses
from node.governance.account_classes import AccountClasses
from node.governance.replay import Interval
from node.governance.rule_effects import ReadAgain
from node.units import AccountId
from tests.fakes.repository import FakeArchive, FakeClock, FakeRepository

HOMES = [AccountId(f"home-{number}") for number in range(12)]
HALVES = {home: int(place < 6) for place, home in enumerate(HOMES)}
THIRDS = {home: place // 4 for place, home in enumerate(HOMES)}


def nothing(_since: int, _until: int) -> Iterator[Interval]:
    yield from ()


async def test_what_was_told_on_several_days_counts_together() -> None:
    repository, clock = FakeRepository(), FakeClock()
    told = ToldClasses(FakeArchive(repository), clock, nothing)
    assert {} == (await told.until_now()).classes
    assert await told.remember(HALVES, await told.until_now())
    clock.wall += timedelta(days=1)
    assert await told.remember(THIRDS, await told.until_now())
    assert ["2026-11-24", "2026-11-25"] == list(repository.preview_classes)
    assert 4 == len(set((await told.until_now()).classes.values()))
    assert {**HALVES} == dict(repository.preview_classes["2026-11-24"])


async def test_the_same_again_is_not_written_again() -> None:
    repository = FakeRepository()
    archive = FakeArchive(repository)
    told = ToldClasses(archive, FakeClock(), nothing)
    for _ in range(2):
        assert await told.remember(HALVES, await told.until_now())
    archive.disk_is_free.clear()
    assert await asyncio.wait_for(told.remember(HALVES, await told.until_now()), 5)


async def test_what_was_found_before_something_else_was_told_is_not_told() -> None:
    repository = FakeRepository()
    told = ToldClasses(FakeArchive(repository), FakeClock(), nothing)
    before = await told.until_now()
    assert await told.remember(HALVES, before)
    assert not await told.remember(THIRDS, before)
    assert 2 == len(set((await told.until_now()).classes.values()))


async def test_it_is_found_again_if_something_else_was_told_meanwhile() -> None:
    loop = asyncio.get_running_loop()
    told = ToldClasses(FakeArchive(FakeRepository()), FakeClock(), nothing)
    seen: list[int] = []

    def find(_read: ReadAgain, until_now: AccountClasses) -> tuple[str, AccountClasses]:
        seen.append(len(set(until_now.values())))
        if len(seen) == 1:

            async def other() -> bool:
                return await told.remember(HALVES, await told.until_now())

            assert asyncio.run_coroutine_threadsafe(other(), loop).result(5)
        return f"found {len(seen)}", HALVES

    assert "found 2" == await told.tell(find)
    assert [0, 2] == seen


async def test_only_whole_hours_of_the_days_that_are_kept_are_read() -> None:
    clock, times = FakeClock(), []

    def read(since: int, until: int) -> Iterator[Interval]:
        times.append((since, until))
        yield from ()

    clock.wall = datetime(2026, 11, 24, 12, 50, tzinfo=timezone(timedelta(hours=5, minutes=45)))
    list(ToldClasses(FakeArchive(FakeRepository()), clock, read).reader()())
    ((since, until),) = times
    assert datetime(2026, 11, 24, 6, 15, tzinfo=UTC).timestamp() == until
    assert KEEP_INTERVALS_DAYS * 86_400 - 3600 == until - since

"""The version that waits: when it starts at the earliest, and what is told of it."""

import asyncio
from datetime import datetime
from pathlib import Path

import pytest

from node.app.adoption_checks import AdoptionChecks
from node.app.adoption_log import AdoptionLog
from node.app.rule_objections import ObjectionCounter
from node.app.waited_time import WaitedTime
from node.app.waiting_rules import WaitingRules
from node.governance.adoption import AdoptionRecord, Schedule
from node.units import Milliseconds
from tests.fakes.use_cases import AppFixture, UseCases

HOUR = Milliseconds(3_600_000)
NOON = datetime(2026, 11, 24, 12, 0)


async def of(app: UseCases) -> WaitingRules:
    archive, clock = app.node.archive, app.node.clock
    record = AdoptionRecord(
        "scheduled", "2026-11-24T12:00", "admin Ana", "f", "text", meaning="m", waits_s=7200
    )
    await archive.append(record)
    log = AdoptionLog(archive, lambda _state: None)
    await log.read()
    files = await asyncio.to_thread(lambda: app.files)
    checks = AdoptionChecks(app.loop, files, lambda: True, lambda: 2)
    return WaitingRules(
        log, ObjectionCounter(app.loop, log.version), checks, WaitedTime(archive, clock), clock
    )


@pytest.mark.parametrize(
    ("asked", "waiting", "due"),
    [
        (None, 0, None),
        (NOON, 0, NOON),
        (None, HOUR, NOON.replace(hour=13)),
        (NOON.replace(minute=30), HOUR, NOON.replace(hour=13)),
        (NOON.replace(hour=18), HOUR, NOON.replace(hour=18)),
        (None, 90_500, NOON.replace(minute=2)),
    ],
)
async def test_the_later_of_both_times_counts_in_whole_minutes(
    asked: datetime | None, waiting: int, due: datetime | None, tmp_path: Path
) -> None:
    async with AppFixture(folder=tmp_path).life() as app:
        waits = await of(app)
        assert due == waits.due(asked, Milliseconds(waiting))
        app.node.clock.trust = "unknown"
        assert asked == waits.due(asked, Milliseconds(waiting))


async def test_what_is_left_of_the_time_is_told_in_operating_time(tmp_path: Path) -> None:
    async with AppFixture(folder=tmp_path).life() as app:
        waits, schedule = await of(app), Schedule(1, None, frozenset({"admin Ana"}), 7200)
        await waits.count_time(1)
        for hours in (2, 1, 0):
            view = waits.view(schedule)
            assert view is not None
            assert (hours, (2 - hours) * 3600) == (
                view.hours_left,
                waits.passed(schedule, frozenset()).waited_s,
            )
            app.node.clock.pass_time(HOUR)
            await waits.count_time(1)
        assert None is waits.view(None)

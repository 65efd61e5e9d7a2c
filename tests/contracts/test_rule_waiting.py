"""Rules of admins wait as the charter says, and what members stopped needs more than one admin: the real service."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from node.app.adoption_messages import STOPPED, became
from node.app.waited_time import SAVE_EVERY
from node.storage.database import Store
from tests.contracts.test_rule_adoption import ANA as ADMIN
from tests.contracts.test_rule_adoption import FASTER, SLOWER, Office, look, opened
from tests.contracts.test_rule_objections import ANA, BEN, NAMES, roll
from tests.fakes.admin_pages import RULES

CHARTER = '[charter]\nwaiting = "72 hours"\n'
HOUR_MS = 3_600_000
WAITING, WAITING_FASTER = RULES + CHARTER, FASTER + CHARTER
NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
MINUTES = '[decisions."D-2026-020"]\nday = "{day}"\npresent = 20\nyes = 15\nno = 2\nsigners = ["Ana Pons", "Ben Riu"]\n'
BEN_TOO = "admin Ben"


@pytest.fixture(params=["fake", "stored"])
async def office(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Office]:
    stores = [Store(tmp_path / "data" / "procomu.db")] if request.param == "stored" else []
    async with opened(tmp_path, stores, roll(NAMES)) as made:
        made.app.node.clock.wall = NOON
        yield made
    for store in stores:
        store.close()


async def in_force(office: Office, text: str) -> None:
    office.files.rules.write_text(text)
    await look(office)
    assert text == office.in_force


async def hours(office: Office, many: int) -> None:
    for _ in range(many):
        await office.wait(HOUR_MS)


async def test_rules_of_an_admin_start_after_the_time_of_the_charter_and_on_trial(office: Office) -> None:
    await in_force(office, WAITING)
    outcome = await office.adopt(WAITING_FASTER)
    waiting = office.adoption.waiting()
    assert waiting is not None
    assert ("scheduled", "2026-11-27 12:00", 72) == (outcome.kind, waiting.due, waiting.hours_left)
    assert outcome.number == (await office.adopt(WAITING_FASTER)).number, "sent twice it is one"
    await hours(office, 71)
    assert WAITING == office.in_force
    await hours(office, 1)
    assert (WAITING_FASTER, WAITING) == (office.in_force, office.in_file)
    await office.adoption.confirm(ADMIN)
    assert WAITING_FASTER == office.in_file


async def test_a_time_that_is_asked_for_counts_if_it_is_later(office: Office) -> None:
    await in_force(office, WAITING)
    for asked, due in (("2026-11-25 06:00", "2026-11-27 12:00"), ("2026-12-01 06:00", "2026-12-01 06:00")):
        await office.adopt(WAITING_FASTER, due=asked)
        waiting = office.adoption.waiting()
        assert waiting is not None
        assert due == waiting.due


@pytest.mark.parametrize("trust", ["synced", "unknown"])
async def test_a_clock_that_is_set_forward_or_unknown_shortens_nothing(office: Office, trust: str) -> None:
    await in_force(office, WAITING)
    office.app.node.clock.trust = trust  # type: ignore[assignment]
    assert "scheduled" == (await office.adopt(WAITING_FASTER)).kind
    office.app.node.clock.wall += timedelta(days=20)
    await hours(office, 71)
    assert WAITING == office.in_force
    await hours(office, 1)
    assert WAITING_FASTER == office.in_force


async def test_a_restart_does_not_shorten_it_and_loses_little(office: Office) -> None:
    await in_force(office, WAITING)
    await office.adopt(WAITING_FASTER)
    for _ in range(3):  # 71 hours
        for _ in range(142):
            await office.wait(SAVE_EVERY)
        await office.restart()
    for _ in range(5):
        await office.wait(SAVE_EVERY)
        assert WAITING == office.in_force
    for _ in range(1 + 3):
        await office.wait(SAVE_EVERY)
    assert WAITING_FASTER == office.in_force


async def test_a_lower_time_starts_after_the_one_in_force(office: Office) -> None:
    await in_force(office, WAITING)
    lower = WAITING.replace("72 hours", "1 hour")
    await office.adopt(lower, is_trial=False)
    await hours(office, 71)
    assert WAITING == office.in_force
    await hours(office, 1)
    assert lower == office.in_force


async def test_what_changes_nothing_a_return_and_minutes_do_not_wait(office: Office) -> None:
    await in_force(office, WAITING)
    assert "confirmed" == (await office.adopt("# Tidy.\n" + WAITING)).kind
    decided = WAITING_FASTER.replace("D-2025-002", "D-2026-020") + MINUTES.format(day="2026-11-23")
    assert "trial" == (await office.adopt(decided)).kind
    await office.adoption.confirm(ADMIN)
    assert "trial" == (await office.adoption.roll_back(ADMIN)).kind


async def stopped(office: Office, text: str = FASTER) -> int:
    outcome = await office.adopt(text, due="2026-12-01 06:00")
    for account in (ANA, BEN):
        assert "done" == await office.adoption.object(account, outcome.number, "")
    assert ("withdrawn", "objections") == office.newest()
    return outcome.number


async def test_what_members_stopped_needs_a_second_admin_however_it_is_sent(office: Office) -> None:
    number = await stopped(office)
    for text in (FASTER, "# Again.\n" + FASTER.replace("D-2025-002", "D-2026-099")):
        for more in ({}, {"due": "2026-12-02 06:00"}):
            outcome = await office.adopt(text, **more)
            assert outcome.stopped is not None
            assert ("proposed", number) == (outcome.kind, outcome.stopped.number)
            await office.wait(60_000)
            assert RULES == office.in_force
    outcome = await office.adopt(FASTER)
    assert "trial" == (await office.adoption.approve(BEN_TOO, outcome.number)).kind
    assert "trial" == (await office.adopt(SLOWER)).kind, "other rules are not concerned"


async def test_where_one_admin_is_alone_an_assembly_decides(office: Office) -> None:
    office.app.node.admins = 1
    await stopped(office)
    outcome = await office.adopt(FASTER)
    assert ("refused", [STOPPED]) == (outcome.kind, [each.code for each in outcome.findings])
    assert "minutes" in outcome.findings[0].fix
    for day, kind in (("2026-11-20", "refused"), ("2026-11-24", "trial")):
        decided = FASTER.replace("D-2025-002", "D-2026-020") + MINUTES.format(day=day)
        assert kind == (await office.adopt(decided)).kind


async def test_after_thirty_days_one_admin_can_try_again(office: Office) -> None:
    office.app.node.admins = 1
    await stopped(office)
    office.app.node.clock.wall += timedelta(days=30)
    assert (await office.adopt(FASTER)).is_refused
    office.app.node.clock.wall += timedelta(days=1)
    assert "trial" == (await office.adopt(FASTER)).kind


async def test_going_back_to_what_members_stopped_needs_a_second_admin_too(office: Office) -> None:
    await office.adopt(FASTER, is_trial=False)
    await office.adopt(SLOWER, is_trial=False)
    await stopped(office)
    assert "proposed" == (await office.adoption.roll_back(ADMIN)).kind


async def test_the_history_says_that_it_waits(office: Office) -> None:
    await in_force(office, WAITING)
    office.app.node.clock.trust = "unknown"
    await office.adopt(WAITING_FASTER)
    assert "waits for as long as the charter says" == str(became(office.adoption.versions()[0]))

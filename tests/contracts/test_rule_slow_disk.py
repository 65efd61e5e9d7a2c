"""Rules on a disk that answers too late: the answer says only what is known, and the history what came of it."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from node.app.adoption_messages import became
from node.app.adoption_views import AdoptionOutcome
from node.app.rule_adoption import AGAIN_TICKS
from node.errors import UNSTORED
from node.storage import database
from node.storage.database import Store
from tests.contracts.test_rule_adoption import ANA as ADMIN
from tests.contracts.test_rule_adoption import FASTER, MORNING, SLOWER, Office, opened
from tests.contracts.test_rule_objections import NAMES, roll
from tests.fakes.admin_pages import RULES

SLOW_S = 30.0


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    store = Store(tmp_path / "data" / "procomu.db")
    async with opened(tmp_path, [store], roll(NAMES)) as made:
        yield made
    store.close()


async def while_it_is_slow(
    office: Office, monkeypatch: pytest.MonkeyPatch, act: Callable[[], Awaitable[AdoptionOutcome]]
) -> AdoptionOutcome:
    (store,) = office.stores
    begun, is_answered = threading.Event(), threading.Event()

    def wait(_db: object) -> None:
        begun.set()
        is_answered.wait(SLOW_S)

    with monkeypatch.context() as slow:
        slow.setattr(database, "ANSWER_S", 0.2)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_ignored(store.run(wait)))
            await asyncio.to_thread(begun.wait)
            try:
                outcome = await act()
            finally:
                is_answered.set()
    await store.run(lambda _db: None)
    for _ in range(2 * AGAIN_TICKS):
        await office.adoption.tick()
    return outcome


async def _ignored(work: Awaitable[None]) -> None:
    try:
        await work
    except database.StorageTrouble:
        return


def is_unknown(outcome: AdoptionOutcome) -> bool:
    (finding,) = outcome.findings
    assert ("refused", UNSTORED) == (outcome.kind, finding.code)
    assert "nothing was changed" not in str(finding)
    return "not known yet" in str(finding)


async def test_rules_stored_too_late_were_never_in_force_and_the_history_says_so(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert is_unknown(await while_it_is_slow(office, monkeypatch, lambda: office.adopt(FASTER)))
    assert (RULES, None) == (office.in_force, office.adoption.trial())
    newest = office.adoption.versions()[0]
    assert (2, "never in force: the disk took too long to save it") == (newest.number, str(became(newest)))
    assert "trial" == (await office.adopt(SLOWER)).kind
    await office.restart()
    assert RULES == office.in_force
    assert 0 == office.adoption.damaged


async def test_a_schedule_and_a_draft_stored_too_late_are_what_they_say(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert is_unknown(await while_it_is_slow(office, monkeypatch, lambda: office.adopt(FASTER, due=MORNING)))
    waiting = office.adoption.waiting()
    assert waiting is not None
    assert (2, "2026-12-01 06:00") == (waiting.number, waiting.due)
    assert is_unknown(
        await while_it_is_slow(office, monkeypatch, lambda: office.adoption.draft(SLOWER, ADMIN))
    )
    assert [3] == [each.number for each in office.adoption.drafts()]
    assert 2 == office.adoption.waiting_number

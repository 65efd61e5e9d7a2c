"""What comes of a draft that was shown before, is decided already, or is one too many."""

import pytest

from node.app.adoption_log import AdoptionLog
from node.app.adoption_messages import DRAFTS
from node.app.rule_drafts import draft_before, draft_views
from node.app.rule_objections import ObjectionCounter
from node.governance.adoption import (
    BOOT_MS,
    DRAFTS_MAX,
    AdoptionRecord,
    AdoptionState,
    Draft,
    Schedule,
    Trial,
)
from node.units import AccountId
from tests.fakes.repository import FakeArchive, FakeRepository
from tests.fakes.use_cases import AppFixture


async def log_of(*meanings: str) -> AdoptionLog:
    archive = FakeArchive(FakeRepository())
    for each in meanings:
        await archive.append(
            AdoptionRecord("draft", "2026-11-24T12:00", "admin Ana", f"f-{each}", each, meaning=each)
        )
    log = AdoptionLog(archive, lambda _state: None)
    await log.read()
    return log


async def test_a_draft_that_is_open_is_the_same_one() -> None:
    log = await log_of("a", "b")
    assert log.history is not None
    found = draft_before(log.history.state, log, "b", "b", ())
    assert found is not None
    assert ("draft", 2) == (found.kind, found.number)


@pytest.mark.parametrize(
    "state", [AdoptionState(trial=Trial(1, BOOT_MS)), AdoptionState(waiting=Schedule(1, None))]
)
async def test_what_is_on_trial_or_waits_is_no_draft(state: AdoptionState) -> None:
    log = await log_of("a")
    found = draft_before(state, log, "a", "b", ())
    assert found is not None
    assert ("refused", 1, [DRAFTS]) == (found.kind, found.number, [each.code for each in found.findings])
    assert None is draft_before(state, log, "c", "b", ())


async def test_there_is_room_for_five() -> None:
    log = await log_of()
    for many in range(DRAFTS_MAX + 1):
        state = AdoptionState(drafts=tuple(Draft(each, f"m{each}", "") for each in range(many)))
        assert (many == DRAFTS_MAX) == (draft_before(state, log, "new", "old", ()) is not None)


async def test_drafts_are_shown_with_their_objections_the_newest_first() -> None:
    log = await log_of("a", "b")
    assert log.history is not None
    async with AppFixture().life() as app:
        counter = ObjectionCounter(app.loop, log.version)
        version = log.version(1)
        assert version is not None
        await counter.object(AccountId("ana"), version, "No.")
        newest, oldest = draft_views(log.history.state, log, counter)
        assert (2, 0, ()) == (newest.number, newest.objections, newest.texts)
        assert (1, 1, ("No.",), "admin Ana") == (oldest.number, oldest.objections, oldest.texts, oldest.by)

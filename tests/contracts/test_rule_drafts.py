"""Drafts of rules: the real service, with a fake and with a real database."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from node.app.adoption_messages import DRAFTS, NothingToDo, became
from node.app.rule_adoption import AGAIN_TICKS
from node.errors import UNSTORED
from node.governance.adoption import DRAFT_DAYS, DRAFTS_MAX
from node.storage.database import Store
from tests.contracts.test_rule_adoption import ANA as ADMIN
from tests.contracts.test_rule_adoption import FASTER, MORNING, SLOWER, Office, look, opened
from tests.contracts.test_rule_objections import ANA, BEN, NAMES, roll
from tests.fakes.admin_pages import RULES, TIGHT

COMMENTED = "# Read on Monday.\n" + FASTER


@pytest.fixture(params=["fake", "stored"])
async def office(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Office]:
    stores = [Store(tmp_path / "data" / "procomu.db")] if request.param == "stored" else []
    async with opened(tmp_path, stores, roll(NAMES)) as made:
        yield made
    for store in stores:
        store.close()


async def draft(office: Office, text: str = FASTER) -> int:
    outcome = await office.adoption.draft(text, ADMIN)
    assert "draft" == outcome.kind
    return outcome.number


def open_drafts(office: Office) -> list[tuple[int, int]]:
    return [(each.number, each.objections) for each in office.adoption.drafts()]


def state_of(office: Office, number: int) -> tuple[str, str]:
    version = office.adoption.version(number)
    assert version is not None
    return version.state, str(became(version))


async def days_later(office: Office, days: int) -> None:
    office.app.node.clock.wall += timedelta(days=days)
    for _ in range(AGAIN_TICKS):
        await office.adoption.tick()


async def test_a_draft_changes_nothing_and_outlives_a_kill(office: Office) -> None:
    number = await draft(office)
    assert 2 == number
    for _ in range(2 * AGAIN_TICKS):
        await office.wait(300)
    assert (RULES, RULES, None, None) == (
        office.in_force,
        office.in_file,
        office.adoption.trial(),
        office.adoption.waiting(),
    )
    await office.restart()
    assert [(2, 0)] == open_drafts(office)
    assert ("draft", "a draft that nobody has decided") == state_of(office, 2)
    assert FASTER == await office.adoption.version_text(2)
    with pytest.raises(NothingToDo):
        await office.adoption.confirm(ADMIN, number)
    with pytest.raises(NothingToDo):
        await office.adoption.roll_back(ADMIN, number)
    assert RULES == office.in_force


async def test_objections_to_a_draft_are_told_and_withdraw_nothing(office: Office) -> None:
    number = await draft(office)
    for account, text in ((ANA, "I work at night."), (BEN, "")):
        assert "done" == await office.adoption.object(account, number, text)
    await office.wait(1_000)
    (view,) = office.adoption.drafts()
    assert (2, 8, ("I work at night.",)) == (view.objections, view.accounts, view.texts)
    assert "done" == await office.adoption.take_back_objection(ANA, number)
    await office.restart()
    assert [(number, 1)] == open_drafts(office)


async def test_objections_are_carried_over_when_the_same_rules_are_scheduled(office: Office) -> None:
    """Also if a comment was added: what counts is what the rules would do."""
    number = await draft(office)
    await office.adoption.object(ANA, number, "No.")
    await office.adopt(COMMENTED, due=MORNING, is_trial=False)
    waiting = office.adoption.waiting()
    assert waiting is not None
    assert (3, 1, ("No.",)) == (waiting.number, waiting.objections, office.adoption.objection_texts())
    assert [] == open_drafts(office)
    assert ("superseded", "a draft, decided as version 3") == state_of(office, number)
    assert "over" == await office.adoption.object(BEN, number, ""), "to the draft"
    await office.restart()
    for _ in range(AGAIN_TICKS):
        await office.adoption.tick()
    again = office.adoption.waiting()
    assert again is not None
    assert 1 == again.objections
    assert "done" == await office.adoption.object(BEN, 3, "")
    assert ("withdrawn", "objections") == office.newest()
    assert 2 == office.adoption.versions()[0].objections


async def test_a_fifth_that_object_to_a_draft_stop_it_when_it_is_scheduled(office: Office) -> None:
    number = await draft(office)
    for account in (ANA, BEN):
        await office.adoption.object(account, number, "")
    outcome = await office.adopt(FASTER, due=MORNING)
    assert ("withdrawn", 3) == (outcome.kind, outcome.number)
    assert (None, ("withdrawn", "objections")) == (office.adoption.waiting(), office.newest())


async def test_a_draft_that_says_what_is_adopted_or_written_to_the_file_is_superseded(office: Office) -> None:
    faster, slower = await draft(office), await draft(office, SLOWER)
    await office.adopt(FASTER)
    assert ([(slower, 0)], "superseded") == (open_drafts(office), state_of(office, faster)[0])
    await office.adoption.confirm(ADMIN)
    assert [(slower, 0)] == open_drafts(office), "a confirmation ends no draft"
    office.files.rules.write_text(SLOWER)
    await look(office)
    assert ([], "superseded") == (open_drafts(office), state_of(office, slower)[0])


async def test_any_admin_withdraws_a_draft_and_again_it_changes_nothing(office: Office) -> None:
    number = await draft(office)
    for _ in range(2):
        assert "withdrawn" == (await office.adoption.end("admin Ben", number)).kind, "no trial is over"
    assert ([], "a draft that an admin withdrew") == (open_drafts(office), state_of(office, number)[1])
    assert "over" == await office.adoption.object(ANA, number, "")
    assert number + 2 == await draft(office), "it can be shown again"


async def test_a_draft_ends_after_ninety_days_and_not_by_a_wrong_clock(office: Office) -> None:
    office.app.node.clock.wall = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
    number = await draft(office)
    for year in (1970, 2099):
        office.app.node.clock.wall = datetime(year, 12, 1, 9, 0, tzinfo=UTC)
        await days_later(office, 0)
        assert [(number, 0)] == open_drafts(office)
    office.app.node.clock.wall = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
    await days_later(office, DRAFT_DAYS - 1)
    assert [(number, 0)] == open_drafts(office)
    await days_later(office, 1)
    assert ([], ("withdrawn", "a draft that ended: nobody decided it in 90 days")) == (
        open_drafts(office),
        state_of(office, number),
    )


async def test_there_are_at_most_five_and_a_draft_sent_twice_is_one(office: Office) -> None:
    numbers = [await draft(office, RULES.replace("3 Mbit/s", f"{each} Mbit/s")) for each in range(4, 9)]
    assert DRAFTS_MAX == len(numbers)
    refused = await office.adoption.draft(SLOWER, ADMIN)
    assert ("refused", [DRAFTS]) == (refused.kind, [each.code for each in refused.findings])
    assert numbers[0] == await draft(office), "it is one of them"
    assert numbers[0] == await draft(office, COMMENTED)
    await office.adoption.end(ADMIN, numbers[0])
    await draft(office, SLOWER)


@pytest.mark.parametrize("text", [RULES, "# In force.\n" + RULES])
async def test_what_is_in_force_or_waits_is_no_draft(office: Office, text: str) -> None:
    assert [DRAFTS] == [each.code for each in (await office.adoption.draft(text, ADMIN)).findings]
    await office.adopt(FASTER, due=MORNING)
    assert [DRAFTS] == [each.code for each in (await office.adoption.draft(COMMENTED, ADMIN)).findings]


async def test_rules_with_errors_are_no_draft(office: Office) -> None:
    outcome = await office.adoption.draft(TIGHT, ADMIN)
    assert outcome.is_refused
    assert any(each.is_error for each in outcome.findings)
    assert [] == open_drafts(office)


async def test_a_draft_that_cannot_be_stored_is_refused(tmp_path: Path) -> None:
    async with opened(tmp_path, [], roll(NAMES)) as office:
        office.app.node.repository.full = True
        outcome = await office.adoption.draft(FASTER, ADMIN)
        assert ("refused", [UNSTORED]) == (outcome.kind, [each.code for each in outcome.findings])
        assert [] == open_drafts(office)


async def test_a_draft_stays_when_other_rules_are_adopted_and_taken_back(office: Office) -> None:
    number = await draft(office)
    await office.adopt(SLOWER)
    await office.wait(600_000)
    assert (RULES, [(number, 0)]) == (office.in_force, open_drafts(office))
    assert ("reverted", "time") == office.newest()
    ended = office.adoption.last_ended()
    assert ended is not None
    await draft(office, RULES.replace("3 Mbit/s", "7 Mbit/s"))
    assert ended == office.adoption.last_ended(), "a draft is no news about it"

"""Rules that several admins must approve before they come into force: the real service, files and database."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from node.app.adoption_messages import NothingToDo
from node.app.console import RuleCommands
from node.control.active_ruleset import fingerprint
from node.errors import Finding, KernelRefused, NodeError
from node.storage.database import Store
from node.translator import gettext_lazy
from tests.contracts.test_rule_adoption import ANA, TEN_MINUTES_MS, Office, opened
from tests.fakes.admin_pages import RULES

BEN, CORA = "admin Ben", "admin Cora"
TWO = RULES + "\n[charter]\napprovals = 2\ncharter_approvals = 3\n"
FASTER = TWO.replace("3 Mbit/s", "4 Mbit/s")
SLOWER = TWO.replace("3 Mbit/s", "2 Mbit/s")
ORDER = """
[[rule]]
id = "flood"
ceiling = "2 Mbit/s down, 1 Mbit/s up"
who = "tier:guest"
emergency = true
from = "2026-01-05"
expires = "2026-01-07"
by = "D-9"
"""


@pytest.fixture(params=["fake", "stored"])
async def committee(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Office]:
    """A node whose charter wants two admins for rules, and three for the charter."""
    stores = [Store(tmp_path / "data" / "procomu.db")] if request.param == "stored" else []
    async with opened(tmp_path, stores) as office:
        office.files.rules.write_text(TWO)
        await office.restart()
        assert TWO == office.in_force
        yield office
    for store in stores:
        store.close()


async def test_rules_wait_until_a_second_admin_approves_them_and_are_then_on_trial(committee: Office) -> None:
    outcome = await committee.adopt(FASTER)
    assert ("proposed", TWO, TWO) == (outcome.kind, committee.in_force, committee.in_file)
    waiting = committee.adoption.waiting()
    assert waiting is not None
    assert ((ANA,), 1, "") == (waiting.approved, waiting.missing, waiting.due)
    await committee.wait(TEN_MINUTES_MS)
    assert TWO == committee.in_force, "time alone does not bring them into force"
    begun = await committee.adoption.approve(BEN, outcome.number)
    assert ("trial", FASTER, TWO) == (begun.kind, committee.in_force, committee.in_file)
    assert (begun.number, ANA) == (committee.trial.number, committee.trial.by)
    assert (BEN,) == committee.adoption.versions()[0].approved
    await committee.adoption.confirm(CORA)
    assert (FASTER, None) == (committee.in_file, committee.adoption.waiting())


async def test_one_admin_is_not_two_however_often_the_form_is_sent(committee: Office) -> None:
    number = (await committee.adopt(FASTER)).number
    for _ in range(3):
        assert "proposed" == (await committee.adoption.approve(ANA, number)).kind
    assert TWO == committee.in_force


@pytest.mark.parametrize("spelling", ["admin ANA", "admin  Ana ", "admin \uff21na"])
async def test_one_admin_is_not_two_however_the_name_is_spelled(committee: Office, spelling: str) -> None:
    number = (await committee.adopt(FASTER)).number
    assert "proposed" == (await committee.adoption.approve(spelling, number)).kind
    await committee.restart()
    await committee.wait(1_000)
    assert TWO == committee.in_force
    waiting = committee.adoption.waiting()
    assert waiting is not None
    assert (True, False) == (waiting.is_approved_by(spelling), waiting.is_approved_by(BEN))


async def test_an_admin_without_a_name_proposes_and_does_not_count(committee: Office) -> None:
    number = (await committee.adoption.adopt(FASTER, "admin")).number
    waiting = committee.adoption.waiting()
    assert waiting is not None
    assert 2 == waiting.missing
    with pytest.raises(NothingToDo, match="choose a name"):
        await committee.adoption.approve("admin", number)
    assert "proposed" == (await committee.adoption.approve(ANA, number)).kind, "could be the same person"
    assert "trial" == (await committee.adoption.approve(BEN, number)).kind


async def test_without_a_name_one_admin_decides_where_one_decides(tmp_path: Path) -> None:
    async with opened(tmp_path, []) as office:
        faster = RULES.replace("3 Mbit/s", "4 Mbit/s")
        await office.adoption.adopt(faster, "admin", due="2026-12-01 06:00")
        office.app.node.clock.wall = office.app.node.clock.wall.replace(month=12, day=1, hour=7)
        await office.wait(1_000)
        assert faster == office.in_force


async def test_a_proposal_that_is_sent_twice_keeps_its_approvals(committee: Office) -> None:
    alone = TWO.replace("approvals = 2\ncharter_approvals = 3\n", "")
    number = (await committee.adopt(alone)).number
    await committee.adoption.approve(BEN, number)
    assert ("proposed", number) == ((again := await committee.adopt(alone)).kind, again.number)
    waiting = committee.adoption.waiting()
    assert waiting is not None
    assert ((ANA, BEN), 1) == (waiting.approved, waiting.missing)
    assert number != (await committee.adopt(alone, due="2026-12-01 06:00")).number, "at another time"


async def test_two_approvals_at_once_begin_one_trial(committee: Office) -> None:
    number = (await committee.adopt(FASTER)).number
    async with asyncio.TaskGroup() as tasks:
        both = [tasks.create_task(committee.adoption.approve(by, number)) for by in (BEN, CORA)]
    assert ["trial", "same"] == [each.result().kind for each in both]
    assert 1 == sum(each.state == "trial" for each in committee.adoption.versions())


async def test_rules_whose_trial_is_over_are_not_said_to_be_in_force_by_a_late_approval(
    committee: Office,
) -> None:
    number = (await committee.adopt(FASTER)).number
    await committee.adoption.approve(BEN, number)
    assert "same" == (await committee.adoption.approve(CORA, number)).kind, "it is in force"
    await committee.wait(TEN_MINUTES_MS)
    with pytest.raises(NothingToDo):
        await committee.adoption.approve(CORA, number)
    assert TWO == committee.in_force


async def test_the_charter_needs_more_and_cannot_lower_its_own_number_with_fewer(committee: Office) -> None:
    alone = TWO.replace("approvals = 2\ncharter_approvals = 3\n", "")
    number = (await committee.adopt(alone)).number
    assert "proposed" == (await committee.adoption.approve(BEN, number)).kind
    assert TWO == committee.in_force
    assert "trial" == (await committee.adoption.approve(CORA, number)).kind
    assert alone == committee.in_force


async def test_an_approval_is_for_the_text_that_was_shown(committee: Office) -> None:
    first = (await committee.adopt(FASTER)).number
    second = (await committee.adopt(SLOWER)).number
    with pytest.raises(NothingToDo):
        await committee.adoption.approve(BEN, first)
    assert TWO == committee.in_force
    assert "trial" == (await committee.adoption.approve(BEN, second)).kind
    assert SLOWER == committee.in_force


async def test_approvals_survive_a_restart_and_approved_rules_keep_to_their_time(committee: Office) -> None:
    number = (await committee.adopt(FASTER, due="2026-12-01 06:00")).number
    await committee.restart()
    assert "scheduled" == (await committee.adoption.approve(BEN, number)).kind, "its time is still to come"
    await committee.restart()
    await committee.wait(1_000)
    waiting = committee.adoption.waiting()
    assert waiting is not None
    assert ((ANA, BEN), 0, TWO) == (waiting.approved, waiting.missing, committee.in_force)
    committee.app.node.clock.wall = committee.app.node.clock.wall.replace(month=12, day=1, hour=6)
    await committee.wait(1_000)
    assert FASTER == committee.in_force


async def test_rules_whose_time_has_come_without_approvals_are_not_in_force(committee: Office) -> None:
    number = (await committee.adopt(FASTER, due="2026-12-01 06:00", is_trial=False)).number
    committee.app.node.clock.wall = committee.app.node.clock.wall.replace(month=12, day=1, hour=7)
    await committee.wait(1_000)
    assert (TWO, TWO) == (committee.in_force, committee.in_file)
    assert "confirmed" == (await committee.adoption.approve(BEN, number)).kind, "approved to need no trial"
    assert (FASTER, FASTER) == (committee.in_force, committee.in_file)


async def test_without_a_trial_rules_need_the_same_approvals(committee: Office) -> None:
    outcome = await committee.adopt(FASTER, is_trial=False)
    assert ("proposed", TWO) == (outcome.kind, committee.in_file)


async def test_one_admin_may_go_back_to_what_was_confirmed_before_and_no_further(committee: Office) -> None:
    for text in (FASTER, SLOWER):
        await committee.adoption.approve(BEN, (await committee.adopt(text)).number)
        await committee.adoption.confirm(ANA)
    first = next(
        each.number for each in committee.adoption.versions() if each.fingerprint == fingerprint(TWO)
    )
    outcome = await committee.adoption.roll_back(CORA, first)
    assert ("proposed", first, SLOWER) == (outcome.kind, outcome.put_back, committee.in_force)
    await committee.adoption.end(CORA, outcome.number)
    assert "trial" == (await committee.adoption.roll_back(CORA)).kind
    assert FASTER == committee.in_force


async def test_one_admin_does_not_go_back_to_a_charter_that_let_one_decide(committee: Office) -> None:
    outcome = await committee.adoption.roll_back(ANA)
    assert ("proposed", 1, TWO) == (outcome.kind, outcome.put_back, committee.in_force)
    waiting = committee.adoption.waiting()
    assert waiting is not None
    assert 2 == waiting.missing


async def test_any_admin_can_withdraw_what_waits_and_an_edit_of_the_file_does(committee: Office) -> None:
    number = (await committee.adopt(FASTER)).number
    assert "withdrawn" == (await committee.adoption.end(BEN, number)).kind
    with pytest.raises(NothingToDo):
        await committee.adoption.approve(CORA, number)
    number = (await committee.adopt(FASTER)).number
    committee.files.rules.write_text(SLOWER)
    await committee.files.look(committee.app.loop, committee.adoption.record, "an edit of the file")
    with pytest.raises(NothingToDo):
        await committee.adoption.approve(CORA, number)
    assert SLOWER == committee.in_force


async def test_an_emergency_order_needs_a_second_admin_also_where_one_decides(tmp_path: Path) -> None:
    async with opened(tmp_path, []) as office:
        outcome = await office.adopt(RULES + ORDER)
        assert ("proposed", RULES) == (outcome.kind, office.in_force)
        assert "trial" == (await office.adoption.approve(BEN, outcome.number)).kind
        await office.adoption.confirm(ANA)
        assert "trial" == (await office.adopt(RULES)).kind, "one admin ends it"


async def test_the_console_is_one_more_admin(committee: Office) -> None:
    commands = RuleCommands(committee.adoption)
    number = (await committee.adopt(FASTER)).number
    with pytest.raises(NodeError, match=f"version {number} waits for approval"):
        await commands.confirm({})
    assert TWO == committee.in_force, "nobody approves what they do not name"
    said = await commands.confirm({"version": str(number)})
    assert ("trial", FASTER) == (said["outcome"], committee.in_force)
    assert "confirmed" == (await commands.confirm({}))["outcome"]
    said = await commands.adopt({"text": SLOWER})
    assert ("proposed", 1) == (said["outcome"], said["waiting"].missing)
    again = await commands.confirm({"version": str(said["number"])})
    assert "proposed" == again["outcome"], "it is the same one"
    assert FASTER == committee.in_force


async def test_approved_rules_that_no_longer_fit_the_members_are_withdrawn(
    committee: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = (await committee.adopt(FASTER)).number
    finding = Finding("E04", 0, gettext_lazy("Too much is promised."), gettext_lazy("promise less"))
    monkeypatch.setattr("node.app.adoption_checks.amend", lambda *_: (None, (finding,)))
    assert "withdrawn" == (await committee.adoption.approve(BEN, number)).kind
    assert (TWO, ("withdrawn", "invalid")) == (committee.in_force, committee.newest())


async def test_approved_rules_that_the_kernel_refuses_are_not_in_force(
    committee: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = (await committee.adopt(FASTER)).number

    async def refuse(*_: object) -> None:
        raise KernelRefused("the kernel refuses", "look at the log")

    with monkeypatch.context() as refusing:
        refusing.setattr(committee.files, "begin_trial", refuse)
        assert "ended" == (await committee.adoption.approve(BEN, number)).kind
    assert (TWO, TWO, None) == (committee.in_force, committee.in_file, committee.adoption.trial())


async def test_an_approval_that_cannot_be_stored_does_not_count(tmp_path: Path) -> None:
    async with opened(tmp_path, []) as office:
        office.files.rules.write_text(TWO)
        await office.restart()
        number = (await office.adopt(FASTER)).number
        office.app.node.repository.full = True
        outcome = await office.adoption.approve(BEN, number)
        assert ("refused", TWO) == (outcome.kind, office.in_force)
        office.app.node.repository.full = False
        await office.restart()
        assert TWO == office.in_force
        assert "trial" == (await office.adoption.approve(BEN, number)).kind

"""Rules on trial, confirmed, taken back and scheduled: the real service and files, with a fake and with a real database."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from sqlite3 import Connection

import pytest

from node.accounts.events import Event
from node.app import rule_files
from node.app.adoption_log import FORGET_EVERY
from node.app.adoption_messages import NothingToDo, became
from node.app.adoption_views import AdoptionOutcome, TrialView
from node.app.rule_adoption import BEGIN_AGAIN_TICKS, RuleAdoption
from node.app.rule_files import BY_EDIT, BY_START, RuleFiles
from node.control.active_ruleset import REJECTED, RULES_COPY, fingerprint
from node.errors import KernelRefused, NodeError
from node.governance.adoption import FAILS_FOR, TEXT_CHARS_MAX, AdoptionRecord
from node.storage.database import Store
from node.storage.repository import StoredArchive, StoredRepository, append_record
from node.units import BitsPerSecond, Milliseconds, Rates
from tests.fakes.admin_pages import LAPTOP, MEMBERS, RULES, TIGHT
from tests.fakes.use_cases import AppFixture, UseCases

TEN_MINUTES_MS = 600_000
FASTER = RULES.replace("3 Mbit/s", "4 Mbit/s")
SLOWER = RULES.replace("3 Mbit/s", "2 Mbit/s")
ANA = "admin Ana"


@dataclass
class Office:
    """A running node with its rule file, as far as the adoption of rules goes."""

    app: UseCases
    adoption: RuleAdoption
    files: RuleFiles
    stores: list[Store] = field(default_factory=list)

    @property
    def in_force(self) -> str:
        return self.app.loop.active_ruleset.text

    @property
    def in_file(self) -> str:
        return self.files.rules.read_text()

    @property
    def trial(self) -> TrialView:
        trial = self.adoption.trial()
        assert trial is not None
        return trial

    async def adopt(self, text: str, **more: object) -> AdoptionOutcome:
        return await self.adoption.adopt(text, ANA, **more)  # type: ignore[arg-type]

    async def wait(self, milliseconds: int) -> None:
        self.app.node.pass_time(milliseconds)
        await self.adoption.tick()

    def newest(self) -> tuple[str, str]:
        version = self.adoption.versions()[0]
        return version.state, version.reason

    async def restart(self) -> None:
        """As after kill -9: what was in memory is gone, and nothing was told."""
        files = RuleFiles(self.files.rules, self.files.members, self.files.rules.parent / "data")
        active, members = await asyncio.to_thread(files.open)
        await self.app.loop.adopt(active, members)
        self.files, self.adoption = files, adoption_of(self.app, files)
        await self.adoption.record(active, BY_START)


def adoption_of(app: UseCases, files: RuleFiles) -> RuleAdoption:
    return RuleAdoption(
        app.loop,
        files,
        app.node.archive,
        app.node.clock,
        confirm_timeout=Milliseconds(TEN_MINUTES_MS),
        portal_runs=lambda: app.node.portal_runs,
        admins=lambda: app.node.admins,
    )


@pytest.fixture(params=["fake", "stored"])
async def office(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Office]:
    stores = [Store(tmp_path / "data" / "procomu.db")] if request.param == "stored" else []
    async with opened(tmp_path, stores) as made:
        yield made
    for store in stores:
        store.close()


@asynccontextmanager
async def opened(folder: Path, stores: list[Store], members: str = MEMBERS) -> AsyncIterator[Office]:
    fixture = AppFixture(folder=folder, rules_text=RULES, members=members)
    if stores:
        fixture.archive = StoredArchive(stores[0])  # type: ignore[assignment]
        fixture._memories = lambda: StoredRepository(stores[0], folder / "bookings")
    (folder / "data").mkdir(exist_ok=True)
    (folder / "rules.toml").write_text(RULES)
    (folder / "members.toml").write_text(members)
    files = RuleFiles(folder / "rules.toml", folder / "members.toml", folder / "data")
    async with fixture.life() as app:
        made = Office(app, adoption_of(app, files), files, stores)
        await made.restart()
        yield made


async def look(office: Office) -> None:
    await office.files.look(office.app.loop, office.adoption.record, BY_EDIT)


# --- trial ---


async def test_adopted_rules_are_in_force_at_once_while_the_file_has_those_from_before(
    office: Office,
) -> None:
    outcome = await office.adopt(FASTER)
    assert ("trial", 2) == (outcome.kind, outcome.number)
    assert (FASTER, RULES) == (office.in_force, office.in_file)
    assert (2, ANA, 600, 10) == (office.trial.number, office.trial.by, office.trial.seconds_left, 10)


async def test_rules_adopted_before_those_of_the_start_are_recorded_are_on_trial_all_the_same(
    tmp_path: Path,
) -> None:
    """The console answers before the files are watched."""
    async with opened(tmp_path, []) as office:
        office.app.node.archive.log.clear()
        office.adoption = adoption_of(office.app, office.files)
        assert 2 == (await office.adopt(FASTER)).number
        await office.adoption.record(office.files.confirmed(office.app.loop), BY_START)
        assert (FASTER, 2) == (office.in_force, office.trial.number)
        await office.wait(TEN_MINUTES_MS)
        assert (RULES, ("reverted", "time")) == (office.in_force, office.newest())


async def test_a_database_replaced_by_an_older_one_during_a_trial_does_not_make_it_endless(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path, []) as office:
        await office.adopt(SLOWER, is_trial=False)
        await office.adopt(FASTER)
        del office.app.node.archive.log[1:]
        await office.adoption._log.read()
        for _ in range(40):
            await office.wait(300)
        assert FASTER == office.in_force
        await office.wait(TEN_MINUTES_MS)
        for _ in range(40):
            await office.wait(300)
        assert (SLOWER, None, "active") == (office.in_force, office.adoption.trial(), office.newest()[0])


async def test_unconfirmed_rules_are_taken_back_after_600_seconds(office: Office) -> None:
    await office.adopt(FASTER)
    for _ in range(599):
        await office.wait(1_000)
    assert (FASTER, 1) == (office.in_force, office.trial.seconds_left)
    await office.wait(1_000)
    assert (RULES, RULES, None) == (office.in_force, office.in_file, office.adoption.trial())
    assert ("reverted", "time") == office.newest()


@pytest.mark.parametrize("year", [1970, 2099])
async def test_a_wrong_clock_changes_nothing_about_it(office: Office, year: int) -> None:
    await office.adopt(FASTER)
    office.app.node.clock.wall = datetime(year, 1, 1, tzinfo=UTC)
    await office.adoption.tick()
    assert FASTER == office.in_force
    await office.wait(TEN_MINUTES_MS)
    assert RULES == office.in_force


async def test_confirmed_rules_stay_in_force_and_are_in_the_file(office: Office) -> None:
    await office.adopt(FASTER)
    assert AdoptionOutcome("confirmed", 2) == await office.adoption.confirm("admin Ben")
    await office.wait(2 * TEN_MINUTES_MS)
    assert (FASTER, FASTER, None) == (office.in_force, office.in_file, office.adoption.trial())
    assert FASTER == (office.files.rules.parent / "data" / RULES_COPY).read_text()


async def test_confirming_again_is_harmless(office: Office) -> None:
    await office.adopt(FASTER)
    await office.adoption.confirm(ANA, 2)
    for number in (0, 2):
        assert AdoptionOutcome("same", 2) == await office.adoption.confirm(ANA, number)
    await office.adopt(SLOWER)
    assert AdoptionOutcome("same", 2) == await office.adoption.confirm(ANA, 2), "a form of before"
    assert 4 == office.trial.number


async def test_a_confirmation_that_comes_too_late_is_refused_and_says_so(office: Office) -> None:
    await office.adopt(FASTER)
    await office.wait(TEN_MINUTES_MS)
    for number in (0, 2):
        with pytest.raises(NothingToDo, match="no longer on trial"):
            await office.adoption.confirm(ANA, number)
    assert RULES == office.in_force


async def test_rules_with_errors_are_not_adopted(office: Office) -> None:
    outcome = await office.adopt("nonsense")
    assert outcome.is_refused
    assert (RULES, None, 1) == (office.in_force, office.adoption.trial(), len(office.adoption.versions()))


async def test_the_second_of_two_admins_sees_that_the_rules_have_changed(office: Office) -> None:
    mine = theirs = fingerprint(RULES)
    assert "trial" == (await office.adopt(FASTER, replacing=theirs)).kind
    refused = await office.adopt(SLOWER, replacing=mine)
    assert ["conflict"] == [finding.code for finding in refused.findings]
    assert "same" == (await office.adopt(FASTER, replacing=mine)).kind, "the second of two clicks"
    assert 2 == len(office.adoption.versions())


async def test_two_saves_at_once_are_one_after_the_other(office: Office) -> None:
    mark = fingerprint(RULES)
    async with asyncio.TaskGroup() as tasks:
        both = [tasks.create_task(office.adopt(text, replacing=mark)) for text in (FASTER, SLOWER)]
    assert ["trial", "refused"] == [task.result().kind for task in both]
    assert FASTER == office.in_force


async def test_rules_without_a_trial_are_in_force_and_in_the_file(office: Office) -> None:
    outcome = await office.adopt(FASTER, is_trial=False)
    assert ("confirmed", 2) == (outcome.kind, outcome.number)
    assert (FASTER, FASTER, None) == (office.in_force, office.in_file, office.adoption.trial())


async def test_members_who_join_during_a_trial_do_not_end_it(office: Office) -> None:
    await office.adopt(FASTER)
    office.files.members.write_text(MEMBERS + '[[account]]\nid = "pere"\n')
    await office.files.look(office.app.loop, office.adoption.record, "a test")
    assert (FASTER, RULES) == (office.in_force, office.in_file)
    assert "pere" in office.app.loop.member_directory.by_account
    await office.wait(TEN_MINUTES_MS)
    assert RULES == office.in_force
    assert "pere" in office.app.loop.member_directory.by_account


# --- the file edited by hand ---


async def test_an_edit_of_the_file_is_in_force_without_a_trial_and_ends_one(office: Office) -> None:
    await office.adopt(FASTER)
    office.files.rules.write_text(SLOWER)
    await office.files.look(office.app.loop, office.adoption.record, "an edit of the file")
    assert (SLOWER, None) == (office.in_force, office.adoption.trial())
    assert ("active", "") == office.newest()
    assert ("reverted", "newer") == (
        office.adoption.versions()[1].state,
        office.adoption.versions()[1].reason,
    )
    with pytest.raises(NothingToDo):
        await office.adoption.confirm(ANA, 2)
    await office.wait(TEN_MINUTES_MS)
    assert SLOWER == office.in_force


async def test_an_edit_that_nobody_has_seen_yet_is_not_overwritten_by_a_confirmation(office: Office) -> None:
    await office.adopt(FASTER)
    office.files.rules.write_text(SLOWER)
    with pytest.raises(NothingToDo):
        await office.adoption.confirm(ANA, 2)
    assert (SLOWER, SLOWER) == (office.in_force, office.in_file)


@pytest.mark.parametrize("waits", [False, True])
async def test_an_edit_while_rules_are_adopted_is_in_force_and_they_are_not(
    office: Office, waits: bool
) -> None:
    office.files.rules.write_text(SLOWER)
    if waits:  # the edit is in force and waits for its record, while the adoption has been checked
        archive, append = office.app.node.archive, office.app.node.archive.append

        async def appended(record: AdoptionRecord, events: Iterable[Event] = ()) -> AdoptionRecord:
            if record.kind == "adopted":
                looking.append(tasks.create_task(look(office)))
                while office.in_force != SLOWER:
                    await asyncio.sleep(0.01)
            return await append(record)

        archive.append = appended  # type: ignore[method-assign]
    looking: list[asyncio.Task[None]] = []
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(office.adopt(FASTER))
        if not waits:
            looking.append(tasks.create_task(look(office)))
    assert 1 == len(looking)
    assert (SLOWER, SLOWER, None) == (office.in_force, office.in_file, office.adoption.trial())
    assert "active" == next(each.state for each in office.adoption.versions() if each.by == BY_EDIT)


async def test_a_file_that_was_edited_and_not_yet_read_is_never_overwritten(office: Office) -> None:
    office.files.rules.write_text(SLOWER)
    with pytest.raises(NodeError, match="edited at the same time"):
        await office.adopt(FASTER, is_trial=False)
    assert (SLOWER, None) == (office.in_file, office.adoption.trial())
    await look(office)
    assert SLOWER == office.in_force


async def test_a_trial_whose_end_was_cancelled_is_ended_by_the_next_tick(office: Office) -> None:
    await office.adopt(FASTER)
    async with asyncio.TaskGroup() as tasks:
        ending = tasks.create_task(office.adoption.end(ANA, 2))
        while office.adoption.trial() is not None:
            await asyncio.sleep(0)
        ending.cancel()
    await office.adoption.tick()
    assert (RULES, None) == (office.in_force, office.adoption.trial())


async def test_a_file_that_is_edited_to_the_rules_on_trial_confirms_them(office: Office) -> None:
    await office.adopt(FASTER)
    office.files.rules.write_text(FASTER)
    await office.files.look(office.app.loop, office.adoption.record, "an edit of the file")
    assert (None, ("active", "")) == (office.adoption.trial(), office.newest())
    assert 2 == len(office.adoption.versions())


async def test_a_file_that_is_broken_during_a_trial_is_reported_and_the_trial_goes_on(office: Office) -> None:
    await office.adopt(FASTER)
    office.files.rules.write_text("nonsense")
    await office.files.look(office.app.loop, office.adoption.record, "an edit of the file")
    assert FASTER == office.in_force
    assert office.app.loop.active_ruleset.rejected
    await office.wait(TEN_MINUTES_MS)
    assert RULES == office.in_force
    assert office.app.loop.active_ruleset.rejected


async def test_an_edit_with_errors_is_kept_beside_the_file_when_a_trial_is_confirmed(office: Office) -> None:
    await office.adopt(FASTER)
    beside = office.files.rules.with_name(office.files.rules.name + REJECTED)
    office.files.rules.write_text("nonsense")
    await look(office)
    await office.adoption.confirm(ANA)
    assert (FASTER, "nonsense") == (office.in_file, beside.read_text())
    await office.adopt(SLOWER, is_trial=False)
    assert "nonsense" == beside.read_text(), "rules without errors are in the history"


async def test_a_part_that_watches_the_files_and_starts_again_leaves_a_trial_alone(office: Office) -> None:
    await office.adopt(FASTER)
    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(office.files.watch(office.app.loop, office.adoption.record))
        await asyncio.sleep(2.5 * rule_files.LOOK_EVERY_S)
        watching.cancel()
    assert (FASTER, 2) == (office.in_force, office.trial.number)


# --- restart, crash, power cut ---


async def test_after_a_crash_the_rules_from_before_the_trial_are_in_force(office: Office) -> None:
    await office.adopt(FASTER)
    await office.restart()
    assert (RULES, RULES, None) == (office.in_force, office.in_file, office.adoption.trial())
    assert ("reverted", "restart") == office.newest()
    await office.restart()
    assert 2 == len(office.adoption.versions()), "recorded once"


async def test_after_a_crash_while_confirming_the_file_decides(office: Office) -> None:
    await office.adopt(FASTER)
    office.files.rules.write_text(FASTER)  # and killed before the record was written
    await office.restart()
    assert (FASTER, None, ("active", "")) == (office.in_force, office.adoption.trial(), office.newest())


async def test_confirmed_rules_are_in_force_after_a_restart(office: Office) -> None:
    await office.adopt(FASTER)
    await office.adoption.confirm(ANA)
    await office.restart()
    assert (FASTER, 2) == (office.in_force, len(office.adoption.versions()))


async def test_rules_that_were_edited_while_the_node_was_stopped_are_recorded(office: Office) -> None:
    office.files.rules.write_text(SLOWER)
    await office.restart()
    newest = office.adoption.versions()[0]
    assert (SLOWER, BY_START, "active") == (office.in_force, newest.by, newest.state)


# --- sooner ---


async def test_rules_that_the_kernel_refuses_are_taken_back_at_once(office: Office) -> None:
    office.app.node.kernel.refusing = "no such class"
    with pytest.raises(KernelRefused):
        await office.adopt(FASTER)
    assert ("reverted", "kernel") == office.newest()
    office.app.node.kernel.refusing = ""
    await office.app.settle()
    assert (RULES, None) == (office.in_force, office.adoption.trial())


async def test_a_kernel_that_refuses_for_a_while_during_a_trial_ends_it(office: Office) -> None:
    await office.adopt(FASTER)
    await office.wait(60_000)
    office.app.loop.troubles.kernel = "no such class"
    await office.wait(1_000)
    assert FASTER == office.in_force
    await office.wait(FAILS_FOR)
    assert ("reverted", "kernel") == office.newest()


async def test_a_portal_that_stops_ends_the_trial_and_one_that_had_stopped_before_does_not(
    office: Office,
) -> None:
    office.app.node.portal_runs = False
    await office.adopt(FASTER)
    for _ in range(3):
        await office.wait(FAILS_FOR)
    assert FASTER == office.in_force
    await office.adoption.roll_back(ANA)
    office.app.node.portal_runs = True
    await office.adopt(FASTER)
    office.app.node.portal_runs = False
    for _ in range(2):
        await office.wait(FAILS_FOR)
    assert (RULES, ("reverted", "portal")) == (office.in_force, office.newest())
    ended = office.adoption.last_ended()
    assert "taken back: the portal stopped" == (ended and became(ended))


async def test_a_line_that_is_too_slow_for_the_lifelines_ends_the_trial(office: Office) -> None:
    await office.app.join(LAPTOP)
    await office.adopt(FASTER)
    office.app.loop.effective_policy.measured = Rates(BitsPerSecond(150_000), BitsPerSecond(60_000))
    await office.wait(1_000)
    assert FASTER == office.in_force
    await office.wait(FAILS_FOR)
    assert (RULES, ("reverted", "lifeline")) == (office.in_force, office.newest())


# --- rollback ---


async def test_a_rollback_ends_a_trial(office: Office) -> None:
    await office.adopt(FASTER)
    assert AdoptionOutcome("ended", 2) == await office.adoption.roll_back("admin Ben")
    assert (RULES, ("reverted", "admin")) == (office.in_force, office.newest())
    assert None is office.adoption.last_ended(), "the admins know"


async def test_a_trial_is_taken_back_once_however_often_and_however_late_that_is_asked(
    office: Office,
) -> None:
    await office.adopt(SLOWER, is_trial=False)
    await office.adopt(FASTER)
    trial = office.trial.number
    for _ in range(2):
        assert AdoptionOutcome("ended", trial) == await office.adoption.end(ANA, trial)
        assert (SLOWER, None) == (office.in_force, office.adoption.trial()), "and not those of before"
    await office.adopt(FASTER)
    confirmed = (await office.adoption.confirm(ANA)).number
    for number in (confirmed, 99):
        with pytest.raises(NothingToDo, match="no longer on trial"):
            await office.adoption.end("admin Ben", number)
    assert FASTER == office.in_force


async def test_a_schedule_is_withdrawn_once_and_never_by_the_form_of_another(office: Office) -> None:
    first = (await office.adopt(FASTER, due=MORNING)).number
    second = (await office.adopt(SLOWER, due=MORNING)).number
    assert AdoptionOutcome("withdrawn", first) == await office.adoption.end(ANA, first)
    assert second == getattr(office.adoption.waiting(), "number", 0)
    assert AdoptionOutcome("withdrawn", second) == await office.adoption.end(ANA, second)
    assert AdoptionOutcome("withdrawn", second) == await office.adoption.end(ANA, second)
    assert (None, RULES) == (office.adoption.waiting(), office.in_force)


async def test_a_schedule_is_withdrawn_during_a_trial_which_goes_on(office: Office) -> None:
    waits = (await office.adopt(SLOWER, due=MORNING)).number
    await office.adopt(FASTER)
    assert AdoptionOutcome("withdrawn", waits) == await office.adoption.end(ANA, waits)
    assert (FASTER, None) == (office.in_force, office.adoption.waiting())
    await office.adoption.confirm(ANA)
    assert (FASTER, 0) == (office.in_file, office.adoption.damaged)


async def test_a_rollback_without_a_trial_adopts_the_version_confirmed_before(office: Office) -> None:
    await office.adopt(FASTER, is_trial=False)
    outcome = await office.adoption.roll_back(ANA)
    assert ("trial", 4, RULES, FASTER) == (outcome.kind, outcome.number, office.in_force, office.in_file)
    assert 1 == office.adoption.versions()[0].put_back
    await office.adoption.confirm(ANA)
    assert RULES == office.in_file
    await office.adoption.roll_back(ANA)
    assert FASTER == office.in_force, "and that is taken back in the same way"


async def test_any_version_is_put_back_by_its_number(office: Office) -> None:
    for text in (FASTER, SLOWER):
        await office.adopt(text, is_trial=False)
    assert "trial" == (await office.adoption.roll_back(ANA, 1)).kind
    assert RULES == office.in_force
    assert "same" == (await office.adoption.roll_back(ANA, 1)).kind
    for number in (5, 99):
        with pytest.raises(NothingToDo, match=f"no version {number}"):
            await office.adoption.roll_back(ANA, number)


async def test_an_earlier_version_that_no_longer_fits_the_members_is_not_put_back(office: Office) -> None:
    for text in (TIGHT, FASTER):
        await office.adopt(text, is_trial=False)
    office.files.members.write_text(MEMBERS + '[[account]]\nid = "pere"\n')
    await office.files.look(office.app.loop, office.adoption.record, "a test")
    outcome = await office.adoption.roll_back(ANA, 2)
    assert "E04" in {finding.code for finding in outcome.findings if finding.is_error}
    assert (FASTER, None) == (office.in_force, office.adoption.trial())


async def test_without_earlier_rules_there_is_nothing_to_put_back(office: Office) -> None:
    with pytest.raises(NothingToDo, match="no earlier rules"):
        await office.adoption.roll_back(ANA)


# --- schedule ---

MORNING = "2026-12-01 06:00"


async def test_scheduled_rules_come_into_force_at_their_time_on_trial(office: Office) -> None:
    outcome = await office.adopt(FASTER, due=MORNING)
    assert ("scheduled", RULES, RULES) == (outcome.kind, office.in_force, office.in_file)
    waiting = office.adoption.waiting()
    assert (2, MORNING) == (waiting and waiting.number, waiting and waiting.due)
    office.app.node.clock.wall = datetime(2026, 12, 1, 5, 59, tzinfo=UTC)
    await office.adoption.tick()
    assert RULES == office.in_force
    office.app.node.clock.wall = datetime(2026, 12, 1, 6, 0, tzinfo=UTC)
    await office.adoption.tick()
    assert (FASTER, ANA, None) == (office.in_force, office.trial.by, office.adoption.waiting())
    await office.wait(TEN_MINUTES_MS)
    assert RULES == office.in_force


async def test_a_schedule_survives_a_restart_and_a_clock_that_is_not_known_or_wrong(office: Office) -> None:
    await office.adopt(FASTER, due=MORNING, is_trial=False)
    await office.restart()
    assert 2 == getattr(office.adoption.waiting(), "number", 0)
    for year in (1970, 2099):
        office.app.node.clock.wall = datetime(year, 1, 1, tzinfo=UTC)
        await office.adoption.tick()
        assert RULES == office.in_force
    office.app.node.clock.wall = datetime(2026, 12, 3, tzinfo=UTC)
    await office.adoption.tick()
    assert (FASTER, FASTER, None) == (office.in_force, office.in_file, office.adoption.waiting())


async def test_a_schedule_is_withdrawn_by_a_rollback_and_by_other_rules(office: Office) -> None:
    await office.adopt(FASTER, due=MORNING)
    assert AdoptionOutcome("withdrawn", 2) == await office.adoption.roll_back(ANA)
    assert ("withdrawn", "admin") == office.newest()
    await office.adopt(FASTER, due=MORNING)
    await office.adopt(SLOWER, is_trial=False)
    assert None is office.adoption.waiting()
    versions = {each.number: (each.state, each.reason) for each in office.adoption.versions()}
    assert ("withdrawn", "newer") in versions.values()


@pytest.mark.parametrize(
    "due", ["tomorrow", "2026-11-01 06:00", "2099-01-01 06:00", "2026-13-01 06:00", "2026-12-01", "9" * 400]
)
async def test_a_time_that_is_past_too_far_ahead_or_invalid_is_refused(office: Office, due: str) -> None:
    with pytest.raises(NodeError) as caught:
        await office.adopt(FASTER, due=due)
    assert caught.value.fix
    assert 1 == len(office.adoption.versions())


async def test_nothing_is_scheduled_while_the_clock_is_not_known(office: Office) -> None:
    office.app.node.clock.trust = "unknown"
    with pytest.raises(NodeError, match="does not know the time"):
        await office.adopt(FASTER, due=MORNING)


async def test_scheduled_rules_that_have_errors_when_their_time_comes_are_withdrawn(office: Office) -> None:
    await office.adopt(TIGHT, due=MORNING, is_trial=False)
    office.files.members.write_text(MEMBERS + '[[account]]\nid = "pere"\n')
    await office.files.look(office.app.loop, office.adoption.record, "a test")
    office.app.node.clock.wall = datetime(2026, 12, 1, 6, 0, tzinfo=UTC)
    await office.adoption.tick()
    assert (RULES, ("withdrawn", "invalid"), None) == (
        office.in_force,
        office.newest(),
        office.adoption.waiting(),
    )
    ended = office.adoption.last_ended()
    assert "withdrawn: it had errors when its time came" == (ended and became(ended))


# --- a full disk ---


async def test_without_room_for_the_record_nothing_is_adopted_and_the_reason_is_shown(office: Office) -> None:
    fill(office)
    for outcome in (await office.adopt(FASTER), await office.adoption.roll_back(ANA, 1)):
        assert (True, ["unstored"]) == (outcome.is_refused, [each.code for each in outcome.findings])
    assert (RULES, RULES, None) == (office.in_force, office.in_file, office.adoption.trial())


@pytest.fixture
async def full_office(tmp_path: Path) -> AsyncIterator[Office]:
    """Its database is in memory, so that it can be full and work again."""
    async with opened(tmp_path, []) as made:
        yield made


async def test_a_trial_ends_without_room_for_the_record_which_is_written_later(full_office: Office) -> None:
    office, repository = full_office, full_office.app.node.repository
    await office.adopt(FASTER)
    repository.full = True
    await office.wait(TEN_MINUTES_MS)
    assert (RULES, None) == (office.in_force, office.adoption.trial())
    repository.full = False
    await office.wait(1)
    assert ("reverted", "time") == office.newest()


async def test_a_confirmation_without_room_for_the_file_is_refused_and_the_trial_goes_on(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    await office.adopt(FASTER)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as filling:
        filling.setattr(rule_files, "replace_synced", full)
        with pytest.raises(NodeError, match="No space left"):
            await office.adoption.confirm(ANA)
        assert (FASTER, RULES, 2) == (office.in_force, office.in_file, office.trial.number)
    assert AdoptionOutcome("confirmed", 2) == await office.adoption.confirm(ANA)
    await office.adopt(SLOWER)
    await office.adoption.roll_back(ANA)
    monkeypatch.setattr(rule_files, "replace_synced", full)
    with pytest.raises(NodeError, match="No space left"):
        await office.adopt(SLOWER, is_trial=False)
    assert (FASTER, ("reverted", "file")) == (office.in_force, office.newest())


async def test_a_database_that_cannot_be_read_at_the_start_is_read_later(full_office: Office) -> None:
    office, repository = full_office, full_office.app.node.repository
    await office.adopt(FASTER)
    repository.full = True
    await office.restart()
    assert (RULES, ()) == (office.in_force, office.adoption.versions())
    assert (await office.adopt(FASTER)).is_refused
    repository.full = False
    for _ in range(20):
        await office.wait(300)
    assert ("reverted", "restart") == office.newest()


async def test_scheduled_rules_wait_for_a_database_that_can_be_written(
    full_office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    office, repository = full_office, full_office.app.node.repository
    await office.adopt(FASTER, due=MORNING)
    office.app.node.clock.wall = datetime(2026, 12, 1, 6, 0, tzinfo=UTC)
    repository.full = True
    for _ in range(5):
        await office.wait(300)
    assert (RULES, 1) == (office.in_force, caplog.text.count("the scheduled rules could not be adopted"))
    repository.full = False
    await office.wait(300)
    assert RULES == office.in_force, "they are not checked at every tick"
    for _ in range(BEGIN_AGAIN_TICKS):
        await office.wait(300)
    assert FASTER == office.in_force


async def test_an_edit_that_could_not_be_recorded_is_recorded_later(full_office: Office) -> None:
    office, repository = full_office, full_office.app.node.repository
    await office.adopt(FASTER)
    repository.full = True
    office.files.rules.write_text(SLOWER)
    await office.files.look(office.app.loop, office.adoption.record, "an edit of the file")
    assert SLOWER == office.in_force
    repository.full = False
    for _ in range(20):
        await office.wait(300)
    states = [(each.state, each.reason) for each in office.adoption.versions()]
    assert (None, [("active", ""), ("reverted", "newer"), ("superseded", "")]) == (
        office.adoption.trial(),
        states,
    )


async def test_a_database_that_was_replaced_by_an_older_one_gets_the_rules_in_force_again(
    office: Office,
) -> None:
    await office.adopt(FASTER, is_trial=False)
    if office.stores:
        await office.stores[0].run(lambda db: db.execute("DELETE FROM rule_versions WHERE number > 1"))
    else:
        del office.app.node.archive.log[1:]
    await office.adopt(SLOWER)
    await office.wait(TEN_MINUTES_MS)
    for _ in range(20):
        await office.wait(300)
    assert (FASTER, FASTER) == (office.in_force, office.in_file)
    newest = office.adoption.versions()[0]
    assert ("active", fingerprint(FASTER)) == (newest.state, newest.fingerprint)
    await office.restart()
    assert (0, newest.number) == (office.adoption.damaged, office.adoption.versions()[0].number)


async def test_versions_that_a_full_log_has_no_longer_are_forgotten_while_the_node_runs(
    tmp_path: Path,
) -> None:
    store = Store(tmp_path / "data" / "procomu.db")
    texts = ["first", "x" * TEXT_CHARS_MAX, *(f"text {number}" for number in range(FORGET_EVERY - 4))]

    def many(db: Connection) -> None:
        for text in texts:
            append_record(
                db, AdoptionRecord("edited", "2026-11-24T12:00", "a program", fingerprint(text), text)
            )

    try:
        await store.run(many)
        async with opened(tmp_path, [store]) as office:
            start = office.adoption.versions()[0].number
            assert FORGET_EVERY - 1 == start
            await office.adopt(FASTER, is_trial=False)
            kept = [each.number for each in office.adoption.versions()]
            assert list(range(start + 1, 2, -1)) == kept
            assert (start + 1, FASTER, 0) == (kept[0], office.in_force, office.adoption.damaged)
    finally:
        store.close()


async def test_a_damaged_log_is_reported_and_adoption_goes_on(office: Office) -> None:
    await office.adopt(FASTER, is_trial=False)
    if office.stores:
        await office.stores[0].run(
            lambda db: db.execute("UPDATE rule_versions SET by = 'Eva' WHERE number = 2")
        )
    else:
        office.app.node.archive.log[1] = office.app.node.archive.log[2]
    await office.restart()
    assert 2 == office.adoption.damaged
    await office.adopt(SLOWER)
    assert SLOWER == office.in_force


def fill(office: Office) -> None:
    if office.stores:
        office.stores[0].close()
    else:
        office.app.node.repository.full = True


# --- whatever the order ---


@pytest.mark.parametrize("seed", range(8))
async def test_after_anything_the_rules_in_force_are_those_of_the_file_or_on_a_trial_that_ends(
    full_office: Office, seed: int
) -> None:
    """The property of the state machine, for the service with its files: no trial lasts longer than its time."""
    office, archive, chance = full_office, full_office.app.node.archive, Random(seed)

    async def edit() -> None:
        office.files.rules.write_text(RULES + f"# edit {chance.random()}\n")
        await office.files.look(office.app.loop, office.adoption.record, "an edit of the file")

    async def lose_records() -> None:
        del archive.log[chance.randrange(len(archive.log) + 1) :]

    async def fill_disk() -> None:
        office.app.node.repository.full = not office.app.node.repository.full

    actions: list[Callable[[], Awaitable[object]]] = [
        lambda: office.adopt(RULES + f"# {chance.random()}\n"),
        lambda: office.adopt(RULES + f"# {chance.random()}\n", is_trial=False),
        lambda: office.adoption.confirm(ANA),
        lambda: office.adoption.roll_back(ANA),
        lambda: office.adoption.roll_back(ANA, chance.randrange(1, 12)),
        lambda: office.adoption.record(office.files.confirmed(office.app.loop), BY_START),
        lambda: office.wait(chance.randrange(400_000)),
        edit,
        lose_records,
        fill_disk,
        office.restart,
    ]
    for _ in range(40):
        with suppress(NodeError):
            await chance.choice(actions)()
        if office.files.is_on_trial:
            assert office.trial.seconds_left <= 600
        else:
            assert office.in_file == office.in_force
    await office.wait(TEN_MINUTES_MS)
    assert (office.in_file, None) == (office.in_force, office.adoption.trial())

"""Members object to rules that wait: the real service, with a fake and with a real database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from node.accounts.rule_objections import KEPT_DAYS, objections_needed
from node.app.adoption_messages import became
from node.app.rule_adoption import AGAIN_TICKS
from node.app.rule_files import BY_START
from node.control.active_ruleset import fingerprint
from node.errors import NodeError, StorageTrouble
from node.storage.database import Store
from node.units import AccountId
from tests.contracts.test_rule_adoption import ANA as ADMIN
from tests.contracts.test_rule_adoption import FASTER, MORNING, SLOWER, Office, look, opened
from tests.fakes.admin_pages import RULES

NAMES = ("ana", "ben", "cai", "dot", "eva", "fin", "gil", "hal")
ANA, BEN, CAI, DOT, *_ = EIGHT = [AccountId(name) for name in NAMES]
SIX = datetime(2026, 12, 1, 6, 0, tzinfo=UTC)


def roll(names: tuple[str, ...]) -> str:
    return "\n".join(f'[[account]]\nid = "{name}"' for name in names)


@pytest.fixture(params=["fake", "stored"])
async def office(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Office]:
    stores = [Store(tmp_path / "data" / "procomu.db")] if request.param == "stored" else []
    async with opened(tmp_path, stores, roll(NAMES)) as made:
        await made.adopt(FASTER, due=MORNING, is_trial=False)
        yield made
    for store in stores:
        store.close()


@pytest.fixture
async def full_office(tmp_path: Path) -> AsyncIterator[Office]:
    """Its database is in memory, so that it can be full and work again."""
    async with opened(tmp_path, [], roll(NAMES)) as made:
        await made.adopt(FASTER, due=MORNING, is_trial=False)
        yield made


async def write_roll(office: Office, names: tuple[str, ...]) -> None:
    office.files.members.write_text(roll(names))
    await look(office)


async def at(office: Office, when: datetime) -> None:
    office.app.node.clock.wall = when
    await office.adoption.tick()


def counts(office: Office) -> tuple[int, int, int]:
    waiting = office.adoption.waiting()
    assert waiting is not None
    return waiting.objections, waiting.objections_needed, waiting.accounts


async def test_a_fifth_of_the_members_withdraws_what_waits_and_the_log_says_so(office: Office) -> None:
    assert (0, 2, 8) == counts(office)
    assert "done" == await office.adoption.object(ANA, 2, "I work at night.")
    assert (1, 2, 8) == counts(office)
    assert "done" == await office.adoption.object(BEN, 2, "")
    assert (None, ("withdrawn", "objections")) == (office.adoption.waiting(), office.newest())
    newest = office.adoption.versions()[0]
    assert (2, 8) == (newest.objections, newest.accounts)
    assert "withdrawn: of 8 members, 2 objected" == became(newest)
    assert ("I work at night.",) == office.adoption.objection_texts()
    await at(office, SIX)
    assert RULES == office.in_force
    await office.restart()
    assert ("withdrawn", "objections", 2) == (*office.newest(), office.adoption.versions()[0].objections)


async def test_an_account_counts_once_and_can_take_its_objection_back(office: Office) -> None:
    for text in ("No.", "Really not."):
        assert "done" == await office.adoption.object(ANA, 2, text)
    assert ((1, 2, 8), ("Really not.",)) == (counts(office), office.adoption.objection_texts())
    for _ in range(2):
        assert "done" == await office.adoption.take_back_objection(ANA, 2)
    assert ((0, 2, 8), ()) == (counts(office), office.adoption.objection_texts())
    await office.adoption.object(BEN, 2, "")
    await at(office, SIX)
    assert FASTER == office.in_force, "one objection stops nothing"


@pytest.mark.parametrize("number", [1, 3, 99])
async def test_nobody_objects_to_a_version_that_does_not_wait(office: Office, number: int) -> None:
    assert "over" == await office.adoption.object(ANA, number, "")
    assert "over" == await office.adoption.take_back_objection(ANA, number)
    assert (0, 2, 8) == counts(office)


async def test_two_at_once_are_both_counted(office: Office) -> None:
    async with asyncio.TaskGroup() as tasks:
        told = [tasks.create_task(office.adoption.object(account, 2, "")) for account in EIGHT]
    assert ["done", "done", *["over"] * 6] == [each.result() for each in told]
    assert (("withdrawn", "objections"), 2) == (office.newest(), office.adoption.versions()[0].objections)


async def test_an_objection_at_the_moment_of_beginning_comes_before_or_after(office: Office) -> None:
    """A person who is told that the objection counts can rely on it; one who comes too late is told that."""
    await office.adoption.object(ANA, 2, "")
    office.app.node.clock.wall = SIX
    async with asyncio.TaskGroup() as tasks:
        beginning = tasks.create_task(office.adoption.tick())
        objecting = tasks.create_task(office.adoption.object(BEN, 2, ""))
    assert (None, FASTER, "over") == (beginning.result(), office.in_force, objecting.result())
    await office.adopt(SLOWER, due="2026-12-02 06:00", is_trial=False)
    number = office.adoption.versions()[0].number
    await office.adoption.object(ANA, number, "")
    office.app.node.clock.wall = SIX + timedelta(days=1)
    async with asyncio.TaskGroup() as tasks:
        objecting = tasks.create_task(office.adoption.object(BEN, number, ""))
        tasks.create_task(office.adoption.tick())
    assert ("done", FASTER, ("withdrawn", "objections")) == (
        objecting.result(),
        office.in_force,
        office.newest(),
    )


async def test_the_objection_of_somebody_who_left_does_not_count(office: Office) -> None:
    await office.adoption.object(ANA, 2, "")
    await write_roll(office, NAMES[1:])
    assert (0, 2, 7) == counts(office)
    await office.adoption.object(BEN, 2, "")
    await at(office, SIX)
    assert FASTER == office.in_force


async def test_a_smaller_roll_needs_fewer_objections(office: Office) -> None:
    await write_roll(office, (*NAMES, "ida", "jan", "kai"))
    for account in (ANA, BEN):
        await office.adoption.object(account, 2, "")
    assert (2, 3, 11) == counts(office)
    await write_roll(office, (*NAMES, "ida", "jan"))
    await office.adoption.tick()
    assert ("withdrawn", "objections") == office.newest()


async def test_objections_outlive_a_kill_and_count_before_anything_begins(tmp_path: Path) -> None:
    store = Store(tmp_path / "data" / "procomu.db")
    async with opened(tmp_path, [store], roll(NAMES)) as office:
        await office.adopt(FASTER, due=MORNING, is_trial=False)
        await office.adoption.object(ANA, 2, "I work at night.")
    async with opened(tmp_path, [store], roll(NAMES)) as office:
        assert ((1, 2, 8), ("I work at night.",)) == (counts(office), office.adoption.objection_texts())
        await office.adoption.object(BEN, 2, "")
        # The node stops before the withdrawal is in the log.
        await store.run(lambda db: db.execute("DELETE FROM rule_versions WHERE kind = 'withdrawn'").rowcount)
    async with opened(tmp_path, [store], roll(NAMES)) as office:
        assert (2, 2, 8) == counts(office)
        await at(office, SIX)
        assert (RULES, ("withdrawn", "objections")) == (office.in_force, office.newest())
    store.close()


async def test_nothing_begins_before_the_objections_are_known(
    full_office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = full_office

    async def not_yet(*_: object) -> None:
        """The node tries it with each booking, which may be now."""

    monkeypatch.setattr(office.app.loop.persistence, "recall", not_yet)
    monkeypatch.setattr(office.app.loop.persistence, "recalled", False)
    await at(office, SIX)
    assert RULES == office.in_force
    assert "unstored" == await office.adoption.object(ANA, 2, "")
    monkeypatch.undo()
    await at(office, SIX)
    assert FASTER == office.in_force


async def test_on_a_full_disk_nothing_is_told_that_is_not_stored(full_office: Office) -> None:
    office, repository = full_office, full_office.app.node.repository
    await office.adoption.object(ANA, 2, "Mine.")
    repository.full = True
    assert "unstored" == await office.adoption.object(BEN, 2, "")
    assert "unstored" == await office.adoption.take_back_objection(ANA, 2)
    assert (1, 2, 8) == counts(office)
    repository.full = False
    assert ("Mine.",) == office.adoption.objection_texts()
    assert "done" == await office.adoption.object(BEN, 2, "")
    assert ("withdrawn", "objections") == office.newest()


async def test_a_disk_that_fills_up_while_the_objection_is_stored_leaves_things_as_they_were(
    full_office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office, repository = full_office, full_office.app.node.repository
    await office.adoption.object(ANA, 2, "Mine.")

    async def full(*_: object, **__: object) -> None:
        raise StorageTrouble("the data folder is full", "make room")

    with monkeypatch.context() as filling:
        filling.setattr(repository, "save_sessions", full)
        assert "unstored" == await office.adoption.object(BEN, 2, "")
        assert "unstored" == await office.adoption.object(ANA, 2, "Other words.")
    assert ((1, 2, 8), ("Mine.",)) == (counts(office), office.adoption.objection_texts())
    await office.app.loop.remember(())
    assert [(ANA, "Mine.")] == [
        (each.account, each.text) for each in repository.registry.kept.rule_objections
    ]


async def test_a_withdrawal_that_could_not_be_logged_is_logged_later(
    full_office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office, archive = full_office, full_office.app.node.archive

    async def full(*_: object) -> None:
        raise StorageTrouble("the data folder is full", "make room")

    await office.adoption.object(ANA, 2, "")
    with monkeypatch.context() as filling:
        filling.setattr(archive, "append", full)
        assert "done" == await office.adoption.object(BEN, 2, "")
        assert None is office.adoption.waiting()
    await at(office, SIX)
    assert (RULES, ("withdrawn", "objections")) == (office.in_force, office.newest())


async def test_objections_count_while_the_node_does_not_know_the_time(office: Office) -> None:
    office.app.node.clock.trust = "unknown"
    for account in (ANA, BEN):
        assert "done" == await office.adoption.object(account, 2, "")
    assert ("withdrawn", "objections") == office.newest()


async def test_a_trial_goes_on_when_what_waits_is_withdrawn(office: Office) -> None:
    await office.adopt(SLOWER)
    for account in (ANA, BEN):
        await office.adoption.object(account, 2, "")
    assert (SLOWER, 3, None) == (office.in_force, office.trial.number, office.adoption.waiting())


async def test_objections_go_with_their_version(office: Office) -> None:
    registry = office.app.loop.registry.rule_objections
    await office.adoption.object(ANA, 2, "Mine.")
    await office.adoption.end(ADMIN, 2)
    await forgetting(office)
    assert () == registry.all()
    await office.adopt(FASTER, due=MORNING, is_trial=False)
    assert (0, 2, 8) == counts(office), "the same rules again are another version"
    number = office.adoption.versions()[0].number
    await office.adoption.object(ANA, number, "Again.")
    await at(office, SIX)
    await forgetting(office)
    assert (FASTER, ()) == (office.in_force, registry.all())


async def test_what_stopped_a_version_can_be_read_for_thirty_days(office: Office) -> None:
    for account in (ANA, BEN):
        await office.adoption.object(account, 2, f"{account}'s reason")
    registry, clock = office.app.loop.registry.rule_objections, office.app.node.clock
    clock.wall += timedelta(days=KEPT_DAYS)
    await forgetting(office)
    assert 2 == len(registry.all()) == len(office.adoption.objection_texts())
    clock.wall += timedelta(days=1)
    clock.trust = "unknown"
    await forgetting(office)
    assert 2 == len(registry.all()), "a clock that is not known deletes nothing"
    clock.trust = "synced"
    await forgetting(office)
    assert () == registry.all() == office.adoption.objection_texts()
    assert (2, 8) == (office.adoption.versions()[0].objections, office.adoption.versions()[0].accounts)


async def forgetting(office: Office) -> None:
    for _ in range(AGAIN_TICKS):
        await office.adoption.tick()


async def test_the_start_of_the_node_does_not_forget_objections(office: Office) -> None:
    await office.adoption.object(ANA, 2, "Mine.")
    await office.restart()
    await office.adoption.record(office.app.loop.active_ruleset, BY_START)
    await forgetting(office)
    assert (1, 2, 8) == counts(office)


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_the_order_rules_that_were_stopped_are_never_in_force_and_what_is_told_is_stored(
    full_office: Office, seed: int
) -> None:
    office, repository, chance = full_office, full_office.app.node.repository, Random(seed)
    stopped: set[str] = set()

    async def schedule() -> None:
        at = office.app.node.clock.wall + timedelta(hours=chance.randrange(1, 5))
        await office.adopt(RULES + f"# {chance.random()}\n", due=f"{at:%Y-%m-%d %H:%M}", is_trial=False)

    async def object_() -> None:
        account, number = chance.choice(EIGHT), office.adoption.waiting_number
        told = await office.adoption.object(account, number, "Words.")
        stored = {(each.account, each.version) for each in repository.registry.kept.rule_objections}
        assert (told == "done") <= ((account, number) in stored)
        assert (told == "over") == (not number)

    async def take_back() -> None:
        account, number = chance.choice(EIGHT), office.adoption.waiting_number
        if "done" == await office.adoption.take_back_objection(account, number):
            stored = {(each.account, each.version) for each in repository.registry.kept.rule_objections}
            assert (account, number) not in stored

    async def change_roll() -> None:
        await write_roll(office, tuple(chance.sample(NAMES, chance.randrange(1, 9))))

    async def fill_disk() -> None:
        repository.full = not repository.full

    actions = [schedule, schedule, object_, object_, object_, object_, take_back, change_roll, fill_disk]
    actions += [lambda: office.wait(chance.randrange(7_200_000)), office.restart]
    for _ in range(60):
        with suppress(NodeError):
            await chance.choice(actions)()
        await office.adoption.tick()
        waiting = office.adoption.waiting()
        if waiting is not None and not repository.full:
            assert waiting.objections < waiting.objections_needed
        for version in office.adoption.versions():
            if version.reason == "objections":
                assert version.objections >= objections_needed(version.accounts)
                stopped.add(version.fingerprint)
        assert fingerprint(office.in_force) not in stopped
    repository.full = False
    for _ in range(AGAIN_TICKS + 1):
        await office.adoption.tick()
    assert fingerprint(office.in_force) not in stopped


@pytest.mark.parametrize("text", [FASTER, "# For another day.\n" + FASTER])
async def test_objections_stay_when_the_same_rules_are_scheduled_for_another_time(
    office: Office, text: str
) -> None:
    await office.adoption.object(ANA, 2, "Mine.")
    for due in ("2026-12-01 07:00", "2026-12-01 08:00"):
        await office.adopt(text, due=due, is_trial=False)
        await forgetting(office)
        assert (1, 2, 8) == counts(office)
    await office.adoption.take_back_objection(ANA, office.adoption.waiting_number)
    assert (0, 2, 8) == counts(office)
    await office.adoption.object(ANA, office.adoption.waiting_number, "Still.")
    await office.adopt(SLOWER, due=MORNING, is_trial=False)
    assert (0, 2, 8) == counts(office), "other rules"

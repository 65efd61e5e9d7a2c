"""Failures at the worst moments: no stored or confirmed change is lost, and nothing is invented."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from node.accounts.auth_result import Rejected
from node.accounts.changes import Batch, Forgotten
from node.accounts.device_bindings import DEVICES_BOUND_MAX
from node.accounts.voucher_store import IssueResult
from node.app.views import Admitted, CodeTyped, Full, PassphraseTyped, Refused, TermsAccepted
from node.control.active_ruleset import load_active_ruleset
from node.control.persistence import FORGET_EVERY_MS
from node.control.ports import StoredState
from node.errors import StorageTrouble
from node.governance.members import MemberDirectory, parse_members
from node.governance.rules import ActiveRuleset
from node.storage.database import Store
from node.storage.repository import StoredRepository
from node.units import AccountId, Bytes, MacAddress, Milliseconds
from tests.contracts.test_account_service import WORDS, account, comes_in, give_passphrase, is_refused
from tests.fakes.reconciler_fixture import until
from tests.fakes.registry_repository import FakeRegistryRepository
from tests.fakes.repository import FakeRepository
from tests.fakes.use_cases import (
    ANA,
    BEN,
    CAI,
    DAY_MS,
    HOUR_MS,
    LISTED,
    MEMBERS,
    RULES,
    AppFixture,
)


class Unreadable(FakeRepository):
    """Accepts writes and refuses reads while `silent`."""

    def __init__(self) -> None:
        super().__init__()
        self.silent = self.lost_batches = False

    async def recall(self, buckets_since: str = "") -> StoredState:
        if self.silent:
            raise StorageTrouble("the data folder has not answered", "wait")
        whole = await super().recall(buckets_since)
        return replace(whole, registry=replace(whole.registry, batches=())) if self.lost_batches else whole


@pytest.fixture
def repository() -> Unreadable:
    return Unreadable()


@pytest.fixture
def street(repository: Unreadable, tmp_path: Path) -> AppFixture:
    return AppFixture(lambda: repository, tmp_path)


def member_directory_of(text: str) -> MemberDirectory:
    member_directory, findings = parse_members(text)
    assert member_directory is not None, findings
    return member_directory


def rules_with(joining: str) -> ActiveRuleset:
    book = load_active_ruleset(RULES + joining, member_directory_of(MEMBERS))
    assert isinstance(book, ActiveRuleset), book
    return book


# --- a database that cannot be read at the start -----------------------------------------


async def test_a_blocked_device_is_blocked_again_as_soon_as_the_database_can_be_read(
    street: AppFixture, repository: Unreadable
) -> None:
    async with street.life() as app:
        await comes_in(app, ANA, TermsAccepted())
        await app.loop.block(ANA, "spam")
    repository.silent = True
    street.power_cut()
    async with street.life() as app:
        await comes_in(app, ANA, TermsAccepted())
        await comes_in(app, BEN, TermsAccepted())
        assert "removed" == repository.sessions[ANA].session.state, (
            "nothing is written over before it is read"
        )
        repository.silent = False
        await until(lambda: app.loop.persistence.recalled)
        await until(lambda: not street.kernel.send(ANA, up=1))
        assert "spam" == app.portal.guest(ANA).removed_because
        assert street.kernel.send(BEN, up=1)
    async with street.life() as app:
        assert "removed" == await is_refused(app, ANA, TermsAccepted())


async def test_nobody_stays_longer_than_their_voucher_because_the_database_could_not_be_read(
    street: AppFixture, repository: Unreadable
) -> None:
    async with street.life() as app:
        (code,) = await app.codes(lasts_ms=HOUR_MS)
        voucher = await comes_in(app, ANA, CodeTyped(code))
    repository.silent = True
    async with street.life() as app:
        await comes_in(app, ANA, TermsAccepted())
        repository.silent = False
        await until(lambda: voucher == account(app, ANA))
        assert 3_600 == app.portal.guest(ANA).seconds_left


async def test_an_erasure_before_the_database_could_be_read_is_carried_out(
    street: AppFixture, repository: Unreadable
) -> None:
    async with street.life() as app:
        (code,) = await app.codes()
        await comes_in(app, ANA, CodeTyped(code))
    repository.silent = True
    async with street.life() as app:
        await app.portal.erase(ANA)
        repository.silent = False
        await until(lambda: app.loop.persistence.recalled)
        await app.loop.persistence.save()
        assert not street.kernel.send(ANA, up=1)
        assert app.loop.registry.bindings.get(ANA) is None
    assert () == repository.registry.kept.bindings
    assert ANA not in repository.sessions


async def test_usage_of_a_guest_while_nothing_could_be_read_is_booked_to_nobody_else(
    street: AppFixture, repository: Unreadable
) -> None:
    async with street.life() as app:
        (code,) = await app.codes()
        voucher = await comes_in(app, ANA, CodeTyped(code))
    repository.full = True
    street.power_cut()
    async with street.life(killed=True) as app:
        await comes_in(app, BEN, TermsAccepted())
    assert street.kernel.send(BEN, down=500)
    async with street.life() as app:
        repository.full = False
        await until(lambda: app.loop.persistence.recalled)
        assert 0 == app.loop.ledger.total(voucher, "2026-11").uplink.total
        await until(lambda: Bytes(500) == app.portal.guest(BEN).used.total)


async def test_text_that_the_database_cannot_store_does_not_stop_others_from_being_stored(
    tmp_path: Path,
) -> None:
    half = "l\udce9gende"
    store = Store(tmp_path / "procomu.db")
    street = AppFixture(lambda: StoredRepository(store), tmp_path)
    try:
        async with street.life() as app:
            wish = Batch(0, "day-pass", Milliseconds(DAY_MS), 0, "", "admin", half)
            issued = app.loop.registry.vouchers.issue(wish, 1, app.loop.today())
            assert isinstance(issued, IssueResult)
            await app.loop.remember(issued.changes)
            await comes_in(app, ANA, TermsAccepted())
            await app.loop.block(ANA, half)
            remembered = await StoredRepository(store).recall()
        assert ["removed"] == [each.session.state for each in remembered.sessions]
        (batch,) = remembered.registry.batches
        assert batch.note.startswith("l")
        assert batch.note.endswith("gende")
    finally:
        store.close()


async def test_a_block_is_remembered_also_when_the_device_is_erased_before_the_database_was_read(
    street: AppFixture, repository: Unreadable
) -> None:
    async with street.life() as app:
        await app.loop.block(ANA, "spam")
    repository.silent = True
    async with street.life() as app:
        await app.portal.erase(ANA)
        repository.silent = False
        await until(lambda: app.loop.persistence.recalled)
        assert "removed" == await is_refused(app, ANA, TermsAccepted())
    street.power_cut()
    async with street.life() as app:
        assert "removed" == await is_refused(app, ANA, TermsAccepted())


# --- simultaneous devices ---------------------------------------------------------------


async def test_a_guest_who_found_the_voucher_full_is_not_moved_into_it_by_others(
    street: AppFixture,
) -> None:
    async with street.life() as app:
        (code,) = await app.codes(devices_max=1)
        voucher = await comes_in(app, ANA, CodeTyped(code))
        await comes_in(app, BEN, TermsAccepted())
        assert isinstance(await app.portal.admit(BEN, CodeTyped(code), "1"), Full)
        await app.loop.adopt(street.book, member_directory_of(MEMBERS + '[[account]]\nid = "new"\n'))
        assert (ANA,) == app.loop.session_table.admitted_of(voucher)
        assert street.kernel.send(BEN, up=1), "they are still the guest that they were"
    async with street.life() as app:
        assert (ANA,) == app.loop.session_table.admitted_of(voucher)
        await app.portal.leave(ANA)
        assert voucher == await comes_in(app, BEN, TermsAccepted())


async def test_a_device_that_finds_a_second_voucher_full_stays_in_the_first(
    street: AppFixture,
) -> None:
    async with street.life() as app:
        own, full = await app.codes(2, devices_max=1)
        first = await comes_in(app, ANA, CodeTyped(own))
        other = await comes_in(app, BEN, CodeTyped(full))
        assert isinstance(await app.portal.admit(ANA, CodeTyped(full), "1"), Full)
        await app.loop.adopt(street.book, member_directory_of(MEMBERS + '[[account]]\nid = "new"\n'))
        assert street.kernel.send(ANA, up=1)
        await app.portal.leave(ANA)
        assert first == await comes_in(app, ANA, TermsAccepted())
        # The person changes the choice, without entering the code again.
        came = await app.portal.admit(ANA, TermsAccepted(), "1", instead_of=BEN)
        assert isinstance(came, Admitted)
        assert first == account(app, ANA), "whoever came in has chosen"
        assert isinstance(await app.portal.admit(ANA, CodeTyped(full), "1"), Full)
        assert isinstance(await app.portal.admit(ANA, CodeTyped(full), "1", instead_of=BEN), Admitted)
        assert other == account(app, ANA)
        assert not street.kernel.send(BEN, up=1)
    street.power_cut()
    async with street.life() as app:
        assert other == account(app, ANA)


async def test_a_device_evicted_from_a_full_account_is_no_longer_counted_there(
    street: AppFixture,
) -> None:
    async with street.life() as app:
        (code,) = await app.codes()
        voucher = await comes_in(app, ANA, CodeTyped(code))
        for number in range(DEVICES_BOUND_MAX):
            mac = MacAddress(f"02:00:00:00:02:{number:02x}")
            assert voucher == await comes_in(app, mac, CodeTyped(code))
        assert AccountId("guest-0a") == account(app, ANA)
        assert DEVICES_BOUND_MAX == len(app.loop.session_table.admitted_of(voucher))


# --- erasing -----------------------------------------------------------------------------


async def test_an_erased_person_who_rejoins_while_the_disk_is_full_enters_no_code_twice(
    street: AppFixture, repository: Unreadable
) -> None:
    async with street.life(killed=True) as app:
        (code,) = await app.codes()
        await comes_in(app, ANA, TermsAccepted())
        repository.full = True
        await app.portal.erase(ANA)
        voucher = await comes_in(app, ANA, CodeTyped(code))
        repository.full = False
        await app.loop.persistence.save()
    street.power_cut()
    async with street.life() as app:
        assert street.kernel.send(ANA, up=1)
        assert voucher == account(app, ANA)


async def test_joining_again_during_an_erasure_succeeds_without_an_error(
    street: AppFixture,
) -> None:
    async with street.life() as app:
        await comes_in(app, ANA, TermsAccepted())
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(app.portal.erase(ANA))
            await asyncio.sleep(0)
            await comes_in(app, ANA, TermsAccepted())
        assert street.kernel.send(ANA, up=1)
    async with street.life() as app:
        assert street.kernel.send(ANA, up=1)


async def test_usage_of_a_month_that_was_erased_does_not_come_back(
    street: AppFixture, repository: Unreadable
) -> None:
    async with street.life() as app:
        await comes_in(app, ANA, TermsAccepted())
        repository.full = True
        street.kernel.send(ANA, down=100)
        await until(lambda: Bytes(100) == app.portal.guest(ANA).used.total)
        street.clock.wall += timedelta(days=10)  # the month ends before the disk can be written again
        await app.portal.erase(ANA)
        repository.full = False
        await until(lambda: not app.loop.troubles.storage)
    assert [] == [key for key in repository.rows if key.day < "2026-12-01"]


# --- retention ---------------------------------------------------------------------------


async def test_a_voucher_in_use_is_not_deleted_because_the_clock_was_wrong_when_it_began(
    tmp_path: Path,
) -> None:
    stores: list[Store] = []

    def reopen() -> StoredRepository:
        for store in stores:
            store.close()
        stores.append(Store(tmp_path / "procomu.db"))
        return StoredRepository(stores[-1])

    street = AppFixture(reopen, tmp_path)
    street.clock.wall -= timedelta(days=300)
    try:
        async with street.life() as app:
            (code,) = await app.codes(lasts_ms=30 * DAY_MS)
            voucher = await comes_in(app, ANA, CodeTyped(code))
            street.clock.wall += timedelta(days=300)
            await app.loop.persistence.forget(street.clock.now)
            street.pass_time(FORGET_EVERY_MS)
            await app.loop.persistence.forget(street.clock.now)
            assert voucher == await comes_in(app, ANA, CodeTyped(code))
        street.power_cut()
        async with street.life() as app:
            assert voucher == await comes_in(app, ANA, CodeTyped(code))
            left = app.portal.guest(ANA).seconds_left
            assert left is not None
            assert left > 29 * 86_400 - 60
    finally:
        for store in stores:
            store.close()


async def test_a_voucher_whose_batch_is_lost_admits_nobody_and_stops_nobody_else(
    street: AppFixture, repository: Unreadable
) -> None:
    async with street.life() as app:
        (code,) = await app.codes()
        await comes_in(app, ANA, CodeTyped(code))
    repository.lost_batches = True
    street.power_cut()
    async with street.life() as app:
        assert "code-unknown" == await is_refused(app, ANA, CodeTyped(code))
        await comes_in(app, BEN, TermsAccepted())


async def test_a_voucher_whose_write_was_undone_unnoticed_is_worth_what_the_node_said(
    street: AppFixture, repository: Unreadable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk answers too late: the batch was rolled back, and the node does not know."""

    async def forget_unheard(**_days: str) -> Forgotten:
        repository.registry = FakeRegistryRepository()
        raise StorageTrouble("the data folder has not answered", "wait")

    async with street.life() as app:
        (code,) = await app.codes()
        with monkeypatch.context() as slow:
            slow.setattr(repository, "forget", forget_unheard)
            await app.loop.persistence.forget(street.clock.now)
            street.pass_time(FORGET_EVERY_MS)
            await app.loop.persistence.forget(street.clock.now)
        assert () == repository.registry.kept.vouchers
        voucher = await comes_in(app, ANA, CodeTyped(code))
        await until(lambda: not app.loop.persistence.is_due(street.clock.now, DAY_MS))
    street.power_cut()
    async with street.life() as app:
        assert voucher == account(app, ANA)


# --- clocks ------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [timedelta(days=-200), timedelta(days=3_650)])
async def test_a_clock_correction_neither_shortens_nor_lengthens_a_voucher(
    street: AppFixture, wrong: timedelta
) -> None:
    street.clock.wall += wrong
    async with street.life() as app:
        (code,) = await app.codes(lasts_ms=10 * DAY_MS)
        await comes_in(app, ANA, CodeTyped(code))
        street.clock.wall -= wrong
        street.pass_time(56_000)
        await app.loop.persistence.flush(street.clock.now)
    street.power_cut(off_ms=5 * DAY_MS)
    async with street.life() as app:
        await comes_in(app, ANA, CodeTyped(code))
        left = app.portal.guest(ANA).seconds_left
        assert left is not None
        assert 5 * 86_400 - 120 < left <= 5 * 86_400


@pytest.mark.parametrize("half", ["save_sessions", "book"])
async def test_a_partly_stored_boot_neither_adds_nor_removes_voucher_time(
    street: AppFixture, repository: Unreadable, monkeypatch: pytest.MonkeyPatch, half: str
) -> None:
    async def fails(*_args: object) -> None:
        raise StorageTrouble("the data folder is full", "make room")

    street.clock.trust = "unknown"
    async with street.life() as app:
        (code,) = await app.codes()
        await comes_in(app, ANA, CodeTyped(code))
        street.pass_time(20 * HOUR_MS)
        assert await app.loop.persistence.flush(street.clock.now)
    street.power_cut()
    with monkeypatch.context() as broken:
        broken.setattr(repository, half, fails)
        async with street.life() as app:
            street.pass_time(1_000)
            await app.loop.persistence.flush(street.clock.now)
    street.power_cut()
    async with street.life() as app:
        await comes_in(app, ANA, CodeTyped(code))
        left = app.portal.guest(ANA).seconds_left
        assert left is not None
        assert 4 * 3_600 - 10 < left <= 4 * 3_600


# --- changes during a request -----------------------------------------------------------


async def test_a_join_method_closed_while_a_passphrase_is_checked_admits_nobody(
    street: AppFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with street.life() as app:
        await give_passphrase(app)
        question = app.loop.registry.passphrase_question
        closed = rules_with('[joining]\nways = ["terms"]\nby = "D-1"\n')

        def closes_behind(*args: object) -> object:
            asked = question(*args)  # type: ignore[arg-type]
            app.loop.effective_policy.adopt(closed, street.member_directory)
            app.loop.effective_policy.evaluate_all()
            return asked

        monkeypatch.setattr(app.loop.registry, "passphrase_question", closes_behind)
        assert "way-closed" == await is_refused(app, ANA, PassphraseTyped("ana", WORDS))


async def test_a_sponsors_approval_admits_nobody_once_the_community_closed_that_method(
    street: AppFixture,
) -> None:
    street.book = rules_with('[joining]\nways = ["introduction", "passphrase"]\nby = "D-1"\n')
    async with street.life() as app:
        await comes_in(app, LISTED, TermsAccepted())
        assert await app.portal.ask(ANA, "Ana Puig", "Zoe", "1") is None
        (request,) = app.portal.guest(LISTED).requests
        await app.loop.adopt(
            rules_with('[joining]\nways = ["passphrase"]\nby = "D-1"\n'), street.member_directory
        )
        refused = await app.portal.answer(LISTED, request.number, yes=True)
        assert isinstance(refused, Refused)
        assert "way-closed" == refused.reason
        assert not street.kernel.send(ANA, up=1)


async def test_a_guest_who_enters_a_code_while_a_member_approves_keeps_the_voucher(
    street: AppFixture,
) -> None:
    async with street.life() as app:
        await comes_in(app, LISTED, TermsAccepted())
        (code,) = await app.codes()
        assert await app.portal.ask(CAI, "Ana Puig", "Zoe", "1") is None
        (request,) = app.portal.guest(LISTED).requests
        async with asyncio.TaskGroup() as tasks:
            entering = tasks.create_task(app.portal.admit(CAI, CodeTyped(code), "1"))
            await asyncio.sleep(0)
            await app.portal.answer(LISTED, request.number, yes=True)
        assert isinstance(entering.result(), Admitted)
        found = account(app, CAI)
        assert found is not None
        assert found.startswith("voucher-")


async def test_a_former_member_gets_no_passphrase(street: AppFixture) -> None:
    async with street.life() as app:
        await comes_in(app, LISTED, TermsAccepted())
        async with asyncio.TaskGroup() as tasks:
            setting = tasks.create_task(app.portal.set_passphrase(LISTED, WORDS))
            await asyncio.sleep(0)
            await app.loop.adopt(street.book, member_directory_of('[[account]]\nid = "carme"\n'))
        assert isinstance(setting.result(), Refused)
        assert isinstance(app.loop.registry.set_passphrase(AccountId("ana"), "x"), Rejected)
        assert not app.loop.registry.has_passphrase(AccountId("ana"))


async def test_fifty_simultaneous_uses_start_a_voucher_once_and_respect_its_device_limit(
    street: AppFixture,
) -> None:
    async with street.life() as app:
        (code,) = await app.codes(devices_max=3)
        macs = [MacAddress(f"02:00:00:00:03:{number:02x}") for number in range(50)]
        async with asyncio.TaskGroup() as tasks:
            coming = [tasks.create_task(app.portal.admit(mac, CodeTyped(code), "1")) for mac in macs]
        answers = [each.result() for each in coming]
        assert 3 == sum(isinstance(each, Admitted) for each in answers)
        assert 47 == sum(isinstance(each, Full) for each in answers)
        assert 3 == sum(street.kernel.send(mac, up=1) for mac in macs)


async def test_codes_are_not_shown_while_their_write_waits_even_if_another_write_succeeded(
    street: AppFixture, repository: Unreadable
) -> None:
    async with street.life() as app:
        repository.full = True
        issued = app.issue()
        await app.loop.remember(issued.changes)
        app.loop.troubles.storage = ""  # the next write was another one, and succeeded
        assert app.loop.persistence.why_unstored(issued.changes)
        repository.full = False
        await app.loop.remember(())
        assert not app.loop.persistence.why_unstored(issued.changes)


async def test_a_passphrase_that_cannot_be_stored_is_refused_and_the_old_one_counts(
    street: AppFixture, repository: Unreadable
) -> None:
    other = "another one, long enough"
    async with street.life(killed=True) as app:
        await give_passphrase(app)
        repository.full = True
        assert Refused("memory") == await app.portal.set_passphrase(LISTED, other, WORDS)
        assert "passphrase-wrong" == await is_refused(app, ANA, PassphraseTyped("ana", other))
        await comes_in(app, ANA, PassphraseTyped("ana", WORDS))
        repository.full = False
        assert await app.portal.set_passphrase(LISTED, other, WORDS) is None
    street.power_cut()
    async with street.life() as app:
        assert "passphrase-wrong" == await is_refused(app, BEN, PassphraseTyped("ana", WORDS))
        await comes_in(app, BEN, PassphraseTyped("ana", other))


async def test_an_objection_that_cannot_be_stored_is_refused_and_can_be_sent_again(
    street: AppFixture, repository: Unreadable
) -> None:
    async with street.life(killed=True) as app:
        await comes_in(app, ANA, TermsAccepted())
        repository.full = True
        assert Refused("memory") == await app.portal.add_objection(ANA, "day-pass", "Why so slow?")
        assert () == app.portal.guest(ANA).objections
        repository.full = False
        assert await app.portal.add_objection(ANA, "day-pass", "Why so slow?") is None
    street.power_cut()
    async with street.life() as app:
        assert ["Why so slow?"] == [each.text for each in app.portal.guest(ANA).objections]


async def test_a_disk_that_stores_one_row_and_then_fails_is_reported_as_full(
    street: AppFixture, repository: Unreadable, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_sessions: object) -> None:
        raise StorageTrouble("the data folder is full", "make room")

    async with street.life() as app:
        await comes_in(app, ANA, TermsAccepted())
        with monkeypatch.context() as filling:
            filling.setattr(repository, "save_sessions", refuse)
            assert Refused("memory") == await app.portal.add_objection(ANA, "day-pass", "Why so slow?")


async def test_the_message_about_a_full_disk_names_no_file(
    street: AppFixture, repository: Unreadable, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(_booking: object) -> None:
        raise StorageTrouble("/var/lib/procomu/procomu.db cannot be written", "make room")

    async with street.life() as app:
        await comes_in(app, ANA, TermsAccepted())
        monkeypatch.setattr(repository, "book", refuse)
        refused = await app.portal.add_objection(ANA, "day-pass", "Why so slow?")
        assert Refused("memory") == refused
        assert "/var/lib/procomu" in app.loop.troubles.storage, "admins are told"
        monkeypatch.undo()


# --- a database that is replaced under the running node ---------------------------------


async def test_a_new_database_holds_everything_within_seconds(tmp_path: Path) -> None:
    store = Store(tmp_path / "procomu.db")
    street = AppFixture(lambda: StoredRepository(store), tmp_path)
    try:
        async with street.life() as app:
            (code,) = await app.codes()
            await comes_in(app, ANA, CodeTyped(code))
            await until(lambda: app.loop.persistence.baseline is not None)
            await app.loop.persistence.flush(street.clock.now)
            for file in tmp_path.glob("procomu.db*"):
                file.unlink()
            await comes_in(app, BEN, TermsAccepted())
            await until(lambda: not app.loop.persistence.is_due(street.clock.now, 55_000))
            kept = (await StoredRepository(store).recall()).registry
            assert 1 == len(kept.vouchers)
            assert {ANA} == {each.mac for each in kept.bindings}
    finally:
        store.close()

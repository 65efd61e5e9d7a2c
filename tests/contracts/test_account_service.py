"""Joining by every method: the real application behind the portal, with both repositories."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from node.accounts.cards import SHOWN_FOR
from node.accounts.changes import Change
from node.accounts.notices import Notice, NoticeText
from node.accounts.sponsorship import REQUEST_LIFETIME
from node.app.views import (
    Admitted,
    CardShown,
    CodeTyped,
    Entry,
    Full,
    Outage,
    PassphraseTyped,
    Refused,
    TermsAccepted,
)
from node.control.active_ruleset import load_active_ruleset
from node.control.ports import Repository
from node.governance.members import parse_members
from node.governance.rules import ActiveRuleset
from node.sessions.device_limit import IDLE_MIN
from node.sessions.stored import SavedSession
from node.storage.database import Store
from node.storage.repository import StoredRepository
from node.units import AccountId, MacAddress
from tests.fakes.neighbours import id_of
from tests.fakes.reconciler_fixture import until
from tests.fakes.repository import FakeRepository
from tests.fakes.use_cases import (
    ANA,
    BEN,
    CAI,
    DAY_MS,
    DOT,
    HOUR_MS,
    LISTED,
    MEMBERS,
    RULES,
    AppFixture,
    UseCases,
)

WORDS = "four plain old words"
SOME_MAC = "02:00:00:00:01:{:02x}"


@pytest.fixture
def street(memories: Callable[[], Repository], tmp_path: Path) -> AppFixture:
    return AppFixture(memories, tmp_path)


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[UseCases]:
    async with AppFixture(FakeRepository, tmp_path).life() as opened:
        yield opened


def account(backend: UseCases, mac: MacAddress) -> AccountId | None:
    return backend.portal.guest(mac).account


async def comes_in(backend: UseCases, mac: MacAddress, entry: Entry) -> AccountId:
    came = await backend.portal.admit(mac, entry, "1")
    assert isinstance(came, Admitted), came
    found = account(backend, mac)
    assert found is not None
    return found


async def is_refused(backend: UseCases, mac: MacAddress, entry: Entry) -> str:
    refused = await backend.portal.admit(mac, entry, "1")
    assert isinstance(refused, Refused), refused
    return refused.reason


async def give_passphrase(backend: UseCases) -> None:
    """A passphrase for Ana, set after showing her card."""
    await comes_in(backend, LISTED, CardShown(backend.card()))
    assert await backend.portal.set_passphrase(LISTED, WORDS) is None


# --- vouchers ---------------------------------------------------------------------------


async def test_a_voucher_starts_when_it_is_first_used_and_ends_for_all_of_its_devices(
    street: AppFixture,
) -> None:
    async with street.life() as backend:
        (code,) = await backend.codes()
        street.pass_time(5 * DAY_MS)
        first = await comes_in(backend, ANA, CodeTyped(code))
        street.pass_time(DAY_MS - HOUR_MS)
        # In use: an idle device would have been replaced by Ben's.
        await until(
            lambda: (
                street.kernel.send(ANA, up=1)
                and backend.loop.session_table.idle_ms(ANA, street.clock.monotonic()) == 0
            )
        )
        assert first == await comes_in(backend, BEN, CodeTyped(code))
        assert {3600} == {backend.portal.guest(mac).seconds_left for mac in (ANA, BEN)}
        assert street.kernel.send(ANA, up=1)
        street.pass_time(HOUR_MS)
        assert not street.kernel.send(ANA, up=1)
        await until(lambda: backend.portal.guest(BEN).state == "expired")
        assert "voucher" == backend.portal.guest(ANA).way
        assert "code-ended" == await is_refused(backend, ANA, CodeTyped(code))
        assert AccountId("guest-0a") == await comes_in(backend, ANA, TermsAccepted())


async def test_a_changed_hardware_address_with_the_same_code_gets_no_fresh_allowance(
    street: AppFixture,
) -> None:
    async with street.life() as backend:
        (code,) = await backend.codes()
        same = await comes_in(backend, ANA, CodeTyped(code))
        street.kernel.send(ANA, down=1_000)
        await until(lambda: backend.portal.guest(ANA).used.total == 1_000)
        assert same == await comes_in(backend, BEN, CodeTyped(code.lower().replace("-", " ")))
        assert 1_000 == backend.portal.guest(BEN).used.total


async def test_what_a_voucher_is_worth_is_said_by_the_rules_for_its_group(backend: UseCases) -> None:
    (code,) = await backend.codes()
    await comes_in(backend, ANA, CodeTyped(code))
    allowance = backend.portal.guest(ANA).allowance
    assert allowance is not None
    assert allowance.ceiling is not None
    assert "day-pass" == allowance.ceiling.rule


async def test_a_revoked_voucher_ends_at_once_and_can_be_restored(street: AppFixture) -> None:
    async with street.life() as backend:
        (code,) = await backend.codes()
        await comes_in(backend, ANA, CodeTyped(code))
        (voucher,) = backend.loop.registry.vouchers.of_batch(1)
        gone = backend.loop.registry.vouchers.revoke(
            [voucher.fingerprint], backend.loop.persistence.instant().now
        )
        await backend.loop.remember(gone.changes)
        assert not street.kernel.send(ANA, up=1)
        assert "expired" == backend.portal.guest(ANA).state
        assert "code-revoked" == await is_refused(backend, BEN, CodeTyped(code))
        await backend.loop.remember(
            backend.loop.registry.vouchers.restore(gone.fingerprints, backend.loop.persistence.instant().now)
        )
        await comes_in(backend, ANA, CodeTyped(code))


async def test_a_guest_who_enters_a_code_is_counted_in_the_voucher_from_then_on(
    street: AppFixture,
) -> None:
    async with street.life() as backend:
        await comes_in(backend, ANA, TermsAccepted())
        street.kernel.send(ANA, down=700)
        await until(lambda: backend.portal.guest(ANA).used.total == 700)
        (code,) = await backend.codes()
        await comes_in(backend, ANA, CodeTyped(code))
        assert 0 == backend.portal.guest(ANA).used.total
        street.kernel.send(ANA, down=9)
        await until(lambda: backend.portal.guest(ANA).used.total == 9)
        assert 700 == backend.loop.ledger.total(AccountId("guest-0a"), "2026-11").uplink.total


async def test_the_rules_may_make_a_session_shorter_than_its_voucher(tmp_path: Path) -> None:
    rules = '[[rule]]\nid = "visits"\nsession = "2 hours"\nwho = "group:day-pass"\nby = "D-1"\n'
    async with AppFixture(FakeRepository, tmp_path, rules=rules).life() as backend:
        (code,) = await backend.codes()
        await comes_in(backend, ANA, CodeTyped(code))
        assert 7_200 == backend.portal.guest(ANA).seconds_left
        await comes_in(backend, BEN, TermsAccepted())
        assert 4 * 3_600 == backend.portal.guest(BEN).seconds_left


# --- devices ----------------------------------------------------------------------------


async def test_a_code_on_the_first_device_brings_the_second_into_the_account_once(
    backend: UseCases,
) -> None:
    same = await comes_in(backend, ANA, TermsAccepted())
    code = await backend.portal.new_device_code(ANA)
    assert not isinstance(code, Refused)
    assert code == backend.portal.guest(ANA).device_code
    assert same == await comes_in(backend, BEN, CodeTyped(code.code))
    assert "code-used" == await is_refused(backend, CAI, CodeTyped(code.code))
    assert {ANA, BEN} == {device.mac for device in backend.portal.guest(ANA).devices}


async def test_devices_are_named_and_removed_by_their_owner_only(backend: UseCases) -> None:
    (code,) = await backend.codes()
    for mac in (ANA, BEN):
        await comes_in(backend, mac, CodeTyped(code))
    await comes_in(backend, CAI, TermsAccepted())
    assert await backend.portal.name_device(ANA, BEN, "the tablet") is None
    assert {"", "the tablet"} == {device.name for device in backend.portal.guest(ANA).devices}
    for refused in (
        await backend.portal.name_device(CAI, BEN, "mine"),
        await backend.portal.remove_device(CAI, BEN),
        await backend.portal.remove_device(DOT, BEN),
    ):
        assert Refused("not-yours") == refused
    assert await backend.portal.remove_device(ANA, BEN) is None
    assert "admitted" != backend.portal.guest(BEN).state
    assert [ANA] == [device.mac for device in backend.portal.guest(ANA).devices]


async def test_the_longest_idle_device_is_evicted(street: AppFixture) -> None:
    async with street.life() as backend:
        (code,) = await backend.codes(devices_max=2)
        for mac in (ANA, BEN):
            await comes_in(backend, mac, CodeTyped(code))
        street.pass_time(IDLE_MIN)
        idle_ms = backend.loop.session_table.idle_ms
        await until(lambda: street.kernel.send(BEN, up=1) and idle_ms(BEN, street.clock.now) == 0)
        await comes_in(backend, CAI, CodeTyped(code))
        assert {BEN, CAI} == set(backend.loop.session_table.admitted())
        assert not street.kernel.send(ANA, up=1)


async def test_when_all_devices_are_in_use_the_person_chooses_one_without_entering_the_code_again(
    backend: UseCases,
) -> None:
    (voucher,) = await backend.codes(devices_max=2)
    for mac in (ANA, BEN):
        await comes_in(backend, mac, CodeTyped(voucher))
    code = await backend.portal.new_device_code(ANA)
    assert not isinstance(code, Refused)
    full = await backend.portal.admit(CAI, CodeTyped(code.code), "1")
    assert isinstance(full, Full)
    assert (2, {ANA, BEN}) == (full.devices_max, {device.mac for device in full.devices})
    assert isinstance(await backend.portal.admit(CAI, CodeTyped(code.code), "1", DOT), Full), "not theirs"
    assert isinstance(await backend.portal.admit(CAI, CodeTyped(code.code), "1", BEN), Admitted)
    assert {ANA, CAI} == set(backend.loop.session_table.admitted())


async def test_a_device_of_another_account_cannot_choose(backend: UseCases) -> None:
    await comes_in(backend, ANA, TermsAccepted())
    assert Refused("code-unknown") == await backend.portal.admit(BEN, CodeTyped("0000-0000-0000"), "1", ANA)
    await comes_in(backend, BEN, TermsAccepted())
    assert {ANA, BEN} == set(backend.loop.session_table.admitted())


async def test_where_people_are_asked_no_device_is_evicted_without_a_choice(tmp_path: Path) -> None:
    joining = '[joining]\nways = ["terms", "voucher"]\nwhen_full = "ask"\nby = "D-1"\n'
    street = AppFixture(FakeRepository, tmp_path, joining)
    async with street.life() as backend:
        (code,) = await backend.codes(devices_max=1)
        await comes_in(backend, ANA, CodeTyped(code))
        street.pass_time(2 * IDLE_MIN)
        assert isinstance(await backend.portal.admit(BEN, CodeTyped(code), "1"), Full)


async def test_the_rules_limit_devices_too(tmp_path: Path) -> None:
    rules = '[[rule]]\nid = "two"\ndevices = 2\nwho = "group:day-pass"\nby = "D-1"\n'
    async with AppFixture(FakeRepository, tmp_path, rules=rules).life() as backend:
        (code,) = await backend.codes(devices_max=5)
        for mac in (ANA, BEN):
            await comes_in(backend, mac, CodeTyped(code))
        assert 2 == backend.portal.guest(ANA).devices_max
        assert isinstance(await backend.portal.admit(CAI, CodeTyped(code), "1"), Full)


# --- members ----------------------------------------------------------------------------


async def test_a_member_joins_with_a_passphrase_and_a_wrong_one_reveals_nothing(backend: UseCases) -> None:
    await give_passphrase(backend)
    assert AccountId("ana") == await comes_in(backend, ANA, PassphraseTyped("ana", WORDS))
    assert "passphrase-wrong" == await is_refused(backend, BEN, PassphraseTyped("ana", "wrong, long enough"))
    assert "passphrase-wrong" == await is_refused(backend, BEN, PassphraseTyped("nobody", WORDS))
    assert {LISTED, ANA} == {device.mac for device in backend.portal.guest(ANA).devices}


async def test_simultaneous_guesses_are_counted_one_after_another(backend: UseCases) -> None:
    await give_passphrase(backend)
    login_throttle = [PassphraseTyped("ana", f"a guess, number {number}") for number in range(40)]
    async with asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(backend.portal.admit(BEN, guess, "1")) for guess in login_throttle]
    reasons = [task.result().reason for task in asked if isinstance(task.result(), Refused)]  # type: ignore[union-attr]
    assert 40 == len(reasons)
    assert 5 >= reasons.count("passphrase-wrong") >= 1
    for _ in range(5):
        last = await is_refused(backend, BEN, PassphraseTyped("ana", "one more guess"))
    assert "too-many-guesses" == last
    assert AccountId("ana") == await comes_in(backend, ANA, PassphraseTyped("ana", WORDS)), (
        "others wait for nobody"
    )


@pytest.mark.thorough
async def test_the_passphrase_queue_is_no_longer_than_can_be_checked_soon(backend: UseCases) -> None:
    await give_passphrase(backend)
    macs = [MacAddress(SOME_MAC.format(number)) for number in range(40)]
    async with asyncio.TaskGroup() as tasks:
        asked = [
            tasks.create_task(backend.portal.admit(mac, PassphraseTyped("ana", "guess guess"), "1"))
            for mac in macs
        ]
    reasons = [task.result().reason for task in asked]  # type: ignore[union-attr]
    assert "trouble" in reasons


async def test_a_card_admits_its_member_until_it_is_voided(backend: UseCases) -> None:
    card = backend.card()
    assert AccountId("ana") == await comes_in(backend, ANA, CardShown(card))
    assert "card-unreadable" == await is_refused(backend, BEN, CardShown("PROCOMU1.nonsense"))
    await backend.loop.remember(backend.loop.registry.void_cards(AccountId("ana"), backend.loop.today()))
    assert "card-revoked" == await is_refused(backend, BEN, CardShown(card))


async def test_only_members_have_passphrases(backend: UseCases) -> None:
    await comes_in(backend, BEN, TermsAccepted())
    assert Refused("not-a-member") == await backend.portal.set_passphrase(BEN, WORDS)
    assert Refused("not-a-member") == await backend.portal.set_passphrase(CAI, WORDS)
    await comes_in(backend, LISTED, TermsAccepted())
    assert Refused("too-long") == await backend.portal.set_passphrase(LISTED, "short")


async def test_a_device_with_a_members_copied_hardware_address_cannot_set_a_passphrase(
    street: AppFixture,
) -> None:
    async with street.life() as backend:
        await comes_in(backend, LISTED, TermsAccepted())
        assert Refused("no-passphrase") == await backend.portal.set_passphrase(LISTED, WORDS)
        assert "passphrase-wrong" == await is_refused(backend, BEN, PassphraseTyped("ana", WORDS))
        await give_passphrase(backend)
        street.pass_time(SHOWN_FOR)
        new = "words of a stranger"
        for current in ("", "a guess", new):
            assert Refused("passphrase-wrong") == await backend.portal.set_passphrase(LISTED, new, current)
        assert "passphrase-wrong" == await is_refused(backend, BEN, PassphraseTyped("ana", new))
        assert await backend.portal.set_passphrase(LISTED, new, WORDS) is None
        assert AccountId("ana") == await comes_in(backend, BEN, PassphraseTyped("ana", new))


async def test_guessing_the_passphrase_until_now_makes_the_device_wait(street: AppFixture) -> None:
    async with street.life() as backend:
        await give_passphrase(backend)
        street.pass_time(SHOWN_FOR)
        for _ in range(5):
            assert Refused("passphrase-wrong") == await backend.portal.set_passphrase(
                LISTED, "new words", "guess"
            )
        waits = Refused("too-many-guesses", wait_s=60)
        assert waits == await backend.portal.set_passphrase(LISTED, "new words", WORDS)


async def test_another_members_card_sets_no_passphrase_for_the_devices_owner(
    backend: UseCases,
) -> None:
    assert AccountId("ana") == await comes_in(backend, LISTED, CardShown(backend.card("carme")))
    assert Refused("no-passphrase") == await backend.portal.set_passphrase(LISTED, WORDS)


async def test_a_voided_card_sets_no_passphrase(backend: UseCases) -> None:
    await comes_in(backend, ANA, CardShown(backend.card()))
    await backend.loop.remember(backend.loop.registry.void_cards(AccountId("ana"), backend.loop.today()))
    assert Refused("no-passphrase") == await backend.portal.set_passphrase(ANA, WORDS)


async def test_a_former_owner_of_a_device_cannot_remove_it_from_its_new_owner(street: AppFixture) -> None:
    async with street.life() as backend:
        (code,) = await backend.codes()
        await comes_in(backend, ANA, CodeTyped(code))
        await comes_in(backend, BEN, CodeTyped(code))
        member_directory, _ = parse_members(MEMBERS + f'devices = ["{BEN}"]\n')
        assert member_directory is not None
        await backend.loop.adopt(backend.loop.active_ruleset, member_directory)
        assert AccountId("carme") == account(backend, BEN)
        assert await backend.portal.remove_device(ANA, BEN) is None
        assert "admitted" == backend.portal.guest(BEN).state
        assert street.kernel.send(BEN, up=1)
        assert [ANA] == [each.mac for each in backend.portal.guest(ANA).devices]


async def test_a_sponsors_approval_admits_nobody_once_that_join_method_is_closed(backend: UseCases) -> None:
    await comes_in(backend, LISTED, TermsAccepted())
    assert await backend.portal.ask(BEN, "ana", "Ben", "1") is None
    (asked,) = backend.portal.guest(LISTED).requests
    closed = load_active_ruleset(
        RULES + '[joining]\nways = ["voucher"]\nby = "D-2"\n', backend.loop.member_directory
    )
    assert isinstance(closed, ActiveRuleset)
    await backend.loop.adopt(closed, backend.loop.member_directory)
    assert Refused("way-closed") == await backend.portal.answer(LISTED, asked.number, yes=True)
    assert "waiting" == backend.portal.guest(BEN).state
    assert await backend.portal.answer(LISTED, asked.number, yes=False) is None


async def test_an_approved_guest_is_online_before_the_page_is_reloaded(
    street: AppFixture,
) -> None:
    async with street.life() as backend:
        await comes_in(backend, LISTED, TermsAccepted())
        assert await backend.portal.ask(BEN, "Ana Puig", "Ben", "1") is None
        asked = backend.portal.guest(BEN).asked_for
        (request,) = backend.portal.guest(LISTED).requests
        assert asked is not None
        assert (asked.sign, "Ben") == (request.sign, request.name)
        assert Refused("not-a-member") == await _answer_as_guest(backend, request.number)
        assert await backend.portal.answer(LISTED, request.number, yes=True) is None
        assert street.kernel.send(BEN, up=1)
        guest = backend.portal.guest(BEN)
        assert ("introduction", "1", None) == (guest.way, guest.terms_version, guest.asked_for)


async def _answer_as_guest(backend: UseCases, number: int) -> Refused | None:
    await comes_in(backend, CAI, TermsAccepted())
    return await backend.portal.answer(CAI, number, yes=True)


async def test_a_guest_who_is_refused_or_leaves_is_not_admitted(backend: UseCases) -> None:
    await comes_in(backend, LISTED, TermsAccepted())
    for mac in (BEN, CAI):
        assert await backend.portal.ask(mac, "ana", "somebody", "1") is None
    first, second = backend.portal.guest(LISTED).requests
    assert await backend.portal.answer(LISTED, first.number, yes=False) is None
    await backend.portal.leave(CAI)
    assert Refused("not-yours") == await backend.portal.answer(LISTED, second.number, yes=True)
    assert {"waiting"} == {backend.portal.guest(mac).state for mac in (BEN, CAI)}


async def test_a_member_who_mutes_requests_gets_none_and_the_guest_cannot_tell(backend: UseCases) -> None:
    await comes_in(backend, LISTED, TermsAccepted())
    for mac in (BEN, CAI):
        assert await backend.portal.ask(mac, "ana", "somebody", "1") is None
    first, _ = backend.portal.guest(LISTED).requests
    assert Refused("not-a-member") == await backend.portal.mute(BEN, first.number, "device")
    assert await backend.portal.mute(LISTED, first.number, "device") is None
    assert await backend.portal.ask(BEN, "ana", "somebody", "1") is None
    assert 1 == len(backend.portal.guest(LISTED).requests)
    waiting = backend.portal.guest(BEN)
    assert "ana" == waiting.asked_for.host
    assert await backend.portal.mute(LISTED, 0, "all") is None
    assert ((), 86_400) == (backend.portal.guest(LISTED).requests, backend.portal.guest(LISTED).unasked_s)
    assert await backend.portal.ask(CAI, "ana", "somebody", "1") is None
    assert () == backend.portal.guest(LISTED).requests
    assert await backend.portal.mute(LISTED, 0, "hear") is None
    assert await backend.portal.ask(CAI, "ana", "somebody", "1") is None
    assert 1 == len(backend.portal.guest(LISTED).requests)


# --- closed, blocked --------------------------------------------------------------------


async def test_join_methods_that_the_community_does_not_open_are_closed(tmp_path: Path) -> None:
    joining = '[joining]\nways = ["voucher"]\nby = "D-1"\n'
    async with AppFixture(FakeRepository, tmp_path, joining).life() as backend:
        assert ("voucher",) == backend.portal.community().ways
        for entry in (TermsAccepted(), PassphraseTyped("ana", WORDS), CardShown(backend.card())):
            assert "way-closed" == await is_refused(backend, ANA, entry)
        assert Refused("way-closed") == await backend.portal.ask(ANA, "ana", "Ben", "1")
        (code,) = await backend.codes()
        await comes_in(backend, ANA, CodeTyped(code))
        await backend.portal.leave(ANA)
        assert [True, False] == [backend.portal.guest(mac).comes_back for mac in (ANA, BEN)]
        await comes_in(backend, ANA, TermsAccepted())


async def test_when_a_rule_ends_a_session_the_voucher_still_counts_and_no_code_is_entered_again(
    tmp_path: Path,
) -> None:
    rules = '[[rule]]\nid = "visits"\nsession = "2 hours"\nwho = "group:day-pass"\nby = "D-1"\n'
    joining = '[joining]\nways = ["voucher"]\nby = "D-1"\n'
    street = AppFixture(FakeRepository, tmp_path, joining, rules)
    async with street.life() as backend:
        (code,) = await backend.codes()
        same = await comes_in(backend, ANA, CodeTyped(code))
        street.pass_time(2 * HOUR_MS)
        await until(lambda: backend.portal.guest(ANA).state == "expired")
        assert (None, True) == (backend.portal.guest(ANA).way, backend.portal.guest(ANA).comes_back)
        assert same == await comes_in(backend, ANA, TermsAccepted())
        street.pass_time(DAY_MS)
        await until(lambda: backend.portal.guest(ANA).state == "expired")
        assert ("voucher", False) == (backend.portal.guest(ANA).way, backend.portal.guest(ANA).comes_back)
        assert "code-ended" == await is_refused(backend, ANA, TermsAccepted())


async def test_a_blocked_device_is_rejected_by_every_join_method_until_unblocked(backend: UseCases) -> None:
    await give_passphrase(backend)
    (voucher,) = await backend.codes()
    await comes_in(backend, ANA, CodeTyped(voucher))
    code = await backend.portal.new_device_code(LISTED)
    assert not isinstance(code, Refused)
    assert await backend.portal.ask(ANA, "ana", "Ben", "1") is None
    (request,) = backend.portal.guest(LISTED).requests
    await backend.loop.block(ANA, "selling the line")
    ways = (TermsAccepted(), CodeTyped(voucher), CodeTyped(code.code), PassphraseTyped("ana", WORDS))
    for entry in (*ways, CardShown(backend.card())):
        assert Refused("removed", "selling the line") == await backend.portal.admit(ANA, entry, "1")
    assert Refused("removed", "selling the line") == await backend.portal.ask(ANA, "ana", "Ben", "1")
    await backend.portal.answer(LISTED, request.number, yes=True)
    await backend.portal.erase(ANA)
    await backend.portal.leave(ANA)
    assert "removed" == backend.portal.guest(ANA).state
    await backend.loop.unblock(ANA)
    await comes_in(backend, ANA, TermsAccepted())


# --- what must not be lost --------------------------------------------------------------


async def all_in(backend: UseCases) -> dict[MacAddress, AccountId]:
    """One session for each join method."""
    if not backend.loop.registry.has_passphrase(AccountId("ana")):
        await give_passphrase(backend)
    (voucher,) = await backend.codes()
    came = {
        ANA: await comes_in(backend, ANA, CodeTyped(voucher)),
        BEN: await comes_in(backend, BEN, PassphraseTyped("ana", WORDS)),
        CAI: await comes_in(backend, CAI, CardShown(backend.card("carme"))),
    }
    code = await backend.portal.new_device_code(ANA)
    assert not isinstance(code, Refused)
    came[DOT] = await comes_in(backend, DOT, CodeTyped(code.code))
    guest, other = MacAddress(SOME_MAC.format(1)), MacAddress(SOME_MAC.format(2))
    came[guest] = await comes_in(backend, guest, TermsAccepted())
    assert await backend.portal.ask(other, "ana", "a friend", "1") is None
    (request,) = backend.portal.guest(LISTED).requests
    assert await backend.portal.answer(LISTED, request.number, yes=True) is None
    return came | {other: AccountId("guest-02"), LISTED: AccountId("ana")}


async def test_after_a_kill_nobody_enters_a_code_again_by_any_join_method(
    street: AppFixture,
) -> None:
    async with street.life(killed=True) as backend:
        came = await all_in(backend)
    async with street.life() as backend:
        assert came == {mac: account(backend, mac) for mac in came}
        assert all(street.kernel.send(mac, up=1) for mac in came)


async def test_after_a_power_cut_nobody_enters_a_code_again_and_the_vouchers_time_went_on(
    street: AppFixture,
) -> None:
    async with street.life(killed=True) as backend:
        came = await all_in(backend)
        ways = {mac: backend.portal.guest(mac).way for mac in came}
    for _ in range(2):
        street.power_cut(off_ms=HOUR_MS)
        async with street.life(killed=True) as backend:
            assert came == {mac: account(backend, mac) for mac in came}
            assert ways == {mac: backend.portal.guest(mac).way for mac in came}
            assert all(street.kernel.send(mac, up=1) for mac in came)
    left = backend.portal.guest(ANA).seconds_left
    assert left is not None
    assert abs(left - 22 * 3_600) <= 5


async def test_without_a_clock_a_power_cut_gives_no_voucher_more_than_it_is_worth(
    street: AppFixture,
) -> None:
    street.clock.trust = "unknown"
    async with street.life(killed=True) as backend:
        (code,) = await backend.codes()
        await comes_in(backend, ANA, CodeTyped(code))
    for _ in range(3):
        street.power_cut()
        async with street.life(killed=True) as backend:
            left = backend.portal.guest(ANA).seconds_left
            assert left is not None
            assert 0 < left <= 86_400


async def test_when_the_clock_is_synchronized_the_time_that_the_node_was_off_counts(
    street: AppFixture,
) -> None:
    async with street.life(killed=True) as backend:
        (code,) = await backend.codes()
        await comes_in(backend, ANA, CodeTyped(code))
    street.power_cut(off_ms=20 * HOUR_MS)
    street.clock.trust = "unknown"
    async with street.life() as backend:
        assert street.kernel.send(ANA, up=1)
        left = backend.portal.guest(ANA).seconds_left
        assert left is not None
        assert left > 23 * 3_600, "an error is in the member's favour"
        street.clock.trust = "synced"
        street.pass_time(56_000)
        await until(lambda: (backend.portal.guest(ANA).seconds_left or 0) <= 4 * 3_600)
        street.pass_time(4 * HOUR_MS)
        await until(lambda: not street.kernel.send(ANA, up=1))


async def test_a_device_name_survives_a_kill(street: AppFixture) -> None:
    async with street.life(killed=True) as backend:
        (code,) = await backend.codes()
        await comes_in(backend, ANA, CodeTyped(code))
        assert await backend.portal.name_device(ANA, ANA, "my phone") is None
        assert await backend.portal.add_objection(ANA, "day-pass", "It is too slow.") is None
    async with street.life() as backend:
        guest = backend.portal.guest(ANA)
        assert ["my phone"] == [device.name for device in guest.devices]
        assert ["It is too slow."] == [objection.text for objection in guest.objections]


async def test_with_a_full_disk_people_join_by_every_method_and_all_is_stored_later(tmp_path: Path) -> None:
    repository = FakeRepository()
    street = AppFixture(lambda: repository, tmp_path)
    async with street.life(killed=True) as backend:
        await give_passphrase(backend)
        repository.full = True
        came = await all_in(backend)
        assert "full" in backend.loop.troubles.storage
        repository.full = False
        await backend.loop.persistence.save()
    street.power_cut()
    async with street.life() as backend:
        assert came == {mac: account(backend, mac) for mac in came}


async def test_while_the_repository_cannot_be_read_no_code_is_called_unknown(tmp_path: Path) -> None:
    repository = FakeRepository()
    street = AppFixture(lambda: repository, tmp_path)
    async with street.life() as backend:
        (code,) = await backend.codes()
    repository.full = True
    async with street.life() as backend:
        assert "memory" == await is_refused(backend, ANA, CodeTyped(code))
        await comes_in(backend, BEN, TermsAccepted())
        repository.full = False
        await until(lambda: backend.loop.persistence.recalled)
        await comes_in(backend, ANA, CodeTyped(code))


async def test_a_device_admitted_by_the_kernel_alone_gets_its_account_once_the_repository_can_be_read(
    tmp_path: Path,
) -> None:
    repository = FakeRepository()
    street = AppFixture(lambda: repository, tmp_path)
    async with street.life(killed=True) as backend:
        (code,) = await backend.codes()
        same = await comes_in(backend, ANA, CodeTyped(code))
    repository.full = True
    async with street.life() as backend:
        assert street.kernel.send(ANA, up=1)
        assert AccountId("guest-0a") == account(backend, ANA)
        repository.full = False
        await until(lambda: same == account(backend, ANA))
        assert street.kernel.send(ANA, up=1)
        assert 86_400 == backend.portal.guest(ANA).seconds_left


async def test_a_voucher_that_was_revoked_stays_revoked_after_a_power_cut(street: AppFixture) -> None:
    async with street.life(killed=True) as backend:
        (code,) = await backend.codes()
        await comes_in(backend, ANA, CodeTyped(code))
        names = [voucher.fingerprint for voucher in backend.loop.registry.vouchers.of_batch(1)]
        await backend.loop.remember(backend.loop.registry.vouchers.revoke(names, street.clock.now).changes)
    street.power_cut()
    async with street.life() as backend:
        assert not street.kernel.send(ANA, up=1)
        assert "code-revoked" == await is_refused(backend, ANA, CodeTyped(code))


class WatchedMemory(FakeRepository):
    """Records which changes were stored together."""

    def __init__(self) -> None:
        super().__init__()
        self.together: list[tuple[set[MacAddress], set[str]]] = []

    async def save_sessions(self, sessions, minors, day: str, changes=()) -> None:  # type: ignore[no-untyped-def]
        saved: tuple[SavedSession, ...] = tuple(sessions)
        rows: tuple[Change, ...] = tuple(changes)
        self.together.append(({each.session.mac for each in saved}, {type(row).__name__ for row in rows}))
        await super().save_sessions(saved, minors, day, rows)


async def test_a_voucher_and_its_session_are_stored_together_before_the_response(
    tmp_path: Path,
) -> None:
    repository = WatchedMemory()
    async with AppFixture(lambda: repository, tmp_path).life() as backend:
        (code,) = await backend.codes()
        repository.together.clear()
        await comes_in(backend, ANA, CodeTyped(code))
        assert ({ANA}, {"SavedVoucher", "Binding"}) == repository.together[0]


async def test_a_thousand_simultaneous_joins_are_stored_in_a_few_commits(tmp_path: Path) -> None:
    repository = WatchedMemory()
    async with AppFixture(lambda: repository, tmp_path).life() as backend:
        codes = await backend.codes(900)
        repository.together.clear()
        async with asyncio.TaskGroup() as tasks:
            for number, code in enumerate(codes):
                mac = MacAddress(f"02:00:00:01:{number // 256:02x}:{number % 256:02x}")
                tasks.create_task(comes_in(backend, mac, CodeTyped(code)))
        assert 900 == len(backend.loop.session_table.admitted())
        assert len(repository.together) < 90


async def test_every_confirmed_join_is_on_the_disk_at_that_moment(tmp_path: Path) -> None:
    """The power fails while many people join."""
    store, cut = Store(tmp_path / "data" / "procomu.db"), tmp_path / "after the cut"
    stores = [store]
    street = AppFixture(lambda: StoredRepository(stores[-1]), tmp_path)
    told: dict[MacAddress, AccountId] = {}
    few = asyncio.Semaphore(15)

    async def join(backend: UseCases, number: int, code: str) -> None:
        async with few:
            mac = MacAddress(f"02:00:00:01:{number // 256:02x}:{number % 256:02x}")
            told[mac] = await comes_in(backend, mac, CodeTyped(code))

    async def go_dark() -> dict[MacAddress, AccountId]:
        await until(lambda: len(told) >= 100)
        before = dict(told)
        await store.run(lambda _db: shutil.copytree(store.path.parent, cut))
        return before

    try:
        async with street.life(killed=True) as backend:
            codes = await backend.codes(300)
            async with asyncio.TaskGroup() as tasks:
                for number, code in enumerate(codes):
                    tasks.create_task(join(backend, number, code))
                dark = tasks.create_task(go_dark())
        stores.append(Store(cut / "procomu.db"))
        street.power_cut()
        async with street.life() as backend:
            assert dark.result().items() <= {mac: account(backend, mac) for mac in told}.items()
            assert all(street.kernel.send(mac, up=1) for mac in dark.result())
    finally:
        for opened in stores:
            opened.close()


# --- personal data ----------------------------------------------------------------------


async def test_people_see_everything_that_is_stored_about_them_and_no_secret(backend: UseCases) -> None:
    await give_passphrase(backend)
    (code,) = await backend.codes()
    await comes_in(backend, ANA, CodeTyped(code))
    await backend.portal.add_objection(ANA, "day-pass", "why?")
    for mac in (ANA, LISTED, DOT):
        text = json.dumps(await backend.portal.own_data(mac))
        assert mac in text
        for secret in ("scrypt", code.replace("-", ""), code, WORDS):
            assert secret not in text
    data = await backend.portal.own_data(ANA)
    assert ("voucher", "admitted", "1") == (data["way"], data["state"], data["terms_accepted"])


async def test_erasure_leaves_nothing_but_this_months_usage(street: AppFixture) -> None:
    async with street.life() as backend:
        await comes_in(backend, ANA, TermsAccepted())
        await backend.portal.name_device(ANA, ANA, "my phone")
        await backend.portal.add_objection(ANA, "equal-share", "why?")
        street.kernel.send(ANA, down=500)
        await until(lambda: backend.portal.guest(ANA).used.total == 500)
        street.pass_time(10 * DAY_MS)
        await comes_in(backend, ANA, TermsAccepted())
        await backend.settle()  # a reading that began before belongs to the old day
        street.kernel.send(ANA, down=30)
        await until(lambda: backend.portal.guest(ANA).used.total == 30)
        street.pass_time(56_000)
        await until(lambda: not backend.loop.persistence.is_due(street.clock.now, 55_000))
        await backend.portal.erase(ANA)
        assert not street.kernel.send(ANA, up=1)
        assert "waiting" == backend.portal.guest(ANA).state
        await until(lambda: backend.loop.ledger.total(AccountId("guest-0a"), "2026-11").uplink.total == 0)
        assert 30 == backend.loop.ledger.total(AccountId("guest-0a"), "2026-12").uplink.total
        assert "my phone" not in json.dumps(await backend.portal.own_data(ANA))
    async with street.life() as backend:
        assert ANA not in backend.loop.session_table.session_entries
        data = await backend.portal.own_data(ANA)
        assert ([], []) == (data["devices"], data["objections"])
        assert {"2026-12-04": {"down": 30, "up": 0}} == data["bytes_by_day"]


async def test_a_device_that_erases_itself_takes_nothing_from_the_rest_of_its_household(
    backend: UseCases,
) -> None:
    (code,) = await backend.codes()
    for mac in (ANA, BEN):
        await comes_in(backend, mac, CodeTyped(code))
    await backend.portal.add_objection(BEN, "day-pass", "why?")
    await backend.portal.erase(ANA)
    guest = backend.portal.guest(BEN)
    assert ([BEN], 1) == ([device.mac for device in guest.devices], len(guest.objections))


async def test_a_notice_is_shown_to_its_audience_only(backend: UseCases) -> None:
    texts = (NoticeText("ca", "Festa", "Dijous"),)
    for audience in ("everyone", "online", "members", "guests", "group:day-pass"):
        backend.loop.registry.notices.put_up(Notice(0, "network", audience, "", "", False, texts))
    backend.loop.registry.notices.put_up(Notice(0, "node:hills", "everyone", "", "", False, texts))
    (code,) = await backend.codes()
    await comes_in(backend, ANA, CodeTyped(code))
    await comes_in(backend, LISTED, TermsAccepted())

    def seen(mac: MacAddress | None) -> set[str]:
        return {notice.audience for notice in backend.portal.notices(mac)}

    assert {"everyone"} == seen(None) == seen(DOT)
    assert {"everyone", "online", "guests", "group:day-pass"} == seen(ANA)
    assert {"everyone", "online", "members"} == seen(LISTED)


HILL = id_of("hill")


async def test_a_notice_of_another_node_is_shown_with_its_name_to_its_audience_and_in_its_zone(
    backend: UseCases,
) -> None:
    def titled(title: str, where: str, audience: str, *, urgent: bool = False) -> Notice:
        return Notice(0, where, audience, "", "", urgent, (NoticeText("ca", title, ""),))

    backend.loop.registry.heard_notices.name_of = {HILL: "hills"}.__getitem__
    await backend.put_up(
        titled("own", "here", "everyone"), titled("own, urgent", "here", "everyone", urgent=True)
    )
    backend.hear_notices(
        HILL,
        titled("all", "network", "everyone", urgent=True),
        titled("guests", "network", "guests"),
        titled("elsewhere", "zone:nowhere", "everyone"),
        replace(titled("over", "network", "everyone"), last_day="2020-01-01"),
    )
    shown = [(each.texts[0].title, each.node) for each in backend.portal.notices(None)]
    assert [("own, urgent", ""), ("all", "hills"), ("own", "")] == shown
    await comes_in(backend, BEN, TermsAccepted())
    assert ("guests", "hills") in {(each.texts[0].title, each.node) for each in backend.portal.notices(BEN)}
    backend.loop.registry.heard_notices.drop(HILL)
    assert {""} == {each.node for each in backend.portal.notices(BEN)}


async def test_the_privacy_page_names_every_table_and_what_is_stored_elsewhere(backend: UseCases) -> None:
    kept = {each.table for each in backend.portal.kept()}
    assert {"sessions", "vouchers", "bindings", "contests", "cells"} <= kept
    assert {"dhcp.leases", "members", "log", "counters", "connections", "names", "memory"} <= kept


async def test_an_outage_is_reported_from_its_first_moment_to_its_last(street: AppFixture) -> None:
    async with street.life() as backend:
        assert backend.portal.community().outage is None
        began = street.clock.civil()
        street.down_since = street.clock.monotonic()
        street.pass_time(90_000)
        community = backend.portal.community()
        assert Outage(began) == community.outage
        street.pass_time(60_000)
        assert community is backend.portal.community(), "made once, and not for each who asks"
        backend.portal.outage_note = ("the assembly", None)
        assert Outage(began, "the assembly") == backend.portal.community().outage
        backend.portal.outage_note = ("", None)
        street.clock.trust = "unknown"
        assert Outage(None) == backend.portal.community().outage
        street.down_since = None
        assert backend.portal.community().outage is None


async def test_a_refusal_and_no_answer_look_the_same_and_come_at_the_same_moment(
    street: AppFixture,
) -> None:
    async with street.life() as backend:
        await comes_in(backend, LISTED, TermsAccepted())
        for mac, host in ((BEN, "ana"), (CAI, "ana"), (DOT, "nobody of this name")):
            assert await backend.portal.ask(mac, host, "somebody", "1") is None
        first, _ = backend.portal.guest(LISTED).requests
        assert await backend.portal.answer(LISTED, first.number, yes=False) is None
        for passed, told in ((REQUEST_LIFETIME - 1, False), (1, True)):
            street.pass_time(passed)
            assert [told] * 3 == [backend.portal.guest(mac).went_unanswered for mac in (BEN, CAI, DOT)]

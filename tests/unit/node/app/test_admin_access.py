"""Signing in: what is decided survives a restart, and nothing that is removed meanwhile signs anybody in."""

import asyncio
import secrets
from collections.abc import Iterable

import pytest

from node.accounts.events import Event
from node.accounts.login_throttle import STRANGERS_THROTTLE
from node.accounts.member_passphrases import hash_passphrase
from node.app import admin_access
from node.app.admin_access import (
    ACCOUNTS,
    AdminAccessService,
    SignedIn,
    SignInClient,
    SignInRefused,
    first_account,
)
from node.app.admin_sessions import ADMIN, Signed
from node.app.issuer_grants import Grant
from node.app.passphrase_queue import PassphraseQueue
from node.errors import Finding
from tests.fakes.repository import FakeArchive, FakeClock, FakeRepository
from tests.fakes.use_cases import make_passphrases_cheap

PASSPHRASE, WRONG = "four plain old words", "four wrong old words"
PHONE, STRANGER = SignInClient("02:00:00:00:00:01"), SignInClient("02:00:00:00:00:66")
LIBRARY = Signed("issuer", "library", Grant())


@pytest.fixture
def archive(monkeypatch) -> FakeArchive:
    make_passphrases_cheap(monkeypatch)
    monkeypatch.setattr(admin_access, "hash_passphrase", hash_passphrase)
    archive = FakeArchive(FakeRepository())
    archive._repository.facts[ACCOUNTS] = first_account("Ana", PASSPHRASE, b"s" * 16, "2026-11-24")
    return archive


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def access(archive, clock) -> AdminAccessService:
    return await begin(archive, clock)


async def begin(archive: FakeArchive, clock: FakeClock) -> AdminAccessService:
    """As each start of the daemon does."""
    made = AdminAccessService(
        archive, clock, passphrases=PassphraseQueue(), key=b"k" * 32, random=secrets.token_bytes
    )
    await made.recall()
    return made


async def signed_in(access: AdminAccessService, client: SignInClient = PHONE, **more) -> SignedIn:
    result = await access.sign_in("Ana", PASSPHRASE, client, **{"stays": True, **more})
    assert isinstance(result, SignedIn)
    return result


async def test_a_restart_keeps_accounts_browsers_sessions_and_links(access, archive, clock):
    token, _ = await access.new_token(LIBRARY)
    lasting, short = await signed_in(access), await signed_in(access, stays=False)
    again = await begin(archive, clock)
    assert Signed("admin", "Ana") == again.who(lasting.cookie) == again.who(short.cookie)
    redeemed = await again.redeem(token)
    assert redeemed is not None
    assert LIBRARY == again.who(redeemed.cookie)


async def test_an_account_that_is_removed_during_the_check_does_not_sign_in(access, archive, clock):
    await access.set_passphrase((await by_link(access)).cookie, PASSPHRASE, "", "Ben", PHONE, stays=True)

    async def remove() -> None:
        assert await access.remove_account("Ana") is None

    queue = access.passphrases
    real = queue.turn

    async def slow(*words, **more):
        result = await real(*words, **more)
        await remove()
        return result

    queue.turn = slow
    assert SignInRefused() == await access.sign_in("Ana", PASSPHRASE, PHONE, stays=True)


async def test_nobody_signs_in_to_an_account_while_its_removal_is_stored(access, archive):
    await access.set_passphrase((await by_link(access)).cookie, PASSPHRASE, "", "Ben", PHONE, stays=True)
    archive.disk_is_free.clear()
    async with asyncio.TaskGroup() as tasks:
        removing = tasks.create_task(access.remove_account("Ana"))
        await asyncio.sleep(0)
        begun = tasks.create_task(access.sign_in("Ana", PASSPHRASE, PHONE, stays=False))
        await asyncio.sleep(0.2)
        archive.disk_is_free.set()
    assert removing.result() is None
    assert SignInRefused() == begun.result()


async def test_two_admins_who_remove_each_other_at_once_leave_one(access, archive):
    await access.set_passphrase((await by_link(access)).cookie, PASSPHRASE, "", "Ben", PHONE, stays=True)
    archive.disk_is_free.clear()
    async with asyncio.TaskGroup() as tasks:
        removals = [tasks.create_task(access.remove_account(name)) for name in ("Ana", "Ben")]
        await asyncio.sleep(0)
        archive.disk_is_free.set()
    removed, refused = (each.result() for each in removals)
    assert removed is None
    assert refused is not None
    assert "This is the only admin with an account." == refused.message
    assert ["Ben"] == [each.signed.name for each in access.accounts()]


async def test_an_account_that_is_removed_while_its_passphrase_is_stored_stays_removed(
    access, archive, monkeypatch
):
    ana = await signed_in(access)
    await access.set_passphrase((await by_link(access)).cookie, PASSPHRASE, "", "Ben", PHONE, stays=True)
    save, removed = archive.save_state, []

    async def slow(name: str, value: str, events: Iterable[Event] = ()) -> None:
        await save(name, value, events)
        if name == ACCOUNTS and not removed:
            removed.append("Ana")
            await access.remove_account("Ana")

    monkeypatch.setattr(archive, "save_state", slow)
    assert (
        await access.set_passphrase(ana.cookie, "another four plain words", PASSPHRASE, "", PHONE, stays=True)
        is None
    )
    assert ["Ben"] == [each.signed.name for each in access.accounts()]


async def test_two_people_who_choose_one_name_at_once_do_not_share_an_account(access):
    first, second = (await by_link(access)).cookie, (await by_link(access)).cookie
    others = SignInClient("02:00:00:00:00:02")
    async with asyncio.TaskGroup() as tasks:
        choices = [
            tasks.create_task(access.set_passphrase(first, PASSPHRASE, "", "Ben", PHONE, stays=False)),
            tasks.create_task(
                access.set_passphrase(second, "another four plain words", "", "ben", others, stays=False)
            ),
        ]
    assert [SignedIn, Finding] == [type(each.result()) for each in choices]
    assert isinstance(await access.sign_in("Ben", PASSPHRASE, PHONE, stays=False), SignedIn)


async def by_link(access: AdminAccessService, signed: Signed = ADMIN) -> SignedIn:
    redeemed = await access.redeem((await access.new_token(signed))[0])
    assert redeemed is not None
    return redeemed


async def test_strangers_together_are_limited_and_the_known_browser_is_not(access):
    known = (await signed_in(access)).known
    for number in range(STRANGERS_THROTTLE.mistakes):
        refused = await access.sign_in(
            "ana", WRONG, SignInClient(f"02:00:00:00:01:{number:02x}"), stays=False
        )
    assert isinstance(refused, SignInRefused)
    assert 600 == refused.wait_s
    assert SignInRefused(600) == await access.sign_in("Ana", PASSPHRASE, STRANGER, stays=False)
    other_name = SignInClient(STRANGER.network, known.replace("a", "b"))
    assert SignInRefused(600) == await access.sign_in("Ana", PASSPHRASE, other_name, stays=False)
    assert await signed_in(access, SignInClient(STRANGER.network, known))


async def test_a_link_for_a_name_of_another_role_is_refused(access):
    found = access.why_no_link(Signed("issuer", "ANA", Grant()))
    assert isinstance(found, Finding)
    for fine in (ADMIN, Signed("admin", "ana"), LIBRARY):
        assert access.why_no_link(fine) is None


async def test_a_session_that_is_over_sets_no_passphrase(access):
    assert await access.set_passphrase("x" * 32, PASSPHRASE, "", "Ben", PHONE, stays=True) is None


async def test_a_full_data_folder_signs_in_until_the_restart(access, archive, clock):
    archive._repository.full = True
    lasting = await signed_in(access)
    assert Signed("admin", "Ana") == access.who(lasting.cookie)


async def test_the_sessions_say_how_long_they_last(access, clock):
    own = await signed_in(access, SignInClient("n", browser="Firefox, Android"))
    await signed_in(access, stays=False)
    clock.pass_time(86_400_000 // 4)
    short, lasting = access.sessions(own.cookie)
    assert (6, 0, False, "") == (short.hours_left, short.days_left, short.is_own, short.browser)
    assert (0, 90, True, "Firefox, Android") == (
        lasting.hours_left,
        lasting.days_left,
        lasting.is_own,
        lasting.browser,
    )


async def test_a_use_is_stored_once_a_day(access, archive, clock):
    cookie = (await signed_in(access)).cookie
    before = archive._repository.facts[ACCOUNTS]
    await access.used(cookie)
    assert before is archive._repository.facts[ACCOUNTS]
    clock.pass_time(86_400_000)
    await access.used(cookie)
    await access.used("x" * 32)
    assert '"2026-11-25"' in archive._repository.facts[ACCOUNTS]


async def test_an_account_ends_the_links_and_sessions_of_its_name_that_are_older(access):
    """Or an issuer's link could take an admin's account, the only one even."""
    session, (link, _), boss = (
        await by_link(access, LIBRARY),
        await access.new_token(LIBRARY),
        await by_link(access),
    )
    made = await access.set_passphrase(boss.cookie, PASSPHRASE, "", "Library", PHONE, stays=True)
    assert isinstance(made, SignedIn)
    assert access.who(session.cookie) is None
    assert await access.redeem(link) is None


@pytest.mark.parametrize("stays", [True, False])
async def test_after_a_new_passphrase_a_restart_brings_no_session_back(access, archive, clock, stays):
    older = (
        await signed_in(access, stays=False),
        await signed_in(access),
        await by_link(access, Signed("admin", "Ana")),
    )
    changed = await access.set_passphrase(
        older[0].cookie, "five very new plain words", PASSPHRASE, "", PHONE, stays=stays
    )
    assert isinstance(changed, SignedIn)
    again = await begin(archive, clock)
    assert [None] * 3 == [again.who(each.cookie) for each in older]
    assert Signed("admin", "Ana") == again.who(changed.cookie)


async def test_a_power_cut_during_a_removal_signs_nobody_in(access, archive, clock, monkeypatch):
    await access.set_passphrase((await by_link(access)).cookie, PASSPHRASE, "", "Ben", PHONE, stays=True)
    short = await signed_in(access, stays=False)
    real = archive.save_state

    async def cut(name: str, value: str, events: Iterable[Event] = ()) -> None:
        await real(name, value, events)
        raise KeyboardInterrupt

    monkeypatch.setattr(archive, "save_state", cut)
    with pytest.raises(KeyboardInterrupt):
        await access.remove_account("Ana")
    assert (await begin(archive, clock)).who(short.cookie) is None


async def test_a_change_of_the_passphrase_leaves_no_other_session(access):
    own = await signed_in(access)
    changed = await access.set_passphrase(
        own.cookie, "five very new plain words", PASSPHRASE, "", PHONE, stays=True
    )
    assert isinstance(changed, SignedIn)
    (only,) = access.sessions(changed.cookie)
    assert only.is_own

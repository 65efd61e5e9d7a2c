"""Every act of an admin is an event: who did it, to which account and why, with the present name of the person."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from node.accounts.events import Event, EventQuery
from node.app.admin_events import EventRow, events_about
from node.app.admin_sessions import Signed
from node.app.admin_vouchers import VoucherOrder
from node.app.event_recorder import event_of
from node.app.views import Admitted, CodeTyped, TermsAccepted
from node.errors import StorageTrouble
from node.units import AccountId, Milliseconds
from tests.fakes.use_cases import ANA, BEN, CAI, LISTED, AppFixture, UseCases

PERE = Signed("admin", "Pere")
GUEST = AccountId("guest-0c")


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[UseCases]:
    async with AppFixture(folder=tmp_path).life() as opened:
        await asyncio.to_thread(lambda: opened.files)  # blocks, as in the daemon before its loop runs
        for mac in (CAI, LISTED):
            assert isinstance(await opened.portal.admit(mac, TermsAccepted(), "1"), Admitted)
        yield opened


async def rows(app: UseCases, **wanted: object) -> tuple[EventRow, ...]:
    return (await app.admin.events.find(EventQuery(**wanted))).rows  # type: ignore[arg-type]


async def acts(app: UseCases, **wanted: object) -> list[tuple[str, str, str]]:
    """Kind, account and reason, the oldest first."""
    found = (row.found.event for row in reversed(await rows(app, **wanted)))
    return [(each.kind, each.account, each.text) for each in found]


async def test_what_is_done_to_a_person_is_recorded_with_the_reason(app: UseCases) -> None:
    people = app.admin.people
    assert await people.block(GUEST, CAI, "Noise", by=PERE) is None
    assert await people.unblock(CAI, by=PERE) is None
    assert await people.block(GUEST, None, "Again", Milliseconds(3_600_000), by=PERE) is None
    assert [
        ("blocked", GUEST, "Noise"),
        ("unblocked", GUEST, ""),
        ("paused", GUEST, "Again"),
    ] == await acts(app)
    assert {"admin Pere"} == {row.found.event.by for row in await rows(app)}


async def test_what_was_refused_is_no_event(app: UseCases) -> None:
    people = app.admin.people
    assert await people.unblock(CAI, by=PERE) is not None
    assert await people.block("carme", None, "why", by=PERE) is not None
    assert await people.take_back_extension(GUEST, by=PERE) is not None
    assert [] == await acts(app)


async def test_vouchers_are_one_event_with_their_number(app: UseCases) -> None:
    order = VoucherOrder(3, "day-pass", Milliseconds(86_400_000), 0, "")
    vouchers = app.admin.vouchers
    key = vouchers.idempotency_key("c")
    for _ in range(2):  # a double click
        issued = await vouchers.issue(PERE, order, "c", key)
    assert not isinstance(issued, tuple)
    assert await vouchers.revoke_voucher(PERE, issued.codes[0], back=False) is None
    assert 2 == await vouchers.revoke_batch(PERE, issued.batch.number, back=False)
    events = [row.found.event for row in await rows(app)]
    assert [("batch-revoked", 2), ("voucher-revoked", 1), ("vouchers-issued", 3)] == [
        (each.kind, each.count) for each in events
    ]
    assert events[1].account.startswith("voucher-")


async def test_people_are_found_by_their_name_which_no_event_holds(app: UseCases) -> None:
    assert await app.admin.people.block("ana", LISTED, "Noise", by=PERE) is None
    (found,) = await rows(app, text="PUIG")
    assert ("ana", "Ana Puig") == (found.found.event.account, found.name)
    assert "Puig" not in repr(app.node.repository.registry.events)
    assert [] == await acts(app, text="Pug")


async def test_a_search_in_the_words_of_the_page_finds_what_was_done(app: UseCases) -> None:
    await app.admin.people.block(GUEST, CAI, "Noise", by=PERE)
    assert 1 == len(await rows(app, text="blocked"))
    assert 0 == len(await rows(app, text="unblocked"))


async def test_pages_go_back_to_the_first_event(app: UseCases) -> None:
    for number in range(7):
        await app.admin.people.block(GUEST, CAI, f"reason {number}", by=PERE)
        await app.admin.people.unblock(CAI, by=PERE)
    seen, before = [], 0
    while True:
        found = await app.admin.events.find(EventQuery(before=before), size=4)
        seen += [row.found.event.key for row in found.rows]
        if not found.before:
            break
        before = found.before
    assert 14 == len(seen) == len(set(seen))


async def test_a_person_reads_what_was_done_to_their_account_and_nothing_else(app: UseCases) -> None:
    await app.admin.people.block(GUEST, CAI, "Noise", by=PERE)
    await app.admin.people.unblock(CAI, by=PERE)
    await app.admin.people.block("ana", LISTED, "Of Ana", by=PERE)
    assert isinstance(await app.portal.admit(CAI, TermsAccepted(), "1"), Admitted)
    read = await app.portal.admin_acts(CAI)
    assert ["unblocked", "blocked"] == [each.event.kind for each in read]
    data = await app.portal.own_data(CAI)
    assert [("Unblocked", ""), ("Blocked", "Noise")] == [
        (row["act"], row["reason"])
        for row in data["admin_acts"]  # type: ignore[attr-defined]
    ]
    assert () == await app.portal.admin_acts(LISTED), "it is blocked"


async def test_after_erasure_the_act_is_there_without_the_person(app: UseCases) -> None:
    await app.admin.people.block(GUEST, CAI, "Noise at night", by=PERE)
    await app.admin.people.unblock(CAI, by=PERE)
    await app.portal.erase(CAI)
    assert [("blocked", "", ""), ("unblocked", "", "")] == await acts(app)


async def test_on_a_full_disk_neither_the_act_nor_its_event_is_stored_and_then_both(app: UseCases) -> None:
    app.node.repository.full = True
    await app.admin.people.block(GUEST, CAI, "Noise", by=PERE)
    assert "removed" not in {each.session.state for each in app.node.repository.sessions.values()}
    assert {} == app.node.repository.registry.events
    with pytest.raises(StorageTrouble):
        await rows(app)
    assert () == await events_about(app.node.archive, GUEST, 9)
    app.node.repository.full = False
    await app.loop.persistence.save()
    assert [("blocked", GUEST, "Noise")] == await acts(app)
    assert "removed" in {each.session.state for each in app.node.repository.sessions.values()}


async def test_a_household_is_blocked_in_one_transaction_with_its_event(
    app: UseCases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever happens to the node: all its devices are blocked and somebody can read why, or nothing of it."""
    (code,) = await app.codes()
    for mac in (ANA, BEN):
        assert isinstance(await app.portal.admit(mac, CodeTyped(code), "1"), Admitted)
    repository, saved = app.node.repository, list[tuple[list[str], list[str]]]()
    save_sessions = repository.save_sessions

    async def noting(sessions, minors, day, changes=()) -> None:
        kept, kept_changes = tuple(sessions), tuple(changes)
        kinds = [each.kind for each in kept_changes if isinstance(each, Event)]
        saved.append(([each.session.state for each in kept], kinds))
        await save_sessions(kept, minors, day, kept_changes)

    monkeypatch.setattr(repository, "save_sessions", noting)
    assert await app.admin.people.block(app.loop.account_of(ANA), None, "Noise", by=PERE) is None
    assert (["removed", "removed"], ["blocked"]) == saved[0]


async def test_an_event_of_a_label_is_by_that_label(app: UseCases) -> None:
    event = event_of(app.loop, "issuer library", "vouchers-issued", about="4")
    assert ("issuer library", "4", 1) == (event.by, event.about, event.count)

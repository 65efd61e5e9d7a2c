"""The account registry's storage, one suite for both repositories: saved rows come back unchanged and expire on
time.
"""

import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from node.accounting.ledger import ERASED_MAX, Booking, ErasureNote, UsageBucket, UsageKey
from node.accounting.periods import DAY_UNKNOWN
from node.accounting.session_leases import Lease, SavedLease
from node.accounts.account_list import account_list
from node.accounts.appearance import Appearance, WelcomeText
from node.accounts.changes import (
    CardsVoid,
    Change,
    LadderCase,
    LadderCaseGone,
    Message,
    MessageGone,
    NoticeGone,
    ObjectionGone,
    PassphraseGone,
    PassphraseHash,
    SavedVoucher,
    StoredAccounts,
    Unbound,
)
from node.accounts.device_bindings import Binding
from node.accounts.notices import Notice, NoticeText
from node.accounts.objections import Objection
from node.accounts.registry_record import RecordGone, RecordRow
from node.accounts.rule_objections import RuleObjection, RuleObjectionGone
from node.accounts.terms import Terms, TermsText
from node.accounts.vouchers import Batch, Voucher
from node.control.ports import Repository
from node.governance.adoption import AdoptionRecord, sealed
from node.sessions.stored import SavedSession, Session
from node.storage import migrations
from node.storage.copies import salvage
from node.storage.database import Store
from node.storage.integrity import check, drop_suspects
from node.storage.repository import StoredArchive, StoredPageCache, StoredRepository
from node.units import AccountId, Bytes, MacAddress, Milliseconds, Monotonic, NodeId, Usage
from tests.examples import examples
from tests.fakes.registry_repository import place_of
from tests.fakes.repository import FakeRepository

ROOT = Path(__file__).parents[2]
DAY_S = 86_400
ANA, BEN = MacAddress("02:00:00:00:00:0a"), MacAddress("02:00:00:00:00:0b")
CASE = LadderCase(
    3, AccountId("ana"), "big-users", 2, "share 50 for 7 days", 7, "Molt", "admin Pere", 1_795_000_000, "boot-1",
    Monotonic(9), 8, 2, 1_795_000_100, 7, True, "lifted", 1_795_000_200, "admin Ana",
)  # fmt: skip
HOUSE = AccountId("voucher-abc")


def batch(number: int = 1, day: str = "2026-11-24") -> Batch:
    return Batch(number, "day-pass", Milliseconds(DAY_S * 1000), 3, day, "issuer, Pere", "for the fair")


def voucher(
    name: str = "f1", number: int = 1, ends_wall_s: int | None = None, *, used: bool = True
) -> SavedVoucher:
    lease = Lease(Monotonic(5), Monotonic(DAY_S * 1000 + 5))
    saved = SavedLease(lease, "boot-1", ends_wall_s) if used else None
    return SavedVoucher(Voucher(name, number, AccountId(f"voucher-{name}"), used_day="2026-11-24"), saved)


def binding(mac: MacAddress = ANA, day: str = "2026-11-24") -> Binding:
    return Binding(mac, HOUSE, "voucher", day, "Ana’s phone")


async def save(memory: Repository, changes: Iterable[Change]) -> None:
    """As the daemon does: with the sessions, of which there are none here."""
    await memory.save_sessions([], [], "2026-11-24", changes)


async def registry(memory: Repository) -> StoredAccounts:
    return (await memory.recall()).registry


texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)
days = st.sampled_from(["", "2026-11-24", "unknown"])
numbers = st.integers(1, 3)
accounts = st.sampled_from(["ana", "voucher-abc"]).map(AccountId)
macs = st.sampled_from([ANA, BEN])
leases = st.builds(
    SavedLease,
    st.builds(Lease, st.integers(0, 9).map(Monotonic), st.integers(10, 2**40).map(Monotonic)),
    texts,
    st.none() | st.integers(0, 2**40),
)
changes = st.one_of(
    st.builds(
        Batch, numbers, texts, st.integers(1, 2**40).map(Milliseconds), numbers, days, texts, texts, st.booleans(),
        st.sampled_from([None, "a" * 52]), numbers, st.sampled_from(["", "abcdefghijkl"]),
    ),
    st.builds(
        SavedVoucher,
        st.builds(Voucher, texts, numbers, accounts, st.none(), st.booleans(), days, st.booleans()),
        st.none() | leases,
    ),
    st.builds(Binding, macs, accounts, st.sampled_from(["terms", "card"]), days, texts, st.none() | accounts),
    st.builds(Unbound, macs),
    st.builds(PassphraseHash, accounts, texts),
    st.builds(PassphraseGone, accounts),
    st.builds(CardsVoid, accounts, st.integers(0, 2**40)),
    st.builds(Objection, numbers, accounts, days, texts, texts, texts, days),
    st.builds(ObjectionGone, numbers),
    st.builds(RuleObjection, accounts, numbers, texts, days, texts),
    st.builds(RuleObjectionGone, accounts, st.integers(1, 3)),
    st.builds(Message, accounts, numbers, days, texts, texts, st.booleans(), days),
    st.builds(MessageGone, accounts),
    st.builds(
        LadderCase, numbers, accounts, texts, numbers, texts, numbers, texts, texts, st.integers(0, 2**40), texts,
        st.integers(0, 2**40).map(Monotonic), is_answered=st.booleans(), ending=st.sampled_from(["", "over", "lifted"]),
    ),
    st.builds(LadderCaseGone, numbers),
    st.builds(
        Notice, numbers, texts, texts, days, days, st.booleans(),
        st.lists(st.builds(NoticeText, texts, texts, texts), max_size=2).map(tuple), texts,
    ),
    st.builds(NoticeGone, numbers),
    st.builds(
        Appearance, texts, texts, st.lists(st.builds(WelcomeText, texts, texts), max_size=2).map(tuple), texts, texts,
        texts, texts,
    ),
    st.builds(Terms, texts, st.lists(st.builds(TermsText, texts, texts), max_size=2).map(tuple), days, texts),
)  # fmt: skip


async def test_saved_rows_come_back_in_the_next_run(memories: Callable[[], Repository]) -> None:
    kept = StoredAccounts(
        batches=(batch(),),
        vouchers=(voucher("f1", ends_wall_s=1_800_000_000), voucher("f2", used=False)),
        bindings=(binding(),),
        passphrases=(PassphraseHash(AccountId("ana"), "scrypt$…"),),
        cards_void=(CardsVoid(AccountId("ana"), 7),),
        objections=(Objection(1, AccountId("ana"), "2026-11-24", "guest-top", "Per què?", key="00ff-hill"),),
        rule_objections=(RuleObjection(AccountId("ana"), 4, "f4", "2026-11-24", "A la nit no."),),
        ladder_cases=(CASE,),
        notices=(
            Notice(
                1, "zone:valley", "members", "", "2026-12-01", True, (NoticeText("ca", "Festa", "Dijous"),)
            ),
        ),
        terms=(Terms("2", (TermsText("ca", "Sigueu amables"), TermsText("en", "Be kind"))),),
        appearance=(
            Appearance(
                "#0a6848", "#6fd6ae", (WelcomeText("ca", "Hola"),), "Vall", "12345678", "data:", "Pere"
            ),
        ),
        records=(
            RecordRow("cards", "ana", 2, "", '{"below":7}'),
            RecordRow("cards", "pere", 1, "2028-01-01", "{}"),
        ),
    )
    rows = [*kept.batches, *kept.vouchers, *kept.bindings, *kept.passphrases]
    await save(
        memories(),
        [
            *rows,
            *kept.cards_void,
            *kept.objections,
            *kept.rule_objections,
            *kept.ladder_cases,
            *kept.notices,
            *kept.terms,
            *kept.appearance,
            *kept.records,
            RecordRow("passphrase", "ana", 1, "", "{}"),
            RecordGone("passphrase", "ana"),
        ],
    )
    assert kept == await registry(memories())


async def test_a_row_saved_again_is_overwritten_and_keeps_its_position(
    memories: Callable[[], Repository],
) -> None:
    memory = memories()
    await save(memory, [binding(ANA), binding(BEN)])
    renamed = Binding(ANA, HOUSE, "voucher", "2026-11-24", "the old phone")
    await save(memory, [renamed, renamed])
    assert (renamed, binding(BEN)) == (await registry(memory)).bindings


async def test_a_deleted_row_is_gone(memories: Callable[[], Repository]) -> None:
    memory = memories()
    objection = Objection(1, AccountId("ana"), "2026-11-24", "guest-top", "why?")
    notice = Notice(1, "network", "everyone", "", "", False, ())
    await save(memory, [binding(), objection, notice, PassphraseHash(AccountId("ana"), "x")])
    await save(memory, [Unbound(ANA), ObjectionGone(1), NoticeGone(1), PassphraseGone(AccountId("ana"))])
    assert StoredAccounts() == await registry(memory)


@given(st.lists(st.lists(changes, max_size=5), max_size=5))
@settings(
    max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_both_repositories_agree_after_any_sequence(tmp_path: Path, story: list[list[Change]]) -> None:
    fake, store = FakeRepository(), Store(tmp_path / "story" / "procomu.db")
    try:
        await store.run(_empty)
        stored = StoredRepository(store)
        for chapter in story:
            await save(fake, chapter)
            await save(stored, chapter)
        assert _sorted(await registry(fake)) == _sorted(await registry(stored))
    finally:
        store.close()


def _empty(db: object) -> None:
    for table in (
        "appearance",
        "batches",
        "vouchers",
        "bindings",
        "passphrases",
        "cards_void",
        "contests",
        "rule_objections",
        "ladder_cases",
        "notices",
        "terms",
        "messages",
        "events",
        "registry_records",
    ):
        db.execute(f"DELETE FROM {table}")  # type: ignore[attr-defined]


def _sorted(kept: StoredAccounts) -> list[list[object]]:
    return [sorted(rows, key=lambda row: repr(place_of(row))) for rows in _tables(kept)]  # type: ignore[arg-type]


def _tables(kept: StoredAccounts) -> list[tuple[object, ...]]:
    return [getattr(kept, name) for name in StoredAccounts.__dataclass_fields__]


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from tests.contracts.test_registry_repository import ANA, binding, save, voucher
from node.storage.database import Store
from node.storage.repository import StoredRepository

async def life() -> None:
    memory = StoredRepository(Store(Path(sys.argv[1])))
    for number in range(10_000):
        await save(memory, [voucher(f"f{number}"), binding()])
        print(number, flush=True)

asyncio.run(life())
"""


async def test_a_kill_in_the_middle_keeps_everything_that_was_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "procomu.db"
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, cwd=ROOT, text=True
    ) as writer:
        assert writer.stdout is not None
        told = [int(writer.stdout.readline()) for _ in range(50)]
        writer.kill()
        told += [int(line) for line in writer.stdout if line.endswith("\n")]
    store = Store(path)
    try:
        kept = await registry(StoredRepository(store))
    finally:
        store.close()
    assert {f"f{number}" for number in told} <= {each.voucher.fingerprint for each in kept.vouchers}
    assert (binding(),) == kept.bindings


async def test_a_database_of_the_first_schema_is_migrated_and_keeps_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "procomu.db"
    session = SavedSession(
        Session(ANA, 1, AccountId("ana"), "admitted", "1", Monotonic(0), None), "boot", None
    )
    with monkeypatch.context() as before:
        before.setattr(migrations, "MIGRATIONS", migrations.MIGRATIONS[:1])
        old = Store(path)
        try:
            await old.run(lambda db: db.execute("INSERT INTO facts VALUES ('incarnation', 'x')"))
            await old.run(
                lambda db: db.execute(
                    "INSERT INTO sessions VALUES (?, 1, 'ana', 'admitted', '1', 'boot', 0, NULL, NULL, '', '2026-11-24')",
                    [ANA],
                )
            )
        finally:
            old.close()
    store = Store(path)
    try:
        remembered = await StoredRepository(store).recall()
        assert (session,) == remembered.sessions
        assert {"incarnation": "x"} == dict(remembered.facts)
        await save(StoredRepository(store), [binding()])
    finally:
        store.close()
    with sqlite3.connect(path) as plain:
        assert [(len(migrations.MIGRATIONS),)] == plain.execute("PRAGMA user_version").fetchall()
    plain.close()


async def test_objections_and_the_log_of_before_there_were_drafts_are_migrated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, ana = tmp_path / "procomu.db", AccountId("ana")
    first = sealed(AdoptionRecord("edited", "2026-11-24T12:00", "admin", "f1", "one"), 1, "")
    with monkeypatch.context() as before:
        before.setattr(migrations, "MIGRATIONS", migrations.MIGRATIONS[:9])
        old = Store(path)
        try:
            values = ["ana", 1, "f1", "2026-11-24", "Why?"]
            await old.run(lambda db: db.execute("INSERT INTO rule_objections VALUES (?, ?, ?, ?, ?)", values))
            columns = "kind, adopted, by, fingerprint, text, number, prev, hash"
            row = [getattr(first, name) for name in columns.split(", ")]
            insert = f"INSERT INTO rule_versions ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
            await old.run(lambda db: db.execute(insert, row))
        finally:
            old.close()
    store = Store(path)
    try:
        kept = RuleObjection(ana, 1, "f1", "2026-11-24", "Why?")
        assert (kept,) == (await registry(StoredRepository(store))).rule_objections
        await save(StoredRepository(store), [RuleObjection(ana, 2, "f2", "2026-11-25", "")])
        await save(StoredRepository(store), [RuleObjectionGone(ana, 1)])
        assert [2] == [each.version for each in (await registry(StoredRepository(store))).rule_objections]
        archive = StoredArchive(store)
        await archive.append(AdoptionRecord("draft", "2026-11-25T12:00", "admin", "f2", "two", meaning="m"))
        history, damaged = await archive.history()
        assert (0, [2, 1]) == (damaged, [each.number for each in history.versions()])
        assert [2] == [each.number for each in history.state.drafts]
    finally:
        store.close()


async def test_sessions_and_the_registry_are_saved_together_or_not_at_all(tmp_path: Path) -> None:
    store = Store(tmp_path / "procomu.db")
    memory = StoredRepository(store)
    broken = SavedSession(Session(ANA, 1, AccountId("ana"), "admitted", "1", None, None), "boot", None)  # type: ignore[arg-type]
    try:
        with pytest.raises(sqlite3.IntegrityError):
            await memory.save_sessions([broken], [], "2026-11-24", [binding()])
        assert StoredAccounts() == (await memory.recall()).registry
    finally:
        store.close()


NOON_S = 1_795_521_600
"""2026-11-24 12:00 UTC."""


@pytest.fixture
async def old_things(tmp_path: Path) -> AsyncIterator[StoredRepository]:
    store = Store(tmp_path / "procomu.db")
    yield StoredRepository(store)
    store.close()


async def forgotten(
    memory: StoredRepository, rows: list[Change], today: str = "2026-11-24"
) -> StoredAccounts:
    await save(memory, rows)
    await memory.forget(ended_before="2026-10-25", used_before="2025-10-20", today=today)
    return await registry(memory)


async def test_a_voucher_is_kept_for_thirty_days_after_its_end(old_things: StoredRepository) -> None:
    ends = {"gone": NOON_S - 31 * DAY_S, "fresh": NOON_S - 29 * DAY_S, "lasting": NOON_S + DAY_S}
    rows: list[Change] = [batch(day="2025-01-01"), *(voucher(name, 1, end) for name, end in ends.items())]
    kept = await forgotten(old_things, rows)
    assert {"fresh", "lasting"} == {each.voucher.fingerprint for each in kept.vouchers}
    assert 1 == len(kept.batches)


async def test_an_unused_batch_is_deleted_after_thirteen_months(old_things: StoredRepository) -> None:
    rows: list[Change] = [batch(1, "2025-10-19"), batch(2, "2025-10-21")]
    rows += [voucher("old", 1, used=False), voucher("new", 2, used=False)]
    kept = await forgotten(old_things, rows)
    assert ["new"] == [each.voucher.fingerprint for each in kept.vouchers]
    assert [2] == [each.number for each in kept.batches]


def listed_batch(number: int, day: str, *names: str) -> Batch:
    """As another node lists it."""
    accounts = account_list(AccountId(f"voucher-{name}") for name in names)
    return replace(
        batch(number, day), issued_by="", note="", origin=NodeId("a" * 52), origin_number=9, accounts=accounts
    )


async def test_an_ended_voucher_of_another_node_is_taken_out_of_its_list(
    old_things: StoredRepository,
) -> None:
    gone, fresh, unused = ("abcdefghijk" + last for last in "abc")
    rows: list[Change] = [listed_batch(1, "2026-10-01", gone, fresh, unused)]
    rows += [voucher(gone, 1, NOON_S - 31 * DAY_S), voucher(fresh, 1, NOON_S - 29 * DAY_S)]
    kept = await forgotten(old_things, rows)
    assert [fresh] == [each.voucher.fingerprint for each in kept.vouchers]
    assert [fresh + unused] == [each.accounts for each in kept.batches]


async def test_an_empty_list_of_another_node_is_kept_until_it_is_old(old_things: StoredRepository) -> None:
    only = "abcdefghijka"
    rows: list[Change] = [listed_batch(1, "2026-10-01", only), listed_batch(2, "2025-10-01", only), batch(3)]
    rows += [voucher(only, 1, NOON_S - 31 * DAY_S), voucher("new", 3, used=False)]
    kept = await forgotten(old_things, rows)
    assert [(1, ""), (3, "")] == [(each.number, each.accounts) for each in kept.batches]


async def test_of_an_old_list_only_vouchers_in_use_are_kept(old_things: StoredRepository) -> None:
    used, unused = "abcdefghijka", "abcdefghijkb"
    rows: list[Change] = [listed_batch(1, "2025-10-01", used, unused), voucher(used, 1, NOON_S + DAY_S)]
    await save(old_things, rows)
    forgotten_now = await old_things.forget(
        ended_before="2026-10-25", used_before="2025-10-20", today="2026-11-24"
    )
    kept = await registry(old_things)
    assert (1,) == forgotten_now.batches
    assert [(1, "")] == [(each.number, each.accounts) for each in kept.batches]
    assert [used] == [each.voucher.fingerprint for each in kept.vouchers]


async def test_the_number_of_the_last_batch_is_not_used_again(old_things: StoredRepository) -> None:
    kept = await forgotten(old_things, [batch(4, "2025-01-01"), voucher("old", 4, used=False)])
    assert ((), [4]) == (kept.vouchers, [each.number for each in kept.batches])


@pytest.mark.parametrize("day", ["", "2099-01-01"])
async def test_unused_vouchers_issued_without_a_clock_or_by_a_wrong_one_count_from_today(
    old_things: StoredRepository, day: str
) -> None:
    kept = await forgotten(old_things, [batch(1, day), voucher("unused", 1, used=False)])
    assert (1, ["2026-11-24"]) == (len(kept.vouchers), [each.issued_day for each in kept.batches])


@pytest.mark.parametrize("day", ["", "2099-01-01"])
async def test_messages_sent_or_read_without_a_clock_or_by_a_wrong_one_count_from_today(
    old_things: StoredRepository, day: str
) -> None:
    """Else they were kept without end, or gone as soon as they were read."""
    sent = Message(AccountId("ana"), 1, day, "admin", "The mast is repaired on Monday.")
    read = Message(AccountId("ben"), 2, day, "admin", "Thank you.", is_read=True, read_day=day)
    kept = await forgotten(old_things, [sent, read])
    assert {
        replace(sent, day="2026-11-24"),
        replace(read, day="2026-11-24", read_day="2026-11-24"),
    } == {*kept.messages}
    later = await old_things.forget(ended_before="2028-01-01", used_before="2027-12-20", today="2028-01-24")
    assert {"ana", "ben"} == {*later.messages}


async def test_a_wholly_revoked_batch_of_before_becomes_one_fact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "procomu.db"
    with monkeypatch.context() as before:
        before.setattr(migrations, "MIGRATIONS", migrations.MIGRATIONS[:13])
        old = Store(path)
        await old.run(lambda db: db.execute("PRAGMA user_version").fetchone())
        old.close()
    with closing(sqlite3.connect(path)) as db:
        for number in (1, 2):
            db.execute(
                "INSERT INTO batches VALUES (?, 'day-pass', 86400000, 3, '2026-11-24', 'admin', '')", [number]
            )
        for name, number, is_revoked in (("a", 1, 1), ("b", 1, 1), ("c", 2, 1), ("d", 2, 0)):
            row = [name, number, f"voucher-{name}", is_revoked]
            db.execute("INSERT INTO vouchers VALUES (?, ?, ?, ?, '', NULL, NULL, NULL, NULL)", row)
        db.commit()
    store = Store(path)
    kept = await registry(StoredRepository(store))
    store.close()
    assert [(1, True), (2, False)] == [(each.number, each.is_revoked) for each in kept.batches]
    assert {"a": False, "b": False, "c": True, "d": False} == {
        each.voucher.fingerprint: each.voucher.is_revoked for each in kept.vouchers
    }


async def test_a_device_is_known_for_thirteen_months_after_it_was_last_here(
    old_things: StoredRepository,
) -> None:
    seen = Session(BEN, 2, HOUSE, "expired", "1", Monotonic(0), None)
    await old_things.save_sessions([SavedSession(seen, "boot", None)], [], "2025-12-01")
    kept = await forgotten(old_things, [binding(ANA, "2025-01-01"), binding(BEN, "2025-01-01")])
    assert [BEN] == [each.mac for each in kept.bindings]


async def test_a_device_that_never_left_is_known_however_long_ago_it_came(
    old_things: StoredRepository,
) -> None:
    here = Session(ANA, 2, HOUSE, "admitted", "1", Monotonic(0), None)
    await old_things.save_sessions([SavedSession(here, "boot", None)], [], "2025-01-01")
    kept = await forgotten(old_things, [binding(ANA, "2025-01-01")])
    assert [ANA] == [each.mac for each in kept.bindings]


async def test_an_answered_objection_and_an_expired_notice_are_deleted(old_things: StoredRepository) -> None:
    rows: list[Change] = [
        Objection(1, HOUSE, "2024-01-01", "r", "t", "yes", "2025-10-01"),
        Objection(2, HOUSE, "2024-01-01", "r", "t"),
        Notice(1, "network", "everyone", "", "2026-10-20", False, ()),
        Notice(2, "network", "everyone", "", "", False, ()),
    ]
    kept = await forgotten(old_things, rows)
    assert [2] == [each.number for each in kept.objections], "one that nobody answered stays"
    assert [2] == [each.number for each in kept.notices]


async def test_rows_written_before_the_date_was_known_are_deleted_in_their_time(
    old_things: StoredRepository,
) -> None:
    kept = await forgotten(old_things, [binding(ANA, "unknown")])
    assert ["2026-11-24"] == [each.bound_day for each in kept.bindings]
    await old_things.forget(ended_before="2028-01-01", used_before="2028-01-01", today="2028-12-01")
    assert () == (await old_things.recall()).registry.bindings


async def test_pages_of_other_nodes_written_before_the_date_was_known_are_deleted_in_their_time(
    tmp_path: Path,
) -> None:
    """Of an author who left the community nothing else deletes them."""
    store = Store(tmp_path / "procomu.db")
    try:
        memory, cache = StoredRepository(store), StoredPageCache(store, lambda: DAY_UNKNOWN)
        await cache.save([("page", b"signed")])
        await memory.forget(ended_before="2026-10-25", used_before="2025-10-20", today="2026-11-24")
        assert {"page": b"signed"} == await cache.read(await cache.names())
        await memory.forget(ended_before="2027-12-01", used_before="2027-01-01", today="2027-12-31")
        assert [] == await cache.names()
        assert {} == await cache.read(["page"])
    finally:
        store.close()


def bucket(account: str, day: str) -> tuple[UsageKey, UsageBucket]:
    used = Usage(Bytes(5), Bytes(0))
    return UsageKey(NodeId("n" * 52), "life", AccountId(account), day), UsageBucket(used, used)


async def test_an_erased_device_leaves_only_this_months_usage_until_the_month_is_over(
    old_things: StoredRepository,
) -> None:
    async def days() -> set[str]:
        return {key.day for key, _ in (await old_things.recall()).buckets if key.account == HOUSE}

    seen = Session(ANA, 2, HOUSE, "expired", "1", Monotonic(0), None)
    await old_things.save_sessions([SavedSession(seen, "boot", None)], [], "2026-11-24", [binding()])
    used = ("2026-10-31", "2026-11-01", "2026-11-24", "2026-11-25")
    undated = bucket(HOUSE, DAY_UNKNOWN)
    buckets = [undated, *(bucket(HOUSE, day) for day in used), bucket("ana", "2026-10-31")]
    await old_things.book(Booking(tuple(buckets), None, {}))
    await old_things.erase(ANA, HOUSE, "2026-11-24")
    remembered = await old_things.recall()
    assert ((), (), ()) == (remembered.sessions, remembered.marks, remembered.registry.bindings)
    assert {*used[1:]} == await days(), "earlier months, and what nobody knows the day of, go at once"
    for today, left in (("2026-11-30", {*used[1:]}), ("2026-12-01", {"2026-11-25"})):
        forgotten = await old_things.forget(ended_before="2026-10-31", used_before="2025-10-31", today=today)
        assert left == await days()
    assert (ErasureNote(HOUSE, "2026-11-24", is_over=True),) == forgotten.erased
    assert 1 == len([key for key, _ in (await old_things.recall()).buckets if key.account == "ana"])


async def test_bytes_of_unknown_days_written_after_an_erasure_go_with_the_erased_month(
    old_things: StoredRepository,
) -> None:
    await old_things.erase(ANA, HOUSE, "2026-11-24")
    late = (bucket(HOUSE, DAY_UNKNOWN), bucket(HOUSE, "2026-11-25"), bucket("ana", DAY_UNKNOWN))
    await old_things.book(Booking(late, None, {}))
    await old_things.forget(ended_before="2026-10-31", used_before="2025-10-31", today="2026-12-01")
    kept = {(key.account, key.day) for key, _ in (await old_things.recall()).buckets}
    assert (HOUSE, "2026-11-25") in kept, "of an account that came again, days after the erasure stay"
    assert ("ana", DAY_UNKNOWN) in kept, "nobody else loses anything"
    assert (HOUSE, DAY_UNKNOWN) not in kept


async def test_erased_days_do_not_come_back_when_their_month_is_over_and_later_ones_count(
    old_things: StoredRepository,
) -> None:
    await old_things.erase(ANA, HOUSE, "2026-11-24")
    await old_things.forget(ended_before="2026-10-31", used_before="2025-10-31", today="2026-12-01")
    assert (ErasureNote(HOUSE, "2026-11-24", is_over=True),) == (await old_things.recall()).erased
    days = ("2026-10-31", "2026-11-24", "2026-11-25", "2026-12-01", DAY_UNKNOWN)
    for _ in range(2):
        await old_things.book(Booking(tuple(bucket(HOUSE, day) for day in days), None, {}))
        kept = {key.day for key, _ in (await old_things.recall()).buckets if key.account == HOUSE}
        assert {"2026-11-25", "2026-12-01", DAY_UNKNOWN} == kept, "own bytes of unknown days are new ones"
        again = await old_things.forget(
            ended_before="2026-10-31", used_before="2025-10-31", today="2026-12-02"
        )
        assert () == again.erased, "and they are dropped once"


async def test_an_erasure_is_remembered_and_effective_for_thirteen_months(
    old_things: StoredRepository,
) -> None:
    await old_things.erase(ANA, HOUSE, "2026-11-24")
    for today, used_before, known in (
        ("2027-12-29", "2026-11-24", [True]),
        ("2027-12-30", "2026-11-25", []),
    ):
        await old_things.forget(ended_before="2027-10-31", used_before=used_before, today=today)
        assert known == [each.is_over for each in (await old_things.recall()).erased]
    late = (bucket(HOUSE, "2026-11-24"), bucket(HOUSE, "2027-12-30"))
    await old_things.book(Booking(late, None, {}))
    await old_things.forget(ended_before="2027-10-31", used_before="2026-11-25", today="2027-12-30")
    assert {"2027-12-30"} == {key.day for key, _ in (await old_things.recall()).buckets}


async def test_an_account_erased_twice_is_remembered_with_the_later_day(old_things: StoredRepository) -> None:
    await old_things.erase(ANA, HOUSE, "2026-11-24")
    await old_things.forget(ended_before="2026-10-31", used_before="2025-10-31", today="2026-12-01")
    for day, note in (
        ("2026-11-20", ErasureNote(HOUSE, "2026-11-24", is_over=True)),
        ("2026-11-24", ErasureNote(HOUSE, "2026-11-24", is_over=True)),
        ("2026-12-05", ErasureNote(HOUSE, "2026-12-05")),
    ):
        await old_things.erase(None, HOUSE, day)
        assert (note,) == (await old_things.recall()).erased


async def test_an_erasure_dated_in_the_future_counts_as_one_of_today(
    old_things: StoredRepository,
) -> None:
    """The clock ran a year ahead."""
    await old_things.erase(ANA, HOUSE, "2027-12-29")
    forgotten = await old_things.forget(
        ended_before="2026-10-31", used_before="2025-10-31", today="2026-11-24"
    )
    assert (ErasureNote(HOUSE, "2026-11-24"),) == forgotten.erased == (await old_things.recall()).erased
    await old_things.book(Booking((bucket(HOUSE, "2026-11-25"),), None, {}))
    assert {"2026-11-25"} == {key.day for key, _ in (await old_things.recall()).buckets}


async def test_of_very_many_erasures_the_latest_are_in_memory_and_all_are_effective(tmp_path: Path) -> None:
    store = Store(tmp_path / "procomu.db")
    memory = StoredRepository(store)
    try:
        rows = [(f"guest-{number}", "2026-10-01", 1) for number in range(ERASED_MAX)]
        await store.run(lambda db: db.executemany("INSERT INTO erasures VALUES (?, ?, ?)", rows) and None)
        await memory.erase(ANA, HOUSE, "2026-11-24")
        remembered = (await memory.recall()).erased
        assert (ERASED_MAX, HOUSE) == (len(remembered), remembered[-1].account)
        late = tuple(bucket(account, "2026-09-30") for account, _, _ in rows)
        await memory.book(Booking(late, None, {}))
        assert () == await memory.buckets(since="")
    finally:
        store.close()


async def test_an_erasure_by_an_older_version_is_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "procomu.db"
    with monkeypatch.context() as before:
        before.setattr(migrations, "MIGRATIONS", migrations.MIGRATIONS[:3])
        old = Store(path)
        try:
            await old.run(lambda db: db.execute("INSERT INTO erasures VALUES ('ana', '2026-11-24')"))
        finally:
            old.close()
    store = Store(path)
    try:
        assert (ErasureNote(AccountId("ana"), "2026-11-24"),) == (
            await StoredRepository(store).recall()
        ).erased
    finally:
        store.close()


def test_erasures_of_an_older_versions_damaged_database_are_read(tmp_path: Path) -> None:
    damaged, into = tmp_path / "damaged.db", sqlite3.connect(":memory:", isolation_level=None)
    migrations.migrate(into)
    with sqlite3.connect(damaged) as old:
        old.execute("CREATE TABLE erasures (account TEXT PRIMARY KEY, until_day TEXT NOT NULL) STRICT")
        old.execute("INSERT INTO erasures VALUES ('ana', '2026-11-24')")
    old.close()
    assert 1 == salvage(damaged, into, has_copy=False, newer_than=0)
    assert [("ana", "2026-11-24", 0)] == into.execute("SELECT * FROM erasures").fetchall()
    into.close()


@pytest.mark.parametrize(
    ("day", "is_over"),
    [("2026-11-24", 2), ("2026-13-24", 0), ("2026-02-30", 0), ("9999-12-31", 1), ("0000-11-24", 0), ("", 0)],
)
def test_an_erasure_row_that_no_node_writes_is_damage(day: str, is_over: int) -> None:
    db = sqlite3.connect(":memory:", isolation_level=None)
    migrations.migrate(db)
    db.execute("INSERT INTO erasures VALUES ('ana', '1970-01-01', 1)")
    check(db)
    db.execute("INSERT INTO erasures VALUES ('ben', ?, ?)", [day, is_over])
    with pytest.raises(sqlite3.DatabaseError, match="erasures"):
        check(db)
    assert 1 == drop_suspects(db)
    check(db)
    db.close()


async def test_buckets_of_months_before_an_erasure_do_not_come_back_while_it_is_recorded(
    old_things: StoredRepository,
) -> None:
    await old_things.erase(ANA, HOUSE, "2026-11-24")
    late = (bucket(HOUSE, "2026-10-31"), bucket(HOUSE, "2026-11-01"), bucket("ana", "2026-10-31"))
    await old_things.book(Booking(late, None, {}))
    kept = {(key.account, key.day) for key, _ in (await old_things.recall()).buckets}
    assert kept >= {(HOUSE, "2026-11-01"), ("ana", "2026-10-31")}
    assert (HOUSE, "2026-10-31") not in kept


async def test_a_block_is_remembered_however_old_it_is(old_things: StoredRepository) -> None:
    sent_away = Session(ANA, 2, HOUSE, "removed", "1", Monotonic(0), None, "selling the line")
    left = Session(BEN, 3, HOUSE, "expired", "1", Monotonic(0), None)
    saved = [SavedSession(each, "boot", None) for each in (sent_away, left)]
    await old_things.save_sessions(saved, [], "2024-11-24")
    await forgotten(old_things, [])
    assert [sent_away] == [each.session for each in (await old_things.recall()).sessions]


async def test_a_block_is_remembered_also_when_the_account_is_erased(old_things: StoredRepository) -> None:
    sent_away = Session(ANA, 2, HOUSE, "removed", "1", Monotonic(0), None, "selling the line")
    await old_things.save_sessions([SavedSession(sent_away, "boot", None)], [], "2026-11-24")
    await old_things.erase(None, HOUSE, "2026-11-24")
    assert ["removed"] == [each.session.state for each in (await old_things.recall()).sessions]

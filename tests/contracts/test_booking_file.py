"""Bookings beside the database: whenever the power goes, each confirmed booking is there once, and nothing erased is."""

import asyncio
import os
import resource
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.accounting.intervals import IntervalUsage
from node.accounting.ledger import Booking, UsageBucket, UsageKey
from node.accounting.meter import Baseline, Tally
from node.accounting.periods import DAY_UNKNOWN
from node.errors import StorageTrouble
from node.storage import booking_file, database, repository
from node.storage.booking_file import (
    BLOCK_BYTES,
    HEAD_BYTES,
    SLOT_BYTES,
    SLOTS,
    BookingFile,
    joined,
    read_kept,
)
from node.storage.booking_file import all_usage as usage_in
from node.storage.database import Store
from node.storage.journal_writer import JournalWriter
from node.storage.repository import StoredRepository
from node.storage.usage_tables import load_baseline, load_facts, save_facts
from node.units import AccountId, Bytes, MacAddress, NodeId, Usage
from tests.examples import examples

NODE = NodeId("a" * 52)
DAY = "2026-11-28"


def booking(number: int, *accounts: str, day: str = DAY, **more) -> Booking:
    """The counts of these accounts are `number`."""
    used = Usage(Bytes(number), Bytes(1))
    buckets = tuple(
        (UsageKey(NODE, "1-a", AccountId(each), day), UsageBucket(used, used)) for each in accounts
    )
    return Booking(
        buckets,
        Baseline("counters", {1: Usage(Bytes(number), Bytes(0))}),
        {"incarnation": "1-a", "bookings": str(number)},
        Tally("counters", number),
        **more,
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "data" / "procomu.db", keys=tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def repo(store: Store, tmp_path: Path) -> StoredRepository:
    return StoredRepository(store, tmp_path / "tally")


def counts(path: Path) -> dict[str, int]:
    """As other programs read them, while the node runs."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        return {str(row[2]): int(row[4]) for row in usage_in(db)}


def commits(path: Path) -> str:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        return str(db.execute("SELECT value FROM facts WHERE name = 'commits'").fetchone()[0]).split()[0]


async def test_only_the_first_booking_of_an_hour_is_a_transaction(repo, store, monkeypatch):
    await repo.book(booking(1, "ana"))
    before = commits(store.path)
    for number in range(2, 20):
        await repo.book(booking(number, "ana", "ben"))
    assert before == commits(store.path)
    assert {"ana": 19, "ben": 19} == counts(store.path)
    monkeypatch.setattr(repository, "STORE_S", 0.0)
    await repo.book(booking(20, "ana"))
    assert before != commits(store.path)
    assert {"ana": 20, "ben": 19} == counts(store.path)


async def test_every_work_finds_them_in_the_database(repo, store):
    await repo.book(booking(1, "ana"))
    await repo.book(booking(2, "ana", "ben"))
    found = await repo.recall()
    assert {"ana": 2, "ben": 2} == {key.account: each.uplink.down for key, each in found.buckets}
    assert Baseline("counters", {1: Usage(Bytes(2), Bytes(0))}) == found.baseline
    assert "2" == dict(found.facts)["bookings"]


async def test_what_reads_something_else_leaves_them_where_they_are(repo, store):
    archive = repository.StoredArchive(store)
    await repo.book(booking(1, "ana"))
    await repo.book(booking(2, "ana"))
    before = commits(store.path)
    assert "" == await archive.state("admin_sign_in")
    await archive.history()
    assert archive.last_rules() is None
    assert before == commits(store.path)
    await archive.save_state("admin_sign_in", "x")
    assert before != commits(store.path)
    with closing(sqlite3.connect(store.path)) as db:
        assert "2" == load_facts(db)["bookings"]


async def test_work_that_writes_is_not_taken_for_reading(store):
    with pytest.raises(AssertionError):
        await store.read(lambda db: save_facts(db, [("a", "b")]))
    assert "a" not in await store.read(load_facts)


async def test_a_booking_that_is_too_long_is_a_transaction(repo, store):
    await repo.book(booking(1, "ana"))
    before = commits(store.path)
    names = [os.urandom(80).hex() for _ in range(900)]
    await repo.book(booking(2, *names))
    assert before != commits(store.path)
    assert {*names, "ana"} == counts(store.path).keys()


async def test_days_that_are_counted_again_intervals_and_tests_are_transactions(repo, store):
    await repo.book(booking(1, "ana"))
    intervals = {300: {AccountId("ana"): IntervalUsage(Usage(Bytes(1), Bytes(0)), is_busy=False)}}
    used = {"recounted": frozenset({(NODE, DAY)})}, {"outlived": frozenset({NODE})}, {"intervals": intervals}
    for number, more in enumerate(used, start=5):
        before = commits(store.path)
        await repo.book(booking(number, "ben", **more))
        assert before != commits(store.path)
    before = commits(store.path)
    await repo.book(Booking((), None, {"tried_at_ms": "1"}))
    assert before != commits(store.path)


async def test_without_the_file_the_database_takes_them(repo, store, monkeypatch):
    await repo.book(booking(1, "ana"))
    file = booking_file.booking_file(store.path)
    file.mkdir()
    await repo.book(booking(2, "ana"))
    assert {"ana": 2} == counts(store.path)
    file.rmdir()
    await repo.book(booking(3, "ana"))
    assert {"ana": 3} == counts(store.path)
    assert 0o600 == file.stat().st_mode & 0o777


async def test_a_file_that_is_deleted_is_made_again(repo, store):
    await repo.book(booking(1, "ana"))
    await repo.book(booking(2, "ana", "ben"))
    booking_file.booking_file(store.path).unlink()
    await repo.book(booking(3, "ana"))
    assert {"ana": 3, "ben": 2} == counts(store.path)


async def test_an_erasure_leaves_no_count_in_the_file(repo, store):
    await repo.book(booking(1, "ana", "ben"))
    await repo.book(booking(2, "ana", "ben"))
    await repo.book(booking(3, "ana"))
    await repo.erase(MacAddress("02:00:00:00:00:01"), AccountId("ana"), "2026-12-01")
    assert not any(booking_file.booking_file(store.path).read_bytes())
    assert {"ben": 2} == counts(store.path)


async def test_while_others_read_the_traces_what_is_read_here_leaves_later_counts_in_the_file(
    repo, store, monkeypatch
):
    monkeypatch.setattr(database, "empties_log", lambda _db: False)
    await repo.book(booking(1, "ana", "ben"))
    await repo.erase(MacAddress("02:00:00:00:00:01"), AccountId("ana"), "2026-12-01")
    await repo.book(booking(2, "ben"))
    await repository.StoredArchive(store).history()
    assert {"ben": 2} == counts(store.path)


async def test_an_erasure_that_only_the_journal_has_erases_what_was_counted_before_it(
    repo, store, monkeypatch
):
    """A full disk at the commit, with counts of the person in the file."""
    monkeypatch.setattr(database, "RETRY_OPENING_S", 0.0)
    await repo.book(booking(1, "ben"))
    await repo.book(booking(2, "ana", "ben", day=DAY_UNKNOWN))
    with monkeypatch.context() as full:
        full.setattr(JournalWriter, "count", _full)
        with pytest.raises(StorageTrouble):
            await repo.erase(None, AccountId("ana"), "2026-12-01")
        assert {"ana": 2, "ben": 2} == counts(store.path)
    assert {"ben"} == {key.account for key, _ in await repo.buckets(since="")}


def _full(_self: object, _db: object) -> None:
    raise sqlite3.OperationalError("database or disk is full")


async def test_closing_puts_them_into_the_database(repo, store):
    await repo.book(booking(1, "ana"))
    await repo.book(booking(2, "ana"))
    store.close()
    with closing(sqlite3.connect(store.path)) as db:
        assert "2" == load_facts(db)["bookings"]
    assert {"ana": 2} == counts(store.path)


async def test_a_database_that_was_put_back_does_not_take_them(repo, store, tmp_path):
    await repo.book(booking(1, "ana"))
    with closing(sqlite3.connect(store.path)) as db, closing(sqlite3.connect(tmp_path / "old")) as old:
        db.backup(old)
    await store.run(lambda db: save_facts(db, [("later", "1")]))
    await repo.book(booking(9, "ana"))
    folder = tmp_path / "other"
    folder.mkdir()
    shutil.copy(tmp_path / "old", folder / "procomu.db")
    shutil.copy(booking_file.booking_file(store.path), folder / "procomu.counts")
    assert {"ana": 1} == counts(folder / "procomu.db")
    again = Store(folder / "procomu.db", keys=folder)
    try:
        assert "1" == (await again.run(load_facts))["bookings"]
    finally:
        again.close()


async def test_a_lost_database_is_restored_without_what_was_kept_beside_it(repo, store, tmp_path):
    """Baseline and incarnation of before would count bytes twice."""
    await repo.book(booking(1, "ana"))
    await repo.book(booking(2, "ana"))
    folder = tmp_path / "other"
    shutil.copytree(store.path.parent, folder)
    (folder / "procomu.db").write_bytes(b"")
    for log in folder.glob("procomu.db-*"):
        log.unlink()
    for _ in range(2):
        again = Store(folder / "procomu.db", keys=tmp_path)
        try:
            facts = await again.run(load_facts)
            assert not {"incarnation", "bookings", "counters_id"} & facts.keys()
            assert await again.run(load_baseline) is None
        finally:
            again.close()


async def test_a_folder_that_can_only_be_read_is_read_with_them(repo, store, tmp_path, monkeypatch):
    await repo.book(booking(1, "ana"))
    await repo.book(booking(2, "ana"))
    folder = tmp_path / "other"
    shutil.copytree(store.path.parent, folder)
    monkeypatch.setattr(database, "is_writable", lambda _folder: False)
    again = Store(folder / "procomu.db", keys=tmp_path, scratch=tmp_path)
    try:
        assert "2" == (await again.run(load_facts))["bookings"]
    finally:
        again.close()


# --- The file ---------------------------------------------------------------------------------


def test_the_newest_whole_slot_counts(tmp_path):
    file = BookingFile(tmp_path / "counts")
    for number in range(1, 6):
        assert file.write(7, 3, booking(number, "ana"))
    file.close()
    kept = read_kept(tmp_path / "counts")
    assert kept is not None
    assert (7, 3, 5) == (kept.database, kept.commit, kept.number)
    # The tally is no part of what the database stores.
    assert booking(5, "ana").buckets == kept.booking.buckets
    assert booking(5, "ana").baseline == kept.booking.baseline
    again = BookingFile(tmp_path / "counts")
    assert again.write(7, 3, booking(6, "ana"))
    again.close()
    kept = read_kept(tmp_path / "counts")
    assert kept is not None
    assert 6 == kept.number
    assert SLOTS * SLOT_BYTES == (tmp_path / "counts").stat().st_size


def test_a_slot_with_room_for_a_part_of_it_is_not_confirmed(tmp_path):
    file = BookingFile(tmp_path / "counts")
    for number in (1, 2):
        assert file.write(7, 3, booking(number, "ana"))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3 % SLOTS * SLOT_BYTES + BLOCK_BYTES, before[1]))
    try:
        assert not file.write(7, 3, booking(3, *(os.urandom(80).hex() for _ in range(100))))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    kept = read_kept(tmp_path / "counts")
    assert kept is not None
    assert 2 == kept.number
    assert file.write(7, 3, booking(3, "ana"))
    file.close()


@given(cut=st.integers(0, 300), noise=st.binary(max_size=64))
@settings(deadline=None)
def test_whatever_a_power_cut_leaves_of_the_newer_slot_the_older_one_counts(cut: int, noise: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "counts")
        file = BookingFile(path)
        for number in (1, 2, 3):
            file.write(7, 3, booking(number, *(f"a{each}" for each in range(number * 20))))
        file.close()
        whole, at = path.read_bytes(), 3 % SLOTS * SLOT_BYTES
        ends = at + HEAD_BYTES + int(whole[at + 8 : at + HEAD_BYTES], 16)
        torn = whole[: at + cut] + noise + whole[at + cut + len(noise) :]
        path.write_bytes(torn)
        kept = read_kept(path)
        assert kept is not None
        assert kept.number == (3 if torn[:ends] == whole[:ends] else 2)
        assert booking(kept.number, *(f"a{each}" for each in range(kept.number * 20))).buckets == (
            kept.booking.buckets
        )


@given(st.binary(max_size=400))
@settings(deadline=None)
def test_other_content_is_no_booking(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "counts")
        path.write_bytes(content)
        assert read_kept(path) is None
        file = BookingFile(path)
        assert file.write(1, 1, booking(1, "ana"))
        file.close()
        kept = read_kept(path)
        assert kept is not None
        assert 1 == kept.number


# --- Power cuts at any moment -----------------------------------------------------------------


@dataclass
class Model:
    """What was confirmed."""

    number: int = 0
    downs: dict[str, int] = field(default_factory=dict)

    def next(self, accounts: frozenset[str]) -> Booking:
        self.number += 1
        self.downs |= dict.fromkeys(accounts, self.number)
        return booking(self.number, *accounts)


STEPS = st.lists(
    st.one_of(
        st.frozensets(st.sampled_from("abcd"), min_size=1),
        st.sampled_from(["cut", "torn", "note", "read", "close", "hour"]),
    ),
    max_size=25,
)


@given(STEPS)
@settings(deadline=None, max_examples=examples(40))
def test_after_any_power_cut_each_confirmed_booking_is_there_once(steps: list[frozenset[str] | str]) -> None:
    with TemporaryDirectory() as folder:
        asyncio.run(_story(Path(folder), steps))


async def _story(root: Path, steps: list[frozenset[str] | str]) -> None:
    model, lives = Model(), 0
    store = Store(root / "0" / "procomu.db", keys=root / "0")
    repo = StoredRepository(store, root / "tally")
    try:
        await repo.recall()
        for step in steps:
            match step:
                case "cut" | "torn" | "close":
                    lives += 1
                    if step == "close":
                        store.close()
                    shutil.copytree(store.path.parent, root / str(lives))
                    store.close()
                    if step == "torn":
                        _tear(root / str(lives) / "procomu.counts", model)
                    store = Store(root / str(lives) / "procomu.db", keys=root / str(lives))
                    repo = StoredRepository(store, root / "tally")
                    repo._merged_at = repo._stored_at = float("inf")
                    await _is_whole(store, model)
                case "note":
                    await store.run(lambda db: save_facts(db, [("note", "x")]))
                case "read":
                    await repo.buckets(since="")
                case "hour":
                    repo._stored_at = None
                case _:
                    assert isinstance(step, frozenset)
                    await repo.book(model.next(step))
            assert model.downs == counts(store.path)
        await _is_whole(store, model)
    finally:
        store.close()


def _tear(file: Path, model: Model) -> None:
    """The next booking was being written when the power went: it was not confirmed."""
    kept = read_kept(file)
    if kept is None:
        return
    whole = file.read_bytes()
    torn = BookingFile(file)
    torn.write(kept.database, kept.commit, joined(kept.booking, booking(model.number + 1, "a", "z")))
    torn.close()
    after = file.read_bytes()
    last = max(at for at in range(len(after)) if after[at] != whole[at])
    file.write_bytes(after[:last] + bytes([after[last] ^ 0x55]) + after[last + 1 :])


async def _is_whole(store: Store, model: Model) -> None:
    assert model.downs == counts(store.path)
    facts = await store.run(load_facts)
    baseline = await store.run(load_baseline)
    assert model.downs == counts(store.path)
    if model.number:
        assert str(model.number) == facts["bookings"]
        assert Baseline("counters", {1: Usage(Bytes(model.number), Bytes(0))}) == baseline

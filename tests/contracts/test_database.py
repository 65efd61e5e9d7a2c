"""The database writer: acknowledged writes are on the disk and in order; failures are reported and recovered from."""

import asyncio
import os
import shutil
import sqlite3
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from sqlite3 import Connection

import pytest

from node.errors import StorageTrouble
from node.sessions.stored import SavedSession, Session
from node.storage import database, migrations, opening
from node.storage.database import Store
from node.storage.repository import StoredRepository
from node.storage.tables import table, table_names
from node.units import AccountId, MacAddress, Monotonic


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "data" / "procomu.db")
    yield opened
    opened.close()


def note(name: str, value: str) -> database.Work[None]:
    def work(db: Connection) -> None:
        db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", [name, value])

    return work


def names(db: Connection) -> list[str]:
    return [row[0] for row in db.execute("SELECT name FROM facts WHERE name != 'commits' ORDER BY rowid")]


async def test_queued_writes_are_all_stored_and_in_order(store: Store) -> None:
    async with asyncio.TaskGroup() as tasks:
        for number in range(200):
            tasks.create_task(store.run(note(f"n{number:03}", "x")))
    assert [f"n{number:03}" for number in range(200)] == await store.run(names)


async def test_one_failing_write_does_not_roll_back_others(store: Store) -> None:
    def bad(db: Connection) -> None:
        note("half", "done")(db)
        raise ValueError("a bug in this one")

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(store.run(note("before", "x")))
        failing = tasks.create_task(_swallow(store, bad))
        tasks.create_task(store.run(note("after", "x")))
    assert "a bug in this one" == failing.result()
    assert ["before", "after"] == await store.run(names)


async def _swallow(store: Store, work: database.Work[None]) -> str:
    with pytest.raises(ValueError, match="bug") as caught:
        await store.run(work)
    return str(caught.value)


async def test_another_process_sees_what_was_acknowledged(store: Store) -> None:
    await store.run(note("kept", "yes"))
    with sqlite3.connect(store.path) as other:
        assert [("kept", "yes")] == other.execute(
            "SELECT name, value FROM facts WHERE name != 'commits'"
        ).fetchall()
    other.close()
    assert 2 == await store.run(lambda db: db.execute("PRAGMA synchronous").fetchone()[0])


async def test_a_damaged_database_is_set_aside_and_a_new_one_begun(tmp_path: Path) -> None:
    path = tmp_path / "procomu.db"
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 8_000)
    store = Store(path)
    try:
        await store.run(note("new", "life"))
        assert store.set_aside is not None
        assert store.set_aside.exists()
        assert ["new"] == await store.run(names)
    finally:
        store.close()


async def test_a_damaged_database_in_a_read_only_folder_is_read_from_a_repaired_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, scratch = tmp_path / "procomu.db", tmp_path / "run"
    scratch.mkdir()
    first = Store(path)
    await first.run(note("kept", "yes"))
    first.close()
    # The first name of a table in the schema is not UTF-8 now, and SQLite's message quotes it.
    path.write_bytes(path.read_bytes().replace(b"facts", b"\xffacts", 1))
    monkeypatch.setattr(database, "is_writable", lambda folder: folder != tmp_path)
    store = Store(path, scratch=scratch)
    try:
        assert 0 == await store.run(lambda db: db.execute("SELECT count(*) FROM sessions").fetchone()[0])
        with pytest.raises(StorageTrouble, match="can only be read"):
            await store.run(note("new", "no"))
    finally:
        store.close()


async def test_a_folder_that_cannot_be_used_is_reported_and_used_again_when_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "RETRY_OPENING_S", 0.0)
    folder = tmp_path / "data"
    folder.write_text("a file stands where the folder should be")
    store = Store(folder / "procomu.db")
    try:
        with pytest.raises(StorageTrouble, match="cannot be opened"):
            await store.run(note("lost?", "no"))
        folder.unlink()
        await store.run(note("back", "yes"))
        assert ["back"] == await store.run(names)
    finally:
        store.close()


def test_every_table_states_its_purpose_and_retention(tmp_path: Path) -> None:
    store = Store(tmp_path / "procomu.db")
    try:
        tables = store.run_blocking(table_names) - {"sqlite_sequence"}
    finally:
        store.close()
    assert tables == {kept.table for kept in migrations.INVENTORY}


def test_no_column_could_hold_a_destination(tmp_path: Path) -> None:
    """No column for an address, a name or a port that a person connected to."""
    store = Store(tmp_path / "procomu.db")
    try:
        columns = store.run_blocking(
            lambda db: {column.name for name in table_names(db) for column in table(db, name).columns}
        )
    finally:
        store.close()
    assert not {
        c
        for c in columns
        if any(word in c for word in ("dst", "dest", "url", "host", "port", "query", "remote"))
    }


def damage(path: Path) -> None:
    """Overwrite everything after the header, as a failing SD card does."""
    data = path.read_bytes()
    path.write_bytes(data[:100] + b"\xa5" * (len(data) - 100))


async def test_a_database_damaged_while_the_node_runs_is_reported_and_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "RETRY_OPENING_S", 0.0)
    store = Store(tmp_path / "procomu.db")
    try:
        await store.run(note("old", "x"))
        with sqlite3.connect(store.path) as other:
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        other.close()
        generation = store.generation
        damage(store.path)
        with pytest.raises(StorageTrouble):
            await store.run(
                lambda db: [db.execute("PRAGMA shrink_memory"), note("lost?", "no")(db), names(db)]
            )
        await store.run(note("new", "x"))
        assert ["new"] == await store.run(names)
        assert store.generation > generation
        assert store.set_aside is not None
    finally:
        store.close()


async def test_a_data_folder_removed_under_a_running_node_is_made_again(tmp_path: Path) -> None:
    store = Store(tmp_path / "data" / "procomu.db")
    try:
        await store.run(note("old", "x"))
        generation = store.generation
        shutil.rmtree(store.path.parent)
        await store.run(note("new", "x"))
        assert store.generation > generation
        with sqlite3.connect(store.path) as other:
            names_now = other.execute(
                "SELECT name FROM facts WHERE name != 'commits' ORDER BY rowid"
            ).fetchall()
            assert [("old",), ("new",)] == names_now, "an open file can be read, whatever became of its name"
        other.close()
    finally:
        store.close()


async def test_a_database_of_a_newer_version_is_refused_and_left_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "procomu.db"
    with sqlite3.connect(path) as newer:
        newer.execute("CREATE TABLE tomorrow (day TEXT)")
        newer.execute("PRAGMA user_version = 99")
    newer.close()
    store = Store(path)
    try:
        with pytest.raises(StorageTrouble, match=r"newer version.*install"):
            await store.run(names)
    finally:
        store.close()
    with sqlite3.connect(path) as newer:
        assert [(99,)] == newer.execute("PRAGMA user_version").fetchall()
        assert [("tomorrow",)] == newer.execute("SELECT name FROM sqlite_master").fetchall()
    newer.close()


async def test_a_database_locked_by_another_program_is_an_error_within_moments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "LOCKED_S", 0.05)
    monkeypatch.setattr(database, "RETRY_OPENING_S", 0.0)
    store = Store(tmp_path / "procomu.db")
    try:
        await store.run(note("before", "x"))
        other = sqlite3.connect(store.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageTrouble, match="locked"):
            await store.run(note("lost?", "no"))
        other.execute("ROLLBACK")
        other.close()
        await store.run(note("after", "x"))
        assert ["before", "after"] == await store.run(names)
    finally:
        store.close()


async def test_a_disk_that_does_not_answer_is_an_error_and_nobody_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "ANSWER_S", 0.05)
    store, stuck = Store(tmp_path / "procomu.db"), threading.Event()
    try:
        with pytest.raises(StorageTrouble, match="not answered"):
            await store.run(lambda _db: stuck.wait(10))
        stuck.set()
        await asyncio.to_thread(store.run_blocking, note("after", "x"))
        assert ["after"] == await store.run(names)
    finally:
        stuck.set()
        store.close()


async def test_a_number_given_to_another_device_meanwhile_stays_with_it(tmp_path: Path) -> None:
    """Devices that came while the data folder could not be read may have numbers that it still holds for others."""
    store = Store(tmp_path / "procomu.db")
    repository = StoredRepository(store)
    ana, ben = (MacAddress(f"02:00:00:00:00:0{letter}") for letter in "ab")
    try:
        for mac, account in ((ana, "ana"), (ben, "ben")):
            session = Session(mac, 1, AccountId(account), "admitted", "1", Monotonic(0), None)
            await repository.save_sessions(
                [SavedSession(session, "boot", None)], [(AccountId(account), 1)], "2026-11-24"
            )
        remembered = await repository.recall()
        assert ((1, ben, AccountId("ben")),) == remembered.marks
        assert ((AccountId("ben"), 1),) == remembered.minors
    finally:
        store.close()


async def test_no_other_user_of_the_machine_can_read_the_database_or_its_log(tmp_path: Path) -> None:
    before = os.umask(0o022)
    store = Store(tmp_path / "procomu.db")
    try:
        await store.run(note("kept", "x"))
        files = sorted(tmp_path.glob("procomu.db*"))
        assert {"procomu.db", "procomu.db-wal"} <= {file.name for file in files}
        assert {0o600} == {stat.S_IMODE(file.stat().st_mode) for file in files}
    finally:
        store.close()
        os.umask(before)


async def test_a_start_killed_during_a_migration_leaves_the_old_schema_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, before = tmp_path / "procomu.db", migrations.MIGRATIONS

    def half(db: Connection) -> None:
        db.execute("CREATE TABLE half_made (day TEXT)")
        db.execute("DELETE FROM facts")
        raise sqlite3.OperationalError("the power went")

    old = Store(path)
    try:
        await old.run(note("kept", "x"))
    finally:
        old.close()
    monkeypatch.setattr(migrations, "MIGRATIONS", (*before, half))
    failing = Store(path)
    try:
        with pytest.raises(StorageTrouble, match="the power went"):
            await failing.run(names)
    finally:
        failing.close()
    with sqlite3.connect(path) as plain:
        assert [(len(before),)] == plain.execute("PRAGMA user_version").fetchall()
        assert [] == plain.execute("SELECT 1 FROM sqlite_master WHERE name = 'half_made'").fetchall()
        assert ("kept", "x") in plain.execute(
            "SELECT name, value FROM facts WHERE name != 'commits'"
        ).fetchall()
    plain.close()

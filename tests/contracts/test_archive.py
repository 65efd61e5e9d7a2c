"""The archive of the admin pages, one suite for the real one and the fake: the log of adoptions, node state, losses."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from sqlite3 import Connection

import pytest

from node.app.admin import Archive
from node.errors import StorageTrouble
from node.governance.adoption import RECORDS_MAX, TEXT_CHARS_MAX, AdoptionRecord
from node.storage.database import Store
from node.storage.repository import StoredArchive, append_record
from tests.fakes.repository import FakeArchive, FakeRepository


@dataclass
class ArchiveFixture:
    """An archive, and how to lose the folder that it writes to."""

    archive: Archive
    lose: Callable[[], object]


@pytest.fixture(params=["fake", "stored"])
async def opened(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ArchiveFixture]:
    if request.param == "fake":
        repository = FakeRepository()
        yield ArchiveFixture(FakeArchive(repository), lambda: setattr(repository, "full", True))
        return
    store = Store(tmp_path / "data" / "procomu.db")
    try:
        yield ArchiveFixture(StoredArchive(store), store.close)
    finally:
        store.close()


def edited(text: str) -> AdoptionRecord:
    return AdoptionRecord("edited", "2026-11-24T12:00:00+00:00", "an edit of the file", f"f-{text}", text)


async def test_the_newest_rules_come_first(opened: ArchiveFixture) -> None:
    for text in ("one", "two"):
        await opened.archive.append(edited(text))
    history, damaged = await opened.archive.history()
    newest, first = history.versions()
    assert (2, "f-two", "active") == (newest.number, newest.fingerprint, newest.state)
    assert (1, "f-one", "superseded") == (first.number, first.fingerprint, first.state)
    assert 0 == damaged


async def test_records_are_chained_in_the_order_in_which_they_were_appended(opened: ArchiveFixture) -> None:
    made = [await opened.archive.append(edited(text)) for text in ("one", "two", "one")]
    assert [1, 2, 3] == [record.number for record in made]
    assert ["", made[0].hash, made[1].hash] == [record.prev for record in made]
    assert made[0].hash != made[2].hash


async def test_the_text_of_a_version_is_found_by_its_number(opened: ArchiveFixture) -> None:
    adopted = await opened.archive.append(
        replace(edited("two"), kind="adopted", by="admin Núria \udc80", trial_s=600)
    )
    confirmed = AdoptionRecord("confirmed", "2026-11-24T12:01:00+00:00", "admin", subject=adopted.number)
    number = (await opened.archive.append(confirmed)).number
    texts = [await opened.archive.version_text(each) for each in (adopted.number, number, 99)]
    assert ["two", None, None] == texts
    history, damaged = await opened.archive.history()
    assert (adopted.number, 0) == (history.state.active, damaged)


async def test_node_state_is_a_text_by_name(opened: ArchiveFixture) -> None:
    assert "" == await opened.archive.state("admin_sign_in")
    for text in ("one", "two"):
        await opened.archive.save_state("admin_sign_in", text)
    assert ("two", "") == (await opened.archive.state("admin_sign_in"), await opened.archive.state("another"))


async def test_without_the_data_folder_everything_is_storage_trouble(opened: ArchiveFixture) -> None:
    opened.lose()
    archive = opened.archive
    # All at once, because each waits for the disk before it gives up.
    async with asyncio.TaskGroup() as together:
        for answer in (
            archive.append(edited("one")),
            archive.history(),
            archive.version_text(1),
            archive.state("admin_sign_in"),
            archive.save_state("admin_sign_in", ""),
            archive.acknowledge_losses(),
        ):
            together.create_task(is_storage_trouble(answer))


async def is_storage_trouble(answer: Coroutine[None, None, object]) -> None:
    with pytest.raises(StorageTrouble):
        await answer


async def test_a_full_log_loses_its_oldest_records_and_stays_a_chain(tmp_path: Path) -> None:
    store = Store(tmp_path / "data" / "procomu.db")
    archive = StoredArchive(store)

    def many(db: Connection) -> None:
        for number in range(RECORDS_MAX):
            append_record(db, edited(f"text {number}"))

    try:
        await store.run(many)
        before, _ = await archive.history()
        last = await archive.append(edited("the last"))
        history, damaged = await archive.history()
        assert (RECORDS_MAX, RECORDS_MAX // 2) == (len(before.versions()), len(history.versions()))
        assert (last.number, last.number, 0) == (history.length, history.state.active, damaged)
        assert await archive.version_text(1) is None
        assert "the last" == await archive.version_text(last.number)
        assert "the last" == archive.last_rules()
        await archive.append(edited("one more"))
        assert 0 == (await archive.history())[1]
    finally:
        store.close()


async def test_a_damaged_log_keeps_all_its_records(tmp_path: Path) -> None:
    store = Store(tmp_path / "data" / "procomu.db")

    def many(db: Connection) -> None:
        for number in range(3):
            append_record(db, edited(f"text {number}"))
        db.execute("UPDATE rule_versions SET by = 'Eva' WHERE number = 2")
        append_record(db, replace(edited("x" * TEXT_CHARS_MAX), fingerprint="long"))

    try:
        await store.run(many)
        history, damaged = await StoredArchive(store).history()
        assert (4, 2) == (len(history.versions()), damaged)
    finally:
        store.close()


async def test_a_closed_database_refuses_at_once(tmp_path: Path) -> None:
    """While the node stops, nothing waits for an answer that will not come."""
    store = Store(tmp_path / "procomu.db")
    kept = store.run(lambda db: db.execute("SELECT 1").fetchone())
    assert (1,) == await kept
    store.close()
    with pytest.raises(StorageTrouble, match="is closed"):
        await store.run(lambda _db: None)
    with pytest.raises(StorageTrouble, match="is closed"):
        store.run_blocking(lambda _db: None)
    store.close()

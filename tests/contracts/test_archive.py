"""The archive of the admin pages, one suite for the real one and the fake: rule versions, node state, losses."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path

import pytest

from node.app.admin import Archive
from node.errors import StorageTrouble
from node.storage.database import Store
from node.storage.repository import StoredArchive
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


async def test_the_newest_rules_come_first(opened: ArchiveFixture) -> None:
    await opened.archive.save_rules("2026-11-24", "the node's start", "f1", "one")
    await opened.archive.save_rules("2026-11-25", "an admin", "f2", "two")
    assert [
        (2, "2026-11-25", "an admin", "f2", "two"),
        (1, "2026-11-24", "the node's start", "f1", "one"),
    ] == await opened.archive.rule_versions()


async def test_rules_in_force_again_after_a_restart_are_no_new_version(opened: ArchiveFixture) -> None:
    for fingerprint in ("f1", "f1", "f2", "f2", "f1"):
        await opened.archive.save_rules("2026-11-24", "the node's start", fingerprint, fingerprint)
    assert ["f1", "f2", "f1"] == [version[3] for version in await opened.archive.rule_versions()]


async def test_the_last_fifty_versions_are_listed(opened: ArchiveFixture) -> None:
    for number in range(60):
        await opened.archive.save_rules("2026-11-24", "an admin", f"f{number}", "")
    assert list(range(60, 10, -1)) == [version[0] for version in await opened.archive.rule_versions()]


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
            archive.save_rules("2026-11-24", "an admin", "f1", ""),
            archive.rule_versions(),
            archive.state("admin_sign_in"),
            archive.save_state("admin_sign_in", ""),
            archive.acknowledge_losses(),
        ):
            together.create_task(is_storage_trouble(answer))


async def is_storage_trouble(answer: Coroutine[None, None, object]) -> None:
    with pytest.raises(StorageTrouble):
        await answer

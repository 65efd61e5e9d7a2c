"""More than one of database, copy and journal is damaged: what is left is used, and the report about it is true."""

import gzip
import shutil
import sqlite3
from pathlib import Path

import pytest

from node.app.views import CodeTyped
from node.storage import opening
from node.storage.copies import Copier, unpack
from node.storage.durable_changes import HashedDevices
from node.storage.journal import LINE_BYTES, read_journal
from node.storage.opening import DatabaseFiles
from tests.contracts.test_account_service import comes_in, is_refused
from tests.contracts.test_database_lost import World, is_deleted, is_garbage
from tests.fakes.use_cases import ANA, BEN

EXACT = "came back as they were"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def files_of(world: World) -> DatabaseFiles:
    return DatabaseFiles(world.path, world.folder / "keys")


def lines_of(journal: Path) -> list[int]:
    """Offset of each line after the first two."""
    raw = journal.read_bytes()
    starts, at = [], 2 * LINE_BYTES
    while (stop := raw.find(b"\n", at)) != -1:
        starts.append(at)
        at = stop + 1
    return starts


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 0x41
    path.write_bytes(data)


async def lives(world: World) -> None:
    """Four vouchers in the copy; later one is revoked, then another, then a third one is used."""
    async with world.life() as app:
        await world.gives(app, "first", "second", "used", "unused")
        await world.copied()
        await world.revoked(app, "first")
        await world.revoked(app, "second")
        await comes_in(app, ANA, CodeTyped(world.codes["used"]))


def last_line_is_flipped(journal: Path) -> None:
    flip(journal, lines_of(journal)[-1] + 20)


def end_of_the_last_line_is_flipped(journal: Path) -> None:
    flip(journal, journal.read_bytes().rfind(b"\n"))


def last_line_is_zeros(journal: Path) -> None:
    data, at = bytearray(journal.read_bytes()), lines_of(journal)[-1]
    data[at:] = bytes(len(data) - at)
    journal.write_bytes(data)


def is_cut_after_its_first_two_lines(journal: Path) -> None:
    journal.write_bytes(journal.read_bytes()[: 2 * LINE_BYTES])


def is_cut_in_its_last_line(journal: Path) -> None:
    journal.write_bytes(journal.read_bytes()[: lines_of(journal)[-1] + 30])


ENDS = (
    last_line_is_flipped,
    end_of_the_last_line_is_flipped,
    last_line_is_zeros,
    is_cut_after_its_first_two_lines,
    is_cut_in_its_last_line,
)


@pytest.mark.parametrize("damage", ENDS, ids=lambda each: each.__name__)
async def test_a_journal_with_a_damaged_end_is_not_called_complete(world: World, damage) -> None:  # type: ignore[no-untyped-def]
    await lives(world)
    is_deleted(world.path)
    damage(files_of(world).journal)
    async with world.life():
        (told,) = world.store.losses
        assert EXACT not in told
        assert "vouchers that were printed or used" in told


async def test_a_journal_with_a_torn_unacknowledged_line_is_complete(world: World) -> None:
    """A power cut while a line was written."""
    await lives(world)
    is_deleted(world.path)
    journal = files_of(world).journal
    data, end = bytearray(journal.read_bytes()), read_journal(journal).end
    data[end : end + 12] = b"0123abcd [99"
    journal.write_bytes(data)
    async with world.life():
        (told,) = world.store.losses
        assert EXACT in told


async def test_a_second_loss_before_the_next_copy_brings_nothing_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal keeps what was read of it until a copy holds that."""
    await lives(world)
    is_deleted(world.path)
    flip(files_of(world).journal, lines_of(files_of(world).journal)[0] + 20)
    monkeypatch.setattr(Copier, "begin_if_due", lambda _self: None)
    for _ in range(2):
        async with world.life() as app:
            assert "code-revoked" == await is_refused(app, BEN, CodeTyped(world.codes["second"]))
            counts = app.loop.registry.vouchers.counts(1, app.loop.persistence.instant().now)
            assert 1 == counts["used"]
            assert EXACT not in world.store.losses[-1]
        is_deleted(world.path)


def goes_back_to_its_copy(world: World) -> None:
    """The content of the log is lost, and nothing else."""
    is_deleted(world.path)
    unpack(files_of(world).copy, world.path)


async def test_lines_of_a_journal_with_a_damaged_first_line_count_where_the_log_is_lost(
    world: World,
) -> None:
    await lives(world)
    goes_back_to_its_copy(world)
    flip(files_of(world).journal, 15)
    async with world.life() as app:
        for name in ("first", "second"):
            assert "code-revoked" == await is_refused(app, BEN, CodeTyped(world.codes[name])), name
        assert 1 == app.loop.registry.vouchers.counts(1, app.loop.persistence.instant().now)["used"]
        assert "Nothing else is known to be lost" not in world.store.losses[-1]


async def test_a_journal_with_a_damaged_line_does_not_bring_everything_back_where_the_log_is_lost(
    world: World,
) -> None:
    await lives(world)
    goes_back_to_its_copy(world)
    flip(files_of(world).journal, lines_of(files_of(world).journal)[0] + 20)
    async with world.life() as app:
        assert "code-revoked" == await is_refused(app, BEN, CodeTyped(world.codes["second"]))
        (told,) = world.store.losses
        assert "as far as the journal" in told


async def test_an_older_database_is_not_used_beside_a_newer_copy_when_there_is_no_journal(
    world: World,
) -> None:
    async with world.life() as app:
        await world.gives(app, "first", "unused")
    shutil.copytree(world.data, world.folder / "older")
    async with world.life() as app:
        await world.revoked(app, "first")
        await world.copied()
    is_deleted(world.path)
    files_of(world).journal.unlink()
    for name in ("procomu.db", "procomu.db-wal"):
        shutil.copy(world.folder / "older" / name, world.data / name)
    async with world.life() as app:
        assert "code-revoked" == await is_refused(app, BEN, CodeTyped(world.codes["first"]))
        (told,) = world.store.losses
        assert "was older than its copy" in told


async def test_restoring_a_database_beside_the_log_of_a_newer_one_brings_nothing_back(
    world: World,
) -> None:
    async with world.life() as app:
        await world.gives(app, "first", "second", "used", "unused")
        await world.copied()
    older = world.path.read_bytes()
    copy = gzip.decompress(files_of(world).copy.read_bytes())
    async with world.life() as app:
        await world.revoked(app, "first")
        await comes_in(app, ANA, CodeTyped(world.codes["used"]))
    for put_back in (older, copy):
        world.path.write_bytes(put_back)
        async with world.life() as app:
            assert "code-revoked" == await is_refused(app, BEN, CodeTyped(world.codes["first"]))
            assert 1 == app.loop.registry.vouchers.counts(1, app.loop.persistence.instant().now)["used"]


async def test_a_start_killed_while_it_restores_saves_the_same_from_the_damaged_file(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No copy and no journal: what can be read of the damaged file is all there is."""
    await lives(world)
    for each in world.data.glob("procomu.db-*"):
        each.unlink()
    unpack(files_of(world).copy, world.path)
    files_of(world).copy.unlink()
    files_of(world).journal.unlink()
    db = sqlite3.connect(world.path)
    db.execute("PRAGMA journal_mode = DELETE")
    db.execute("INSERT INTO bindings VALUES ('no address', 'x', 'card', '', '', '')")
    db.commit()
    db.close()

    class Killed(BaseException):
        pass

    def killed(*_args: object, **_more: object) -> int:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(opening, "apply", killed)
        with pytest.raises(Killed):
            opening.Opening(files_of(world), HashedDevices(b"k" * 32), lambda: 1, 1e9).open()
    async with world.life() as app:
        assert 4 == len(app.loop.registry.vouchers)
        (told,) = world.store.losses
        assert ".corrupt-" in told


async def test_a_damaged_file_is_kept_also_when_the_clock_was_not_set_yet(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A board without a battery-backed clock starts in 1970, or in the year of its image."""
    await lives(world)
    goes_back_to_its_copy(world)
    is_garbage(world.path)
    opened = opening.Opening(files_of(world), HashedDevices(b"k" * 32), lambda: 1, 1_000.0).open()
    opened.db.close()
    async with world.life():
        await world.copied()
        assert list(world.data.glob("procomu.corrupt-*"))


async def test_two_losses_in_the_same_second_are_both_kept(world: World) -> None:
    await lives(world)
    for _ in range(2):
        goes_back_to_its_copy(world)
        is_garbage(world.path)
        opened = opening.Opening(files_of(world), HashedDevices(b"k" * 32), lambda: 1, 2e9).open()
        opened.db.close()
    assert 2 == len(
        [e for e in world.data.glob("procomu.corrupt-*") if not e.name.endswith(("-wal", "-shm"))]
    )

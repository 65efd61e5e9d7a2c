"""A lost, damaged or replaced database: what people were given still counts, and the loss is reported."""

import asyncio
import gzip
import random
import re
import shutil
import sqlite3
import stat
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from node.accounting.ledger import UsageBucket, UsageKey
from node.accounting.periods import DAY_UNKNOWN
from node.accounts.changes import NoticeGone
from node.accounts.notices import Notice, NoticeText
from node.accounts.registry_record import RecordRow
from node.accounts.rule_objections import RuleObjection, RuleObjectionGone
from node.accounts.terms import Terms, TermsText
from node.app.rule_files import RuleFiles
from node.app.status import StatusSnapshot
from node.app.views import CardShown, CodeTyped, PassphraseTyped, TermsAccepted
from node.control.persistence import KEEP_ENDED_DAYS
from node.doctor.diagnoses import diagnose
from node.doctor.facts import _folder
from node.doctor.symptoms import FileSeen, Symptoms
from node.errors import StorageTrouble
from node.storage import copies, database, journal_writer, migrations, opening
from node.storage.data_inventory import INVENTORY_ELSEWHERE
from node.storage.database import Store
from node.storage.journal import read_journal
from node.storage.journal_writer import JournalWriter
from node.storage.losses import read_losses
from node.storage.opening import DatabaseFiles
from node.storage.repository import StoredArchive, StoredRepository
from node.task_supervision import Parts
from node.units import NO_USAGE, AccountId, Bytes, MacAddress, NodeId, Usage
from tests.contracts.test_account_service import WORDS, comes_in, give_passphrase, is_refused
from tests.fakes.reconciler_fixture import until
from tests.fakes.use_cases import ANA, BEN, CAI, DOT, LISTED, AppFixture, UseCases

Damage = Callable[[Path], None]


@dataclass
class World:
    """One node's disk, and the devices of its network."""

    folder: Path
    street: AppFixture = field(init=False)
    codes: dict[str, str] = field(default_factory=dict)
    store: Store = field(init=False)

    def __post_init__(self) -> None:
        (self.folder / "keys").mkdir(exist_ok=True)
        self.street = AppFixture(lambda: StoredRepository(self.store), self.folder)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def path(self) -> Path:
        return self.data / "procomu.db"

    @asynccontextmanager
    async def life(self) -> AsyncIterator[UseCases]:
        """One run that ends with a kill: the disk stays as it was at the last moment."""
        self.store = Store(self.path, keys=self.folder / "keys", key=b"k" * 32)
        try:
            async with self.street.life(killed=True) as app:
                await until(lambda: app.loop.persistence.recalled)
                yield app
                shutil.rmtree(self.folder / "as on disk", ignore_errors=True)
                half_written = shutil.ignore_patterns("*.new*")
                shutil.copytree(self.data, self.folder / "as on disk", ignore=half_written)
        finally:
            self.store.close()
        shutil.rmtree(self.data)
        (self.folder / "as on disk").rename(self.data)

    async def copied(self) -> None:
        """Make a copy now."""
        before = self._copied_at()
        self.store._copier.want(0)
        await self.store.run(lambda _db: None)
        async with asyncio.timeout(30):
            while self._copied_at() == before or self.store._copier._thread is not None:
                await asyncio.sleep(0.01)
        await self.store.run(lambda _db: None)  # after the journal, which was restarted

    def _copied_at(self) -> int:
        copy = DatabaseFiles(self.path, self.folder).copy
        return copy.stat().st_mtime_ns if copy.exists() else 0

    async def gives(self, app: UseCases, *names: str) -> None:
        """Issue vouchers."""
        self.codes.update(zip(names, await app.codes(len(names)), strict=True))

    async def revoked(self, app: UseCases, name: str) -> None:
        from node.accounts.codes import read_code

        vouchers = app.loop.registry.vouchers
        code = read_code(self.codes[name])
        found = vouchers.find(code)  # type: ignore[arg-type]
        assert found is not None
        await app.loop.remember(
            vouchers.revoke([found.fingerprint], app.loop.persistence.instant().now).changes
        )


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def is_empty(path: Path) -> None:
    path.write_bytes(b"")
    for log in path.parent.glob("procomu.db-*"):
        log.unlink()


def is_deleted(path: Path) -> None:
    for each in [path, *path.parent.glob("procomu.db-*")]:
        each.unlink(missing_ok=True)


def is_garbage(path: Path) -> None:
    path.write_bytes(random.Random(1).randbytes(path.stat().st_size))


def is_flipped(path: Path) -> None:
    """Flip every 97th byte after the header."""
    data = bytearray(path.read_bytes())
    for at in range(100, len(data), 97):
        data[at] ^= 0xA5
    path.write_bytes(data)


def has_flipped_log(path: Path) -> None:
    """Flip the log from its first frame on: SQLite silently continues as if the log were empty."""
    log = path.with_name("procomu.db-wal")
    data = bytearray(log.read_bytes())
    assert len(data) > 1000, "something is in the log"
    for at in range(60, len(data), 97):
        data[at] ^= 0xA5
    log.write_bytes(data)


DAMAGES = (is_empty, is_deleted, is_flipped, has_flipped_log, is_garbage)


async def lives(world: World, *, is_copied: bool) -> None:
    """A day on which vouchers are issued, used and revoked, a device is blocked and a person is erased; all of
    it before the copy, and again after it.
    """
    async with world.life() as app:
        await world.gives(app, "unused", "used", "revoked", "later", "later revoked", "gone")
        await comes_in(app, ANA, CodeTyped(world.codes["used"]))
        await world.revoked(app, "revoked")
        await comes_in(app, DOT, CodeTyped(world.codes["gone"]))
        if is_copied:
            await world.copied()
        await app.portal.erase(DOT)  # first, because it empties the log
        await give_passphrase(app)
        await world.gives(app, "printed later")
        await comes_in(app, BEN, CodeTyped(world.codes["later"]))
        await world.revoked(app, "later revoked")
        await comes_in(app, CAI, TermsAccepted())
        await app.loop.block(CAI, "spam")


async def holds(world: World) -> None:
    """Everything of that day still counts; nothing that was revoked is back."""
    async with world.life() as app:
        vouchers = app.loop.registry.vouchers
        assert 7 == len(vouchers)
        newcomer = ANA.replace("0a", "0e")
        for name in ("revoked", "later revoked"):
            assert "code-revoked" == await is_refused(app, newcomer, CodeTyped(world.codes[name])), name
        assert "removed" == await is_refused(app, CAI, TermsAccepted())
        assert app.loop.registry.bindings.get(DOT) is None
        assert DOT not in app.loop.session_table.session_entries
        for name in ("used", "later", "gone"):
            left = await comes_in(app, newcomer, CodeTyped(world.codes[name]))
            assert vouchers.of_account(left).used_day, f"{name} is not fresh again"  # type: ignore[union-attr]
        for name in ("unused", "printed later"):
            await comes_in(app, newcomer, CodeTyped(world.codes[name]))
        await comes_in(app, ANA.replace("0a", "0f"), PassphraseTyped("ana", WORDS))


@pytest.mark.parametrize("is_copied", [True, False], ids=["with a copy", "before the first copy"])
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda each: each.__name__)
async def test_a_voucher_printed_before_any_damage_works_after_it_and_the_loss_is_reported(
    world: World, damage: Damage, is_copied: bool, caplog: pytest.LogCaptureFixture
) -> None:
    await lives(world, is_copied=is_copied)
    damage(world.path)
    caplog.clear()
    await holds(world)
    (told,) = world.store.losses
    assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d", told), "with its time"
    assert "Lost are counts of bytes" in told
    assert told in caplog.messages
    assert [told] == [each.text for each in read_losses(DatabaseFiles(world.path, world.folder).losses)]
    await holds_without_a_word(world, caplog)


async def holds_without_a_word(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """The next start changes nothing; the loss is still shown in three places, and not logged a second time."""
    caplog.clear()
    told = world.store.losses
    await holds(world)
    assert told == world.store.losses
    assert not [each for each in caplog.messages if "the database" in each]


async def test_a_new_node_reports_no_loss(world: World, caplog: pytest.LogCaptureFixture) -> None:
    async with world.life() as app:
        await world.gives(app, "one")
    async with world.life() as app:
        await comes_in(app, ANA, CodeTyped(world.codes["one"]))
    assert () == world.store.losses
    assert [] == caplog.messages


async def test_a_loss_is_reported_until_it_is_acknowledged(world: World) -> None:
    await lives(world, is_copied=True)
    is_deleted(world.path)
    async with world.life():
        assert world.store.losses
        await world.store.acknowledge()
        assert () == world.store.losses
    async with world.life():
        assert () == world.store.losses


async def test_without_copy_and_journal_the_marker_says_what_is_lost_and_since_when(world: World) -> None:
    await lives(world, is_copied=True)
    shutil.rmtree(world.data)
    world.data.mkdir()
    async with world.life() as app:
        assert 0 == len(app.loop.registry.vouchers)
        (told,) = world.store.losses
        assert re.search(r"was gone\. There was no copy\..* since \d{4}-\d\d-\d\d \d\d:\d\d is lost", told), (
            told
        )
        assert "a voucher that was printed before may be unknown now" in told


async def test_a_loss_is_in_the_log_the_status_the_doctor_and_the_admin_page_with_its_time(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    await lives(world, is_copied=True)
    is_empty(world.path)
    caplog.clear()
    files = RuleFiles(world.folder / "rules.toml", world.folder / "members.toml")
    async with world.life() as app:
        status_snapshot = StatusSnapshot(
            config=world.street.config,
            reconciler=app.loop,
            files=files,
            adoption=app.adoption,
            parts=Parts(),
            peers=tuple,
            roster=lambda: frozenset(world.street.config.community.nodes),
            waiting=app.portal.waiting,
            warned=tuple,
            losses=lambda: world.store.losses,
        )
        overview = status_snapshot.overview()  # shown by `status` and the admin page
        (told,) = [each for each in overview.warnings if "the database was empty" in each]
        assert overview.has_lost
        seen = _folder(world.data, world.folder / "keys")
        said = [each for each in diagnose(Symptoms(True, FileSeen("n"), folder=seen)) if each.wrong == told]
        assert ["warn"] == [each.verdict for each in said]
        assert told in caplog.messages
        assert 2 == len(re.findall(r"\d{4}-\d\d-\d\d \d\d:\d\d", told)), "when it was noticed, and since when"
        await StoredArchive(world.store).acknowledge_losses()
        assert () == tuple(each for each in status_snapshot.overview().warnings if "the database" in each)
        assert () == _folder(world.data, world.folder / "keys").losses


# --- damage at random positions -----------------------------------------------------------


@pytest.fixture(scope="module")
def lived_through(tmp_path_factory: pytest.TempPathFactory) -> World:
    """The data folder after such a day, to be damaged again and again."""
    world = World(tmp_path_factory.mktemp("lived"))
    asyncio.run(lives(world, is_copied=True))
    return world


@pytest.mark.parametrize("seed", range(24))
async def test_after_any_damage_the_node_starts_and_nothing_revoked_returns(
    lived_through: World, tmp_path: Path, seed: int
) -> None:
    """Bytes are flipped, zeroed or cut off anywhere in the database, in its log or in both."""
    chance = random.Random(seed)
    shutil.copytree(lived_through.folder, tmp_path, dirs_exist_ok=True)
    world = World.__new__(World)
    world.folder, world.codes = tmp_path, lived_through.codes
    world.street = AppFixture(lambda: StoredRepository(world.store), tmp_path)
    for each in chance.choice([("",), ("-wal",), ("", "-wal")]):
        _damage_somewhere(world.path.with_name(world.path.name + each), chance)
    await holds(world)


def _damage_somewhere(path: Path, chance: random.Random) -> None:
    data = bytearray(path.read_bytes())
    how = chance.choice(["flip", "flip", "zeros", "cut", "swap"])
    if how == "cut":
        del data[chance.randrange(len(data)) :]
    for _ in range(chance.choice([1, 5, 50, 500])):
        at = chance.randrange(len(data)) if data else 0
        match how:
            case "flip":
                data[at] ^= 1 << chance.randrange(8)
            case "zeros":
                data[at : at + 64] = bytes(len(data[at : at + 64]))
            case "swap":
                there = chance.randrange(len(data))
                data[at : at + 4], data[there : there + 4] = data[there : there + 4], data[at : at + 4]
    path.write_bytes(data)


# --- the copy and the journal ----------------------------------------------------------------


NAME = "a telling name of mine"


def found_in(folder: Path, text: str) -> list[str]:
    return [path.name for path in sorted(folder.iterdir()) if text.encode() in content(path)]


def content(path: Path) -> bytes:
    """Of a copy, what it is of."""
    raw = path.read_bytes()
    return gzip.decompress(raw) if path.suffix == ".copy" else raw


def opened_copy(world: World) -> sqlite3.Connection:
    plain = world.folder / "unpacked"
    copies.unpack(DatabaseFiles(world.path, world.folder).copy, plain)
    assert 0o600 == stat.S_IMODE(plain.stat().st_mode)
    return sqlite3.connect(plain)


async def test_an_erased_person_is_in_no_copy_and_no_journal_within_a_day(world: World) -> None:
    async with world.life() as app:
        await comes_in(app, ANA, TermsAccepted())
        assert await app.portal.name_device(ANA, ANA, NAME) is None
        await world.copied()
        assert "procomu.db.copy" in found_in(world.data, NAME)
        await app.portal.erase(ANA)
        await until(lambda: world.store._copier.seconds_left() <= copies.AFTER_ERASURE_S)
        await world.copied()
        assert [] == found_in(world.data, NAME)
        assert [] == found_in(world.data, ANA)
        assert world.store._copier.seconds_left() > copies.AFTER_ERASURE_S, "and then once a day again"
    assert copies.EVERY_S < 86_400 > copies.AFTER_ERASURE_S


@pytest.mark.parametrize("copied", ["before", "in its month", "after its month"])
@pytest.mark.parametrize("damage", DAMAGES)
async def test_nothing_of_an_erased_person_comes_back_by_a_copy_or_a_later_page(
    world: World, damage: Damage, copied: str
) -> None:
    async with world.life() as app:
        await comes_in(app, ANA, TermsAccepted())
        world.street.kernel.send(ANA, down=100)
        await until(lambda: Bytes(100) == app.portal.guest(ANA).used.total)
        await app.loop.persistence.flush(world.street.clock.now)
        if copied == "before":
            await world.copied()
        await app.portal.erase(ANA)
        if copied == "in its month":
            await world.copied()
        await a_month_ends(world, app)
        if copied == "after its month":
            await world.copied()
        await world.gives(app, "one")  # the log has content
    damage(world.path)
    async with world.life() as app:
        for day in ("2026-10-31", DAY_UNKNOWN):
            key = UsageKey(NodeId("m" * 52), "1-a", AccountId("guest-0a"), day)
            assert app.loop.persistence.erased.bars_late(key)
            app.loop.merge(key, UsageBucket(Usage(Bytes(50), Bytes(0)), NO_USAGE))
        await app.loop.persistence.flush(world.street.clock.now)
        await a_month_ends(world, app)
        assert {} == await app.loop.persistence.buckets("", account=AccountId("guest-0a"))
    async with world.life() as app:
        key = UsageKey(NodeId("m" * 52), "1-a", AccountId("guest-0a"), "2026-11-24")
        assert app.loop.persistence.erased.bars_late(key)
        assert {} == await app.loop.persistence.buckets("", account=AccountId("guest-0a"))


async def a_month_ends(world: World, app: UseCases) -> None:
    persistence, clock = app.loop.persistence, world.street.clock
    await persistence.forget(clock.now)
    world.street.pass_time(10 * 86_400_000)
    await persistence.forget(clock.now)
    before = persistence.baseline
    await until(lambda: persistence.baseline is not before)


async def test_the_journal_has_no_name_no_text_and_no_address_of_an_erased_person(world: World) -> None:
    async with world.life() as app:
        await world.copied()
        await comes_in(app, ANA, TermsAccepted())
        assert await app.portal.name_device(ANA, ANA, NAME) is None
        assert await app.portal.add_objection(ANA, "", "words of mine") is None
        objection = RuleObjection(AccountId("ana"), 4, "f4", "2026-11-24", "words of mine")
        await app.loop.remember((objection,))
        await world.copied()
        await app.portal.erase(ANA)
        journal = DatabaseFiles(world.path, world.folder).journal.read_bytes()
        assert b'"erased"' in journal
        for secret in (NAME, "words of mine", ANA):
            assert secret.encode() not in journal


async def test_what_ended_stays_so_for_other_nodes_when_the_database_is_lost_and_its_words_are_in_no_journal(
    world: World,
) -> None:
    filed = RecordRow("objection", "00ff-hill", 1, "", '{"text":"words of mine"}')
    ended = RecordRow("objection", "00ff-hill", 2, "2028-01-01", "{}")
    other = RecordRow("objection", "11ee-hill", 1, "2028-01-01", "{}")
    async with world.life() as app:
        await app.loop.remember((filed,))
        await world.copied()
        await app.loop.remember((ended, other))
        await app.loop.remember((RecordRow("cards", "ana", 1, "", '{"below":7}'),))
        world.path.unlink()
        journal = DatabaseFiles(world.path, world.folder).journal.read_bytes()
        assert b"words of mine" not in journal
    async with world.life() as app:
        kept = (await app.loop.persistence._repository.recall()).registry.records
        assert {ended, other} == set(kept)


async def test_an_objection_to_rules_outlives_the_database_and_one_that_was_taken_back_does_not_return(
    world: World,
) -> None:
    def objection(account: str, text: str, version: int = 4) -> RuleObjection:
        return RuleObjection(AccountId(account), version, f"f{version}", "2026-11-24", text)

    async with world.life() as app:
        await app.loop.remember(
            (objection("ana", "In the copy."), objection("ben", "Old.", 3), objection("cai", ""))
        )
        await world.copied()
        await app.loop.remember(
            (
                objection("ana", "In the copy."),
                objection("ben", "Later."),
                objection("dot", "Later."),
                RuleObjectionGone(AccountId("cai"), objection("cai", "").version),
            )
        )
    is_deleted(world.path)
    async with world.life() as app:
        kept = {each.account: each for each in app.loop.registry.rule_objections.all()}
        assert {
            "ana": objection("ana", "In the copy."),
            "ben": objection("ben", ""),
            "dot": objection("dot", ""),
        } == kept


@pytest.mark.thorough
async def test_a_copy_is_of_one_moment_and_blocks_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "STEP_BYTES", 16 * 4096)
    async with world.life() as app:
        for _ in range(6):
            await app.codes(900)
        waited = []
        copier, written = world.store._copier, 0
        copier.want(0)
        await until(lambda: copier._thread is not None)
        while copier._thread is not None:
            began = time.monotonic()
            await world.store.run(_pair(written))
            waited.append(time.monotonic() - began)
            written += 1
        assert written >= 10, "writes went on while the copy was made"
        assert sorted(waited)[written * 9 // 10] < 0.5
        copy = opened_copy(world)
        pairs = [
            row[0]
            for row in copy.execute("SELECT count(*) FROM facts WHERE name GLOB 'pair-*' GROUP BY value")
        ]
        assert ("ok",) == copy.execute("PRAGMA quick_check").fetchone()
        copy.close()
        assert set(pairs) <= {2}
        assert len(pairs) < written


def _pair(number: int) -> database.Work[None]:
    def work(db: Any) -> None:
        for half in "ab":
            db.execute("INSERT INTO facts VALUES (?, ?)", [f"pair-{number}-{half}", str(number)])

    return work


async def test_a_copy_is_made_before_each_start_that_migrates(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world.life() as app:
        await world.gives(app, "one")

    def third(db: Any) -> None:
        db.execute("DELETE FROM vouchers")  # a migration that fails

    before = migrations.MIGRATIONS
    monkeypatch.setattr(migrations, "MIGRATIONS", (*before, third))
    monkeypatch.setattr(opening, "MIGRATIONS", (*before, third))
    async with world.life() as app:
        assert 0 == len(app.loop.registry.vouchers)
        with opened_copy(world) as copy:
            assert [(1,)] == copy.execute("SELECT count(*) FROM vouchers").fetchall()
            assert [(len(before),)] == copy.execute("PRAGMA user_version").fetchall()
        copy.close()


async def test_every_file_is_readable_by_its_owner_only(world: World) -> None:
    await lives(world, is_copied=True)
    is_garbage(world.path)
    async with world.life():
        files = [each for each in world.data.iterdir() if each.name != "bookings"]
        assert {"procomu.db", "procomu.db.copy", "procomu.journal", "procomu.losses"} <= {
            f.name for f in files
        }
        assert {0o600} == {stat.S_IMODE(file.stat().st_mode) for file in files}


async def test_a_readable_database_with_a_torn_index_is_not_used(world: World) -> None:
    """Only the integrity check sees it: every row can be read."""
    await lives(world, is_copied=True)
    with sqlite3.connect(world.path) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'contests'").fetchone()
        (size,) = db.execute("PRAGMA page_size").fetchone()
    db.close()
    data = bytearray(world.path.read_bytes())
    data[(page - 1) * size + 1 : (page - 1) * size + 3] = b"\x0f\x00"  # a free block where there is none
    world.path.write_bytes(data)
    await holds(world)
    (told,) = world.store.losses
    assert "was damaged" in told


async def test_restoring_an_older_database_brings_nothing_back(world: World) -> None:
    async with world.life() as app:
        await world.gives(app, "unused", "used", "revoked", "later", "later revoked", "gone")
    older = world.path.read_bytes()
    shutil.copytree(world.data, world.folder / "older")
    async with world.life() as app:
        await world.revoked(app, "revoked")
        await world.copied()
        await world.revoked(app, "later revoked")
    for each in world.data.glob("procomu.db*"):
        if each.name != "procomu.db.copy":
            each.unlink()
    for name in ("procomu.db", "procomu.db-wal"):
        shutil.copy(world.folder / "older" / name, world.data / name)
    assert older
    async with world.life() as app:
        for name in ("revoked", "later revoked"):
            assert "code-revoked" == await is_refused(app, ANA, CodeTyped(world.codes[name]))
        assert ["was older than its copy"] == [
            each for each in ["was older than its copy"] if each in world.store.losses[0]
        ]


async def test_a_database_of_another_node_is_not_used(world: World, tmp_path: Path) -> None:
    await lives(world, is_copied=True)
    other = Store(tmp_path / "other" / "procomu.db")
    other.run_blocking(lambda db: db.execute("INSERT INTO facts VALUES ('whose', 'another')"))
    other.close()
    for each in world.data.glob("procomu.db-*"):
        each.unlink()
    shutil.copy(tmp_path / "other" / "procomu.db", world.path)
    await holds(world)
    assert "was another one than before" in world.store.losses[0]


async def test_a_copy_does_not_sign_in_an_admin_who_signed_out(world: World) -> None:
    async with world.life():
        await StoredArchive(world.store).save_state("admin_sign_in", "somebody")
        await world.copied()
        await StoredArchive(world.store).save_state("admin_sign_in", "")
    is_deleted(world.path)
    async with world.life():
        assert "" == await StoredArchive(world.store).state("admin_sign_in")


async def test_a_removed_journal_is_restarted_with_a_new_copy(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "RETRY_S", 0.0)
    async with world.life() as app:
        await world.gives(app, "one", "two")
        DatabaseFiles(world.path, world.folder).journal.unlink()
        await world.revoked(app, "one")
        await until(DatabaseFiles(world.path, world.folder).copy.exists)
        await world.store.run(lambda _db: None)
        await until(lambda: world.store._copier._thread is None)
        await world.revoked(app, "two")
    is_deleted(world.path)
    async with world.life() as app:
        for name in ("one", "two"):
            assert "code-revoked" == await is_refused(app, ANA, CodeTyped(world.codes[name]))


async def test_what_the_journal_stored_while_the_database_could_not_is_known_after_a_kill(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full at the commit: a used voucher stays used, also when the disk is still full at the start."""
    async with world.life() as app:
        await world.gives(app, "one", "two")
        with monkeypatch.context() as full:
            full.setattr(JournalWriter, "count", _full)
            await comes_in(app, ANA, CodeTyped(world.codes["one"]))
            assert app.loop.troubles.storage
            shutil.copytree(world.data, world.folder / "killed")
    shutil.rmtree(world.data)
    (world.folder / "killed").rename(world.data)
    for is_full in (True, False):
        with monkeypatch.context() as full:
            if is_full:
                full.setattr(JournalWriter, "count", _full)
            async with world.life() as app:
                counts = app.loop.registry.vouchers.counts(1, app.loop.persistence.instant().now)
                assert {"used": 1, "unused": 1} == dict(counts)
    assert () == world.store.losses


async def test_what_must_not_be_lost_is_tried_also_soon_after_another_write_that_failed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A voucher that was used within five seconds after it was not in the journal, and fresh again after a kill."""
    async with world.life() as app:
        await world.gives(app, "one", "two")
        with monkeypatch.context() as full:
            full.setattr(JournalWriter, "count", _full)
            with pytest.raises(StorageTrouble):
                await StoredArchive(world.store).save_state("some", "thing")
            await comes_in(app, ANA, CodeTyped(world.codes["one"]))
            shutil.copytree(world.data, world.folder / "killed")
    shutil.rmtree(world.data)
    (world.folder / "killed").rename(world.data)
    async with world.life() as app:
        counts = app.loop.registry.vouchers.counts(1, app.loop.persistence.instant().now)
        assert {"used": 1, "unused": 1} == dict(counts)


def _full(_self: object, _db: object) -> None:
    raise sqlite3.OperationalError("database or disk is full")


async def test_a_database_of_an_older_version_gets_its_copy_and_journal_at_its_first_start(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    await lives(world, is_copied=False)
    files = DatabaseFiles(world.path, world.folder / "keys")
    files.journal.unlink()
    files.marker.unlink()
    async with world.life() as app:
        assert 7 == len(app.loop.registry.vouchers)
        await until(lambda: read_journal(files.journal).is_whole)
        assert files.marker.exists()
    assert [] == caplog.messages
    is_deleted(world.path)
    await holds(world)
    assert "came back as they were" in world.store.losses[0]


def test_the_privacy_page_says_for_how_long_a_damaged_file_is_kept() -> None:
    (row,) = (each for each in INVENTORY_ELSEWHERE if each.table == "damaged")
    assert row.retention.startswith(f"{KEEP_ENDED_DAYS} days")


async def test_a_damaged_file_is_kept_for_thirty_days_of_a_synchronized_clock(world: World) -> None:
    """The first copy after a clock had gone wrong deleted it."""
    await lives(world, is_copied=True)
    is_garbage(world.path)
    async with world.life():
        (aside,) = world.data.glob("procomu.corrupt-*")
    async with world.life():
        await world.copied()
        repository = StoredRepository(world.store)

        async def retains(today: str, before: str) -> bool:
            await repository.forget(ended_before=before, used_before="2020-01-01", today=today)
            return aside.exists()

        assert await retains("2036-11-20", "2036-10-21"), "a clock that was wrong for an hour"
        assert await retains("2026-11-24", "2026-10-25")
        assert await retains("2026-12-24", "2026-11-24")
        assert not await retains("2026-12-25", "2026-11-25")
        assert world.path.exists()


async def test_a_failing_disk_is_not_filled_with_copies_of_damaged_files(world: World) -> None:
    await lives(world, is_copied=True)
    earlier = [
        world.data / f"procomu.{word}-{number}" for number in range(1, 7) for word in ("corrupt", "replaced")
    ]
    for each in earlier:
        for end in ("", "-wal"):
            each.with_name(each.name + end).write_bytes(b"x")
    is_garbage(world.path)
    async with world.life():
        there = {re.sub("-(wal|shm)$", "", each.name) for each in world.data.glob("procomu.[cr]*-*")}
        newest = world.store.set_aside
    assert newest is not None
    assert {newest.name, *(each.name for each in (*earlier[:4], *earlier[-3:]))} == there


async def test_every_change_since_the_copy_is_in_the_journal(world: World) -> None:
    async with world.life() as app:
        await give_passphrase(app)
        old_card = app.card()
        await world.gives(app, "used")
        await comes_in(app, BEN, CodeTyped(world.codes["used"]))
        await comes_in(app, CAI, TermsAccepted())
        await app.loop.block(CAI, "spam")
        await app.loop.remember([Notice(2, "network", "everyone", "", "", False, ())])
        await world.copied()
        await app.loop.remember(app.loop.registry.void_cards(AccountId("ana"), "2026-11-24"))
        await app.loop.remember(
            [
                Notice(1, "network", "everyone", "", "", False, (NoticeText("en", "t", "x"),)),
                NoticeGone(2),
                Terms("2", (TermsText("en", "be kind"),), "2026-11-24", "D-2"),
            ]
        )
        assert await app.portal.set_passphrase(LISTED, "another one, long enough", WORDS) is None
        await app.loop.unblock(CAI)
        await app.loop.remember(app.loop.registry.bindings.unbind(BEN))
    is_deleted(world.path)
    async with world.life() as app:
        registry = app.loop.registry
        assert [1] == [each.number for each in registry.notices.all()]
        assert "2" == registry.terms.current.version  # type: ignore[union-attr]
        assert registry.bindings.get(BEN) is None
        await comes_in(app, CAI, TermsAccepted())
        assert "passphrase-wrong" == await is_refused(app, DOT, PassphraseTyped("ana", WORDS))
        assert "card-revoked" == await is_refused(app, DOT, CardShown(old_card))
        await comes_in(app, DOT, PassphraseTyped("ana", "another one, long enough"))


async def test_a_full_disk_does_not_fill_the_journal_with_the_same_entries_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "RETRY_OPENING_S", 0.0)
    async with world.life() as app:
        await world.gives(app, "one")
        with monkeypatch.context() as full:
            full.setattr(JournalWriter, "count", _full)
            await comes_in(app, ANA, CodeTyped(world.codes["one"]))
            end = read_journal(DatabaseFiles(world.path, world.folder).journal).end
            for _ in range(20):
                await app.loop.persistence.save()
            assert end == read_journal(DatabaseFiles(world.path, world.folder).journal).end


async def test_vouchers_in_use_do_not_fill_the_journal_after_each_power_cut(world: World) -> None:
    journal = DatabaseFiles(world.path, world.folder).journal
    async with world.life() as app:
        await world.gives(app, *(f"v{number}" for number in range(20)))
        for number in range(20):
            mac = MacAddress(f"02:00:00:00:05:{number:02x}")
            await comes_in(app, mac, CodeTyped(world.codes[f"v{number}"]))
    before = read_journal(journal).end
    world.street.power_cut()
    async with world.life() as app:
        await app.loop.persistence.save()
        assert 20 == len(app.loop.registry.vouchers.rows()) - 1
    assert read_journal(journal).end - before < 500


async def test_a_journal_that_could_not_be_created_is_created_with_the_first_copy(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_given: object) -> None:
        raise OSError("no space left on device")

    journal = DatabaseFiles(world.path, world.folder).journal
    monkeypatch.setattr(journal_writer, "Journal", refuse)
    async with world.life() as app:
        await world.gives(app, "one", "two")
        assert not journal.exists()
        monkeypatch.undo()
        await world.copied()
        await world.revoked(app, "one")
        assert ["put"] == [each[0] for entry in read_journal(journal).entries for each in entry.changes]
    is_deleted(world.path)
    async with world.life() as app:
        assert "code-revoked" == await is_refused(app, ANA, CodeTyped(world.codes["one"]))
        await comes_in(app, ANA, CodeTyped(world.codes["two"]))


async def test_a_copy_that_became_stale_without_a_journal_is_not_taken_for_complete(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "AGAIN_S", 0.0)
    files = DatabaseFiles(world.path, world.folder)
    async with world.life() as app:
        await world.gives(app, "one")
        await world.copied()
        files.journal.unlink()
        overtaken = copies.find_copy(files.copy, 0)
        assert overtaken is not None
        await world.revoked(app, "one")

        def copied(_db: object) -> bool:
            assert world.store._notes is not None
            return world.store._notes.copied(overtaken)

        assert not await world.store.run(copied), "what was revoked since is in neither"
        await world.copied()
        await until(lambda: read_journal(files.journal).is_whole)
    is_deleted(world.path)
    async with world.life() as app:
        assert "code-revoked" == await is_refused(app, ANA, CodeTyped(world.codes["one"]))

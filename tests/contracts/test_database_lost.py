"""A database that is lost, damaged or exchanged: what people were given holds, and what is lost is told."""

import asyncio
import random
import re
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from captive_portal.ports import CodeTyped, PassphraseTyped, TermsAccepted
from node.answers.overview import Glance
from node.answers.rulefile import RuleFiles
from node.doctor.diagnoses import diagnose
from node.doctor.facts import _folder
from node.doctor.symptoms import FileSeen, Symptoms
from node.storage.database import Store
from node.storage.losses import read_losses
from node.storage.memory import StoredMemory, StoredRecords
from node.storage.opening import Files
from node.supervision import Parts
from tests.contracts.house import ANA, BEN, CAI, DOT, House, Neighbourhood
from tests.contracts.test_loop import until
from tests.contracts.test_portal_house import WORDS, comes_in, give_passphrase, is_refused

Damage = Callable[[Path], None]


@dataclass
class World:
    """One node's disk, and the street in front of it."""

    folder: Path
    street: Neighbourhood = field(init=False)
    codes: dict[str, str] = field(default_factory=dict)
    store: Store = field(init=False)

    def __post_init__(self) -> None:
        (self.folder / "keys").mkdir(exist_ok=True)
        self.street = Neighbourhood(lambda: StoredMemory(self.store), self.folder)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def path(self) -> Path:
        return self.data / "procomu.db"

    @asynccontextmanager
    async def life(self) -> AsyncIterator[House]:
        """Ends with a kill: what is on the disk is as it was in the last moment."""
        self.store = Store(self.path, keys=self.folder / "keys", key=b"k" * 32)
        try:
            async with self.street.life(killed=True) as house:
                await until(lambda: house.loop.keeper.recalled)
                yield house
                shutil.rmtree(self.folder / "as on disk", ignore_errors=True)
                shutil.copytree(self.data, self.folder / "as on disk")
        finally:
            self.store.close()
        shutil.rmtree(self.data)
        (self.folder / "as on disk").rename(self.data)

    async def copied(self) -> None:
        """A copy is made now."""
        before = self._copied_at()
        self.store._copier.want(0)
        await self.store.run(lambda _db: None)
        await until(lambda: self._copied_at() != before and self.store._copier._thread is None)

    def _copied_at(self) -> int:
        copy = Files(self.path, self.folder).copy
        return copy.stat().st_mtime_ns if copy.exists() else 0

    async def gives(self, house: House, *names: str) -> None:
        """Vouchers are printed."""
        self.codes.update(zip(names, await house.codes(len(names)), strict=True))

    async def revoked(self, house: House, name: str) -> None:
        from node.membership.codes import read_code

        vouchers = house.loop.register.vouchers
        code = read_code(self.codes[name])
        found = vouchers.find(code)  # type: ignore[arg-type]
        assert found is not None
        await house.loop.remember(vouchers.revoke([found.fingerprint], house.loop.instant().now).changes)


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
    """Every 97th byte behind the header."""
    data = bytearray(path.read_bytes())
    for at in range(100, len(data), 97):
        data[at] ^= 0xA5
    path.write_bytes(data)


def has_flipped_log(path: Path) -> None:
    """From the first frame on: SQLite goes on without a word as if nothing stood in it."""
    log = path.with_name("procomu.db-wal")
    data = bytearray(log.read_bytes())
    assert len(data) > 1000, "something is in the log"
    for at in range(60, len(data), 97):
        data[at] ^= 0xA5
    log.write_bytes(data)


DAMAGES = (is_empty, is_deleted, is_flipped, has_flipped_log, is_garbage)


async def lives(world: World, *, is_copied: bool) -> None:
    """A day in which vouchers are printed, used and revoked, somebody is taken off and somebody erases themselves; all
    of it before the copy, and all of it once more after it."""
    async with world.life() as house:
        await world.gives(house, "unused", "used", "revoked", "later", "later revoked", "gone")
        await comes_in(house, ANA, CodeTyped(world.codes["used"]))
        await world.revoked(house, "revoked")
        await comes_in(house, DOT, CodeTyped(world.codes["gone"]))
        if is_copied:
            await world.copied()
        await house.portal.erase(DOT)  # first: it empties the log
        await give_passphrase(house)
        await world.gives(house, "printed later")
        await comes_in(house, BEN, CodeTyped(world.codes["later"]))
        await world.revoked(house, "later revoked")
        await comes_in(house, CAI, TermsAccepted())
        await house.loop.remove(CAI, "spam")


async def holds(world: World) -> None:
    """Everything of that day still counts; nothing that was taken away is back."""
    async with world.life() as house:
        vouchers = house.loop.register.vouchers
        assert 7 == len(vouchers)
        newcomer = ANA.replace("0a", "0e")
        for name in ("revoked", "later revoked"):
            assert "code-revoked" == await is_refused(house, newcomer, CodeTyped(world.codes[name])), name
        assert "removed" == await is_refused(house, CAI, TermsAccepted())
        assert house.loop.register.bindings.get(DOT) is None
        assert DOT not in house.loop.presence.seats
        for name in ("used", "later", "gone"):
            left = await comes_in(house, newcomer, CodeTyped(world.codes[name]))
            assert vouchers.of_account(left).used_day, f"{name} is not fresh again"  # type: ignore[union-attr]
        for name in ("unused", "printed later"):
            await comes_in(house, newcomer, CodeTyped(world.codes[name]))
        await comes_in(house, ANA.replace("0a", "0f"), PassphraseTyped("ana", WORDS))


@pytest.mark.parametrize("is_copied", [True, False], ids=["with a copy", "before the first copy"])
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda each: each.__name__)
async def test_a_voucher_printed_before_any_damage_works_after_it_and_the_loss_is_told(
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
    assert [told] == [each.text for each in read_losses(Files(world.path, world.folder).losses)]
    await holds_without_a_word(world, caplog)


async def holds_without_a_word(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """After the next start it is as before; the loss is still told in three places, and not once more in the log."""
    caplog.clear()
    told = world.store.losses
    await holds(world)
    assert told == world.store.losses
    assert not [each for each in caplog.messages if "the database" in each]


async def test_a_new_node_tells_nothing(world: World, caplog: pytest.LogCaptureFixture) -> None:
    async with world.life() as house:
        await world.gives(house, "one")
    async with world.life() as house:
        await comes_in(house, ANA, CodeTyped(world.codes["one"]))
    assert () == world.store.losses
    assert [] == caplog.messages


async def test_a_loss_is_told_until_somebody_acknowledges_it(world: World) -> None:
    await lives(world, is_copied=True)
    is_deleted(world.path)
    async with world.life():
        assert world.store.losses
        await world.store.acknowledge()
        assert () == world.store.losses
    async with world.life():
        assert () == world.store.losses


async def test_without_copy_and_journal_the_marker_tells_what_is_lost_and_since_when(world: World) -> None:
    await lives(world, is_copied=True)
    shutil.rmtree(world.data)
    world.data.mkdir()
    async with world.life() as house:
        assert 0 == len(house.loop.register.vouchers)
        (told,) = world.store.losses
        assert re.search(r"was gone\. There was no copy\..* since \d{4}-\d\d-\d\d \d\d:\d\d is lost", told), (
            told
        )
        assert "a voucher that was printed before may be unknown now" in told


async def test_a_loss_is_in_the_log_the_status_the_doctor_and_on_the_admins_page_with_its_time(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    await lives(world, is_copied=True)
    is_empty(world.path)
    caplog.clear()
    files = RuleFiles(world.folder / "rules.toml", world.folder / "members.toml")
    async with world.life() as house:
        glance = Glance(
            config=world.street.config,
            reconcile=house.loop,
            files=files,
            parts=Parts(),
            peers=tuple,
            waiting=house.portal.waiting,
            warned=tuple,
            losses=lambda: world.store.losses,
        )
        overview = glance.overview()  # `status` and the admins' page show this one
        (told,) = [each for each in overview.warnings if "the database was empty" in each]
        assert overview.has_lost
        seen = _folder(world.data, world.folder / "keys")
        said = [each for each in diagnose(Symptoms(True, FileSeen("n"), folder=seen)) if each.wrong == told]
        assert ["warn"] == [each.verdict for each in said]
        assert told in caplog.messages
        assert 2 == len(re.findall(r"\d{4}-\d\d-\d\d \d\d:\d\d", told)), "when it was noticed, and since when"
        await StoredRecords(world.store).acknowledge_losses()
        assert () == tuple(each for each in glance.overview().warnings if "the database" in each)
        assert () == _folder(world.data, world.folder / "keys").losses


# --- any damage anywhere ------------------------------------------------------------------


@pytest.fixture(scope="module")
def lived_through(tmp_path_factory: pytest.TempPathFactory) -> World:
    """The folder after such a day, to be damaged again and again."""
    world = World(tmp_path_factory.mktemp("lived"))
    asyncio.run(lives(world, is_copied=True))
    return world


@pytest.mark.parametrize("seed", range(24))
async def test_whatever_is_damaged_the_node_starts_and_nothing_taken_away_returns(
    lived_through: World, tmp_path: Path, seed: int
) -> None:
    """Bytes are flipped, zeroed or cut off anywhere in the database, in its log or in both."""
    chance = random.Random(seed)
    shutil.copytree(lived_through.folder, tmp_path, dirs_exist_ok=True)
    world = World.__new__(World)
    world.folder, world.codes = tmp_path, lived_through.codes
    world.street = Neighbourhood(lambda: StoredMemory(world.store), tmp_path)
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

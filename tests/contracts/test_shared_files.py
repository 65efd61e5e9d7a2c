"""The community's rules and members on real nodes: TLS on the loopback, databases and files; no node starts again."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mesh.announcement import Address, ConfiguredPeer
from mesh.community_changes import shared_file
from mesh.community_service import COMMUNITY_EXTENSIONS, CommunityService
from mesh.file_version import Decision, FileName, text_hash
from mesh.messages import EXTENSIONS, Hello, encode
from mesh.page_format import VERSION, canonical
from mesh.service import MeshService
from mesh.signed_statement import SignedStatement, as_json
from mesh.tls_transport import Dialer, contexts
from node.app.file_standing import NEWCOMER, STATE
from node.app.rule_adoption import RuleAdoption
from node.app.rule_files import BY_START, RuleFiles
from node.app.shared_files import AGAIN_MS_MIN, SharedFiles
from node.control.active_ruleset import EARLIER, REJECTED
from node.errors import NodeError
from node.secret_file import SecretFile
from node.storage.database import Store
from node.storage.repository import StoredArchive, StoredPageCache, StoredRepository, StoredStatements
from tests.contracts.test_mesh_service import until
from tests.contracts.test_rule_adoption import adoption_of
from tests.fakes.admin_pages import MEMBERS, RULES
from tests.fakes.community_statements import begun, next_record
from tests.fakes.file_versions import signed, version_of
from tests.fakes.neighbours import FakeUsageLedger, id_of, key_of
from tests.fakes.use_cases import AppFixture, UseCases

FIRST = begun("square", "hills", "eve")
FASTER = RULES.replace("3 Mbit/s", "4 Mbit/s")
SLOWER = RULES.replace("3 Mbit/s", "2 Mbit/s")
WRONG = RULES.replace("3 Mbit/s", "quick")
MORE = MEMBERS + '[[account]]\nid = "dora"\n'
LESS = MEMBERS + '[[account]]\nid = "enric"\n'
SECRET = bytes(range(32))
DAY = "2026-05-04"


@dataclass
class SharingNode:
    """One node with its database and files, as the daemon connects them. It lives until it is stopped or killed."""

    name: str
    folder: Path
    peers: tuple[Address, ...] = ()
    rules: str = RULES
    members: str = MEMBERS
    app: UseCases = field(init=False)
    files: RuleFiles = field(init=False)
    adoption: RuleAdoption = field(init=False)
    community: CommunityService = field(init=False)
    shared: SharedFiles = field(init=False)
    mesh: MeshService = field(init=False)

    @property
    def address(self) -> Address:
        return Address("::1", self.mesh.listening_port)

    @property
    def in_force(self) -> str:
        return self.app.loop.active_ruleset.text

    @property
    def in_file(self) -> str:
        return self.files.rules.read_text()

    @property
    def accounts(self) -> set[str]:
        return {unit.account for unit in self.app.loop.member_directory.units}

    def kind(self, file: FileName = "rules") -> str:
        return self.shared.standing(file).kind

    async def share(self, file: FileName, text: str, admin: str = "rosa") -> SignedStatement:
        """As an admin of this node signs it."""
        assert self.community.state is not None
        decision = Decision("Rosa", "the meeting", DAY)
        made = shared_file(self.community.state, (key_of(admin),), file, text, decision)
        assert made is not None
        assert "" == await self.community.take_in([made])
        return made

    @contextlib.asynccontextmanager
    async def running(self, *, connected: bool = True) -> AsyncIterator["SharingNode"]:
        """`connected`: whether it takes part in the mesh."""
        self.folder.mkdir(exist_ok=True)
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        for name, text in (("rules.toml", self.rules), ("members.toml", self.members)):
            if not (self.folder / name).exists():
                (self.folder / name).write_text(text)
        store = Store(data / "procomu.db")
        archive = StoredArchive(store)
        self.files = RuleFiles(self.folder / "rules.toml", self.folder / "members.toml", data)
        active, members = self.files.open()
        fixture = AppFixture(folder=self.folder, rules_text=RULES, members=MEMBERS)
        fixture.archive = archive  # type: ignore[assignment]
        fixture._memories = lambda: StoredRepository(store, self.folder / "bookings")
        fixture.book, fixture.member_directory = active, members
        self.community = CommunityService(
            own=id_of(self.name),
            listed=(),
            store=StoredStatements(store),
            secret=SECRET,
            secret_store=SecretFile(data / "secrets"),
        )
        self.mesh = MeshService(
            key=key_of(self.name),
            community_id="the-village",
            name=self.name,
            roster=self.community.roster,
            usage_ledger=FakeUsageLedger(id_of(self.name)),
            page_cache=StoredPageCache(store, lambda: DAY),
            community=self.community,
            configured_peers=tuple(map(ConfiguredPeer, self.peers)),
            port=0,
        )
        async with contextlib.AsyncExitStack() as held:
            held.enter_context(contextlib.closing(store))
            self.app = await held.enter_async_context(fixture.life())
            self.adoption = adoption_of(self.app, self.files)
            await self.adoption.record(active, BY_START)
            self.shared = SharedFiles(
                self.community,
                self.app.loop,
                self.files,
                self.adoption,
                archive=archive,
                clock=fixture.clock,
            )
            if self.community.state is None:
                await self.community.follow(FIRST.community, FIRST.statements)
            loop = asyncio.get_running_loop()
            runs = [
                self.community.run(),
                self.shared.run(),
                self.files.watch(self.app.loop, self.adoption.record),
            ]
            tasks = [loop.create_task(each) for each in ([*runs, self.mesh.run()] if connected else runs)]
            try:
                if connected:
                    await until(lambda: self.mesh.listening_port != 0)
                yield self
                assert not any(task.done() for task in tasks)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)


@pytest.fixture
async def square(tmp_path: Path) -> AsyncIterator[SharingNode]:
    async with SharingNode("square", tmp_path / "square").running() as node:
        yield node


async def test_what_an_admin_shares_is_in_force_at_the_other_node_without_a_trial_and_in_its_log(
    square: SharingNode, tmp_path: Path
) -> None:
    async with SharingNode("hills", tmp_path / "hills", (square.address,)).running() as hills:
        await square.share("rules", RULES)
        await square.share("members", MEMBERS)
        await until(lambda: hills.kind() == hills.kind("members") == "same", 30)
        before = len(hills.adoption.versions())
        await square.share("rules", FASTER)
        await square.share("members", MORE)
        for node in (square, hills):
            await until(lambda node=node: node.in_file == FASTER and "dora" in node.accounts, 30)
            await until(lambda node=node: node.kind() == node.kind("members") == "same", 30)
            assert node.in_force == FASTER
            await until(lambda node=node: node.adoption.trial() is None, 30)
            assert not node.shared.warnings()
        await until(lambda: hills.adoption.versions()[0].state == "active", 30)
        assert "Rosa" == hills.adoption.versions()[0].by
        assert before + 1 == len(hills.adoption.versions())
        assert not (hills.folder / f"members.toml{EARLIER}").exists()


async def test_an_edit_by_hand_is_not_shared_and_an_admin_shares_it_or_takes_the_other(
    square: SharingNode, tmp_path: Path
) -> None:
    async with SharingNode("hills", tmp_path / "hills", (square.address,)).running() as hills:
        head = await square.share("rules", RULES)
        await square.share("members", MEMBERS)
        await until(lambda: hills.kind() == hills.kind("members") == "same", 30)
        hills.files.rules.write_text(SLOWER)
        hills.files.members.write_text(MORE)
        await until(lambda: hills.kind() == hills.kind("members") == "differs", 30)
        assert 2 == len(hills.shared.warnings())
        await asyncio.sleep(1)
        assert (RULES, "same") == (square.in_force, square.kind())
        assert SLOWER == hills.in_force
        assert () == await hills.shared.take("rules", head.hash)
        assert (RULES, RULES, "same") == (hills.in_force, hills.in_file, hills.kind())
        await hills.share("members", MORE)
        await until(lambda: "dora" in square.accounts, 30)
        await until(lambda: hills.kind("members") == "same", 30)


async def test_rules_on_trial_here_that_the_community_signs_meanwhile_are_confirmed(
    square: SharingNode,
) -> None:
    await square.share("rules", RULES)
    await until(lambda: square.kind() == "same", 30)
    assert "trial" == (await square.adoption.adopt(FASTER, "admin Ana")).kind
    await square.share("rules", FASTER)
    await until(lambda: square.in_file == FASTER and square.kind() == "same", 30)
    await until(lambda: square.adoption.trial() is None, 30)
    assert FASTER == square.in_force


async def test_signed_rules_take_the_place_of_others_on_trial(square: SharingNode) -> None:
    await square.share("rules", RULES)
    await until(lambda: square.kind() == "same", 30)
    assert "trial" == (await square.adoption.adopt(FASTER, "admin Ana")).kind
    await square.share("rules", SLOWER)
    await until(lambda: square.in_file == SLOWER and square.kind() == "same", 30)
    await until(lambda: square.adoption.trial() is None, 30)
    assert SLOWER == square.in_force


async def test_two_edits_of_a_split_are_both_kept_and_the_one_that_is_chosen_is_in_force_on_both(
    tmp_path: Path,
) -> None:
    square, hills = (SharingNode(name, tmp_path / name) for name in ("square", "hills"))
    async with square.running(connected=False), hills.running(connected=False):
        first = await square.share("rules", RULES)
        await hills.community.take_in([first])
        await square.share("rules", FASTER)
        await hills.share("rules", SLOWER)
        await until(lambda: (FASTER, SLOWER) == (square.in_file, hills.in_file), 30)
    async with square.running():
        hills.peers = (square.address,)
        async with hills.running():
            await until(lambda: square.kind() == hills.kind() == "split", 30)
            await asyncio.sleep(1)
            assert (FASTER, SLOWER) == (square.in_force, hills.in_force)
            texts = {each.version.hash for each in hills.shared.standing("rules").view.heads}
            assert {text_hash(FASTER), text_hash(SLOWER)} == texts
            await square.share("rules", SLOWER)
            await until(lambda: square.in_file == hills.in_file == SLOWER, 30)
            await until(lambda: square.kind() == hills.kind() == "same", 30)
            # Back to an earlier text, which is one version more.
            await hills.share("rules", RULES)
            await until(lambda: square.in_file == hills.in_file == RULES, 30)


async def test_a_text_that_does_not_pass_the_checks_is_not_adopted_and_said_until_another_one_comes(
    square: SharingNode, tmp_path: Path
) -> None:
    async with SharingNode("hills", tmp_path / "hills", (square.address,)).running() as hills:
        await square.share("rules", RULES)
        await until(lambda: hills.kind() == "same", 30)
        await square.share("rules", WRONG)
        await until(lambda: bool(hills.shared.refused("rules")), 30)
        assert (RULES, "behind") == (hills.in_force, hills.kind())
        assert any("quick" in text for text in hills.shared.warnings())
        versions = len(hills.adoption.versions())
        await asyncio.sleep(1)
        assert versions == len(hills.adoption.versions())
        await square.share("members", "nonsense")
        await square.share("rules", FASTER)
        await until(lambda: hills.in_file == FASTER, 30)
        await until(lambda: not hills.shared.refused("rules"), 30)


async def test_a_hostile_member_can_neither_forge_a_version_nor_bring_an_old_one_back(
    square: SharingNode,
) -> None:
    old = await square.share("rules", RULES)
    new = await square.share("rules", FASTER)
    await until(lambda: square.in_file == FASTER, 30)
    forged = signed(version_of(FIRST.community, "rules", SLOWER), "eve")
    stolen = SignedStatement(forged.kind, forged.text, new.signatures)
    changed = SignedStatement(new.kind, new.text.replace(b"Rosa", b"Pepa"), new.signatures)
    bomb = signed(version_of(FIRST.community, "rules", "0" * 10_000_000), "eve")
    _, client = contexts(key_of("eve"))
    async with Dialer(client) as dialer:
        link = await dialer.dial(id_of("square"), square.address)
        can = (*EXTENSIONS, *COMMUNITY_EXTENSIONS)
        await link.send(encode(Hello(VERSION, "the-village", id_of("eve"), "eve", "00" * 8, can, "")))
        for statement in (forged, stolen, changed, bomb, old) * 20:
            await link.send(canonical({"is": "record", "record": as_json(statement)}))
        await asyncio.sleep(2)
    assert square.community.state is not None
    assert {new.name} == square.community.state.file_names().keys()
    assert (FASTER, "same") == (square.in_force, square.kind())


async def test_a_version_of_a_removed_admin_is_not_followed_and_what_was_adopted_stays(
    square: SharingNode, tmp_path: Path
) -> None:
    state = square.community.state
    assert state is not None
    assert state.head is not None
    both = next_record(state.head, state.head_hash, ["rosa", "pau"], 1, ["rosa"])
    await square.community.take_in([both])
    await square.share("rules", RULES)
    await square.share("rules", FASTER, "pau")
    await until(lambda: square.in_file == FASTER, 30)
    gone = next_record(state.head, state.head_hash, ["rosa"], 1, ["rosa"])
    await square.community.take_in([gone])
    assert (FASTER, "not shared") == (square.in_force, square.kind())
    by_pau = signed(version_of(FIRST.community, "rules", SLOWER), "pau")
    await square.community.take_in([by_pau])
    await asyncio.sleep(1)
    assert FASTER == square.in_force
    async with SharingNode("hills", tmp_path / "hills", (square.address,)).running() as hills:
        await until(lambda: square.community.state.names() == hills.community.state.names(), 30)
        await square.share("rules", FASTER)
        await until(lambda: square.kind() == "same", 30)
        await until(lambda: hills.kind() == "differs", 30)


async def test_after_a_kill_between_the_statement_and_the_file_the_next_start_adopts_it(
    tmp_path: Path,
) -> None:
    square = SharingNode("square", tmp_path / "square")
    async with square.running(connected=False):
        await square.share("rules", RULES)
        await square.share("members", MEMBERS)
        await until(lambda: square.kind() == square.kind("members") == "same", 30)
        square.shared._adopt = _never  # type: ignore[method-assign]
        await square.share("rules", FASTER)
        await square.share("members", MORE)
    assert RULES == square.in_file
    async with square.running(connected=False):
        await until(lambda: square.in_file == FASTER and "dora" in square.accounts, 30)
        await until(lambda: square.kind() == "same", 30)


async def test_after_a_kill_between_the_log_and_the_file_the_next_start_adopts_it(tmp_path: Path) -> None:
    square = SharingNode("square", tmp_path / "square")
    async with square.running(connected=False):
        await square.share("rules", RULES)
        await until(lambda: square.kind() == "same", 30)
        square.files.keep_trial = _dies  # type: ignore[method-assign]
        await square.share("rules", FASTER)
        await until(lambda: square.in_force == FASTER, 30)
        assert RULES == square.in_file
    async with square.running(connected=False):
        await until(lambda: square.in_file == square.in_force == FASTER, 30)
        await until(lambda: square.adoption.trial() is None, 30)
        await until(lambda: square.adoption.versions()[0].state == "active", 30)


@pytest.mark.thorough
async def test_with_a_full_disk_nothing_is_half_done_and_it_is_in_force_once_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    square = SharingNode("square", tmp_path / "square")
    async with square.running(connected=False):
        await square.share("rules", RULES)
        await square.share("members", MEMBERS)
        await until(lambda: square.kind() == square.kind("members") == "same", 30)
        with monkeypatch.context() as patched:
            patched.setattr("node.app.rule_files.replace_synced", _full)
            await square.share("rules", FASTER)
            await square.share("members", MORE)
            await until(lambda: bool(square.shared.trouble("rules") and square.shared.trouble("members")), 30)
            assert (RULES, RULES) == (square.in_force, square.in_file)
            assert "dora" not in square.accounts
            assert 2 == len(square.shared.warnings())
            versions = len(square.adoption.versions())
            await asyncio.sleep(3)
            assert versions == len(square.adoption.versions())
            state = square.shared.standing("rules")
            assert state.head is not None
            with pytest.raises(NodeError, match="No space"):
                await square.shared.take("rules", state.head.statement.hash)
        square.app.node.clock.pass_time(4 * AGAIN_MS_MIN)
        await until(lambda: square.in_file == FASTER and "dora" in square.accounts, 30)
        await until(lambda: not square.shared.warnings(), 30)


async def test_a_node_that_came_with_an_invite_takes_the_files_whatever_it_had(
    square: SharingNode, tmp_path: Path
) -> None:
    await square.share("rules", FASTER)
    await square.share("members", MORE)
    (tmp_path / "hills" / "data").mkdir(parents=True)
    store = Store(tmp_path / "hills" / "data" / "procomu.db")
    await StoredArchive(store).save_state(STATE, NEWCOMER)
    store.close()
    hills = SharingNode("hills", tmp_path / "hills", (square.address,), rules=SLOWER, members=LESS)
    async with hills.running():
        await until(lambda: hills.in_file == FASTER and {"dora"} <= hills.accounts, 30)
        assert "enric" not in hills.accounts
        assert LESS == (hills.folder / f"members.toml{EARLIER}").read_text()
        await until(lambda: hills.kind() == hills.kind("members") == "same", 30)
        hills.files.rules.write_text(SLOWER)
        await until(lambda: hills.kind() == "differs", 30)
    async with hills.running():
        await asyncio.sleep(1)
        assert (SLOWER, "differs") == (hills.in_force, hills.kind())


async def test_a_members_file_with_errors_is_kept_beside_the_one_of_the_community(tmp_path: Path) -> None:
    square = SharingNode("square", tmp_path / "square")
    async with square.running(connected=False):
        await square.share("members", MEMBERS)
        await until(lambda: square.kind("members") == "same", 30)
        square.files.members.write_text("nonsense")
        await until(lambda: bool(square.files.members_findings), 30)
        await square.share("members", MORE)
        await until(lambda: "dora" in square.accounts, 30)
        assert "nonsense" == (square.folder / f"members.toml{REJECTED}").read_text()
        await until(lambda: not square.files.members_findings, 30)


@pytest.mark.thorough
async def test_an_earlier_text_that_an_admin_puts_back_here_stays_until_the_community_has_another_one(
    tmp_path: Path,
) -> None:
    square = SharingNode("square", tmp_path / "square")
    async with square.running(connected=False):
        await square.share("rules", RULES)
        await square.share("rules", FASTER)
        await until(lambda: square.kind() == "same" and square.in_file == FASTER, 30)
        await asyncio.sleep(0.5)
        square.files.rules.write_text(RULES)
        await until(lambda: square.kind() == "differs", 30)
        await asyncio.sleep(3)
        assert RULES == square.in_force
        await square.share("rules", SLOWER)
        await until(lambda: square.in_file == SLOWER, 30)


async def _never(*_: object) -> None:
    await asyncio.sleep(3600)


async def _dies(*_: object) -> bool:
    await asyncio.sleep(3600)
    return False


def _full(*_: object) -> None:
    raise OSError(28, "No space left on device")

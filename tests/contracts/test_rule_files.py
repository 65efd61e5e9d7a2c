"""The rule file and the members file in every state that an editor, a full disk or a typo can leave them in."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from node.app import rule_files
from node.app.rule_files import MEMBERS_BYTES_MAX, RuleFiles
from node.control.active_ruleset import MEMBERS_COPY, RULES_COPY, fingerprint
from node.control.reconciler import Reconciler
from node.errors import InvalidFile, NodeError
from node.governance.adoption import AdoptionRecord
from node.governance.members import MemberDirectory
from node.governance.rules import ActiveRuleset
from node.storage.database import Store
from node.storage.repository import StoredArchive
from tests.fakes.reconciler_fixture import RULES

MEMBERS = '[[account]]\nid = "ana"\ndevices = ["02:00:00:00:00:0a"]\n'


class Heart:
    """The part of the control loop that the files need."""

    def __init__(self, active_ruleset: ActiveRuleset, member_directory: MemberDirectory) -> None:
        self.active_ruleset, self.member_directory = active_ruleset, member_directory

    async def adopt(self, active_ruleset: ActiveRuleset, member_directory: MemberDirectory) -> None:
        self.active_ruleset, self.member_directory = active_ruleset, member_directory


async def kept(_book: ActiveRuleset, _by: str) -> None:
    """Storing versions is tested elsewhere."""


@pytest.fixture
def files(tmp_path: Path) -> RuleFiles:
    (tmp_path / "rules.toml").write_text(RULES)
    (tmp_path / "members.toml").write_text(MEMBERS)
    return RuleFiles(tmp_path / "rules.toml", tmp_path / "members.toml")


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def a_link_to_itself(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


SPOILT: dict[str, Callable[[Path], Any]] = {
    "deleted": Path.unlink,
    "a pipe": a_pipe,
    "a folder": a_folder,
    "a link to itself": a_link_to_itself,
    "not text": lambda path: path.write_bytes(b"\xff\xfe\x00"),
    "huge": lambda path: path.write_bytes(b"#" * (MEMBERS_BYTES_MAX + 1)),
    "cut off": lambda path: path.write_text(path.read_text()[:-7]),
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
async def test_a_broken_rule_file_leaves_the_old_rules_in_force_and_says_why(
    files: RuleFiles, spoil: Callable[[Path], Any]
) -> None:
    heart = Heart(*files.open())
    before = heart.active_ruleset.ruleset
    spoil(files.rules)
    async with asyncio.timeout(5):
        await files.look(cast("Reconciler", heart), kept, "a test")
    assert before is heart.active_ruleset.ruleset
    assert heart.active_ruleset.rejected
    assert all(finding.fix for finding in heart.active_ruleset.rejected)


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
async def test_a_broken_members_file_moves_nobody_out_of_a_household(
    files: RuleFiles, spoil: Callable[[Path], Any]
) -> None:
    heart = Heart(*files.open())
    before = heart.member_directory
    spoil(files.members)
    async with asyncio.timeout(5):
        await files.look(cast("Reconciler", heart), kept, "a test")
    assert before == heart.member_directory
    assert files.members_findings
    assert not heart.active_ruleset.rejected


@pytest.mark.parametrize("spoil", [SPOILT["a pipe"], SPOILT["a folder"], SPOILT["a link to itself"]])
@pytest.mark.parametrize("which", ["rules", "members"])
def test_a_node_does_not_start_with_a_broken_file(
    files: RuleFiles, spoil: Callable[[Path], Any], which: str
) -> None:
    spoil(getattr(files, which))
    with pytest.raises(NodeError):
        files.open()


def test_a_typo_in_the_members_file_writes_no_name_into_the_log(
    files: RuleFiles, caplog: pytest.LogCaptureFixture
) -> None:
    _, member_directory = files.open()
    files.members.write_text(
        '[[account]]\nid = "ana"\ndevices = ["02:00:00:00:00:1a", "02:00:00:00:00:1a"]\n'
    )
    files._read_members(member_directory)
    assert "02:00:00:00:00:1a" in str(files.members_findings)
    assert "the old members hold" in caplog.text
    assert "02:00" not in caplog.text
    assert "ana" not in caplog.text.replace(str(files.members), "")


def test_a_new_community_needs_no_members_file(files: RuleFiles) -> None:
    files.members.unlink()
    assert () == files.open()[1].units


def test_every_error_of_a_file_is_reported_at_the_start(files: RuleFiles) -> None:
    files.rules.write_text(
        RULES.replace("share = 100", "shore = 100").replace("usable_percent = 90", "usable = 1")
    )
    with pytest.raises(InvalidFile) as caught:
        files.open()
    assert len(caught.value.findings) >= 2


async def test_a_half_written_file_is_not_read(files: RuleFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """An editor that empties the members file and then writes it must not turn everybody into guests for a moment."""
    monkeypatch.setattr(rule_files, "LOOK_EVERY_S", 0.05)
    heart = Heart(*files.open())
    seen: list[MemberDirectory] = []

    async def adopt(active_ruleset: ActiveRuleset, member_directory: MemberDirectory) -> None:
        seen.append(member_directory)
        heart.active_ruleset, heart.member_directory = active_ruleset, member_directory

    heart.adopt = adopt  # type: ignore[method-assign]
    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(files.watch(cast("Reconciler", heart), kept))
        await asyncio.sleep(0.1)
        text = MEMBERS.replace("ana", "anna")
        with files.members.open("w") as file:
            for letter in range(0, len(text), 4):
                file.write(text[letter : letter + 4])
                file.flush()
                await asyncio.sleep(0.02)
        async with asyncio.timeout(5):
            while not seen:
                await asyncio.sleep(0.01)
        watching.cancel()
    assert [("anna",)] == [
        tuple(unit.account for unit in member_directory.units) for member_directory in seen
    ]


async def test_a_saved_members_file_survives_a_power_cut(
    files: RuleFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file's bytes are synced first, then its directory entry."""
    files.open()
    synced: list[str] = []
    sync = os.fsync

    def noted(descriptor: int) -> None:
        sync(descriptor)
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)

    monkeypatch.setattr(os, "fsync", noted)
    assert () == await files.edit_members(files.members_fingerprint, lambda text: text + "# seen\n")
    assert [".members.toml.new", files.members.parent.name] == synced
    assert (MEMBERS + "# seen\n") == files.members.read_text()


# --- the copy of what was in force ------------------------------------------------------------


@pytest.fixture
async def lived(tmp_path: Path) -> RuleFiles:
    """The files of a node that has run with them before; `open` is its next start."""
    (tmp_path / "rules.toml").write_text(RULES)
    (tmp_path / "members.toml").write_text(MEMBERS)
    (tmp_path / "data").mkdir()
    before = again(tmp_path)
    heart = Heart(*before.open())
    await before.look(cast("Reconciler", heart), kept, "a test")
    return again(tmp_path)


def again(folder: Path) -> RuleFiles:
    return RuleFiles(folder / "rules.toml", folder / "members.toml", folder / "data")


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
async def test_a_start_with_a_broken_rule_file_uses_the_rules_that_were_in_force_and_says_why(
    lived: RuleFiles, spoil: Callable[[Path], Any], caplog: pytest.LogCaptureFixture
) -> None:
    spoil(lived.rules)
    book, member_directory = lived.open()
    assert RULES == book.text
    assert book.rejected
    assert all(finding.fix for finding in book.rejected)
    assert ("ana",) == tuple(unit.account for unit in member_directory.units)
    assert "the rules adopted before it are" in caplog.text


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
async def test_a_start_with_a_broken_members_file_moves_nobody_out_of_a_household(
    lived: RuleFiles, spoil: Callable[[Path], Any]
) -> None:
    mark = again(lived.rules.parent).open() and fingerprint(MEMBERS)
    spoil(lived.members)
    book, member_directory = lived.open()
    assert ("ana",) == tuple(unit.account for unit in member_directory.units)
    assert lived.members_findings
    assert mark == lived.members_fingerprint
    assert not book.rejected


async def test_a_start_reads_what_was_changed_while_the_node_was_stopped(lived: RuleFiles) -> None:
    lived.rules.write_text(RULES.replace("share = 100", "share = 90"))
    lived.members.write_text(MEMBERS.replace("ana", "anna"))
    book, member_directory = lived.open()
    assert "share = 90" in book.text
    assert ("anna",) == tuple(unit.account for unit in member_directory.units)
    assert ((), ()) == (book.rejected, lived.members_findings)


async def test_an_empty_members_file_is_intended_and_a_missing_one_is_not(lived: RuleFiles) -> None:
    lived.members.write_text("")
    assert () == lived.open()[1].units


async def test_a_start_whose_members_outgrew_the_rules_keeps_them_in_force_and_says_the_fix(
    lived: RuleFiles, caplog: pytest.LogCaptureFixture
) -> None:
    lived.members.write_text("".join(f'[[account]]\nid = "a{n}"\n' for n in range(200)))
    book, member_directory = lived.open()
    assert (RULES, 200, ()) == (book.text, len(member_directory.units), book.rejected)
    assert {"E04"} == {finding.code for finding in book.strained}
    assert "no longer fit the members" in caplog.text


async def test_a_first_start_with_such_members_is_refused(lived: RuleFiles) -> None:
    lived.members.write_text("".join(f'[[account]]\nid = "a{n}"\n' for n in range(200)))
    with pytest.raises(InvalidFile):
        RuleFiles(lived.rules, lived.members, lived.rules.parent).open()


async def test_a_damaged_copy_is_ignored(lived: RuleFiles) -> None:
    (lived.rules.parent / "data" / RULES_COPY).write_bytes(b"\xff\x00")
    (lived.rules.parent / "data" / MEMBERS_COPY).write_text("[[account")
    book, member_directory = lived.open()
    assert (RULES, 1) == (book.text, len(member_directory.units))


async def test_copies_are_readable_by_the_node_alone_and_a_failed_one_is_written_later(
    lived: RuleFiles, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(rule_files, "LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(rule_files, "COPY_EVERY_LOOKS", 2)
    data = lived.rules.parent / "data"
    for name in (RULES_COPY, MEMBERS_COPY):
        assert 0o600 == (data / name).stat().st_mode & 0o777
    away = data.rename(data.with_name("away"))
    lived.rules.write_text(RULES.replace("share = 100", "share = 90"))
    heart = Heart(*lived.open())
    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(lived.watch(cast("Reconciler", heart), kept))
        await asyncio.sleep(0.1)
        assert 1 == caplog.text.count("cannot be written"), "tried again and again, and told once"
        away.rename(data)
        async with asyncio.timeout(5):
            while "share = 90" not in (data / RULES_COPY).read_text():
                await asyncio.sleep(0.01)
        watching.cancel()


async def test_a_node_without_a_copy_yet_starts_with_the_rules_in_its_database(
    files: RuleFiles, tmp_path: Path
) -> None:
    """As after an upgrade of a node whose members had outgrown the rules."""
    store = Store(tmp_path / "data" / "procomu.db")
    records = StoredArchive(store)
    try:
        assert None is records.last_rules()
        await records.append(AdoptionRecord("edited", "2026-11-24", "an edit", "1", RULES))
        files.members.write_text("".join(f'[[account]]\nid = "a{n}"\n' for n in range(200)))
        with pytest.raises(InvalidFile):
            files.open()
        again = RuleFiles(files.rules, files.members, tmp_path / "data", records.last_rules)
        book, _ = again.open()
        assert (RULES, ()) == (book.text, book.rejected)
        assert book.strained
        files.rules.unlink()
        assert again.open()[0].rejected
    finally:
        store.close()


async def test_a_node_whose_database_cannot_be_read_needs_a_valid_file(
    files: RuleFiles, tmp_path: Path
) -> None:
    (tmp_path / "data").write_text("not a folder")
    store = Store(tmp_path / "data" / "procomu.db")
    try:
        assert None is StoredArchive(store).last_rules()
    finally:
        store.close()


async def test_a_start_uses_the_rules_and_members_that_were_edited_last(lived: RuleFiles) -> None:
    """Not those with which the node was started before."""
    heart = Heart(*lived.open())
    lived.rules.write_text(RULES.replace("share = 100", "share = 90"))
    lived.members.write_text(MEMBERS.replace("ana", "anna"))
    await lived.look(cast("Reconciler", heart), kept, "a test")
    lived.rules.write_text("[[rule")
    lived.members.write_text("[[account")
    book, member_directory = again(lived.rules.parent).open()
    assert "share = 90" in book.text
    assert ("anna",) == tuple(unit.account for unit in member_directory.units)


# --- several lines --------------------------------------------------------------------------------

MILL = """
[uplink.mill]
down = "20 Mbit/s"
up = "5 Mbit/s"
[[rule]]
id = "mill-top"
ceiling = "2 Mbit/s down, 1 Mbit/s up"
who = "tier:guest"
uplink = "mill"
by = "D-1"
"""


def at_line(folder: Path, name: str) -> RuleFiles:
    return RuleFiles(folder / "rules.toml", folder / "members.toml", folder / "data", uplink=name)


async def test_each_node_enforces_the_rules_of_its_line(lived: RuleFiles) -> None:
    lived.rules.write_text(RULES + MILL)
    main, mill = (at_line(lived.rules.parent, name).open()[0] for name in ("", "mill"))
    assert main.ruleset == mill.ruleset
    assert ("main", "mill") == (main.own.uplink_name, mill.own.uplink_name)
    assert "mill-top" in {rule.id for rule in mill.own.rules} - {rule.id for rule in main.own.rules}
    assert 20_000_000 == (mill.own.uplink and mill.own.uplink.down)
    assert ((), ()) == (main.strained, mill.strained)


async def test_rules_without_the_line_of_the_node_are_refused_and_those_before_stay(lived: RuleFiles) -> None:
    lived.rules.write_text(RULES + MILL)
    files = at_line(lived.rules.parent, "mill")
    heart = Heart(*files.open())
    await files.look(cast("Reconciler", heart), kept, "a test")
    files.rules.write_text(RULES)
    await files.look(cast("Reconciler", heart), kept, "a test")
    assert ["E13"] == [finding.code for finding in heart.active_ruleset.rejected]
    assert RULES + MILL == heart.active_ruleset.text
    assert "mill" == heart.active_ruleset.own.uplink_name
    started, _ = at_line(lived.rules.parent, "mill").open()
    assert (RULES + MILL, "mill") == (started.text, started.own.uplink_name), "after a restart, too"
    assert ["E13"] == [finding.code for finding in started.rejected]


async def test_a_node_with_a_line_that_no_rules_have_starts_and_says_so(lived: RuleFiles) -> None:
    lived.rules.write_text(RULES + MILL)
    before = at_line(lived.rules.parent, "mill")
    await before.look(cast("Reconciler", Heart(*before.open())), kept, "a test")
    active, _ = at_line(lived.rules.parent, "mil").open()
    assert ["E13"] == [finding.code for finding in active.strained]
    assert None is active.own.uplink
    assert {rule.id for rule in active.ruleset.rules} - {"mill-top"} == {rule.id for rule in active.own.rules}
    lived.rules.write_text(RULES + MILL.replace("uplink.mill", "uplink.mil").replace('"mill"', '"mil"'))
    mended, _ = at_line(lived.rules.parent, "mil").open()
    assert ("mil", (), ()) == (mended.own.uplink_name, mended.strained, mended.rejected)


async def test_a_first_start_with_a_line_that_the_file_does_not_have_is_refused(files: RuleFiles) -> None:
    files.rules.write_text(RULES + MILL)
    with pytest.raises(InvalidFile) as error:
        RuleFiles(files.rules, files.members, uplink="river").open()
    assert ["E13"] == [finding.code for finding in error.value.findings if finding.is_error]

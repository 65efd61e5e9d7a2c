"""The rule file and the members file in every state that an editor, a full disk or a slip can leave them in."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from node.answers import rulefile
from node.answers.rulefile import MEMBERS_BYTES_MAX, RuleFiles
from node.errors import InvalidFile, NodeError
from node.governance.roll import Roll
from node.reconcile.loop import Reconcile
from node.reconcile.rulebook import Rulebook
from tests.contracts.test_loop import RULES

MEMBERS = '[[account]]\nid = "ana"\ndevices = ["02:00:00:00:00:0a"]\n'


class Heart:
    """As much of the loop as the files need."""

    def __init__(self, rulebook: Rulebook, roll: Roll) -> None:
        self.rulebook, self.roll = rulebook, roll

    async def adopt(self, rulebook: Rulebook, roll: Roll) -> None:
        self.rulebook, self.roll = rulebook, roll


async def kept(_book: Rulebook, _by: str) -> None:
    """Versions are somebody else's matter."""


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
async def test_a_spoilt_rule_file_leaves_the_old_rules_in_force_and_says_why(
    files: RuleFiles, spoil: Callable[[Path], Any]
) -> None:
    heart = Heart(*files.open())
    before = heart.rulebook.ruleset
    spoil(files.rules)
    async with asyncio.timeout(5):
        await files.look(cast("Reconcile", heart), kept, "a test")
    assert before is heart.rulebook.ruleset
    assert heart.rulebook.rejected
    assert all(finding.mend for finding in heart.rulebook.rejected)


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
async def test_a_spoilt_members_file_moves_nobody_out_of_a_household(
    files: RuleFiles, spoil: Callable[[Path], Any]
) -> None:
    heart = Heart(*files.open())
    before = heart.roll
    spoil(files.members)
    async with asyncio.timeout(5):
        await files.look(cast("Reconcile", heart), kept, "a test")
    assert before == heart.roll
    assert files.members_findings
    assert not heart.rulebook.rejected


@pytest.mark.parametrize("spoil", [SPOILT["a pipe"], SPOILT["a folder"], SPOILT["a link to itself"]])
@pytest.mark.parametrize("which", ["rules", "members"])
def test_a_node_does_not_start_with_a_spoilt_file(
    files: RuleFiles, spoil: Callable[[Path], Any], which: str
) -> None:
    spoil(getattr(files, which))
    with pytest.raises(NodeError):
        files.open()


def test_a_slip_in_the_members_file_writes_nobodys_name_into_the_log(
    files: RuleFiles, caplog: pytest.LogCaptureFixture
) -> None:
    _, roll = files.open()
    files.members.write_text(
        '[[account]]\nid = "ana"\ndevices = ["02:00:00:00:00:1a", "02:00:00:00:00:1a"]\n'
    )
    files._read_members(roll)
    assert "02:00:00:00:00:1a" in str(files.members_findings)
    assert "the old members hold" in caplog.text
    assert "02:00" not in caplog.text
    assert "ana" not in caplog.text.replace(str(files.members), "")


def test_a_community_that_begins_needs_no_members_file(files: RuleFiles) -> None:
    files.members.unlink()
    assert () == files.open()[1].units


def test_every_error_of_a_file_is_told_at_the_start(files: RuleFiles) -> None:
    files.rules.write_text(
        RULES.replace("share = 100", "shore = 100").replace("usable_percent = 90", "usable = 1")
    )
    with pytest.raises(InvalidFile) as caught:
        files.open()
    assert len(caught.value.findings) >= 2


async def test_a_file_half_written_is_not_looked_at(
    files: RuleFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An editor that empties the members file and then writes it must not make guests of everybody for a moment."""
    monkeypatch.setattr(rulefile, "LOOK_EVERY_S", 0.05)
    heart = Heart(*files.open())
    seen: list[Roll] = []

    async def adopt(rulebook: Rulebook, roll: Roll) -> None:
        seen.append(roll)
        heart.rulebook, heart.roll = rulebook, roll

    heart.adopt = adopt  # type: ignore[method-assign]
    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(files.watch(cast("Reconcile", heart), kept))
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
    assert [("anna",)] == [tuple(unit.account for unit in roll.units) for roll in seen]


async def test_a_members_file_that_was_saved_is_saved_also_after_a_power_cut(
    files: RuleFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file's bytes first, then its name in the folder."""
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

"""Commands about the files of a community, with a node that answers."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mesh.community_state import CommunityState
from mesh.file_version import text_hash
from node.app.community import CommunityCommands
from node.app.file_commands import FileCommands
from node.cli import main
from node.console import Answer
from tests.contracts.test_cli import config, node_running
from tests.contracts.test_cli_community import admin_in
from tests.fakes.use_cases import AppFixture

__all__ = ["config"]


def run(path: Path, *words: str) -> int:
    return main(["--config", str(path), "community", *words])


@pytest.fixture
def fixture(tmp_path: Path) -> AppFixture:
    (tmp_path / "files").mkdir()
    return AppFixture(folder=tmp_path / "files")


def answers_of(fixture: AppFixture) -> Mapping[str, Answer]:
    app = fixture.use_cases()
    commands = CommunityCommands(fixture.community)
    return {**commands.all(), **FileCommands(app.shared_files).all()}


def held(fixture: AppFixture) -> CommunityState:
    assert fixture.community.state is not None
    return fixture.community.state


def said(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_a_file_is_shared_once_and_the_versions_are_listed(
    config: Path, fixture: AppFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with node_running(config, answers_of(fixture)):
        assert 1 == run(config, "share", "rules")
        assert "no community record" in capsys.readouterr().err
        assert 0 == run(config, "create")
        assert 0 == run(config, "versions")
        assert 2 == capsys.readouterr().out.count("no admin has shared them")
        assert 0 == run(config, "share", "rules", "--reason", "decided on 3 May")
        assert "Version 1 of the rules is the community's" in capsys.readouterr().out
        assert 0 == run(config, "share", "rules")
        assert "already" in capsys.readouterr().out
        assert 0 == run(config, "share", "members", "--key", str(config.parent / "admin.key"))
        capsys.readouterr()
        assert 0 == run(config, "versions", "--json")
        found = said(capsys)
    assert ("same", "same") == (found["rules"]["state"], found["members"]["state"])
    (version,) = found["rules"]["versions"]
    assert ("admin", "decided on 3 May", "2026-11-24", 1) == tuple(
        version[each] for each in ("by", "reason", "day", "number")
    )
    assert text_hash(fixture.rules_text) == version["hash"]


def test_two_of_two_admins_share_rules_and_the_first_one_is_told_what_is_missing(
    config: Path, fixture: AppFixture, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    key, rosa, signed = config.parent / "admin.key", tmp_path / "rosa.key", tmp_path / "signed.json"
    with node_running(config, answers_of(fixture)):
        assert 0 == run(config, "create")
        key.rename(rosa)
        assert 0 == run(config, "key")
        pau, pau_file = admin_in(key), tmp_path / "pau.key"
        key.rename(pau_file)
        rosa.rename(key)
        assert 0 == run(config, "admins", "--add", pau, "--label", "Pau", "--threshold", "1")
        assert 1 == run(config, "admins", "--threshold", "2", "--save", str(signed))
        key.rename(rosa)
        pau_file.rename(key)
        assert 0 == run(config, "sign", str(signed))
        capsys.readouterr()
        assert 0 == run(config, "share", "rules", "--key", str(rosa))
        out = capsys.readouterr().out
        wanted = f"--use {text_hash(fixture.rules_text)}"
        assert "lacks 1 vote." in out
        assert wanted in out
        assert held(fixture).file("rules").head is None
        assert 0 == run(config, "versions")
        assert "needs more votes" in capsys.readouterr().out
        assert 0 == run(config, "share", "rules", *wanted.split())
        assert held(fixture).file("rules").head is not None


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["share", "notes"], "no file of a community"),
        (["take", "notes"], "no file of a community"),
        (["take", "rules"], "no version of the rules to take"),
        (["share", "rules", "--reason", "x" * 201], "at most 200 characters"),
        (["share", "rules", "--use", "0" * 32], "no version of the rules has the hash"),
        (["share", "rules", "--version", "nine"], "--version is not a number"),
        (["share", "rules", "--version", "999"], "has no version 999"),
        (["share", "rules", "--version", "1", "--use", "x"], "exclude each other"),
        (["share", "members", "--version", "1"], "has no version 1"),
        (["share", "rules", "--key", "/nonexistent"], "cannot be used"),
    ],
)
def test_a_wrong_command_changes_nothing_and_says_what_to_do(
    config: Path, fixture: AppFixture, capsys: pytest.CaptureFixture[str], words: list[str], expected: str
) -> None:
    with node_running(config, answers_of(fixture)):
        assert 0 == run(config, "create")
        capsys.readouterr()
        assert 1 == run(config, *words)
    told = capsys.readouterr().err
    assert expected in told
    assert "fix: " in told
    assert not held(fixture).file_names()
